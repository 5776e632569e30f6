"""The picture of the house in CONTRIBUTING is that of the imports as they are."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def house():
    """The script that draws the house."""
    spec = importlib.util.spec_from_file_location("picture_of_house", ROOT / "config" / "house.py")
    module = importlib.util.module_from_spec(spec)
    # Its data classes look their module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def write(folder, **modules):
    package = folder / "cone" / "tokens"
    package.mkdir(parents=True)
    for name, text in modules.items():
        path = package / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder


def test_picture_when_imports_have_changed_then_it_is_drawn_anew(house):
    assert house.PICTURE.read_text() == house.draw(house.read(ROOT / "src")), (
        "run python config/house.py"
    )


def test_house_when_it_is_ours_then_no_rooms_import_each_other(house):
    assert house.read(ROOT / "src").circles == []


def test_house_when_rooms_stand_on_others_then_each_is_a_floor_above(house, tmp_path):
    source = write(
        tmp_path,
        core__store="import json",
        host="from cone.tokens.core import store",
        plugin="from cone.tokens import host\nimport cone.tokens.core.store",
    )
    built = house.read(source)
    assert built.floors == [["core"], ["host"], ["plugin"]]
    assert built.figures == "3 rooms, 3 floors, 3 arrows, 0 circles"
    assert built.packages == {"core"}


def test_house_when_rooms_import_each_other_then_the_circle_is_told(house, tmp_path):
    source = write(
        tmp_path,
        a="from cone.tokens import b",
        b="import cone.tokens.c",
        c="def late():\n    from cone.tokens import a",
        d="if TYPE_CHECKING:\n    from cone.tokens import a",
    )
    built = house.read(source)
    assert built.circles == [frozenset("abc")]
    assert built.floors == [["a", "b", "c", "d"]]
