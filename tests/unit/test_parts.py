"""The parts that a site switches on; tickets are none of them and always on."""

import sys

import pytest
from pyramid.config import Configurator

from cone.tokens.host.config import StartupError
from cone.tokens.parts import KEY
from cone.tokens.parts import Part
from cone.tokens.parts import include
from cone.tokens.parts import read_parts

NOTES = Part("notes_part")
KEYS = Part("keys_part", "keys", ("sqlalchemy", "no_such_library"))
THERE = {"notes": NOTES, "keys": KEYS}


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


@pytest.mark.parametrize("settings", [{}, {KEY: ""}, {KEY: " \n "}])
def test_parts_when_none_is_named_then_tickets_are_alone(settings):
    assert read_parts(settings, THERE) == ()


@pytest.mark.parametrize("text", ["notes", "\nnotes", " notes \n"])
def test_parts_when_one_is_named_then_it_is_switched_on(text):
    assert read_parts({KEY: text}, THERE) == (NOTES,)


def test_parts_when_one_is_unknown_then_one_line_names_the_nearest():
    assert refusal("note") == f"{KEY}: 'note' is no part; did you mean notes?"
    assert refusal("zzz") == f"{KEY}: 'zzz' is no part; there are: notes, keys"


def test_parts_when_tickets_are_named_then_one_line_says_that_they_are_on():
    assert refusal("tickets notes") == f"{KEY}: tickets are always on; take the name out"


def test_parts_when_one_is_named_twice_then_it_is_refused():
    assert refusal("notes notes") == f"{KEY}: notes is named twice"


def test_parts_when_a_library_is_missing_then_one_line_names_the_extra():
    assert refusal("keys") == f"{KEY}: keys needs the extra keys: cone.tokens[keys]"


def test_part_when_it_is_not_switched_on_then_it_is_not_imported(notes_part):
    include(Configurator(), read_parts({}, THERE))
    assert "notes_part" not in sys.modules


def test_part_when_it_is_switched_on_then_it_registers_what_it_has(notes_part):
    config = Configurator(settings={})
    include(config, read_parts({KEY: "notes"}, THERE))
    assert config.registry.settings["notes"] == "there"
