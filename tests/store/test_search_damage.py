"""What tokens are searched by, damaged: ``verify`` finds it, and it is mended."""

import uuid

import pytest
from sqlalchemy import delete
from sqlalchemy import insert
from sqlalchemy import select
from sqlalchemy import text
from sqlalchemy import update

from cone.tokens.core.history import texts
from cone.tokens.core.history.findings import Problem
from cone.tokens.core.history.texts import Mended
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.mending import mend_searches
from cone.tokens.core.values import TokenFilter
from cone.tokens.migrations import upgrade
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.records import TokenSearchRecord
from tests.support.factories import new_token
from tests.support.searches import without_trigrams

TEXTS = TokenSearchRecord.__table__
TOKENS = TokenRecord.__table__
INDEX = "token_search_trigrams"


@pytest.fixture
def uids(service) -> dict:
    labels = {"ANN-1": "Ann Müller", "BOB-2": None, "äöüß-3": "ab", "x": "O'Neil  Straße"}
    return {
        value: service.add(new_token(value=value, label=label), by="me")
        for value, label in labels.items()
    }


@pytest.fixture
def database(service):
    return service._work.database


@pytest.fixture
def damage(made_tables):
    """Execute statements on the database behind everybody's back."""

    def execute(*statements) -> None:
        with made_tables.begin() as connection:
            for statement in statements:
                connection.execute(text(statement) if isinstance(statement, str) else statement)

    return execute


def findings(database, only=None):
    audit = Maintenance(database, [TICKET]).verify(only)
    assert set(audit.problems) <= {Problem.SEARCH}
    return [(finding.token_uid, finding.text) for finding in audit.findings]


def found(service, sought):
    return service.count(TokenFilter(search=sought))


def of_bob(uids):
    return TEXTS.c.token_uid == uids["BOB-2"]


WRONG = "is searched by other texts than its own"
MISSING = "is not found by a search: there is no row of its texts"


def test_verify_when_searches_are_those_of_the_tokens_then_nothing_is_wrong(
    service, database, uids
):
    service.delete(uids["x"], by="me")
    assert findings(database) == []
    assert mend_searches(database, [TICKET]) == Mended()


@pytest.mark.parametrize("values", [{"code": "bob-3"}, {"label": "x"}, {"label": ""}])
def test_verify_when_search_texts_are_wrong_then_it_is_found_and_mended(
    database, uids, damage, values
):
    damage(update(TEXTS).where(of_bob(uids)).values(values))
    assert findings(database) == [(uids["BOB-2"], WRONG)]
    assert findings(database, [uids["BOB-2"]]) == [(uids["BOB-2"], WRONG)]
    assert findings(database, [uids["ANN-1"]]) == []
    assert mend_searches(database, [TICKET]) == Mended(changed=1)
    assert findings(database) == []


def test_verify_when_search_texts_are_missing_then_it_is_found_and_mended(
    service, database, uids, damage
):
    damage(delete(TEXTS).where(of_bob(uids)))
    assert findings(database) == [(uids["BOB-2"], MISSING)]
    assert found(service, "bob") == 0
    assert mend_searches(database, [TICKET]) == Mended(added=1)
    assert found(service, "bob") == 1
    assert findings(database) == []


def test_verify_when_search_texts_are_of_no_token_then_it_is_found_and_mended(
    database, uids, damage
):
    nobody = {"token_uid": TICKET.tokens.c.uid.type.python_type(int=7), "code": "nobody"}
    damage(insert(TEXTS).values(nobody))
    [(token_uid, told)] = findings(database)
    assert token_uid is None
    assert told.startswith("row ")
    assert told.endswith(" of token_search is of no token")
    assert mend_searches(database, [TICKET]) == Mended(removed=1)
    assert findings(database) == []


def test_verify_when_all_search_texts_are_of_other_tokens_then_each_is_found_and_mended(
    made_tables, database, uids, damage
):
    """The same texts as before, in other places."""
    with made_tables.connect() as connection:
        told = {row.token_uid: row.code for row in connection.execute(select(TEXTS))}
    swap = {"ANN-1": "BOB-2", "BOB-2": "ANN-1"}
    for mine, other in swap.items():
        own = TEXTS.c.token_uid == uids[mine]
        damage(update(TEXTS).where(own).values(code=told[uids[other]]))
    assert sorted(findings(database)) == sorted((uids[value], WRONG) for value in swap)
    assert mend_searches(database, [TICKET]) == Mended(changed=2)
    assert findings(database) == []


def test_sums_when_texts_of_two_rows_are_exchanged_then_they_are_others():
    def total(*rows):
        return sum(texts._hash(uid, told) for uid, told in rows)

    for number in range(1_000):
        one, other = uuid.uuid4(), uuid.uuid4()
        mine, theirs = [f"code-{number}", None], [f"other-{number}", None]
        assert total((one, mine), (other, theirs)) != total((one, theirs), (other, mine))


def test_mending_when_there_are_several_batches_then_all_are_mended(
    database, uids, damage, monkeypatch
):
    monkeypatch.setattr("cone.tokens.core.mending.BATCH", 3)
    damage(delete(TEXTS))
    assert len(findings(database)) == len(uids)
    steps = []
    assert mend_searches(database, [TICKET], steps.append) == Mended(added=len(uids))
    assert steps == [3, 3]
    assert findings(database) == []


def test_verify_when_the_database_has_no_trigrams_then_its_texts_are_compared_alone(
    made_tables, database, uids, damage
):
    with without_trigrams(made_tables):
        assert findings(database) == []
        damage(update(TEXTS).where(of_bob(uids)).values(code="x"))
        assert findings(database) == [(uids["BOB-2"], WRONG)]
        assert mend_searches(database, [TICKET]) == Mended(changed=1)


# The index of SQLite

FORGOTTEN = f"""
    INSERT INTO {INDEX}({INDEX}, rowid, code, label)
    SELECT 'delete', id, code, label FROM token_search WHERE code = 'bob-2'
"""
INVENTED = f"INSERT INTO {INDEX}(rowid, code, label) VALUES (999999, 'nobody', NULL)"


@pytest.fixture
def on_sqlite(made_tables):
    if made_tables.dialect.name != "sqlite":
        pytest.skip("the index is the database's own")


@pytest.mark.usefixtures("on_sqlite")
@pytest.mark.parametrize(
    "statements",
    [
        [FORGOTTEN],
        [INVENTED],
        # Others of as many trigrams.
        [FORGOTTEN, INVENTED.replace("nobody", "boc-2")],
        [f"INSERT INTO {INDEX}({INDEX}) VALUES ('delete-all')"],
        ["DROP TRIGGER token_search_changed"],
    ],
)
def test_verify_when_the_index_is_not_of_its_table_then_it_is_found_and_made_anew(
    service, database, uids, damage, statements
):
    damage(*statements)
    assert findings(database) == [(None, f"the index {INDEX} is not of token_search")]
    assert findings(database, [uids["BOB-2"]]) == []
    mended = mend_searches(database, [TICKET])
    assert mended == Mended(indexes=("token_search",))
    upgrade.remake_search_indexes(database, mended.indexes)
    assert findings(database) == []
    service.delete(uids["x"], by="me")
    assert found(service, "bob") == 1
    assert findings(database) == []


@pytest.mark.usefixtures("on_sqlite")
@pytest.mark.parametrize(
    ("table", "column", "told"), [("tokens", "value", "BOB-2"), ("token_search", "code", "bob-2")]
)
def test_verify_when_sqlite_holds_what_is_no_text_then_it_does_not_stop(
    database, uids, damage, table, column, told
):
    damage(f"UPDATE {table} SET {column} = x'ff00' WHERE {column} = '{told}'")
    assert Maintenance(database, [TICKET]).verify().problems
    mend_searches(database, [TICKET])


@pytest.mark.usefixtures("on_sqlite")
def test_verify_when_a_search_is_of_a_uid_that_is_none_then_it_is_found(database, uids, damage):
    damage("UPDATE token_search SET token_uid = 'X' WHERE code = 'bob-2'")
    [missing, surplus] = findings(database)
    assert missing == (uids["BOB-2"], MISSING)
    assert surplus[0] is None
    assert mend_searches(database, [TICKET]) == Mended(added=1, removed=1)
    assert findings(database) == []
