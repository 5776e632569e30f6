"""How many statements a use case may execute (architecture 2.4), and how many it does."""

import json
from collections.abc import Mapping
from pathlib import Path

from bench.load import Connection
from bench.load import request
from bench.sites import served
from bench.sites import write_site
from bench.use_cases import Tokens

#: Statements of one request, without those that begin and end a transaction.
BUDGETS: Mapping[str, Mapping[str, int]] = {
    "query": {"sqlite": 1, "postgresql": 1},
    # What a token is searched by is one more.
    "add": {"sqlite": 3, "postgresql": 3},
    "consume": {"sqlite": 2, "postgresql": 1},
    "consume by value": {"sqlite": 2, "postgresql": 1},
    "consume with a key": {"sqlite": 3, "postgresql": 1},
    "consume, repeated key": {"sqlite": 5, "postgresql": 3},
    "consume, refused": {"sqlite": 3, "postgresql": 1},
    "consume, several at once": {"sqlite": 2, "postgresql": 1},
    # For all devices together, every few seconds.
    "figures of the door": {"sqlite": 1, "postgresql": 1},
    "take a use back": {"sqlite": 7, "postgresql": 8},
    "update": {"sqlite": 3, "postgresql": 3},
    "usages": {"sqlite": 2, "postgresql": 2},
    "list page": {"sqlite": 2, "postgresql": 2},
    "token page": {"sqlite": 3, "postgresql": 3},
    # Codes that were replaced are one more, whether the token had any or not.
    "delete": {"sqlite": 5, "postgresql": 5},
    "replace": {"sqlite": 5, "postgresql": 5},
}
KEY = "Idempotency-Key: budget\r\n"


def count(folder: Path, tokens: Tokens) -> dict[str, int]:
    """Return the number of statements that one request of each use case executes."""
    with (
        served(write_site(folder, "ours", tokens.url), counting=True) as server,
        Connection(server.port) as connection,
    ):
        added = connection.send(request("POST", "/tokens/add_token?usage_count=-1"))
        uid = json.loads(added.body)["token_uid"]
        used = connection.send(request("POST", f"/tokens/{uid}/consume_token"))
        story = _story(uid, json.loads(used.body)["receipt"])
        return {name: _statements(connection, sent) for name, sent in story.items()}


def _story(uid: str, receipt: str) -> dict[str, bytes]:
    """Return a request of each use case, in an order in which a token can have them.

    :param receipt: of a use of the token.
    """
    path = f"/tokens/{uid}"
    return {
        "add": request("POST", "/tokens/add_token"),
        "query": request("GET", f"/tokens/query_token?value={uid}"),
        "consume": request("POST", f"{path}/consume_token"),
        "consume by value": request("POST", f"/tokens/consume_token?value={uid}"),
        "consume with a key": request("POST", f"{path}/consume_token", KEY),
        "consume, several at once": request("POST", f"{path}/consume_token?uses=2"),
        "figures of the door": request("GET", "/tokens/door_figures"),
        "take a use back": request("POST", f"{path}/undo_use?receipt={receipt}"),
        "consume, repeated key": request("POST", f"{path}/consume_token", KEY),
        "update": request("POST", f"{path}/update_token?usage_count=0"),
        "consume, refused": request("POST", f"{path}/consume_token"),
        "usages": request("GET", f"{path}/usages"),
        "list page": request("GET", "/tokens/tokens_overview"),
        "token page": request("GET", path),
        "replace": request("POST", f"{path}/replace"),
        "delete": request("POST", f"{path}/delete_token"),
    }


def overruns(kind: str, counts: Mapping[str, int]) -> list[str]:
    """Return a line for each use case that is over its budget."""
    return [
        f"{name} on {kind}: {number} statements, the budget is {BUDGETS[name][kind]}"
        for name, number in counts.items()
        if number > BUDGETS[name][kind]
    ]


def _statements(connection: Connection, sent: bytes) -> int:
    answer = connection.send(sent)
    if not answer.is_good:
        raise RuntimeError(sent, answer)
    return int(answer.header("X-Statements"))
