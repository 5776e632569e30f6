"""A million tokens, made once for the run: pages are as small and as handy as with ten.

How long they take is measured by ``make bench-ui``.
"""

import gzip
import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import create_engine

from bench.filling import fill
from cone.tokens.migrations.schema import prepare
from tests.browser.conftest import DESKTOP_ONLY
from tests.browser.conftest import alert_of
from tests.browser.conftest import go
from tests.support.served import Served
from tests.support.site import login_form
from tests.support.site import write_site

TOKENS = 1_000_000
MOST_BYTES, MOST_BYTES_GZIP, MOST_NODES = 120_000, 12_000, 1_000

pytestmark = DESKTOP_ONLY


@pytest.fixture(scope="module")
def served(chromium, tmp_path_factory):
    """A site with a million tokens, whose values are their uids."""
    folder = tmp_path_factory.mktemp("million")
    ini = write_site(folder)
    engine = create_engine(f"sqlite:///{folder}/tokens.db?timeout=30")
    prepare(engine)
    fill(engine, TOKENS)
    engine.dispose()
    with Served(ini) as site:
        yield site


@pytest.fixture(scope="module")
def address(served):
    return f"http://localhost:{served.port}"


@pytest.fixture(scope="module")
def signed_in(browser, address):
    context = browser.new_context(base_url=address)
    context.request.post("/login", form=login_form("admin"))
    state = context.storage_state()
    context.close()
    return lambda _user: state


def values(page):
    return page.locator("tbody th a").all_inner_texts()


def test_list_when_there_are_a_million_then_a_page_is_small(open_page):
    page = open_page("/tokens")
    answer = page.request.get("/tokens/tokens_overview").body()
    assert len(answer) <= MOST_BYTES
    assert len(gzip.compress(answer)) <= MOST_BYTES_GZIP
    assert page.evaluate("document.querySelectorAll('*').length") <= MOST_NODES
    expect(page.locator("caption")).to_contain_text("Tokens: more than 10000.")
    # More than can be changed at once is not offered.
    assert page.locator("[name=all]").count() == 0


def test_list_when_there_are_a_million_then_one_is_found_by_a_part_of_it(open_page):
    page = open_page("/tokens")
    value = values(page)[7]
    page.get_by_role("searchbox").fill(value[9:30].upper())
    page.keyboard.press("Enter")
    page.wait_for_url("**search=*")
    assert value in values(page)
    page.get_by_role("link", name=value).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(value)


def test_list_when_there_are_a_million_then_pages_follow_each_other(open_page):
    page = open_page("/tokens/tokens_overview?sort=value")
    seen = values(page)
    for _ in range(3):
        page.get_by_role("link", name="Next page").click()
        page.wait_for_selector("html[data-ready]")
        page.wait_for_function("(last) => !document.body.innerText.includes(last)", arg=seen[-1])
        seen += values(page)
    assert seen == sorted(seen)
    assert len(set(seen)) == 200


def test_filter_when_none_of_a_million_matches_then_it_says_so(open_page):
    page = open_page("/tokens/tokens_overview?status=expired")
    expect(page.get_by_text("No token matches.")).to_be_visible()


def test_bulk_when_some_of_a_million_match_then_those_change(open_page):
    page = open_page("/tokens")
    start = values(page)[0][:3]
    go(page, f"/tokens/tokens_overview?search={start}&match=prefix")
    count = int(re.search(r"\d+", page.locator("caption strong").inner_text())[0])
    assert 100 < count < 1_000
    page.get_by_label(f"All {count} that match").check()
    page.get_by_role("button", name="Disable").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Type the number of the tokens").fill(str(count))
    dialog.get_by_role("button", name="Disable").click()
    expect(alert_of(page)).to_have_text(f"Tokens disabled: {count}.")
    go(page, f"/tokens/tokens_overview?search={start}&match=prefix&status=disabled")
    expect(page.locator("caption")).to_contain_text(f"Tokens that match: {count}.")
