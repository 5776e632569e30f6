"""Make the pictures of ``docs/pictures`` of a site that ``make demo`` serves.

``python config/pictures.py http://127.0.0.1:8081 PASSWORD``, with the password of ``admin``; needs
Chromium. It adds a few tokens and uses them.
"""

import io
import shutil
import sys
from pathlib import Path
from typing import Any

import pypdfium2
from PIL import Image
from playwright.sync_api import Browser
from playwright.sync_api import Page
from playwright.sync_api import sync_playwright

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
    "device_scale_factor": 2,
}
#: Colours are enough for screens, and a picture takes a third.
COLOURS = 128
PREFIX = "DEMO-"


def main() -> None:
    """Make all pictures."""
    address, password = sys.argv[1:3]
    PICTURES.mkdir(exist_ok=True)
    chromium = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = sign_in(browser, address, password, DESK)
        take_desk(page)
        take_door(sign_in(browser, address, password, PHONE))
        browser.close()


def sign_in(browser: Browser, address: str, password: str, screen: dict[str, Any]) -> Page:
    """Return a page of the administrator."""
    context = browser.new_context(
        base_url=address,
        locale="en-GB",
        reduced_motion="reduce",
        **screen,
    )
    form: dict[str, Any] = {
        "loginform.user": "admin",
        "loginform.password": password,
        "action.loginform.login": "1",
    }
    context.request.post("/login", form=form)
    return context.new_page()


def take_desk(page: Page) -> None:
    """Take the pictures of a desk: list, token, statistics, labels."""
    go(page, f"/tokens/tokens_overview?search={PREFIX}")
    for number in range(2, 5):
        page.locator("[name=uid]").nth(number).check()
    page.evaluate("scrollTo(0, 0)")
    save("list", page.screenshot())
    page.get_by_role("button", name="Labels").click()
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.get_by_label("that match, not only").check()
    page.get_by_role("button", name="Labels").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Make the PDF").click()
    save("labels", first_sheet(download.value.path().read_bytes()))
    uid = page.locator("[name=uid]").nth(3).get_attribute("value")
    go(page, f"/tokens/{uid}")
    save("token", page.screenshot())
    go(page, "/tokens/statistics")
    save("statistics", page.screenshot())


def take_door(page: Page) -> None:
    """Take the pictures of the scan page: a code that is valid, and the same one again."""
    value = "SUMMER-FAIR-2026-0042"
    page.request.post("/tokens/add_token", form={"value": value, "usage_count": "1"})
    for name, kind in (("door-granted", "granted"), ("door-redeemed", "redeemed")):
        go(page, "/tokens/scan")
        page.locator("#value").fill(value)
        page.keyboard.press("Enter")
        page.locator(f"#result[data-kind={kind}]").wait_for()
        save(name, page.screenshot())


def go(page: Page, path: str) -> None:
    """Open a page, and wait for its scripts."""
    page.goto(path)
    page.wait_for_selector("html[data-ready]")


def first_sheet(content: bytes) -> bytes:
    """Return a picture of the first page of a document."""
    document = pypdfium2.PdfDocument(io.BytesIO(content))
    stream = io.BytesIO()
    document[0].render(scale=96 / 72).to_pil().save(stream, "PNG")
    document.close()
    return stream.getvalue()


def save(name: str, content: bytes) -> None:
    """Write a picture, as small as it may be."""
    picture = Image.open(io.BytesIO(content)).convert("RGB").quantize(COLOURS)
    picture.save(PICTURES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
