"""A plugin beside ours: a folder with what cone.app offers for one, and views that fail."""

import datetime
import uuid

import cone.app.security
from cone.app import main_hook
from cone.app import register_entry
from cone.app.browser.authoring import ContentAddForm
from cone.app.browser.authoring import ContentEditForm
from cone.app.browser.form import Form
from cone.app.browser.utils import make_url
from cone.app.interfaces import IAuthenticator
from cone.app.model import BaseNode
from cone.app.model import Metadata
from cone.app.model import Properties
from cone.app.model import node_info
from cone.app.security import PrincipalACL
from cone.sql import get_session
from cone.tile import Tile
from cone.tile import tile
from node.utils import UNSET
from plumber import plumbing
from pyramid.httpexceptions import HTTPForbidden
from pyramid.httpexceptions import HTTPNotFound
from pyramid.response import Response
from pyramid.view import view_config
from yafowil.base import factory

from cone.tokens.host.headers import allow
from cone.tokens.tickets.records import TokenUsageRecord

ENTRY = "folder"
SECRET = "inside <script>window.ran = true</script>"
ROLES: dict[str, list[str]] = {}


@node_info(name="folder", title="Folder", addables=["thing"])
@plumbing(PrincipalACL)
class Folder(BaseNode):
    """Things, with roles of principals."""

    principal_roles = ROLES

    @property
    def __acl__(self):
        return cone.app.security.DEFAULT_ACL

    @property
    def properties(self):
        shown = Properties()
        for name in ("in_navtree", "action_up", "action_view", "action_list", "action_add"):
            setattr(shown, name, True)
        shown.action_sharing = True
        return shown

    @property
    def metadata(self):
        about = Metadata()
        about.title = "Folder"
        return about


@node_info(name="thing", title="Thing", addables=[])
class Thing(BaseNode):
    """Something with a title."""

    @property
    def properties(self):
        shown = Properties()
        for name in ("action_up", "action_view", "action_edit", "action_delete", "in_navtree"):
            setattr(shown, name, True)
        return shown

    @property
    def metadata(self):
        about = Metadata()
        about.title = self.attrs.get("title", self.name)
        return about


@tile(name="content", interface=Folder, permission="view")
class FolderTile(Tile):
    """The page of the folder."""

    def render(self):
        return "<h2>Folder</h2>"


@tile(name="content", interface=Thing, permission="view")
class ThingTile(Tile):
    """The page of a thing."""

    def render(self):
        return f"<h2>Thing</h2><p>{self.nodeurl.rpartition('/')[2]}</p>"


class ThingForm(Form):
    """The form of a thing. A title of ``bug`` is one."""

    form_name = "thingform"

    def prepare(self):
        node = self.model if self.action_resource == "edit" else self.model.parent
        props = {"action": make_url(self.request, node=node, resource=self.action_resource)}
        form = factory("form", name=self.form_name, props=props)
        title = self.model.attrs.get("title", UNSET)
        field = {"label": "Title", "required": "No title"}
        form["title"] = factory("field:label:error:text", value=title, props=field)
        button = {"action": "save", "expression": True, "label": "Save"}
        button |= {"handler": self.save, "next": self.next}
        form["save"] = factory("submit", props=button)
        self.form = form

    def save(self, _widget, data):
        title = data.fetch(f"{self.form_name}.title").extracted
        if title == "bug":
            write(self.request)
            raise ZeroDivisionError(SECRET)
        self.model.attrs["title"] = title
        if self.model.name is None:
            parent = self.model.parent
            parent[f"thing{len(parent)}"] = self.model


@tile(name="addform", interface=Thing, permission="add")
@plumbing(ContentAddForm)
class ThingAddForm(ThingForm):
    """Adds a thing."""


@tile(name="editform", interface=Thing, permission="edit")
@plumbing(ContentEditForm)
class ThingEditForm(ThingForm):
    """Changes a thing."""


@tile(name="wrong", interface=Folder, permission="view")
class WrongTile(Tile):
    """A tile that fails with what cone.tile takes for a tile that is missing."""

    def render(self):
        write(self.request)
        return self.request.registry.getUtility(IAuthenticator, SECRET)


def write(request):
    """Write a row of which nothing may be left."""
    session = get_session(request)
    row = TokenUsageRecord(
        uid=uuid.uuid4(),
        token_uid=uuid.uuid4(),
        token_value="of the host",
        timestamp=datetime.datetime.now(datetime.UTC),
        version=1,
    )
    session.add(row)
    session.flush()


@view_config(name="fails", context=Folder)
def fails(_model, request):
    write(request)
    raise ZeroDivisionError(SECRET)


@view_config(name="fails_at_commit", context=Folder)
def fails_at_commit(_model, request):
    def fail():
        raise ZeroDivisionError(SECRET)

    write(request)
    request.tm.get().addBeforeCommitHook(fail)
    return Response("good")


@view_config(name="fails_first", context=Folder)
def fails_first(_model, _request):
    return Response(app_iter=pieces(0))


@view_config(name="fails_later", context=Folder)
def fails_later(_model, _request):
    return Response(app_iter=pieces(2))


def pieces(count):
    for _ in range(count):
        yield b"piece"
    raise ZeroDivisionError(SECRET)


@view_config(name="fails_after", context=Folder)
def fails_after(_model, request):
    request.environ["host_site.fail"] = True
    return Response("good")


def failing_tween(handler, _registry):
    def answer(request):
        response = handler(request)
        if request.environ.get("host_site.fail"):
            raise ZeroDivisionError(SECRET)
        return response

    return answer


@view_config(name="missing", context=Folder)
def missing(_model, _request):
    raise HTTPNotFound(SECRET)


@view_config(name="forbidden", context=Folder)
def forbidden(_model, _request):
    raise HTTPForbidden(SECRET)


@view_config(name="own_policy", context=Folder)
def own_policy(_model, _request):
    return Response("good", headers={"Content-Security-Policy": "default-src 'unsafe-inline'"})


@view_config(name="wider_form", context=Folder)
def wider_form(_model, request):
    allow(request, "form-action", "https://pay.example")
    return Response("good")


@main_hook
def initialize(config, _global_config, _settings) -> None:
    register_entry(ENTRY, Folder)
    config.scan("tests.support.host_site")
    around = {"over": "pyramid_tm.tm_tween_factory", "under": "cone.tokens.answers.site_tween"}
    config.add_tween("tests.support.host_site.failing_tween", **around)
