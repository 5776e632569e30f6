"""Permissions and roles for tickets (contract 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import Final

import cone.app.security
from pyramid.authorization import ALL_PERMISSIONS
from pyramid.authorization import Allow
from pyramid.authorization import Deny
from pyramid.authorization import Everyone

from cone.tokens.host import wiring
from cone.tokens.host.config import TokensConfig
from cone.tokens.host.security import VIEW
from cone.tokens.i18n import _

#: See which tokens there are.
LIST: Final = "list"
ADD: Final = "add"
EDIT: Final = "edit"
DELETE: Final = "delete"
#: Take a use of a token.
CONSUME: Final = "consume"
#: Find tokens by parts of their codes and labels, and take uses of them.
FIND: Final = "find"
#: Let somebody in although a rule refuses it.
OVERRIDE: Final = "override"
#: Change the settings.
MANAGE: Final = "manage"

#: The role of somebody at a door: looks tokens up and consumes them, and nothing else.
OPERATOR_ROLE: Final = ("token_operator", _("role_token_operator", default="Token operator"))

_EDITOR = [VIEW, LIST, ADD, EDIT, CONSUME, FIND, OVERRIDE]
_ADMIN = [*_EDITOR, DELETE]


def _acl(operator: list[str]) -> list[tuple[str, str, Any]]:
    """Return the access rules.

    :param operator: what an operator may; who has another role as well may what that may.
    """
    return [
        (Allow, "role:viewer", [VIEW, LIST]),
        (Allow, "role:token_operator", operator),
        (Allow, "role:editor", _EDITOR),
        (Allow, "role:admin", _ADMIN),
        (Allow, "role:manager", _ADMIN),
        (Allow, "role:owner", _ADMIN),
        (Allow, Everyone, ["login"]),
        (Deny, Everyone, ALL_PERMISSIONS),
    ]


#: By what the settings ``cone.tokens.operators_find`` and ``cone.tokens.operators_override`` say.
_ACLS: Final = {
    (finds, overrides): _acl([VIEW, CONSUME, *[FIND] * finds, *[OVERRIDE] * overrides])
    for finds in (False, True)
    for overrides in (False, True)
}
#: That of a site that says nothing else.
TOKENS_ACL: Final = _ACLS[True, False]


def acl_of(node: Any) -> list[tuple[str, str, Any]]:
    """Return the access rules of one of our nodes.

    Nodes ask for it in a property ``__acl__``, so that subclasses have it too: cone.app's
    registry knows exact classes only and gives others an ACL where being signed in grants
    ``view``.
    """
    if not cone.app.security.node_available(node, node.node_info_name):
        return [(Deny, Everyone, ALL_PERMISSIONS)]
    config = wiring.get(TokensConfig)
    return _ACLS[config.operators_find, config.operators_override]


def register_operator_role() -> None:
    """Offer the role of the operator where the site lets roles be given."""
    roles = cone.app.security.DEFAULT_ROLES
    if OPERATOR_ROLE not in roles:
        roles.append(OPERATOR_ROLE)


def only_scans(may: Callable[[str], object]) -> bool:
    """Return whether somebody consumes tokens at a door and may not see which there are.

    :param may: whether one has a permission on the container.
    """
    return bool(may(CONSUME)) and not may(LIST)
