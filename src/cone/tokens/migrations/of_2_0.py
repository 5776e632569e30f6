"""What becomes of a database of cone.tokens 2.0 (contract 6).

Its tables had no constraint besides the primary keys, and naive times of a zone that is recorded
nowhere. What becomes of which row is said once, by a :class:`Rule`: counting, reporting and copying
follow from it, on both databases.

The rows are copied into the tables of revision 0001, in slices; the old tables go in the end.

The file has more than 400 lines: counting, reporting and copying stand beside the rules that they
follow from, and 2.0 changes no more.
"""

from __future__ import annotations

import dataclasses
import datetime
import uuid
import zoneinfo
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import Final

from sqlalchemy import Column
from sqlalchemy import ColumnElement
from sqlalchemy import Connection
from sqlalchemy import DateTime
from sqlalchemy import Index
from sqlalchemy import Integer
from sqlalchemy import MetaData
from sqlalchemy import Select
from sqlalchemy import String
from sqlalchemy import Table
from sqlalchemy import TableClause
from sqlalchemy import Text
from sqlalchemy import Uuid
from sqlalchemy import and_
from sqlalchemy import bindparam
from sqlalchemy import case
from sqlalchemy import cast
from sqlalchemy import column
from sqlalchemy import exists
from sqlalchemy import func
from sqlalchemy import insert
from sqlalchemy import inspect
from sqlalchemy import literal
from sqlalchemy import literal_column
from sqlalchemy import not_
from sqlalchemy import null
from sqlalchemy import or_
from sqlalchemy import select
from sqlalchemy import table
from sqlalchemy import text
from sqlalchemy import update

from cone.tokens.migrations import VERSION_TABLE
from cone.tokens.migrations import own_objects
from cone.tokens.migrations.dialects import UID
from cone.tokens.migrations.dialects import VALUE
from cone.tokens.migrations.dialects import Postgresql
from cone.tokens.migrations.dialects import Sqlite
from cone.tokens.migrations.frozen import LAST_LOCKING
from cone.tokens.migrations.frozen import MAX_INSTANT
from cone.tokens.migrations.frozen import MAX_INTEGER
from cone.tokens.migrations.frozen import MAX_VALUE_BYTES
from cone.tokens.migrations.frozen import UNLIMITED
from cone.tokens.migrations.frozen import ExactText
from cone.tokens.migrations.frozen import UtcDateTime
from cone.tokens.migrations.frozen import frozen_seconds_after
from cone.tokens.migrations.local_times import MAX_LOCAL
from cone.tokens.migrations.local_times import MIN_LOCAL
from cone.tokens.migrations.local_times import UNKNOWN
from cone.tokens.migrations.local_times import Reading
from cone.tokens.migrations.own_objects import OwnObject

#: Columns of the tables of 2.0; the names say what a column holds in ours.
TOKEN_TIMES: Final = ("last_used", "valid_from", "valid_to", "created", "modified")
TOKEN_COLUMNS: Final = {
    *("uid", "value", "usage_count", "lock_time", "creator"),
    *TOKEN_TIMES,
}
USAGE_COLUMNS: Final = {"uid", "token_uid", "token_value", "timestamp", "error_code", "user"}
COLUMNS: Final = {"tokens": TOKEN_COLUMNS, "token_usage": USAGE_COLUMNS}

#: The rows are copied into the tables of this revision.
REVISION: Final = "0001"

#: What the tables of 2.0 are called while they are copied.
SUFFIX: Final = "_of_2_0"

#: So long an upgrade on PostgreSQL waits for who is using the tables.
PATIENCE_S: Final = 10.0

#: The tables are copied in so many slices, by the first digit of the uid.
SLICES: Final = 16

#: What there is to do, both tables together.
STEPS: Final = 2 * SLICES

#: Version of a usage row from before the upgrade; of tokens and their first event it is 1.
OLD_USAGE: Final = 0
UPGRADED: Final = 1


@dataclasses.dataclass(frozen=True)
class Options:
    """Choices that the upgrade cannot make by itself.

    :ivar zone: of the naive times.
    :ivar duplicates: ``refuse``, ``keep-oldest`` or ``keep-newest``.
    :ivar long_values: ``refuse`` or ``uid``.
    """

    zone: zoneinfo.ZoneInfo
    duplicates: str = "refuse"
    long_values: str = "refuse"


@dataclasses.dataclass(frozen=True)
class Rule:
    """Which rows of a table are meant, and what becomes of a column in them."""

    slug: str
    table: str
    column: str
    holds: ColumnElement[bool]
    becomes: ColumnElement[Any]


@dataclasses.dataclass(frozen=True)
class Change:
    """A row that does not stay as it is."""

    table: str
    uid: uuid.UUID
    column: str
    old: object
    new: object
    reason: str


@dataclasses.dataclass(frozen=True)
class Findings:
    """What an upgrade would meet.

    :ivar tables: rows by table.
    :ivar counts: rows by table, column and slug.
    :ivar problems: what stops the upgrade in any case.
    :ivar own: what the site has added to the tables, and is made again.
    """

    tables: dict[str, int]
    counts: Counter[tuple[str, str, str]]
    problems: tuple[str, ...] = ()
    own: tuple[OwnObject, ...] = ()


#: Tokens that get another value, before anything is changed.
RENAMED: Final = Table(
    "renamed_tokens_of_2_0",
    MetaData(),
    Column("renamed_uid", Uuid, primary_key=True),
    Column("new_value", ExactText, nullable=False, index=True),
    Column("reason", String, nullable=False),
    prefixes=["TEMPORARY"],
)


def times_of(name: str) -> tuple[str, ...]:
    """Return the columns of a table that hold times."""
    return TOKEN_TIMES if name == "tokens" else ("timestamp",)


def _old(name: str, *, is_renamed: bool = False) -> TableClause:
    return table(name + SUFFIX if is_renamed else name)


class OldDatabase:
    """The tables of 2.0 on a connection, within the transaction that upgrades them."""

    def __init__(self, connection: Connection, options: Options) -> None:
        self._connection = connection
        self._options = options
        self._is_sqlite = connection.dialect.name == "sqlite"
        dialect = Sqlite if self._is_sqlite else Postgresql
        self._dialect: Sqlite | Postgresql = dialect(connection, options.zone)
        there = inspect(connection).get_table_names()
        self._tables = tuple(name for name in COLUMNS if name in there)

    # What is there

    def hold(self) -> None:
        """Lock the tables until the transaction ends; SQLite does so already."""
        if not self._is_sqlite:
            self._connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE_S}s'"))
            names = ", ".join(self._tables)
            self._connection.execute(text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))

    def findings(self) -> Findings:
        """Return the findings of an upgrade; change nothing."""
        self._take_time()
        own = own_objects.find(self._connection, self._tables)
        problems = (*self._problems(), *own.problems)
        if problems:
            return Findings({}, Counter(), problems)
        counts: Counter[tuple[str, str, str]] = Counter()
        tables = {}
        for name in self._tables:
            tables[name] = self._count_rows(name, counts)
            for time in times_of(name):
                self._count_readings(name, time, counts)
        if not any(slug == Reading.UNREADABLE for _table, _column, slug in +counts):
            self._choose_values(counts)
        return Findings(tables, +counts, own=own.kept)

    def _take_time(self) -> None:
        """Switch PostgreSQL's timeouts off until the transaction ends."""
        if not self._is_sqlite:
            for setting in ("idle_in_transaction_session_timeout", "statement_timeout"):
                self._connection.execute(text(f"SET LOCAL {setting} = 0"))

    def _problems(self) -> Iterator[str]:
        inspector = inspect(self._connection)
        for name in self._tables:
            there = {found["name"] for found in inspector.get_columns(name)}
            if there != COLUMNS[name]:
                odd = ", ".join(sorted(there ^ COLUMNS[name]))
                yield f"the table {name} is not as cone.tokens 2.0 made it, look at: {odd}"
            for odd in self._connection.scalars(self._dialect.hangers_on, {"name": name}):
                yield f"the {odd} hangs on the table {name}: take it away, and make it anew after"
        zone = self._options.zone.key
        known = select(
            exists().where(column("name") == zone).select_from(table("pg_timezone_names"))
        )
        if not self._is_sqlite and not self._connection.scalar(known):
            yield f"the database server does not know the time zone {zone}"

    def _count_rows(self, name: str, counts: Counter[tuple[str, str, str]]) -> int:
        counted = [*self._oddities(name), *self._rules(name)]
        sums = (func.coalesce(func.sum(case((rule.holds, 1), else_=0)), 0) for rule in counted)
        rows, *found = self._connection.execute(
            select(func.count(), *sums).select_from(_old(name))
        ).one()
        for rule, count in zip(counted, found, strict=True):
            counts[rule.table, rule.column, rule.slug] += count
        return int(rows)

    def _count_readings(
        self,
        name: str,
        time: str,
        counts: Counter[tuple[str, str, str]],
    ) -> None:
        reading = self._dialect.reading(time).label("reading")
        statement = select(reading, func.count()).select_from(_old(name)).group_by(text("1"))
        for found, count in self._connection.execute(statement):
            counts[name, time, found] += count

    # What becomes of it

    def _oddities(self, name: str) -> Iterator[Rule]:
        """Return the findings that the upgrade reports and leaves as they are."""
        if name == "tokens":
            is_empty = column("valid_from", DateTime()) >= column("valid_to", DateTime())
            yield Rule("empty_window", name, "valid_to", is_empty, null())
        for uid in ("uid", "token_uid") if name == "token_usage" else ("uid",):
            yield Rule(Reading.UNREADABLE.value, name, uid, self._dialect.is_no_uid(uid), null())

    def _rules(self, name: str) -> tuple[Rule, ...]:
        """Return the rules for all but values and times."""
        if name == "tokens":
            return (
                *self._number_rules("usage_count", UNLIMITED),
                *self._number_rules("lock_time", 0),
            )
        token_uid, code = column("token_uid", Uuid()), column("error_code", Integer())
        value = column("token_value", Text())
        return (
            Rule(
                "missing", name, "token_uid", token_uid.is_(None), literal(uuid.UUID(int=0), Uuid())
            ),
            Rule("missing", name, "token_value", value.is_(None), literal("", Text())),
            # A code tells of a refusal.
            Rule("zero", name, "error_code", code == 0, null()),
        )

    def _number_rules(self, name: str, least: int) -> Iterator[Rule]:
        number, zero = column(name, Integer()), literal(0, Integer())
        is_missing = or_(number.is_(None), self._dialect.is_no_integer(name))
        is_there = not_(is_missing)
        yield Rule("missing", "tokens", name, is_missing, zero)
        yield Rule("too_low", "tokens", name, and_(is_there, number < least), zero)
        most = literal(MAX_INTEGER, Integer())
        yield Rule(
            "too_high",
            "tokens",
            name,
            and_(is_there, number > most),
            most,
        )

    def _time_rules(self, name: str, time: str) -> Iterator[Rule]:
        for reading in (Reading.MISSING, Reading.GAP, Reading.FOLD, Reading.OUT_OF_RANGE):
            if reading is not Reading.MISSING or time in _REQUIRED_TIMES:
                holds = self._dialect.reading(time) == reading.value
                yield Rule(reading.value, name, time, holds, self._new_time(time))

    def _new_time(self, name: str) -> ColumnElement[Any]:
        time, utc = column(name, DateTime()), self._dialect.utc(name)
        unknown = literal(UNKNOWN, UtcDateTime())
        if name == "valid_from":
            return case((time < MIN_LOCAL, null()), else_=utc)
        if name == "valid_to":
            return case((time > MAX_LOCAL, null()), else_=utc)
        if name in _STAND_INS:
            return func.coalesce(utc, self._dialect.utc(_STAND_INS[name]), unknown)
        return func.coalesce(utc, unknown) if name == "timestamp" else utc

    def _new(self, name: str, of: str) -> ColumnElement[Any]:
        """Return the expression of a column's new value."""
        matching = [(rule.holds, rule.becomes) for rule in self._rules(name) if rule.column == of]
        kept: ColumnElement[Any] = column(of)
        return case(*matching, else_=kept) if matching else kept

    # Values

    def _choose_values(self, counts: Counter[tuple[str, str, str]]) -> None:
        """Record which tokens get another value."""
        self._connection.execute(text(f"DROP TABLE IF EXISTS {RENAMED.name}"))
        RENAMED.create(self._connection)
        if "tokens" not in self._tables:
            return
        is_missing = or_(VALUE.is_(None), VALUE == "")
        is_long = self._dialect.byte_length > MAX_VALUE_BYTES
        is_unusable = self._dialect.is_unusable
        self._rename("missing", is_missing)
        self._rename("too_long", and_(not_(is_missing), is_long))
        self._rename("unusable", and_(not_(is_missing), not_(is_long), is_unusable))
        self._rename_doubles()
        self._rename_clashes()
        statement = select(RENAMED.c.reason, func.count()).group_by(RENAMED.c.reason)
        for reason, count in self._connection.execute(statement):
            counts["tokens", "value", reason] += count

    def _rename(self, reason: str, holds: ColumnElement[bool]) -> None:
        chosen = select(UID, self._dialect.uid_text, literal(reason, String()))
        chosen = chosen.select_from(_old("tokens")).where(holds)
        self._connection.execute(insert(RENAMED).from_select(list(RENAMED.c), chosen))

    def _rename_doubles(self) -> None:
        created = column("created", DateTime())
        oldest_first = self._options.duplicates != "keep-newest"
        order = (created.asc() if oldest_first else created.desc()).nulls_last()
        renamed = select(RENAMED.c.renamed_uid)
        place = func.row_number().over(partition_by=VALUE, order_by=(order, UID)).label("place")
        ranked = (
            select(UID, self._dialect.uid_text.label("new_value"), place)
            .select_from(_old("tokens"))
            .where(UID.not_in(renamed))
            .subquery()
        )
        chosen = select(ranked.c.uid, ranked.c.new_value, literal("double", String()))
        chosen = chosen.where(ranked.c.place > 1)
        self._connection.execute(insert(RENAMED).from_select(list(RENAMED.c), chosen))

    def _rename_clashes(self) -> None:
        """Find other values for tokens whose uid is the value of another token."""
        renamed = select(RENAMED.c.renamed_uid)
        taken = (
            select(RENAMED.c.renamed_uid, RENAMED.c.new_value)
            .select_from(_old("tokens").join(RENAMED, RENAMED.c.new_value == VALUE))
            .where(RENAMED.c.renamed_uid != UID, UID.not_in(renamed))
        )
        for uid, value in self._connection.execute(taken).all():
            change = update(RENAMED).where(RENAMED.c.renamed_uid == uid)
            self._connection.execute(change.values(new_value=self._free_value(value)))

    def _free_value(self, value: str) -> str:
        number = 2
        while self._is_taken(f"{value}-{number}"):
            number += 1
        return f"{value}-{number}"

    def _is_taken(self, value: str) -> bool:
        sought = literal(value, Text())
        of_old = select(VALUE).select_from(_old("tokens")).where(sought == VALUE)
        of_new = select(RENAMED.c.new_value).where(sought == RENAMED.c.new_value)
        return bool(self._connection.scalar(select(or_(of_old.exists(), of_new.exists()))))

    # Telling

    def changes(self, findings: Findings) -> Iterator[Change]:
        """Return the changes, row by row."""
        if "tokens" in self._tables:
            yield from self._value_changes()
        for name in self._tables:
            timed = [rule for time in times_of(name) for rule in self._time_rules(name, time)]
            for rule in (*self._rules(name), *timed):
                if findings.counts[rule.table, rule.column, rule.slug]:
                    yield from self._changes(rule)

    def _value_changes(self) -> Iterator[Change]:
        renamed = RENAMED.c
        statement = (
            select(UID, VALUE, renamed.new_value, renamed.reason)
            .select_from(_old("tokens").join(RENAMED, renamed.renamed_uid == UID))
            .order_by(renamed.renamed_uid)
        )
        for uid, old, new, reason in self._stream(statement):
            yield Change("tokens", uid, "value", old, new, reason)

    def _changes(self, rule: Rule) -> Iterator[Change]:
        old = cast(column(rule.column), Text())
        statement = select(UID, old.label("old"), rule.becomes.label("new"))
        for uid, before, after in self._stream(
            statement.select_from(_old(rule.table)).where(rule.holds)
        ):
            yield Change(rule.table, uid, rule.column, before, after, rule.slug)

    def _stream(self, statement: Select[Any]) -> Iterator[Any]:
        yield from self._connection.execute(statement, execution_options={"yield_per": 1_000})

    # Doing

    def upgrade(
        self,
        findings: Findings,
        make_tables: Callable[[], None],
        progress: Callable[[int], None],
    ) -> None:
        """Copy everything into the tables that ``make_tables`` makes.

        :param findings: of this transaction.
        :param progress: is told of steps that are done.
        """
        own_objects.drop(self._connection, findings.own)
        self._step_aside()
        make_tables()
        indexes = self._drop_indexes()
        for name in self._tables:
            copy = self._copy_tokens if name == "tokens" else self._copy_usages
            for within in _slices():
                copy(within)
                if name == "tokens":
                    self._log_upgrade(within)
                progress(1)
            self._check_copied(name, findings.tables[name])
        for index in indexes:
            index.create(self._connection)
        self._hand_over_rights()
        for name in self._tables:
            self._connection.execute(text(f"DROP TABLE {name}{SUFFIX}"))
        RENAMED.drop(self._connection)
        if self._is_sqlite:
            self._connection.execute(text("PRAGMA legacy_alter_table = OFF"))

    def _step_aside(self) -> None:
        if self._is_sqlite:
            # What refers to the tables by name goes on to do so.
            self._connection.execute(text("PRAGMA legacy_alter_table = ON"))
        for name in self._tables:
            self._connection.execute(text(f"ALTER TABLE {name} RENAME TO {name}{SUFFIX}"))

    def _drop_indexes(self) -> list[Index]:
        """Drop the indexes of the new tables and return them; made at once they cost less."""
        tables = (
            Table(name, MetaData(), autoload_with=self._connection)
            for name in (*self._tables, "token_events")
        )
        indexes = [index for known in tables for index in known.indexes]
        for index in indexes:
            index.drop(self._connection)
        return indexes

    def _copy_tokens(self, within: ColumnElement[bool]) -> None:
        new_value = select(RENAMED.c.new_value).where(RENAMED.c.renamed_uid == UID)
        lock_time, last_used = self._new("tokens", "lock_time"), self._new_time("last_used")
        values = {
            "uid": UID,
            "value": func.coalesce(new_value.correlate(None).scalar_subquery(), VALUE),
            "usage_count": self._new("tokens", "usage_count"),
            "lock_time": lock_time,
            "creator": column("creator", String()),
            **{time: self._new_time(time) for time in TOKEN_TIMES},
            "enabled": literal_column("true"),
            "locked_until": _locked_until(last_used, lock_time),
            "version": literal(UPGRADED, Integer()),
        }
        self._copy("tokens", values, within)

    def _copy_usages(self, within: ColumnElement[bool]) -> None:
        name = "token_usage"
        values = {
            "uid": UID,
            "token_uid": self._new(name, "token_uid"),
            "token_value": self._new(name, "token_value"),
            "timestamp": self._new_time("timestamp"),
            "error_code": self._new(name, "error_code"),
            "user": column("user", String()),
            "version": literal(OLD_USAGE, Integer()),
        }
        self._copy(name, values, within)

    def _copy(
        self,
        name: str,
        values: dict[str, ColumnElement[Any]],
        within: ColumnElement[bool],
    ) -> None:
        new = table(name, *(column(of) for of in values))
        source = select(*values.values()).select_from(_old(name, is_renamed=True)).where(within)
        self._connection.execute(insert(new).from_select(list(values), source.order_by(UID)))

    def _log_upgrade(self, within: ColumnElement[bool]) -> None:
        """Log an event with the state of each token; its uid is that of the token."""
        d = self._dialect
        fields: dict[str, ColumnElement[Any]] = {
            "value": VALUE,
            "valid_from": d.iso("valid_from"),
            "valid_to": d.iso("valid_to"),
            "usage_count": column("usage_count"),
            "lock_time": column("lock_time"),
            "enabled": d.true,
        }
        parts = (part for name in fields for part in (literal_column(f"'{name}'"), fields[name]))
        values: dict[str, ColumnElement[Any]] = {
            "uid": UID,
            "token_uid": UID,
            "action": literal("upgrade", String()),
            "timestamp": bindparam("at", type_=UtcDateTime()),
            "new_values": cast(getattr(func, d.json_object)(*parts), Text()),
            "version": literal(UPGRADED, Integer()),
        }
        events = table("token_events", *(column(of) for of in values))
        source = select(*values.values()).select_from(table("tokens")).where(within)
        self._connection.execute(
            insert(events).from_select(list(values), source.order_by(UID)),
            {"at": datetime.datetime.now(datetime.UTC)},
        )

    def _check_copied(self, name: str, expected: int) -> None:
        copied = self._connection.scalar(select(func.count()).select_from(table(name)))
        if copied != expected:
            message = f"{name}: {copied} of {expected} rows were copied"
            raise RuntimeError(message)

    # Who may do what with the tables

    def _hand_over_rights(self) -> None:
        """Copy owner and grants of the old tables to the new ones."""
        if self._is_sqlite:
            return
        for name in self._tables:
            others = ("token_events", "token_requests", VERSION_TABLE) if name == "tokens" else ()
            for new in (name, *others):
                self._hand_over(name + SUFFIX, new)

    def _hand_over(self, old: str, new: str) -> None:
        quote = self._connection.dialect.identifier_preparer.quote
        rights = self._connection.execute(text(_RIGHTS), {"name": old}).all()
        for grantee, right, may_grant in rights:
            to = grantee if grantee == "PUBLIC" else quote(grantee)
            option = " WITH GRANT OPTION" if may_grant == "YES" else ""
            self._connection.execute(text(f"GRANT {right} ON {new} TO {to}{option}"))
        owner = self._connection.scalar(text(_OWNER), {"name": old})
        self._connection.execute(text(f"ALTER TABLE {new} OWNER TO {quote(owner)}"))


_RIGHTS: Final = """
SELECT grantee, privilege_type, is_grantable FROM information_schema.table_privileges
WHERE table_schema = current_schema() AND table_name = :name
"""
_OWNER: Final = """
SELECT tableowner FROM pg_tables WHERE schemaname = current_schema() AND tablename = :name
"""

#: Times that ours always have, and what stands in for those two that there are.
_STAND_INS: Final = {"created": "modified", "modified": "created"}
_REQUIRED_TIMES: Final = {*_STAND_INS, "timestamp"}


def _slices() -> Iterator[ColumnElement[bool]]:
    for number in range(SLICES):
        low = uuid.UUID(int=number << 124)
        high = uuid.UUID(int=((number + 1) << 124) - 1)
        yield UID.between(low, high)


def _locked_until(
    last_used: ColumnElement[Any],
    lock_time: ColumnElement[int],
) -> ColumnElement[Any]:
    return case(
        (lock_time == 0, null()),
        (last_used > LAST_LOCKING, literal(MAX_INSTANT, UtcDateTime())),
        else_=frozen_seconds_after(last_used, lock_time),
    )
