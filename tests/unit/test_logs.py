import json
import logging
import sys
import threading
from types import SimpleNamespace

import pytest

from cone.tokens import logs


@pytest.fixture
def request_reference():
    """The reference of a request that the test is in."""
    before = logs.begin(asking("abc-1"))
    yield logs.reference()
    logs.end(before)


def asking(reference=None):
    environ = {} if reference is None else {"HTTP_X_REQUEST_ID": reference}
    return SimpleNamespace(environ=environ)


def record(message, *arguments, **more):
    made = logging.LogRecord("a.logger", logging.WARNING, "", 1, message, arguments, None)
    vars(made).update(more)
    return made


def lines_of(formatter, made):
    return formatter.format(made).splitlines()


@pytest.mark.parametrize("given", ["a", "A.b_c-9", "x" * 64])
def test_reference_when_it_is_well_formed_then_it_is_taken(given):
    before = logs.begin(asking(given))
    assert logs.reference() == given
    logs.end(before)
    assert logs.reference() == logs.NO_REFERENCE


@pytest.mark.parametrize("given", [None, "", "x" * 65, "a b", "a\n", "é", "<b>", "a;b"])
def test_reference_when_it_is_not_then_one_is_made(given):
    made = []
    for _ in range(2):
        before = logs.begin(asking(given))
        made.append(logs.reference())
        logs.end(before)
    assert given not in made
    assert made[0] != made[1]
    assert all(len(reference) == 16 for reference in made)


def test_reference_when_another_thread_works_then_it_has_none(request_reference):
    found = []
    thread = threading.Thread(target=lambda: found.append(logs.reference()))
    thread.start()
    thread.join()
    assert (request_reference, found) == ("abc-1", ["-"])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("door", "door"),
        ("Jürgen 你好", "Jürgen 你好"),
        ("a\nINFO forged", "a\\nINFO forged"),
        ("\x1b[31m\u202e\udcff", "\\x1b[31m\\u202e\\udcff"),
        ("x" * 100, "x" * 64 + "…"),
        (None, "None"),
    ],
)
def test_text_when_it_is_written_then_it_breaks_no_line(text, shown):
    assert logs.printable(text) == shown


def test_json_when_a_line_is_written_then_it_is_one_object(request_reference):
    made = record("user %s", "a\nb", user="a\nb", token=None, number=7, thing=object)
    made.created = 1_780_315_200.25
    (line,) = lines_of(logs.JsonFormatter(), made)
    assert json.loads(line) == {
        "time": "2026-06-01T12:00:00.250+00:00",
        "level": "WARNING",
        "logger": "a.logger",
        "message": "user a\nb",
        "reference": request_reference,
        "user": "a\nb",
        "token": None,
        "number": 7,
        "thing": "<class 'object'>",
    }


def test_json_when_there_is_an_exception_then_the_line_has_it_as_text():
    try:
        int("two\nlines")
    except ValueError:
        made = record("it failed", stack_info="Stack\nof it")
        made.exc_info = sys.exc_info()
    (line,) = lines_of(logs.JsonFormatter(), made)
    said = json.loads(line)
    assert said["exception"].startswith("Traceback")
    assert said["stack"] == "Stack\nof it"
    assert said["reference"] == "-"


def test_line_when_its_format_asks_then_it_has_the_reference(request_reference):
    formatter = logs.LineFormatter("%(levelname)s [%(reference)s] %(message)s")
    assert formatter.format(record("hello")) == "WARNING [abc-1] hello"
