"""The columns of a file of tokens: what the first line calls them, and what they are."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Final

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.search import search_text

#: The columns that are written.
COLUMNS: Final = (
    "uid",
    "value",
    "status",
    "valid_from",
    "valid_to",
    "usage_count",
    "lock_time",
    "enabled",
    "last_used",
    "created",
    "creator",
    "label",
    "email",
    "category",
    "note",
    "data",
    "uses_given",
)
#: Those of them that only an export has: passed over when it comes back. A list of guests may have
#: a column of such a name, too, which is one of its own.
PASSED_OVER: Final = frozenset({"status", "last_used", "created", "creator", "uses_given"})
#: What else every export has.
_OTHERS: Final = frozenset(COLUMNS) - {"uid"}

#: The parameter that mistakes name which are about the file as a whole.
FILE: Final = "file"

#: Targets of a column that is no field: a member of ``data`` with the column's name, or none.
AS_DATA: Final = "data:"
LEFT_OUT: Final = "-"

#: What people may choose for a column.
CHOICES: Final = (
    *("value", "label", "email", "category", "note"),
    *("valid_from", "valid_to", "usage_count", "lock_time", "enabled"),
    *(AS_DATA, LEFT_OUT),
)
#: A file has to have one of these.
_NEEDED: Final = frozenset({"value", "uid", "label", "email"})

#: Columns that a file may have.
MOST: Final = 100

#: Characters of a header that are told.
_SHOWN: Final = 40

#: What lists of others call our columns, in folded form, without what is no letter.
_ALIASES: Final = {
    "value": "code ticketcode ticket barcode qrcode wert ticketnummer ticketnumber billet",
    "label": "name fullname guest guestname gast gastname bezeichnung inhaber nom invite",
    "email": "mail emailaddress mailadresse emailadresse adressemail courriel adresseemail",
    "category": "kategorie categorie tickettype tickettyp tickettarif tarif",
    "note": "notes notiz notizen bemerkung bemerkungen kommentar comment comments remarque",
    "valid_from": "validfrom gultigab gultigvon valablede",
    "valid_to": "validto validuntil gultigbis valablejusqua",
    "usage_count": "usagecount uses usesleft verwendungen einlosungen utilisations",
    "lock_time": "locktime sperrzeit ruhezeit",
    "enabled": "active aktiv actif eingeschaltet",
}
_TARGETS: Final = {
    alias: column for column, aliases in _ALIASES.items() for alias in (*aliases.split(), column)
}

#: The target that several columns may have: their cells are joined.
LABEL: Final = "label"
#: What lists call the parts of a name, which make the label where no column has all of it.
_FIRST: Final = "first"
_LAST: Final = "last"
_PARTS: Final = {
    **dict.fromkeys(
        [
            "vorname",
            "firstname",
            "forename",
            "givenname",
            "givennames",
            "rufname",
            "prenom",
            "prenoms",
        ],
        _FIRST,
    ),
    **dict.fromkeys(
        ["nachname", "lastname", "familienname", "familyname", "surname", "zuname", "nomdefamille"],
        _LAST,
    ),
}
#: What a last name is called beside a first name that is called so.
_BESIDE: Final = {"vorname": "name", "prenom": "nom"}


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """A column of a file.

    :ivar header: as the file has it.
    :ivar target: one of :data:`COLUMNS` or :data:`CHOICES`.
    :ivar is_known: its name tells what it is; else somebody chooses.
    :ivar part: of a name, where it is one.
    """

    header: str
    target: str
    is_known: bool
    part: str | None = None

    @property
    def is_joined(self) -> bool:
        """Whether its cells may be a part of the label only."""
        return self.target == LABEL and (self.part is not None or not self.is_known)


def in_order(columns: Sequence[Column]) -> list[int]:
    """Return the places of the columns of the label, the first name before the last one."""
    places = [place for place, one in enumerate(columns) if one.target == LABEL]
    parts = [columns[place].part for place in places]
    if {_FIRST, _LAST} <= {*parts}:
        first, last = parts.index(_FIRST), parts.index(_LAST)
        if last < first:
            places[first], places[last] = places[last], places[first]
    return places


def read_head(
    row: Sequence[str],
    chosen: Mapping[str | int, str],
    *,
    guesses: bool,
) -> list[Column]:
    """Return the columns that the first line names.

    :param chosen: what somebody says that columns are, by their headers or places.
    :param guesses: whether a column that nobody knows is kept as data for now; else it is wrong.
    :raises InvalidParameter: there are columns that are not known, two that are the same, too
        many, or none that a token can be made of.
    """
    headers = _headers(row)
    if any("\0" in header for header in headers):
        raise wrong("file_not_utf8", "is not encoded in UTF-8")
    if len(headers) > MOST:
        raise wrong("too_many_columns", f"has more than {MOST} columns", maximum=MOST)
    exact = _exact(headers)
    named = [chosen.get(header, chosen.get(place)) for place, header in enumerate(headers)]
    parts = _parts(headers, named)
    columns = [
        _column(header, target, exact, part)
        for header, target, part in zip(headers, named, parts, strict=True)
    ]
    unknown = tuple(
        one.header
        for one, target in zip(columns, named, strict=True)
        if not one.is_known and target is None
    )
    # Without a name there is nothing to keep it under.
    if unknown and (not guesses or "" in unknown):
        raise wrong("unknown_columns", "has columns that are not known", columns=unknown)
    _check_once(columns)
    if not _NEEDED.intersection(one.target for one in columns):
        advice = "where its cells are split in the wrong places, begin with a line sep=;"
        raise wrong("no_value_column", f"has no column value; {advice}")
    return columns


def _check_once(columns: Sequence[Column]) -> None:
    seen: dict[str, Column] = {}
    for place, one in enumerate(columns):
        # What is kept has the name that it has here.
        meant = f"{AS_DATA}{one.header}" if one.target == AS_DATA else one.target
        if one.is_joined:
            meant = f"{meant}:{one.part or place}"
        first = one if meant == LEFT_OUT else seen.setdefault(meant, one)
        if first is not one:
            name = one.header if one.target == AS_DATA else one.target
            first_name, second = _shortened(first.header), _shortened(one.header)
            text = f"has a column twice: {first_name} and {second} both mean {name}"
            facts = {"first": first_name, "second": second, "column": name}
            raise wrong("same_column_twice", text, **facts)


def _shortened(header: str) -> str:
    return f"{header[:_SHOWN]}…" if len(header) > _SHOWN else header


def targets_of(row: Sequence[str]) -> list[str]:
    """Return what the columns are that the first line names, where nobody chooses."""
    headers = _headers(row)
    exact = _exact(headers)
    parts = _parts(headers, [None] * len(headers))
    pairs = zip(headers, parts, strict=True)
    return [_column(header, None, exact, part).target for header, part in pairs]


def _parts(headers: Sequence[str], named: Sequence[str | None]) -> list[str | None]:
    """Return of which part of the name columns are; of none where a column has all of it."""
    folded = [_folded(header) for header in headers]
    names = {one for one, target in zip(folded, named, strict=True) if target in (None, LABEL)}
    whole = {name for name in names if _TARGETS.get(name) == LABEL}
    parts = dict(_PARTS)
    if _LAST not in {_PARTS.get(name) for name in names}:
        beside = whole & {last for first, last in _BESIDE.items() if first in names}
        parts |= dict.fromkeys(beside, _LAST)
        whole -= beside
    return [None if whole else parts.get(name) for name in folded]


def _folded(header: str) -> str:
    return re.sub(r"[^a-z]", "", search_text(header))


def _headers(row: Sequence[str]) -> list[str]:
    headers = [" ".join(cell.split()) for cell in row]
    while headers and not headers[-1]:
        headers.pop()
    return headers


def _exact(headers: Sequence[str]) -> set[str]:
    return {header.lower() for header in headers} & {*COLUMNS}


def _column(header: str, chosen: str | None, exact: set[str], part: str | None) -> Column:
    if chosen is not None:
        return Column(header, chosen, is_known=False, part=part)
    is_export = "uid" in exact or exact >= _OTHERS
    if header.lower() in COLUMNS and (is_export or header.lower() not in PASSED_OVER):
        return Column(header, header.lower(), is_known=True)
    if part is not None:
        return Column(header, LABEL, is_known=True, part=part)
    target = _TARGETS.get(_folded(header))
    if target and target not in exact:
        return Column(header, target, is_known=True)
    return Column(header, AS_DATA, is_known=False)


def wrong(reason: str, text: str, **facts: object) -> InvalidParameter:
    """Return a mistake about the file as a whole."""
    return InvalidParameter(FILE, reason, f"{FILE}: {text}", **facts)
