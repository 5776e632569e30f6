"""Fill the empty database of ``make run`` with 500 tokens and a week of uses.

``python config/demo.py``, after ``config/prepare.py``. Everything goes through the core, whose
clock is moved through the past week. A database that has tokens is left alone.
"""

import datetime
import random
import uuid
from collections.abc import Iterator

from prepare import DATABASE
from prepare import OPERATOR
from sqlalchemy import create_engine

from cone.tokens.core.clock import utc_now
from cone.tokens.core.values import UNLIMITED
from cone.tokens.migrations import schema
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.service import on_engine
from cone.tokens.tickets.values import NewTicket
from cone.tokens.tickets.values import TicketChanges

TOKENS = 500
DAYS = 7
USES_A_DAY = 400
DAY = datetime.timedelta(days=1)
#: The doors are open from the morning to the night, and busiest in the evening.
OPENS, BUSIEST, CLOSES = 8, 19, 23
ADMIN = "admin"


class MovableClock:
    """A clock that says what it was set to."""

    def __init__(self) -> None:
        self.time = utc_now() - DAYS * DAY

    def __call__(self) -> datetime.datetime:
        """Return the time."""
        return self.time


def main() -> None:
    """Fill the database, unless there is something in it."""
    clock = MovableClock()
    engine = create_engine(f"sqlite:///{DATABASE}")
    schema.prepare(engine)
    service = on_engine(engine, clock)
    if service.page(1).tokens:
        print("  The database has tokens already: nothing was added.\n", flush=True)
        return
    chance = random.Random(1)  # noqa: S311 - the same demo every time
    uids = list(add_tokens(service, clock, chance))
    for moment in sorted(moments(chance)):
        clock.time = moment
        service.consume(chance.choice(uids), by=OPERATOR)
    clock.time = utc_now()
    for uid in uids[::25]:
        service.update(uid, TicketChanges(enabled=False), by=ADMIN)
    print(f"  {TOKENS} tokens and a week of uses were added.\n", flush=True)


def add_tokens(
    service: TicketService,
    clock: MovableClock,
    chance: random.Random,
) -> Iterator[uuid.UUID]:
    """Add tokens of every kind."""
    now = utc_now()
    kinds = (
        NewTicket(usage_count=1),
        NewTicket(usage_count=10),
        NewTicket(usage_count=UNLIMITED),
        NewTicket(usage_count=UNLIMITED, lock_time=8 * 3600),
        NewTicket(usage_count=5, valid_to=now - DAY),
        NewTicket(usage_count=5, valid_from=now + DAY),
        NewTicket(usage_count=3, valid_from=now - 3 * DAY, valid_to=now + 30 * DAY),
    )
    for _ in range(TOKENS):
        clock.time += datetime.timedelta(seconds=1)
        (uid,) = service.add_many(chance.choice(kinds), 1, "DEMO-", by=ADMIN)
        yield uid


def moments(chance: random.Random) -> Iterator[datetime.datetime]:
    """Return times of the past week at which somebody stands at a door."""
    now = utc_now()
    for number in range(DAYS * USES_A_DAY):
        day = (now - (number % DAYS) * DAY).replace(hour=0, minute=0, second=0)
        hours = chance.triangular(OPENS, CLOSES, BUSIEST)
        moment = day + datetime.timedelta(hours=hours)
        if moment < now:
            yield moment


if __name__ == "__main__":
    main()
