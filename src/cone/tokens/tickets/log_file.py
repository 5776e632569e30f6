"""What a file of the scan log is: when which token was used or refused, and by whom."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Final

from cone.tokens.core.store.usages import told_manner
from cone.tokens.core.values import LoggedUsage
from cone.tokens.core.values import Usage
from cone.tokens.tickets import table_file
from cone.tokens.tickets.table_file import FileForm
from cone.tokens.tickets.table_file import Table

#: ``value`` is the code that the token had then, ``label`` and ``category`` are those of now.
COLUMNS: Final = (
    *("time", "result", "user", "value", "label", "category", "uses", "checkpoint", "direction"),
    *("override", "undone", "undone_by", "usage_count", "uid", "receipt"),
)
#: The results of uses that were granted, by the rules or in spite of them; the others are named as
#: the JSON API names them.
GRANTED: Final = "granted"
OVERRIDDEN: Final = "overridden"


def write(usages: Iterable[LoggedUsage], form: FileForm) -> Iterator[bytes]:
    """Return the file of ``usages``, piece by piece.

    :raises InvalidParameter: they are too many for a workbook.
    """
    rows = (_cells(logged) for logged in usages)
    return table_file.write(Table("log", COLUMNS, rows, frozenset({"time", "undone"})), form)


def _cells(logged: LoggedUsage) -> list[object]:
    usage = logged.usage
    cells = {
        "time": usage.time,
        "result": _result(usage),
        "user": usage.user,
        "value": logged.value,
        "label": logged.details.get("label"),
        "category": logged.details.get("category"),
        "uses": usage.manner.uses,
        **told_manner(usage.manner),
        "undone": usage.undone_at,
        "undone_by": usage.undone_by,
        "usage_count": usage.usage_count,
        "uid": logged.token_uid,
        "receipt": usage.receipt,
    }
    return [cells[name] for name in COLUMNS]


def _result(usage: Usage) -> str:
    if usage.denial:
        return usage.denial.value
    # The reason may be emptied.
    return GRANTED if usage.manner.override is None else OVERRIDDEN
