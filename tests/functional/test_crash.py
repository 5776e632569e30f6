"""A served process is killed under load: what was acknowledged is there, and nothing twice."""

import pytest
from sqlalchemy import text

from cone.tokens.migrations.schema import prepare
from cone.tokens.tickets.service import on_engine
from cone.tokens.tickets.values import NewTicket
from tests.support.courses import open_database
from tests.support.courses import site_url
from tests.support.courses import write_checkpoints
from tests.support.crashes import CLIENTS
from tests.support.crashes import visit_through_crashes
from tests.support.ledger import complaints
from tests.support.ledger import count_twice
from tests.support.races import Call
from tests.support.races import ask_service
from tests.support.races import ask_site
from tests.support.races import audit
from tests.support.served import serve_twice
from tests.support.site import write_site
from tests.support.visits import PLENTY
from tests.support.visits import Stock

#: What a repeat does that is not recognized as one.
COUNT_TWICE = """
INSERT INTO token_usage (uid, token_uid, token_value, timestamp, usage_count, version)
SELECT '00000000000040008000000000000000', token_uid, token_value, timestamp, 0, 4
FROM token_usage WHERE version = 2
"""
#: Uses of the tokens that all clients use; one runs out.
USES = [5, PLENTY, PLENTY, -1]


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request, tmp_path):
    """A database of its own."""
    url = f"sqlite:///{tmp_path}/tokens.db?timeout=30"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_server").create_database()
    with open_database(url) as engine:
        yield engine


@pytest.fixture
def both(engine, tmp_path):
    """Two processes that serve it."""
    ini = write_checkpoints(write_site(tmp_path, database_url=site_url(engine)))
    with serve_twice(ini) as both:
        yield both


def test_a_process_when_it_is_killed_under_load_then_what_it_told_is_kept_and_counts_once(
    engine,
    both,
):
    stock = Stock.added(on_engine(engine), USES, CLIENTS)
    ledger = visit_through_crashes(both, stock, kills=1, answers_between=40)
    assert ledger.broken_connections > 0
    assert {call.use_case for call in ledger.answers} == {"consume", "undo", "reset"}
    assert complaints(engine, stock, ledger) == []
    repeated = list(ledger.of("consume"))[::10]
    client = both[0].sign_in()
    assert [ask_site(client, call) for call in repeated] == [ledger.answers[c] for c in repeated]
    assert {ask_site(client, call).error for call in list(ledger.of("undo"))[::10]} == {None}
    assert complaints(engine, stock, ledger) == []
    assert count_twice(engine, stock, ledger) == 0
    assert "Traceback" not in both[0].log + both[1].log


# The audit itself


@pytest.fixture
def ledger(tmp_path):
    """A database with a token of two uses and three tries, and what the tries were told."""
    with open_database(f"sqlite:///{tmp_path}/audited.db") as engine:
        prepare(engine)
        service = on_engine(engine)
        uid = service.add(NewTicket(usage_count=2), by=None)
        calls = [Call(use_case="consume", uid=uid, key=key) for key in ("a", "b", "c")]
        answers = [ask_service(service, call) for call in calls]
        yield engine, [uid], {answer.receipt: uid for answer in answers if not answer.error}


def test_audit_when_nothing_is_wrong_then_it_is_content(ledger):
    assert audit(*ledger, each_has_a_key=True) == []


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        ("UPDATE tokens SET usage_count = 1", "wrong_counter: "),
        ("UPDATE tokens SET version = version + 1", "missing_rows: "),
        ("DELETE FROM token_usage WHERE version = 2", "acknowledged and lost: "),
        ("DELETE FROM token_usage WHERE version = 3 AND error_code IS NULL", "missing_rows: "),
        ("UPDATE token_usage SET usage_count = 1", "wrong_count_in_log: "),
        ("UPDATE token_usage SET version = 4 WHERE version = 3", "missing_rows: "),
        ("DELETE FROM tokens", "lost: "),
        ("DELETE FROM token_requests WHERE rowid = 1", "keys and log disagree"),
        (COUNT_TWICE, "keys and log disagree"),
    ],
)
def test_audit_when_the_database_is_damaged_then_it_complains(ledger, damage, complaint):
    engine, *_rest = ledger
    with engine.begin() as connection:
        assert connection.execute(text(damage)).rowcount > 0
    complaints = audit(*ledger, each_has_a_key=True)
    assert [said for said in complaints if said.startswith(complaint)], complaints
