"""A plugin of cone.app whose views execute the statements: what the host costs without ours."""

from typing import Any

import cone.sql
from cone.app import main_hook
from cone.app import register_entry
from cone.app.model import BaseNode
from pyramid.config import Configurator
from pyramid.events import ApplicationCreated
from pyramid.request import Request

from bench.statements import Statements
from cone.tokens.core.params import find_uid

#: Of the running application.
running: list[Statements] = []


class Container(BaseNode):
    """All tokens."""

    def __getitem__(self, name: str) -> "Item":
        """Return the node of a token."""
        if find_uid(name) is None:
            raise KeyError(name)
        return Item(name=name, parent=self)


class Item(BaseNode):
    """One token."""


def query_token(_context: Container, request: Request) -> Any:
    """Return the token with a value."""
    return {"success": True, "token": running[0].query(request.params["value"])}


def add_token(_context: Container, request: Request) -> Any:
    """Add a token."""
    return {"success": True, "token_uid": running[0].add(request.authenticated_userid)}


def consume_token(context: Item, request: Request) -> Any:
    """Take one use of a token."""
    return running[0].consume(context.name, request.authenticated_userid)


@main_hook
def initialize(config: Configurator, _global_config: object, _settings: object) -> None:
    """Register node and views."""
    register_entry("tokens", Container)
    for view, context in ((query_token, Container), (add_token, Container), (consume_token, Item)):
        options = {"name": view.__name__, "context": context}
        config.add_view(view, permission="view", renderer="json", **options)
    config.add_subscriber(_start, ApplicationCreated)


def _start(_event: ApplicationCreated) -> None:
    running[:] = [Statements(cone.sql.session_factory.engine)]
