"""The addresses of the pages.

cone.app has views of these names for every node. They show tracebacks for some parameters, and
are never reached below our nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from pyramid.httpexceptions import HTTPMethodNotAllowed
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.view import view_config

from cone.tokens.browser import add_many
from cone.tokens.browser import bulk
from cone.tokens.browser import import_attempt
from cone.tokens.browser import imports
from cone.tokens.browser import quick
from cone.tokens.browser.add_many import ADD_MANY
from cone.tokens.browser.bulk import BULK
from cone.tokens.browser.export import EXPORT
from cone.tokens.browser.export import SCAN_LOG
from cone.tokens.browser.export import export_response
from cone.tokens.browser.history import RECEIPT
from cone.tokens.browser.labels import LABELS
from cone.tokens.browser.labels import labels_response
from cone.tokens.browser.list_state import OVERVIEW
from cone.tokens.browser.statistics import STATISTICS
from cone.tokens.browser.token import REPLACE_CODE
from cone.tokens.browser.token import token_of
from cone.tokens.core.errors import TokenChanged
from cone.tokens.core.params import collect
from cone.tokens.host import wiring
from cone.tokens.host.request_data import FORMS
from cone.tokens.host.request_data import pairs
from cone.tokens.host.security import VIEW
from cone.tokens.tickets.consumption import guarded
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.nodes import TokenNode
from cone.tokens.tickets.security import ADD
from cone.tokens.tickets.security import CONSUME
from cone.tokens.tickets.security import DELETE
from cone.tokens.tickets.security import EDIT
from cone.tokens.tickets.security import LIST
from cone.tokens.tickets.security import MANAGE
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.settings import TokenSettings
from cone.tokens.tickets.values import REPLACE
from cone.tokens.tickets.wiring import current_parser
from cone.tokens.web.once import KEY
from cone.tokens.web.once import key_of
from cone.tokens.web.page import render_page
from cone.tokens.web.page import url

if TYPE_CHECKING:
    from pyramid.request import Request
    from pyramid.response import Response


@view_config(context=TokenContainer, permission=VIEW)
def container_page(model: TokenContainer, request: Request) -> Response:
    """Show where to look a token up, and the list to those who may see it."""
    return render_page(model, request, "content")


@view_config(name=OVERVIEW, context=TokenContainer, permission=LIST)
def overview_page(model: TokenContainer, request: Request) -> Response:
    """Show the list of tokens."""
    return render_page(model, request, OVERVIEW)


@view_config(name=BULK, context=TokenContainer, permission=LIST)
def bulk_page(model: Any, request: Request) -> Response:
    """Ask whether to change many tokens; a POST that is confirmed is the answer yes."""
    if request.method != "POST":
        return HTTPSeeOther(url(request, model, OVERVIEW))
    following = bulk.answer(model, request)
    return HTTPSeeOther(following) if following else render_page(model, request, BULK)


@view_config(name=EXPORT, context=TokenContainer, permission=LIST)
@view_config(name=SCAN_LOG, context=TokenContainer, permission=LIST)
def export_file(model: TokenContainer, request: Request) -> Response:
    """Return the tokens that the list means, or the log of their uses, as a file."""
    return export_response(model, request)


@view_config(
    name=imports.IMPORT,
    context=TokenContainer,
    permission=ADD,
    allowance=import_attempt.ALLOWANCE,
)
def import_page(model: TokenContainer, request: Request) -> Response:
    """Ask for a CSV file and tell what is in it; a POST of what was told imports it."""
    following = imports.answer(model, request)
    return HTTPSeeOther(following) if following else render_page(model, request, imports.IMPORT)


@view_config(name="add", context=TokenContainer, permission=ADD)
def add_page(model: TokenContainer, request: Request) -> Response:
    """Show the form of a new token, or add it."""
    return render_page(model, request, "add")


@view_config(name=ADD_MANY, context=TokenContainer, permission=ADD)
def add_many_page(model: Any, request: Request) -> Response:
    """Show the form of many new tokens, or add them."""
    if add_many.FIRST in request.GET:
        return HTTPSeeOther(add_many.list_url(model, request))
    page = render_page(model, request, ADD_MANY)
    return add_many.answer_to_script(request) or page


@view_config(name=STATISTICS, context=TokenContainer, permission=LIST)
def statistics_page(model: TokenContainer, request: Request) -> Response:
    """Show how often tokens were consumed and refused."""
    return render_page(model, request, STATISTICS)


@view_config(name=LABELS, context=TokenContainer, permission=LIST)
@view_config(name=LABELS, context=TokenNode, permission=VIEW)
def labels_page(model: Any, request: Request) -> Response:
    """Show the options of labels, or return the document."""
    return labels_response(model, request) or render_page(model, request, LABELS)


@view_config(context=TokenNode, permission=VIEW)
def token_page(model: TokenNode, request: Request) -> Response:
    """Show a token."""
    return render_page(model, request, "content")


@view_config(name="edit", context=TokenNode, permission=EDIT)
def edit_page(model: TokenNode, request: Request) -> Response:
    """Show the form of a token, or change it."""
    return render_page(model, request, "editform")


@view_config(name="change", context=TokenNode, permission=EDIT)
def change_token(model: Any, request: Request) -> Response:
    """Change what a button of the page of a token gives, and show the page."""
    _require_post(request)
    token = token_of(model)
    fields = collect(pairs(request, FORMS), quick.PARAMETERS)
    shown = fields.pop(quick.SHOWN.name, None)
    expected = None if shown is None else quick.parse_shown(shown)
    changes = current_parser().changes(fields)
    try:
        wiring.get(TicketService).update(
            token.uid,
            changes,
            by=wiring.actor(request),
            expected_usage_count=expected,
        )
    except TokenChanged:
        return HTTPSeeOther(url(request, model, query="?meanwhile=1"))
    return HTTPSeeOther(url(request, model, query="?saved=1"))


@view_config(name="use", context=TokenNode, permission=CONSUME)
def use_token(model: Any, request: Request) -> Response:
    """Take one use of a token, and show its page."""
    _require_post(request)
    token = token_of(model)
    raw = collect(pairs(request, FORMS), [KEY]).get(KEY.name)
    key = key_of(request, raw, "consume_token", {"uid": str(token.uid)})
    service, by = wiring.get(TicketService), wiring.actor(request)
    outcome = guarded(request, lambda: service.consume(token.uid, by=by, key=key))
    return HTTPSeeOther(url(request, model, query=f"?{RECEIPT}={outcome.receipt}"))


@view_config(name=REPLACE_CODE, context=TokenNode, permission=EDIT)
def replace_page(model: Any, request: Request) -> Response:
    """Ask whether to replace the code of a token; a POST is the answer yes."""
    if request.method != "POST":
        return render_page(model, request, REPLACE_CODE)
    uid = token_of(model).uid
    raw = collect(pairs(request, FORMS), [KEY]).get(KEY.name)
    key = key_of(request, raw, REPLACE, {"uid": str(uid)})
    wiring.get(TicketService).replace(uid, by=wiring.actor(request), key=key)
    return HTTPSeeOther(url(request, model, query="?replaced=1"))


@view_config(name="delete", context=TokenNode, permission=DELETE)
def delete_page(model: Any, request: Request) -> Response:
    """Ask whether to delete a token; a POST is the answer yes."""
    if request.method != "POST":
        return render_page(model, request, "delete")
    wiring.get(TicketService).delete(token_of(model).uid, by=wiring.actor(request))
    container = model.parent
    view = OVERVIEW if request.has_permission(LIST, container) else None
    return HTTPSeeOther(url(request, container, view, "?deleted=1"))


def _require_post(request: Request) -> None:
    if request.method != "POST":
        raise HTTPMethodNotAllowed(headers={"Allow": "POST"})


@view_config(context=TokenSettings, permission=MANAGE)
@view_config(name="edit", context=TokenSettings, permission=MANAGE)
def settings_page(model: TokenSettings, request: Request) -> Response:
    """Show the form of the settings, or change them."""
    return render_page(model, request, "editform")
