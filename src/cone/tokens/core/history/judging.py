"""Rows and tokens held against the state that their history made."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Final

from cone.tokens.core import lifecycle
from cone.tokens.core.errors import Denial
from cone.tokens.core.history.entries import Use
from cone.tokens.core.history.findings import Problem
from cone.tokens.core.history.findings import Times
from cone.tokens.core.history.replaced import Replaced
from cone.tokens.core.history.state import State
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.values import Status

_BROKEN_RULES: Final = {
    Status.DISABLED: Problem.WHILE_DISABLED,
    Status.EXHAUSTED: Problem.ABOVE_LIMIT,
    Status.LOCKED: Problem.IN_LOCK_TIME,
    Status.NOT_YET_VALID: Problem.OUTSIDE_WINDOW,
    Status.EXPIRED: Problem.OUTSIDE_WINDOW,
}

_BROKEN_RULE_TEXTS: Final = {
    Status.DISABLED: "used while it was disabled",
    Status.EXHAUSTED: "used with no use left",
    Status.LOCKED: "used while it was locked, until {state.locked_until}",
    Status.NOT_YET_VALID: "used before it was valid, from {state.valid_from}",
    Status.EXPIRED: "used after it was valid, to {state.valid_to}",
}


def broken_rules(state: State, time: datetime.datetime) -> Iterator[tuple[Problem, str]]:
    """Return the rules that a use granted at ``time`` breaks."""
    for rule in lifecycle.failing_rules(state, time):
        yield _BROKEN_RULES[rule.status], _BROKEN_RULE_TEXTS[rule.status].format(state=state)


def wrong_refusal(
    kind: ConsumedKind[Any],
    use: Use,
    state: State,
    replaced: Replaced,
) -> str | None:
    """Return the mistake of a refused try; None: it was refused rightly."""
    wrong = next(wrong_counts(kind, use, state), None)
    if wrong:
        return f"refused with {wrong}"
    denial = Denial.from_code(use.error_code)
    if denial is None:
        return "refused with a code that means nothing"
    if denial is Denial.TOKEN_REUSED and kind.seen:
        # What the caller showed is not in the log.
        return None
    if denial is Denial.REPLACED and replaced.may_be:
        return None
    may_be_locked = not state.is_last_use_known and denial is Denial.TOKEN_LOCKED
    if may_be_locked or denial is lifecycle.denial(state, use.time):
        return None
    return "refused for a reason that there was not"


def wrong_counts(kind: ConsumedKind[Any], use: Use, state: State) -> Iterator[str]:
    """Return the differences between a row of the usage log and the replayed token."""
    if use.usage_count != state.usage_count:
        yield f"{use.usage_count} uses left, by its history {state.usage_count}"
    for name, told in zip(kind.advanced_names, use.advanced, strict=True):
        if told != getattr(state, name):
            yield f"{name} {told}, by its history {getattr(state, name)}"


def differences(
    kind: ConsumedKind[Any],
    token: Mapping[str, Any],
    state: State,
) -> Iterator[tuple[Problem, str]]:
    """Return the columns of a token that its history contradicts."""
    if token["usage_count"] != state.usage_count:
        text = f"has {token['usage_count']} uses left, by its history {state.usage_count}"
        yield Problem.COUNTER, text
    for name in kind.audited:
        if name != "usage_count" and token[name] != getattr(state, name):
            yield Problem.FIELD, f"its {name} is not that of its history"
    if state.is_last_use_known and token["last_used"] != state.last_used:
        yield Problem.LAST_USED, f"last used {token['last_used']}, by its history {state.last_used}"
    if not isinstance(token["lock_time"], int):
        # SQLite keeps anything in any column; a wrong lock time is a finding already.
        return
    locked_until = lifecycle.locked_until(token["last_used"], token["lock_time"])
    if token["locked_until"] != locked_until:
        text = f"locked until {token['locked_until']}, by its last use {locked_until}"
        yield Problem.LOCKED_UNTIL, text


def wrong_derived(kind: ConsumedKind[Any], token: Mapping[str, Any]) -> Iterator[str]:
    """Return the columns of a token that do not follow from the ones they are derived from."""
    for derived in kind.derived:
        source = token[derived.source]
        # SQLite keeps anything in any column.
        if isinstance(source, str) and token[derived.column] != derived.of(source):
            yield f"its {derived.column} is not that of its {derived.source}"


#: What each token's events tell.
_OF_ALL_KINDS: Final = frozenset({"creator", "created", "modified"})


def wrong_facts(
    token: Mapping[str, Any],
    facts: Mapping[str, Any],
    times: Times,
) -> Iterator[str]:
    """Return the differences between events and token in creator, times and what was given.

    :param facts: as far as they are known; what :func:`note_given` notes a token may not know.
    """
    if facts.get("creator", token["creator"]) != token["creator"]:
        yield "its creator is not the user who added it"
    for name in ("created", "modified"):
        time = token[name]
        if times.differ(facts.get(name, time), time):
            yield f"{name} {time}, by its history {facts[name]}"
    for name in facts.keys() - _OF_ALL_KINDS:
        if token[name] is not None and token[name] not in facts[name]:
            yield f"{name} {token[name]}, by its history {min(facts[name])}"


def note_given(
    kind: ConsumedKind[Any],
    facts: dict[str, Any],
    before: State | None,
    values: Mapping[str, Any] | None,
    *,
    is_new: bool,
) -> None:
    """Note the columns that follow from what was given last, as events tell it by ``values``.

    An event does not tell whether what stayed was given anew: each column has all that it may be.
    What is not known from the addition on stays so. A text is there until somebody changes it, and
    :func:`wrong_derived` sees to its columns.

    :param values: None where they cannot be read.
    """
    for derived in kind.derived:
        value = values[derived.source] if values else None
        if isinstance(value, str):
            continue
        is_known = derived.column in facts and value is not None
        if (is_new and value is not None) or (
            is_known and before and getattr(before, derived.source) != value
        ):
            facts[derived.column] = {derived.of(value)}
        elif is_known and before:
            facts[derived.column].add(derived.of(value))
        else:
            facts.pop(derived.column, None)


def told_in_part(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a token that hold although events are missing."""
    return {name: fact for name, fact in facts.items() if name in _OF_ALL_KINDS}


def uses_told_wrongly(token: Mapping[str, Any], last_uses: Sequence[Use]) -> Iterator[Use]:
    """Return those of its last two uses that a token tells otherwise; NULL is not known.

    :param last_uses: as far as they are known, the last one at the end.
    """
    uses = list(reversed(last_uses))
    if not uses or token["last_used"] != uses[0].time:
        # Another last use is a finding of its own.
        return
    pairs = (("last_used", "last_user"), ("used_before", "user_before"))
    for use, (time, user) in zip(uses, pairs, strict=False):
        if token[time] not in (None, use.time) or token[user] not in (None, use.user):
            yield use
