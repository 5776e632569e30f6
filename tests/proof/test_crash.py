"""Served processes are killed again and again under load."""

import pytest
from sqlalchemy import delete

from cone.tokens.core.records import TokenRequestRecord
from cone.tokens.tickets.service import on_engine
from cone.tokens.tickets.values import NewTicket
from tests.support.courses import site_url
from tests.support.crashes import consume_through_crashes
from tests.support.races import audit
from tests.support.served import serve_twice
from tests.support.site import write_site

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
    tokens = {service.add(NewTicket(usage_count=uses), by=None): uses for uses in USES}
    with serve_twice(write_site(tmp_path, database_url=site_url(filled))) as both:
        ledger = consume_through_crashes(both, list(tokens), kills=KILLS, answers_between=200)
    assert ledger.broken_connections >= KILLS
    assert len(ledger.answers) >= 200 * KILLS
    assert audit(filled, tokens, ledger.receipts(), each_has_a_key=True) == []
