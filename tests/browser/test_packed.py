"""The scan page with its scripts and styles as the wheel has them: without what means nothing."""

import re

import pytest
from playwright.sync_api import expect

from cone.tokens.web.resources import STATIC
from tests.browser.conftest import DESKTOP_ONLY
from tests.browser.conftest import answer
from tests.browser.conftest import go
from tests.support.documents import as_built
from tests.support.documents import imported_by
from tests.support.documents import packed

FILE = re.compile(r"/resources/cone-tokens-[0-9a-f]+/(?!vendor/)(.*\.(?:js|css))$")
TYPES = {".js": "text/javascript", ".css": "text/css"}


def serve_packed(page):
    """Have a page load what the wheel has; return what it loaded."""
    served = set()

    def serve(route):
        file = STATIC / FILE.search(route.request.url)[1]
        served.add(file)
        route.fulfill(body=as_built(file).decode(), content_type=TYPES[file.suffix])

    page.route(FILE, serve)
    return served


@DESKTOP_ONLY
@pytest.mark.parametrize("path", ["/tokens/scan", "/tokens"])
def test_page_when_its_files_are_those_of_the_wheel_then_its_scripts_run(open_page, path):
    page = open_page(path)
    served = serve_packed(page)
    go(page, path)
    main = "scan/main.js" if path.endswith("scan") else "page/main.js"
    assert imported_by(STATIC / main) <= served


@DESKTOP_ONLY
def test_door_when_its_files_are_those_of_the_wheel_then_codes_and_names_are_redeemed(
    open_door, add
):
    page = open_door()
    serve_packed(page)
    go(page, "/tokens/scan")
    page.locator("#value").fill(add())
    page.locator("#submit").click()
    answer(page, "granted")
    page.keyboard.press("Escape")
    add(label="Pack Ed")
    page.locator("#value").press_sequentially("pack ed", delay=100)
    page.locator("#finder li button").click()
    expect(answer(page, "granted").locator(".label")).to_have_text("Pack Ed")
    expect(page.locator("#result")).to_have_css("position", "fixed")


SCRIPTS = {
    "a text": ('call("a = b,  c");\n', 'call("a = b,  c");'),
    "a template": ("call(`a = ${ b } : c`, 1);\n", "call(`a = ${ b } : c`,1);"),
    "a pattern": ("const A = /a = b, c/u;\n", "const A = /a = b, c/u;"),
    "a comment behind": ("call(); // a = b\nnext();\n", "call(); // a = b\nnext();"),
    "words": ("if (a) return b;\nelse c();\n", "if(a)return b;else c();"),
    "a block": ("if (a) {\n  b();\n}\n", "if(a){b()}"),
    "a constant": ("const LONG = 1;\ncall(LONG, `${LONG}`);\n", "const $a=1;call($a,`${$a}`);"),
    "a constant of others": ("export const LONG = 1;\n", "export const LONG=1;"),
    "words at line ends": ("static\nasync x() {}\n", "static\nasync x(){}"),
    "signs that would be others": ("a = b + +c - -d;\n", "a=b + +c - -d;"),
    "a private member": (
        "class A {\n  #long = 1;\n  get x() {\n    return this.#long;\n  }\n}\n",
        "class A{#a=1;get x(){return this.#a}}",
    ),
}


@pytest.mark.parametrize(("source", "expected"), SCRIPTS.values(), ids=SCRIPTS)
def test_script_when_it_is_packed_then_what_means_nothing_is_gone(source, expected):
    assert packed(".js", source) == expected


def test_style_when_it_is_packed_then_what_means_nothing_is_gone():
    source = "a,\nb :focus {\n  margin: 0.5rem 10.05em;\n  font: 1rem/1 x,\n    y;\n"
    source += '  content: "a " / "";\n}\n'
    expected = 'a,b :focus{margin:.5rem 10.05em;font:1rem/1 x,y;content:"a " / ""}'
    assert packed(".css", source) == expected


UNPACKABLE = [
    "a(`b\nc`);",
    'class A {\n  #b = "#b";\n}\n',
    'const LONG = 1;\na("LONG");\n',
    "const LONG = 1;\na.LONG();\n",
]


@pytest.mark.parametrize("source", UNPACKABLE)
def test_script_when_it_cannot_be_packed_then_the_build_says_so(source):
    with pytest.raises(ValueError, match=r"b|LONG"):
        packed(".js", source)
