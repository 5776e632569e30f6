import io
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


#: Whatever breaks a line, moves the cursor or turns the reading direction.
BREAKS = (
    "\n",
    "\r",
    "\r\n",
    "\v",
    "\f",
    "\x1c",
    "\x85",
    "\u2028",
    "\u2029",
    "\x1b[2J",
    "\x7f",
    "\u202e",
)
FORGED = "INFO cone.tokens.signin [-]: sign-in good: admin"
FORMAT = "%(levelname)s %(name)s [%(reference)s]: %(message)s %(user)s"


def fail(text):
    raise ValueError(text)


def forged(part, mark):
    """Return a record of which one part has the mark, and a line behind it."""
    made = record("from %s", "a", user="b")
    evil = f"x{mark}{FORGED}"
    if part == "message":
        made.msg = f"{evil} from %s"
    elif part == "argument":
        made.args = (evil,)
    elif part == "extra":
        made.user = evil
    elif part == "name":
        made.name = evil
    elif part == "arguments of another number":
        made.args = (evil, evil)
    elif part == "reference":
        made.reference = evil
    return made


PARTS = ("message", "argument", "extra", "name", "arguments of another number", "reference")


@pytest.mark.parametrize("mark", BREAKS)
@pytest.mark.parametrize("part", PARTS)
def test_line_when_any_part_of_it_breaks_lines_then_it_is_one_line(part, mark):
    line = logs.LineFormatter(FORMAT).format(forged(part, mark))
    assert line.splitlines() == [line]
    assert line.isprintable()
    assert line.startswith("WARNING ")


@pytest.mark.parametrize("mark", BREAKS)
@pytest.mark.parametrize("part", PARTS)
def test_json_when_any_part_of_it_breaks_lines_then_it_is_one_line(part, mark):
    line = logs.JsonFormatter().format(forged(part, mark))
    assert line.splitlines() == [line]
    assert line.isprintable()
    assert json.loads(line)["level"] == "WARNING"


@pytest.mark.parametrize("mark", BREAKS)
@pytest.mark.parametrize("is_kept", [True, False])
def test_traceback_when_its_error_breaks_lines_then_none_of_them_is_a_record(mark, is_kept):
    try:
        fail(f"x{mark}{FORGED}")
    except ValueError:
        made = record("it failed", user="b", stack_info=f"Stack{mark}{FORGED}")
        made.exc_info = sys.exc_info()
    if is_kept:
        # What a formatter before ours left behind.
        made.exc_text = f"Traceback\n{FORGED}"
    first, *others = logs.LineFormatter(FORMAT).format(made).split("\n")
    assert first.startswith("WARNING a.logger [-]: it failed")
    assert others
    assert all(line.startswith("    ") and line.isprintable() for line in others)


def test_traceback_when_only_its_text_is_there_then_the_line_has_it_indented():
    made = record("it failed", user="b")
    made.exc_text = f"Traceback\n{FORGED}"
    assert logs.LineFormatter(FORMAT).format(made).split("\n")[1:] == [
        "    Traceback",
        f"    {FORGED}",
    ]
    assert json.loads(logs.JsonFormatter().format(made))["exception"] == made.exc_text


def test_json_when_extras_have_the_names_of_its_own_then_they_change_nothing():
    made = record("hello", time="never", level="INFO", logger="x", reference="forged")
    said = json.loads(logs.JsonFormatter().format(made))
    assert (said["level"], said["logger"], said["reference"]) == ("WARNING", "a.logger", "-")
    assert said["time"] != "never"


@pytest.mark.parametrize(
    ("name", "message", "is_shown"),
    [
        ("cone.app", "``lxml`` not present. ``cone.app.model.XMLProperties`` will not work", False),
        ("cone.app", "``yafowil.yaml`` not present.", False),
        ("cone.app", "No configure.zcml in cone.sql", False),
        ("cone.app", "Cannot import plugin nowhere", True),
        ("alembic.runtime.migration", "Context impl SQLiteImpl.", False),
        ("alembic.runtime.migration", "Running upgrade  -> 0001", True),
        ("cone.tokens", "No configure.zcml in cone.sql", True),
        ("cone.app", 42, True),
    ],
)
def test_console_when_a_library_says_what_nobody_needs_then_it_is_not_shown(
    name, message, is_shown
):
    stream = io.StringIO()
    record = logging.LogRecord(name, logging.WARNING, "", 0, message, None, None)
    logs.Console(stream).handle(record)
    assert bool(stream.getvalue()) is is_shown
