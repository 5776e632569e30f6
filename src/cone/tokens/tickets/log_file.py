"""What a file of the scan log is: when which token was used or refused, and by whom."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Final

from cone.tokens.core.values import LoggedUsage
from cone.tokens.tickets import table_file
from cone.tokens.tickets.table_file import FileForm
from cone.tokens.tickets.table_file import Table

#: ``value`` is the code that the token had then, ``label`` and ``category`` are those of now.
COLUMNS: Final = (
    *("time", "result", "user", "value", "label", "category"),
    *("usage_count", "uid", "receipt"),
)
#: The result of a use that was granted; the others are named as the JSON API names them.
GRANTED: Final = "granted"


def write(usages: Iterable[LoggedUsage], form: FileForm) -> Iterator[bytes]:
    """Return the file of ``usages``, piece by piece.

    :raises InvalidParameter: they are too many for a workbook.
    """
    rows = (_cells(logged) for logged in usages)
    return table_file.write(Table("log", COLUMNS, rows, frozenset({"time"})), form)


def _cells(logged: LoggedUsage) -> list[object]:
    usage = logged.usage
    cells = {
        "time": usage.time,
        "result": usage.denial.value if usage.denial else GRANTED,
        "user": usage.user,
        "value": logged.value,
        "label": logged.details.get("label"),
        "category": logged.details.get("category"),
        "usage_count": usage.usage_count,
        "uid": logged.token_uid,
        "receipt": usage.receipt,
    }
    return [cells[name] for name in COLUMNS]
