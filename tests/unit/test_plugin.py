import pytest

from cone.tokens.host.config import StartupError
from cone.tokens.model import TokenContainer
from cone.tokens.plugin import load_factory


class OwnContainer(TokenContainer):
    """A container of a site."""


@pytest.mark.parametrize(
    "name",
    [
        *("builtins.dict", "builtins.len", "builtins.object", "cone.tokens.model.ENTRY"),
        *("no.such.module", "cone.tokens.model.NoSuchClass", ".."),
    ],
)
def test_load_factory_when_it_is_no_container_of_tokens_then_one_line_names_the_key(name):
    with pytest.raises(StartupError, match=r"^cone\.tokens\.entryfactory: .*\Z"):
        load_factory(name)


@pytest.mark.parametrize("factory", [TokenContainer, OwnContainer])
def test_load_factory_when_it_is_one_then_it_is_taken(factory):
    assert load_factory(f"{factory.__module__}.{factory.__qualname__}") is factory
