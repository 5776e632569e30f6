"""No statement of a use case walks through a large table."""

import datetime
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy import text

from bench.filling import some_uids
from cone.tokens.core.maintenance import Maintenance
from cone.tokens.core.maintenance import PurgePlan
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import Operation
from cone.tokens.core.values import Sort
from cone.tokens.core.values import TokenFilter
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.service import on_engine
from cone.tokens.tickets.values import NewTicket
from cone.tokens.tickets.values import Step
from cone.tokens.tickets.values import TicketChanges
from tests.conftest import QueryRecorder

pytestmark = pytest.mark.proof

#: A short table is read as a whole: that of requests is.
TABLES = {"tokens", "token_usage", "token_events"}


class PlanRecorder(QueryRecorder):
    """The plans of the statements that an engine executes."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._engine = engine
        self._parameters: list[Any] = []

    def clear(self) -> None:
        super().clear()
        self._parameters.clear()

    def _record(self, _connection, _cursor, statement, parameters, *_more) -> None:
        if statement.startswith(("SELECT", "WITH", "UPDATE", "DELETE")):
            self.statements.append(statement)
            self._parameters.append(parameters)

    def walks(self) -> list[str]:
        """Return where the statements go through a table row by row.

        The index of an order may be walked along where nothing is sought.
        """
        assert self.statements
        given = list(zip(self.statements, self._parameters, strict=True))
        kind = self._engine.dialect.name
        find = _find_walks_sqlite if kind == "sqlite" else _find_walks_postgresql
        with self._engine.connect() as connection:
            return [walk for one in given for walk in find(connection, *one)]


def _find_walks_sqlite(connection, statement, parameters) -> Iterator[str]:
    plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    for *_numbers, detail in plan:
        is_ordered = " USING " in detail and "WHERE" not in statement
        is_scan = detail.startswith("SCAN ") and detail.split()[1] in TABLES
        if "TEMP B-TREE" in detail or (is_scan and not is_ordered):
            yield f"{detail}: {statement}"


def _find_walks_postgresql(connection, statement, parameters) -> Iterator[str]:
    explain = f"EXPLAIN (FORMAT JSON) {statement}"
    (plan,) = connection.exec_driver_sql(explain, parameters).scalar_one()
    for node in _nodes(plan["Plan"]):
        kind = node["Node Type"]
        if node.get("Relation Name") not in TABLES or not kind.endswith("Scan"):
            continue
        is_ordered = kind.startswith("Index") and "WHERE" not in statement
        if "Index Cond" not in node and kind != "Bitmap Heap Scan" and not is_ordered:
            yield f"{kind}: {statement}"


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


@pytest.fixture(scope="module")
def plan_recorder(filled) -> PlanRecorder:
    return PlanRecorder(filled)


@pytest.fixture(scope="module")
def service(filled) -> TicketService:
    return on_engine(filled)


@pytest.fixture(scope="module")
def used(filled, service) -> uuid.UUID:
    """A token from the middle of the table with a longer story."""
    (uid,) = some_uids(filled, 1)
    for _ in range(120):
        service.consume(uid, by="me")
    return uid


def consume_once(service: TicketService, uid: uuid.UUID) -> None:
    operation = Operation("consume")
    key = IdempotencyKey(key=f"{uid}", caller="me", operation=operation, parameters={})
    for _ in range(2):
        service.consume(uid, by="me", key=key)


def go_on_with_usages(service: TicketService, uid: uuid.UUID) -> None:
    first = service.usages(uid, 50)
    assert service.usages(uid, 50, first.next).usages


def refuse(service: TicketService, _uid: uuid.UUID) -> None:
    service.consume(service.add(NewTicket(usage_count=0), by="me"), by="me")


def come_with_a_former_code(service: TicketService, _uid: uuid.UUID) -> None:
    uid = service.add(NewTicket(), by="me")
    service.replace(uid, by="me")
    for code in (str(uid), str(uid).upper()):
        service.consume_value(code, by="me", is_complete=False)


def delete_some(service: TicketService, _uid: uuid.UUID) -> None:
    service.delete_many(service.add_many(NewTicket(), 100, "delete", by="me"), by="me")


A_DAY = datetime.date(2026, 6, 1)

#: Nothing is as old.
LONG_AGO = PurgePlan(expired=36_500, used_up=36_500, log=36_500, requests=36_500)

USE_CASES: dict[str, Callable[[TicketService, uuid.UUID], Any]] = {
    "query": lambda service, uid: service.find_by_value(str(uid)),
    "get": lambda service, uid: service.get(uid),
    "consume": lambda service, uid: service.consume(uid, by="me"),
    "consume by value": lambda service, uid: service.consume_value(str(uid), by="me"),
    "query read as another": lambda service, uid: service.find_by_value(str(uid).upper()),
    "consume read as another": lambda service, uid: service.consume_value(
        str(uid).upper(), by="me", is_complete=False
    ),
    "unknown code": lambda service, uid: service.find_by_value(f"{uid}0"),
    "consume once": consume_once,
    "refuse": refuse,
    "first page": lambda service, _uid: service.page(20),
    "page below": lambda service, uid: service.page(20, after=uid),
    "page above": lambda service, uid: service.page(20, before=uid),
    "page of a prefix": lambda service, uid: service.page(
        20,
        matching=TokenFilter(prefix=str(uid)[:2]),
        sort=Sort(by="value"),
        after=uid,
    ),
    "page of a time": lambda service, uid: service.page(
        20,
        matching=TokenFilter(created_to=service.get(uid).created),
        before=uid,
    ),
    "count of a prefix": lambda service, uid: service.count(TokenFilter(prefix=str(uid)[:2])),
    "usages": lambda service, uid: service.usages(uid, 50),
    "usages further on": go_on_with_usages,
    "update": lambda service, uid: service.update(uid, TicketChanges(lock_time=0), by="me"),
    "replace": lambda service, uid: service.replace(uid, by="me"),
    "read alike": lambda service, uid: service.find_alike(service.get(uid)),
    "former code": come_with_a_former_code,
    "delete": delete_some,
    "statistics": lambda service, _uid: service.statistics(A_DAY, A_DAY, Step.HOUR, datetime.UTC),
    "statistics of a checkpoint": lambda service, _uid: service.statistics(
        A_DAY, A_DAY, Step.HOUR, datetime.UTC, "north"
    ),
    "inside": lambda service, _uid: service.count_inside(),
    "purge": lambda service, _uid: Maintenance(service._work.database, [TICKET]).purge(LONG_AGO),
}


@pytest.mark.parametrize("use_case", USE_CASES.values(), ids=USE_CASES)
def test_use_case_when_the_table_is_large_then_it_walks_through_none(
    plan_recorder,
    service,
    used,
    use_case,
):
    plan_recorder.clear()
    use_case(service, used)
    assert plan_recorder.walks() == []


def test_verify_when_the_table_is_large_then_sqlite_puts_nothing_in_order(plan_recorder, service):
    plan_recorder.clear()
    Maintenance(service._work.database, [TICKET]).verify()
    assert not [walk for walk in plan_recorder.walks() if "TEMP B-TREE" in walk]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM tokens WHERE creator = 'me'",
        "SELECT * FROM tokens ORDER BY modified LIMIT 20",
        "SELECT * FROM token_usage WHERE token_value = 'x'",
        "SELECT * FROM token_usage ORDER BY timestamp DESC LIMIT 20",
        "UPDATE tokens SET creator = 'me' WHERE usage_count = 5",
    ],
)
def test_statement_when_no_index_helps_then_it_is_noticed(plan_recorder, filled, statement):
    plan_recorder.clear()
    with filled.connect() as connection:
        connection.execute(text(statement))
    assert plan_recorder.walks()
