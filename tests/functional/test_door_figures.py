"""The figures of all devices: who is inside, and how many came."""

import dataclasses
import json

import pytest

from cone.tokens.host import wiring
from cone.tokens.tickets import presence
from cone.tokens.tickets.kept_figures import KeptFigures
from cone.tokens.tickets.service import TicketService

CHECKPOINTS = [{"name": "North", "directions": "in_out"}]


@pytest.fixture
def read_anew(app):
    """Have each request read the figures, however soon it comes."""
    figures = KeptFigures(wiring.get(TicketService).door_figures, fresh_s=0)
    kept = wiring.get(KeptFigures)
    wiring.add(figures)
    yield
    wiring.add(kept)


def figures(client):
    said = client.get("/tokens/door_figures").json
    assert said.pop("success")
    return said


def use(client, value, **more):
    return client.post("/tokens/consume_token", {"value": value, **more}).json


@pytest.mark.usefixtures("read_anew")
def test_figures_when_tickets_come_and_go_then_they_tell_it(app, settings_path):
    settings_path.write_text(json.dumps({"checkpoints": CHECKPOINTS}))
    editor = app("editor")
    before = figures(editor)
    for value in ("one", "two", "three"):
        editor.post("/tokens/add_token", {"value": value, "usage_count": 2})
    uses = [use(editor, value, checkpoint="North") for value in ("one", "two")]
    use(editor, "two", checkpoint="North", direction="out")
    changes = {name: count - before[name] for name, count in figures(editor).items()}
    assert changes == {"inside": 1, "came": 2, "total": 3}
    path = f"/tokens/{uses[0]['token_uid']}/undo_use"
    editor.post(path, {"receipt": uses[0]["receipt"]})
    changes = {name: count - before[name] for name, count in figures(editor).items()}
    assert changes == {"inside": 0, "came": 1, "total": 3}


@pytest.mark.usefixtures("read_anew")
def test_figures_when_there_are_too_many_tokens_then_those_inside_alone_are_told(app, monkeypatch):
    editor = app("editor")
    editor.post("/tokens/add_tokens", {"count": 3})
    monkeypatch.setattr(presence, "MOST_COUNTED", 2)
    assert figures(editor) == {"inside": 0, "came": None, "total": None}


def test_figures_when_they_are_asked_for_again_at_once_then_they_are_those_of_before(app):
    editor = app("editor")
    before = figures(editor)
    editor.post("/tokens/add_token", {"value": "later"})
    assert figures(editor) == before


def test_figures_when_they_are_read_then_they_are_those_of_the_service(app):
    told = figures(app("token_operator"))
    assert told == dataclasses.asdict(wiring.get(TicketService).door_figures())
