"""Make pictures of every answer of the scan page, to be looked at.

``python config/door_pictures.py http://127.0.0.1:8081 PASSWORD FOLDER``: phone and desk, both
languages, light and dark, and a sheet of each. The answers are those of ``door_answers``, the
server is asked for the page alone. The settings of the site get a checkpoint. Needs Chromium.
"""

import itertools
import json
import shutil
import sys
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from door_answers import ANSWERS
from door_answers import AT_CHECKPOINT
from door_answers import BEFORE
from door_answers import CODE
from door_answers import GRANT
from door_answers import GUEST
from door_answers import NOW
from door_answers import TOKEN
from door_answers import USED
from door_answers import denied
from pictures import DESK
from pictures import PHONE
from pictures import sign_in
from PIL import Image
from playwright.sync_api import Page
from playwright.sync_api import Route
from playwright.sync_api import sync_playwright

CHECKPOINT = "Terrace of the pictures"
SIZES: Mapping[str, Mapping[str, Any]] = {
    "phone": {**PHONE, "device_scale_factor": 1},
    "desk": DESK,
}


def main() -> None:
    """Make all pictures."""
    address, password, folder = sys.argv[1:4]
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        add_checkpoint(sign_in(browser, address, password, DESK))
        for size, language, scheme in itertools.product(SIZES, ("en", "de"), ("light", "dark")):
            screen = {**SIZES[size], "color_scheme": scheme, "timezone_id": "Europe/Vienna"}
            page = sign_in(browser, address, password, screen)
            name = f"{size}-{language}-{scheme}"
            pictures = take(page, language, path / name)
            sheet(pictures).save(path / f"{name}.png")
            page.context.close()
        browser.close()


def add_checkpoint(page: Page) -> None:
    """Have a checkpoint where people go in and out, for two categories."""
    page.goto("/settings/token_settings")
    names = page.locator("[name^='settingsform.checkpoint_'][name$='_name']")
    if CHECKPOINT in [name.input_value() for name in names.all()]:
        return
    row = f"settingsform.checkpoint_{names.count() - 1}_"
    page.locator(f"[name='{row}name']").fill(CHECKPOINT)
    page.locator(f"[name='{row}categories']").fill("VIP, Guest")
    page.locator(f"[name='{row}directions']").select_option("in_out")
    with page.expect_navigation():
        page.get_by_role("button", name="Save").click()


def take(page: Page, language: str, path: Path) -> list[Path]:
    """Take all pictures of one screen, in one language and scheme."""
    path.mkdir(exist_ok=True)
    taken: list[Path] = []

    def open_page(direction: str | None = None) -> None:
        page.unroute_all()
        if page.url.startswith("http"):
            # What was lost before is another picture.
            page.evaluate("sessionStorage.clear()")
        page.clock.set_fixed_time(NOW)
        page.goto(f"/tokens/scan?_LOCALE_={language}")
        page.wait_for_selector("html[data-ready]")
        choose(page, direction)

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
    for name, (direction, body, token) in AT_CHECKPOINT.items():
        open_page(direction)
        answer(page, 200, body, token)
        enter(page)
        page.wait_for_selector("#result.is-big")
        shoot(name)
        page.keyboard.press("Escape")
        shoot(f"{name}-line")
    for name, work in MORE.items():
        open_page()
        work(page)
        shoot(name)
    return taken


def choose(page: Page, direction: str | None) -> None:
    """Stand at the checkpoint; without a direction at none."""
    place = page.locator("#place select")
    if direction is None:
        place.select_option("none")
    else:
        place.select_option(label=CHECKPOINT)
        page.locator(f"[name=direction][value={direction}]").check()


def press(page: Page, place: str) -> None:
    """Press a button of the answer, once it takes a press."""
    button = page.locator(f".deeds {place}").first
    button.and_(page.locator(":enabled")).click()


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


def _several(page: Page) -> None:
    answer(page, 200, {**GRANT, **GUEST, "usage_count": 4, "used_before": None}, {})
    enter(page)
    page.wait_for_selector("#result.is-big")


def _several_line(page: Page) -> None:
    _several(page)
    page.keyboard.press("Escape")
    page.wait_for_timeout(900)


def _more(page: Page) -> None:
    _several(page)
    before = {"time": NOW, "user": "admin"}
    answer(page, 200, {**GRANT, **GUEST, "uses": 2, "used_before": before}, {})
    press(page, ".counts-more button")
    page.wait_for_selector("#result.is-big .reason")


def _fewer(page: Page) -> None:
    _several(page)
    answer(page, 200, {**denied("not_enough_uses", **GUEST, **USED), "usage_count": 1}, {})
    press(page, ".counts-more button")
    page.wait_for_selector("#result[data-kind=redeemed]")


def _undo(page: Page, status: int, body: object, kind: str) -> None:
    text = json.dumps(body)
    page.route("**/undo_use", lambda route: route.fulfill(status=status, body=text))
    _several(page)
    press(page, "> button")
    page.wait_for_selector(f"#result[data-kind={kind}]")


def _undone(page: Page) -> None:
    _undo(page, 200, {"success": True, "uses": 1, "usage_count": 5}, "undone")


def _not_undone(page: Page) -> None:
    _undo(page, 403, {"success": False, "error": "not_undone", "message": ""}, "noted")


def _override_question(page: Page) -> None:
    choose(page, "in")
    _direction, refused, token = AT_CHECKPOINT["elsewhere"]
    answer(page, 200, refused, token)
    enter(page)
    press(page, "button")
    page.locator(".deeds input").fill("Plays in the band")


def _overridden(page: Page) -> None:
    _override_question(page)
    answer(page, 200, {**GRANT, **GUEST, "usage_count": 0, "uses": 1, "used_before": None}, {})
    page.keyboard.press("Enter")
    page.wait_for_selector("#result[data-kind=overridden]")


def _add_question(page: Page) -> None:
    answer(page, 404, denied("token_not_exists"), {})
    enter(page)
    press(page, "button")
    page.wait_for_selector("#result[data-kind=question]")


def _add_question_of_categories(page: Page) -> None:
    choose(page, "in")
    _add_question(page)


def _added(page: Page) -> None:
    _add_question_of_categories(page)
    page.route("**/add_token", lambda route: route.fulfill(body='{"success": true}'))
    answer(page, 200, {**GRANT, "category": "VIP", "usage_count": 0, "used_before": None}, {})
    press(page, "button")
    page.wait_for_selector("#result[data-kind=granted]")


def _no_checkpoint(page: Page) -> None:
    page.evaluate("localStorage.clear()")
    page.reload()
    page.wait_for_selector("html[data-ready]")
    enter(page)
    page.wait_for_selector("#result.is-big")


def _checkpoint_gone(page: Page) -> None:
    choose(page, "in")
    answer(page, 400, {"success": False, "message": "checkpoint: no such checkpoint"}, {})
    enter(page)
    page.wait_for_selector("#result.is-big")


def _checkpoint_gone_line(page: Page) -> None:
    _checkpoint_gone(page)
    page.keyboard.press("Escape")


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
    "several": _several,
    "several-line": _several_line,
    "more": _more,
    "fewer": _fewer,
    "undone": _undone,
    "not-undone": _not_undone,
    "override-question": _override_question,
    "overridden": _overridden,
    "add-question": _add_question,
    "add-question-of-categories": _add_question_of_categories,
    "added": _added,
    "no-checkpoint": _no_checkpoint,
    "checkpoint-gone": _checkpoint_gone,
    "checkpoint-gone-line": _checkpoint_gone_line,
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
