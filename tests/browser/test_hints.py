"""Hints at the forms of tokens: what is entered makes tokens that cannot be used."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import clipped
from tests.browser.conftest import overflow
from tests.browser.conftest import violations

PAST, FUTURE = "2020-01-01T10:00", "2199-01-01T10:00"


def seen(page):
    return [hint.inner_text() for hint in page.locator(".tokens-hints p:visible").all()]


@pytest.mark.parametrize("path", ["add", "add_many"])
@pytest.mark.parametrize("zone", ["Europe/Vienna", "Pacific/Auckland"])
def test_hints_when_fields_change_then_they_come_and_go(open_page, path, zone):
    page = open_page(f"/tokens/{path}", timezone_id=zone)
    uses = page.locator("[name='tokenform.usage_count']")
    end = page.locator("[name='tokenform.valid_to']")
    enabled = page.locator("[name='tokenform.enabled']")
    assert seen(page) == []
    uses.fill("0")
    expect(page.get_by_text("Cannot be redeemed: 0 uses.")).to_be_visible()
    end.fill(PAST)
    enabled.uncheck()
    assert len(seen(page)) == 3
    assert (overflow(page), clipped(page), violations(page)) == (0, [], [])
    uses.fill("")
    end.fill(FUTURE)
    enabled.check()
    assert seen(page) == []
    uses.fill("-1")
    assert seen(page) == []


def test_hints_when_the_default_is_no_use_then_an_empty_field_means_that(
    open_page,
    site_settings,
):
    site_settings.write_text("{}")
    page = open_page("/tokens/add")
    assert seen(page) == ["Cannot be redeemed: 0 uses."]
    page.locator("[name='tokenform.usage_count']").fill("2")
    assert seen(page) == []
    page.locator("[name='tokenform.usage_count']").fill("")
    assert seen(page) == ["Cannot be redeemed: 0 uses."]
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("Cannot be redeemed: 0 uses.")


def test_hints_when_it_is_a_minute_ago_in_the_zone_of_the_site_then_it_is_over(open_page):
    # The reader is half a day ahead of the site.
    page = open_page("/tokens/add", timezone_id="Pacific/Auckland")
    now = page.evaluate(
        """() => new Intl.DateTimeFormat("sv-SE", {timeZone: "Europe/Vienna", dateStyle: "short",
            timeStyle: "medium"}).format(new Date(Date.now() - 60_000)).replace(" ", "T")""",
    )
    end = page.locator("[name='tokenform.valid_to']")
    end.fill(now)
    assert seen(page) == ["Cannot be redeemed: its validity has ended."]
