"""A site served by two processes loses its database server under load, and what came of it."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

from cone.tokens.tickets.service import on_engine
from tests.support.courses import open_database
from tests.support.courses import write_checkpoints
from tests.support.crashes import CLIENTS
from tests.support.crashes import Target
from tests.support.crashes import visit_meanwhile
from tests.support.ledger import LOST
from tests.support.ledger import Ledger
from tests.support.ledger import complaints
from tests.support.ledger import count_twice
from tests.support.patroni import PatroniPair
from tests.support.postgres import PostgresServer
from tests.support.served import serve_twice
from tests.support.site import write_site
from tests.support.visits import PLENTY
from tests.support.visits import Stock

#: Uses of the tokens that all clients use; one runs out.
USES = [30, PLENTY, PLENTY, -1]
#: Answers before and after the fault.
ANSWERS = 300
#: A standby that lost its primary is not to sleep when it is promoted.
SETTINGS = "wal_retrieve_retry_interval = 100ms"
#: Of a pair whose standby makes no commit wait.
NONE = ""
EACH = "ANY 1 (*)"


@dataclasses.dataclass(frozen=True)
class Account:
    """What a failover has cost, in numbers."""

    acknowledged: int
    told_to_repeat: int
    outage_s: float
    lost: int
    twice: int
    complaints: list[str]

    def line(self, name: str) -> str:
        """Return the numbers in a line."""
        return (
            f"failover, {name}: {self.acknowledged} acknowledged, {self.told_to_repeat} repeated by"
            f" clients, outage {self.outage_s * 1000:.0f} ms, {self.lost} lost, {self.twice} twice,"
            f" {len(self.complaints)} complaints"
        )


def lose_primary(folder: Path, *, standbys: str = EACH, lag: int = 0) -> Account:
    """Kill the primary of two servers, and promote the other one.

    :param standbys: which ones a commit waits for, as PostgreSQL has it.
    :param lag: answers for which the standby has been cut off when the primary is killed.
    """
    with PostgresServer(settings=SETTINGS) as primary, primary.standby() as standby:
        _wait_for_standby(primary)
        primary.set("synchronous_standby_names", standbys)

        def kill_and_promote(ledger: Ledger) -> None:
            if lag:
                standby.cut_off()
                ledger.wait_for_more(lag)
            primary.kill()
            standby.promote()

        return _account(folder, standby.url(), kill_and_promote)


def lose_leader(folder: Path) -> Account:
    """Kill the leader of a pair under Patroni, with all that belongs to it; nobody does more."""
    with PatroniPair() as pair:
        return _account(folder, pair.url(), lambda _ledger: pair.kill_leader())


def _wait_for_standby(primary: PostgresServer) -> None:
    with primary.connect() as connection:
        for _ in range(1_000):
            if connection.execute("SELECT 1 WHERE EXISTS (TABLE pg_stat_replication)").fetchone():
                return
            time.sleep(0.01)
    raise AssertionError(primary.folder)


def _account(folder: Path, url: str, disturb: Callable[[Ledger], None]) -> Account:
    """Serve a site, let clients come, disturb them, and hold the books against each other."""

    def disturb_in_the_middle(ledger: Ledger) -> None:
        ledger.wait_for_more(ANSWERS)
        disturb(ledger)
        ledger.wait_for_more(ANSWERS)

    ini = write_checkpoints(write_site(folder, database_url=url))
    with open_database(url) as engine, serve_twice(ini) as both:
        stock = Stock.added(on_engine(engine), USES, CLIENTS)
        targets = [Target(served) for served in both]
        ledger = visit_meanwhile(targets, stock, disturb_in_the_middle)
        engine.dispose()  # what is open leads to the one that was killed
        found = complaints(engine, stock, ledger)
        found += ["traceback" for served in both if "Traceback" in served.log]
        return Account(
            acknowledged=len(ledger.answers),
            told_to_repeat=ledger.refusals + ledger.broken_connections,
            outage_s=ledger.outage,
            lost=len([text for text in found if text.startswith(LOST)]),
            twice=count_twice(engine, stock, ledger),
            complaints=found,
        )
