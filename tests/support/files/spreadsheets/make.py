"""Make the files of this folder: ``python -m tests.support.files.spreadsheets.make``.

It needs Debian's ``libreoffice-calc``, ``libreoffice-l10n-de`` and ``libreoffice-l10n-fr``; the
tests need none of them. README.rst says what each file is.
"""

from __future__ import annotations

import datetime
import shutil
import subprocess
import sys
import tempfile
import zoneinfo
from pathlib import Path

import openpyxl

from cone.tokens.tickets import spreadsheet
from cone.tokens.tickets.table_file import FileForm
from cone.tokens.tickets.table_file import Format
from tests.support.saved_files import EXPORTED

HERE = Path(__file__).parent
#: The locale, how people of it write a day, and the names of the columns.
LANGUAGES = {
    "en": ("en-US", "m/d/yyyy", "Code,Name,Email,Category,Valid from,Valid until"),
    "de": ("de-DE", "dd.mm.yyyy", "Code,Name,E-Mail,Kategorie,Gültig ab,Gültig bis"),
    "fr": ("fr-FR", "dd/mm/yyyy", "Code,Nom,Courriel,Catégorie,valid_from,valid_to"),
}
MORE = {
    "en": "Uses,Active,Note,Table",
    "de": "Verwendungen,Aktiv,Notiz,Tisch",
    "fr": "Utilisations,Actif,Remarque,Table",
}
#: What LibreOffice calls the ways to save CSV: separator, quote, encoding, first line, as shown.
CSV = {
    "utf-8": "44,34,76,1,,0,false,true,false,false,false,1",
    "semicolon-utf-8": "59,34,76,1,,0,false,true,false,false,false,1",
    "semicolon-windows-1252": "59,34,1,1,,0,false,true,false,false,false,1",
    "tab-utf-16": "9,34,65535,1,,0,false,true,false,false,false,1",
}
SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse">
<value>{locale}</value></prop></item></oor:items>
"""


def make_source(language: str, path: Path) -> None:
    """Save a guest list as openpyxl does, for LibreOffice to open."""
    _locale, day, names = LANGUAGES[language]
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Gäste"
    sheet.append(f"{names},{MORE[language]}".split(","))
    evening = datetime.datetime(2026, 11, 28, 18, 30)  # noqa: DTZ001 - cells have no zone
    night = datetime.datetime(2026, 11, 29)  # noqa: DTZ001
    sheet.append(
        ["G-0012", "Zoë Müller", "zoe@example.org", "VIP", evening, night, 2, True, "", "='x'"]
    )
    sheet.append(["G-0013", "Jürgen Groß", None, None, None, night, 1, False, "a; b, c", None])
    sheet.append(["0014", "Élodie «E»", None, None, None, None, 3, True, 'says "hi"', None])
    for row in (2, 3, 4):
        sheet.cell(row, 5).number_format = f"{day} hh:mm"
        sheet.cell(row, 6).number_format = day
        sheet.cell(row, 10).value = f"=G{row}*2+1"
    sheet.cell(4, 1).number_format = "@"
    sheet.merge_cells("D2:D3")
    other = book.create_sheet("Other")
    other.append(["no list", "=1+1"])
    book.save(path)


def make_export(path: Path) -> None:
    """Save tokens as the export for Excel does."""
    form = FileForm(zoneinfo.ZoneInfo("Europe/Vienna"), Format.WORKBOOK)
    path.write_bytes(b"".join(spreadsheet.write(EXPORTED, form)))


def convert(profile: Path, source: Path, form: str, target: Path) -> None:
    """Let LibreOffice open ``source`` and save it in another form."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["soffice", f"-env:UserInstallation={profile.as_uri()}", "--headless"]
        subprocess.run(
            [*command, "--convert-to", form, "--outdir", folder, str(source)],
            check=True,
            stdout=sys.stderr,
        )
        [made] = Path(folder).iterdir()
        shutil.move(made, target)


def main() -> None:
    """Make all files."""
    for language, (locale, *_more) in LANGUAGES.items():
        with tempfile.TemporaryDirectory() as folder:
            profile = Path(folder) / "profile"
            (profile / "user").mkdir(parents=True)
            settings = SETTINGS.format(locale=locale)
            (profile / "user" / "registrymodifications.xcu").write_text(settings)
            source = Path(folder) / "source.xlsx"
            make_source(language, source)
            for name, options in CSV.items():
                form = f"csv:Text - txt - csv (StarCalc):{options}"
                convert(profile, source, form, HERE / f"{language}-{name}.csv")
            form = "xlsx:Calc MS Excel 2007 XML"
            convert(profile, source, form, HERE / f"{language}.xlsx")
            if language == "de":
                make_export(source)
                convert(profile, source, form, HERE / "export-saved-again.xlsx")
                options = CSV["semicolon-utf-8"]
                form = f"csv:Text - txt - csv (StarCalc):{options}"
                convert(profile, source, form, HERE / "export-saved-as.csv")
            if language == "en":
                # What is refused.
                convert(profile, source, "xls:MS Excel 97", HERE / "old.xls")
                convert(profile, source, "ods", HERE / "open-document.ods")
                convert(profile, source, "html:HTML (StarCalc)", HERE / "web-page.xls")


if __name__ == "__main__":
    main()
