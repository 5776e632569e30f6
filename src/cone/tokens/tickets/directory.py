"""The user directory of a site, read without starting the site."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import cone.sql
from cone.app.security import groups_callback
from cone.app.ugm import ugm_backend
from pyramid.authorization import ACLHelper
from pyramid.authorization import Authenticated
from pyramid.authorization import Everyone
from pyramid.request import Request
from pyramid.settings import aslist
from pyramid.threadlocal import manager

from cone.tokens.host.security import VIEW
from cone.tokens.tickets.security import CONSUME
from cone.tokens.tickets.security import TOKENS_ACL


@dataclasses.dataclass(frozen=True, slots=True)
class Losses:
    """Who can do less than under 2.0, where being signed in was enough.

    :ivar view: who can neither view nor consume any more.
    :ivar consume: who can view, and not consume any more.
    :ivar problem: why the directory was not read.
    """

    view: tuple[str, ...] = ()
    consume: tuple[str, ...] = ()
    problem: str | None = None


def find_losses(settings: Mapping[str, str]) -> Losses:
    """Return the users of the site who can do less than under 2.0.

    :param settings: the ini settings of the application.
    """
    try:
        with _opened(settings) as directory:
            rights = {name: _rights(name) for name in sorted(directory.users.keys())}
    except Exception as error:  # noqa: BLE001 - a directory of the site raises what its parts raise
        return Losses(problem=f"{type(error).__name__}: {error}".splitlines()[0])
    return Losses(
        view=tuple(name for name in rights if not rights[name] & {VIEW, CONSUME}),
        consume=tuple(name for name in rights if rights[name] & {VIEW, CONSUME} == {VIEW}),
    )


@contextmanager
def _opened(settings: Mapping[str, str]) -> Iterator[Any]:
    """Return the user directory, as cone.app makes it at a start."""
    for plugin in aslist(settings.get("cone.plugins", "")):
        importlib.import_module(plugin)
    name = settings.get("ugm.backend") or settings.get("cone.auth_impl")
    if not name:
        message = "the site has none"
        raise LookupError(message)
    request = Request.blank("/")
    session = None
    if name == "sql":
        session = cone.sql.SQLSessionFactory(dict(settings), "sql.db.")()
        request.environ[cone.sql.session_key] = session
    manager.push({"request": request, "registry": None})
    try:
        ugm_backend.load(name, settings)
        ugm_backend.initialize()
        yield ugm_backend.ugm
    finally:
        manager.pop()
        if session is not None:
            session.close()
            session.get_bind().dispose()


def _rights(name: str) -> set[str]:
    """Return those permissions of a user that 2.0 gave everybody."""
    request = Request.blank("/")
    request.environ |= manager.get()["request"].environ
    principals = [Everyone, Authenticated, name, *groups_callback(name, request)]
    context = SimpleNamespace(__acl__=TOKENS_ACL, __parent__=None)
    permits = ACLHelper().permits
    return {right for right in (VIEW, CONSUME) if permits(context, principals, right)}
