"""How long files take, and how much memory: ``python -m bench.files [--short]``.

A workbook with 10,000 guests is imported, then again with nothing to change; then tokens and the
log of uses are exported. Each in a process of its own, as the command line does it, and without
the start of the program.
"""

from __future__ import annotations

import argparse
import datetime
import io
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterable
from pathlib import Path

import openpyxl
from sqlalchemy import create_engine

from bench import report
from bench.filling import databases
from bench.filling import fill_log
from bench.use_cases import Tokens
from cone.tokens.core.values import TokenFilter
from cone.tokens.tickets import log_file
from cone.tokens.tickets import spreadsheet
from cone.tokens.tickets.encodings import decode
from cone.tokens.tickets.parser import Parser
from cone.tokens.tickets.service import on_engine
from cone.tokens.tickets.table_file import FileForm
from cone.tokens.tickets.table_file import Format
from cone.tokens.tickets.values import Known
from tests.support.postgres import PostgresServer

#: Guests of a list, tokens and uses of an export.
SIZES = (10_000, 100_000, 100_000)
SHORT = (1_000, 1_000, 1_000)
HEAD = ("Code", "Name", "E-Mail", "Kategorie", "Gültig ab", "Gültig bis", "Aktiv", "Tisch")
WORKBOOK = FileForm(datetime.UTC, Format.WORKBOOK)
CSV = FileForm(datetime.UTC)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.files", description=__doc__)
    parser.add_argument("--short", action="store_true", help="seconds, for CI")
    parser.add_argument("--databases", nargs="*", default=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    guests, tokens, uses = SHORT if arguments.short else SIZES
    print(report.machine())
    with tempfile.TemporaryDirectory() as folder, PostgresServer() as postgres:
        for kind in arguments.databases:
            server = postgres if kind == "postgresql" else None
            with databases(Path(folder) / kind, (tokens,), server) as [filled]:
                fill_log(create_engine(filled.url), uses)
                rows = [
                    (name, f"{seconds:.2f}", f"{own:.2f}", f"{mib:.0f}")
                    for name, seconds, own, mib in measured(filled, guests, uses)
                ]
                head = (kind, "s", "of our processor", "MiB")
                print(report.table(head, rows), flush=True)


def measured(filled: Tokens, guests: int, uses: int) -> Iterable[tuple[str, float, float, float]]:
    """Return the name of each work, and what :func:`timed` says."""
    none = TokenFilter(search="no such guest")
    works: dict[str, Callable[[str], None]] = {
        f"import {guests:,} new from xlsx": Import(workbook(guests)),
        f"import {guests:,} known from xlsx": Import(workbook(guests)),
        f"export {filled.size:,} and these as CSV": Export(CSV),
        f"export {filled.size:,} and these as xlsx": Export(WORKBOOK),
        f"log of {uses:,} uses as CSV": Log(CSV, TokenFilter()),
        f"log of {uses:,} uses, none of which matches": Log(CSV, none),
    }
    for name, work in works.items():
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool:
            yield name, *pool.apply(timed, (work, filled.url))


def timed(work: Callable[[str], None], url: str) -> tuple[float, float, float]:
    """Return seconds, those that this process was at work, and its peak memory in MiB.

    On PostgreSQL the server works beside it.
    """
    start, own = time.perf_counter(), time.process_time()
    work(url)
    seconds, own_s = time.perf_counter() - start, time.process_time() - own
    return seconds, own_s, _peak_mib()


def _peak_mib() -> float:
    # Unlike that of getrusage, it forgets the process that started this one.
    lines = Path("/proc/self/status").read_text().splitlines()
    [peak] = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(peak) / 1_024


class Import:
    """Read, check and import a workbook, as the page does in two steps and the command in one."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __call__(self, url: str) -> None:
        """Do it."""
        parser = Parser(datetime.UTC)
        text = decode(self._content).text
        read = spreadsheet.read(text, parser, guesses=True)
        rows = [line.row for line in read.lines]
        on_engine(create_engine(url)).import_tokens(rows, Known.UPDATE, by="bench")


class Export:
    """Write all tokens."""

    def __init__(self, form: FileForm) -> None:
        self._form = form

    def __call__(self, url: str) -> None:
        """Do it."""
        service = on_engine(create_engine(url))
        _write(spreadsheet.write(service.every(TokenFilter()), self._form))


class Log:
    """Write the log of uses."""

    def __init__(self, form: FileForm, matching: TokenFilter) -> None:
        self._form = form
        self._matching = matching

    def __call__(self, url: str) -> None:
        """Do it."""
        service = on_engine(create_engine(url))
        _write(log_file.write(service.log(self._matching), self._form))


def _write(pieces: Iterable[bytes]) -> None:
    with tempfile.TemporaryFile() as file:
        for piece in pieces:
            file.write(piece)


def workbook(guests: int) -> bytes:
    """Return a list of guests as Excel saves it."""
    # Like Excel, and unlike a workbook that is written row by row, it tells its size.
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Gäste"
    sheet.append(HEAD)
    begin = datetime.datetime(2030, 11, 28, 18, 0)  # noqa: DTZ001 - cells have no zone
    for number in range(guests):
        mail = f"guest{number}@example.org"
        end = begin + datetime.timedelta(minutes=number)
        cells = (f"G-{number:06}", f"Zoë Müller {number}", mail, "VIP", begin, end, True, number)
        sheet.append(cells)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


if __name__ == "__main__":
    main()
