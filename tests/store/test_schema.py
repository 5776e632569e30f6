"""The versions of the schema: made, found, refused and upgraded."""

import threading
import uuid

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine
from sqlalchemy import create_engine
from sqlalchemy import inspect
from sqlalchemy import select
from sqlalchemy import text

from cone.tokens import migrations
from cone.tokens.core import codes
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.records import Base
from cone.tokens.migrations import schema
from cone.tokens.migrations import search_index
from cone.tokens.migrations.versions import r0003_codes
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.service import on_engine
from tests.support.factories import new_token

TOKENS_OF_2_0 = """
CREATE TABLE tokens(uid CHAR(32) PRIMARY KEY NOT NULL, value VARCHAR, last_used TIMESTAMP,
    valid_from TIMESTAMP, valid_to TIMESTAMP, usage_count INTEGER, lock_time INTEGER,
    creator VARCHAR, created TIMESTAMP, modified TIMESTAMP)
"""
ALL_TABLES = {*Base.metadata.tables, migrations.VERSION_TABLE}
INDEX = "ix_token_usage_error_code_timestamp"
LATER_COLUMNS = (
    "code_digest",
    "last_user",
    "used_before",
    "user_before",
    "label",
    "email",
    "category",
    "note",
    "data",
    "uses_given",
)


def run(engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def version_of(engine) -> str:
    with engine.connect() as connection:
        return connection.scalar(text("SELECT version_num FROM token_schema"))


def indexes(engine) -> set[str]:
    return {index["name"] for index in inspect(engine).get_indexes("token_usage")}


def test_prepare_when_the_database_is_empty_then_all_tables_are_there(empty_database):
    schema.prepare(empty_database)
    names = set(inspect(empty_database).get_table_names())
    assert {name for name in names if not is_of_index(name)} == ALL_TABLES
    assert version_of(empty_database) == migrations.REVISIONS[-1]


def test_prepare_when_it_made_the_tables_then_they_are_those_of_the_records(empty_database):
    schema.prepare(empty_database)
    with empty_database.connect() as connection:
        options = {
            "version_table": migrations.VERSION_TABLE,
            "compare_server_default": True,
            "include_name": lambda name, _type, _parents: not is_of_index(name),
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def is_of_index(name) -> bool:
    """Whether it belongs to the index of trigrams, which the records do not have."""
    return str(name).startswith(search_index.name_of("token_search"))


def described(engine) -> dict:
    """What an inspector sees beside the columns that Alembic compares."""
    inspector = inspect(engine)
    return {
        name: (
            [(column["name"], str(column["type"])) for column in inspector.get_columns(name)],
            inspector.get_pk_constraint(name),
            sorted(check["name"] for check in inspector.get_check_constraints(name)),
            inspector.get_unique_constraints(name),
            inspector.get_table_options(name),
        )
        for name in Base.metadata.tables
    }


def test_prepare_when_it_made_the_tables_then_constraints_are_those_of_the_records(
    empty_database,
):
    Base.metadata.create_all(empty_database)
    expected = described(empty_database)
    Base.metadata.drop_all(empty_database)
    schema.prepare(empty_database)
    assert described(empty_database) == expected


def test_revisions_when_listed_then_they_are_those_that_ship():
    config = Config()
    config.set_main_option("script_location", str(migrations.__path__[0]))
    shipped = [found.revision for found in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(shipped)) == migrations.REVISIONS


def test_prepare_when_many_do_so_at_once_then_all_succeed(empty_database):
    url = empty_database.url
    if url.get_backend_name() == "sqlite":
        url = url.set(query={"timeout": "30"})
    # As processes do: each has an engine, and with it a line, of its own.
    engines = [create_engine(url) for _ in range(8)]
    failures = []
    barrier = threading.Barrier(8)

    def make(engine: Engine) -> None:
        barrier.wait()
        try:
            schema.prepare(engine)
        except Exception as error:  # noqa: BLE001 - whatever it is
            failures.append(error)

    threads = [threading.Thread(target=make, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for engine in engines:
        engine.dispose()
    assert failures == []


@pytest.mark.parametrize("auto_upgrade", [False, True])
def test_prepare_when_the_database_is_of_2_0_then_nothing_is_touched(empty_database, auto_upgrade):
    run(empty_database, TOKENS_OF_2_0)
    with pytest.raises(schema.OutdatedDatabase, match=r"CONFIG\.ini --timezone ZONE"):
        schema.prepare(empty_database, auto_upgrade=auto_upgrade)
    assert inspect(empty_database).get_table_names() == ["tokens"]


@pytest.mark.parametrize("auto_upgrade", [False, True])
def test_prepare_when_the_version_is_not_known_then_nothing_is_touched(
    empty_database,
    auto_upgrade,
):
    schema.prepare(empty_database)
    run(empty_database, "UPDATE token_schema SET version_num = '9999'")
    with pytest.raises(schema.OutdatedDatabase, match="newer version"):
        schema.prepare(empty_database, auto_upgrade=auto_upgrade)
    assert version_of(empty_database) == "9999"


def make_older(engine) -> None:
    schema.prepare(engine)
    on_engine(engine).add(new_token(value="kept"), by=None)
    run(
        engine,
        f"DROP INDEX {INDEX}",
        "DROP INDEX ix_tokens_code_digest",
        "DROP INDEX ix_tokens_category_created_uid",
        "DROP TABLE token_search",
        *(
            [f"DROP TRIGGER token_former_values_{name}" for name in ("added", "changed")]
            if engine.name == "sqlite"
            else ["DROP FUNCTION token_former_values_kept CASCADE"]
        ),
        "DROP TABLE token_former_values",
        *(["DROP TABLE token_search_trigrams"] if engine.name == "sqlite" else []),
        *(f"ALTER TABLE tokens DROP COLUMN {name}" for name in LATER_COLUMNS),
        "UPDATE token_schema SET version_num = '0001'",
    )


def make_unversioned(engine) -> None:
    make_older(engine)
    run(engine, "DROP TABLE token_schema")


def make_unversioned_with_index(engine) -> None:
    Base.metadata.create_all(engine)
    on_engine(engine).add(new_token(value="kept"), by=None)


def make_emptied_version(engine) -> None:
    make_older(engine)
    run(engine, "DELETE FROM token_schema")


OLDER = [make_older, make_unversioned, make_unversioned_with_index, make_emptied_version]


@pytest.mark.parametrize("make", OLDER)
def test_prepare_when_the_version_is_older_then_it_names_the_command(empty_database, make):
    make(empty_database)
    before = (inspect(empty_database).get_table_names(), indexes(empty_database))
    with pytest.raises(schema.OutdatedDatabase) as caught:
        schema.prepare(empty_database)
    text = "sql.db.url: the database is of an older version; run: cone-tokens upgrade CONFIG.ini"
    assert str(caught.value) == text
    assert (inspect(empty_database).get_table_names(), indexes(empty_database)) == before


@pytest.mark.parametrize("make", OLDER)
def test_prepare_when_it_may_upgrade_an_older_version_then_it_does(empty_database, make):
    make(empty_database)
    schema.prepare(empty_database, auto_upgrade=True)
    assert version_of(empty_database) == migrations.REVISIONS[-1]
    assert INDEX in indexes(empty_database)
    service = on_engine(empty_database)
    service.replace(service.find_by_value("kept").uid, by=None)
    with pytest.raises(ValueTaken):
        service.add(new_token(value="kept"), by=None)
    with empty_database.connect() as connection:
        told = select(TokenRecord.value, TokenRecord.code_digest)
        [(value, digest)] = connection.execute(told).all()
    assert digest == codes.digest(value)


def test_migrate_when_there_are_many_tokens_then_each_gets_the_digest_of_its_code(
    empty_database,
    monkeypatch,
):
    monkeypatch.setattr(r0003_codes, "BATCH", 7)
    schema.prepare(empty_database)
    service = on_engine(empty_database)
    service.add_many(new_token(), 100, "Größe-", by=None)
    for uid in (uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)):
        service.add_as(uid, new_token(), by=None)
    run(
        empty_database,
        "UPDATE tokens SET code_digest = NULL",
        "UPDATE token_schema SET version_num = '0002'",
    )
    steps = []
    with empty_database.begin() as connection:
        schema.migrate(connection, progress=steps.append)
        told = select(TokenRecord.value, TokenRecord.code_digest)
        rows = connection.execute(told).all()
    assert len(rows) == 102
    assert [row.code_digest for row in rows] == [codes.digest(row.value) for row in rows]
    assert sum(steps) == migrations.STEPS


def test_migrate_when_the_log_tells_who_took_the_last_use_then_the_token_does(empty_database):
    schema.prepare(empty_database)
    service = on_engine(empty_database)
    used, _unused, purged, known = [
        service.add(new_token(value=value, usage_count=2, lock_time=0), by=None)
        for value in ("used", "unused", "purged", "known")
    ]
    for user in ("north", "south", "too late"):
        service.consume(used, by=user)
    service.consume(purged, by="gone")
    service.consume(known, by="of the log")
    run(
        empty_database,
        "DELETE FROM token_usage WHERE \"user\" = 'gone'",
        "UPDATE tokens SET last_user = NULL WHERE value <> 'known'",
        "UPDATE tokens SET last_user = 'of the token' WHERE value = 'known'",
        "UPDATE token_schema SET version_num = '0002'",
    )
    with empty_database.begin() as connection:
        schema.migrate(connection)
        rows = connection.execute(select(TokenRecord.value, TokenRecord.last_user)).all()
    assert dict(map(tuple, rows)) == {
        "used": "south",
        "unused": None,
        "purged": None,
        "known": "of the token",
    }


def test_migrate_when_it_fails_at_the_end_then_nothing_is_changed(empty_database, monkeypatch):
    make_unversioned(empty_database)
    before = (inspect(empty_database).get_table_names(), indexes(empty_database))
    migrate = schema.migrate

    def fail(connection) -> None:
        migrate(connection)
        raise RuntimeError

    monkeypatch.setattr(schema, "migrate", fail)
    with pytest.raises(RuntimeError):
        schema.prepare(empty_database, auto_upgrade=True)
    assert (inspect(empty_database).get_table_names(), indexes(empty_database)) == before
