"""Permissions, roles, and who may ask from where (contract 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import cone.app.security
from cone.app.ugm import ugm_backend
from node.ext.ugm.file import Ugm
from pyramid.authorization import ALL_PERMISSIONS
from pyramid.authorization import Allow
from pyramid.authorization import Deny
from pyramid.authorization import Everyone
from pyramid.httpexceptions import HTTPForbidden

from cone.tokens.i18n import _

if TYPE_CHECKING:
    from pyramid.request import Request

#: See a token, its picture and its usages.
VIEW: Final = "view"
#: See which tokens there are.
LIST: Final = "list"
ADD: Final = "add"
EDIT: Final = "edit"
DELETE: Final = "delete"
#: Take a use of a token.
CONSUME: Final = "consume"
#: Change the settings.
MANAGE: Final = "manage"

#: The role of somebody at a door: looks tokens up and consumes them, and nothing else.
OPERATOR_ROLE: Final = ("token_operator", _("role_token_operator", default="Token operator"))

_EDITOR = [VIEW, LIST, ADD, EDIT, CONSUME]
_ADMIN = [*_EDITOR, DELETE]

TOKENS_ACL: Final = [
    (Allow, "role:viewer", [VIEW, LIST]),
    (Allow, "role:token_operator", [VIEW, CONSUME]),
    (Allow, "role:editor", _EDITOR),
    (Allow, "role:admin", _ADMIN),
    (Allow, "role:manager", _ADMIN),
    (Allow, "role:owner", _ADMIN),
    (Allow, Everyone, ["login"]),
    (Deny, Everyone, ALL_PERMISSIONS),
]

_SAME_SITE: Final = ("same-origin", "none")
_PREVIEW_HEADERS: Final = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
_PREVIEWS: Final = ("prefetch", "prerender", "preview")


def acl_of(node: Any) -> list[tuple[str, str, Any]]:
    """Return the access rules of one of our nodes.

    Nodes ask for it in a property ``__acl__``, so that subclasses have it too: cone.app's
    registry knows exact classes only and gives others an ACL where being signed in grants
    ``view``.
    """
    if not cone.app.security.node_available(node, node.node_info_name):
        return [(Deny, Everyone, ALL_PERMISSIONS)]
    return TOKENS_ACL


def register_operator_role() -> None:
    """Offer the role of the operator where the site lets roles be given."""
    roles = cone.app.security.DEFAULT_ROLES
    if OPERATOR_ROLE not in roles:
        roles.append(OPERATOR_ROLE)


def read_user_files() -> None:
    """Have a user directory in files read before requests come at once.

    It is read when first needed, and what one thread has not read yet another one takes for
    missing: a user would lack the roles.
    """
    directory = ugm_backend.ugm
    if isinstance(directory, Ugm):
        for part in (directory.users, directory.groups, directory.attrs):
            len(part.storage)


class Refused(HTTPForbidden):
    """The caller may do that, but not from there or not that way."""


def refuse_other_sites(request: Request) -> None:
    """Refuse a request that a page of another site made with the caller's cookie.

    :raises Refused: the browser says that it comes from elsewhere.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is None:
        is_foreign = origin is not None and origin != request.host_url
    else:
        is_foreign = site not in _SAME_SITE
    # Who asks is what costs: that comes last.
    if is_foreign and request.authenticated_userid is not None:
        message = "Requests from another site are refused"
        raise Refused(message)


def refuse_previews(request: Request) -> None:
    """Refuse a GET that nobody asked for: browsers fetch links ahead.

    :raises Refused: the request announces itself as a prefetch or a preview.
    """
    if request.method != "GET":
        return
    purposes = (request.headers.get(name, "").lower() for name in _PREVIEW_HEADERS)
    is_preview = any(preview in purpose for purpose in purposes for preview in _PREVIEWS)
    if is_preview and request.authenticated_userid is not None:
        message = "A preview or prefetch does not consume a token"
        raise Refused(message)


def missing_permission(error: HTTPForbidden) -> str | None:
    """Return the name of the permission that ``error`` says is missing."""
    return getattr(error.result, "permission", None)
