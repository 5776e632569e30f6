"""The parts that a site switches on; tickets are none of them and always on."""

import sys
from types import ModuleType

import pytest
from pyramid.config import Configurator

from cone.tokens.host.config import StartupError
from cone.tokens.parts import KEY
from cone.tokens.parts import Part
from cone.tokens.parts import include
from cone.tokens.parts import read_parts

NOTES = Part("notes_part")
THERE = {
    "notes": NOTES,
    "keys": Part("keys_part", "keys", ("sqlalchemy", "no_such_library")),
    "dots": Part("keys_part", "dots", ("no_such_library.inside",)),
    "inside": Part("keys_part", "inside", ("sqlalchemy.no_such_module",)),
    "bare": Part("keys_part", None, ("no_such_library",)),
    "gone": Part("cone.tokens.no_such_part"),
    "half": Part("cone.tokens.core"),
}


def refusal(text, parts=THERE):
    with pytest.raises(StartupError) as raised:
        read_parts({KEY: text}, parts)
    return str(raised.value)


@pytest.fixture
def notes_part(tmp_path, monkeypatch):
    """Put a part where it can be imported."""
    folder = tmp_path / "notes_part"
    folder.mkdir()
    (folder / "__init__.py").touch()
    plugin = "def includeme(config):\n    config.registry.settings['notes'] = 'there'\n"
    (folder / "plugin.py").write_text(plugin)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in ("notes_part", "notes_part.plugin"):
        sys.modules.pop(name, None)


@pytest.fixture(autouse=True)
def _there(notes_part):
    """Have the part there in each test."""


@pytest.mark.parametrize(
    "settings", [{}, {KEY: ""}, {KEY: " \n "}, {KEY: None}, {KEY: []}, {KEY: ()}]
)
def test_parts_when_none_is_named_then_tickets_are_alone(settings):
    assert read_parts(settings, THERE) == ()


@pytest.mark.parametrize("text", ["notes", "\nnotes", " notes \n", ["notes"], ("notes",)])
def test_parts_when_one_is_named_then_it_is_switched_on(text):
    assert read_parts({KEY: text}, THERE) == (NOTES,)


def test_parts_when_one_is_unknown_then_one_line_names_the_nearest():
    assert refusal("note") == f"{KEY}: 'note' is no part; did you mean notes?"
    assert refusal("zzz") == f"{KEY}: 'zzz' is no part; there are: {', '.join(THERE)}"


def test_parts_when_tickets_are_named_then_one_line_says_that_they_are_on():
    assert refusal("tickets notes") == f"{KEY}: tickets are always on; take the name out"


@pytest.mark.parametrize("text", ["Tickets", "TICKETS notes"])
def test_parts_when_tickets_are_named_in_capitals_then_one_line_says_that_they_are_on(text):
    assert refusal(text) == f"{KEY}: tickets are always on; take the name out"


def test_parts_when_one_is_named_in_capitals_then_one_line_names_it():
    assert refusal("NOTES") == f"{KEY}: 'NOTES' is no part; did you mean notes?"


@pytest.mark.parametrize("given", [True, 5, 0, b"notes", [5], ["notes", None], {"notes": 1}])
def test_parts_when_a_program_gives_no_names_then_one_line_says_so(given):
    told = f"{KEY}: {given!r} is no list of parts; give their names, or leave it out"
    assert refusal(given) == told


def test_parts_when_one_is_named_twice_then_it_is_refused():
    assert refusal("notes notes") == f"{KEY}: notes is named twice"


def test_parts_when_a_library_is_missing_then_one_line_names_the_extra():
    assert refusal("keys") == f"{KEY}: keys needs the extra keys: cone.tokens[keys]"


@pytest.mark.parametrize("name", ["dots", "inside"])
def test_parts_when_a_module_of_a_library_is_missing_then_one_line_names_the_extra(name):
    assert refusal(name) == f"{KEY}: {name} needs the extra {name}: cone.tokens[{name}]"


def test_parts_when_a_library_of_no_extra_is_missing_then_one_line_names_it():
    assert refusal("bare") == f"{KEY}: bare needs the library no_such_library; install it"


@pytest.mark.parametrize(
    ("name", "module"),
    [("gone", "cone.tokens.no_such_part.plugin"), ("half", "cone.tokens.core.plugin")],
)
def test_parts_when_the_package_of_one_is_missing_then_one_line_names_it(name, module):
    told = f"{KEY}: {name}: there is no module {module}; install cone.tokens again"
    assert refusal(name) == told


def test_parts_when_a_library_tells_nothing_of_itself_then_it_counts_as_there(monkeypatch):
    library = ModuleType("library_without_spec")
    library.__spec__ = None
    monkeypatch.setitem(sys.modules, library.__name__, library)
    part = Part("notes_part", "x", (library.__name__,))
    assert read_parts({KEY: "x"}, {"x": part}) == (part,)


def test_parts_when_a_library_is_kept_away_then_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    part = Part("notes_part", "x", ("sqlalchemy",))
    assert refusal("x", {"x": part}) == f"{KEY}: x needs the extra x: cone.tokens[x]"


def test_part_when_it_is_not_switched_on_then_it_is_not_imported(notes_part):
    include(Configurator(), read_parts({}, THERE))
    assert "notes_part" not in sys.modules


def test_part_when_it_is_switched_on_then_it_registers_what_it_has(notes_part):
    config = Configurator(settings={})
    include(config, read_parts({KEY: "notes"}, THERE))
    assert config.registry.settings["notes"] == "there"
