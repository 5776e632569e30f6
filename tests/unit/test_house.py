"""The picture of the house in CONTRIBUTING is up to date, and files and classes stay small."""

import ast
from pathlib import Path

import pytest

from tests.support.house import load

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "src").rglob("*.py"))
#: Lines of a file, and public members of a class, with those that it inherits of ours.
MOST_LINES, MOST_MEMBERS = 400, 15


@pytest.fixture(scope="module")
def house():
    """The script that draws the house."""
    return load()


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
    assert built.figures == "3 rooms, 3 floors, 3 arrows, 0 circles, 0 late look-ups"
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
    assert built.floors == [["a", "b", "c"], ["d"]]


LATE = {
    "in the call": 'def late():\n    return resolve_name("cone.tokens.above:run")',
    "in a table": 'RUN: Final = {"run": "cone.tokens.above:run"}\n'
    "def late(name):\n    return resolve_name(RUN[name])",
    "in a loop": 'ALL = ("cone.tokens.above",)\nfor one in ALL:\n    importlib.import_module(one)',
    "by itself": 'above = __import__("cone.tokens.above")',
    "as a default": 'DEFAULT = "cone.tokens.above.Run"\n'
    "def late(given):\n    name = given or DEFAULT\n    return Resolver(None).resolve(name)",
    "as a part": 'def late(config):\n    config.include("cone.tokens.above")',
}


@pytest.mark.parametrize("text", LATE.values(), ids=LATE)
def test_house_when_a_module_is_named_by_a_text_then_that_is_a_late_look_up(house, tmp_path, text):
    built = house.read(write(tmp_path, below=text, above="import cone.tokens.below"))
    assert built.late["below"] == {"above"}
    assert built.figures == "2 rooms, 2 floors, 1 arrows, 0 circles, 1 late look-ups"
    assert 'class="late"' in house.draw(built)


def test_house_when_a_text_is_no_name_of_a_loader_then_it_is_none(house, tmp_path):
    text = (
        'KEY = "cone.tokens.above"\n'
        "def read(settings):\n    name = settings[KEY]\n    return name\n"
        "def late(name):\n    return resolve_name(name)"
    )
    assert house.read(write(tmp_path, below=text, above="")).late["below"] == set()


def classes_of(text):
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)]


def public_members(node):
    functions = (item for item in node.body if isinstance(item, ast.FunctionDef))
    return {function.name for function in functions if not function.name.startswith("_")}


class Classes:
    """The classes of modules, with what they inherit from each other.

    Classes are known by their names, those of foreign libraries are not known.
    """

    def __init__(self, modules):
        self._trees = {self._name_of(module): ast.parse(module.read_text()) for module in modules}

    @staticmethod
    def _name_of(module):
        parts = module.with_suffix("").parts
        start = parts.index("cone") if "cone" in parts else -1
        return ".".join(parts[start:]).removesuffix(".__init__")

    def members_of(self, module, node):
        """Return the public members of a class of ``module``, inherited ones included."""
        return self._members(self._name_of(module), node)

    def _members(self, module, node):
        members = public_members(node)
        for base in node.bases:
            # A generic class stands before its parameters.
            plain = base.value if isinstance(base, ast.Subscript) else base
            for inherited in self._found(module, ast.unparse(plain)):
                members |= self._members(*inherited)
        return members

    def _found(self, module, name):
        """Return the class that a module means by a name, with the module that has it."""
        tree = self._trees.get(module)
        if tree is None:
            return
        first, _dot, rest = name.partition(".")
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name == name:
                yield module, node
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if first != (alias.asname or alias.name):
                        continue
                    if rest:
                        yield from self._found(f"{node.module}.{alias.name}", rest)
                    else:
                        yield from self._found(node.module, alias.name)


def says_why(nodes, reason):
    """Tell whether a docstring has the ``reason``, wherever its lines break."""
    docstrings = (ast.get_docstring(node) or "" for node in nodes)
    return any(reason in " ".join(docstring.split()) for docstring in docstrings)


def files_without_excuse(modules):
    for module in modules:
        text = module.read_text()
        is_core = "core" in module.parts
        nodes = [] if is_core else [ast.parse(text), *classes_of(text)]
        is_long = len(text.splitlines()) > MOST_LINES
        if is_long and not says_why(nodes, f"more than {MOST_LINES} lines"):
            yield module


def classes_without_excuse(modules):
    classes = Classes(modules)
    for module in modules:
        for node in classes_of(module.read_text()):
            is_large = len(classes.members_of(module, node)) > MOST_MEMBERS
            if is_large and not says_why([node], f"more than {MOST_MEMBERS} public"):
                yield module, node.name


@pytest.fixture
def large(tmp_path):
    """A module with 16 public members in a class and more than 400 lines."""

    def write_large(folder, docstring=""):
        members = "".join(f"    def name_{number}(self): ...\n" for number in range(16))
        path = tmp_path / folder / "large.py"
        path.parent.mkdir()
        path.write_text(f'class Large:\n    """{docstring}"""\n{members}' + "\n" * 400)
        return path

    return write_large


def test_limits_when_a_file_is_too_large_then_a_reason_excuses_it_beyond_the_core(large):
    reason = "It has more than 15 public members, and more\n    than 400 lines: so."
    excused, of_core, silent = large("cli", reason), large("core", reason), large("web")
    assert list(files_without_excuse([excused, of_core, silent])) == [of_core, silent]
    assert list(classes_without_excuse([excused, of_core, silent])) == [(silent, "Large")]


def test_limits_when_a_class_inherits_of_ours_then_those_members_count_too(tmp_path):
    def members(*numbers):
        return "".join(f"    def name_{number}(self): ...\n" for number in numbers)

    write(
        tmp_path,
        low=f"class Low(Foreign):\n{members(*range(9))}",
        middle=f"from cone.tokens import low\nclass Middle(low.Low[int]):\n{members(0, 9)}",
        high="from cone.tokens.middle import Middle as Base\n"
        f"class High(Base):\n{members(*range(10, 16))}",
        same="from cone.tokens.high import High\nclass Same(High):\n    pass\n",
        silent=f"from cone.tokens.middle import Middle\nclass Few(Middle):\n{members(10, 11)}",
    )
    found = classes_without_excuse(sorted(tmp_path.rglob("*.py")))
    assert [name for _module, name in found] == ["High", "Same"]


def test_file_when_it_is_longer_than_400_lines_then_it_says_why_and_none_of_the_core_is():
    assert list(files_without_excuse(MODULES)) == []


def test_class_when_it_has_more_than_15_public_members_then_it_says_why():
    assert list(classes_without_excuse(MODULES)) == []
