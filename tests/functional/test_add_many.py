"""Many new tokens: the form, what makes it count once, and the way to what it made."""

import re
import uuid

import pytest

from tests.functional.test_pages import form_of
from tests.functional.test_pages import mistake_at
from tests.functional.test_pages import text_of
from tests.functional.test_token_list import values_of
from tests.support.asking import UNKNOWN_UID

PAGE = "/tokens/add_many"


@pytest.fixture
def editor(signed_in):
    return signed_in("editor")


def fill(client, **fields):
    """Return the form, filled."""
    form = form_of(client.get(PAGE), PAGE)
    for name, text in {"count": "3", "usage_count": "2", **fields}.items():
        form[f"tokenform.{name}"] = text
    return form


def send(form, **more):
    return form.submit("action.tokenform.save", **more)


def test_add_many_when_all_is_right_then_the_list_of_them_tells_the_number(
    editor,
    service,
    make_token,
):
    make_token(value="before")
    shown = send(fill(editor, count="30", prefix="FAIR-")).follow().follow()
    assert "Tokens added: 30." in text_of(shown)
    assert "30 new tokens." in text_of(shown)
    assert all(re.fullmatch("FAIR-[A-Z2-7]{26}", value) for value in values_of(shown))
    token = service.find_by_value(values_of(shown)[0])
    assert (token.usage_count, token.enabled, token.creator[:6]) == (2, True, "editor")


@pytest.mark.parametrize(
    ("language", "count", "line"),
    [
        ("en", 1, "1 new token."),
        ("en", 60, "60 new tokens."),
        ("de", 1, "1 neues Token."),
        ("de", 60, "60 neue Tokens."),
    ],
)
def test_list_of_new_tokens_when_it_is_shown_then_a_line_tells_them_and_no_filter_is_open(
    editor, monkeypatch, make_token, language, count, line
):
    make_token(value="before")
    monkeypatch.setitem(editor.extra_environ, "HTTP_ACCEPT_LANGUAGE", language)
    shown = send(fill(editor, count=str(count))).follow().follow()
    while True:
        assert shown.html.caption.strong.string == line
        assert not shown.html.main.details.has_attr("open")
        further = shown.html.find("a", rel="next")
        if not further:
            break
        shown = shown.click(href=further["href"].replace("?", r"\?"))


def test_list_of_new_tokens_when_it_is_searched_then_it_is_a_list_like_others(editor):
    shown = send(fill(editor, count="3")).follow().follow()
    found = shown.forms[0].submit()
    assert found.html.caption.strong.string == "Tokens that match: 3."
    assert found.html.main.details.has_attr("open")


@pytest.mark.parametrize(
    "query", ["new=1", "new=1&status=consumable", "new=&created_from=2020-01-01"]
)
def test_list_when_nothing_was_just_added_then_its_address_cannot_say_so(editor, make_token, query):
    make_token(value="before")
    shown = editor.get(f"/tokens/tokens_overview?{query}")
    assert "new token" not in text_of(shown)


@pytest.mark.parametrize(
    ("is_random", "pattern"),
    [(True, "[A-Z2-7]{26}"), (False, "[0-9a-f-]{36}")],
)
def test_add_many_when_there_is_no_prefix_then_values_are_random_or_uids(
    editor,
    is_random,
    pattern,
):
    shown = send(fill(editor, random=is_random)).follow().follow()
    values = values_of(shown)
    assert len(set(values)) == 3
    assert all(re.fullmatch(pattern, value) for value in values)


@pytest.mark.parametrize(
    ("name", "text", "mistake"),
    [
        ("count", "", "This is missing."),
        ("count", "0", "This must be between 1 and 10000."),
        ("count", "10001", "This must be between 1 and 10000."),
        ("count", "three", "This must be a whole number."),
        ("prefix", "x" * 2_023, "This is too long"),
        ("valid_from", "soon", "This is no date with a time."),
        ("usage_count", "-2", "This must be between -1"),
    ],
)
def test_add_many_when_a_field_is_wrong_then_it_tells_there_and_adds_nothing(
    editor,
    service,
    name,
    text,
    mistake,
):
    answer = send(fill(editor, **{name: text}), status=400)
    assert mistake in mistake_at(answer, f"tokenform.{name}")
    assert service.count() == 0


def test_add_many_when_it_is_sent_twice_then_they_are_added_once(editor, service):
    form = fill(editor)
    first, second = send(form), send(form)
    assert first.location == second.location
    assert service.count() == 3


@pytest.mark.parametrize(("path", "added"), [(PAGE, 3), ("/tokens/add", 1)])
def test_form_when_it_is_sent_again_with_other_content_then_it_says_so_first(
    editor,
    service,
    path,
    added,
):
    form = form_of(editor.get(path), path)
    if path == PAGE:
        form["tokenform.count"] = "3"
    send(form)
    form["tokenform.lock_time"] = "5"
    answer = send(form, status=409)
    assert "This form was sent before, with other content" in text_of(answer)
    assert service.count() == added
    send(form_of(answer, path), status=302)
    assert service.count() == 2 * added


@pytest.mark.parametrize("key", ["", "x", UNKNOWN_UID[:-1]])
def test_form_when_its_key_is_none_then_it_says_so_and_nothing_is_added(editor, service, key):
    answer = send(fill(editor, key=key), status=400)
    assert "The form arrived damaged." in text_of(answer)
    assert service.count() == 0
    send(form_of(answer, PAGE), status=302)
    assert service.count() == 3


def test_add_when_it_is_sent_twice_then_the_token_is_added_once(editor, service):
    form = form_of(editor.get("/tokens/add"), "/add")
    assert send(form).location == send(form).location
    assert service.count() == 1


def test_part_when_a_script_sends_it_then_the_answer_names_the_first_and_the_last(editor, service):
    form = fill(editor, prefix="P-")
    fields = [*form.submit_fields("action.tokenform.save"), ("tokenform.part", "1")]
    made = editor.post(PAGE, fields).json
    uids = [str(token.uid) for token in service.page(10).tokens]
    assert {made["first"], made["last"]} <= set(uids)
    assert (made["count"], made["prefix"]) == ("3", "P-")
    assert service.get(uuid.UUID(made["first"])).value.startswith("P-")


@pytest.mark.parametrize("query", ["first=x", f"first={UNKNOWN_UID}&last={UNKNOWN_UID}&count=9"])
def test_way_to_the_list_when_there_are_no_such_tokens_then_it_is_the_whole_list(editor, query):
    answer = editor.get(f"{PAGE}?{query}", status=303)
    assert "/tokens_overview?done=add" in answer.location
    answer.follow(status=200)


def test_add_many_when_the_role_may_not_add_then_it_is_forbidden(signed_in):
    signed_in("viewer").get(PAGE, status=403)
    assert PAGE not in signed_in("viewer").get("/tokens").text
