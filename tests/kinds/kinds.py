"""The kinds that the suite is run for. Another kind is another line in :data:`SAMPLES`."""

import dataclasses
import uuid
from collections.abc import Callable
from typing import Any
from typing import Final

from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.manner import PRESENCE
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.values import DETAILS
from tests.kinds.badges import BADGE
from tests.kinds.lockers import LOCKER
from tests.kinds.passes import PASS
from tests.support.factories import NOON


@dataclasses.dataclass(frozen=True)
class Sample:
    """A kind, and how its tokens are made.

    :ivar by: a column of its own with texts that are unique.
    :ivar own: returns the own fields of a new token, with this value in that column.
    :ivar others: what own fields may be changed to.
    """

    kind: ConsumedKind[Any]
    by: str
    own: Callable[[str], dict[str, Any]]
    others: dict[str, Any]

    def new_fields(self, name: str | None = None, **given: Any) -> dict[str, Any]:
        """Return the fields of a new token that may be used three times."""
        fields = {
            "valid_from": None,
            "valid_to": None,
            "usage_count": 3,
            "lock_time": 0,
            "enabled": True,
        }
        return {**self.own(name or uuid.uuid4().hex), **fields, **given}

    def another(self, name: str, value: Any) -> Any:
        """Return what an own field may be changed to that has this value; a flag has two."""
        other = self.others[name]
        return self.own("own")[name] if other == value else other


SAMPLES: Final = (
    Sample(
        TICKET,
        by="value",
        own=lambda name: {"value": name, **dict.fromkeys((*DETAILS, *PRESENCE))},
        others={"value": "another"},
    ),
    Sample(
        PASS,
        by="digest",
        own=lambda name: {"digest": name, "owner": "ann", "generation": 0, "sign_in_at": None},
        others={"owner": "bob", "generation": 7, "sign_in_at": 9},
    ),
    Sample(
        LOCKER,
        by="serial",
        own=lambda name: {"serial": name, "aisle": "A"},
        others={"serial": "another", "aisle": "B"},
    ),
    Sample(
        BADGE,
        by="key_hash",
        own=lambda name: {
            "key_hash": name,
            "colour": "red",
            "floor": -1,
            "inside": False,
            "seen_at": None,
            "entries": 2**40,
        },
        others={
            "key_hash": "",
            "colour": "blue",
            "floor": None,
            "inside": True,
            "seen_at": NOON,
            "entries": -(2**50),
        },
    ),
)

KINDS: Final = tuple(sample.kind for sample in SAMPLES)

TABLES: Final = tuple(
    table
    for kind in KINDS
    for table in (
        kind.tokens,
        kind.usages,
        kind.events,
        kind.search_table,
        kind.former_table,
    )
    if table is not None
)
