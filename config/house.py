"""Draw the rooms of the package and the imports between them: ``python config/house.py``.

A room is a module or a package directly below ``cone.tokens``; the commands of a part are one too,
since they stand on those of all parts. It stands on the floor above all
rooms that it imports; rooms that import each other share one. A module that is named by a text, and
imported when it is called for, is a late look-up: a dashed arrow, which no floor depends on. The
picture is ``docs/pictures/house.svg``, and a test tells when it is old. ``--of SRC`` prints the
figures of another checkout's folder ``src``.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import functools
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from graphlib import TopologicalSorter
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "pictures" / "house.svg"
PACKAGE = "cone.tokens"
#: Name of the folder with the commands of a part.
COMMANDS = "commands"

#: What imports modules that are named by a text: functions and methods.
LOADERS = {
    "__import__",
    "add_tween",
    "find_spec",
    "import_module",
    "include",
    "maybe_resolve",
    "resolve",
    "resolve_name",
    "scan",
}

WIDTH, MARGIN = 1200, 24
BOX_WIDTH, BOX_HEIGHT, GAP, FLOOR_HEIGHT = 118, 44, 12, 116
STYLE = """
svg { background: #fff; font: 12px system-ui, sans-serif; }
rect { fill: #eef3fb; stroke: #5b7bb4; rx: 6px; }
.package rect { fill: #dbe7fa; stroke-width: 2px; }
text { fill: #1c2733; text-anchor: middle; }
path { fill: none; stroke: #7a8fae; stroke-opacity: .45; }
.late { stroke-dasharray: 4 4; }
"""


@dataclasses.dataclass(frozen=True)
class House:
    """The rooms and the imports between them.

    :ivar imports: what each room imports, without itself.
    :ivar packages: the rooms that are packages.
    :ivar late: what each room looks up by a text, and does not import.
    """

    imports: Mapping[str, frozenset[str]]
    packages: frozenset[str]
    late: Mapping[str, frozenset[str]]

    @functools.cached_property
    def circles(self) -> list[frozenset[str]]:
        """Groups of rooms that import each other, directly or by others."""
        groups = {self._circle(room) for room in self.imports}
        return sorted((group for group in groups if len(group) > 1), key=sorted)

    @functools.cached_property
    def floors(self) -> list[list[str]]:
        """The rooms, floor by floor from the ground up, each in alphabetical order."""
        group_of = {room: self._circle(room) for room in self.imports}
        below = {
            group: {group_of[name] for room in group for name in self.imports[room]} - {group}
            for group in group_of.values()
        }
        floors: list[list[str]] = []
        sorter = TopologicalSorter(below)
        sorter.prepare()
        while sorter.is_active():
            ready = sorter.get_ready()
            floors.append(sorted(room for group in ready for room in group))
            sorter.done(*ready)
        return floors

    @property
    def figures(self) -> str:
        """One line for people."""
        arrows = sum(map(len, self.imports.values()))
        late = sum(map(len, self.late.values()))
        return (
            f"{len(self.imports)} rooms, {len(self.floors)} floors, {arrows} arrows, "
            f"{len(self.circles)} circles, {late} late look-ups"
        )

    def _circle(self, room: str) -> frozenset[str]:
        ahead = self._reached(room)
        return frozenset({room, *(other for other in ahead if room in self._reached(other))})

    def _reached(self, room: str) -> set[str]:
        seen: set[str] = set()
        ahead = set(self.imports[room])
        while ahead:
            name = ahead.pop()
            seen.add(name)
            ahead |= self.imports[name] - seen
        return seen


def main() -> None:
    """Draw, or print the figures of another checkout."""
    parser = argparse.ArgumentParser(prog="python config/house.py", description=__doc__)
    parser.add_argument("--of", type=Path, metavar="SRC", help="print the figures of this folder")
    source = parser.parse_args().of
    house = read(source or ROOT / "src")
    if not source:
        PICTURE.write_text(draw(house))
    print(house.figures)
    for circle in house.circles:
        print("circle:", *sorted(circle))


def read(source: Path) -> House:
    """Return the house below ``source``, a folder ``src``."""
    package = source.joinpath(*PACKAGE.split("."))
    packages: set[str] = set()
    imports: dict[str, set[str]] = {}
    late: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        # What only hands names on is a door, and no room.
        if parts == ("__init__",):
            continue
        room = _room_of(parts)
        if len(parts) > 1:
            packages.add(room)
        tree = ast.parse(path.read_text())
        imports.setdefault(room, set()).update(_rooms(_imported(tree)))
        late.setdefault(room, set()).update(_rooms(looked_up(tree)))
    known = {room: frozenset(names & imports.keys() - {room}) for room, names in imports.items()}
    others = {
        room: frozenset(names & imports.keys() - known[room] - {room})
        for room, names in late.items()
    }
    return House(known, frozenset(packages), others)


def _room_of(module: tuple[str, ...]) -> str:
    return "/".join(module[:2]) if module[1:2] == (COMMANDS,) else module[0]


def _imported(tree: ast.Module) -> Iterator[str]:
    """Return what a module imports, by full name, for type checkers included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _rooms(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if name.startswith(f"{PACKAGE}."):
            yield _room_of(tuple(name.removeprefix(f"{PACKAGE}.").split(".")))


def looked_up(tree: ast.Module) -> set[str]:
    """Return what a module gives to a loader as a text, by full name.

    Texts stand in the call, or in what a name of the call was given: in the same function, or
    outside of all. Texts that name no module may be among them.
    """
    functions = list(_functions(tree))
    inside = {node for function in functions for node in ast.walk(function)}
    outside = [node for node in ast.walk(tree) if node not in inside]
    found = set(_texts(outside, outside))
    for function in functions:
        found.update(_texts(list(ast.walk(function)), outside))
    return {name for name in found if f"{name}.".startswith(f"{PACKAGE}.")}


def _functions(node: ast.AST) -> Iterator[ast.AST]:
    """Return the functions below a node, without those that are in another one."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
        else:
            yield from _functions(child)


def _texts(scope: Sequence[ast.AST], outside: Sequence[ast.AST]) -> Iterator[str]:
    """Return the texts that loaders are called with in a scope."""
    values = _values_of_names([*scope, *outside])
    calls = [node for node in scope if isinstance(node, ast.Call) and _is_loader(node.func)]
    ahead = [argument for call in calls for argument in call.args]
    while ahead:
        for node in ast.walk(ahead.pop()):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value.replace(":", ".")
            elif isinstance(node, ast.Name):
                ahead += values.pop(node.id, [])


def _is_loader(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        return function.attr in LOADERS
    return isinstance(function, ast.Name) and function.id in LOADERS


def _values_of_names(nodes: Iterable[ast.AST]) -> dict[str, list[ast.expr]]:
    """Return what each name is given, by assignments and loops."""
    values: defaultdict[str, list[ast.expr]] = defaultdict(list)
    for node in nodes:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value:
            targets, value = [node.target], node.value
        elif isinstance(node, ast.For | ast.comprehension):
            targets, value = [node.target], node.iter
        else:
            continue
        names = (name for target in targets for name in ast.walk(target))
        for name in names:
            if isinstance(name, ast.Name):
                values[name.id].append(value)
    return values


def draw(house: House) -> str:
    """Return the picture as SVG."""
    places = dict(_places(house))
    height = max(y for _x, y in places.values()) + BOX_HEIGHT + MARGIN
    arrows = [
        _arrow(places[room], places[name])
        for room, names in sorted(house.imports.items())
        for name in sorted(names)
    ]
    arrows += [
        _arrow(places[room], places[name], "late")
        for room, names in sorted(house.late.items())
        for name in sorted(names)
    ]
    boxes = [
        _box(room, *places[room], is_package=room in house.packages) for room in sorted(places)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            f"<title>{PACKAGE}: {house.figures}</title>",
            f"<style>{STYLE}</style>",
            *arrows,
            *boxes,
            "</svg>",
            "",
        ],
    )


def _places(house: House) -> Iterator[tuple[str, tuple[int, int]]]:
    """Return where the left upper corner of each room is, the highest floor above."""
    in_a_row = (WIDTH - 2 * MARGIN + GAP) // (BOX_WIDTH + GAP)
    y = MARGIN
    for floor in reversed(house.floors):
        rows = [floor[start : start + in_a_row] for start in range(0, len(floor), in_a_row)]
        for row in rows:
            free = WIDTH - 2 * MARGIN - len(row) * BOX_WIDTH
            step = BOX_WIDTH + free // (len(row) + 1)
            left = MARGIN + free // (len(row) + 1)
            yield from ((room, (left + place * step, y)) for place, room in enumerate(row))
            y += BOX_HEIGHT + GAP
        y += FLOOR_HEIGHT - BOX_HEIGHT - GAP


def _arrow(above: tuple[int, int], below: tuple[int, int], of: str | None = None) -> str:
    x, y = above[0] + BOX_WIDTH // 2, above[1] + BOX_HEIGHT
    to_x, to_y = below[0] + BOX_WIDTH // 2, below[1]
    middle = (y + to_y) // 2
    named = f' class="{of}"' if of else ""
    return f'<path{named} d="M{x},{y} C{x},{middle} {to_x},{middle} {to_x},{to_y}"/>'


def _box(room: str, x: int, y: int, *, is_package: bool) -> str:
    middle = x + BOX_WIDTH // 2
    group = '<g class="package">' if is_package else "<g>"
    return (
        f'{group}<rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}"/>'
        f'<text x="{middle}" y="{y + 27}">{escape(room)}</text></g>'
    )


if __name__ == "__main__":
    main()
