"""Load on a site served by two processes, while they or their database are killed."""

import http.client
import threading
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from tests.support.ledger import PATIENCE
from tests.support.ledger import Ledger
from tests.support.races import Answer
from tests.support.races import Call
from tests.support.races import ask_once
from tests.support.served import Client
from tests.support.served import Served
from tests.support.visits import Stock
from tests.support.visits import Visitor

CLIENTS = 8
#: Seconds after which a client asks again that was told to.
PAUSE = 0.1


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


class InsistentClient:
    """A client that asks again with the same key until it has an answer, and notes it."""

    def __init__(self, target: Target, cookie: Mapping[str, str], ledger: Ledger) -> None:
        self._target = target
        self._cookie = cookie
        self._ledger = ledger
        self._client = target.connect(cookie)

    def ask(self, call: Call) -> Answer:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                answer = ask_once(self._client, call)
            except (OSError, http.client.HTTPException):
                self._ledger.enter_broken_connection()
                self.close()
                self._client = self._target.connect(self._cookie)
            else:
                if answer.error != "unavailable":
                    self._ledger.enter(call, answer)
                    return answer
                self._ledger.enter_refusal(call)
                time.sleep(PAUSE)
        raise ConnectionError(self._target.served.log)

    def close(self) -> None:
        self._client.connection.close()


def visit_through_crashes(
    both: Sequence[Served],
    stock: Stock,
    *,
    kills: int,
    answers_between: int,
) -> Ledger:
    """Let clients come to the door, and kill the processes in turn."""
    targets = [Target(served) for served in both]

    def crash(ledger: Ledger) -> None:
        for number in range(kills):
            ledger.wait_for_more(answers_between)
            targets[number % 2].crash()
        ledger.wait_for_more(answers_between)

    return visit_meanwhile(targets, stock, crash)


def visit_meanwhile(
    targets: Sequence[Target],
    stock: Stock,
    disturb: Callable[[Ledger], None],
) -> Ledger:
    """Let clients come to the door, each call with a key of its own, while ``disturb`` runs."""
    ledger = Ledger()
    cookie = targets[0].served.sign_in().headers
    is_over = threading.Event()

    def visit(number: int) -> None:
        calls = Visitor(number, stock).calls()
        with closing(InsistentClient(targets[number % 2], cookie, ledger)) as client:
            call = next(calls)
            while not is_over.is_set():
                call = calls.send(client.ask(call))

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(visit, number) for number in range(CLIENTS)]
        try:
            disturb(ledger)
        finally:
            is_over.set()
        for done in clients:
            done.result()
    return ledger
