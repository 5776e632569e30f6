"""The versions of the schema: made, found, refused and upgraded."""

import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy import inspect
from sqlalchemy import text

from cone.tokens import migrations
from cone.tokens import schema
from cone.tokens.core.records import Base
from cone.tokens.core.service import on_engine
from tests.factories import new_token

TOKENS_OF_2_0 = """
CREATE TABLE tokens(uid CHAR(32) PRIMARY KEY NOT NULL, value VARCHAR, last_used TIMESTAMP,
    valid_from TIMESTAMP, valid_to TIMESTAMP, usage_count INTEGER, lock_time INTEGER,
    creator VARCHAR, created TIMESTAMP, modified TIMESTAMP)
"""
ALL_TABLES = {*Base.metadata.tables, migrations.VERSION_TABLE}
INDEX = "ix_token_usage_error_code_timestamp"


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
    assert set(inspect(empty_database).get_table_names()) == ALL_TABLES
    assert version_of(empty_database) == migrations.REVISIONS[-1]


def test_prepare_when_it_made_the_tables_then_they_are_those_of_the_records(empty_database):
    schema.prepare(empty_database)
    with empty_database.connect() as connection:
        options = {"version_table": migrations.VERSION_TABLE, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


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
    engine = empty_database
    if engine.dialect.name == "sqlite":
        engine = create_engine(f"{str(engine.url).partition('?')[0]}?timeout=30")
    failures = []
    barrier = threading.Barrier(8)

    def make() -> None:
        barrier.wait()
        try:
            schema.prepare(engine)
        except Exception as error:  # noqa: BLE001 - whatever it is
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
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
    run(engine, f"DROP INDEX {INDEX}", "UPDATE token_schema SET version_num = '0001'")


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
    assert on_engine(empty_database).find_by_value("kept")


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
