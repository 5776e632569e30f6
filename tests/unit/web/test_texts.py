import pytest
from translationstring import TranslationString

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.host.failures import Failure
from cone.tokens.web import texts

OTHER = TranslationString("other")


def test_add_texts_when_there_is_one_already_then_it_is_refused_and_none_is_added():
    with pytest.raises(ValueError, match="given_twice"):
        texts.add_texts({"given_twice": OTHER, "free": OTHER}, {"free": OTHER})
    assert texts.mistake_text(mistake("given_twice")) == texts.GIVEN_TWICE
    assert texts.mistake_text(mistake("free")) == texts.UNKNOWN_MISTAKE
    failure = Failure(403, "forbidden", "text", permission="free")
    assert texts.failure_text(failure).text != OTHER


def mistake(reason):
    return InvalidParameter("name", reason, "text")
