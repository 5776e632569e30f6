"""Where one can go: what parts put into the navigation, and which part a node belongs to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

from cone.tokens.host import wiring
from cone.tokens.host.nodes import IEntryNode
from cone.tokens.host.nodes import IRowNode
from cone.tokens.host.nodes import ISettingsNode

if TYPE_CHECKING:
    from translationstring import TranslationString


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """A page of a part, below its entry node or its settings.

    :ivar view: name of the view; None: that without a name.
    :ivar permission: who may not do this does not see the link.
    """

    view: str | None
    permission: str
    word: TranslationString


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OnlyPage:
    """The page of those who may see nothing else of a part.

    :ivar is_all: whether that is so for somebody, told whether one has a permission.
    :ivar word: of the link that leads back to it.
    :ivar text: what somebody is told who goes elsewhere.
    """

    view: str
    is_all: Callable[[Callable[[str], object]], bool]
    word: TranslationString
    text: TranslationString


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part in the navigation.

    :ivar entry: name of its entry node.
    :ivar way_back: word of the link that leads to that from elsewhere.
    :ivar settings_of: returns its settings node, for a node of the site.
    """

    entry: str
    word: TranslationString
    way_back: TranslationString
    pages: tuple[Page, ...]
    settings: Page
    settings_of: Callable[[Any], Any]
    only_page: OnlyPage


class Navigation:
    """The sections of the parts of a site, in their order."""

    def __init__(self) -> None:
        self.sections: list[Section] = []

    def is_below_entry(self, path: str) -> bool:
        """Return whether ``path`` leads to an entry node or below."""
        entries = (f"/{section.entry}" for section in self.sections)
        return any(path == entry or path.startswith(f"{entry}/") for entry in entries)


def sections() -> list[Section]:
    """Return the sections of this site."""
    return wiring.get(Navigation).sections


def place_of(model: Any) -> tuple[Section, Any] | None:
    """Return the section and the entry node that ``model`` belongs or leads to."""
    if IEntryNode.providedBy(model) or IRowNode.providedBy(model):
        entry = model if IEntryNode.providedBy(model) else model.__parent__
        return next(((one, entry) for one in sections() if one.entry == entry.__name__), None)
    is_settings = ISettingsNode.providedBy(model)
    name = model.entry if is_settings else model.properties.default_child
    return next(((one, model.root[name]) for one in sections() if one.entry == name), None)
