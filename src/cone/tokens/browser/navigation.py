"""Tickets in the navigation."""

from __future__ import annotations

from typing import Final

from cone.tokens.host.security import VIEW
from cone.tokens.i18n import _
from cone.tokens.tickets.nodes import ENTRY
from cone.tokens.tickets.nodes import SCAN
from cone.tokens.tickets.security import CONSUME
from cone.tokens.tickets.security import LIST
from cone.tokens.tickets.security import MANAGE
from cone.tokens.tickets.security import only_scans
from cone.tokens.tickets.settings import get_settings_node
from cone.tokens.web.navigation import OnlyPage
from cone.tokens.web.navigation import Page
from cone.tokens.web.navigation import Section

SECTION: Final = Section(
    entry=ENTRY,
    word=_("tokens", default="Tokens"),
    way_back=_("back_to_tokens", default="Back to the tokens"),
    pages=(
        Page(None, VIEW, _("tokens", default="Tokens")),
        Page(SCAN, CONSUME, _("door", default="Scan")),
        Page("statistics", LIST, _("statistics", default="Statistics")),
    ),
    settings=Page(None, MANAGE, _("settings", default="Settings")),
    settings_of=get_settings_node,
    only_page=OnlyPage(
        view=SCAN,
        is_all=only_scans,
        word=_("to_scan_page", default="To the scan page"),
        text=_(
            "failure_only_scans",
            default="You may only scan here. An administrator can change that.",
        ),
    ),
)
