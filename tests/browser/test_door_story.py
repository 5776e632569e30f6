"""An evening at a door: two phones and a desk, a family, a mistake, a smoker, and the figures."""

import contextlib
import dataclasses
import datetime
import json
import sqlite3
import sys
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page
from playwright.sync_api import expect

from tests.browser.conftest import SIZES
from tests.browser.conftest import answer
from tests.browser.conftest import enter
from tests.browser.conftest import go
from tests.browser.conftest import make_room
from tests.browser.conftest import new_context
from tests.browser.conftest import overflow
from tests.browser.conftest import press_offer
from tests.browser.conftest import told
from tests.support.served import Client
from tests.support.served import Served
from tests.support.shell import shell
from tests.support.site import ZONE
from tests.support.site import add_user
from tests.support.site import login_form
from tests.support.site import write_site

CHECKPOINTS = [
    {"name": "Main door", "categories": ["Guest"]},
    {"name": "Terrace", "directions": "in_out"},
    {"name": "Cloakroom", "categories": ["Coat"]},
]
#: Hours of UTC: there is time until midnight, and it is past 6 in the morning.
EVENING, MORNING = 18, 24 + 12
#: Serves a site whose clock is another one: what a file says is added to the time.
SHIFTED = """
import datetime, pathlib, sys
from cone.tokens.core import clock
now, shift = clock.utc_now, pathlib.Path(sys.argv.pop(1))
clock.utc_now = lambda: now() + datetime.timedelta(hours=float(shift.read_text()))
from pyramid.scripts.pserve import main
sys.exit(main())
"""


class ShiftedSite(Served):
    """A site whose clock can be moved."""

    def move_clock(self, hours: float) -> None:
        """Add ``hours`` to the time that it is."""
        self.shift.write_text(f"{hours}")

    @property
    def shift(self) -> Path:
        return self.ini.parent / "shift"

    def command(self) -> list[str]:
        return [sys.executable, "-c", SHIFTED, str(self.shift), str(self.ini), "http_port=0"]


@pytest.fixture
def site(tmp_path) -> Iterator[ShiftedSite]:
    """A site on an evening, with two operators."""
    ini = write_site(tmp_path)
    for name in ("anna", "ben"):
        add_user(tmp_path / "ugm", name, "token_operator")
    (tmp_path / "tokens.json").write_text(json.dumps({"checkpoints": CHECKPOINTS}))
    site = ShiftedSite(ini)
    site.move_clock(_hours_to(EVENING))
    with site:
        yield site


def _hours_to(hour: int) -> float:
    """Return how far the clock is from an hour of the day before yesterday."""
    now = datetime.datetime.now(datetime.UTC)
    midnight = now.replace(hour=0, minute=0, second=0) - datetime.timedelta(days=2)
    return (midnight + datetime.timedelta(hours=hour) - now) / datetime.timedelta(hours=1)


@dataclasses.dataclass
class Device:
    """A scan page, and who uses it."""

    page: Page

    def stand(self, checkpoint: str, direction: str | None = None) -> None:
        """Stand at a checkpoint."""
        self.page.locator("#place select").select_option(label=checkpoint)
        if direction:
            self.page.locator(f"[name=direction][value={direction}]").check()

    def scan(self, code: str, kind: str, word: str) -> Any:
        """Scan a code, and read the big word of the answer."""
        enter(self.page, code)
        return self.reads(kind, word)

    def reads(self, kind: str, word: str) -> Any:
        alert = answer(self.page, kind)
        expect(alert.locator(".word")).to_have_text(word)
        assert overflow(self.page) == 0
        return alert

    def press(self, name: str) -> None:
        """Press a button of the answer, once it takes a press."""
        press_offer(self.page, name)

    def go_on(self) -> None:
        """Let the answer make room."""
        make_room(self.page)


@pytest.fixture
def open_as(browser, site) -> Iterator[Callable[[str, str], Page]]:
    """Return a function that signs a user in on a phone or at a desk, and opens the scan page."""
    contexts = []

    def opened(user: str, size: str) -> Page:
        context = new_context(browser, site.port, size, locale="en-GB", timezone_id="UTC")
        contexts.append(context)
        context.request.post("/login", form=login_form(user))
        page = context.new_page()
        go(page, "/tokens/scan")
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def desk_api(site) -> Client:
    """The API, as the administrator."""
    return site.sign_in()


def add(api: Client, value: str, **fields: Any) -> str:
    """Add a ticket; return its uid."""
    said = api.post("/tokens/add_token", {"value": value, "usage_count": 1, **fields}).json
    assert said["success"], said
    return said["token_uid"]


def figures(desk: Page) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return what the statistics of today say: in all, and by checkpoint."""
    go(desk, "/tokens/statistics?range=today")
    names = desk.locator(".tokens-totals dt").all_inner_texts()
    counts = desk.locator(".tokens-totals dd").all_inner_texts()
    rows = desk.locator("h2:has-text('By checkpoint') + table tbody tr").all()
    by_checkpoint = {
        row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in rows
    }
    return dict(zip(names, counts, strict=True)), by_checkpoint


def log_of(desk: Page, uid: str) -> list[str]:
    """Return the results in the log of a ticket, on its page, newest first."""
    go(desk, f"/tokens/{uid}")
    cells = desk.locator(".tokens-history td:first-of-type")
    return [" ".join(text.split()) for text in cells.all_inner_texts()]


def inside_until(site: Served, uid: str) -> datetime.datetime:
    """Return until when a ticket is inside, on the clocks of the site."""
    with contextlib.closing(sqlite3.connect(site.ini.parent / "tokens.db")) as tables:
        sought = "SELECT inside_until FROM tokens WHERE uid = ?"
        (text,) = tables.execute(sought, (uuid.UUID(uid).hex,)).fetchone()
    utc = datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)
    return utc.astimezone(ZoneInfo(ZONE))


def usages_of(api: Client, uid: str) -> list[dict[str, Any]]:
    """Return the log of a ticket, oldest first."""
    return api.get(f"/tokens/{uid}/usages").json["usages"][::-1]


def a_group_comes_in_parts(anna: Device, ben: Device, desk: Device) -> None:
    """Five on one ticket: two at once, and three who come later to another phone."""
    for device in (anna, ben, desk):
        device.stand("Main door")
    anna.scan("FAMILY", "granted", "Valid")
    anna.press("+1")
    anna.reads("granted", "1 more")
    ben.scan("FAMILY", "granted", "Valid")
    ben.press("All 2")
    ben.reads("granted", "2 more")
    desk.scan("FAMILY", "redeemed", "Already redeemed")
    for device in (anna, ben, desk):
        device.go_on()


def a_wrong_scan_is_taken_back(anna: Device) -> None:
    anna.scan("SINGLE", "granted", "Valid")
    anna.press("Take back")
    anna.reads("undone", "Taken back")
    anna.go_on()


def a_voucher_comes_to_the_wrong_door(anna: Device) -> None:
    anna.scan("COAT-7", "elsewhere", "Not for this door")
    anna.go_on()
    anna.stand("Cloakroom")
    anna.scan("COAT-7", "granted", "Valid")
    anna.go_on()
    anna.stand("Main door")


def a_smoker_comes_back(ben: Device) -> None:
    for direction, kind, word in (
        ("in", "granted", "Valid"),
        ("in", "redeemed", "Already inside"),
        ("out", "left", "Goodbye"),
        ("in", "returned", "Welcome back"),
    ):
        ben.stand("Terrace", direction)
        ben.scan("SMOKER", kind, word)
        ben.go_on()


def somebody_is_let_in_anyway(anna: Device, desk: Device) -> None:
    """By who may, and with a reason."""
    anna.scan("BASS", "refused", "Switched off")
    assert told(anna.page).get_by_role("button", name="Let in anyway").count() == 0
    desk.scan("BASS", "refused", "Switched off")
    desk.press("Let in anyway")
    answer(desk.page, "question")
    desk.page.keyboard.type("Plays in the band", delay=80)
    desk.page.keyboard.press("Enter")
    desk.reads("overridden", "Let in anyway")


def test_evening_when_all_happens_that_does_at_doors_then_each_answer_and_figure_is_right(
    site, open_as, desk_api
):
    assert SIZES["phone"]["viewport"]["width"] == 390
    family = add(desk_api, "FAMILY", usage_count=5, label="The Smiths", category="Guest")
    single = add(desk_api, "SINGLE", label="Wrong One", category="Guest")
    coat = add(desk_api, "COAT-7", label="Coat 7", category="Coat")
    smoker = add(desk_api, "SMOKER", label="Sam", usage_count=2)
    bassist = add(desk_api, "BASS", label="The bassist", category="Guest", enabled="false")
    anna, ben = Device(open_as("anna", "phone")), Device(open_as("ben", "phone"))
    desk = Device(open_as("admin", "desktop"))

    a_group_comes_in_parts(anna, ben, desk)
    a_wrong_scan_is_taken_back(anna)
    a_voucher_comes_to_the_wrong_door(anna)
    a_smoker_comes_back(ben)
    somebody_is_let_in_anyway(anna, desk)

    # The figures of the evening, on the phones and at the desk.
    expect(ben.page.locator("#figures")).to_contain_text("Inside: 1")
    expect(ben.page.locator("#figures")).to_contain_text("Came: 4 of 5")
    in_all, by_checkpoint = figures(desk.page)
    assert in_all == {
        "Granted": "7",
        "Out": "1",
        "Let in anyway": "1",
        "Refused": "5",
        "Inside now": "1",
    }
    assert by_checkpoint == {
        "Cloakroom": ["1", "0", "0", "0"],
        "Main door": ["4", "0", "1", "4"],
        "Terrace": ["2", "1", "0", "1"],
    }

    # Who stays is inside until the next morning, and comes in with another use then.
    assert inside_until(site, smoker).strftime("%H:%M") == "06:00"
    site.move_clock(_hours_to(MORNING))
    ben.scan("SMOKER", "granted", "Valid")

    assert [usage["uses"] for usage in usages_of(desk_api, family)] == [1, 1, 1, 2, 1]
    assert [usage["uses"] for usage in usages_of(desk_api, smoker)] == [1, 1, 0, 0, 1]
    assert [usage["undone_by"] for usage in usages_of(desk_api, single)] == ["anna"]
    assert [usage["error"] for usage in usages_of(desk_api, coat)] == ["wrong_checkpoint", None]
    newest = log_of(desk.page, bassist)[0]
    assert newest == "Let in anyway Main door Reason: Plays in the band"
    assert shell("verify", site.ini)["success"]
