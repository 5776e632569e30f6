"""Who may let somebody in although a rule refuses it."""

import pytest

from tests.support.asking import assert_failure


@pytest.fixture
def used_up(make_token):
    return make_token(usage_count=0)


def override(client, token):
    path = f"/tokens/{token.uid}/consume_token"
    return client.post(path, {"override": "lost list"}, status="*")


@pytest.mark.parametrize("role", ["editor", "admin", "manager"])
def test_override_when_the_role_is_editor_or_above_then_somebody_is_let_in(
    signed_in, used_up, role
):
    assert override(signed_in(role), used_up).json["consumed"] is True


def test_override_when_the_role_is_that_of_an_operator_then_it_is_forbidden(
    signed_in, used_up, content
):
    answer = override(signed_in("token_operator"), used_up)
    assert_failure(answer, 403, "forbidden", "Permission override is missing")
    assert not content()["token_usage"]


@pytest.mark.parametrize("finds", [True, False])
def test_override_when_the_site_gives_it_to_operators_then_they_may_and_find_as_before(
    patched_config, signed_in, used_up, finds
):
    patched_config(operators_override=True, operators_find=finds)
    operator = signed_in("token_operator")
    assert override(operator, used_up).json["consumed"] is True
    answer = operator.get("/tokens/find_tokens?search=abc", status="*")
    assert answer.status_int == (200 if finds else 403)


def test_override_when_the_site_gives_it_to_operators_then_viewers_have_it_not(
    patched_config, signed_in, used_up
):
    patched_config(operators_override=True)
    assert_failure(override(signed_in("viewer"), used_up), 403, "forbidden")
