"""The page of the statistics."""

import datetime
import json
import re
import uuid

import cone.sql
import pytest
from sqlalchemy import insert

from cone.tokens.browser import statistics
from cone.tokens.browser.texts import DENIAL_WORDS
from cone.tokens.core.errors import Denial
from cone.tokens.core.manner import Direction
from cone.tokens.core.manner import Manner
from cone.tokens.tickets.records import TokenUsageRecord
from tests.support.factories import new_token

PATH = "/tokens/statistics"


def utc(*fields):
    return datetime.datetime(*fields, tzinfo=datetime.UTC)


@pytest.fixture(autouse=True)
def _today(monkeypatch):
    # Half past one in the night of the 6th of June in Vienna.
    monkeypatch.setattr(statistics, "utc_now", lambda: utc(2026, 6, 5, 23, 30))


@pytest.fixture
def log(wsgi_app):
    """Return a function that writes rows to the log."""

    def write(*rows):
        values = [
            {
                "uid": uuid.uuid4(),
                "token_uid": uuid.uuid4(),
                "token_value": "x",
                "timestamp": time,
                "error_code": code,
                "version": 2,
            }
            for time, code in rows
        ]
        with cone.sql.session_factory.engine.begin() as connection:
            connection.execute(insert(TokenUsageRecord), values)

    return write


@pytest.fixture(name="read_tables")
def _read_tables(content):
    # A function of this module has the name of that fixture.
    return content


def page(client, query=""):
    return client.get(f"{PATH}{query}", status=200)


def content(answer):
    return answer.html.find(id="content")


def text_of(answer):
    return " ".join(content(answer).get_text(" ").split())


def table_of(answer):
    """The rows of the last table, without those of zeros."""
    rows = content(answer).find_all("table")[-1].find("tbody").find_all("tr")
    texts = [[cell.get_text(strip=True) for cell in row.find_all(["th", "td"])] for row in rows]
    return [row for row in texts if row[1:] != ["0", "0"]]


def dates_of(answer):
    return [answer.html.find(id=f"tokens-{name}")["value"] for name in ("from", "to")]


@pytest.mark.parametrize(
    ("role", "status"),
    [("viewer", 200), ("editor", 200), ("token_operator", 403), (None, 403)],
)
def test_page_when_the_role_may_list_then_it_may_see_them(app, role, status):
    assert app(role).get(PATH, status="*").status_int == status


def test_page_when_nobody_is_signed_in_then_401(anonymous):
    anonymous.get(PATH, status=401)


def test_page_when_nothing_happened_then_it_says_so(editor):
    answer = page(editor)
    assert "No token was consumed or refused in this time." in text_of(answer)
    assert not content(answer).find("svg")
    assert dates_of(answer) == ["2026-05-31", "2026-06-06"]


def test_page_when_tokens_are_consumed_then_it_counts_them(editor, service, monkeypatch):
    monkeypatch.undo()
    uid = service.add(new_token(usage_count=1), by=None)
    for _ in range(3):
        service.consume(uid, by="me")
    answer = page(editor, "?range=today")
    assert "Granted 1" in text_of(answer)
    assert "Refused 2" in text_of(answer)
    assert "Used up 2 100 %" in text_of(answer)


def test_days_when_shown_then_those_of_the_zone_count(editor, log):
    log((utc(2026, 6, 4, 21, 59), None), (utc(2026, 6, 4, 22), 2), (utc(2026, 6, 5, 22), None))
    assert table_of(page(editor)) == [
        ["2026-06-04", "1", "0"],
        ["2026-06-05", "0", "1"],
        ["2026-06-06", "1", "0"],
    ]


def test_hours_when_a_day_is_shown_then_they_are_its_own(editor, log):
    log((utc(2026, 6, 4, 22, 30), None), (utc(2026, 6, 5, 21, 59), 3), (utc(2026, 6, 5, 22), 3))
    assert table_of(page(editor, "?range=yesterday")) == [
        ["00:00", "1", "0"],
        ["23:00", "0", "1"],
    ]
    assert table_of(page(editor, "?range=today")) == [["00:00", "0", "1"]]


def test_hours_when_the_clocks_go_back_then_one_is_there_twice(editor, log):
    log((utc(2026, 10, 25, 0, 30), None), (utc(2026, 10, 25, 1, 30), None))
    answer = page(editor, "?from=2026-10-25&to=2026-10-25")
    assert table_of(answer) == [["02:00", "1", "0"]] * 2
    times = content(answer).find_all("table")[-1].find_all("time")
    assert len({time["datetime"] for time in times}) == 25


def test_picture_when_there_are_figures_then_it_has_the_bars_and_their_words(editor, log):
    log(*[(utc(2026, 6, 5, 12), None)] * 4, (utc(2026, 6, 5, 12), 4), (utc(2026, 6, 3, 12), 7))
    picture = content(page(editor)).find("svg")
    assert picture["role"] == "img"
    words = [picture.find(id=uid).get_text(" ", strip=True) for uid in picture_ids(picture)]
    assert "4 granted, 2 refused." in " ".join(words[1].split())
    titles = [rect.title.string for rect in picture.find_all("rect") if rect.title]
    assert titles == ["2026-06-03: 0 / 1", "2026-06-05: 4 / 1", "2026-06-05: 4 / 1"]
    granted, refused = picture.find_all(class_=re.compile("tokens-bar"))[1:]
    base = float(picture.find(class_="tokens-base")["y1"])
    assert float(granted["y"]) + float(granted["height"]) == pytest.approx(base, abs=0.2)
    assert float(refused["y"]) == pytest.approx(base, abs=0.2)


def picture_ids(picture):
    return picture["aria-labelledby"].split()


def test_reasons_when_there_are_some_then_the_most_frequent_comes_first(editor, log):
    log(*[(utc(2026, 6, 5, 12), code) for code in (3, 3, 4, 7, 2, 3, 99)])
    reasons = content(page(editor)).find("table").find("tbody").find_all("tr")
    words = [" ".join(row.get_text(" ").split()) for row in reasons]
    assert words[0] == "Locked after a use 3 43 %"
    assert "Another reason 1 14 %" in words
    assert len(words) == 5


def test_reasons_when_there_are_denials_then_each_has_a_word():
    assert DENIAL_WORDS.keys() == {*Denial, None}


def test_range_when_it_is_long_then_its_table_waits(editor, log):
    log((utc(2026, 1, 5, 12), None))
    details = content(page(editor, "?from=2026-01-01")).find("details")
    assert not details.has_attr("open")
    assert content(page(editor, "?from=2026-01-01&to=2026-01-08")).find("details").has_attr("open")


@pytest.mark.parametrize(
    "query",
    ["", "?range=7-days", "?range=", "?from=&to=", "?from=2026-05-31&to=", "?from=2026-05-31"],
)
def test_range_when_left_out_then_it_is_the_last_seven_days(editor, query):
    answer = page(editor, query)
    assert dates_of(answer) == ["2026-05-31", "2026-06-06"]
    assert not content(answer).find(class_="alert")


def test_range_when_it_has_a_name_then_it_is_marked(editor):
    current = content(page(editor, "?range=30-days")).find(attrs={"aria-current": True})
    assert current.string == "30 days"


@pytest.mark.parametrize(
    "query", ["?from=0002-01-01&to=0002-01-02", "?from=9998-12-31&to=9998-12-31"]
)
def test_range_when_it_lies_far_away_then_it_is_shown(editor, query):
    assert not content(page(editor, query)).find(class_="alert")


@pytest.mark.parametrize(
    "query",
    [
        "?range=century",
        "?range=%3Cscript%3E",
        "?to=2026-06-01",
        "?from=yesterday",
        "?from=2026-02-30",
        "?from=20260601",
        "?from=0001-01-01&to=0001-01-02",
        "?from=9999-01-01&to=9999-12-31",
        "?from=2026-06-02&to=2026-06-01",
        "?from=2026-06-07",
        "?from=2025-06-05&to=2026-06-06",
        "?from=%D9%A2%D9%A0%D9%A2%D9%A6-06-01",
        "?from=" + "9" * 2048,
        "?from=%00",
    ],
)
def test_range_when_it_is_wrong_then_the_default_and_a_note_are_shown(editor, query):
    answer = page(editor, query)
    assert "There is no such range" in content(answer).find(class_="alert").get_text()
    assert dates_of(answer) == ["2026-05-31", "2026-06-06"]


def test_range_when_it_has_most_days_then_it_is_shown(editor):
    assert dates_of(page(editor, "?from=2025-06-06&to=2026-06-06"))[0] == "2025-06-06"


def test_page_when_it_is_asked_for_then_three_statements_count(editor, query_recorder):
    page(editor)
    query_recorder.clear()
    page(editor)
    assert len([text for text in query_recorder.statements if "token_usage" in text]) == 3


# How tokens were used

EXIT = Manner(checkpoint="main <door>", direction=Direction.OUT)
ENTRY = Manner(
    checkpoint="main <door>",
    direction=Direction.IN,
    inside_until=utc(2400, 1, 1),
)


@pytest.fixture
def use(service, monkeypatch):
    """Return a function that uses a new token in a manner, now."""
    monkeypatch.undo()

    def use(manner, **fields):
        uid = service.add(new_token(**fields), by=None)
        return uid, service.consume(uid, by="me", manner=manner).receipt

    return use


def test_page_when_rules_were_overridden_and_uses_taken_back_then_it_says_so(editor, service, use):
    use(Manner(checkpoint="cloakroom"))
    use(Manner(override="lost list"), usage_count=0)
    taken_back = use(Manner(checkpoint="cloakroom"))
    service.undo(*taken_back, by="me")
    answer = page(editor, "?range=today")
    assert "Granted 1 Let in anyway 1 Refused 0" in text_of(answer)
    assert "What was taken back is left out of all figures." in text_of(answer)
    assert "Checkpoint Granted Let in anyway Refused cloakroom 1 0 0" in text_of(answer)
    [row] = [row for row in table_of(answer) if row[1:] != ["0", "0", "0"]]
    assert row[1:] == ["1", "1", "0"]


def test_page_when_somebody_went_out_then_that_is_no_grant(editor, service, use):
    uid, _receipt = use(ENTRY)
    service.consume(uid, by="me", manner=EXIT)
    use(Manner(checkpoint="cloakroom"))
    text = text_of(page(editor, "?range=today"))
    assert "Granted 2 Out 1 Refused 0" in text
    assert "Checkpoint Granted Out Refused cloakroom 1 0 0 main <door> 1 1 0" in text


def test_page_when_a_checkpoint_is_chosen_then_its_tries_alone_are_shown_by_hour(
    editor, service, use
):
    uid, _receipt = use(ENTRY)
    service.consume(uid, by="me", manner=EXIT)
    use(Manner(checkpoint="cloakroom"))
    of_door = page(editor, "?range=today").click(href="checkpoint=main")
    text = text_of(of_door)
    assert ", main <door> All checkpoints Granted 1 Out 1 Refused 0" in text
    assert "Inside now" not in text
    [row] = [row for row in table_of(of_door) if row[1:] != ["0", "0", "0"]]
    assert row[1:] == ["1", "1", "0"]
    of_week = of_door.click("7 days")
    assert ", main <door>" in text_of(of_week)
    form = next(form for form in of_week.forms.values() if "from" in form.fields)
    of_days = form.submit()
    assert "Granted 1 Out 1 Refused 0" in text_of(of_days)
    assert "Granted 2 Out 1 Refused 0" in text_of(of_days.click("All checkpoints"))


def test_page_when_the_checkpoint_has_no_tries_then_it_says_so(editor, use):
    assert ", nowhere" in text_of(page(editor, "?checkpoint=nowhere"))
    assert "No token was consumed" in text_of(page(editor, "?checkpoint=nowhere"))


@pytest.mark.parametrize("name", ["%00", "a%00b", "x" * 41, "a%0Ab", "%E2%80%8B"])
def test_page_when_no_checkpoint_can_have_the_name_then_400(editor, name):
    """PostgreSQL takes no NUL in a text."""
    editor.get(f"{PATH}?checkpoint={name}", status=400)


def test_page_when_a_reason_was_forgotten_then_the_override_still_counts_apart(editor, use):
    use(Manner(override=""), usage_count=0)
    assert "Granted 0 Let in anyway 1 Refused 0" in text_of(page(editor, "?range=today"))


def test_page_when_nobody_can_be_inside_then_it_does_not_say_how_many(editor):
    assert "Inside now" not in text_of(page(editor))


def test_page_when_a_checkpoint_lets_out_then_it_says_that_nobody_is_inside(editor, settings_path):
    entry = {"name": "main door", "directions": "in_out"}
    settings_path.write_text(json.dumps({"checkpoints": [entry]}))
    assert "Inside now 0" in text_of(page(editor))


def test_reset_when_it_is_asked_and_confirmed_then_nobody_is_inside(
    editor, service, use, read_tables
):
    use(ENTRY)
    answer = page(editor)
    assert "Inside now 1" in text_of(answer)
    asked = answer.click("Reset inside")
    assert "Tokens that are inside now: 1." in text_of(asked)
    assert service.count_inside() == 1
    form = next(form for form in asked.forms.values() if "reset_inside" in form.action)
    done = form.submit().follow()
    assert "Nobody counts as inside any more" in text_of(done)
    assert service.count_inside() == 0
    form.submit()
    [reset] = [event for event in read_tables()["token_events"] if event.action == "reset"]
    assert reset.user.startswith("editor")


@pytest.mark.parametrize("role", ["viewer", "token_operator"])
def test_reset_when_the_role_may_not_edit_then_it_is_forbidden(app, service, use, role):
    use(ENTRY)
    client = app(role)
    if role == "viewer":
        assert "Reset inside" not in client.get(PATH).text
    client.get("/tokens/reset_inside", status=403)
    client.post("/tokens/reset_inside", status=403)
    assert service.count_inside() == 1
