"""A SQLite file that is removed or exchanged while the site runs: what is granted is kept."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from tests.support.served import Served
from tests.support.site import THREADS
from tests.support.site import write_site

EXCHANGES = [
    "removed",
    "replaced by another",
    "replaced by no database",
    "replaced by an empty one",
]
GONE = "the SQLite file {} is gone"
REPLACED = "another file took the place of the SQLite file {}"


@pytest.fixture(params=["delete", "wal"])
def database(request, tmp_path):
    """The file of the database, in both modes of SQLite's journal."""
    path = tmp_path / "tokens.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {request.param}")
    return path


@pytest.fixture
def served(serve, database, tmp_path):
    return serve(write_site(tmp_path, database_url=f"sqlite:///{database}?timeout=0.2"))


def save(database):
    """Return a copy of what a database holds, as a backup does."""
    kept = database.with_name("kept.db")
    kept.unlink(missing_ok=True)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("VACUUM INTO ?", [str(kept)])
    return kept


def take_logs_away(database):
    for name in ("wal", "shm", "journal"):
        database.with_name(f"{database.name}-{name}").unlink(missing_ok=True)


def exchange(database, fault):
    """Take a SQLite file away under those who have it open, and return where it is kept."""
    kept = save(database)
    if fault == "replaced by another":
        save_again = database.with_name("other.db")
        save_again.write_bytes(kept.read_bytes())
        save_again.replace(database)
    else:
        database.unlink()
    if fault == "replaced by no database":
        database.write_bytes(b"no database" * 1_000)
    elif fault == "replaced by an empty one":
        database.touch()
    take_logs_away(database)
    return kept


def put_back(kept, database):
    kept.replace(database)
    take_logs_away(database)


def uses_left(database):
    with closing(sqlite3.connect(database)) as connection:
        (uses,) = connection.execute("SELECT usage_count FROM tokens").fetchone()
        (rows,) = connection.execute("SELECT count(*) FROM token_usage").fetchone()
    return uses, rows


def assert_unavailable(answer):
    assert (answer.status, answer.json["error"]) == (503, "unavailable"), answer.body


def add(client, uses):
    return client.post("/tokens/add_token", {"value": "v", "usage_count": f"{uses}"}).json[
        "token_uid"
    ]


@pytest.mark.parametrize("fault", EXCHANGES)
def test_a_database_when_its_file_is_exchanged_then_nothing_is_granted_that_is_not_kept(
    served,
    database,
    fault,
):
    client = served.sign_in()
    uid = add(client, 5)
    kept = exchange(database, fault)
    assert_unavailable(client.post(f"/tokens/{uid}/consume_token"))
    again = client.post(f"/tokens/{uid}/consume_token")
    if fault == "replaced by another":
        assert again.json["usage_count"] == 4
        assert client.get(f"/tokens/{uid}/usages").json["usages"]
        assert uses_left(database) == (4, 1)
    elif fault == "replaced by an empty one":
        # A file without our tables is a fault of ours: to try again is no remedy.
        assert (again.status, again.json["error"]) == (500, "internal_error")
    else:
        assert_unavailable(again)
        assert_unavailable(client.post("/tokens/add_token"))
    assert uses_left(kept) == (5, 0)
    assert ("no such table: tokens" in served.log) is (fault == "replaced by an empty one")


@pytest.mark.parametrize(
    ("fault", "told"),
    [("removed", GONE), ("replaced by another", REPLACED)],
)
def test_a_database_when_its_file_is_exchanged_then_one_line_of_the_log_names_it(
    served,
    database,
    fault,
    told,
):
    client = served.sign_in()
    add(client, 5)
    exchange(database, fault)
    for _ in range(3):
        client.get("/tokens/query_token", {"value": "v"})
    text = told.format(database)
    assert served.says(text)
    assert served.log.count(text) == 1


def test_a_database_when_its_file_is_gone_then_none_is_made_and_health_tells_it(served, database):
    client = served.sign_in()
    uid = add(client, 5)
    kept = exchange(database, "removed")
    assert client.get("/tokens/health").status == 503
    for _ in range(3):
        assert_unavailable(client.post(f"/tokens/{uid}/consume_token"))
        assert_unavailable(client.get("/tokens/query_token", {"value": "v"}))
    assert not database.exists()
    put_back(kept, database)
    assert client.post(f"/tokens/{uid}/consume_token").json["usage_count"] == 4
    deadline = time.monotonic() + 20
    while client.get("/tokens/health").status != 200:
        assert time.monotonic() < deadline
    assert "Traceback" not in served.log


def test_a_database_when_its_file_was_exchanged_and_is_back_then_it_works_by_itself(
    served,
    database,
):
    client = served.sign_in()
    uid = add(client, 99)
    path = f"/tokens/{uid}/consume_token"
    granted = 0
    for fault in EXCHANGES[:3]:
        kept = exchange(database, fault)
        assert_unavailable(client.post(path))
        put_back(kept, database)
        answers = [client.post(path) for _ in range(12)]
        assert [answer.status for answer in answers[-4:]] == [200] * 4, (fault, answers[-1].body)
        granted += [answer.status for answer in answers].count(200)
        token = client.get("/tokens/query_token", {"value": "v"}).json["token"]
        assert token["usage_count"] == 99 - granted
        assert len(client.get(f"/tokens/{uid}/usages").json["usages"]) == granted
    assert "Traceback" not in served.log


def consume_beside(served, change):
    """Consume in all threads, and ``change`` the files meanwhile.

    :return: how many were granted that were asked for before the change, and after it.
    """
    clients = [served.sign_in() for _ in range(THREADS)]
    path = f"/tokens/{add(clients[0], 1_000)}/consume_token"
    changed = []

    def consume(client):
        before, after = 0, 0
        for turn in range(40):
            if client is clients[0] and turn == 20:
                changed.append(change())
            is_after = bool(changed)
            granted = client.post(path).status == 200
            before, after = before + (granted and not is_after), after + (granted and is_after)
        return before, after

    with ThreadPoolExecutor(THREADS) as pool:
        counts = list(pool.map(consume, clients))
    served.kill()
    return tuple(map(sum, zip(*counts, strict=True)))


def test_uses_when_the_file_is_replaced_beside_them_then_those_after_it_are_in_the_new_one(
    served,
    database,
):
    def replace():
        exchange(database, "replaced by another")
        return uses_left(database)

    changed = []

    def replaced():
        changed.append(replace())
        return True

    _before, after = consume_beside(served, replaced)
    uses, rows = uses_left(database)
    assert uses + rows == 1_000
    assert after > 0
    assert rows - changed[0][1] >= after


def test_uses_when_the_log_alone_is_removed_beside_them_then_none_is_lost(served, database):
    def remove():
        database.with_name("tokens.db-wal").unlink(missing_ok=True)
        return True

    granted = sum(consume_beside(served, remove))
    uses, rows = uses_left(database)
    assert uses == 1_000 - rows
    assert rows >= granted > 0


def test_a_start_when_the_database_is_empty_then_the_log_tells_that_tables_were_made(tmp_path):
    ini = write_site(tmp_path)
    with Served(ini) as first:
        pass
    with Served(ini) as second:
        pass
    told = "INFO cone.tokens.core.database: made the tables of cone.tokens in an empty database"
    assert told in first.log
    assert told not in second.log
