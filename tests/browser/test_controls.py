"""Fields and boxes: edges that one sees, room for a thumb, and where they stand."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESKTOP_ONLY
from tests.browser.conftest import OPERATOR
from tests.browser.conftest import PHONE_ONLY
from tests.browser.conftest import go
from tests.browser.contrast import OF_CONTROLS
from tests.browser.contrast import colour_of
from tests.browser.contrast import contrast
from tests.browser.contrast import ground_of

LIST = "/tokens/tokens_overview"
SETTINGS = "/settings/token_settings"
PAGES = [LIST, "/tokens/add", "/tokens/import", "/tokens/statistics", SETTINGS, "/login"]
CONTROLS = (
    "input:not([type=hidden], [type=submit], [type=radio][name=mode]), select, textarea, .modes"
)
SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])
#: Bootstrap's red for a field with a mistake.
RED = (220, 53, 69)
LEAST_BOX = 24


@pytest.fixture(autouse=True)
def _some_tokens(add):
    add()


def show_everything(page):
    """Open what is folded, and take ticks away: a box that is ticked is filled."""
    page.evaluate(
        """() => {
            for (const part of document.querySelectorAll("details")) part.open = true;
            for (const box of document.querySelectorAll(":checked")) box.checked = false;
        }"""
    )


@DESKTOP_ONLY
@SCHEMES
@pytest.mark.parametrize("path", [*PAGES, "/tokens/scan"])
def test_controls_when_a_page_is_shown_then_their_edges_stand_out(open_page, scheme, path):
    user = {"user": OPERATOR} if path == "/tokens/scan" else {}
    page = open_page(path, color_scheme=scheme, **user)
    ground = ground_of(page)
    show_everything(page)
    controls = page.locator(CONTROLS).filter(visible=True).all()
    assert controls
    weak = {
        control.evaluate("(element) => element.outerHTML"): round(found, 2)
        for control in controls
        if (found := contrast(colour_of(control, "borderTopColor"), ground)) < OF_CONTROLS
    }
    assert weak == {}


@DESKTOP_ONLY
def test_controls_when_the_colours_are_forced_then_they_are_the_readers(open_page):
    page = open_page("/tokens/add", forced_colors="active")
    colours = {colour_of(field, "borderTopColor") for field in page.locator(".form-control").all()}
    [colour] = colours
    assert contrast(colour, ground_of(page)) > 7


@DESKTOP_ONLY
def test_field_when_it_has_a_mistake_then_its_edge_is_red(open_page, watch):
    watch.provoked.append("400")
    page = open_page("/tokens/add")
    field = page.get_by_label("Uses left")
    field.fill("-2")
    page.get_by_role("button", name="Add").click()
    expect(page.locator("[aria-invalid=true]")).to_have_count(1)
    assert colour_of(field, "borderTopColor") == RED


@PHONE_ONLY
@pytest.mark.parametrize("path", [LIST, "/tokens/add", SETTINGS])
def test_box_when_a_page_is_shown_on_a_phone_then_a_thumb_hits_it(open_page, path):
    page = open_page(path)
    if path == LIST:
        page.locator("input[name=uid]").first.check()
    boxes = page.get_by_role("main").get_by_role("checkbox").filter(visible=True).all()
    sizes = [box.bounding_box() for box in boxes]
    assert sizes
    assert min(min(size["width"], size["height"]) for size in sizes) >= LEAST_BOX


@DESKTOP_ONLY
@pytest.mark.parametrize("language", ["en", "de"])
def test_settings_when_there_is_room_then_a_range_is_one_line(open_page, language):
    page = open_page("/tokens")
    go(page, f"{SETTINGS}?_LOCALE_={language}")
    row = page.locator(".tokens-group-row").first
    label = row.locator("legend").bounding_box()
    first, last = (field.bounding_box() for field in row.locator("input[type=time]").all())
    assert label["x"] + label["width"] <= first["x"]
    assert label["y"] <= first["y"] + first["height"] / 2 <= label["y"] + label["height"]
    assert first["y"] == last["y"]


SMALL = 390
#: The width of the longest choice of a list, and of the room for it.
WIDTHS_OF_CHOICES = """list => {
  const style = getComputedStyle(list);
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = style.font;
  const texts = [...list.options].map((option) => pen.measureText(option.text).width);
  const padding = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
  return [Math.max(...texts), list.clientWidth - padding];
}"""


@pytest.mark.parametrize("language", ["en", "de"])
def test_settings_when_checkpoints_are_shown_then_no_choice_is_cut_off(open_page, language):
    page = open_page("/tokens")
    go(page, f"{SETTINGS}?_LOCALE_={language}")
    entry = page.locator(".tokens-group-entry").first
    for choices in entry.locator("select").all():
        longest, room = choices.evaluate(WIDTHS_OF_CHOICES)
        assert longest <= room
    boxes = [field.bounding_box() for field in entry.locator(".form-control, .form-select").all()]
    name, categories, direction, hours, sound = boxes
    assert hours["y"] == sound["y"]
    if page.viewport_size["width"] > SMALL:
        assert (name["y"], direction["y"]) == (categories["y"], hours["y"])
        assert direction["y"] > name["y"] + name["height"]


@pytest.mark.parametrize("language", ["en", "de"])
def test_settings_when_kinds_of_codes_are_chosen_then_they_stand_below_what_is_told_of_them(
    open_page, language
):
    page = open_page("/tokens")
    go(page, f"{SETTINGS}?_LOCALE_={language}")
    group = page.locator(".tokens-group-boxes")
    told = group.locator(".form-text").bounding_box()
    boxes = [box.bounding_box() for box in group.get_by_role("checkbox").all()]
    assert len(boxes) == 5
    assert min(box["y"] for box in boxes) >= told["y"] + told["height"]
    assert boxes[0]["x"] == told["x"]
