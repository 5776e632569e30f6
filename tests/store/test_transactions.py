"""Whose transaction it is: our own short ones, or one of the host."""

import uuid
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Column
from sqlalchemy import MetaData
from sqlalchemy import String
from sqlalchemy import Table
from sqlalchemy import create_engine
from sqlalchemy import event
from sqlalchemy import insert
from sqlalchemy import text
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import IntegrityError

from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import Unavailable
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.records import NAMES
from cone.tokens.core.records import Base
from cone.tokens.core.values import Granted
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import Operation
from cone.tokens.migrations.schema import prepare
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.service import on_engine
from cone.tokens.tickets.service import within
from cone.tokens.tickets.values import TicketChanges
from tests.support.factories import NOON
from tests.support.factories import new_token
from tests.support.privileges import obeying_file_modes

#: The most pages that SQLite knows.
NO_LIMIT = 4_294_967_294

# a transaction of the host


@pytest.fixture
def host(service, made_tables):
    """A connection of the host, in a transaction."""
    with made_tables.connect() as connection:
        transaction = connection.begin()
        yield connection
        if transaction.is_active:
            transaction.rollback()


def test_within_when_the_host_commits_then_the_change_is_there(service, host):
    uid = within(host).add(new_token(), by="me")
    assert isinstance(within(host).consume(uid, by="me"), Granted)
    host.commit()
    assert service.get(uid).usage_count == 0


def test_within_when_the_host_rolls_back_then_the_change_and_its_log_are_gone(service, host):
    uid = service.add(new_token(), by="me")
    within(host).consume(uid, by="me")
    assert within(host).get(uid).usage_count == 0
    host.rollback()
    assert service.get(uid).usage_count == 1
    assert service.usages(uid, 5).usages == ()


def test_within_when_a_use_case_fails_then_what_the_host_did_before_stays(service, host):
    uid = within(host).add(new_token(value="x"), by="me")
    with pytest.raises(ValueTaken):
        within(host).add(new_token(value="x"), by="me")
    host.commit()
    assert [token.uid for token in service.page(5).tokens] == [uid]


def test_within_when_the_host_has_pending_writes_then_they_do_not_block(service, host):
    uid = service.add(new_token(), by="me")
    host.execute(text("UPDATE tokens SET creator = 'host'"))
    within(host).consume(uid, by="me")
    host.commit()
    assert (service.get(uid).creator, service.get(uid).usage_count) == ("host", 0)


def test_within_when_the_host_has_a_savepoint_around_then_its_roll_back_undoes_all(service, host):
    uid = service.add(new_token(), by="me")
    with host.begin_nested():
        within(host).consume(uid, by="me")
    host.rollback()
    assert service.get(uid).usage_count == 1
    assert service.usages(uid, 5).usages == ()


def test_within_when_there_is_no_token_then_it_is_not_found(service, host):
    uid = service.add(new_token(), by="me")
    within(host).delete(uid, by="me")
    with pytest.raises(TokenNotFound):
        within(host).consume(uid, by="me")
    assert within(host).find(uid) is None


def read_only(engine):
    """Return an engine on the same database, which does not let it write."""
    if engine.dialect.name == "sqlite":
        return create_engine(f"sqlite:///file:{engine.url.database}?mode=ro&uri=true")
    options = {"options": "-c default_transaction_read_only=on"}
    return create_engine(engine.url, connect_args=options)


def test_within_when_the_database_does_not_let_the_host_write_then_unavailable(
    service, made_tables
):
    uid = service.add(new_token(), by="me")
    engine = read_only(made_tables)
    with engine.connect() as connection:
        with pytest.raises(Unavailable):
            within(connection).consume(uid, by="me")
        connection.rollback()
        assert within(connection).get(uid).usage_count == 1
    engine.dispose()


# SQLite


def test_engine_when_services_are_made_twice_then_its_transactions_begin_once(made_tables):
    for _ in range(2):
        service = on_engine(made_tables)
    service.consume(service.add(new_token(), by=None), by=None)


def sqlite_only(engine) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("about SQLite")


def test_reading_when_somebody_writes_then_it_does_not_wait(service, made_tables):
    uid = service.add(new_token(), by=None)
    with made_tables.begin() as connection:
        connection.execute(text("UPDATE tokens SET creator = 'other'"))
        assert service.get(uid).creator is None


def test_consume_when_committed_then_sqlite_has_synced_it(service, made_tables):
    sqlite_only(made_tables)
    levels = []

    @event.listens_for(made_tables, "commit")
    def record(connection) -> None:
        levels.append(connection.exec_driver_sql("PRAGMA synchronous").scalar())

    try:
        service.consume(service.add(new_token(), by=None), by=None)
    finally:
        event.remove(made_tables, "commit", record)
    full = 2
    assert levels
    assert min(levels) >= full


# a database that does not do its work


def test_write_when_the_database_is_locked_for_too_long_then_unavailable(empty_database):
    sqlite_only(empty_database)
    prepare(empty_database)
    service = on_engine(empty_database)
    uid = service.add(new_token(), by=None)
    with empty_database.connect() as other:
        other.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            service.consume(uid, by=None)
        other.rollback()
    assert service.get(uid).usage_count == 1
    assert isinstance(service.consume(uid, by=None), Granted)


def test_write_when_the_database_is_read_only_then_unavailable(empty_database):
    sqlite_only(empty_database)
    prepare(empty_database)
    service = on_engine(empty_database)
    uid = service.add(new_token(), by=None)
    path = empty_database.url.database
    engine = create_engine(f"sqlite:///file:{path}?mode=ro&uri=true")
    read_only = on_engine(engine)
    with pytest.raises(Unavailable):
        read_only.consume(uid, by=None)
    assert read_only.get(uid).usage_count == 1
    assert isinstance(service.consume(uid, by=None), Granted)
    engine.dispose()


def test_write_when_the_file_was_read_only_then_it_works_again_by_itself(empty_database):
    sqlite_only(empty_database)
    prepare(empty_database)
    service = on_engine(empty_database)
    uid = service.add(new_token(usage_count=3), by=None)
    path = Path(empty_database.url.database)
    empty_database.dispose()  # what is open for writing stays so
    with obeying_file_modes():
        path.chmod(0o444)
        with pytest.raises(Unavailable):
            service.consume(uid, by=None)
        assert service.get(uid).usage_count == 3
        path.chmod(0o644)
        with suppress(Unavailable):  # a connection that cannot write is found out by writing
            service.consume(uid, by=None)
        assert isinstance(service.consume(uid, by=None), Granted)


def test_consume_when_it_is_repeated_then_the_connections_are_kept(service, made_tables):
    uid = service.add(new_token(usage_count=5), by=None)
    service.consume(uid, by=None, key=consumption_key(1))
    pool = made_tables.pool
    for _ in range(5):
        assert isinstance(service.consume(uid, by=None, key=consumption_key(1)), Granted)
    assert made_tables.pool is pool


@pytest.fixture
def limited(empty_database):
    """A service, and a function that limits its SQLite file to some pages, None: to none."""
    sqlite_only(empty_database)
    limits = [NO_LIMIT]

    @event.listens_for(empty_database, "checkout")
    def limit(connection, *_more) -> None:
        connection.execute(f"PRAGMA max_page_count = {limits[-1]}")

    def set_limit(pages: int | None) -> None:
        limits.append(pages or NO_LIMIT)

    prepare(empty_database)
    service = on_engine(empty_database)
    return service, set_limit


def page_count(engine) -> int:
    with engine.connect() as connection:
        return connection.exec_driver_sql("PRAGMA page_count").scalar_one()


def test_add_when_the_database_is_full_then_unavailable_until_there_is_room(
    limited,
    empty_database,
):
    service, set_limit = limited
    set_limit(page_count(empty_database) + 5)
    key = IdempotencyKey(key="k", caller="me", operation=Operation("add"), parameters={})
    with pytest.raises(Unavailable):
        service.add_many(new_token(), 1_000, None, by="me", key=key)
    assert rows(empty_database) == dict.fromkeys(Base.metadata.tables, 0)
    uid = service.add(new_token(), by="me")
    set_limit(None)
    assert len(service.add_many(new_token(), 1_000, None, by="me", key=key)) == 1_000
    assert service.get(uid).usage_count == 1


@pytest.mark.parametrize("uses", [100_000, 0], ids=["granted", "refused"])
def test_consume_when_the_database_is_full_then_unavailable_until_there_is_room(
    limited,
    empty_database,
    uses,
):
    service, set_limit = limited
    uid = service.add(new_token(usage_count=uses), by=None)
    set_limit(page_count(empty_database))
    done = consume_until_unavailable(service, uid)
    for _ in range(3):
        with pytest.raises(Unavailable):
            service.consume(uid, by=None, key=consumption_key(done))
    assert service.get(uid).usage_count == max(uses - done, 0)
    assert rows(empty_database)["token_usage"] == rows(empty_database)["token_requests"] == done
    set_limit(None)
    for _ in range(2):
        service.consume(uid, by=None, key=consumption_key(done))
    assert rows(empty_database)["token_usage"] == done + 1
    assert service.get(uid).usage_count == max(uses - done - 1, 0)


def consumption_key(number: int) -> IdempotencyKey:
    operation = Operation("consume")
    return IdempotencyKey(key=f"{number}", caller="me", operation=operation, parameters={})


def consume_until_unavailable(service, uid) -> int:
    """Consume until there is no room left, and return how often there was."""
    for number in range(1_000):
        try:
            service.consume(uid, by=None, key=consumption_key(number))
        except Unavailable:
            return number
    raise AssertionError(uid)


def test_a_database_when_it_writes_times_in_its_own_way_then_they_are_read(empty_database):
    if empty_database.dialect.name == "sqlite":
        pytest.skip("about servers")
    prepare(empty_database)
    own = create_engine(
        empty_database.url,
        connect_args={"options": "-c DateStyle=German -c TimeZone=Asia/Tokyo"},
    )
    service = on_engine(own)
    uid = service.add(new_token(valid_from=NOON), by=None)
    assert service.get(uid).valid_from == NOON
    own.dispose()


def rows(engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {
            name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()
            for name in Base.metadata.tables
        }


@pytest.mark.parametrize(
    "option",
    ["lock_timeout=200ms", "statement_timeout=200ms", "default_transaction_read_only=on"],
)
def test_write_when_a_server_does_not_let_it_in_time_then_unavailable(
    service,
    made_tables,
    option,
):
    if made_tables.dialect.name == "sqlite":
        pytest.skip("about servers")
    uid = service.add(new_token(), by=None)
    own = create_engine(made_tables.url, connect_args={"options": f"-c {option}"})
    hindered = on_engine(own)
    with made_tables.begin() as other:
        other.execute(text("SELECT * FROM tokens FOR UPDATE"))
        for write in (
            lambda: hindered.consume(uid, by=None),
            lambda: hindered.update(uid, TicketChanges(usage_count=9), by=None),
            lambda: hindered.delete(uid, by=None),
        ):
            with pytest.raises(Unavailable):
                write()
        assert hindered.get(uid).usage_count == 1
    assert service.usages(uid, 5).usages == ()
    if "read_only" not in option:
        assert isinstance(hindered.consume(uid, by=None), Granted)
    own.dispose()


def test_use_when_the_database_cannot_be_opened_then_unavailable(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/no/such/folder/tokens.db")
    service = on_engine(engine)
    with pytest.raises(Unavailable):
        service.check_database()
    with pytest.raises(Unavailable):
        service.add(new_token(), by=None)


def test_use_when_all_connections_are_taken_then_unavailable(empty_database):
    engine = create_engine(empty_database.url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    service = on_engine(engine)
    with engine.connect(), pytest.raises(Unavailable):
        service.check_database()
    engine.dispose()


def test_use_when_the_server_was_away_then_it_works_again_by_itself(request, engine):
    if engine.dialect.name == "sqlite":
        pytest.skip("about servers")
    server = request.getfixturevalue("postgres_server")
    own = create_engine(engine.url)
    prepare(own)
    service = on_engine(own)
    uid = service.add(new_token(), by=None)
    server.stop()
    with pytest.raises(Unavailable):
        service.consume(uid, by=None)
    server.start()
    assert isinstance(service.consume(uid, by=None), Granted)
    own.dispose()
    engine.dispose()


def test_bug_when_a_row_breaks_a_constraint_of_its_column_then_it_is_raised_as_it_is(service):
    uid = service.add(new_token(), by=None)
    wrong = update(TokenRecord).where(TokenRecord.uid == uid).values(usage_count=-2)
    with pytest.raises(IntegrityError), service._work.database.writing() as tx:
        tx.connection.execute(wrong)
    assert service.get(uid).usage_count == new_token().usage_count


@pytest.fixture
def guests(made_tables):
    """A table that is none of ours, and looks like one."""
    key = Column("uid", String, primary_key=True)
    table = Table("guests", MetaData(naming_convention=NAMES), key)
    table.create(made_tables)
    yield table
    table.drop(made_tables)


def test_bug_when_a_foreign_row_is_there_already_then_it_is_raised_as_it_is(service, guests):
    """It is neither a value nor a uid of a token that is taken."""
    twice = insert(guests).values([{"uid": "ann"}, {"uid": "ann"}])
    with pytest.raises(IntegrityError, match="guests"), service._work.database.writing() as tx:
        tx.connection.execute(twice)


@pytest.mark.parametrize(
    "statement",
    ["SELECT nonsense", "SELECT * FROM nonsense", "SELECT nonsense FROM tokens"],
)
def test_bug_when_a_statement_is_wrong_then_it_is_no_trouble_of_the_database(service, statement):
    """A statement that no database would take must not be retried for ever."""
    with pytest.raises(DBAPIError, match="nonsense"), service._work.database.reading() as tx:
        tx.connection.execute(text(statement))


def test_use_when_a_table_is_missing_then_the_error_names_it(empty_database):
    service = on_engine(empty_database)
    for use in (
        lambda: service.add(new_token(), by=None),
        lambda: service.consume(uuid.uuid4(), by=None),
        service.count,
    ):
        with pytest.raises(DBAPIError, match="token"):
            use()


@pytest.mark.parametrize(
    ("instead", "error"),
    [(None, Unavailable), ("an empty file", DBAPIError)],
)
def test_use_when_the_tables_are_in_the_file_again_then_it_works(empty_database, instead, error):
    sqlite_only(empty_database)
    prepare(empty_database)
    service = on_engine(empty_database)
    uid = service.add(new_token(), by=None)
    empty_database.dispose()
    path = Path(empty_database.url.database)
    kept = path.rename(path.with_name("kept.db"))
    if instead:
        path.touch()
    with pytest.raises(error):
        service.get(uid)
    kept.replace(path)
    assert service.get(uid).uid == uid


def test_within_when_the_database_is_full_then_unavailable(empty_database):
    """SQLite rolls back by itself: that a savepoint is gone then is no fault of ours."""
    sqlite_only(empty_database)
    prepare(empty_database)
    with empty_database.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {page_count(empty_database) + 5}")
        service = within(connection)
        uid = service.add(new_token(usage_count=1_000), by=None)
        assert consume_until_unavailable(service, uid) > 0
