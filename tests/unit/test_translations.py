"""Every text is there in every language. ``python config/translations.py`` puts it right."""

import ast
import gettext
import re

import pytest

from cone.tokens.browser import texts
from cone.tokens.core import codes
from cone.tokens.core import params
from cone.tokens.core import windows
from cone.tokens.core.values import Status
from cone.tokens.tickets import params as params_of_tickets
from cone.tokens.tickets import parser
from cone.tokens.web import texts as mistakes
from config import translations

REFRESH = "run: python config/translations.py"


@pytest.fixture(scope="module")
def found():
    """Default texts of code and templates."""
    return translations.texts()


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_catalogue_when_texts_are_used_then_it_has_them_and_no_others(found, language):
    assert translations.read_strings(language).keys() == found.keys(), REFRESH


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_catalogue_when_it_has_a_text_then_it_is_not_empty(language):
    strings = translations.read_strings(language)
    assert [msgid for msgid, text in strings.items() if not text.strip()] == []


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_catalogue_when_a_text_has_gaps_then_its_translation_has_the_same(found, language):
    strings = translations.read_strings(language)
    assert {msgid: gaps(text) for msgid, text in found.items()} == {
        msgid: gaps(text) for msgid, text in strings.items()
    }


def test_catalogue_when_it_is_english_then_it_has_the_default_texts(found):
    assert translations.read_strings("en") == found, REFRESH


def test_template_when_texts_are_used_then_it_has_them(found):
    lines = translations.TEMPLATE.read_text()
    assert set(re.findall(r'^msgid "(.+)"$', lines, re.MULTILINE)) == found.keys(), REFRESH


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_binary_when_the_catalogue_is_compiled_then_it_is_that(language):
    path = translations.catalog_path(language)
    strings = translations.read_strings(language)
    compiled = translations.compiled(language, strings)
    assert path.with_suffix(".mo").read_bytes() == compiled, REFRESH


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_binary_when_gettext_reads_it_then_it_gives_the_texts(language):
    with translations.catalog_path(language).with_suffix(".mo").open("rb") as file:
        catalogue = gettext.GNUTranslations(file)
    strings = translations.read_strings(language)
    assert {msgid: catalogue.gettext(msgid) for msgid in strings} == strings


def test_texts_when_a_msgid_has_two_of_them_then_that_is_refused(tmp_path, monkeypatch):
    for name, text in (("a.py", "one"), ("b.py", "another")):
        (tmp_path / name).write_text(f'_("same", default="{text}")')
    monkeypatch.setattr(translations, "PACKAGE", tmp_path)
    with pytest.raises(translations.ConflictingTextsError):
        translations.texts()


def test_mistakes_when_the_parser_of_a_form_knows_a_reason_then_there_is_a_text_for_it():
    others = {
        "invalid_json",
        "invalid_key",
        "invalid_list",
        "same_uid_twice",
        "invalid_receipt",
        "invalid_format",
        "not_for_many",
        "not_together",
        "invalid_filter",
        "unknown_filter",
        "unknown_token",
        "too_many_tokens",
        "invalid_choice",
        "unknown_parameter",
    }
    for module in (codes, params, windows, params_of_tickets, parser):
        assert reasons_of(module) - others <= mistakes._MISTAKES.keys()


def test_statuses_when_there_are_some_then_each_has_a_word_and_a_reason():
    assert texts.STATUS_WORDS.keys() == texts._STATUS_REASONS.keys() == set(Status)


def gaps(text):
    return sorted(re.findall(r"\$\{\w+\}", text))


def reasons_of(module):
    """The reasons of all mistakes that a module raises."""
    with open(module.__file__) as file:  # noqa: PTH123 - a module names its file as text
        calls = [node for node in ast.walk(ast.parse(file.read())) if isinstance(node, ast.Call)]
    raised = [call for call in calls if getattr(call.func, "id", None) == "InvalidParameter"]
    return {call.args[1].value for call in raised}
