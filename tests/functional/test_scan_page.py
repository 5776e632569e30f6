"""The scan page and its manifest, as the server answers them; tests/browser uses them."""

import json
import re

import pytest

from cone.tokens.browser.scan_texts import TEXTS
from cone.tokens.core.turns import LONGEST_WAIT_S
from cone.tokens.web.page import SCRIPT_TEXTS
from cone.tokens.web.resources import STATIC
from tests.support.documents import imported_by
from tests.support.documents import weight_of
from tests.support.documents import weight_of_door

ROLES = ["viewer", "token_operator", "editor", "admin", "manager", None]
ALLOWED = {"token_operator", "editor", "admin", "manager"}
PATHS = pytest.mark.parametrize("path", ["/tokens/scan", "/tokens/scan.webmanifest"])

#: What the page may weigh, as it is sent where the site compresses (issue, part 1).
MOST_BYTES = 45_000
#: What is loaded behind that may weigh.
MOST_BYTES_BEHIND = 11_000
MOST_BYTES_WITH_WASM = 520_000


def settings_of(answer):
    return json.loads(answer.html.find(id="door").string)


@PATHS
@pytest.mark.parametrize("role", ROLES)
def test_scan_when_the_role_lacks_the_permission_then_it_is_forbidden(app, path, role):
    answer = app(role).get(path, status="*")
    assert answer.status_int == (200 if role in ALLOWED else 403)
    assert answer.headers["Cache-Control"] == "no-store"
    if role == "viewer":
        assert "You may not redeem codes. An administrator can change that." in answer.text


@PATHS
def test_scan_when_nobody_is_signed_in_then_401_shows_the_form_to_sign_in(anonymous, path):
    answer = anonymous.get(path, status=401)
    assert answer.html.find(attrs={"name": "loginform.user"})


@PATHS
@pytest.mark.parametrize(
    ("method", "status"),
    [("HEAD", 200), ("POST", 405), ("PUT", 405), ("DELETE", 405)],
)
def test_scan_when_the_method_does_not_read_then_it_is_refused(app, path, method, status):
    answer = app("token_operator").request(path, method=method, status=status)
    assert status != 405 or "GET" in answer.headers["Allow"]
    assert not answer.body or status == 405


@pytest.mark.parametrize(
    "path",
    ["/tokens/scan/x", "/tokens/scan.js", "/tokens/00000000-0000-4000-8000-000000000000/scan"],
)
def test_scan_when_there_is_no_such_page_then_404(app, path):
    assert app("token_operator").get(path, status=404)


def test_scan_when_it_is_answered_then_its_headers_keep_others_out(app):
    headers = app("token_operator").get("/tokens/scan").headers
    policy = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert policy["default-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
    assert "camera=(self)" in headers["Permissions-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_scan_when_it_is_read_then_nothing_in_it_needs_what_its_policy_forbids(app):
    page = app("token_operator").get("/tokens/scan").html
    for script in page.find_all("script"):
        assert script.get("src") or script["type"] == "application/json"
    assert not page.find_all("style")
    assert not page.find_all(style=True)
    assert not [tag for tag in page.find_all() if any(name.startswith("on") for name in tag.attrs)]


def test_scan_when_it_names_resources_then_all_are_there_for_everybody(app, anonymous):
    page = app("token_operator").get("/tokens/scan").html
    addresses = [link["href"] for link in page.find_all("link", rel=lambda rel: rel != "manifest")]
    addresses += [script["src"] for script in page.find_all("script", src=True)]
    assert len(addresses) == 4
    for address in addresses:
        assert re.search(r"/resources/cone-tokens-[0-9a-f]{12}/(scan|icons)/", address)
        assert anonymous.get(address).status_int == 200


def test_wasm_when_it_is_asked_for_then_browsers_can_compile_it_as_it_comes(app):
    page = app("token_operator").get("/tokens/scan").html
    base = page.find("script", src=True)["src"].rpartition("/scan/")[0]
    answer = app(None).get(f"{base}/vendor/zxing-wasm/zxing_reader.wasm")
    assert answer.content_type == "application/wasm"


def test_manifest_when_it_is_read_then_the_page_can_be_installed(app, anonymous):
    answer = app("token_operator").get("/tokens/scan.webmanifest")
    assert answer.content_type == "application/manifest+json"
    about = json.loads(answer.body)
    assert about["display"] == "standalone"
    assert about["start_url"] == about["scope"] == "http://localhost/tokens/scan"
    assert {icon["sizes"] for icon in about["icons"]} == {"192x192", "512x512"}
    for icon in about["icons"]:
        assert anonymous.get(icon["src"]).content_type == "image/png"


def test_texts_when_scripts_use_them_then_the_page_has_these_and_no_others():
    scripts = "".join(path.read_text() for path in (STATIC / "scan").glob("*.js"))
    named = set(re.findall(r"(?<!/)texts\.(\w+)", scripts)) - {"js"}
    named |= set(re.findall(r'"(camera_\w+)"', scripts))
    named |= {f"submit_{mode}" for mode in ("consume", "check")}
    named |= {f"{name}_notice" for name in re.findall(r'(?:notice\(|name: )"(\w+)"', scripts)}
    reasons = reasons_of(scripts) | {*failure_names(), "no_answer"} - set(same_for_people(scripts))
    named |= {f"{reason}_word" for reason in reasons}
    # That it is valid goes without saying more.
    named |= {f"{reason}_text" for reason in reasons - {"granted"}}
    named |= {f"{reason}_time" for reason in reasons if f"{reason}_time" in TEXTS}
    assert named == TEXTS.keys()


def reasons_of(scripts):
    """The reasons that answers have: what the server says, what the page itself finds."""
    tables = re.findall(r"const (?:REFUSALS|STATUSES) = {(.*?)}", scripts, re.DOTALL)
    found = {reason for table in tables for reason in re.findall(r': "(\w+)"', table)}
    found |= set(re.findall(r'(?:verdict|reason): (?:isNew \? null : )?"(\w+)"', scripts))
    found |= set(re.findall(r'"(\w+)"', re.search(r"FORBIDDEN = {(.*?)}", scripts)[1]))
    for pair in re.findall(r'reason: \w+ \? "(\w+)" : "(\w+)"', scripts):
        found |= set(pair)
    found |= {f"{asked}_question" for asked in re.findall(r'asked: "(\w+)"', scripts)}
    choices = r"(?:reason|untaken|asked|verdict) = (.*?);"
    for choice in re.findall(choices, scripts, re.DOTALL):
        found |= set(re.findall(r'[?:] "(\w+)"', choice))
    # Told beside the answers, and never.
    return found - {"full", "declined", "answer"}


def test_texts_when_scripts_of_pages_use_them_then_the_page_has_these_and_no_others():
    scripts = "".join(path.read_text() for path in (STATIC / "page").glob("*.js"))
    named = set(re.findall(r"(?<!/)texts\.(\w+)", scripts)) | {*failure_names(), "no_answer"}
    assert named == SCRIPT_TEXTS.keys()


def failure_names():
    """What the scripts call failures."""
    script = (STATIC / "failures.js").read_text()
    table = re.search(r"FAILURES = {(.*?)}", script, re.DOTALL)[1]
    return {*re.findall(r'"(\w+)"', table), "fault", "not_possible"}


def same_for_people(scripts):
    """The failures that the scan page tells like others."""
    return re.findall(r"(\w+):", re.search(r"const SAME = {(.*?)}", scripts)[1])


def test_texts_when_the_language_is_german_then_those_of_scripts_are_german_too(app):
    client = app("token_operator")
    german = client.get("/tokens/scan?_LOCALE_=de")
    assert german.html.html["lang"] == "de"
    english = settings_of(client.get("/tokens/scan?_LOCALE_=en"))
    assert settings_of(german)["lang"] == "de"
    texts = settings_of(german)["texts"]
    assert texts.keys() == english["texts"].keys()
    assert texts["unknown_word"] == "Unbekannter Code"


@pytest.mark.parametrize("sounds", [True, False])
def test_settings_when_the_site_says_whether_it_sounds_then_the_scripts_know(
    app,
    settings_path,
    sounds,
):
    settings_path.write_text(json.dumps({"sounds": sounds}))
    assert settings_of(app("token_operator").get("/tokens/scan"))["sounds"] is sounds


def test_settings_when_the_site_chooses_kinds_of_codes_then_the_scripts_know(app, settings_path):
    assert settings_of(app("token_operator").get("/tokens/scan"))["code_kinds"] == ["qr"]
    settings_path.write_text(json.dumps({"code_kinds": ["code_128", "qr"]}))
    page = app("token_operator").get("/tokens/scan")
    assert settings_of(page)["code_kinds"] == ["code_128", "qr"]


def test_container_when_one_may_consume_then_it_links_to_the_scan_page(app):
    answer = app("token_operator").get("/tokens").click("^Scan$")
    assert answer.request.path == "/tokens/scan"
    assert "/tokens/scan" not in app("viewer").get("/tokens").text


def test_page_when_it_is_sent_compressed_then_it_is_as_light_as_promised(app):
    page = app("token_operator").get("/tokens/scan").body
    first, behind = (imported_by(STATIC / "scan" / name) for name in ("main.js", "more.js"))
    assert set((STATIC / "scan").glob("*.js")) <= first | behind
    light, whole = weight_of_door(page)
    more = weight_of([*(behind - first), STATIC / "scan" / "more.css"])
    print(f"door page: {light} bytes, {more} behind them, with wasm {whole}")
    assert more <= MOST_BYTES_BEHIND
    assert light <= MOST_BYTES
    assert whole <= MOST_BYTES_WITH_WASM


def test_page_when_a_database_is_locked_then_it_waits_until_the_server_says_so():
    script = (STATIC / "scan" / "server.js").read_text()
    [milliseconds] = re.findall(r"const TIMEOUT_MS = ([\d_]+);", script)
    assert int(milliseconds) / 1_000 >= LONGEST_WAIT_S + 2


def read(path):
    return path.read_bytes()
