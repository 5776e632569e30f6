"""Upgrades on demand: what is found is told first, then all is done or nothing.

What becomes of the rows of 2.0 is decided in :mod:`cone.tokens.migrations.of_2_0`.
"""

from __future__ import annotations

import csv
import datetime
import errno
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from cone.tokens import migrations
from cone.tokens.core.database import Database
from cone.tokens.core.errors import Unavailable
from cone.tokens.migrations import of_2_0
from cone.tokens.migrations import own_objects
from cone.tokens.migrations import schema
from cone.tokens.migrations import search_index
from cone.tokens.migrations.local_times import Reading
from cone.tokens.migrations.of_2_0 import Change
from cone.tokens.migrations.of_2_0 import Findings
from cone.tokens.migrations.of_2_0 import OldDatabase
from cone.tokens.migrations.of_2_0 import Options
from cone.tokens.migrations.tables import KINDS

#: Pages of a SQLite file that are copied at once.
PAGES: Final = 4_096

#: What SQLite keeps of its file in memory while it upgrades, in KiB.
CACHE_KIB: Final = 64 * 1024

#: What there is to do, from an older version of ours and from 2.0.
STEPS: Final = migrations.STEPS
STEPS_FROM_2_0: Final = of_2_0.STEPS + STEPS

#: What a file is called that is not complete yet.
PART: Final = ".part"

#: Where nothing was looked for.
NOTHING: Final = Findings({}, Counter())

Progress = Callable[[int], None]


class UpgradeRefused(Exception):
    """Nothing was changed; the texts say why."""

    def __init__(self, reasons: Iterable[str], findings: Findings = NOTHING) -> None:
        self.reasons = tuple(reasons)
        self.findings = findings
        super().__init__("; ".join(self.reasons))


def check(database: Database, options: Options) -> Findings:
    """Return the findings of an upgrade from 2.0; change nothing."""
    with _told_refusals(), database.connecting() as connection:
        return OldDatabase(connection, options).findings()


def refusals(findings: Findings, options: Options) -> list[str]:
    """Return why an upgrade would not be done, one text each."""
    reasons = list(findings.problems)
    value = {slug: findings.counts["tokens", "value", slug] for slug in _OF_VALUES}
    if value["double"] and options.duplicates == "refuse":
        text = "say which keeps it with --duplicates"
        reasons.append(f"tokens with the value of another one: {value['double']:,}; {text}")
    unfit = value["too_long"] + value["unusable"]
    if unfit and options.long_values == "refuse":
        text = "--long-values=uid replaces them"
        reasons.append(f"values that are too long or no text: {unfit:,}; {text}")
    for (table, column, slug), count in sorted(findings.counts.items()):
        if slug == Reading.UNREADABLE:
            reasons.append(
                f"{table}.{column}: rows that cannot be read: {count:,}; repair them first"
            )
    return reasons


_OF_VALUES: Final = ("double", "too_long", "unusable")


def upgrade_from_2_0(
    database: Database,
    options: Options,
    report: Path,
    progress: Progress,
    *,
    tell: Callable[[Findings, Path | None], None],
) -> int | None:
    """Upgrade a database of 2.0 and return how many changes are in the report.

    None: somebody else has upgraded it meanwhile.

    :param report: CSV file for every row that does not stay as it is; must not be there.
    :param progress: is told of steps that are done, of :data:`STEPS_FROM_2_0`.
    :param tell: is told what was found, and where the backup is, before anything is changed.
    :raises UpgradeRefused: nothing was changed.
    :raises FileExistsError: the report is there already.

    Concurrency: other programs wait, or are refused, until it is done.
    """
    with _upgrading(database) as connection:
        if schema.find(connection) is not schema.Schema.OF_2_0:
            return None
        old = OldDatabase(connection, options)
        old.hold()
        findings = old.findings()
        reasons = refusals(findings, options)
        if reasons:
            raise UpgradeRefused(reasons, findings)
        tell(findings, back_up(connection))
        with _whole_file(report) as part:
            count = _write_report(part, options, findings, old.changes(findings))
            old.upgrade(findings, lambda: schema.migrate(connection, of_2_0.REVISION), progress)
            schema.migrate(connection, progress=progress)
            _make_again(connection, findings)
        _commit(connection, report)
    return count


def _make_again(connection: Connection, findings: Findings) -> None:
    try:
        own_objects.make(connection, findings.own)
    except own_objects.CannotMakeAgain as error:
        raise UpgradeRefused([str(error)], findings) from error


def _commit(connection: Connection, report: Path) -> None:
    """Commit what the ``report`` tells; it is there before.

    It stays where somebody stops the program on the way, or the server is lost: whether all was
    committed is not known then.
    """
    try:
        connection.commit()
    except DBAPIError as error:
        if not error.connection_invalidated:
            # SQLite would go on with the transaction.
            connection.invalidate()
            report.unlink()
        raise


def upgrade_older(
    database: Database,
    progress: Progress,
    *,
    tell: Callable[[Path | None], None],
) -> None:
    """Upgrade a database of an older version of ours.

    :param progress: is told of steps that are done, of :data:`STEPS`.
    :param tell: is told where the backup is, before anything is changed.
    :raises UpgradeRefused: the backup cannot be made.
    """
    with _upgrading(database) as connection:
        if schema.find(connection) is schema.Schema.OLDER:
            tell(back_up(connection))
            schema.migrate(connection, progress=progress)


def make_search_index(database: Database) -> bool:
    """Make the indexes that find parts, where the database has not allowed them so far.

    Return whether one was made.
    """
    with database.connecting() as connection:
        if not _unmade(connection):
            return False
    with _upgrading(database) as connection:
        made = [search_index.make(connection, *index) for index in _unmade(connection)]
        return any(made)


def remake_search_indexes(database: Database, tables: Collection[str]) -> None:
    """Make the indexes that find parts anew, from what these tables have."""
    with _upgrading(database) as connection:
        for kind in KINDS:
            texts = kind.search_table
            if texts is not None and texts.name in tables:
                search_index.drop(connection, texts.name)
                search_index.make(connection, texts.name, tuple(kind.search_columns))


def _unmade(connection: Connection) -> list[tuple[str, tuple[str, ...]]]:
    """Return the tables and columns of search texts that have no index that finds parts."""
    return [
        (kind.search_table.name, tuple(kind.search_columns))
        for kind in KINDS
        if kind.search_table is not None
        and not search_index.is_there(connection, kind.search_table.name)
    ]


@contextmanager
def _upgrading(database: Database) -> Iterator[Connection]:
    with _told_refusals(), database.changing_tables() as connection:
        schema.lock(connection)
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA cache_size = -{CACHE_KIB}")
        yield connection


@contextmanager
def _told_refusals() -> Iterator[None]:
    """Say what PostgreSQL does not allow.

    :raises UpgradeRefused: something was not allowed.
    """
    try:
        yield
    except (DBAPIError, Unavailable) as error:
        reason = schema.refusal(error) or schema.refusal(error.__cause__)
        if reason is None:
            raise
        raise UpgradeRefused([f"the database does not allow it: {reason}"]) from error


# The backup


def back_up(connection: Connection) -> Path | None:
    """Copy the file of a SQLite database beside it and return where; None: there is no file.

    It is what was committed last: nothing is written before, and nobody else can write.
    """
    if connection.dialect.name != "sqlite":
        return None
    databases = connection.exec_driver_sql("PRAGMA database_list").all()
    path = Path(next(file for _number, name, file in databases if name == "main"))
    if not path.is_file():
        return None
    moment = datetime.datetime.now(datetime.UTC)
    target = path.with_name(f"{path.name}.backup-{moment:%Y%m%dT%H%M%S.%fZ}")
    try:
        with _whole_file(target) as part:
            _copy(path, part)
    except (OSError, sqlite3.Error) as error:
        reason = f"the backup {target} cannot be written: {error}"
        raise UpgradeRefused([reason]) from error
    return target


def _copy(path: Path, part: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as copy:
        source.backup(copy, pages=PAGES)
    shutil.copymode(path, part)
    _sync(part)


# Files


@contextmanager
def _whole_file(path: Path) -> Iterator[Path]:
    """Return the name of a file to write, which gets the name ``path`` when the block ends.

    Where it ends with an error there is no file. Nothing is ever overwritten.

    :raises FileExistsError: one of the names is taken.
    """
    part = path.with_name(path.name + PART)
    if path.exists():
        raise FileExistsError(errno.EEXIST, "is there already", str(path))
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield part
    except BaseException:
        part.unlink()
        raise
    part.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Flush a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_report(
    path: Path,
    options: Options,
    findings: Findings,
    changes: Iterable[Change],
) -> int:
    """Write what does not stay as it is, and return how many lines there are of single rows.

    All times are read in the zone: a line each tells that of a column, and those rows have lines
    of their own where there was more than one reading.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["table", "uid", "column", "old", "new", "reason"])
        for table in findings.tables:
            for time in of_2_0.times_of(table):
                zone = f"time in {options.zone.key}"
                writer.writerow([table, "", time, zone, "time in UTC", "all rows"])
        count = 0
        for change in changes:
            writer.writerow(_line(change))
            count += 1
    _sync(path)
    return count


def _line(change: Change) -> list[Any]:
    return [
        change.table,
        change.uid,
        change.column,
        change.old,
        change.new.isoformat() if isinstance(change.new, datetime.datetime) else change.new,
        change.reason,
    ]
