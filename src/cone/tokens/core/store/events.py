"""Rows of the log of events: one for each change of a token that is not a use."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Iterable
from typing import Any
from typing import Final

from cone.tokens.core.kind import Kind
from cone.tokens.core.kind import Stored
from cone.tokens.core.many import Rows
from cone.tokens.core.values import Actor

#: The action of an event that tells of emptied personal data.
FORGET: Final = "forget"

#: The action of another code in place of the one before.
REPLACE: Final = "replace"

#: The action of a use that is taken back.
UNDO: Final = "undo"

#: The action of a token that is neither inside nor outside any more.
RESET: Final = "reset"


def of_addition(
    kind: Kind[Any],
    row: dict[str, Any],
    actor: Actor,
    version: int = 1,
) -> dict[str, Any]:
    """Return the event of a new token.

    :param row: of the token.
    """
    return _event("add", row["uid"], (None, _values(kind, row)), actor, version=version)


def of_changes(
    kind: Kind[Any],
    changes: Iterable[tuple[Stored, dict[str, Any]]],
    actor: Actor,
    action: str | None = None,
) -> Rows:
    """Return the events of changes: tokens, and the fields of each with their new values.

    :param action: None: what the fields tell.
    """
    return as_rows(
        kind,
        (
            _event(
                action or _action(changed),
                token.uid,
                (old, old | _values(kind, changed)),
                actor,
                version=token.version + 1,
            )
            for token, changed in changes
            for old in [_values_of(kind, token)]
        ),
    )


def of_undoing(
    kind: Kind[Any],
    token: Stored,
    changed: dict[str, Any],
    told: dict[str, Any],
    actor: Actor,
) -> Rows:
    """Return the event of a use that is taken back.

    :param changed: fields of the token, with their new values.
    :param told: what the event tells besides.
    """
    old = _values_of(kind, token)
    new = old | _values(kind, changed) | {name: as_json(value) for name, value in told.items()}
    return as_rows(kind, [_event(UNDO, token.uid, (old, new), actor, version=token.version + 1)])


def of_deletions(kind: Kind[Any], tokens: Iterable[Stored], actor: Actor) -> Rows:
    """Return the events of the deletion of ``tokens``."""
    deletions = ((token, (_values_of(kind, token), None)) for token in tokens)
    return as_rows(
        kind,
        (
            _event("delete", token.uid, values, actor, version=token.version + 1)
            for token, values in deletions
        ),
    )


def of_forgetting(
    kind: Kind[Any],
    tokens: Iterable[Stored],
    told: Iterable[tuple[uuid.UUID, int]],
    actor: Actor,
) -> Rows:
    """Return the events that tell that personal data was emptied.

    :param tokens: in which it was emptied; they get a new version.
    :param told: uids of other tokens, of which events up to a version told personal data.
    """
    nobody = dict.fromkeys(kind.personal)
    changed = ((token, _values_of(kind, token) | nobody) for token in tokens)
    return as_rows(
        kind,
        (
            *(
                _event(FORGET, token.uid, (values, values), actor, version=token.version + 1)
                for token, values in changed
            ),
            *(_event(FORGET, uid, (None, None), actor, version=version) for uid, version in told),
        ),
    )


def as_rows(kind: Kind[Any], events: Iterable[dict[str, Any]]) -> Rows:
    """Return the rows of events, to be inserted together."""
    return Rows(kind.events, events, ("timestamp",))


def _values_of(kind: Kind[Any], token: Stored) -> dict[str, Any]:
    return {name: as_json(getattr(token, name)) for name in kind.audited}


def _values(kind: Kind[Any], fields: dict[str, Any]) -> dict[str, Any]:
    return {name: as_json(value) for name, value in fields.items() if name in kind.audited}


def as_json(value: Any) -> Any:
    """Return a value of a field as JSON has it."""
    return value.isoformat() if isinstance(value, datetime.datetime) else value


def _event(
    action: str,
    token_uid: uuid.UUID,
    values: tuple[dict[str, Any] | None, dict[str, Any] | None],
    actor: Actor,
    *,
    version: int,
) -> dict[str, Any]:
    old, new = values
    return {
        "uid": uuid.uuid4(),
        "token_uid": token_uid,
        "action": action,
        "user": actor,
        "old_values": old and json.dumps(old),
        "new_values": new and json.dumps(new),
        "version": version,
    }


def _action(changed: dict[str, Any]) -> str:
    if set(changed) != {"enabled"}:
        return "update"
    return "enable" if changed["enabled"] else "disable"
