"""Served processes are killed again and again under load."""

import pytest
from sqlalchemy import delete

from cone.tokens.core.records import TokenRequestRecord
from cone.tokens.tickets.service import on_engine
from tests.support.courses import site_url
from tests.support.courses import write_checkpoints
from tests.support.crashes import CLIENTS
from tests.support.crashes import visit_through_crashes
from tests.support.ledger import complaints
from tests.support.served import serve_twice
from tests.support.site import write_site
from tests.support.visits import Stock

pytestmark = pytest.mark.proof

KILLS = 10
USES = [100, 1_000, 100_000, 100_000, -1]


def test_processes_when_they_are_killed_again_and_again_then_nothing_is_lost_or_counts_twice(
    filled,
    tmp_path,
):
    service = on_engine(filled)
    with filled.begin() as connection:
        connection.execute(delete(TokenRequestRecord))
    stock = Stock.added(service, USES, CLIENTS)
    ini = write_checkpoints(write_site(tmp_path, database_url=site_url(filled)))
    with serve_twice(ini) as both:
        ledger = visit_through_crashes(both, stock, kills=KILLS, answers_between=200)
    assert ledger.broken_connections >= KILLS
    assert len(ledger.answers) >= 200 * KILLS
    assert complaints(filled, stock, ledger) == []
