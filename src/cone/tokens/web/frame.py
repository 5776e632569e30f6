"""The frame of a page: document, header and navigation around one content tile.

``templates/main.pt`` is a main template of cone.app, for all pages of a site. Ours have it
unless the site names a template of its own (docs/decisions/0006).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any
from typing import Final

import cone.app
from cone.app.browser.actions import get_action_context
from cone.app.browser.layout import LogoutAction
from cone.app.browser.layout import MainMenu
from cone.app.browser.layout import PersonalTools
from cone.app.browser.layout import language_names
from cone.app.browser.layout import personal_tools_action
from cone.tile import Tile
from cone.tile import render_tile
from cone.tile import tile
from pyramid.i18n import get_localizer

from cone.tokens.host.nodes import IRowNode
from cone.tokens.host.nodes import ISettingsNode
from cone.tokens.i18n import _
from cone.tokens.web.navigation import Section
from cone.tokens.web.navigation import place_of
from cone.tokens.web.page import Localized
from cone.tokens.web.page import url

_HEADING: Final = re.compile(r"<h1\b[^>]*>(.*?)</h1>", re.DOTALL)
_TAG: Final = re.compile(r"<[^>]*>")


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """A link of a navigation.

    :ivar current: how a screen reader tells that one is there.
    """

    word: object
    url: str
    current: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class LanguageLink:
    """The page in another language."""

    name: str
    word: str
    url: str
    current: str | None


@personal_tools_action(name="logout")
class SignOutAction(LogoutAction):
    """cone.app's link in our word; a site may put one of its own in this place."""

    css = ""
    text = _("sign_out", default="Sign out")


@tile(name="tokens_frame", path="templates/frame.pt", permission=None)
class Frame(Localized, Tile):
    """The document around a content tile."""

    content: str
    #: The part that the page belongs to, and its pages that the user may go to from here.
    section: Section | None
    parts: list[Link]

    def prepare(self) -> None:
        """Render the content: it may change what the frame tells."""
        name = get_action_context(self.request).scope
        self.content = render_tile(self.model, self.request, name)
        place = place_of(self.model)
        self.section = place and place[0]
        self.parts = list(self._parts_of(*place)) if place else []

    @property
    def site_title(self) -> str:
        """Title of the site."""
        return self.model.root.metadata.title

    @property
    def heading(self) -> str:
        """The text of the heading that the content has, escaped as it is there."""
        found = _HEADING.search(self.content)
        return " ".join(_TAG.sub("", found[1]).split()) if found else ""

    @property
    def home_url(self) -> str:
        """Address of the start page."""
        return str(self.request.application_url)

    @property
    def menu(self) -> list[Link]:
        """The host's main menu, where it leads to more than the parts do."""
        items = self._of_host(MainMenu).menuitems
        links = [
            Link(item["title"], item["url"], "true" if item["selected"] else None) for item in items
        ]
        here = self.section and self.section.entry
        leads_elsewhere = any(item["id"] != here for item in items)
        return links if leads_elsewhere or not self.parts else []

    @property
    def user(self) -> str | None:
        """The name of who is signed in."""
        if self.request.authenticated_userid is None:
            return None
        return self._of_host(PersonalTools).user

    @property
    def tools(self) -> list[str]:
        """What the host offers to who is signed in, as markup."""
        return self._of_host(PersonalTools).items

    @property
    def languages(self) -> list[LanguageLink]:
        """The languages of the site, where there is a choice."""
        names = cone.app.cfg.available_languages
        localizer = get_localizer(self.request)
        return [
            LanguageLink(
                name,
                localizer.translate(language_names.get(name, name.upper())),
                f"?_LOCALE_={name}",
                "true" if name == localizer.locale_name else None,
            )
            for name in (names if len(names) > 1 else ())
        ]

    def _of_host(self, kind: Any) -> Any:
        host_tile = kind()
        host_tile.model, host_tile.request = self.model, self.request
        return host_tile

    def _parts_of(self, section: Section, entry: Any) -> Iterator[Link]:
        is_here = self.model is entry or IRowNode.providedBy(self.model)
        views = {page.view for page in section.pages}
        here = self.request.view_name if self.request.view_name in views else None
        for page in section.pages:
            if self.request.has_permission(page.permission, entry):
                current = "page" if is_here and page.view == here else None
                yield Link(page.word, url(self.request, entry, page.view), current)
        node, page = section.settings_of(entry), section.settings
        if self.request.has_permission(page.permission, node):
            current = "page" if ISettingsNode.providedBy(self.model) else None
            yield Link(page.word, url(self.request, node, page.view), current)
