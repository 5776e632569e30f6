"""A bare Pyramid application that reads the cookie and executes the statements."""

import functools
from typing import Any

from pyramid.authentication import AuthTktCookieHelper
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPForbidden
from pyramid.request import Request
from sqlalchemy import Engine

from bench.statements import Statements

#: What cookies are signed with.
SECRET = "9c1f0b6d4e8a7352c6d1e0f94b7a8235"  # noqa: S105 - guards nothing


#: Who asks.
USER = "desk"


def cookie_helper() -> AuthTktCookieHelper:
    """Return what reads and writes the cookie as cone.app does."""
    return AuthTktCookieHelper(SECRET, hashalg="sha512", http_only=True, wild_domain=False)


@functools.cache
def cookie() -> str:
    """Return the Cookie header of :data:`USER`."""
    request = Request.blank("/", environ={"REMOTE_ADDR": "127.0.0.1"})
    (_name, header), *_more = cookie_helper().remember(request, USER)
    return header.partition(";")[0]


def make_app(engine: Engine) -> Any:
    """Return the WSGI application on the database of ``engine``."""
    statements = Statements(engine)
    helper = cookie_helper()

    def actor(request: Request) -> str:
        identity = helper.identify(request)
        if identity is None:
            raise HTTPForbidden
        return identity["userid"]

    def query_token(request: Request) -> Any:
        actor(request)
        return {"success": True, "token": statements.query(request.params["value"])}

    def add_token(request: Request) -> Any:
        return {"success": True, "token_uid": statements.add(actor(request))}

    def consume_token(request: Request) -> Any:
        return statements.consume(request.matchdict["uid"], actor(request))

    config = Configurator()
    for view, path in (
        (query_token, "/tokens/query_token"),
        (add_token, "/tokens/add_token"),
        (consume_token, "/tokens/{uid}/consume_token"),
    ):
        config.add_route(view.__name__, path)
        config.add_view(view, route_name=view.__name__, renderer="json")
    return config.make_wsgi_app()
