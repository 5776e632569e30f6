"""What is measured: requests that every subject understands."""

import dataclasses
import itertools
import uuid
from collections.abc import Callable

from bench.load import request


@dataclasses.dataclass(frozen=True)
class Tokens:
    """A filled database.

    :ivar uids: of some of its tokens.
    """

    url: str
    size: int
    uids: list[uuid.UUID]


def _query(uid: uuid.UUID) -> bytes:
    return request("GET", f"/tokens/query_token?value={uid}")


def _add(_uid: uuid.UUID) -> bytes:
    return request("POST", "/tokens/add_token")


def _consume(uid: uuid.UUID) -> bytes:
    return request("POST", f"/tokens/{uid}/consume_token")


#: By name: how a request for a token looks, and among how many tokens it goes round.
USE_CASES: dict[str, tuple[Callable[[uuid.UUID], bytes], int | None]] = {
    "query": (_query, None),
    "add": (_add, None),
    "consume, spread": (_consume, None),
    "consume, one hot token": (_consume, 1),
}


def requests(use_case: str, tokens: Tokens, count: int) -> list[bytes]:
    """Return ``count`` requests of a use case."""
    make, among = USE_CASES[use_case]
    uids = itertools.islice(itertools.cycle(tokens.uids[:among]), count)
    return [make(uid) for uid in uids]
