"""The page of a token tells how it was used, and takes uses back."""

import datetime
import uuid

import cone.sql
import pytest
from sqlalchemy import update

from cone.tokens.core.manner import Direction
from cone.tokens.core.manner import Manner
from cone.tokens.tickets.records import TokenUsageRecord
from tests.functional.test_pages import HTML
from tests.functional.test_pages import content
from tests.functional.test_pages import text_of
from tests.functional.test_token_page import open_page
from tests.functional.test_token_page import tries
from tests.support.asking import UNKNOWN_UID

QUARTER = datetime.timedelta(minutes=15)
INSIDE_UNTIL = datetime.datetime(2040, 1, 2, 5, tzinfo=datetime.UTC)
ENTRY = Manner(checkpoint="main door", direction=Direction.IN, inside_until=INSIDE_UNTIL)
EXIT = Manner(checkpoint="main door", direction=Direction.OUT)


def take_back(page):
    """Go to the question and answer yes; return the page that comes then."""
    asked = page.click("Take back")
    assert content(asked).h1.get_text(strip=True) == "Take this use back?"
    form = next(form for form in asked.forms.values() if "take_back" in form.action)
    return form.submit().follow()


def age(usage, by):
    """Let a use be older than it is."""
    record = TokenUsageRecord
    with cone.sql.session_factory.engine.begin() as connection:
        connection.execute(
            update(record).where(record.uid == usage.receipt).values(timestamp=record_time(by))
        )


def record_time(ago):
    return datetime.datetime.now(datetime.UTC) - ago


def rows(page):
    """Return the result cells of the history as texts."""
    found = content(page).find(class_="tokens-history").find_all("tr")[1:]
    return [" ".join(row.td.get_text(" ").split()) for row in found]


def test_use_when_it_is_taken_back_then_the_page_tells_and_the_use_is_there_again(
    app, make_token, service
):
    token = make_token(usage_count=3)
    service.consume(token.uid, by="desk", manner=Manner(uses=2))
    page = take_back(open_page(app("editor"), token))
    assert "The use was taken back." in text_of(page)
    assert service.get(token.uid).usage_count == 3
    [row] = rows(page)
    assert row.startswith("Used 2 uses Taken back: ")
    (usage,) = service.usages(token.uid, 1).usages
    assert row.endswith(f", {usage.undone_by}")
    assert usage.undone_by.startswith("editor-")
    assert content(page).find(class_="tokens-history").find("s").get_text(strip=True) == "Used"
    assert "Take back" not in page.text


@pytest.mark.parametrize("language", ["en", "de"])
def test_history_when_uses_have_manners_then_each_is_told(app, make_token, service, language):
    token = make_token(usage_count=2, category="VIP")
    for manner in (
        ENTRY,
        EXIT,
        Manner(uses=5),
        Manner(override=HTML),
        Manner(override=""),
        Manner(checkpoint="cloakroom", categories=("coat",)),
        EXIT,
    ):
        service.consume(token.uid, by="desk", manner=manner)
    english = [
        "Not inside main door out",
        "Not for this checkpoint cloakroom",
        "Let in anyway no use taken The reason was deleted.",
        f"Let in anyway Reason: {HTML}",
        "Fewer uses left 5 uses asked for",
        "Went out no use taken main door out",
        "Used main door in",
    ]
    page = open_page(app("viewer"), token, f"?_LOCALE_={language}")
    told = rows(page)
    assert len(told) == len(english)
    assert (told == english) is (language == "en")
    assert not content(page).find(class_="tokens-history").find("script")


def test_page_when_a_token_is_inside_or_out_for_a_while_then_it_says_until_when(
    app, make_token, service
):
    token = make_token(usage_count=1)
    viewer = app("viewer")
    assert "Inside until" not in text_of(open_page(viewer, token))
    service.consume(token.uid, by="desk", manner=ENTRY)
    assert "Inside until 2040-01-02 06:00:00" in text_of(open_page(viewer, token))
    service.consume(token.uid, by="desk", manner=EXIT)
    page = text_of(open_page(viewer, token))
    assert "Outside, may come in again until 2040-01-02 06:00:00" in page
    assert "Inside until" not in page


def test_use_when_an_operator_took_it_then_he_may_take_it_back_for_15_minutes(
    app, make_token, service
):
    token = make_token(usage_count=3)
    operator = app("token_operator")
    operator.post(f"/tokens/{token.uid}/consume_token")
    service.consume(token.uid, by="somebody else")
    other, own = service.usages(token.uid, 9).usages
    page = open_page(operator, token)
    assert [row[4] for row in tries(page)] == ["", "Take back"]
    asked = page.click("Take back")
    age(own, by=QUARTER)
    assert "Take back" not in open_page(operator, token).text
    form = next(form for form in asked.forms.values() if "take_back" in form.action)
    assert "The use was not taken back" in text_of(form.submit().follow())
    answer = operator.post(f"/tokens/{token.uid}/take_back", {"receipt": str(other.receipt)})
    assert "not_undone" in answer.location
    assert service.get(token.uid).usage_count == 1


def test_use_when_it_is_refused_or_from_before_an_upgrade_then_it_cannot_be_taken_back(
    app, make_token, service
):
    token = make_token(usage_count=1)
    for _ in range(2):
        service.consume(token.uid, by="desk")
    refused, used = service.usages(token.uid, 9).usages
    editor = app("editor")
    with cone.sql.session_factory.engine.begin() as connection:
        known = update(TokenUsageRecord).where(TokenUsageRecord.uid == used.receipt)
        connection.execute(known.values(usage_count=None, version=0))
    assert "Take back" not in open_page(editor, token).text
    for usage in (refused, used):
        editor.post(f"/tokens/{token.uid}/take_back", {"receipt": str(usage.receipt)}, status=400)
    assert service.get(token.uid).usage_count == 0


@pytest.mark.parametrize("receipt", [None, "", "x", UNKNOWN_UID])
def test_question_when_there_is_no_such_use_then_400(app, make_token, receipt):
    token = make_token(usage_count=1)
    given = {} if receipt is None else {"receipt": receipt}
    app("editor").get(f"/tokens/{token.uid}/take_back", given, status=400)
    app("editor").post(f"/tokens/{token.uid}/take_back", given, status=400)


def test_question_when_the_token_is_gone_then_404(app):
    given = {"receipt": str(uuid.uuid4())}
    app("editor").get(f"/tokens/{UNKNOWN_UID}/take_back", given, status=404)
    app("editor").post(f"/tokens/{UNKNOWN_UID}/take_back", given, status=404)


def test_question_when_it_is_only_asked_then_nothing_changes(app, make_token, service):
    token = make_token(usage_count=1)
    receipt = service.consume(token.uid, by="desk").receipt
    app("editor").get(f"/tokens/{token.uid}/take_back?receipt={receipt}")
    assert service.get(token.uid).usage_count == 0


def test_question_when_who_reads_may_not_redeem_then_it_is_forbidden(app, make_token, service):
    token = make_token(usage_count=1)
    given = {"receipt": str(service.consume(token.uid, by="desk").receipt)}
    viewer = app("viewer")
    assert "Take back" not in open_page(viewer, token).text
    viewer.get(f"/tokens/{token.uid}/take_back", given, status=403)
    viewer.post(f"/tokens/{token.uid}/take_back", given, status=403)
    assert service.get(token.uid).usage_count == 0


def test_use_when_it_is_taken_back_twice_then_it_comes_back_once(app, make_token, service):
    token = make_token(usage_count=2)
    receipt = service.consume(token.uid, by="desk").receipt
    editor = app("editor")
    for _ in range(2):
        answer = editor.post(f"/tokens/{token.uid}/take_back", {"receipt": str(receipt)})
        assert "undone=1" in answer.location
    assert service.get(token.uid).usage_count == 2


def test_log_when_uses_have_manners_then_the_file_tells_them(app, make_token, service):
    token = make_token(usage_count=3, value="v")
    receipt = service.consume(token.uid, by="desk", manner=Manner(uses=2)).receipt
    service.undo(token.uid, receipt, by="desk")
    service.consume(token.uid, by="desk", manner=ENTRY)
    service.consume(token.uid, by="desk", manner=Manner(override="lost list"))
    lines = app("viewer").get("/tokens/scan_log?format=csv").text.splitlines()
    names = lines[0].lstrip("\ufeff").split(",")
    told = [dict(zip(names, line.split(","), strict=True)) for line in lines[1:]]
    members = ("result", "uses", "checkpoint", "direction", "override")
    assert [tuple(row[name] for name in members) for row in told] == [
        ("overridden", "1", "", "", "lost list"),
        ("granted", "1", "main door", "in", ""),
        ("granted", "2", "", "", ""),
    ]
    assert [bool(row["undone"]) for row in told] == [False, False, True]
    assert datetime.datetime.fromisoformat(told[2]["undone"]).tzinfo
