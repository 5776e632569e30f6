"""Refresh the translations: ``python config/translations.py``.

Collects the texts of code and templates, writes the template of the catalogues, brings the
catalogues up to date and compiles them. Texts that are gone are dropped. English takes the
default texts; what is missing in another language is named at the end and translated by hand in
its ``.po`` file; run this again then.

The same content gives the same files, byte for byte.
"""

from __future__ import annotations

import ast
import io
import re
import struct
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.messages.pofile import write_po

PACKAGE: Final = Path(__file__).parent.parent / "src" / "cone" / "tokens"
LOCALE: Final = PACKAGE / "locale"
DOMAIN: Final = "cone.tokens"
TEMPLATE: Final = LOCALE / f"{DOMAIN}.pot"
#: The language of the default texts.
SOURCE: Final = "en"
LANGUAGES: Final = (SOURCE, "de")

_I18N: Final = "{http://xml.zope.org/namespaces/i18n}"


class ConflictingTextsError(Exception):
    """The same msgid stands for different texts."""

    def __init__(self, path: Path, msgid: str) -> None:
        """Name the msgid and a place where it has another text."""
        super().__init__(f"{path}: {msgid} has another text elsewhere")


def texts() -> dict[str, str]:
    """Return the default texts of code and templates by msgid.

    :raises ConflictingTextsError: a msgid has two of them.
    """
    found: dict[str, str] = {}
    for path in sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pt")]):
        collect = _of_code if path.suffix == ".py" else _of_template
        for msgid, text in collect(path):
            if found.setdefault(msgid, text) != text:
                raise ConflictingTextsError(path, msgid)
    return found


def catalog_path(language: str) -> Path:
    """Return the path of the catalogue of ``language``."""
    return LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def read_strings(language: str) -> dict[str, str]:
    """Return the texts in ``language`` by msgid; none where there is no catalogue yet."""
    path = catalog_path(language)
    if not path.exists():
        return {}
    with path.open("rb") as file:
        catalog = read_po(file, locale=language)
    return {str(message.id): str(message.string) for message in catalog if message.id}


def compiled(language: str, strings: Mapping[str, str]) -> bytes:
    """Return the binary catalogue of ``strings``: the format of GNU gettext, without a hash table.

    Babel's own puts its version in.
    """
    entries = sorted({"": _header(language), **strings}.items())
    pairs = [(msgid.encode(), string.encode()) for msgid, string in entries if string]
    end_of_tables = 28 + 16 * len(pairs)
    tables, content = [b"", b""], b""
    for column in (0, 1):
        for pair in pairs:
            tables[column] += struct.pack("<2I", len(pair[column]), end_of_tables + len(content))
            content += pair[column] + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    return head + tables[0] + tables[1] + content


def refresh() -> list[str]:
    """Write all files and return what is not translated, each with its language."""
    found = texts()
    TEMPLATE.write_bytes(_po("", dict.fromkeys(found, ""), found))
    missing = []
    for language in LANGUAGES:
        known = found if language == SOURCE else read_strings(language)
        strings = {msgid: known.get(msgid, "") for msgid in found}
        path = catalog_path(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_po(language, strings, found))
        path.with_suffix(".mo").write_bytes(compiled(language, strings))
        missing += [f"{language}: {msgid}" for msgid, string in strings.items() if not string]
    return missing


def _of_code(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "_":
            default = next(word.value for word in node.keywords if word.arg == "default")
            yield ast.literal_eval(node.args[0]), ast.literal_eval(default)


def _of_template(path: Path) -> Iterator[tuple[str, str]]:
    text = re.sub(r"<!DOCTYPE[^>]*>", "", path.read_text())
    for element in ET.fromstring(text).iter():  # noqa: S314 - our own file
        msgid = element.get(f"{_I18N}translate")
        if msgid is not None:
            yield msgid, _text_of(element)
        for pair in filter(None, re.split(r"\s*;\s*", element.get(f"{_I18N}attributes", ""))):
            name, attribute_msgid = pair.split()
            yield attribute_msgid, element.attrib[name]


def _text_of(element: ET.Element) -> str:
    parts = [element.text or ""]
    for child in element:
        parts += [f"${{{child.get(f'{_I18N}name')}}}", child.tail or ""]
    return " ".join("".join(parts).split())


def _po(language: str, strings: Mapping[str, str], defaults: Mapping[str, str]) -> bytes:
    catalog = Catalog()
    catalog.add("\0", _header(language))
    for msgid in sorted(strings):
        comments = () if language == SOURCE else (f"Default: {defaults[msgid]}",)
        catalog.add(msgid, strings[msgid], auto_comments=comments)
    stream = io.BytesIO()
    write_po(stream, catalog, width=100, omit_header=True)
    return stream.getvalue().replace(b'msgid "\0"', b'msgid ""')


def _header(language: str) -> str:
    # No dates, no tools: the same content is the same file.
    return f"Language: {language}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"


if __name__ == "__main__":
    untranslated = refresh()
    print(*untranslated, sep="\n")
    sys.exit(bool(untranslated))
