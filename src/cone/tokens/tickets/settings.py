"""The node of the settings that are edited in the browser, and their file (contract 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

from cone.app import get_root
from cone.app.model import SettingsNode
from cone.app.model import node_info
from zope.interface import implementer

from cone.tokens.host import wiring
from cone.tokens.host.config import TokensConfig
from cone.tokens.host.nodes import ISettingsNode
from cone.tokens.i18n import _
from cone.tokens.tickets.nodes import ENTRY
from cone.tokens.tickets.wiring import current_settings

if TYPE_CHECKING:
    from cone.app.interfaces import IApplicationNode

    from cone.tokens.tickets.settings_file import SettingsFile


@node_info(
    name="token_settings",
    title=_("token_settings_node", default="Token settings"),
    description=_(
        "token_settings_node_description",
        default="Time ranges, defaults of tokens, labels, scan page",
    ),
    icon="bi-qr-code",
)
@implementer(ISettingsNode)
class TokenSettings(SettingsNode):
    """The node of the settings; its form needs the permission ``manage``."""

    place = "settings"
    entry = ENTRY
    category = _("tokens", default="Tokens")

    @property
    def file(self) -> SettingsFile:
        """The file behind the node."""
        return current_settings()

    @property
    def attrs(self) -> Mapping[str, Any]:
        """The settings as they are now, by key; for reading."""
        return self.file.values


def get_settings_node(model: IApplicationNode | None = None) -> TokenSettings:
    """Return the settings node of the site that ``model`` belongs to.

    :raises KeyError: there is none at ``cone.tokens.settings_node_path``.
    """
    node = get_root() if model is None else model.root
    for name in wiring.get(TokensConfig).settings_path:
        node = node[name]
    return node
