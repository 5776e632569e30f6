"""Names that ini files, templates, logs and sites use: they stay, wherever the code moves."""

import ast
from importlib.metadata import distribution

import pytest
from pyramid.path import AssetResolver
from pyramid.path import DottedNameResolver

from tests.unit.test_layers import PACKAGE

LOGGERS = {
    "cone.tokens.access",
    "cone.tokens.answers",
    "cone.tokens.browser.settings",
    "cone.tokens.cli",
    "cone.tokens.consumption",
    "cone.tokens.cookie_secret",
    "cone.tokens.core.database",
    "cone.tokens.failures",
    "cone.tokens.find",
    "cone.tokens.keyring",
    "cone.tokens.pipeline",
    "cone.tokens.plugin",
    "cone.tokens.ratelimit",
    "cone.tokens.server",
    "cone.tokens.settings",
    "cone.tokens.signin",
    "cone.tokens.user_backend",
    "cone.tokens.user_files",
}
TILES = {
    "add",
    "add_many",
    "bulk",
    "content",
    "delete",
    "editform",
    "import",
    "labels",
    "loginform",
    "replace_code",
    "reset_inside",
    "statistics",
    "take_back",
    "tokens_failure",
    "tokens_frame",
    "tokens_overview",
    "tokens_sign_in",
}
VIEWS = {
    "",
    "add",
    "add_many",
    "add_token",
    "add_tokens",
    "ajaxaction",
    "bulk",
    "change",
    "consume_found",
    "consume_token",
    "find_tokens",
    "undo_found",
    "undo_use",
    "door_figures",
    "delete",
    "delete_token",
    "delete_tokens",
    "edit",
    "export",
    "import",
    "labels",
    "openapi.json",
    "qr_code",
    "query_token",
    "query_tokens",
    "replace",
    "replace_code",
    "reset_inside",
    "scan",
    "scan_log",
    "scan.webmanifest",
    "statistics",
    "take_back",
    "tokens_overview",
    "update_token",
    "update_tokens",
    "usages",
    "use",
}
PYTHON = {
    "cone.tokens.model.TokenContainer": "tokens",
    "cone.tokens.model.TokenNode": "token",
    "cone.tokens.settings.TokenSettings": "token_settings",
}


#: Where the classes and functions are that these names hand on.
HOMES = {
    "cone.tokens.model.TokenContainer": "cone.tokens.tickets.nodes.TokenContainer",
    "cone.tokens.model.TokenNode": "cone.tokens.tickets.nodes.TokenNode",
    "cone.tokens.model.TokenRecord": "cone.tokens.tickets.records.TokenRecord",
    "cone.tokens.model.TokenUsageRecord": "cone.tokens.tickets.records.TokenUsageRecord",
    "cone.tokens.settings.TokenSettings": "cone.tokens.tickets.settings.TokenSettings",
    "cone.tokens.settings.get_settings_node": "cone.tokens.tickets.settings.get_settings_node",
}


def loggers() -> set[str]:
    """Return the names of all loggers of the package, as its source has them."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        module = ".".join(["cone", "tokens", *(part for part in parts if part != "__init__")])
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "logging.getLogger":
                (name,) = node.args or [ast.Constant(value="")]
                found.add(name.value if isinstance(name, ast.Constant) else module)
    return found - {""}


def test_loggers_when_listed_then_they_have_the_names_that_ini_files_give_levels():
    assert loggers() == LOGGERS


def test_tiles_when_listed_then_they_have_the_names_that_templates_use(wsgi_app):
    tiles = [
        adapter
        for adapter in wsgi_app.next_app.registry.registeredAdapters()
        if adapter.provided.__name__ == "ITile"
        and adapter.factory.__module__.startswith("cone.tokens")
    ]
    assert {tile.name for tile in tiles} == TILES


def test_views_when_listed_then_they_have_the_names_that_links_use(wsgi_app):
    views = wsgi_app.next_app.registry.introspector.get_category("views")
    ours = (view["introspectable"] for view in views)
    names = {
        view["name"]
        for view in ours
        if getattr(view["context"], "__module__", "").startswith("cone.tokens")
    }
    assert names == VIEWS


def test_template_when_an_ini_file_names_it_then_it_is_there():
    assert AssetResolver().resolve("cone.tokens.browser:templates/main.pt").exists()


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("paste.app_factory", "site"),
        ("paste.filter_app_factory", "session"),
        ("paste.server_factory", "server"),
    ],
)
def test_entry_point_when_an_ini_file_uses_it_then_it_loads(group, name):
    (point,) = distribution("cone.tokens").entry_points.select(group=group, name=name)
    assert callable(point.load())


@pytest.mark.parametrize("name", ["JsonFormatter", "LineFormatter"])
def test_formatter_when_an_ini_file_names_it_then_it_is_there(name):
    assert callable(DottedNameResolver().resolve(f"cone.tokens.logs.{name}"))


@pytest.mark.parametrize(("name", "node_info"), PYTHON.items())
def test_node_when_a_site_inherits_from_it_then_it_is_the_class_that_is_registered(
    wsgi_app, name, node_info
):
    kind = DottedNameResolver().resolve(name)
    assert kind.node_info_name == node_info


@pytest.mark.parametrize(("name", "home"), HOMES.items())
def test_name_when_its_code_has_moved_then_it_is_still_the_same_object(name, home):
    resolve = DottedNameResolver().resolve
    assert resolve(name) is resolve(home)
