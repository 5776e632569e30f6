"""The tables of this version: those of each kind of tokens, and that of the keys of all kinds."""

from __future__ import annotations

from typing import Any
from typing import Final

from sqlalchemy import Table

from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.records import REQUESTS
from cone.tokens.tickets.kind import TICKET

#: The kinds of tokens that there are tables of, whichever parts a site has switched on.
KINDS: Final[tuple[ConsumedKind[Any], ...]] = (TICKET,)

TABLES: Final[dict[str, Table]] = {
    table.name: table
    for table in (
        *(table for kind in KINDS for table in (kind.tokens, kind.usages, kind.events)),
        *(kind.search_table for kind in KINDS if kind.search_table is not None),
        *(kind.former_table for kind in KINDS if kind.former_table is not None),
        REQUESTS,
    )
}
