"""A desk for the tokens of each kind, on each database."""

import dataclasses
import uuid
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy import create_engine
from sqlalchemy import delete
from sqlalchemy import select

from cone.tokens.core.clock import utc_now
from cone.tokens.core.database import Database
from cone.tokens.core.kind import ConsumedKind
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.places import Places
from cone.tokens.core.records import REQUESTS
from cone.tokens.core.store import changing
from cone.tokens.core.store import consuming
from cone.tokens.core.store import events
from cone.tokens.core.store import finding
from cone.tokens.core.store import sent_codes
from cone.tokens.core.transaction import Transaction
from cone.tokens.core.unit_of_work import UnitOfWork
from cone.tokens.core.values import Attempt
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import Operation
from cone.tokens.core.values import Outcome
from cone.tokens.core.values import SentCode
from cone.tokens.migrations import former_values
from cone.tokens.migrations import search_index
from cone.tokens.migrations.schema import prepare
from tests.conftest import QueryRecorder
from tests.kinds.kinds import KINDS
from tests.kinds.kinds import SAMPLES
from tests.kinds.kinds import TABLES
from tests.kinds.kinds import Sample


@dataclasses.dataclass(frozen=True)
class Desk:
    """What a service of a kind would do, in a line or two each."""

    sample: Sample
    work: UnitOfWork

    @property
    def kind(self) -> ConsumedKind[Any]:
        return self.sample.kind

    @property
    def database(self) -> Database:
        return self.work.database

    @property
    def maintenance(self) -> Maintenance:
        return Maintenance(self.database, KINDS)

    def add(self, name: str | None = None, **given: Any) -> uuid.UUID:
        return self.add_many([self.sample.new_fields(name, **given)])[0]

    def add_many(self, tokens: Sequence[dict[str, Any]]) -> list[uuid.UUID]:
        rows = [(uuid.uuid4(), fields) for fields in tokens]
        new = changing.additions(self.kind, rows, "adder")
        if self.database.has_one_writer:
            new.make_ready()

        def add(tx: Transaction) -> list[uuid.UUID]:
            changing.add(tx, new)
            return [uid for uid, _fields in rows]

        return self.work.write(add)

    def add_as(self, uid: uuid.UUID, **given: Any) -> None:
        new = (uid, self.sample.new_fields(**given))
        self.work.write(lambda tx: changing.add_as(tx, self.kind, new, actor="adder"))

    def find(self, uid: uuid.UUID) -> Any:
        return self.work.read(lambda tx: finding.find(tx, self.kind, "uid", uid))

    def consume(
        self,
        uid: uuid.UUID,
        seen: dict[str, Any] | None = None,
        key: IdempotencyKey | None = None,
        named: str | None = None,
    ) -> Outcome:
        """Take a use; without ``seen`` as one who has just looked at the token.

        :param named: look the token up by this value of its unique column.
        """
        shown = self.see(uid) if seen is None else seen
        attempt = Attempt(uuid.uuid4(), "user", key, shown)
        by, sought = ("uid", uid) if named is None else (self.sample.by, named)
        return self.work.consume(
            self.kind,
            lambda tx: consuming.consume(tx, self.kind, by, sought, attempt),
            attempt,
        )

    def consume_code(self, text: str) -> Outcome:
        """Take a use of the token that a text means."""
        attempt = Attempt(uuid.uuid4(), "user", None)
        return self.work.consume(
            self.kind,
            lambda tx: sent_codes.consume_code(tx, self.kind, SentCode(text), attempt),
            attempt,
        )

    def see(self, uid: uuid.UUID) -> dict[str, Any]:
        token = self.find(uid)
        return {name: getattr(token, name) for name in self.kind.seen}

    def details(self, uid: uuid.UUID) -> dict[str, Any]:
        token = self.find(uid)
        return {name: getattr(token, name) for name in self.kind.shown}

    def change(self, uid: uuid.UUID, **changed: Any) -> None:
        self.work.write(lambda tx: self.change_within(tx, uid, **changed))

    def change_within(self, tx: Transaction, uid: uuid.UUID, **changed: Any) -> None:
        token = finding.find(tx, self.kind, "uid", uid, for_update=True)
        told = events.of_changes(self.kind, [(token, changed)], "changer")
        changing.update(tx, self.kind, [token], changed, told)

    def delete(self, uid: uuid.UUID) -> None:
        def work(tx: Transaction) -> None:
            token = finding.find(tx, self.kind, "uid", uid, for_update=True)
            told = events.of_deletions(self.kind, [token], "deleter")
            changing.delete(tx, self.kind, [token], told)

        self.work.write(work)

    def replace(self, uid: uuid.UUID, code: str) -> None:
        self.work.write(lambda tx: self.replace_within(tx, uid, code))

    def replace_within(self, tx: Transaction, uid: uuid.UUID, code: str) -> None:
        token = finding.find(tx, self.kind, "uid", uid, for_update=True)
        changing.replace_code(tx, self.kind, token, code, "replacer")

    def usages(self, uid: uuid.UUID) -> list[Any]:
        usage = self.kind.usages
        order = usage.c.version, usage.c.timestamp
        return self._rows(select(usage).where(usage.c.token_uid == uid).order_by(*order))

    def events(self, uid: uuid.UUID) -> list[Any]:
        event = self.kind.events
        return self._rows(select(event).where(event.c.token_uid == uid).order_by(event.c.version))

    def _rows(self, statement: Any) -> list[Any]:
        with self.database.connecting() as connection:
            return list(connection.execute(statement))

    def execute(self, statement: Any) -> None:
        """Change a row as nobody should."""
        with self.database.engine.begin() as connection:
            connection.execute(statement)

    def key(self, text: str, **parameters: Any) -> IdempotencyKey:
        return IdempotencyKey(
            key=text,
            caller="caller",
            operation=Operation(f"{self.kind.name}.use"),
            parameters=parameters,
        )

    def problems(self) -> list[Any]:
        return [finding.problem for finding in self.maintenance.verify().findings]


@pytest.fixture(scope="session")
def made_tables(request, database_url, tmp_path_factory) -> Iterator[Engine]:
    """A database of its own: others compare all tables that there are with those of revisions."""
    if database_url.startswith("sqlite"):
        url = f"sqlite:///{tmp_path_factory.mktemp('kinds') / 'kinds.db'}?timeout=30"
    else:
        url = request.getfixturevalue("postgres_server").create_database()
    engine = create_engine(url, pool_size=20)
    prepare(engine)
    with engine.begin() as connection:
        for table in TABLES:
            table.create(connection, checkfirst=True)
        for kind in KINDS:
            if kind.search_table is not None:
                search_index.make(connection, kind.search_table.name, (*kind.search_columns,))
            if kind.former_table is not None:
                former_values.make(connection, kind.former_table.name, kind.tokens.name, kind.code)
    yield engine
    engine.dispose()


@pytest.fixture
def empty_tables(made_tables) -> Engine:
    with made_tables.begin() as connection:
        for table in (*TABLES, REQUESTS):
            connection.execute(delete(table))
    return made_tables


@pytest.fixture(params=SAMPLES, ids=lambda sample: sample.kind.name)
def sample(request) -> Sample:
    return request.param


@pytest.fixture
def work(empty_tables) -> UnitOfWork:
    """Units of work for as many callers as there are, on a machine that is slow."""
    return UnitOfWork(Database(empty_tables, utc_now, Places(20)))


@pytest.fixture
def desk(work, sample) -> Desk:
    return Desk(sample, work)


@pytest.fixture
def query_recorder(made_tables) -> QueryRecorder:
    return QueryRecorder(made_tables)
