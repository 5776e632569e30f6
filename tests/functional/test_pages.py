"""The pages, through the whole stack: who sees what, what forms do, what failures look like."""

import datetime
import json
import re
import uuid

import pytest

from cone.tokens.core.errors import Unavailable
from cone.tokens.host import wiring
from cone.tokens.host.config import TokensConfig
from cone.tokens.tickets.wiring import current_settings
from tests.support.factories import new_token

HTML = "<script>alert(1)</script>&amp;\"'"
RIGHT_TO_LEFT = "\u202eevil\u2066 \u05e9\u05dc\u05d5\u05dd"
EMOJI = "\N{FAMILY}\N{ZERO WIDTH JOINER}\N{TICKET}"
LONG = "\N{TICKET}" * 512
INNER = "inner matters"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def utc(*fields):
    return datetime.datetime(*fields, tzinfo=datetime.UTC)


def content(answer):
    """The element that our tiles fill."""
    return answer.html.find(id="content")


def text_of(answer):
    return " ".join(content(answer).get_text(" ").split())


def form_of(answer, action):
    """The form that is sent to a view."""
    return next(
        form for form in answer.forms.values() if form.action.partition("?")[0].endswith(action)
    )


def mistake_at(answer, name):
    """The text of the mistake at a field."""
    field = answer.html.find(attrs={"name": name, "id": True})
    mistake = answer.html.find(id=f"{field['id']}-mistake")
    assert field["aria-invalid"] == "true"
    return " ".join(mistake.get_text().split())


def sent(**fields):
    """What a browser sends for the form of a token."""
    texts = {
        "value": "",
        "valid_from": "",
        "valid_to": "",
        "usage_count": "1",
        "lock_time": "0",
        "enabled": "true",
        "key": str(uuid.uuid4()),
        **fields,
    }
    form = {f"tokenform.{name}": text for name, text in texts.items() if text is not None}
    return {**form, "action.tokenform.save": "Save"}


# --- who sees what ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/tokens", {"viewer", "token_operator", "editor", "admin", "manager"}),
        ("/tokens/tokens_overview", {"viewer", "editor", "admin", "manager"}),
        ("/tokens/add", {"editor", "admin", "manager"}),
        ("/tokens/export", {"viewer", "editor", "admin", "manager"}),
        ("/tokens/scan_log", {"viewer", "editor", "admin", "manager"}),
        ("/tokens/import", {"editor", "admin", "manager"}),
        ("/tokens/{uid}", {"viewer", "token_operator", "editor", "admin", "manager"}),
        ("/tokens/{uid}/edit", {"editor", "admin", "manager"}),
        ("/tokens/{uid}/delete", {"admin", "manager"}),
        ("/settings/token_settings", {"manager"}),
        ("/settings/token_settings/edit", {"manager"}),
    ],
)
@pytest.mark.parametrize(
    "role",
    ["viewer", "token_operator", "editor", "admin", "manager", None],
)
def test_page_when_the_role_lacks_the_permission_then_it_is_forbidden(
    app,
    make_token,
    path,
    allowed,
    role,
):
    path = path.format(uid=make_token().uid)
    answer = app(role).get(path, status="*")
    assert answer.status_int == (200 if role in allowed else 403)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    ["/tokens", "/tokens/tokens_overview", "/tokens/add", f"/tokens/{UNKNOWN}", "/tokens/x"],
)
def test_page_when_nobody_is_signed_in_then_401_shows_the_form_to_sign_in(anonymous, path):
    status = 404 if path.endswith("/x") else 401
    answer = anonymous.get(path, status=status)
    if status == 401:
        assert answer.headers["WWW-Authenticate"]
        assert form_of(answer, "/login")["loginform.user"].value == ""


def test_sign_in_page_when_the_request_brings_a_login_along_then_nobody_is_signed_in(anonymous):
    form = {"loginform.user": "admin", "loginform.password": "secret", "action.loginform.login": 1}
    answer = anonymous.post("/tokens/add", form, status=401)
    assert "Set-Cookie" not in answer.headers


def test_forbidden_page_when_a_permission_is_missing_then_it_says_what_one_may_not(app):
    answer = app("viewer").get("/tokens/add", status=403)
    assert "You may not add tokens. An administrator can change that." in text_of(answer)


@pytest.mark.parametrize(
    ("role", "language", "text", "link"),
    [
        (
            "token_operator",
            "en",
            "You may only scan here. An administrator can change that.",
            ("/tokens/scan", "To the scan page"),
        ),
        (
            "token_operator",
            "de",
            "Hier dürfen Sie nur scannen. Das kann die Administration ändern.",
            ("/tokens/scan", "Zur Scan-Seite"),
        ),
        (
            "viewer",
            "en",
            "You may not change the settings. An administrator can change that.",
            ("/tokens", "Back to the tokens"),
        ),
    ],
)
def test_forbidden_page_when_one_may_go_on_somewhere_then_it_leads_there(
    app, role, language, text, link
):
    answer = app(role).get(f"/settings/token_settings?_LOCALE_={language}", status=403)
    assert text in text_of(answer)
    [way_on] = answer.html.main.find_all("a", class_="btn")
    path, word = link
    assert (way_on["href"], way_on.string) == (f"http://localhost{path}", word)


def test_forbidden_page_when_one_may_only_scan_then_another_site_is_told_of_all_the_same(app):
    headers = {"Sec-Fetch-Site": "cross-site"}
    answer = app("token_operator").post("/tokens/add", headers=headers, status=403)
    assert "You may only scan here." not in text_of(answer)


def test_links_when_the_role_may_not_follow_them_then_they_are_missing(app, make_token):
    token = make_token()
    page = f"/tokens/{token.uid}"
    operator, editor, admin = (app(role) for role in ("token_operator", "editor", "admin"))
    assert "Add a token" not in text_of(operator.get("/tokens"))
    assert "Add a token" in text_of(editor.get("/tokens"))
    assert "Edit" not in text_of(operator.get(page))
    assert "Edit" in text_of(editor.get(page))
    assert "Delete" not in text_of(editor.get(page))
    assert "Delete" in text_of(admin.get(page))


# --- container and list ----------------------------------------------------------------------


def test_container_when_the_role_may_not_list_then_it_has_the_field_only(app, make_token):
    make_token(value="secret ticket")
    answer = app("token_operator").get("/tokens")
    assert answer.html.find("input", attrs={"name": "value"})
    assert "secret ticket" not in answer.text
    assert not answer.html.find("table")


def test_look_up_when_there_is_the_value_then_it_goes_to_the_token(app, make_token):
    token = make_token(value=HTML)
    answer = app("token_operator").get("/tokens", {"value": HTML}, status=302)
    assert answer.location.endswith(f"/tokens/{token.uid}")


@pytest.mark.parametrize("value", ["unknown", HTML, "\0", "x" * 10_000, " "])
def test_look_up_when_there_is_no_such_value_then_it_says_so_and_keeps_it(app, value):
    form = form_of(app("token_operator").get("/tokens"), "/tokens")
    form["value"] = value
    answer = form.submit(status=200)
    assert "No token with this value." in text_of(answer)
    assert form_of(answer, "/tokens")["value"].value == value


def test_look_up_when_the_value_is_given_twice_then_it_says_so(app):
    answer = app("token_operator").get("/tokens?value=a&value=b", status=200)
    assert "This was given more than once." in text_of(answer)


def test_list_when_there_are_no_tokens_then_it_says_so_and_links_to_add(app):
    answer = app("editor").get("/tokens/tokens_overview")
    assert "There are no tokens yet." in text_of(answer)
    assert answer.click("Add a token").status_int == 200


def test_list_when_there_are_tokens_then_each_row_tells_about_one(app, make_token):
    token = make_token(
        value="ticket",
        usage_count=-1,
        valid_from=utc(2026, 1, 1, 11),
        valid_to=utc(2126, 7, 1, 10, 30),
    )
    answer = app("viewer").get("/tokens/tokens_overview")
    [row] = answer.html.find("tbody").find_all("tr")
    assert row.a["href"].endswith(f"/tokens/{token.uid}")
    words = " ".join(row.get_text(" ").split())
    assert words.startswith("ticket Valid unlimited 2026-01-01 12:00 \N{EN DASH} 2126-07-01 12:30")
    assert [time["datetime"] for time in row.find_all("time")][:2] == [
        "2026-01-01T11:00:00Z",
        "2126-07-01T10:30:00Z",
    ]
    assert "Europe/Vienna" in answer.html.caption.get_text()


def test_list_when_there_are_more_than_a_page_then_it_leads_there_and_back(app, service):
    service.add_many(new_token(), 120, None, by=None)
    client = app("viewer")
    pages = [client.get("/tokens/tokens_overview")]
    pages += [pages[0].click("Older")]
    pages += [pages[1].click("Older")]
    uids = [uid for page in pages for uid in rows_of(page)]
    assert [len(rows_of(page)) for page in pages] == [50, 50, 20]
    assert len(set(uids)) == 120
    back = pages[2].click("Newer")
    assert rows_of(back) == rows_of(pages[1])
    assert rows_of(back.click("Newer")) == rows_of(pages[0])
    assert "Newer" not in text_of(pages[0])
    assert "Older" not in text_of(pages[2])


def test_list_when_fewer_than_a_page_are_newer_then_the_first_page_comes(app, service):
    service.add_many(new_token(), 60, None, by=None)
    client = app("viewer")
    rows = rows_of(client.get("/tokens/tokens_overview"))
    newer = client.get("/tokens/tokens_overview", {"before": rows[3]})
    assert rows_of(newer) == rows


@pytest.mark.parametrize("query", ["after=x", f"before={UNKNOWN}", "after=", "after=%00"])
def test_list_when_its_page_is_wrong_then_it_is_the_first_with_a_note(app, make_token, query):
    make_token(value="ticket")
    answer = app("viewer").get(f"/tokens/tokens_overview?{query}", status=200)
    assert "There is no such page of the list." in text_of(answer)
    assert "ticket" in text_of(answer)


def rows_of(answer):
    return [link["href"].rpartition("/")[2] for link in answer.html.find("tbody").find_all("a")]


# --- token page ------------------------------------------------------------------------------

FAR = utc(2126, 6, 1, 12)
PAST = utc(2020, 6, 1, 12)


@pytest.mark.parametrize(
    ("fields", "word", "reason"),
    [
        ({}, "Valid", "It can be consumed now."),
        ({"enabled": False}, "Disabled", "every consumption is refused"),
        ({"usage_count": 0}, "Used up", "No uses are left."),
        ({"valid_from": FAR}, "Not yet valid", "valid from 2126-06-01 14:00:00 on"),
        ({"valid_to": PAST}, "Expired", "valid until 2020-06-01 14:00:00"),
    ],
)
def test_token_page_when_it_has_a_status_then_it_tells_word_and_reason(
    app,
    make_token,
    fields,
    word,
    reason,
):
    answer = app("viewer").get(f"/tokens/{make_token(**fields).uid}")
    status = " ".join(answer.html.find(class_="tokens-status").get_text().split())
    assert status.startswith(word)
    assert reason in status


def test_token_page_when_it_is_locked_then_it_tells_until_when(app, make_token, service):
    token = make_token(usage_count=2, lock_time=3600)
    service.consume(token.uid, by=None)
    until = service.get(token.uid).locked_until
    answer = app("viewer").get(f"/tokens/{token.uid}")
    local = until.astimezone(wiring.get(TokensConfig).zone)
    assert f"Locked It was used and is locked until {local:%Y-%m-%d %H:%M:%S}." in text_of(answer)


def test_token_page_when_the_value_fits_then_its_picture_is_there(app, make_token):
    client = app("viewer")
    answer = client.get(f"/tokens/{make_token(value=LONG).uid}")
    image = content(answer).img
    assert image["alt"] == "QR code of the value"
    assert client.get(image["src"]).content_type == "image/svg+xml"


def test_token_page_when_the_value_is_too_long_for_a_picture_then_a_text_is(
    app,
    make_token,
    monkeypatch,
):
    monkeypatch.setattr("cone.tokens.tickets.qr.MOST_BYTES", 3)
    answer = app("viewer").get(f"/tokens/{make_token(value='long').uid}")
    assert "The value is too long for a QR code." in text_of(answer)
    assert not content(answer).img


@pytest.mark.parametrize("value", [HTML, RIGHT_TO_LEFT, EMOJI, LONG, "two\nlines", "a  b "])
def test_pages_when_a_value_is_strange_then_it_is_whole_and_escaped(app, give_old_code, value):
    client = app("admin")
    token = give_old_code(value)
    page = client.get(f"/tokens/{token.uid}")
    fact = page.html.find("dd")
    assert fact.bdi.get_text() == fact.button["data-copy"] == value
    row = client.get("/tokens").html.find("tbody").a
    assert row.get_text() == (value if len(value) <= 40 else f"{value[:40]}…")
    edit = form_of(client.get(f"/tokens/{token.uid}/edit"), "/edit")
    assert edit["tokenform.value"].value == value
    for view in ("", "/edit", "/delete"):
        assert "<script>alert" not in client.get(f"/tokens/{token.uid}{view}").text


@pytest.mark.parametrize("view", ["", "/edit", "/delete"])
def test_token_page_when_there_is_no_such_token_then_404(app, view):
    answer = app("admin").get(f"/tokens/{UNKNOWN}{view}", status=404)
    assert "No such token" in text_of(answer)


def test_token_page_when_the_uid_is_in_upper_case_then_it_is_the_same(app, make_token):
    token = make_token()
    assert app("viewer").get(f"/tokens/{str(token.uid).upper()}").status_int == 200


def test_missing_token_when_the_role_may_view_nothing_then_403_tells_nothing(app):
    app(None).get(f"/tokens/{UNKNOWN}", status=403)


# --- add -------------------------------------------------------------------------------------


def test_add_when_all_is_right_then_it_goes_to_the_new_token(app, service):
    client = app("editor")
    form = form_of(client.get("/tokens/add"), "/add")
    form["tokenform.value"] = "ticket"
    form["tokenform.valid_from"] = "2026-06-01T12:00"
    form["tokenform.valid_to"] = "2026-12-01T12:00:30"
    form["tokenform.usage_count"] = "-1"
    form["tokenform.lock_time"] = "60"
    form["tokenform.enabled"] = False
    answer = form.submit("action.tokenform.save").follow()
    token = service.find_by_value("ticket")
    assert token.valid_from == utc(2026, 6, 1, 10)
    assert token.valid_to == utc(2026, 12, 1, 11, 0, 30)
    assert (token.usage_count, token.lock_time, token.enabled) == (-1, 60, False)
    assert token.creator.startswith("editor")
    assert "The token was added." in text_of(answer)


def test_add_when_nothing_is_entered_then_the_defaults_of_the_settings_count(
    app,
    service,
    settings_path,
):
    current_settings().write({"default_usage_count": 7, "default_locktime": 8})
    client = app("editor")
    form_of(client.get("/tokens/add"), "/add").submit("action.tokenform.save")
    [token] = service.page(1).tokens
    assert (token.usage_count, token.lock_time) == (7, 8)
    assert token.value == str(token.uid)


@pytest.mark.parametrize(
    ("name", "text", "mistake"),
    [
        ("value", "x" * 2_049, "This is too long: at most 2048 bytes"),
        ("value", "a\0b", "This has a character that cannot be stored."),
        ("valid_from", "tomorrow", "This is no date with a time."),
        ("valid_from", "9999-02-01T00:00", "The year must be between 2 and 9998."),
        ("valid_to", "2026-03-29T02:30", "This time does not exist"),
        ("usage_count", "many", "This must be a whole number."),
        ("usage_count", "٣", "This must be a whole number."),
        ("usage_count", "-2", "This must be between -1 and 2147483647."),
        ("usage_count", "9" * 5_000, "This must be between -1 and 2147483647."),
        ("lock_time", "-1", "This must be between 0 and 2147483647."),
        ("enabled", "perhaps", "This must be on or off."),
    ],
)
def test_add_when_a_field_is_wrong_then_it_tells_at_the_field_and_keeps_the_rest(
    app,
    service,
    name,
    text,
    mistake,
):
    fields = sent(**{"value": "kept", "lock_time": "12", name: text})
    answer = app("editor").post("/tokens/add", fields, status=400)
    assert mistake_at(answer, f"tokenform.{name}").startswith(mistake)
    form = form_of(answer, "/add")
    kept = {"value": "kept", "lock_time": "12"} | ({} if name == "enabled" else {name: text})
    for field, before in kept.items():
        assert form[f"tokenform.{field}"].value == before
    assert service.page(1).tokens == ()


def test_add_when_the_window_ends_before_it_begins_then_it_tells_at_its_start(app):
    fields = sent(valid_from="2026-06-02T12:00", valid_to="2026-06-01T12:00")
    answer = app("editor").post("/tokens/add", fields, status=400)
    assert mistake_at(answer, "tokenform.valid_from") == "The start must be before the end."


def test_add_when_the_value_is_taken_then_it_tells_at_the_value(app, make_token):
    make_token(value="taken")
    answer = app("editor").post("/tokens/add", sent(value="taken"), status=409)
    assert mistake_at(answer, "tokenform.value") == "Another token has this value."


def test_add_when_a_field_comes_twice_then_it_is_refused(app, service):
    fields = [*sent().items(), ("tokenform.value", "other")]
    answer = app("editor").post("/tokens/add", fields, status=400)
    assert mistake_at(answer, "tokenform.value") == "This was given more than once."
    assert service.page(1).tokens == ()


def test_add_when_a_file_is_sent_for_a_text_then_it_is_refused(app):
    files = [("tokenform.value", "ticket.txt", b"ticket")]
    answer = app("editor").post("/tokens/add", sent(value=None), upload_files=files, status=400)
    assert "This must be a text." in answer.text


def test_add_when_it_is_sent_by_get_then_nothing_is_added(app, service):
    app("editor").get("/tokens/add", sent(value="ticket"), status="*")
    assert service.find_by_value("ticket") is None


# --- edit ------------------------------------------------------------------------------------


def edit_form(client, token):
    return form_of(client.get(f"/tokens/{token.uid}/edit"), "/edit")


def test_edit_when_one_field_is_changed_then_only_that_is(app, give_old_code, service):
    token = give_old_code(
        "two\nlines",
        usage_count=3,
        valid_from=utc(2026, 6, 1, 10, 0, 0, 123_456),
        valid_to=utc(2026, 10, 25, 0, 30),
    )
    form = edit_form(app("editor"), token)
    assert form["tokenform.valid_from"].value == "2026-06-01T12:00"
    form["tokenform.valid_from"] = "2026-06-01T12:00:00"
    form["tokenform.lock_time"] = "9"
    answer = form.submit("action.tokenform.save").follow()
    after = service.get(token.uid)
    assert (after.lock_time, after.usage_count) == (9, 3)
    assert (after.valid_from, after.valid_to) == (token.valid_from, token.valid_to)
    assert after.value == "two\nlines"
    assert "The changes were saved." in text_of(answer)


def test_edit_when_all_is_changed_then_all_is(app, make_token, service):
    token = make_token(valid_from=utc(2026, 1, 1))
    form = edit_form(app("editor"), token)
    form["tokenform.value"] = "other"
    form["tokenform.valid_from"] = ""
    form["tokenform.valid_to"] = "2030-01-01T00:00"
    form["tokenform.usage_count"] = "5"
    form["tokenform.enabled"] = False
    form.submit("action.tokenform.save", status=302)
    after = service.get(token.uid)
    assert (after.value, after.usage_count, after.enabled) == ("other", 5, False)
    assert (after.valid_from, after.valid_to) == (None, utc(2029, 12, 31, 23))


def test_edit_when_the_value_is_emptied_then_it_is_the_uid(app, make_token, service):
    token = make_token(value="ticket")
    form = edit_form(app("editor"), token)
    form["tokenform.value"] = ""
    form.submit("action.tokenform.save", status=302)
    assert service.get(token.uid).value == str(token.uid)


def test_edit_when_it_was_consumed_meanwhile_then_the_form_comes_again(app, make_token, service):
    token = make_token(value="before", usage_count=5)
    form = edit_form(app("editor"), token)
    service.consume(token.uid, by=None)
    form["tokenform.value"] = "after"
    form["tokenform.usage_count"] = "10"
    answer = form.submit("action.tokenform.save", status=409)
    assert "The token was used meanwhile, nothing was saved." in text_of(answer)
    assert service.get(token.uid).value == "before"
    again = form_of(answer, "/edit")
    assert again["tokenform.value"].value == "after"
    assert again["tokenform.usage_count"].value == "4"
    again["tokenform.usage_count"] = "10"
    again.submit("action.tokenform.save", status=302)
    assert (service.get(token.uid).usage_count, service.get(token.uid).value) == (10, "after")


def test_edit_when_it_was_consumed_meanwhile_and_uses_are_left_alone_then_it_is_saved(
    app,
    make_token,
    service,
):
    token = make_token(usage_count=5)
    form = edit_form(app("editor"), token)
    service.consume(token.uid, by=None)
    form["tokenform.value"] = "after"
    form.submit("action.tokenform.save", status=302)
    assert (service.get(token.uid).usage_count, service.get(token.uid).value) == (4, "after")


def test_edit_when_a_field_is_wrong_then_what_was_shown_before_stays(app, make_token, service):
    token = make_token(usage_count=5)
    form = edit_form(app("editor"), token)
    service.consume(token.uid, by=None)
    form["tokenform.lock_time"] = "soon"
    answer = form.submit("action.tokenform.save", status=400)
    assert mistake_at(answer, "tokenform.lock_time") == "This must be a whole number."
    again = form_of(answer, "/edit")
    assert again["tokenform.usage_count.shown"].value == "5"
    again["tokenform.lock_time"] = "1"
    again["tokenform.usage_count"] = "6"
    again.submit("action.tokenform.save", status=409)


@pytest.mark.parametrize("name", ["usage_count", "lock_time"])
def test_edit_when_a_number_is_emptied_then_it_is_refused(app, make_token, name):
    form = edit_form(app("editor"), make_token())
    form[f"tokenform.{name}"] = ""
    answer = form.submit("action.tokenform.save", status=400)
    assert mistake_at(answer, f"tokenform.{name}") == "This must be a whole number."


def test_edit_when_the_value_is_taken_then_it_tells_at_the_value(app, make_token):
    make_token(value="taken")
    form = edit_form(app("editor"), make_token())
    form["tokenform.value"] = "taken"
    answer = form.submit("action.tokenform.save", status=409)
    assert mistake_at(answer, "tokenform.value") == "Another token has this value."


def test_edit_when_the_window_would_end_before_it_begins_then_it_is_refused(app, make_token):
    form = edit_form(app("editor"), make_token(valid_from=utc(2026, 6, 1)))
    form["tokenform.valid_to"] = "2026-05-01T00:00"
    answer = form.submit("action.tokenform.save", status=400)
    assert mistake_at(answer, "tokenform.valid_from") == "The start must be before the end."


# --- delete ----------------------------------------------------------------------------------


def test_delete_when_it_is_asked_for_then_it_asks_back_first(app, make_token, service):
    token = make_token(value="ticket")
    client = app("admin")
    answer = client.get(f"/tokens/{token.uid}/delete")
    assert "Shall the token ticket be deleted?" in text_of(answer)
    assert service.find(token.uid)
    after = form_of(answer, "/delete").submit(status=303).follow()
    assert service.find(token.uid) is None
    assert "The token was deleted." in text_of(after)


def test_delete_when_it_is_a_tile_then_nothing_is_deleted(app, make_token, service):
    token = make_token()
    client = app("admin")
    path = f"/tokens/{token.uid}/ajaxaction?ajax.action=delete"
    assert "Shall the token" in client.get(path).json["payload"]
    assert "Shall the token" in client.post(path).json["payload"]
    assert service.find(token.uid)


# --- settings --------------------------------------------------------------------------------


def settings_form(client):
    return form_of(client.get("/settings/token_settings"), "/edit")


def refused_settings(client, fields, name, mistake):
    """Send settings of which one field is wrong, and return the answer: it tells there alone."""
    form = settings_form(client)
    fill(form, fields)
    answer = form.submit("action.settingsform.save", status=400)
    assert mistake_at(answer, name).startswith(mistake)
    assert len(content(answer).find_all(attrs={"aria-invalid": "true"})) == 1
    again = form_of(answer, "/edit")
    assert {field: again[field].value for field in fields} == fields
    return answer


def test_settings_when_they_are_right_then_they_are_written(app, settings_path):
    form = settings_form(app("manager"))
    form["settingsform.morning_start"] = "07:30"
    form["settingsform.default_locktime"] = "+30"
    form["settingsform.default_usage_count"] = "-1"
    answer = form.submit("action.settingsform.save").follow()
    written = json.loads(settings_path.read_text())
    assert written["morning"] == {"start": "07:30", "end": "12:00"}
    assert (written["default_locktime"], written["default_usage_count"]) == (30, -1)
    assert "The settings were saved." in text_of(answer)


@pytest.mark.parametrize(
    ("name", "text", "mistake"),
    [
        ("default_locktime", "-1", "This must be between 0 and"),
        ("default_usage_count", "", "This must be a whole number."),
        ("today_end", "25:00", "This must be a time"),
        ("morning_start", "", "This must be a time"),
    ],
)
def test_settings_when_a_field_is_wrong_then_it_tells_at_the_field_and_keeps_the_rest(
    app,
    settings_path,
    name,
    text,
    mistake,
):
    before = settings_path.read_text()
    form = settings_form(app("manager"))
    form["settingsform.afternoon_start"] = "13:00"
    form[f"settingsform.{name}"] = text
    answer = form.submit("action.settingsform.save", status=400)
    assert mistake_at(answer, f"settingsform.{name}").startswith(mistake)
    again = form_of(answer, "/edit")
    assert again["settingsform.afternoon_start"].value == "13:00"
    assert again[f"settingsform.{name}"].value == text
    assert settings_path.read_text() == before


def own_range(number, name="", start="", end=""):
    """The fields of the row of an own time range."""
    texts = {"name": name, "start": start, "end": end}
    return {f"settingsform.time_range_{number}_{member}": text for member, text in texts.items()}


def fill(form, fields):
    for name, text in fields.items():
        form[name] = text


def write_ranges(path, *names):
    ranges = [{"name": name, "start": "22:00", "end": "06:00"} for name in names]
    path.write_text(json.dumps({"time_ranges": ranges, "of_a_later_version": 1}))


def time_rows_of(answer):
    """The own time ranges in the form, empty rows too."""
    form = form_of(answer, "/edit")
    start = "settingsform.time_range_"
    names = [name for name in form.fields if name and name.startswith(start)]
    numbers = [name.split("_")[2] for name in names if name.endswith("_name")]
    members = ("name", "start", "end")
    return [
        tuple(form[f"{start}{number}_{member}"].value for member in members) for number in numbers
    ]


EMPTY = ("", "", "")


def test_time_ranges_when_rows_are_filled_then_they_are_kept_and_new_ones_are_there(
    app,
    settings_path,
):
    client = app("manager")
    page = client.get("/settings/token_settings")
    assert time_rows_of(page) == [EMPTY, EMPTY]
    form = form_of(page, "/edit")
    fill(form, own_range(1, "  Night ", "22:00", "06:00") | own_range(2, HTML, "00:00", "00:00"))
    page = form.submit("action.settingsform.save").follow()
    assert json.loads(settings_path.read_text())["time_ranges"] == [
        {"name": "Night", "start": "22:00", "end": "06:00"},
        {"name": HTML, "start": "00:00", "end": "00:00"},
    ]
    night, other = ("Night", "22:00", "06:00"), (HTML, "00:00", "00:00")
    assert time_rows_of(page) == [night, other, EMPTY, EMPTY]
    assert HTML not in page.text


def test_time_ranges_when_a_row_is_emptied_then_it_is_gone_and_others_stay(app, settings_path):
    write_ranges(settings_path, "one", "two", "three")
    form = settings_form(app("manager"))
    fill(form, own_range(2))
    form["settingsform.time_range_2_name"] = " "
    form.submit("action.settingsform.save", status=302)
    written = json.loads(settings_path.read_text())
    assert [times["name"] for times in written["time_ranges"]] == ["one", "three"]
    assert written["of_a_later_version"] == 1


@pytest.mark.parametrize(("count", "rows"), [(17, 19), (19, 20), (20, 20)])
def test_time_ranges_when_there_are_many_then_the_rows_end_at_twenty(
    app,
    settings_path,
    count,
    rows,
):
    write_ranges(settings_path, *(f"range {number}" for number in range(count)))
    page = app("manager").get("/settings/token_settings")
    assert len(time_rows_of(page)) == rows
    form_of(page, "/edit").submit("action.settingsform.save", status=302)
    assert len(json.loads(settings_path.read_text())["time_ranges"]) == count


@pytest.mark.parametrize(
    ("fields", "name", "mistake"),
    [
        (own_range(3, "x"), "time_range_3_start", "This must be a time"),
        (own_range(3, "x", end="06:00"), "time_range_3_start", "This must be a time"),
        (own_range(3, "x", "22:00"), "time_range_3_end", "This must be a time"),
        (own_range(3, "x", "22:00", "24:00"), "time_range_3_end", "This must be a time"),
        (own_range(3, "", "22:00", "06:00"), "time_range_3_name", "This must be a name of 1 to 40"),
        (own_range(3, "", "22:00"), "time_range_3_name", "This must be a name of 1 to 40"),
        (own_range(3, "x" * 41, "22:00", "06:00"), "time_range_3_name", "This must be a name"),
        (own_range(3, "\0", "22:00", "06:00"), "time_range_3_name", "This must be a name"),
        (own_range(3, LONG, "22:00", "06:00"), "time_range_3_name", "This must be a name"),
        (own_range(3, "two", "22:00", "06:00"), "time_range_3_name", "Another time range has this"),
        # The row that is wrong, not the range: the first one is removed.
        (own_range(1) | own_range(2, "two"), "time_range_2_start", "This must be a time"),
    ],
)
def test_time_ranges_when_a_row_is_wrong_then_it_tells_at_the_field_and_keeps_the_rest(
    app,
    settings_path,
    fields,
    name,
    mistake,
):
    write_ranges(settings_path, "one", "two")
    before = settings_path.read_text()
    answer = refused_settings(app("manager"), fields, f"settingsform.{name}", mistake)
    assert time_rows_of(answer)[-1] == EMPTY
    assert settings_path.read_text() == before


def test_time_ranges_when_a_file_is_sent_for_a_name_then_it_is_refused(app, settings_path):
    before = settings_path.read_text()
    client = app("manager")
    form = settings_form(client)
    fields = dict(form.submit_fields("action.settingsform.save"))
    del fields["settingsform.time_range_1_name"]
    files = [("settingsform.time_range_1_name", "name.txt", b"Night")]
    answer = client.post(form.action, fields, upload_files=files, status=400)
    assert "This must be a text." in text_of(answer)
    assert settings_path.read_text() == before


CHECKPOINT = "settingsform.checkpoint_"
CHECKPOINT_FIELD = re.compile(rf"^{re.escape(CHECKPOINT)}")
PLAIN = {"categories": "", "directions": "in", "inside_hours": "", "sound": "standard"}


def checkpoint_row(number, name="", **members):
    """The fields of the row of a checkpoint."""
    texts = {"name": name, **PLAIN, **members}
    return {f"{CHECKPOINT}{number}_{member}": text for member, text in texts.items()}


def checkpoints_in(path):
    return json.loads(path.read_text())["checkpoints"]


def write_checkpoints(path, *entries):
    path.write_text(json.dumps({"checkpoints": entries, "of_a_later_version": 1}))


def checkpoint_names_of(answer):
    """The names of the checkpoints in the form, empty rows too."""
    form = form_of(answer, "/edit")
    names = [name for name in form.fields if name and name.startswith(CHECKPOINT)]
    return [form[name].value for name in names if name.endswith("_name")]


def test_checkpoints_when_rows_are_filled_then_they_are_kept_and_new_ones_are_there(
    app,
    settings_path,
):
    client = app("manager")
    page = client.get("/settings/token_settings")
    assert checkpoint_names_of(page) == ["", ""]
    form = form_of(page, "/edit")
    door = {"categories": " VIP,Press ,, VIP", "directions": "in_out", "sound": "double"}
    fill(form, checkpoint_row(1, " North door ", inside_hours="4,5", **door))
    fill(form, checkpoint_row(2, HTML, categories=HTML, inside_hours="12.0"))
    page = form.submit("action.settingsform.save").follow()
    assert checkpoints_in(settings_path) == [
        {
            "name": "North door",
            "categories": ["VIP", "Press"],
            "directions": "in_out",
            "inside_hours": 4.5,
            "sound": "double",
        },
        {**PLAIN, "name": HTML, "categories": [HTML], "inside_hours": 12},
    ]
    assert checkpoint_names_of(page) == ["North door", HTML, "", ""]
    assert HTML not in page.text
    again = form_of(page, "/edit")
    shown = {**door, "categories": "VIP, Press", "inside_hours": "4.5"}
    for name, text in checkpoint_row(1, "North door", **shown).items():
        assert again[name].value == text


def test_checkpoints_when_a_row_is_emptied_then_it_is_gone_and_others_stay(app, settings_path):
    names = ("one", "two", "three")
    write_checkpoints(settings_path, *({"name": name, "sound": "low"} for name in names))
    form = settings_form(app("manager"))
    form[f"{CHECKPOINT}2_name"] = " "
    form.submit("action.settingsform.save", status=302)
    assert [entry["name"] for entry in checkpoints_in(settings_path)] == ["one", "three"]
    assert {entry["sound"] for entry in checkpoints_in(settings_path)} == {"low"}
    assert json.loads(settings_path.read_text())["of_a_later_version"] == 1


@pytest.mark.parametrize(("count", "rows"), [(17, 19), (19, 20), (20, 20)])
def test_checkpoints_when_there_are_many_then_the_rows_end_at_twenty(
    app,
    settings_path,
    count,
    rows,
):
    write_checkpoints(settings_path, *({"name": f"{number}"} for number in range(count)))
    page = app("manager").get("/settings/token_settings")
    assert len(checkpoint_names_of(page)) == rows
    form_of(page, "/edit").submit("action.settingsform.save", status=302)
    assert len(checkpoints_in(settings_path)) == count


TOO_MANY = ",".join(f"{number}" for number in range(51))


@pytest.mark.parametrize(
    ("fields", "name", "mistake"),
    [
        (checkpoint_row(3, "two"), "3_name", "Another checkpoint has this name."),
        (checkpoint_row(3, "x" * 41), "3_name", "This must be a name of 1 to 40 characters"),
        (checkpoint_row(3, categories="VIP"), "3_name", "This must be a name of 1 to 40"),
        (checkpoint_row(3, inside_hours="1"), "3_name", "This must be a name of 1 to 40"),
        (checkpoint_row(3, "x", categories="x" * 101), "3_categories", "At most 50 categories"),
        (checkpoint_row(3, "x", categories=TOO_MANY), "3_categories", "At most 50 categories"),
        (checkpoint_row(3, "x", categories="a\0"), "3_categories", "At most 50 categories"),
        (checkpoint_row(3, "x", inside_hours="0"), "3_inside_hours", "This must be more than 0"),
        (checkpoint_row(3, "x", inside_hours="169"), "3_inside_hours", "This must be more than 0"),
        (checkpoint_row(3, "x", inside_hours="nan"), "3_inside_hours", "This must be more than 0"),
        (checkpoint_row(3, "x", inside_hours="one"), "3_inside_hours", "This must be more than 0"),
        # The row that is wrong, not the checkpoint: the first one is removed.
        (checkpoint_row(1) | checkpoint_row(2, "x" * 41), "2_name", "This must be a name"),
    ],
)
def test_checkpoints_when_a_row_is_wrong_then_it_tells_at_the_field_and_keeps_the_rest(
    app,
    settings_path,
    fields,
    name,
    mistake,
):
    write_checkpoints(settings_path, {"name": "one"}, {"name": "two"})
    before = settings_path.read_text()
    answer = refused_settings(app("manager"), fields, f"{CHECKPOINT}{name}", mistake)
    assert checkpoint_names_of(answer)[-1] == ""
    assert settings_path.read_text() == before


@pytest.mark.parametrize("member", ["directions", "sound"])
def test_checkpoints_when_a_choice_is_none_of_those_then_it_tells_at_the_field(
    app,
    settings_path,
    member,
):
    form = settings_form(app("manager"))
    form[f"{CHECKPOINT}1_name"] = "Door"
    form[f"{CHECKPOINT}1_{member}"].force_value("<b>")
    answer = form.submit("action.settingsform.save", status=400)
    assert mistake_at(answer, f"{CHECKPOINT}1_{member}") == "Choose one of these."


def test_checkpoints_when_a_category_of_the_file_has_a_comma_then_it_stays_until_it_is_emptied(
    app,
    settings_path,
):
    hours = 22 / 3
    entry = {"name": "Lab", "categories": ["a, b", "c"], "inside_hours": hours}
    write_checkpoints(settings_path, entry)
    client = app("manager")
    form = settings_form(client)
    form[f"{CHECKPOINT}1_name"] = "Laboratory"
    form.submit("action.settingsform.save", status=302)
    [written] = checkpoints_in(settings_path)
    assert written == {**PLAIN, **entry, "name": "Laboratory"}
    form = settings_form(client)
    form[f"{CHECKPOINT}1_categories"] = "a, b, c, d"
    answer = form.submit("action.settingsform.save", status=400)
    told = "One of these categories has a comma. Change them in the settings file."
    assert mistake_at(answer, f"{CHECKPOINT}1_categories") == told
    assert checkpoints_in(settings_path) == [written]
    form[f"{CHECKPOINT}1_categories"] = ""
    form.submit("action.settingsform.save", status=302)
    assert checkpoints_in(settings_path) == [{**written, "categories": []}]


def test_sheet_and_sounds_when_they_are_chosen_then_they_are_written(app, settings_path):
    form = settings_form(app("manager"))
    assert form["settingsform.label_sheet"].value == "L7160"
    assert form["settingsform.sounds"].checked
    form["settingsform.label_sheet"] = "62x29"
    form["settingsform.sounds"] = False
    page = form.submit("action.settingsform.save").follow()
    written = json.loads(settings_path.read_text())
    assert (written["label_sheet"], written["sounds"]) == ("62x29", False)
    again = form_of(page, "/edit")
    assert again["settingsform.label_sheet"].value == "62x29"
    assert not again["settingsform.sounds"].checked


def test_kinds_of_codes_when_they_are_chosen_then_they_are_written(app, settings_path):
    form = settings_form(app("manager"))
    assert form["settingsform.code_kinds_qr"].checked
    form["settingsform.code_kinds_qr"] = False
    form["settingsform.code_kinds_code_128"] = True
    form["settingsform.code_kinds_pdf417"] = True
    page = form.submit("action.settingsform.save").follow()
    assert json.loads(settings_path.read_text())["code_kinds"] == ["code_128", "pdf417"]
    again = form_of(page, "/edit")
    assert not again["settingsform.code_kinds_qr"].checked
    assert again["settingsform.code_kinds_code_128"].checked


def test_kinds_of_codes_when_none_is_chosen_then_it_tells_at_the_first(app, settings_path):
    before = settings_path.read_text()
    form = settings_form(app("manager"))
    form["settingsform.code_kinds_qr"] = False
    page = form.submit("action.settingsform.save", status=400)
    assert "Choose one kind at least." in text_of(page)
    assert settings_path.read_text() == before


@pytest.mark.parametrize("sheet", ["own", "", "<b>"])
def test_sheet_when_there_is_none_of_that_name_then_it_tells_at_the_field(
    app,
    settings_path,
    sheet,
):
    form = settings_form(app("manager"))
    form["settingsform.label_sheet"].force_value(sheet)
    answer = form.submit("action.settingsform.save", status=400)
    assert mistake_at(answer, "settingsform.label_sheet") == "There is no such sheet."


def test_settings_when_they_are_read_aloud_then_each_field_has_its_group(app, settings_path):
    write_ranges(settings_path, "one")
    page = app("manager").get("/settings/token_settings")
    headings = [heading.get_text(strip=True) for heading in content(page).find_all("h2")]
    assert headings == ["Time ranges", "New tokens", "Labels", "Scan", "Checkpoints"]
    for field in content(page).find_all(["input", "select"], attrs={"name": CHECKPOINT_FIELD}):
        legend = field.find_parent("fieldset").find("legend").get_text(strip=True)
        assert legend == f"Checkpoint {field['name'].split('_')[1]}"
    for field in content(page).find_all("input", type="time"):
        legend = field.find_parent("fieldset").find("legend").get_text(strip=True)
        assert legend in ("Morning", "Afternoon", "Today") or legend.startswith(
            "Time range of your"
        )


def test_settings_when_the_file_is_broken_then_it_tells_where_and_stays(app, settings_path):
    settings_path.write_text('{\n"morning": oops\n}')
    client = app("manager")
    page = client.get("/settings/token_settings")
    assert "line 2" in text_of(page)
    form = form_of(page, "/edit")
    assert form["settingsform.today_end"].value == "18:00"
    form["settingsform.today_end"] = "19:00"
    answer = form.submit("action.settingsform.save", status=409)
    assert "The settings were not saved." in text_of(answer)
    assert "line 2" in text_of(answer)
    assert form_of(answer, "/edit")["settingsform.today_end"].value == "19:00"
    assert "oops" in settings_path.read_text()


def test_settings_when_the_file_is_missing_then_saving_makes_it_anew(app, settings_path):
    settings_path.unlink()
    page = app("manager").get("/settings/token_settings")
    assert "The settings file cannot be used." in text_of(page)
    form_of(page, "/edit").submit("action.settingsform.save", status=302)
    assert settings_path.exists()


def test_settings_when_the_file_is_a_folder_then_it_tells_so(app, settings_path):
    settings_path.unlink()
    settings_path.mkdir()
    try:
        page = app("manager").get("/settings/token_settings")
        form_of(page, "/edit").submit("action.settingsform.save", status=409)
    finally:
        settings_path.rmdir()


# --- requests from elsewhere, and strange ones -------------------------------------------------

FOREIGN = {"Origin": "https://elsewhere.example"}


@pytest.mark.parametrize("headers", [FOREIGN, {"Sec-Fetch-Site": "cross-site"}])
def test_post_when_it_comes_from_another_site_then_it_is_refused(
    app,
    make_token,
    service,
    settings_path,
    headers,
):
    token = make_token(value="ticket")
    before = settings_path.read_text()
    client = app("manager")
    answer = client.post(f"/tokens/{token.uid}/delete", headers=headers, status=403)
    assert "Pages of other sites" in text_of(answer)
    client.post("/tokens/add", sent(value="new"), headers=headers, status=403)
    client.post(f"/tokens/{token.uid}/edit", sent(value="new"), headers=headers, status=403)
    form = {"settingsform.today_end": "20:00", "action.settingsform.save": "1"}
    client.post("/settings/token_settings/edit", form, headers=headers, status=403)
    assert service.get(token.uid).value == "ticket"
    assert service.find_by_value("new") is None
    assert settings_path.read_text() == before


def test_tile_when_another_site_asks_for_it_then_it_is_refused(app):
    client = app("viewer")
    path = "/tokens/ajaxaction?ajax.action=content"
    client.get(path, headers=FOREIGN, status=403)
    answer = client.get(path, headers={"Sec-Fetch-Site": "same-origin"})
    assert "There are no tokens yet." in answer.json["payload"]


@pytest.mark.parametrize(
    ("path", "tile"),
    [
        ("/tokens", "content"),
        ("/tokens", "layout"),
        ("/tokens", "tokens_overview"),
        ("/tokens", "add"),
        ("/tokens", "import"),
        ("/tokens/{uid}", "content"),
        ("/tokens/{uid}", "editform"),
        ("/settings/token_settings", "content"),
        ("/settings/token_settings", "editform"),
    ],
)
def test_tile_when_the_host_asks_for_it_then_it_comes_as_json(app, make_token, path, tile):
    path = path.format(uid=make_token().uid)
    query = {"ajax.action": tile, "ajax.mode": "inner", "ajax.selector": "#content"}
    answer = app("manager").get(f"{path}/ajaxaction", query).json
    assert "<h1>" in answer["payload"]
    assert (answer["mode"], answer["selector"], answer["continuation"]) == ("inner", "#content", [])


def test_tile_when_the_role_lacks_the_permission_then_it_is_forbidden(app):
    app("viewer").get("/tokens/ajaxaction?ajax.action=add", status=403)


@pytest.mark.parametrize(
    "path",
    [
        "/tokens/ajaxaction",
        "/tokens/ajaxaction?ajax.action=nonsense",
        "/tokens/ajaxaction?ajax.action=contents",
        "/tokens/ajaxaction?ajax.action=tokens_failure%00",
        "/tokens/ajaxaction?ajax.action=change_language",
        "/tokens/ajaxaction?ajax.action=layout&contenttile=<script>",
        "/tokens?ajax.action=<script>alert(1)</script>",
        "/tokens/login?ajax.action=<script>alert(1)</script>",
        "/tokens/listing",
        "/tokens/sharing",
        "/tokens/edit",
        "/tokens/overlayadd",
        "/tokens/nonsense",
        "/tokens/{uid}/add",
        "/tokens/{uid}/listing",
        "/tokens/{uid}/overlayedit",
        "/tokens/{uid}/nonsense",
        "/settings/token_settings/add",
        "/settings/token_settings/sharing",
    ],
)
def test_address_when_nothing_is_there_then_404_echoes_nothing(app, make_token, path):
    answer = app("manager").get(path.format(uid=make_token().uid), status=404)
    assert "There is nothing at this address." in text_of(answer)
    assert "<script>alert" not in answer.text
    assert "object at 0x" not in answer.text


def test_tile_when_nothing_went_wrong_then_there_is_no_failure_to_show(app):
    answer = app("viewer").get("/tokens/ajaxaction?ajax.action=tokens_failure")
    assert answer.json["payload"] == ""


def test_language_when_it_is_chosen_in_the_host_then_it_is_kept(app):
    client = app("viewer")
    client.get("/tokens/ajaxaction?ajax.action=change_language&lang=de")
    assert "Es gibt noch keine Tokens." in text_of(client.get("/tokens"))


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_page_when_the_method_is_wrong_then_405_names_the_right_ones(app, method):
    answer = app("viewer").request("/tokens", method=method, status=405)
    assert answer.headers["Allow"] == "GET, HEAD, POST"


def test_page_when_only_its_head_is_asked_for_then_it_has_no_body(app):
    answer = app("viewer").head("/tokens")
    assert (answer.status_int, answer.body) == (200, b"")


def test_form_when_its_body_is_too_large_then_413(app):
    fields = sent(value="x" * 1_100_000)
    answer = app("editor").post("/tokens/add", fields, status=413)
    assert "Too large" in text_of(answer)


def test_form_when_a_value_has_900_kilobytes_then_it_tells_at_the_field(app):
    answer = app("editor").post("/tokens/add", sent(value="x" * 900_000), status=400)
    assert mistake_at(answer, "tokenform.value").startswith("This is too long")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"tokenform.value=%ff&action.tokenform.save=1", "application/x-www-form-urlencoded"),
        (b"tokenform.value=\xff", "application/x-www-form-urlencoded"),
        (b"a=1&" * 1_001, "application/x-www-form-urlencoded"),
        (b"--x\r\n\xff\r\n--x--", "multipart/form-data; boundary=x"),
        (b"--x", "multipart/form-data"),
    ],
)
def test_form_when_its_body_is_damaged_then_400(app, service, body, content_type):
    client = app("editor")
    more = {"body": body, "content_type": content_type}
    client.request("/tokens/add", method="POST", status=400, **more)
    assert service.page(1).tokens == ()


def test_list_when_the_number_of_a_note_is_long_then_there_is_no_note(app):
    answer = app("viewer").get(f"/tokens/tokens_overview?done=add&count={'9' * 5_000}")
    assert "Tokens added" not in text_of(answer)


def test_query_when_it_is_not_utf8_then_400_stands_alone(app):
    answer = app("viewer").get("/tokens?value=%ff", status=400)
    assert "The address or form is not encoded in UTF-8." in answer.text


@pytest.mark.parametrize("language", ["xx", "../..", "%00", "de_AT"])
def test_language_when_there_is_none_of_that_name_then_another_comes(app, language):
    answer = app("viewer").get(f"/tokens?_LOCALE_={language}", status=200)
    expected = "de" if language == "de_AT" else "en"
    assert answer.html.find(class_="tokens")["lang"] == expected


# --- faults ----------------------------------------------------------------------------------


@pytest.fixture
def broken_pages(monkeypatch):
    """Make every list fail with a bug."""

    def fail(*_args, **_more):
        raise ZeroDivisionError(INNER)

    monkeypatch.setattr("cone.tokens.tickets.service.TicketService.page", fail)


@pytest.mark.parametrize("path", ["/tokens", "/tokens?ajax=1", "/tokens/tokens_overview"])
def test_bug_when_it_happens_in_a_page_then_500_tells_a_reference_only(
    app,
    broken_pages,
    caplog,
    path,
):
    answer = app("viewer").get(path, status=500, headers={"X-Requested-With": "XMLHttpRequest"})
    reference = answer.html.code.get_text()
    assert reference in caplog.text
    assert INNER not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.html.html["lang"] == "en"
    assert answer.html.h1.get_text() == "Something went wrong"


def test_bug_when_it_happens_in_a_tile_then_500(app, broken_pages):
    answer = app("viewer").get("/tokens/ajaxaction?ajax.action=content", status=500)
    assert "Traceback" not in answer.text


def test_failure_page_when_it_fails_itself_then_500_stands_alone(app, monkeypatch):
    def fail(*_args, **_more):
        raise ZeroDivisionError(INNER)

    monkeypatch.setattr("cone.tokens.web.errors.render_page", fail)
    answer = app("viewer").get("/tokens/nonsense", status=500)
    assert answer.html.code
    assert INNER not in answer.text


def test_failure_page_when_not_even_it_can_be_made_then_a_line_has_the_reference(app, monkeypatch):
    def fail(*_args, **_more):
        raise ZeroDivisionError(INNER)

    monkeypatch.setattr("cone.tokens.web.errors.render", fail)
    monkeypatch.setattr("cone.tokens.web.errors.render_page", fail)
    answer = app("viewer").get("/tokens/nonsense", status=500, headers={"X-Request-ID": "last-1"})
    assert "last-1" in answer.text
    assert INNER not in answer.text
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("language", "heading"),
    [("en", "Not available right now"), ("de", "Zurzeit nicht erreichbar")],
)
def test_database_when_it_is_away_then_503_says_when_to_try_again(
    app,
    make_token,
    monkeypatch,
    language,
    heading,
):
    token = make_token()
    client = app("viewer")

    def fail(*_args, **_more):
        raise Unavailable

    monkeypatch.setattr("cone.tokens.tickets.service.TicketService.find", fail)
    answer = client.get(f"/tokens/{token.uid}?_LOCALE_={language}", status=503)
    assert answer.headers["Retry-After"] == "1"
    assert answer.html.h1.get_text() == heading
    assert answer.html.html["lang"] == language


# --- languages -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/tokens", "Viele Tokens auf einmal"),
        ("/tokens", "Zeitangaben in der Zeitzone Europe/Vienna."),
        ("/tokens/tokens_overview", "01.01.2026 12:00"),
        ("/tokens/add", "Zeit in der Zeitzone Europe/Vienna. Leer: ab sofort."),
        ("/tokens/{uid}", "Gültig Es kann jetzt eingelöst werden."),
        ("/tokens/{uid}", "unbegrenzt"),
        ("/tokens/{uid}/edit", "Token ändern"),
        ("/tokens/{uid}/delete", "Soll das Token ticket gelöscht werden?"),
        ("/settings/token_settings", "Token-Einstellungen"),
        ("/tokens/nonsense", "Nicht gefunden"),
    ],
)
def test_page_when_the_language_is_german_then_its_texts_are(app, make_token, path, text):
    token = make_token(value="ticket", usage_count=-1, valid_from=utc(2026, 1, 1, 11))
    answer = app("manager").get(path.format(uid=token.uid), {"_LOCALE_": "de"}, status="*")
    assert text in text_of(answer)
    assert answer.html.find(class_="tokens")["lang"] == "de"


def test_form_when_the_language_is_german_then_mistakes_are(app):
    fields = sent(usage_count="-2")
    answer = app("editor").post("/tokens/add?_LOCALE_=de", fields, status=400)
    expected = "Die Zahl muss zwischen -1 und 2147483647 liegen."
    assert mistake_at(answer, "tokenform.usage_count") == expected


def test_forbidden_page_when_the_language_is_german_then_it_names_the_permission(app):
    answer = app("viewer").get("/tokens/add?_LOCALE_=de", status=403)
    assert "Sie dürfen keine Tokens anlegen. Das kann die Administration ändern." in text_of(answer)


# --- markup ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/tokens",
        "/tokens/tokens_overview",
        "/tokens/add",
        "/tokens/{uid}",
        "/tokens/{uid}/edit",
        "/tokens/{uid}/delete",
        "/settings/token_settings",
        "/tokens/nonsense",
    ],
)
def test_page_when_it_is_read_aloud_then_headings_and_labels_are_there(app, make_token, path):
    answer = app("manager").get(path.format(uid=make_token().uid), status="*")
    part = content(answer)
    assert len(part.find_all("h1")) == 1
    ids = [element["id"] for element in part.find_all(id=True)]
    assert len(ids) == len(set(ids))
    for field in part.find_all("input", type=lambda kind: kind not in ("hidden", "submit")):
        around = field.find_parent("label")
        assert around or field.get("aria-label") or part.find("label", attrs={"for": field["id"]})
    for header in part.find_all("th"):
        assert header["scope"] in ("col", "row")


def test_styles_when_a_page_is_read_then_they_are_linked_and_there(app, anonymous):
    page = app("viewer").get("/tokens")
    [link] = [link["href"] for link in page.html.find_all("link") if "cone-tokens" in link["href"]]
    assert re.search(r"/resources/cone-tokens-[0-9a-f]{12}/tokens\.css$", link)
    assert anonymous.get(link).content_type == "text/css"


def test_uid_when_a_row_is_made_then_it_is_one(app, make_token):
    make_token()
    [uid] = rows_of(app("viewer").get("/tokens"))
    assert uuid.UUID(uid).version == 4
