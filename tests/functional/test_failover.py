"""The database server dies under load: what was acknowledged is kept, and nothing counts twice.

The lines with the numbers stand at the end of the test run.
"""

import os

import pytest

from tests.conftest import NOTES
from tests.support import failover
from tests.support.postgres import PostgresUnavailable

#: Seconds; the figures are further below.
LONGEST_PROMOTION = 5
LONGEST_LEASE = 30


@pytest.fixture
def accounted(postgres_server, tmp_path):
    """A function that lets a site lose its database, and notes what came of it."""

    def account(name, lose, **how) -> failover.Account:
        try:
            found = lose(tmp_path, **how)
        except PostgresUnavailable as reason:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"apt-get install patroni etcd-server postgresql: {reason}")
        NOTES.append(found.line(name))
        return found

    return account


def test_a_primary_when_it_is_killed_and_its_standby_promoted_then_nothing_is_lost(accounted):
    account = accounted("two nodes, one promoted", failover.lose_primary)
    assert account.complaints == []
    assert (account.lost, account.twice) == (0, 0)
    assert account.acknowledged > 2 * failover.ANSWERS
    assert account.outage_s < LONGEST_PROMOTION


def test_a_leader_when_it_is_killed_then_patroni_replaces_it_and_nothing_is_lost(accounted):
    account = accounted("Patroni, nobody promotes", failover.lose_leader)
    assert account.complaints == []
    assert (account.lost, account.twice) == (0, 0)
    assert account.acknowledged > 2 * failover.ANSWERS
    assert account.outage_s < LONGEST_LEASE


def test_a_primary_when_no_commit_waits_for_its_standby_then_the_audit_tells_what_is_lost(
    accounted,
):
    account = accounted(
        "two nodes, asynchronous on purpose",
        failover.lose_primary,
        standbys=failover.NONE,
        lag=20,
    )
    assert account.lost > 0
