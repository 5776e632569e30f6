"""The parameters that say how a ticket is used at a door (decision 0030)."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from typing import Any
from typing import Final

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.manner import PLAIN
from cone.tokens.core.manner import Direction
from cone.tokens.core.manner import Manner
from cone.tokens.core.params import Parameter
from cone.tokens.core.params import find_uid
from cone.tokens.core.params import integer_schema
from cone.tokens.core.params import missing
from cone.tokens.core.params import no_choice
from cone.tokens.core.params import parse_integer
from cone.tokens.core.params import parse_text
from cone.tokens.core.params import text_schema
from cone.tokens.core.params import unless_empty
from cone.tokens.core.values import MAX_INTEGER
from cone.tokens.tickets import checkpoints
from cone.tokens.tickets.checkpoints import Checkpoint
from cone.tokens.tickets.details import parse_line
from cone.tokens.tickets.door import MOST_OF_UNLIMITED
from cone.tokens.tickets.setting_lists import LONGEST_NAME

#: Characters of a reason to let somebody in anyway.
MAX_REASON: Final = 200

USES: Final = Parameter(
    "uses",
    integer_schema(1, MAX_INTEGER, pattern="^([+-]?[0-9]+)?$", default=1),
    "How many uses to take, all of them or none; of a token without a limit at most "
    f"{MOST_OF_UNLIMITED}. Empty: one.",
)
CHECKPOINT: Final = Parameter(
    "checkpoint",
    text_schema(LONGEST_NAME),
    "The name of the checkpoint in the settings. Empty: none.",
)
DIRECTION: Final = Parameter(
    "direction",
    {"type": ["string", "null"], "enum": [*(each.value for each in Direction), "", None]},
    "Which way somebody goes through a checkpoint that lets in and out. Empty: `in` there.",
)
OVERRIDE: Final = Parameter(
    "override",
    text_schema(MAX_REASON),
    "Why somebody is let in although a rule refuses it. Needs the permission `override`. Empty: "
    "the rules count.",
)
RECEIPT: Final = Parameter(
    "receipt",
    {"type": "string", "format": "uuid"},
    "The receipt of the use to take back.",
    required=True,
)

#: What a consumption at a door takes besides.
DOOR_PARAMETERS: Final = (USES, CHECKPOINT, DIRECTION, OVERRIDE)


def asks_for_door(given: Mapping[str, Any]) -> bool:
    """Return whether a consumption has one of the parameters of a door."""
    return any(given.get(parameter.name, "") != "" for parameter in DOOR_PARAMETERS)


def parse_manner(
    given: Mapping[str, Any],
    settings: Mapping[str, Any],
    now: datetime.datetime,
    zone: datetime.tzinfo,
) -> Manner:
    """Return how a token is to be used.

    :param settings: have the checkpoints.
    :param zone: whose clocks tell when inside ends.
    :raises InvalidParameter: a parameter is wrong, or does not go with another one.
    """
    if not asks_for_door(given):
        return PLAIN
    uses = unless_empty(USES, given, parse_integer, 1)
    checkpoint = _checkpoint(given, settings)
    direction = _direction(given, checkpoint)
    override = parse_line(OVERRIDE, given.get(OVERRIDE.name, ""))
    for parameter, is_asked in ((USES, uses > 1), (OVERRIDE, override is not None)):
        if is_asked and direction is Direction.OUT:
            raise _not_with(parameter, f"an exit, {DIRECTION.name}=out")
    if override is not None and uses > 1:
        raise _not_with(USES, OVERRIDE.name)
    return Manner(
        uses=uses,
        checkpoint=checkpoint.name if checkpoint else None,
        categories=checkpoint.categories or None if checkpoint else None,
        direction=direction,
        inside_until=(
            checkpoint.inside_until(now, zone) if checkpoint and direction is Direction.IN else None
        ),
        override=override,
    )


def _checkpoint(given: Mapping[str, Any], settings: Mapping[str, Any]) -> Checkpoint | None:
    name = parse_text(CHECKPOINT, given.get(CHECKPOINT.name, ""))
    return checkpoints.get(settings, name) if name else None


def _direction(given: Mapping[str, Any], checkpoint: Checkpoint | None) -> Direction | None:
    raw = given.get(DIRECTION.name, "")
    if raw not in DIRECTION.schema["enum"]:
        raise no_choice(DIRECTION)
    if raw and checkpoint is None:
        name = DIRECTION.name
        raise InvalidParameter(name, "no_checkpoint", f"{name}: needs a {CHECKPOINT.name}")
    if checkpoint and checkpoint.has_directions:
        return Direction(raw or Direction.IN.value)
    if raw == Direction.OUT.value:
        message = f"{DIRECTION.name}: this checkpoint lets nobody out"
        raise InvalidParameter(DIRECTION.name, "no_way_out", message)
    return None


def _not_with(parameter: Parameter, other: str) -> InvalidParameter:
    name = parameter.name
    return InvalidParameter(name, "not_together", f"{name}: cannot be given together with {other}")


def parse_receipt(given: Mapping[str, Any]) -> uuid.UUID:
    """Return the receipt of the use to take back.

    :raises InvalidParameter: it is missing, or none.
    """
    raw = given.get(RECEIPT.name, "")
    if raw == "":
        raise missing(RECEIPT)
    receipt = find_uid(raw) if isinstance(raw, str) else None
    if receipt is None:
        raise no_use_of_token()
    return receipt


def no_use_of_token() -> InvalidParameter:
    """Return the error of a receipt that is of no granted use of the token."""
    message = f"{RECEIPT.name}: is the receipt of no use of this token"
    return InvalidParameter(RECEIPT.name, "invalid_receipt", message)
