"""Load on a site served by two processes, which are killed in the middle of it."""

import dataclasses
import http.client
import itertools
import threading
import uuid
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from tests.functional.conftest import Client
from tests.functional.conftest import Served
from tests.races import Answer
from tests.races import Call
from tests.races import ask_site

CLIENTS = 8
#: How often a client asks for the same; one kill cuts it off once.
ATTEMPTS = 5
#: Seconds after which something that has to happen is given up.
PATIENCE = 60


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
    broken_connections: int = 0
    _changed: threading.Condition = dataclasses.field(default_factory=threading.Condition)

    def enter(self, call: Call, answer: Answer) -> None:
        assert answer.error in (None, "usage_count_exceeded"), answer
        with self._changed:
            self.answers[call] = answer
            self._changed.notify_all()

    def enter_broken_connection(self) -> None:
        with self._changed:
            self.broken_connections += 1

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
        for _attempt in range(ATTEMPTS):
            try:
                answer = ask_site(self._client, call)
            except (OSError, http.client.HTTPException):
                self._ledger.enter_broken_connection()
                self.close()
                self._client = self._target.connect(self._cookie)
            else:
                self._ledger.enter(call, answer)
                return
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
    """Let clients consume, each time with a key of its own, and kill the processes in turn."""
    ledger = Ledger()
    cookie = both[0].sign_in().headers
    targets = [Target(served) for served in both]
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
            for number in range(kills):
                ledger.wait_for_more(answers_between)
                targets[number % 2].crash()
            ledger.wait_for_more(answers_between)
        finally:
            is_over.set()
        for done in clients:
            done.result()
    return ledger
