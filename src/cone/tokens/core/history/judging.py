"""Rows and tokens held against the state that their history made."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Final

from cone.tokens.core import lifecycle
from cone.tokens.core.errors import Denial
from cone.tokens.core.history.entries import Event
from cone.tokens.core.history.entries import Use
from cone.tokens.core.history.findings import Problem
from cone.tokens.core.history.findings import Times
from cone.tokens.core.history.replaced import Replaced
from cone.tokens.core.history.state import State
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.manner import PLAIN
from cone.tokens.core.manner import Direction
from cone.tokens.core.values import Status

#: What each rule means that a use breaks. Those of a status are told by it.
_BROKEN_RULES: Final[dict[Status | Denial, tuple[Problem, str]]] = {
    Status.DISABLED: (Problem.WHILE_DISABLED, "used while it was disabled"),
    Status.EXHAUSTED: (Problem.ABOVE_LIMIT, "used with no use left"),
    Status.LOCKED: (
        Problem.IN_LOCK_TIME,
        "used while it was locked, until {state.locked_until}",
    ),
    Status.NOT_YET_VALID: (
        Problem.OUTSIDE_WINDOW,
        "used before it was valid, from {state.valid_from}",
    ),
    Status.EXPIRED: (Problem.OUTSIDE_WINDOW, "used after it was valid, to {state.valid_to}"),
    Denial.NOT_ENOUGH_USES: (Problem.ABOVE_LIMIT, "took other uses than were left"),
    Denial.ALREADY_INSIDE: (
        Problem.PRESENCE,
        "went in while it was inside, until {state.inside_until}",
    ),
    Denial.NOT_INSIDE: (Problem.PRESENCE, "went out and was not inside"),
}


def broken_rules(kind: ConsumedKind[Any], state: State, use: Use) -> Iterator[tuple[Problem, str]]:
    """Return the rules that a granted use breaks."""
    for rule in kind.rules.failing(state, use.time, use.manner):
        problem, text = _BROKEN_RULES[rule.status or rule.denial]
        yield problem, text.format(state=state)


def wrong_manner(use: Use) -> Iterator[str]:
    """Return what is impossible in how a row says that a token was used."""
    if use.manner is not PLAIN:
        yield from _wrong_way(use)
    if use.undone_at and use.error_code is not None:
        yield "was taken back"
    if use.undone_by is not None and not use.undone_at:
        yield "says who took it back, and not when"


def _wrong_way(use: Use) -> Iterator[str]:
    """Return what is impossible in another manner than the plain one."""
    if not isinstance(use.manner.direction, Direction | None):
        yield f"went {use.manner.direction!r:.20}"
    if use.manner.direction and use.manner.checkpoint is None:
        yield "went in or out at no checkpoint"
    if type(use.manner.uses) is not int or not _may_take(use):
        yield f"took {use.manner.uses!r:.20} uses"
    elif use.manner.override is not None and use.manner.uses > 1:
        yield "overrode the rules for several uses"
    if use.manner.override is not None and use.manner.direction is Direction.OUT:
        yield "overrode the rules for an exit"


def _may_take(use: Use) -> bool:
    """Return whether a use of its manner may take so many, or a refused one ask for them."""
    uses, direction = use.manner.uses, use.manner.direction
    if direction is Direction.OUT:
        return bool(uses == 0)
    is_free = use.error_code is None and (direction or use.manner.override is not None)
    return bool(uses >= (0 if is_free else 1))


def wrong_use(kind: ConsumedKind[Any], use: Use, state: State) -> Iterator[str]:
    """Return the differences between a granted use and the replayed token.

    :param state: after it.
    """
    yield from wrong_counts(kind, use, state)
    is_known = kind.has_manners and state.is_last_use_known
    if is_known and use.is_taken != (state.last_used == use.time):
        yield f"took {use.manner.uses} uses, and by its history {'no' if use.is_taken else 'some'}"


def wrong_refusal(
    kind: ConsumedKind[Any],
    use: Use,
    state: State,
    replaced: Replaced,
) -> Iterator[str]:
    """Return the first mistake of a refused try."""
    mistakes = itertools.chain(
        (f"refused with {wrong}" for wrong in wrong_counts(kind, use, state)),
        (f"refused, and {wrong}" for wrong in wrong_manner(use)),
        _wrong_reason(kind, use, state, replaced),
    )
    yield from itertools.islice(mistakes, 1)


def _wrong_reason(
    kind: ConsumedKind[Any], use: Use, state: State, replaced: Replaced
) -> Iterator[str]:
    denial = Denial.from_code(use.error_code)
    if denial is None:
        yield "refused with a code that means nothing"
        return
    is_right = denial is kind.rules.denial(state, use.time, use.manner)
    if not is_right and not _may_be(kind, use, denial, state, replaced):
        yield "refused for a reason that there was not"


def _may_be(
    kind: ConsumedKind[Any], use: Use, denial: Denial, state: State, replaced: Replaced
) -> bool:
    """Return whether a reason may have been there, of which the log does not tell all."""
    return {
        # What the caller showed, and the categories that a checkpoint had then.
        Denial.TOKEN_REUSED: bool(kind.seen),
        Denial.WRONG_CHECKPOINT: use.manner.checkpoint is not None,
        Denial.REPLACED: replaced.may_be,
        Denial.TOKEN_LOCKED: not state.is_last_use_known,
    }.get(denial, False)


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


def facts_of(event: Event) -> dict[str, Any]:
    """Return what the addition of a token tells of it."""
    return {"creator": event.user, "created": event.time, "modified": event.time}


def facts_of_purged(event: Event, facts: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of a token whose later changes may be purged.

    :param facts: what was known before.
    """
    if event.action != "add":
        return facts
    told = facts_of(event)
    return {name: told[name] for name in ("creator", "created")}


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


def wrong_token(
    kind: ConsumedKind[Any],
    token: Mapping[str, Any],
    facts: Mapping[str, Any],
    replaced: Replaced,
    times: Times,
) -> Iterator[tuple[Problem, str]]:
    """Return what is wrong with a token, its state aside.

    :param facts: as for :func:`wrong_facts`.
    """
    for text in wrong_facts(token, facts, times):
        yield Problem.FIELD, text
    for text in wrong_derived(kind, token):
        yield Problem.DIGEST, text
    for text in replaced.missing(token):
        yield Problem.FORMER, text
