"""What a workbook may be made of: looked at before openpyxl reads it.

A file of some kilobytes unpacks to gigabytes, or to elements that take gigabytes as objects.
openpyxl keeps each part as a tree of elements, of sheets and of the table of their texts a row or
a text at a time: how many elements a tree may have is bounded here.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
import zipfile
from typing import Final

from cone.tokens.core.values import MAX_BATCH
from cone.tokens.tickets.columns import wrong

#: Bytes of all that is in a workbook, unpacked.
MOST_BYTES: Final = 64 * 1_024 * 1_024

#: Tags of a sheet: a row of 16 cells has about 80.
MOST_TAGS: Final = 3_000_000
#: Tags of the table of texts, each of which has 4 or more and takes openpyxl longer than a cell.
MOST_TAGS_OF_TEXTS: Final = 800_000
#: Tags of a row or a text, and of another part.
MOST_TAGS_AT_ONCE: Final = 100_000
#: Tags of the list of sheets and of that of parts: openpyxl compares each sheet with all others.
MOST_TAGS_OF_LISTS: Final = 10_000

#: A part of the files of LibreOffice and its relatives.
_OPEN_DOCUMENT: Final = "META-INF/manifest.xml"
_TYPES: Final = "[Content_Types].xml"
#: Ends of the types of parts that are read a row or a text at a time, and of the list of sheets.
_SHEET: Final = ".worksheet+xml"
_TEXTS: Final = ".sharedStrings+xml"
_LIST: Final = ".main+xml"

_BLOCK: Final = 65_536
#: Where a row or a text begins, and the element of a formula; with any prefix.
_PIECE: Final = re.compile(rb"<(?:\w+:)?(?:row|si)[ >/\t\r\n]")
_FORMULA: Final = re.compile(rb"<(?:\w+:)?f[ >/\t\r\n]")
#: Bytes of the longest of these that are kept until the next block is there.
_TAIL: Final = 64


def look_through(archive: zipfile.ZipFile) -> bool:
    """Return whether there may be formulas.

    :raises InvalidParameter: it is too large, or no workbook.
    """
    names = {entry.filename for entry in archive.infolist()}
    if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
        raise wrong("file_too_large", "is too large", maximum=MOST_BYTES // 1_024 // 1_024)
    if _OPEN_DOCUMENT in names:
        raise wrong("open_document", "is of LibreOffice; save it as xlsx or CSV")
    if _TYPES not in names:
        raise no_workbook()
    _check_tags(archive, _TYPES, MOST_TAGS_OF_LISTS)
    types = _types(archive)
    has_formulas = False
    for name in names:
        told = types.get(f"/{name}", set())
        if _are_all(told, _SHEET):
            has_formulas |= _check_tags(archive, name, MOST_TAGS, is_in_pieces=True)
        elif _are_all(told, _TEXTS):
            _check_tags(archive, name, MOST_TAGS_OF_TEXTS, is_in_pieces=True)
        elif any(of_part.endswith(_LIST) for of_part in told):
            _check_tags(archive, name, MOST_TAGS_OF_LISTS)
        elif name.endswith((".xml", ".rels")) or told:
            _check_tags(archive, name, MOST_TAGS_AT_ONCE)
    return has_formulas


def no_workbook() -> Exception:
    """Return the error about a file that is none."""
    return wrong("no_workbook", "is no workbook that can be read")


def _types(archive: zipfile.ZipFile) -> dict[str, set[str]]:
    """Return the types of the parts that have one of their own, by their paths."""
    from openpyxl.xml.functions import fromstring

    types: dict[str, set[str]] = {}
    root: ET.Element = fromstring(archive.read(_TYPES))
    for part in root:
        path, told = part.get("PartName"), part.get("ContentType")
        if path and told:
            types.setdefault(path, set()).add(told)
    return types


def _are_all(types: set[str], end: str) -> bool:
    return bool(types) and all(of_part.endswith(end) for of_part in types)


def _check_tags(
    archive: zipfile.ZipFile,
    name: str,
    most: int,
    *,
    is_in_pieces: bool = False,
) -> bool:
    """Count the tags of a part, and return whether one is a formula.

    :param is_in_pieces: a row or a text is read at a time.
    :raises InvalidParameter: there are too many.
    """
    all_tags = at_once = 0
    has_formulas = False
    tail = b""
    with archive.open(name) as part:
        while block := part.read(_BLOCK):
            tags = block.count(b"<")
            all_tags += tags
            seen = tail + block
            # What is in the block before a row begins counts as if it were in the row.
            at_once = tags + (0 if _PIECE.search(seen) else at_once)
            if all_tags > most or (is_in_pieces and at_once > MOST_TAGS_AT_ONCE):
                raise wrong("too_many_cells", "has too many cells", maximum=MAX_BATCH)
            has_formulas = has_formulas or bool(_FORMULA.search(seen))
            tail = block[-_TAIL:]
    return has_formulas
