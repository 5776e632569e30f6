"""A site that is served, and Debian's Chromium to use it as people do.

Whatever a page asks elsewhere, an answer of 5xx and an error in the console fail the test; one
that provokes such things says so.
"""

import contextlib
import dataclasses
import functools
import json
import os
import re
import secrets
import shutil
import sqlite3
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import BrowserContext
from playwright.sync_api import Page
from playwright.sync_api import Playwright
from playwright.sync_api import expect
from playwright.sync_api import sync_playwright

from cone.tokens.core import codes
from tests.support.scanner import GIVE_TIMES_BACK
from tests.support.scanner import KEEP_TIMES
from tests.support.scanner import Scanner
from tests.support.served import Client
from tests.support.served import Served
from tests.support.site import add_user
from tests.support.site import login_form
from tests.support.site import write_site

HERE = Path(__file__).parent
ARTIFACTS = HERE.parent.parent / "test-artifacts"
AXE = HERE / "vendor" / "axe-core" / "axe.min.js"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CHROMIUM = shutil.which("chromium")
NO_CHROMIUM = "no Chromium: apt-get install chromium"
ADMIN = "admin"
OPERATOR = "door"
PATIENCE_MS = 10_000
#: How long the page waits whether an Enter is followed by a code.
ENTER_MS = 160

SIZES = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "is_mobile": True,
        "has_touch": True,
        "device_scale_factor": 2,
    },
}
PHONE_ONLY = pytest.mark.parametrize("size", ["phone"], indirect=True)
DESKTOP_ONLY = pytest.mark.parametrize("size", ["desktop"], indirect=True)

CONSUME_URL = "**/tokens/consume_token"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=PATIENCE_MS)


class SkippedFile(pytest.Module):
    """A file whose tests are skipped at once: that is told in one line."""

    def collect(self):
        pytest.skip(NO_CHROMIUM, allow_module_level=True)


def pytest_pycollect_makemodule(module_path, parent) -> pytest.Module | None:
    """Skip all tests of this folder where there is no Chromium; in CI they fail."""
    if CHROMIUM or os.environ.get("CI"):
        return None
    return SkippedFile.from_parent(parent, path=module_path)


def pytest_collection_modifyitems(items) -> None:
    """Mark all tests of this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("browser")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Tell the fixtures of a test how it went: they keep a picture of a failure."""
    report = yield
    if report.when == "call":
        item.has_failed = report.failed
    return report


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium."""
    if CHROMIUM is None:
        pytest.fail(NO_CHROMIUM)
    return CHROMIUM


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def launch(chromium, playwright) -> Iterator[Callable[..., Browser]]:
    """Return a function that starts a browser with more arguments."""
    with contextlib.ExitStack() as stack:

        def start(*more: str) -> Browser:
            arguments = [*ARGUMENTS, *more]
            browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
            stack.callback(browser.close)
            return browser

        yield start


@pytest.fixture(scope="session")
def browser(launch) -> Browser:
    return launch()


@pytest.fixture(scope="session")
def served(chromium, tmp_path_factory) -> Iterator[Served]:
    """A site with one user beside the administrator: an operator, and nothing else."""
    folder = tmp_path_factory.mktemp("door")
    ini = write_site(folder, more="cone.main_template = cone.tokens.browser:templates/main.pt")
    add_user(folder / "ugm", OPERATOR, "token_operator")
    with Served(ini) as site:
        yield site


@pytest.fixture
def site_settings(served) -> Iterator[Path]:
    """The settings file of the site, restored after the test."""
    path = served.ini.parent / "tokens.json"
    content = path.read_text()
    yield path
    path.write_text(content)


@pytest.fixture(scope="session")
def address(served) -> str:
    # Browsers take this name for a safe place: cameras work there without https.
    return f"http://localhost:{served.port}"


@pytest.fixture(scope="session")
def signed_in(browser, address) -> Callable[[str], Any]:
    """Return a function that returns the cookies of a user."""

    @functools.cache
    def cookies(user: str) -> Any:
        context = browser.new_context(base_url=address)
        context.request.post("/login", form=login_form(user))
        state = context.storage_state()
        context.close()
        assert state["cookies"]
        return state

    return cookies


@pytest.fixture
def api(served) -> Iterator[Client]:
    """The API, as the administrator."""
    yield served.sign_in()
    served.hang_up()


@pytest.fixture
def add(api) -> Callable[..., str]:
    """Return a function that adds a token and returns its value."""

    def add(value: str | None = None, **fields: Any) -> str:
        value = value or f"ticket-{secrets.token_hex(4)}"
        said = api.post("/tokens/add_token", {"usage_count": 1, **fields, "value": value})
        assert said.json["success"], said.json
        return value

    return add


@pytest.fixture
def token(api) -> Callable[[str], dict[str, Any]]:
    """Return a function that looks a token up."""
    return lambda value: api.get("/tokens/query_token", {"value": value}).json["token"]


@pytest.fixture
def usages(api, token) -> Callable[[str], list[dict[str, Any]]]:
    """Return a function that reads the tries to consume a token, newest first."""
    return lambda value: api.get(f"/tokens/{token(value)['uid']}/usages").json["usages"]


@pytest.fixture(params=SIZES)
def size(request) -> dict[str, Any]:
    """Width and kind of the screen: each test is run on a desk and on a phone."""
    return SIZES[request.param]


@dataclasses.dataclass
class Watch:
    """What must not happen on a page."""

    address: str
    seen: list[str] = dataclasses.field(default_factory=list)
    #: Patterns of what the test provokes.
    provoked: list[str] = dataclasses.field(default_factory=list)

    def follow(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", lambda error: self.seen.append(f"error: {error.error}"))
        context.on("request", self._request)
        context.on("response", self._response)

    @property
    def unexpected(self) -> list[str]:
        return [text for text in self.seen if not any(re.search(p, text) for p in self.provoked)]

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self.seen.append(f"console: {message.text}")

    def _request(self, request: Any) -> None:
        if not request.url.startswith((f"{self.address}/", "data:", "blob:")):
            self.seen.append(f"request: {request.url}")

    def _response(self, response: Any) -> None:
        if response.status >= 500:
            self.seen.append(f"status: {response.status} {response.url}")


def new_context(browser: Browser, port: int, size: str, **options: Any) -> BrowserContext:
    """Return a context at a site of a test's own."""
    address = f"http://localhost:{port}"
    more = {"reduced_motion": "reduce", **SIZES[size], **options}
    context = browser.new_context(base_url=address, **more)
    context.set_default_timeout(PATIENCE_MS)
    return context


@pytest.fixture
def watch(address) -> Watch:
    return Watch(address)


@pytest.fixture
def open_page(request, browser, address, signed_in, watch, size) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a page as a user, and waits for its scripts."""
    contexts: list[BrowserContext] = []

    def opened(
        path: str,
        *,
        user: str = ADMIN,
        script: str = "",
        by: Browser = browser,
        **options: Any,
    ) -> Page:
        context = by.new_context(
            **{
                "base_url": address,
                "storage_state": signed_in(user),
                "reduced_motion": "reduce",
                "locale": "en-GB",
                "timezone_id": "Europe/Vienna",
                **size,
                **options,
            },
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(RECORD)
        if script:
            # Not on the empty page that comes first: it is no safe place, and has no camera.
            context.add_init_script(f"if (navigator.mediaDevices) {{ {script} }}")
        watch.follow(context)
        page = context.new_page()
        go(page, path)
        return page

    yield opened
    if getattr(request.node, "has_failed", False):
        keep_pictures(request.node.name, contexts)
    for context in contexts:
        context.close()
    assert watch.unexpected == []


def go(page: Page, path: str) -> None:
    """Open another page, and wait for its scripts."""
    page.goto(path)
    page.wait_for_selector("html[data-ready]")


@pytest.fixture
def open_door(open_page) -> Callable[..., Page]:
    """Return a function that opens the door page as the operator."""
    return functools.partial(open_page, "/tokens/scan", user=OPERATOR)


@pytest.fixture
def door(open_door) -> Page:
    return open_door()


@pytest.fixture
def timed_door(open_door) -> Page:
    """The scan page, whose clock stands still; the times of its keys are real."""
    page = open_door(script=KEEP_TIMES)
    page.clock.install(time=0)
    page.clock.pause_at(1_000)
    page.evaluate(GIVE_TIMES_BACK)
    return page


@pytest.fixture
def scanner(timed_door) -> Scanner:
    return Scanner(timed_door)


@pytest.fixture(scope="module")
def run(browser, address, signed_in) -> Iterator[Callable[[str, str], Any]]:
    """Return a function that runs a script with a module of the scan page as ``m``."""
    context = browser.new_context(base_url=address, storage_state=signed_in(OPERATOR))
    page = context.new_page()
    go(page, "/tokens/scan")
    base = page.locator("script[type=module]").get_attribute("src").rpartition("/")[0]

    def run(module: str, script: str) -> Any:
        # One function for all: the page forbids to make functions of texts.
        function = f"async (address) => {{ const m = await import(address); {script} }}"
        return page.evaluate(function, f"{base}/{module}.js")

    yield run
    context.close()


#: Records what cannot be seen: vibrations and tones.
RECORD = """
    window.vibrations = [];
    Object.defineProperty(Navigator.prototype, "vibrate", {
        value: (pattern) => window.vibrations.push(pattern),
        configurable: true,
    });
    window.tones = [];
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...times) {
        window.tones.push(this.frequency.value);
        return start.apply(this, times);
    };
"""


def keep_pictures(name: str, contexts: list[BrowserContext]) -> None:
    """Write pictures of the pages of a test that failed."""
    ARTIFACTS.mkdir(exist_ok=True)
    pages = [page for context in contexts for page in context.pages]
    for number, page in enumerate(pages):
        path = ARTIFACTS / f"{re.sub(r'[^a-zA-Z0-9_-]+', '-', name)[:120]}-{number}.png"
        with contextlib.suppress(Exception):
            page.screenshot(path=path)


def violations(page: Page) -> list[str]:
    """Return what axe finds on the whole page."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    options = {"runOnly": AXE_RULES, "resultTypes": ["violations"]}
    found = page.evaluate("(options) => axe.run(document, options)", options)["violations"]
    return [
        f"{rule['id']}: {json.dumps(node['target'])}" for rule in found for node in rule["nodes"]
    ]


def overflow(page):
    """Return how far the page sticks out to the right."""
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


#: Controls and texts that one cannot see whole, side to side.
CLIPPED = """() => [...document.querySelectorAll("button, select, input, a, dd, p, h1, td, th")]
    .filter((element) => element.checkVisibility() && !element.closest(".unseen, .tokens-unseen"))
    .filter((element) => {
        const { left, right, width } = element.getBoundingClientRect();
        return width > 1 && (left < 0 || right > innerWidth + 0.5);
    })
    .map((element) => element.outerHTML)"""


def clipped(page: Page) -> list[str]:
    """Return what sticks out of the screen."""
    return page.evaluate(CLIPPED)


def alert_of(page: Page) -> Any:
    """Return the alert region of the page, not that of a dialog over it."""
    return page.get_by_role("main").get_by_role("alert")


def enter(page: Page, value: str) -> None:
    """Type a value as people do who paste, and send it."""
    page.locator("#value").fill(value)
    page.locator("#value").press("Enter")
    wait(page, ENTER_MS)


def type_by_hand(page: Page, text: str) -> None:
    """Type into the field of the scan page as people do: not evenly."""
    page.locator("#value").focus()
    for number, sign in enumerate(text):
        page.keyboard.type(sign, delay=90 + number * 37 % 90)


def wait(page: Page, milliseconds: int) -> None:
    """Let time go by in a page, also in one whose clock is that of a test."""
    if page.evaluate("'__pwClock' in window"):
        page.clock.run_for(milliseconds)
    else:
        page.evaluate("(ms) => new Promise((done) => setTimeout(done, ms))", milliseconds)


def told(page: Page) -> Any:
    """Return where the scan page shows its answers."""
    return page.locator("#result")


def answer(page: Page, kind: str) -> Any:
    """Wait for an answer of a kind and return where it is."""
    expect(told(page)).to_have_attribute("data-kind", kind)
    return told(page)


def make_room(page: Page) -> None:
    """Let the answer make room, and wait until what it covered can be pressed."""
    page.keyboard.press("Escape")
    expect(page.locator("header")).not_to_have_attribute("inert", "")


def press_offer(page: Page, name: str) -> None:
    """Press a button of the answer once it takes a press."""
    button = told(page).get_by_role("button", name=name)
    expect(button).to_be_enabled()
    button.click()


def store_code(served, uid, code):
    """Write a code as 2.0 did: some are none today."""
    row = (code, codes.digest(code), uuid.UUID(uid).hex)
    with contextlib.closing(sqlite3.connect(served.ini.parent / "tokens.db", timeout=10)) as tables:
        tables.execute("UPDATE tokens SET value = ?, code_digest = ? WHERE uid = ?", row)
        tables.commit()
