"""Load on a site served by two processes, while they or their database are killed."""

import dataclasses
import http.client
import itertools
import threading
import time
import uuid
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from tests.support.races import Answer
from tests.support.races import Call
from tests.support.races import ask_site
from tests.support.served import Client
from tests.support.served import Served

CLIENTS = 8
#: Seconds after which something that has to happen is given up.
PATIENCE = 60
#: Seconds after which a client asks again that was told to.
PAUSE = 0.1
#: What clients are told that need not ask again.
OUTCOMES = (None, "usage_count_exceeded")


class Target:
    """A served process that is killed and started again while clients ask it."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self._is_up = threading.Event()
        self._is_up.set()

    def crash(self) -> None:
        self._is_up.clear()
        self.served.kill()
        self.served.start()
        self._is_up.set()

    def connect(self, cookie: Mapping[str, str]) -> Client:
        assert self._is_up.wait(PATIENCE)
        client = Client(self.served.port)
        client.headers.update(cookie)
        return client


@dataclasses.dataclass
class Ledger:
    """What clients were told, as they keep it themselves."""

    answers: dict[Call, Answer] = dataclasses.field(default_factory=dict)
    times: list[float] = dataclasses.field(default_factory=list)
    broken_connections: int = 0
    refusals: int = 0
    _changed: threading.Condition = dataclasses.field(default_factory=threading.Condition)

    def enter(self, call: Call, answer: Answer) -> None:
        assert answer.error in OUTCOMES, answer
        with self._changed:
            self.answers[call] = answer
            self.times.append(time.monotonic())
            self._changed.notify_all()

    def enter_broken_connection(self) -> None:
        with self._changed:
            self.broken_connections += 1

    def enter_refusal(self) -> None:
        """Note that a client was told to come again."""
        with self._changed:
            self.refusals += 1

    @property
    def outage(self) -> float:
        """The longest time in seconds in which nobody had an answer."""
        return max(late - early for early, late in itertools.pairwise(self.times))

    def wait_for_more(self, count: int) -> None:
        """Wait until there are ``count`` answers more than now."""
        with self._changed:
            wanted = len(self.answers) + count
            assert self._changed.wait_for(lambda: len(self.answers) >= wanted, PATIENCE)

    def receipts(self) -> dict[uuid.UUID, uuid.UUID]:
        """Return the receipts of granted consumptions and the tokens they are of."""
        granted = [(call, answer) for call, answer in self.answers.items() if not answer.error]
        return {answer.receipt: call.uid for call, answer in granted}


class InsistentClient:
    """A client that asks again with the same key until it has an answer, and notes it."""

    def __init__(self, target: Target, cookie: Mapping[str, str], ledger: Ledger) -> None:
        self._target = target
        self._cookie = cookie
        self._ledger = ledger
        self._client = target.connect(cookie)

    def ask(self, call: Call) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                answer = ask_site(self._client, call)
            except (OSError, http.client.HTTPException):
                self._ledger.enter_broken_connection()
                self.close()
                self._client = self._target.connect(self._cookie)
            else:
                if answer.error != "unavailable":
                    self._ledger.enter(call, answer)
                    return
                self._ledger.enter_refusal()
                time.sleep(PAUSE)
        raise ConnectionError(self._target.served.log)

    def close(self) -> None:
        self._client.connection.close()


def consume_through_crashes(
    both: Sequence[Served],
    uids: Sequence[uuid.UUID],
    *,
    kills: int,
    answers_between: int,
) -> Ledger:
    """Let clients consume, and kill the processes in turn."""
    targets = [Target(served) for served in both]

    def crash(ledger: Ledger) -> None:
        for number in range(kills):
            ledger.wait_for_more(answers_between)
            targets[number % 2].crash()
        ledger.wait_for_more(answers_between)

    return consume_meanwhile(targets, uids, crash)


def consume_meanwhile(
    targets: Sequence[Target],
    uids: Sequence[uuid.UUID],
    disturb: Callable[[Ledger], None],
) -> Ledger:
    """Let clients consume, each time with a key of its own, while ``disturb`` runs."""
    ledger = Ledger()
    cookie = targets[0].served.sign_in().headers
    is_over = threading.Event()

    def consume(number: int) -> None:
        with closing(InsistentClient(targets[number % 2], cookie, ledger)) as client:
            for turn in itertools.count(number):
                if is_over.is_set():
                    return
                uid = uids[turn % len(uids)]
                client.ask(Call(use_case="consume", uid=uid, key=f"{number}-{turn}"))

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(consume, number) for number in range(CLIENTS)]
        try:
            disturb(ledger)
        finally:
            is_over.set()
        for done in clients:
            done.result()
    return ledger
