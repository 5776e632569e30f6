import logging
import math
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from cone.tokens.host import ratelimit
from cone.tokens.host.callers import address_of
from cone.tokens.host.config import StartupError
from cone.tokens.host.ratelimit import Memory
from cone.tokens.host.ratelimit import RateLimited
from cone.tokens.host.ratelimit import read_limits
from tests.support.redis import RedisServer
from tests.support.redis import RedisUnavailable

KEY = "cone.tokens.limits.queries"
STORAGE = "cone.tokens.limits.storage"


class Time:
    """Clocks that stand still until they are moved."""

    def __init__(self):
        self.now = 1_000.0

    def time(self):
        return self.now

    monotonic = time


@pytest.fixture
def clock(monkeypatch):
    clock = Time()
    monkeypatch.setattr(ratelimit, "time", clock)
    return clock


@pytest.fixture
def redis_server(tmp_path):
    """A Redis server; without one the tests that need it are skipped, not in CI."""
    try:
        server = RedisServer(tmp_path).__enter__()
    except RedisUnavailable as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    yield server
    server.__exit__()


def queries(text="2/minute", **more):
    return read_limits({KEY: text, **more}).queries


def tries(limit, count, who="someone"):
    """Count some times, and return how many were let through."""
    passed = 0
    for _ in range(count):
        try:
            limit.count(who)
        except RateLimited:
            continue
        passed += 1
    return passed


def test_storage_when_its_url_is_none_then_the_password_in_it_is_not_told():
    with pytest.raises(StartupError, match="is no URL of a Redis server") as told:
        read_limits({STORAGE: "redis://:hunter2/5@127.0.0.1:6379/0"})
    assert "hunter2" not in str(told.value)


def test_known_when_somebody_was_here_then_that_is_remembered_for_thirty_days(clock):
    known = read_limits({}).signed_in
    known.note("someone")
    clock.now += 20 * 86_400
    assert known.has("someone")
    known.note("someone")
    clock.now += 20 * 86_400
    assert known.has("someone")
    assert not known.has("another")
    clock.now += 11 * 86_400
    assert not known.has("someone")


def test_known_when_redis_has_it_then_another_process_knows_it(redis_server):
    settings = {STORAGE: redis_server.url}
    limits, others = read_limits(settings), read_limits(settings)
    limits.signed_in.note("someone")
    assert others.signed_in.has("someone")
    limits.queries.count("someone")
    others.queries.take_back("someone")
    assert tries(limits.queries, 1_201) == 1_200


def test_limits_when_nothing_is_set_then_they_are_the_documented_ones():
    limits = read_limits({})
    assert tries(limits.sign_in_name, 20) == 10
    assert tries(limits.sign_in_address, 120) == 100
    assert tries(limits.queries, 1_300) == 1_200
    for _ in range(300):
        limits.refused.check("someone")
        limits.refused.note("someone")
    with pytest.raises(RateLimited):
        limits.refused.check("someone")


@pytest.mark.parametrize("text", ["", "off", "OFF"])
def test_limit_when_it_is_off_then_nothing_is_refused(text):
    limit = queries(text)
    assert tries(limit, 5_000) == 5_000
    limit.note("someone")
    limit.check("someone")
    limit.forget("someone")


@pytest.mark.parametrize(
    "text", ["ten", "0/minute", "-1/minute", "1/minute; 2/hour", "10/fortnight"]
)
def test_limit_when_it_cannot_be_read_then_the_start_stops_and_names_the_key(text):
    with pytest.raises(StartupError, match=KEY):
        queries(text)


@pytest.mark.parametrize("url", ["disk", "memcached://localhost", "redis://host:port"])
def test_storage_when_it_is_none_then_the_start_stops_and_names_the_key(url):
    with pytest.raises(StartupError, match=STORAGE):
        read_limits({STORAGE: url})


def test_storage_when_its_library_is_missing_then_the_start_says_which_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis.backoff", None)
    with pytest.raises(StartupError, match=r"cone.tokens\[redis\]"):
        read_limits({STORAGE: "redis://localhost"})


def test_limit_when_it_is_reached_then_it_tells_when_the_window_ends(clock):
    limit = queries("2/minute")
    assert tries(limit, 2) == 2
    clock.now += 17.5
    with pytest.raises(RateLimited) as caught:
        limit.count("someone")
    assert (caught.value.limit, caught.value.wait_s) == ("queries", math.ceil(60 - 17.5))
    assert tries(limit, 3, who="another") == 2
    clock.now += 42.5
    assert tries(limit, 3) == 2


def test_limit_when_it_is_reached_then_one_line_a_window_says_so(clock, caplog):
    limit = queries("2/minute")
    with caplog.at_level(logging.WARNING):
        tries(limit, 50, who="x\ny")
        (line,) = caplog.messages
        assert "queries" in line
        assert "\n" not in line
        clock.now += 60
        tries(limit, 50, who="x\ny")
    assert len(caplog.messages) == 2


def test_refusals_when_the_limit_is_reached_then_one_line_a_window_says_so(clock, caplog):
    limit = queries("2/minute")
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            limit.note("someone")
    assert len(caplog.messages) == 1


def test_limit_when_threads_count_at_once_then_no_try_slips_through():
    limit = queries("100/hour")
    passed = []
    threads = [threading.Thread(target=lambda: passed.append(tries(limit, 100))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == 100


def test_memory_when_many_come_then_it_does_not_grow(clock):
    memory = Memory(most=1_000)
    for number in range(5_000):
        memory.incr(str(number), 60)
    assert len(memory) == 1_000
    clock.now += 61
    # Each that begins takes two away that have ended.
    for number in range(600):
        memory.incr(f"later {number}", 60)
    assert len(memory) == 600
    assert memory.check()
    assert memory.reset() == 600
    assert len(memory) == 0


def test_memory_when_many_keys_have_ended_then_a_count_costs_the_same():
    few, many = Memory(), Memory(most=200_000)
    for number in range(200_000):
        many.incr(str(number), 1_000)

    def seconds(memory):
        start = time.perf_counter()
        for number in range(2_000):
            memory.incr(f"x{number}", 1_000)
        return time.perf_counter() - start

    assert min(seconds(many) for _ in range(3)) < 20 * min(seconds(few) for _ in range(3))


def test_key_when_a_name_is_long_then_it_is_not():
    limit = queries("2/minute")
    assert tries(limit, 3, who="x" * 1_000_000) == 2
    assert tries(limit, 3, who="\udcff") == 2
    assert all(len(key) < 100 for key in limit._memory._windows)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", "unknown"),
        ("a socket", "a socket"),
    ],
)
def test_address_when_it_is_given_then_a_customer_has_one(given, expected):
    assert address_of(SimpleNamespace(environ={"REMOTE_ADDR": given})) == expected


def test_redis_when_two_processes_count_then_together(redis_server):
    who = secrets.token_hex(8)
    first, second = (queries("10/minute", **{STORAGE: redis_server.url}) for _ in range(2))
    assert tries(first, 6, who) == 6
    assert tries(second, 6, who) == 4
    with pytest.raises(RateLimited) as caught:
        first.count(who)
    assert 50 <= caught.value.wait_s <= 60
    first.forget(who)
    second.check(who)


def test_redis_when_it_is_away_then_each_process_counts_and_one_line_says_so(
    redis_server, clock, caplog
):
    limit = queries("10/minute", **{STORAGE: redis_server.url})
    assert tries(limit, 3) == 3
    redis_server.__exit__()
    with caplog.at_level(logging.WARNING):
        assert tries(limit, 20) == 10
        assert len([line for line in caplog.messages if "is away" in line]) == 1
        redis_server.__enter__()
        assert tries(limit, 1, "another") == 1
        clock.now += ratelimit.PAUSE_S + 1
        assert tries(limit, 20, "another") == 10
    assert len([line for line in caplog.messages if "is back" in line]) == 1


def test_redis_when_it_never_answers_then_a_request_waits_a_moment_once(monkeypatch):
    monkeypatch.setattr(ratelimit, "SHARED_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        limit = queries("10/minute", **{STORAGE: url})
        start = time.perf_counter()
        assert tries(limit, 20) == 10
        assert time.perf_counter() - start < 2


def test_import_when_nothing_is_set_then_no_thread_is_started():
    program = """
import threading
from cone.tokens.host.ratelimit import read_limits
limits = read_limits({})
limits.queries.count("someone")
assert threading.active_count() == 1, threading.enumerate()
"""
    subprocess.run([sys.executable, "-c", program], check=True)
