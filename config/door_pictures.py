"""Make pictures of every answer of the scan page, to be looked at.

``python config/door_pictures.py http://127.0.0.1:8081 PASSWORD FOLDER``: phone and desk, both
languages, light and dark, and a sheet of each. The answers are made up here, the server is asked
for the page alone; needs Chromium.
"""

import itertools
import json
import shutil
import sys
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pictures import DESK
from pictures import PHONE
from pictures import sign_in
from PIL import Image
from playwright.sync_api import Page
from playwright.sync_api import Route
from playwright.sync_api import sync_playwright

CODE = "SUMMER-FAIR-2026-0042"
NOW = "2026-11-29T19:05:12+01:00"
BEFORE = "2026-11-29T19:02:10+01:00"
OTHER_DAY = "2026-11-27T08:15:00+01:00"
LATER = "2026-12-24T18:00:00+01:00"
SIZES: Mapping[str, Mapping[str, Any]] = {
    "phone": {**PHONE, "device_scale_factor": 1},
    "desk": DESK,
}

GRANT = {"success": True, "consumed": True, "usage_count": 2}
TOKEN = {"status": "consumable", "usage_count": 1, "last_used": None, "last_user": None}
USED = {"last_used": BEFORE, "last_user": "north door"}


def denied(error: str, **more: object) -> dict[str, object]:
    """Return the answer of a consumption that is refused."""
    return {"success": False, "consumed": False, "error": error, **more}


#: Status and body of the answer to a consumption, and what a look-up tells of the token.
ANSWERS: Mapping[str, tuple[int, object, Mapping[str, object]]] = {
    "granted": (200, {**GRANT, "used_before": {"time": BEFORE, "user": "north door"}}, {}),
    "granted-label": (
        200,
        {**GRANT, "label": "Zoë Example-Montgomery", "category": "VIP", "used_before": None},
        {},
    ),
    "granted-first": (200, {**GRANT, "usage_count": 0, "used_before": None}, {}),
    "granted-read-as": (
        200,
        {**GRANT, "usage_count": -1, "read_as": CODE.lower(), "used_before": None},
        {},
    ),
    "redeemed": (
        200,
        denied("usage_count_exceeded", last_used=BEFORE, last_user="north door"),
        {},
    ),
    "redeemed-other-day": (
        200,
        denied("usage_count_exceeded", last_used=OTHER_DAY, last_user=None),
        {},
    ),
    "used-up": (
        200,
        denied("usage_count_exceeded", last_used=None, last_user=None),
        {"status": "exhausted", "usage_count": 0},
    ),
    "locked": (
        200,
        denied("token_locked", last_used=BEFORE, last_user="north door"),
        {"status": "locked", "locked_until": "2026-11-29T20:02:10+01:00", **USED},
    ),
    "unknown": (404, denied("token_not_exists"), {}),
    "expired": (
        200,
        denied("out_of_time_range"),
        {"status": "expired", "valid_to": OTHER_DAY},
    ),
    "not-yet": (
        200,
        denied("out_of_time_range"),
        {"status": "not_yet_valid", "valid_from": LATER},
    ),
    "disabled": (200, denied("token_disabled"), {"status": "disabled"}),
    "replaced": (200, denied("replaced", last_used=None, last_user=None, label="Ann"), {}),
    "unfinished": (200, denied("unfinished"), {}),
    "signed-out": (401, {}, {}),
    "forbidden": (403, {"message": "Permission consume is missing"}, {}),
    "other-site": (403, {"reason": "other_site"}, {}),
    "conflict": (409, {}, {}),
    "limited": (429, {}, {}),
    "fault": (500, {}, {}),
    "busy": (503, {}, {}),
    "not-possible": (422, {}, {}),
    "no-answer": (200, "<html>", {}),
}


def main() -> None:
    """Make all pictures."""
    address, password, folder = sys.argv[1:4]
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for size, language, scheme in itertools.product(SIZES, ("en", "de"), ("light", "dark")):
            screen = {**SIZES[size], "color_scheme": scheme, "timezone_id": "Europe/Vienna"}
            page = sign_in(browser, address, password, screen)
            name = f"{size}-{language}-{scheme}"
            pictures = take(page, language, path / name)
            sheet(pictures).save(path / f"{name}.png")
            page.context.close()
        browser.close()


def take(page: Page, language: str, path: Path) -> list[Path]:
    """Take all pictures of one screen, in one language and scheme."""
    path.mkdir(exist_ok=True)
    taken: list[Path] = []

    def open_page() -> None:
        page.unroute_all()
        page.clock.set_fixed_time(NOW)
        page.goto(f"/tokens/scan?_LOCALE_={language}")
        page.wait_for_selector("html[data-ready]")

    def shoot(name: str) -> None:
        taken.append(path / f"{name}.png")
        page.screenshot(path=taken[-1])

    open_page()
    shoot("idle")
    for name, (status, body, token) in ANSWERS.items():
        open_page()
        answer(page, status, body, token)
        enter(page)
        page.wait_for_selector("#result.is-big")
        shoot(name)
        if name in {"granted", "redeemed", "unknown", "fault"}:
            page.keyboard.press("Escape")
            shoot(f"{name}-line")
    for name, work in MORE.items():
        open_page()
        work(page)
        shoot(name)
    return taken


def answer(page: Page, status: int, body: object, token: Mapping[str, object]) -> None:
    """Have the server answer so."""
    text = body if isinstance(body, str) else json.dumps(body)
    page.route("**/consume_token", lambda route: route.fulfill(status=status, body=text))
    found = json.dumps({"success": True, "token": {**TOKEN, **token}})
    page.route("**/query_token*", lambda route: route.fulfill(body=found))


def enter(page: Page, value: str = CODE) -> None:
    """Type a code and send it."""
    page.locator("#value").fill(value)
    page.locator("#value").press("Enter")
    # The page waits whether a code follows.
    page.wait_for_timeout(200)


def _question(page: Page) -> None:
    answer(page, 200, {**GRANT, "usage_count": 4, "used_before": None}, {})
    enter(page)
    page.wait_for_selector("#result.is-big")
    page.keyboard.press("Escape")
    enter(page)


def _repeated(page: Page) -> None:
    answer(page, 200, {**GRANT, "usage_count": 0, "used_before": None}, {})
    enter(page)
    page.wait_for_selector("#result.is-big")
    page.keyboard.press("Escape")
    enter(page)


def _checked(page: Page) -> None:
    answer(page, 200, {}, {"usage_count": 3, **USED})
    page.locator("[value=check]").check()
    enter(page)
    page.wait_for_selector("#result.is-big")


def _checked_used_up(page: Page) -> None:
    token = {"status": "exhausted", "usage_count": 0, **USED}
    answer(page, 200, {}, token)
    page.locator("[value=check]").check()
    enter(page)
    page.wait_for_selector("#result.is-big")


def _offline(page: Page) -> None:
    page.route("**/consume_token", lambda route: route.abort())
    enter(page)
    page.wait_for_selector("#result.is-big")


def _line(page: Page) -> None:
    def hold(_route: Route) -> None:
        """Never answer."""

    page.route("**/consume_token", hold)
    for number in range(3):
        enter(page, f"{CODE}-{number}")


def _full(page: Page) -> None:
    _line(page)
    for number in range(3, 11):
        enter(page, f"{CODE}-{number}")


def _declined(page: Page) -> None:
    _question(page)
    page.clock.run_for(1_100)
    enter(page, "ANOTHER-0043")


def _still_unknown(page: Page) -> None:
    answer(page, 500, {}, {})
    enter(page)
    page.wait_for_selector("#result.is-big")
    answer(page, 401, {}, {})
    page.locator("[data-action=retry]").click()
    page.wait_for_selector("[data-action=sign_in]:visible")


def _given_up_untaken(page: Page) -> None:
    answer(page, 401, {}, {})
    enter(page)
    page.wait_for_selector("#result.is-big")
    page.locator("[data-action=give_up]").click()


def _given_up(page: Page) -> None:
    answer(page, 500, {}, {})
    enter(page)
    page.wait_for_selector("#result.is-big")
    page.locator("[data-action=give_up]").click()


def _long(page: Page) -> None:
    answer(page, 200, {**GRANT, "used_before": {"time": BEFORE, "user": "north door"}}, {})
    enter(page, "Grüße aus Wien " * 20)
    page.wait_for_selector("#result.is-big")
    page.locator("#result summary").click()


#: What takes more than one answer.
MORE: Mapping[str, Callable[[Page], None]] = {
    "question": _question,
    "repeated": _repeated,
    "checked": _checked,
    "checked-used-up": _checked_used_up,
    "offline": _offline,
    "line": _line,
    "full": _full,
    "declined": _declined,
    "still-unknown": _still_unknown,
    "given-up-untaken": _given_up_untaken,
    "given-up": _given_up,
    "long": _long,
}


def sheet(paths: list[Path], columns: int = 8) -> Image.Image:
    """Return the pictures side by side, made smaller."""
    pictures = [Image.open(path).convert("RGB") for path in paths]
    width = 240 if pictures[0].width < pictures[0].height else 420
    columns = columns if width < 400 else 4  # noqa: PLR2004 - the wide ones
    height = round(width * pictures[0].height / pictures[0].width)
    rows = -(-len(pictures) // columns)
    whole = Image.new("RGB", (columns * (width + 8), rows * (height + 8)), "#888")
    for number, picture in enumerate(pictures):
        place = ((number % columns) * (width + 8), (number // columns) * (height + 8))
        whole.paste(picture.resize((width, height)), place)
    return whole


if __name__ == "__main__":
    main()
