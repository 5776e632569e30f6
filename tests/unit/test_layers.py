"""The directions in which modules may import each other (architecture 2.1)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import cone.tokens

PACKAGE = Path(cone.tokens.__file__).parent
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

#: Modules by layer, lowest first; a module may import from its own layer and from lower ones.
LAYERS = (
    (
        "core.errors",
        "core.clock",
        "core.types",
        "core.params",
        "core.periods",
        "core.imports",
        "core.local_times",
    ),
    ("core.records", "core.lifecycle", "core.prepared", "core.retry"),
    ("core.audit",),
    ("core.store", "core.upkeep"),
    ("core.database",),
    ("core.service", "core.maintenance", "core"),
    (
        "config",
        "consumption",
        "health",
        "logs",
        "metrics",
        "ratelimit",
        "signin",
        "wiring",
        "security",
        "settings",
        "model",
        "api",
        "exceptions",
        "failures",
        "files",
        "i18n",
        "identity",
        "labels",
        "production",
        "qr",
        "rendering",
        "request_data",
        "schema",
        "directory",
        "upgrade",
        "session",
        "spreadsheet",
        "migrations",
    ),
    ("json_api", "browser", "cli"),
    ("plugin", "tweens", ""),
)
FACES = ("json_api", "browser", "cli")
#: What stands in the table for all that is in it.
PACKAGES = {*FACES, "migrations"}
#: They change tables, which the statements of the core take for granted.
SCHEMA = {"schema", "upgrade"}


def modules() -> list[str]:
    """Return the names of all modules below ``cone.tokens``."""
    paths = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
    names = (".".join(path.with_suffix("").parts) for path in paths)
    return sorted(name.removesuffix("__init__").rstrip(".") for name in names)


def imports(module: str) -> set[str]:
    """Return what ``module`` imports, by full name."""
    path = PACKAGE.joinpath(*module.split(".")) if module else PACKAGE
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def layer_of(module: str) -> int:
    """Return the number of the layer of a module below ``cone.tokens``."""
    for number, names in enumerate(LAYERS):
        if module in names or module.partition(".")[0] in set(names) & PACKAGES:
            return number
    return pytest.fail(f"{module!r} belongs to no layer")


def own_imports(module: str) -> set[str]:
    """Return the modules below ``cone.tokens`` that ``module`` imports."""
    known = set(modules())
    names = {name.removeprefix("cone.tokens.") for name in imports(module) if _is_own(name)}
    return {name if name in known else name.rpartition(".")[0] for name in names}


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


@pytest.mark.parametrize("module", modules())
def test_module_when_it_imports_libraries_then_those_of_its_layer(module):
    if layer_of(module) == 0:
        allowed = set()
    elif module.startswith("core"):
        allowed = CORE_LIBRARIES
    elif module == "session":
        # It opens the host's sessions, and executes nothing.
        allowed = HOST | {"sqlalchemy"}
    elif module in SCHEMA or module.startswith("migrations"):
        allowed = {"alembic", "sqlalchemy"}
    elif module.startswith("cli"):
        allowed = HOST | {"click", "paste"}
    elif module == "ratelimit":
        # It counts with a library made for that.
        allowed = HOST | {"limits", "redis"}
    elif module == "metrics":
        # An optional library.
        allowed = HOST | {"prometheus_client"}
    elif module == "labels":
        # Another one.
        allowed = HOST | {"reportlab"}
    else:
        allowed = HOST
    assert libraries(module) <= allowed


@pytest.mark.parametrize("face", FACES)
def test_face_when_it_imports_then_never_the_other_one(face):
    others = {other for other in FACES if other != face}
    of_face = [module for module in modules() if module.partition(".")[0] == face]
    assert not {name for module in of_face for name in own_imports(module)} & others


def test_sql_when_searched_for_then_it_stands_in_the_core_alone():
    users = {module for module in modules() if "sqlalchemy" in libraries(module)}
    of_schema = {name for name in users if name in SCHEMA or name.startswith("migrations")}
    assert users - of_schema - {"session"} == {
        "core.database",
        "core.lifecycle",
        "core.prepared",
        "core.records",
        "core.service",
        "core.store",
        "core.upkeep",
    }


def test_core_when_the_web_stack_is_missing_then_it_imports():
    blocked = sorted(HOST | {"cone.tile"})
    program = f"""
import sys
for name in {blocked!r}:
    sys.modules[name] = None
import cone.tokens.core.service, cone.tokens.core.params
loaded = [name for name in {blocked!r} if sys.modules[name] is not None]
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", program], check=True)
