"""A site made on an evening: a guest list from a German spreadsheet, its door, and what is left."""

import csv
import io
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import answer
from tests.browser.conftest import enter
from tests.browser.conftest import go
from tests.browser.conftest import new_context
from tests.browser.conftest import type_by_hand
from tests.support.served import Served
from tests.support.shell import shell

GUESTS = 200
NAMES = ("Jürgen Weiß", "Zoë Ångström", "Bärbel Groß", "André Noël")


@pytest.fixture
def site(tmp_path):
    """A site from an empty folder, served; with the password of its administrator."""
    answer = shell("init", tmp_path / "fest", "--timezone", "Europe/Vienna")
    ini = Path(answer["ini"])
    ini.write_text(re.sub(r"(?m)^port = \d+$", "port = 0", ini.read_text()))
    with Served(ini) as served:
        yield served, answer["password"]


def guest_list() -> bytes:
    """Return 200 guests as a German Excel saves them as CSV."""
    out = io.StringIO()
    rows = csv.writer(out, delimiter=";", lineterminator="\r\n")
    rows.writerow(["Code", "Name", "E-Mail", "Kategorie", "Verwendungen", "Gültig bis", "Aktiv"])
    for number in range(GUESTS):
        name = f"{NAMES[number % 4]} {number:03d}"
        address = f"gast{number}@beispiel.at"
        category = "VIP" if number % 10 == 0 else "Gast"
        rows.writerow(
            [f"FEST-{number:04d}", name, address, category, 1, "28.11.2030 18:00", "WAHR"]
        )
    return out.getvalue().encode("cp1252")


def open_site(browser, served, password):
    """Sign in, on a phone whose owner reads German; return the page."""
    at_home = {"locale": "de-AT", "timezone_id": "Europe/Vienna"}
    page = new_context(browser, served.port, "phone", **at_home).new_page()
    page.goto("/")
    page.locator("[name='loginform.user']").fill("admin")
    page.locator("[name='loginform.password']").fill(password)
    page.locator("[name='loginform.password']").press("Enter")
    page.wait_for_selector("html[data-ready]")
    return page


def check_file(page, name: str, content: bytes):
    """Let the page say what is in a file; known tokens are to be changed to that."""
    go(page, "/tokens/import")
    page.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": content}
    )
    page.get_by_label("Es wird geändert").check()
    page.get_by_role("button", name="Prüfen", exact=True).click()
    expect(page.get_by_role("heading", name="Was in der Datei steht")).to_be_visible()
    return page.get_by_role("main")


def export_file(page, button: str = "Exportieren") -> bytes:
    """Return a file with what all tokens have, or with what was scanned."""
    go(page, "/tokens")
    page.locator("#tokens-all").check()
    with page.expect_download() as download:
        page.get_by_role("button", name=button, exact=True).click()
    return Path(download.value.path()).read_bytes()


def find(page, name: str):
    """Type a part of a name at the door; return the one guest who is found."""
    go(page, "/tokens/scan")
    type_by_hand(page, name)
    hits = page.locator("#finder li button")
    expect(hits).to_have_count(1)
    return hits.first


def replace_code(page, code: str) -> str:
    """Replace the code of a token on its page; return the new one."""
    uid = page.request.get(f"/tokens/query_token?value={code}").json()["token"]["uid"]
    go(page, f"/tokens/{uid}")
    page.get_by_role("link", name="Code ersetzen").click()
    page.get_by_role("dialog").get_by_role("button", name="Code ersetzen").click()
    expect(page.get_by_role("main").get_by_role("alert")).to_contain_text("Code")
    found = page.request.get("/tokens/query_tokens", params={"search": "Bärbel 042"}).json()
    return found["tokens"][0]["value"]


def test_guest_list_when_its_owner_has_never_seen_the_software_then_the_evening_goes_well(
    browser, site
):
    served, password = site
    page = open_site(browser, served, password)
    checked = check_file(page, "Gäste.csv", guest_list())
    expect(checked).to_contain_text("Windows-1252")
    expect(checked).to_contain_text("Jürgen Weiß 000")
    checked.get_by_role("button", name="Importieren", exact=True).click()
    expect(checked.get_by_role("alert").first).to_contain_text(f"Neu: {GUESTS}")

    hit = find(page, "angst 161")
    expect(hit).to_contain_text("Zoë Ångström 161")
    expect(hit).to_contain_text("Gültig")
    hit.click()
    expect(answer(page, "granted").locator(".label")).to_have_text("Zoë Ångström 161")

    lost = find(page, "barbel 042")
    expect(lost).to_contain_text("Bärbel Groß 042")
    new_code = replace_code(page, "FEST-0042")
    go(page, "/tokens/scan")
    enter(page, "FEST-0042")
    expect(answer(page, "refused")).to_contain_text("Ersetzt")
    page.keyboard.press("Escape")
    enter(page, new_code)
    expect(answer(page, "granted").locator(".label")).to_have_text("Bärbel Groß 042")

    exported = export_file(page)
    assert exported.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(exported.decode("utf-8-sig")), delimiter=";"))
    assert len(rows) == GUESTS
    checked = check_file(page, "tokens.csv", exported)
    expect(checked).to_contain_text("kein Token würde sich ändern")

    uid = next(row["uid"] for row in rows if row["label"] == "Zoë Ångström 161")
    forgotten = shell("forget", served.ini, "--email", "GAST161@beispiel.at")
    assert forgotten["token_uids"] == [uid]
    assert shell("verify", served.ini)["success"]

    left = export_file(page).decode() + export_file(page, "Scanprotokoll").decode()
    assert "FEST-0161" in left
    assert "gast161" not in left
    assert "Ångström 161" not in left
    go(page, f"/tokens/{uid}")
    expect(page.get_by_role("main")).not_to_contain_text("Ångström")
    go(page, "/tokens/scan")
    type_by_hand(page, "angst 161")
    expect(page.locator("#finder [role=status]")).to_contain_text("nicht")
    assert "Ångström 161" not in served.log
