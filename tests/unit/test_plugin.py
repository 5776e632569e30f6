import dataclasses

import pytest

from cone.tokens.host.config import StartupError
from cone.tokens.model import TokenContainer
from cone.tokens.plugin import check_factory
from tests.unit.host.test_config import read


class OwnContainer(TokenContainer):
    """A container of a site."""


@pytest.mark.parametrize("factory", [dict, len, object])
def test_check_factory_when_it_is_no_container_of_tokens_then_one_line_names_the_key(factory):
    config = dataclasses.replace(read(), entry_factory=factory)
    with pytest.raises(StartupError, match=r"^cone\.tokens\.entryfactory: "):
        check_factory(config)


@pytest.mark.parametrize("factory", [TokenContainer, OwnContainer])
def test_check_factory_when_it_is_one_then_it_is_taken(factory):
    check_factory(dataclasses.replace(read(), entry_factory=factory))
