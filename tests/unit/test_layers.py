"""The directions in which modules may import each other (architecture 2.1)."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

import cone.tokens
from tests.support.house import load

PACKAGE = Path(cone.tokens.__file__).parent
ROOT = Path(__file__).parents[2]
CORE_LIBRARIES = {"sqlalchemy"}
HOST = {
    "pyramid",
    "cone.app",
    "cone.sql",
    "cone.tile",
    "node",
    "plumber",
    "qrcode",
    "translationstring",
    "tzlocal",
    "webob",
    "webresource",
    "yafowil",
    "zope",
}

#: What modules look up by a text although it stands above them, when it is called for.
LATE = {
    # The commands of parts stand on those of all: ``cli.COMMANDS``.
    ("cli", "tickets.commands.door"),
    ("cli", "tickets.commands.exchange"),
    ("cli", "tickets.commands.scan_log"),
    ("cli", "tickets.commands.tokens"),
}

#: What else modules import that are made for that.
SPECIAL = {
    "host.cookie_secret": {"paste"},
    "host.form_data": {"multipart"},
    "host.pipeline": {"paste"},
    "tickets.label_text": {"reportlab"},  # optional
    "tickets.labels": {"reportlab"},  # optional
    "tickets.sheet_parts": {"defusedxml"},  # optional
    "tickets.workbook": {"openpyxl"},  # optional
    "tickets.workbook_bounds": {"openpyxl"},  # optional
    "host.keyring": {"joserfc"},  # optional
    "host.metrics": {"prometheus_client"},  # optional
    "host.ratelimit": {"limits", "redis"},
    "host.first_connection": {"sqlalchemy"},  # it knows the errors of the host's engine
    "host.templates": {"chameleon"},
    "host.users": {"sqlalchemy"},  # it knows the errors of the host's tables
    "host.session_filter": {"sqlalchemy"},  # it opens the host's sessions, and executes nothing
}

#: What decides about tickets: like the core, it knows no web.
DECIDING = {
    "checkpoints",
    "details",
    "door",
    "door_params",
    "fields",
    "importing",
    "imports",
    "kind",
    "params",
    "parser",
    "periods",
    "presence",
    "records",
    "service",
    "setting_lists",
    "statistics",
    "values",
}

#: Modules by layer, lowest first; a module may import from its own layer and from lower ones.
LAYERS = (
    (
        "core.errors",
        "core.clock",
        "core.codes",
        "core.credentials",
        "core.manner",
        "core.search",
        "core.params",
        "core.values",
        "core.windows",
    ),
    (
        "core.address",
        "core.places",
        "core.records",
        "core.column_types",
        "core.declaration",
        "core.dialects",
        "core.kind",
        "core.lifecycle",
        "core.prepared",
        "core.retry",
    ),
    ("core.driver_errors", "core.postgresql", "core.sqlite_file", "core.turns"),
    ("core.sqlite",),
    ("core.many",),
    ("core.transaction",),
    ("core.store",),
    ("core.history",),
    ("core.database",),
    ("core.unit_of_work",),
    ("core.foresight", "core.maintenance", "core.purge"),
    ("core.mending",),
    ("core",),
    # What decides about tickets: the core knows no kind of tokens.
    tuple(f"tickets.{name}" for name in sorted(DECIDING)),
    ("i18n", "logs"),
    ("host",),
    ("migrations",),
    ("web",),
    ("tickets",),
    ("settings", "model", "exceptions", "api", "production", "server", "session"),
    ("cli",),
    ("json_api", "browser", "tickets.commands"),
    ("places", "parts", "answers", "plugin", "tweens", "make_user", ""),
)
FACES = ("json_api", "browser", "tickets.commands")
#: What stands in the table for all that is in it.
PACKAGES = {*FACES, "cli", "core.history", "core.store", "host", "migrations", "tickets", "web"}
#: They change tables, which the statements of the core take for granted.
SCHEMA = {"migrations.schema", "migrations.upgrade"}


@functools.cache
def modules() -> list[str]:
    """Return the names of all modules below ``cone.tokens``."""
    paths = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
    names = (".".join(path.with_suffix("").parts) for path in paths)
    return sorted(name.removesuffix("__init__").rstrip(".") for name in names)


def source_of(module: str) -> Path:
    """Return the file of a module below ``cone.tokens``."""
    path = PACKAGE.joinpath(*module.split(".")) if module else PACKAGE
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@functools.cache
def imports(module: str) -> set[str]:
    """Return what ``module`` imports, by full name."""
    return imported(source_of(module).read_text())


def imported(source: str) -> set[str]:
    """Return what a text of Python imports, by full name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports relatively"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@functools.cache
def looked_up(module: str) -> set[str]:
    """Return the modules below ``cone.tokens`` that ``module`` names by a text to import them."""
    texts = load().looked_up(ast.parse(source_of(module).read_text()))
    return {name for text in texts if (name := _module_of(text)) is not None} - {module}


def _module_of(text: str) -> str | None:
    """Return the module that a text names, be it by one of its members; None: it names none."""
    # What is put together of parts may be any module.
    name, known = text.removeprefix("cone.tokens").strip("."), set(modules())
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name if name or text.strip(".") == "cone.tokens" else None


def layer_of(module: str) -> int:
    """Return the number of the layer of a module below ``cone.tokens``."""
    # The longest name counts: what decides about tickets, and their commands, are layers apart.
    named = {name: number for number, names in enumerate(LAYERS) for name in names}
    fits = [name for name in named if name == module or (name in PACKAGES and _is_in(module, name))]
    if fits:
        return named[max(fits, key=len)]
    return pytest.fail(f"{module!r} belongs to no layer")


def _decides(module: str) -> bool:
    return module.removeprefix("tickets.") in DECIDING


def _is_in(module: str, package: str) -> bool:
    return module.startswith(f"{package}.")


@functools.cache
def own_imports(module: str) -> set[str]:
    """Return the modules below ``cone.tokens`` that ``module`` imports."""
    return own(imports(module))


def own(imported: set[str]) -> set[str]:
    """Return the modules below ``cone.tokens`` that are imported; "" where it is itself."""
    known = set(modules())
    names = {name.removeprefix("cone.tokens.") for name in imported if _is_own(name)}
    whole = {""} & {name.removeprefix("cone.tokens") for name in imported}
    return whole | {name if name in known else name.rpartition(".")[0] for name in names}


def _is_own(name: str) -> bool:
    return name.startswith("cone.tokens.")


def libraries(module: str) -> set[str]:
    """Return the libraries that ``module`` imports; of the namespace ``cone`` two names deep."""
    foreign = {name for name in imports(module) if not _is_own(name) and name != "cone.tokens"}
    parts = (name.split(".") for name in foreign)
    names = {".".join(part[:2]) if part[0] == "cone" else part[0] for part in parts}
    return names - set(sys.stdlib_module_names)


@pytest.mark.parametrize("module", modules())
def test_module_when_it_imports_of_ours_then_from_its_own_layer_or_below(module):
    layer = layer_of(module)
    above = {name for name in own_imports(module) if layer_of(name) > layer}
    assert above == set()


@pytest.mark.parametrize("text", ["from cone import tokens", "import cone.tokens"])
def test_import_when_it_is_of_the_whole_package_then_it_is_from_the_top(text):
    assert own(imported(text)) == {""}
    assert layer_of("") == len(LAYERS) - 1


def test_module_when_it_looks_modules_up_by_text_then_from_below_or_as_is_meant():
    above = {
        (module, name)
        for module in modules()
        for name in looked_up(module)
        if layer_of(name) > layer_of(module)
    }
    assert above == LATE


@pytest.mark.parametrize("module", modules())
def test_module_when_it_imports_libraries_then_those_of_its_layer(module):
    if layer_of(module) == 0:
        allowed = set()
    elif module.startswith("core") or _decides(module):
        allowed = CORE_LIBRARIES
    elif module in SCHEMA or module.startswith("migrations"):
        allowed = {"alembic", "sqlalchemy"}
    elif module.startswith(("cli", "tickets.commands")):
        allowed = HOST | {"click", "paste"}
    elif module == "server":
        # It ends waitress, and knows nothing of the site.
        allowed = {"waitress"}
    else:
        allowed = HOST | SPECIAL.get(module, set())
    assert libraries(module) <= allowed


def test_revisions_when_they_import_then_nothing_of_the_core():
    # It changes, they do not. What asks which objects of a database are ours asks about today.
    known = [name for name in modules() if name.startswith("migrations")]
    revisions = [name for name in known if name not in SCHEMA]
    users = {name for name in revisions if any(own.startswith("core") for own in own_imports(name))}
    assert users == {"migrations.tables"}


@pytest.mark.parametrize("module", modules())
def test_module_when_its_imports_are_followed_then_they_do_not_come_back_to_it(module):
    seen, ahead = set(), set(own_imports(module))
    while ahead - seen:
        name = (ahead - seen).pop()
        seen.add(name)
        ahead |= own_imports(name)
    assert module not in seen


@pytest.mark.parametrize("face", FACES)
def test_face_when_it_imports_then_never_the_other_one(face):
    others = [other for other in FACES if other != face]
    of_face = [module for module in modules() if module == face or _is_in(module, face)]
    imported = {name for module in of_face for name in own_imports(module)}
    assert not {name for name in imported for other in others if f"{name}.".startswith(f"{other}.")}


def test_sql_when_searched_for_then_it_stands_in_the_core_alone():
    users = {module for module in modules() if "sqlalchemy" in libraries(module)}
    of_schema = {name for name in users if name in SCHEMA or name.startswith("migrations")}
    assert users - of_schema - {"host.first_connection", "host.session_filter", "host.users"} == {
        "core.address",
        "core.column_types",
        "core.database",
        "core.declaration",
        "core.dialects",
        "core.driver_errors",
        "core.history.disposal",
        "core.history.event_values",
        "core.history.forgetting",
        "core.history.purging",
        "core.history.reasons",
        "core.history.ranges",
        "core.history.rows",
        "core.history.streams",
        "core.history.texts",
        "core.history.undoing",
        "core.kind",
        "core.lifecycle",
        "core.many",
        "core.mending",
        "core.postgresql",
        "core.prepared",
        "core.purge",
        "core.records",
        "core.sqlite",
        "core.sqlite_file",
        "core.store.changing",
        "core.store.filters",
        "core.store.finding",
        "core.store.former",
        "core.store.searching",
        "core.store.spending",
        "core.store.keys",
        "core.store.listing",
        "core.store.locking",
        "core.store.usages",
        "core.store.use_log",
        "core.transaction",
        "core.turns",
        "tickets.door",
        "tickets.presence",
        "tickets.records",
        "tickets.service",
        "tickets.statistics",
    }


def deciding() -> str:
    """Return a statement that imports all that decides: the core, and what it is for tickets."""
    names = [name for name in modules() if name.startswith("core") or _decides(name)]
    return f"import {', '.join(f'cone.tokens.{name}' for name in names)}"


def test_core_when_the_web_stack_is_missing_then_it_imports():
    blocked = sorted(HOST | {"cone.tile"})
    program = f"""
import sys
for name in {blocked!r}:
    sys.modules[name] = None
{deciding()}
loaded = [name for name in {blocked!r} if sys.modules[name] is not None]
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_core_when_the_host_is_installed_then_it_loads_nothing_of_it():
    program = f"""
import sys
{deciding()}
print(*sorted({{name.partition(".")[0] for name in sys.modules}} & {HOST!r}))
print(*sorted(name for name in sys.modules if name.startswith(("cone.", "node"))))
"""
    told = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    libraries, ours = told.stdout.splitlines()
    assert not libraries
    assert {".".join(name.split(".")[:3]) for name in ours.split()} == {
        "cone.tokens",
        "cone.tokens.core",
        "cone.tokens.tickets",
    }


def test_what_decides_when_thresholds_name_it_then_they_name_all_of_it():
    names = sorted(DECIDING)
    made = ROOT.joinpath("Makefile").read_text()
    assert f"TICKETS := {' '.join(names)}\n" in made
    ruled = ROOT.joinpath("pyproject.toml").read_text()
    assert f'"!src/cone/tokens/{{core/**,tickets/{{{",".join(names)}}}.py}}" = ["TID251"]' in ruled


def test_core_when_it_is_imported_then_it_loads_no_kind_of_tokens():
    names = ", ".join(f"cone.tokens.{name}" for name in modules() if name.startswith("core"))
    program = f"import sys, {names}\nprint('cone.tokens.tickets' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert told.stdout == "False\n"
