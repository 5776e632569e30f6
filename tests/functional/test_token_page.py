"""The page of a token: one press uses it or changes it, and every try is told."""

import dataclasses
import datetime
import json
import uuid
import zoneinfo

import pytest

from cone.tokens.browser.quick import button_groups
from cone.tokens.tickets.settings_file import DEFAULTS
from cone.tokens.tickets.values import TicketChanges
from cone.tokens.web.moments import Moments
from tests.functional.test_pages import content
from tests.functional.test_pages import text_of
from tests.support.asking import UNKNOWN_UID
from tests.support.site import ZONE

#: Tries on a page of the history.
PAGE = 20
NOON = datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.UTC)


def open_page(client, token, query=""):
    return client.get(f"/tokens/{token.uid}{query}")


def form_with(page, text):
    """Return the form of the button that says ``text``."""
    for form in page.forms.values():
        button = form.html.find("button")
        if button and button.get_text(strip=True) == text:
            return form
    raise AssertionError(text)


def press(page, text):
    return form_with(page, text).submit().follow()


def pressed(page):
    """Return the texts of the buttons that are pressed."""
    buttons = content(page).find_all("button", attrs={"aria-pressed": "true"})
    return [button.get_text(strip=True) for button in buttons]


def tries(page):
    """Return the rows of the history as texts."""
    rows = content(page).find(class_="tokens-history").find_all("tr")[1:]
    return [[cell.get_text(strip=True) for cell in row.find_all(["td", "th"])] for row in rows]


# One use


def test_use_when_it_is_pressed_then_one_is_taken_and_told(app, make_token, service):
    token = make_token(usage_count=3)
    page = press(open_page(app("token_operator"), token), "Consume now")
    assert service.get(token.uid).usage_count == 2
    assert "One use was taken." in text_of(page)
    [[_time, word, user, left, button]] = tries(page)
    assert (word, left, button) == ("Used", "2", "Take back")
    assert user.startswith("token_operator")


def test_use_when_it_is_pressed_twice_on_one_page_then_it_counts_once(app, make_token, service):
    token = make_token(usage_count=3)
    page = open_page(app("editor"), token)
    for _ in range(2):
        assert "One use was taken." in text_of(press(page, "Consume now"))
    assert service.get(token.uid).usage_count == 2


def test_use_when_it_is_refused_then_the_reason_is_told(app, make_token):
    page = press(open_page(app("editor"), make_token(usage_count=0)), "Consume now")
    assert "The token was refused: Used up" in text_of(page)
    assert [row[1] for row in tries(page)] == ["Used up"]


def test_use_when_an_address_makes_a_receipt_up_then_nothing_is_told(app, make_token):
    page = open_page(app("editor"), make_token(), f"?receipt={uuid.uuid4()}")
    assert "One use was taken." not in text_of(page)


@pytest.mark.parametrize("key", [None, "", "x"])
def test_use_when_the_key_is_missing_then_nothing_is_taken(app, make_token, service, key):
    token = make_token(usage_count=3)
    app("editor").post(f"/tokens/{token.uid}/use", {} if key is None else {"key": key}, status=400)
    assert service.get(token.uid).usage_count == 3


def test_use_when_the_role_may_not_then_there_is_no_button_and_it_is_forbidden(
    app,
    make_token,
    service,
):
    token = make_token(usage_count=3)
    viewer = app("viewer")
    assert "Consume now" not in text_of(open_page(viewer, token))
    viewer.post(f"/tokens/{token.uid}/use", {"key": str(uuid.uuid4())}, status=403)
    assert service.get(token.uid).usage_count == 3


@pytest.mark.parametrize("view", ["use", "change"])
def test_press_when_it_is_a_link_then_405_and_nothing_changes(app, make_token, service, view):
    token = make_token(usage_count=3)
    answer = app("editor").get(f"/tokens/{token.uid}/{view}?usage_count=9", status=405)
    assert answer.headers["Allow"] == "POST"
    assert service.get(token.uid).usage_count == 3


# A change


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [("Morning", "08:00", "12:00"), ("Afternoon", "12:00", "18:00"), ("Today", "08:00", "18:00")],
)
def test_window_when_a_time_range_is_pressed_then_it_is_that_of_today_in_the_zone(
    app,
    make_token,
    service,
    text,
    start,
    end,
):
    token = make_token()
    page = press(open_page(app("editor"), token), text)
    zone = zoneinfo.ZoneInfo(ZONE)
    changed = service.get(token.uid)
    edges = [edge.astimezone(zone) for edge in (changed.valid_from, changed.valid_to)]
    assert [f"{edge:%H:%M}" for edge in edges] == [start, end]
    assert {edge.date() for edge in edges} == {changed.read_at.astimezone(zone).date()}
    assert text in pressed(page)
    assert "The changes were saved." in text_of(page)


def write_ranges(path, *names, start="22:00", end="06:00", **more):
    ranges = [{"name": name, "start": start, "end": end} for name in names]
    path.write_text(json.dumps({"time_ranges": ranges, **more}))


def test_window_when_the_settings_have_own_ranges_then_they_come_after_the_known_ones(
    app,
    make_token,
    settings_path,
):
    # None of them is taken for markup, a template or the key of a translation.
    names = ["<b>Night</b>", "\u202eevil \u05d0", "${value}", "Morning", "W" * 40, "uses_left"]
    write_ranges(settings_path, *names)
    page = open_page(app("editor"), make_token())
    row = content(page).find(class_="tokens-quick").find(class_="tokens-row")
    texts = [button.get_text() for button in row.find_all("button")]
    assert texts == ["Morning", "Afternoon", "Today", *names, "Always"]
    assert not row.find("b")


@pytest.mark.parametrize("name", ["Night", "Morning"])
def test_window_when_a_range_is_over_midnight_then_it_is_a_night_and_pressed(
    app,
    make_token,
    service,
    settings_path,
    name,
):
    times = {"start": "22:00", "end": "06:00"}
    if name == "Morning":
        settings_path.write_text(json.dumps({"morning": times}))
    else:
        write_ranges(settings_path, name)
    token = make_token()
    page = press(open_page(app("editor"), token), name)
    changed = service.get(token.uid)
    opens, closes = (edge.astimezone(zoneinfo.ZoneInfo(ZONE)) for edge in window_of(changed))
    assert [f"{edge:%H:%M}" for edge in (opens, closes)] == ["22:00", "06:00"]
    assert closes.date() - opens.date() == datetime.timedelta(days=1)
    assert changed.read_at < closes
    assert pressed(page)[0] == name


def window_of(token):
    return token.valid_from, token.valid_to


def buttons_of(token, now, *ranges):
    """Return the buttons of the windows as they are at another time, by their text."""
    own = [{"name": text, "start": text[:5], "end": text[6:]} for text in ranges]
    seen = dataclasses.replace(token, read_at=now)
    moments = Moments(zoneinfo.ZoneInfo(ZONE), "en")
    [windows, *_others] = button_groups(seen, moments, {**DEFAULTS, "time_ranges": own})
    return {button.text: button for button in windows.buttons}


SPRING = datetime.datetime(2026, 3, 29, 10, tzinfo=datetime.UTC)
AUTUMN = datetime.datetime(2026, 10, 25, 10, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("now", "text", "opens", "closes"),
    [
        (SPRING, "02:30-04:00", "2026-03-29T03:00+02:00", "2026-03-29T04:00+02:00"),
        (SPRING, "01:00-02:30", "2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00"),
        (SPRING, "02:10-02:50", "2026-03-30T02:10+02:00", "2026-03-30T02:50+02:00"),
        (SPRING, "01:00-04:00", "2026-03-29T01:00+01:00", "2026-03-29T04:00+02:00"),
        (AUTUMN, "01:00-04:00", "2026-10-25T01:00+02:00", "2026-10-25T04:00+01:00"),
        (AUTUMN, "02:30-02:40", "2026-10-25T02:30+02:00", "2026-10-25T02:40+01:00"),
    ],
)
def test_window_when_the_clocks_change_then_a_press_gives_what_they_show_and_it_is_pressed(
    editor,
    make_token,
    service,
    now,
    text,
    opens,
    closes,
):
    token = make_token()
    button = buttons_of(token, now, text)[text]
    assert not button.is_pressed
    editor.post(f"/tokens/{token.uid}/change", button.fields, status=303)
    changed = service.get(token.uid)
    zone = zoneinfo.ZoneInfo(ZONE)
    shown = [edge.astimezone(zone).isoformat(timespec="minutes") for edge in window_of(changed)]
    assert shown == [opens, closes]
    assert buttons_of(changed, now, text)[text].is_pressed


def test_window_when_midnight_passes_then_the_night_stays_pressed_until_it_ends(
    editor,
    make_token,
    service,
):
    token = make_token()
    evening = datetime.datetime(2026, 7, 1, 21, tzinfo=datetime.UTC)
    night = "22:00-06:00"
    button = buttons_of(token, evening, night)[night]
    editor.post(f"/tokens/{token.uid}/change", button.fields, status=303)
    changed = service.get(token.uid)
    hours = {
        hour: buttons_of(changed, evening + datetime.timedelta(hours=hour), night)[night].is_pressed
        for hour in range(9)
    }
    # It is 23:00 then, and 06:00 seven hours later.
    assert hours == {hour: hour < 7 for hour in range(9)}


def test_window_when_always_is_pressed_then_it_is_open(app, make_token, service):
    token = make_token(valid_from=NOON)
    page = press(open_page(app("editor"), token), "Always")
    assert service.get(token.uid).valid_from is None
    assert "Always" in pressed(page)


@pytest.mark.parametrize(("text", "count"), [("1", 1), ("100", 100), ("unlimited", -1)])
def test_uses_when_a_number_is_pressed_then_so_many_are_left(
    app,
    make_token,
    service,
    text,
    count,
):
    token = make_token(usage_count=7)
    page = press(open_page(app("editor"), token), text)
    assert service.get(token.uid).usage_count == count
    assert text in pressed(page)


def test_uses_when_the_token_was_used_meanwhile_then_nothing_is_changed_and_it_is_told(
    app,
    make_token,
    service,
):
    token = make_token(usage_count=7)
    page = open_page(app("editor"), token)
    service.consume(token.uid, by="somebody")
    assert "The token was used meanwhile" in text_of(press(page, "100"))
    assert service.get(token.uid).usage_count == 6


@pytest.mark.parametrize(("text", "before"), [("On", False), ("Off", True)])
def test_switch_when_it_is_pressed_then_the_token_is_so(app, make_token, service, text, before):
    token = make_token(enabled=before)
    page = open_page(app("editor"), token)
    assert text not in pressed(page)
    assert text in pressed(press(page, text))
    assert service.get(token.uid).enabled is not before


@pytest.mark.parametrize(
    "fields",
    [
        {"usage_count": "x"},
        {"usage_count": "1", "shown_usage_count": "x"},
        {"valid_from": "tomorrow"},
        {"enabled": ""},
    ],
)
def test_change_when_a_field_is_wrong_then_400_and_nothing_changes(
    app,
    make_token,
    service,
    fields,
):
    token = make_token(usage_count=3)
    app("editor").post(f"/tokens/{token.uid}/change", fields, status=400)
    assert service.get(token.uid).version == token.version


def test_change_when_the_role_may_not_then_there_are_no_buttons(app, make_token):
    operator = app("token_operator")
    token = make_token()
    assert not content(open_page(operator, token)).find(class_="tokens-quick")
    operator.post(f"/tokens/{token.uid}/change", {"enabled": "0"}, status=403)


# The history


def test_history_when_nobody_tried_then_it_says_so(app, make_token):
    page = open_page(app("viewer"), make_token())
    assert "Nobody has tried to use this token yet." in text_of(page)


def test_history_when_there_were_many_tries_then_it_leads_through_them(app, make_token, service):
    token = make_token(usage_count=PAGE)
    for _ in range(PAGE + 5):
        service.consume(token.uid, by="somebody")
    page = open_page(app("viewer"), token)
    assert [row[1] for row in tries(page)] == ["Used up"] * 5 + ["Used"] * (PAGE - 5)
    older = page.click("Older tries")
    assert [row[3] for row in tries(older)] == [str(left) for left in range(PAGE - 5, PAGE)]
    assert "Older tries" not in text_of(older)
    assert tries(older.click("Newest tries")) == tries(page)


@pytest.mark.parametrize("before", ["x", UNKNOWN_UID])
def test_history_when_its_page_is_wrong_then_it_is_the_newest_with_a_note(
    app,
    make_token,
    service,
    before,
):
    token = make_token()
    service.consume(token.uid, by="somebody")
    page = open_page(app("viewer"), token, f"?before={before}")
    assert "There is no such page of the history." in text_of(page)
    assert len(tries(page)) == 1


def test_history_when_a_name_is_strange_then_it_is_escaped(app, make_token, service):
    token = make_token()
    service.consume(token.uid, by="<script>alert(1)</script>")
    [[_time, _word, user, _left]] = tries(open_page(app("viewer"), token))
    assert user == "<script>alert(1)</script>"


@pytest.mark.parametrize(("language", "word"), [("en", "unlimited"), ("de", "unbegrenzt")])
def test_history_when_the_uses_never_end_then_each_row_says_so(
    app, make_token, service, language, word
):
    token = make_token(usage_count=-1)
    service.consume(token.uid, by="somebody")
    page = open_page(app("viewer"), token, f"?_LOCALE_={language}")
    assert [row[3] for row in tries(page)] == [word]


def test_history_when_the_token_was_disabled_then_the_reason_is_told(app, make_token, service):
    token = make_token()
    service.update(token.uid, TicketChanges(enabled=False), by="somebody")
    service.consume(token.uid, by=None)
    [[_time, word, user, _left]] = tries(open_page(app("viewer"), token))
    assert (word, user) == ("Disabled", "")
