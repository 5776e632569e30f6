"""Which part a node belongs to, and which endpoints there are below it."""

import dataclasses
from types import SimpleNamespace

import pytest
from zope.interface import implementer

from cone.tokens.browser.navigation import SECTION
from cone.tokens.host import wiring
from cone.tokens.host.nodes import IEntryNode
from cone.tokens.host.nodes import IRowNode
from cone.tokens.host.nodes import ISettingsNode
from cone.tokens.json_api import views  # noqa: F401 - declares the endpoints of tickets
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.web.endpoint import endpoints_below
from cone.tokens.web.navigation import Navigation
from cone.tokens.web.navigation import place_of

#: A second part: the shell knows none by name.
PASSES = dataclasses.replace(SECTION, entry="passes")


@implementer(IRowNode)
class Pass:
    def __init__(self, parent):
        self.__parent__ = parent


@implementer(IEntryNode)
class Passes:
    __name__ = "passes"
    row_class = Pass


@implementer(ISettingsNode)
class PassSettings:
    entry = "passes"

    def __init__(self, root):
        self.root = root


class Root(dict):
    def __init__(self, start=None, **nodes):
        super().__init__(nodes)
        self.root = self
        self.properties = SimpleNamespace(default_child=start)


@pytest.fixture(autouse=True)
def navigation(monkeypatch) -> Navigation:
    navigation = Navigation()
    navigation.sections += [SECTION, PASSES]
    monkeypatch.setitem(wiring._running, Navigation, navigation)
    return navigation


def test_place_of_when_a_node_is_of_a_part_then_it_is_that_of_its_entry():
    passes = Passes()
    root = Root(passes=passes)
    for model in (passes, Pass(passes), PassSettings(root), Root("passes", passes=passes)):
        assert place_of(model) == (PASSES, passes)


def test_place_of_when_a_node_is_of_the_host_then_there_is_none():
    assert place_of(Root()) is None
    assert place_of(Root("news", news=object())) is None


def test_place_of_when_the_part_of_a_node_has_no_section_then_there_is_none(navigation):
    navigation.sections.remove(PASSES)
    assert place_of(Passes()) is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/passes", True),
        ("/passes/scan", True),
        ("/tokens/", True),
        ("/passes-of-others", False),
        ("/", False),
    ],
)
def test_paths_when_they_lead_to_an_entry_or_below_then_they_are_of_parts(
    navigation, path, expected
):
    assert navigation.is_below_entry(path) is expected


def test_endpoints_when_they_are_of_another_part_then_they_are_not_below_an_entry():
    assert endpoints_below(Passes) == []
    names = [endpoint.name for endpoint in endpoints_below(TokenContainer)]
    assert names.count("consume_token") == 2
    assert "openapi.json" in names
