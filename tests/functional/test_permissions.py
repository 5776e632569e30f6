"""Who may do what, and from where (contract 5)."""

import json

import cone.app
import pytest
from cone.app.ugm import ugm_backend
from pyramid.authentication import AuthTktCookieHelper
from pyramid.authorization import ACLAuthorizationPolicy
from webob import Request

from cone.tokens.model import TokenContainer
from cone.tokens.model import TokenNode
from tests.support.asking import EVERY_VIEW
from tests.support.asking import VIEWS
from tests.support.asking import assert_failure
from tests.support.asking import make_user
from tests.support.asking import sign_in

EDITOR = {"view", "list", "add", "edit", "consume", "find"}
GRANTED = {
    "viewer": {"view", "list"},
    "token_operator": {"view", "consume", "find"},
    "editor": EDITOR,
    "admin": EDITOR | {"delete"},
    "manager": EDITOR | {"delete"},
    "owner": EDITOR | {"delete"},
    None: set(),
}
ROLES = pytest.mark.parametrize("role", GRANTED)
PERMISSIONS = ("view", "list", "add", "edit", "delete", "consume", "find")
READING = [view for view in VIEWS if view.is_reading]
CHANGING = [view for view in VIEWS if view not in READING]


@pytest.fixture
def shared_token(make_token):
    return make_token(value="v", usage_count=5)


@ROLES
@EVERY_VIEW
def test_a_view_when_a_role_calls_it_then_the_permissions_of_the_role_decide(
    signed_in,
    shared_token,
    content,
    role,
    view,
):
    before = content()
    answer = view.call(signed_in(role), shared_token)
    if view.permission in GRANTED[role]:
        assert answer.status_int == 200
    else:
        text = f"Permission {view.permission} is missing"
        assert "reason" not in assert_failure(answer, 403, "forbidden", text)
        assert content() == before


@EVERY_VIEW
def test_a_view_when_nobody_is_signed_in_then_it_is_401(anonymous, shared_token, content, view):
    before = content()
    answer = view.call(anonymous, shared_token)
    assert_failure(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"]
    assert "Location" not in answer.headers
    assert content() == before


@EVERY_VIEW
def test_a_view_when_the_user_was_deleted_then_the_cookie_grants_nothing(
    anonymous,
    shared_token,
    content,
    view,
):
    login = make_user("admin")
    client = sign_in(anonymous, login)
    assert view.call(client, shared_token).status_int == 200
    del ugm_backend.ugm.users[login]
    ugm_backend.ugm()
    before = content()
    assert_failure(view.call(client, shared_token), 403, "forbidden")
    assert content() == before


def test_a_view_when_the_role_is_taken_away_then_it_is_403_at_once(anonymous, shared_token):
    login = make_user("editor")
    client = sign_in(anonymous, login)
    path = f"/tokens/{shared_token.uid}/consume_token"
    assert client.post(path).json["consumed"] is True
    ugm_backend.ugm.users[login].remove_role("editor")
    ugm_backend.ugm()
    assert_failure(client.post(path, status="*"), 403, "forbidden")


def test_a_view_when_the_role_comes_from_a_group_then_it_counts(anonymous, shared_token):
    login = make_user(None)
    group = ugm_backend.ugm.groups.create(f"group-of-{login}")
    group.add(login)
    group.add_role("token_operator")
    ugm_backend.ugm()
    client = sign_in(anonymous, login)
    path = f"/tokens/{shared_token.uid}"
    assert client.post(f"{path}/consume_token").json["consumed"] is True
    assert_failure(client.post(f"{path}/update_token", status="*"), 403, "forbidden")


def test_a_view_when_the_administrator_of_the_ini_file_calls_it_then_it_is_granted(
    anonymous,
    shared_token,
):
    client = sign_in(anonymous, "admin")
    assert client.post(f"/tokens/{shared_token.uid}/delete_token").json == {"success": True}


def ticket(secret: str) -> str:
    """Return a cookie for the administrator, signed with ``secret``."""
    helper = AuthTktCookieHelper(secret, hashalg="sha512")
    header = helper.remember(Request.blank("/"), "admin")[0][1]
    return header.partition("=")[2].partition(";")[0]


FORGED = {
    "other secret": ticket("another secret"),
    "default secret": ticket("secret"),
    "empty": "",
    "no ticket": "x",
    "long": "x" * 8_000,
    "zeros": "0" * 160 + "admin!",
    "not ASCII": "\xff\xfe",
    "quoted": '"\\377\\376"',
    "userid type": "0" * 136 + "YWRtaW4%3D!userid_type:b64unicode",
}


@pytest.mark.parametrize("cookie", FORGED.values(), ids=FORGED)
@EVERY_VIEW
def test_a_view_when_the_cookie_is_forged_then_it_is_401(
    anonymous,
    shared_token,
    content,
    view,
    cookie,
):
    before = content()
    answer = view.call(anonymous, shared_token, headers={"Cookie": f"auth_tkt={cookie}"})
    assert_failure(answer, 401, "unauthenticated")
    assert content() == before


def test_a_view_when_a_good_cookie_is_changed_then_it_is_401(anonymous, app, shared_token):
    cookie = app("viewer").cookies["auth_tkt"].strip('"')
    for position in (0, 64, 130, len(cookie) // 2):
        letter = "0" if cookie[position] != "0" else "1"
        changed = cookie[:position] + letter + cookie[position + 1 :]
        headers = {"Cookie": f"auth_tkt={changed}"}
        answer = anonymous.get("/tokens/query_token?value=v", headers=headers, status="*")
        assert_failure(answer, 401, "unauthenticated")


# Other sites

FOREIGN = {
    "cross-site": {"Sec-Fetch-Site": "cross-site"},
    "same-site": {"Sec-Fetch-Site": "same-site"},
    "nonsense": {"Sec-Fetch-Site": "nonsense"},
    "empty": {"Sec-Fetch-Site": ""},
    "cross-site with our origin": {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    "origin": {"Origin": "https://elsewhere.example"},
    "origin of another scheme": {"Origin": "https://localhost"},
    "origin of another port": {"Origin": "http://localhost:8080"},
    "origin of a subdomain": {"Origin": "http://evil.localhost"},
    "origin that begins with ours": {"Origin": "http://localhost.evil.example"},
    "null origin": {"Origin": "null"},
    "empty origin": {"Origin": ""},
    "referer": {"Referer": "https://elsewhere.example/page"},
    "referer of another scheme": {"Referer": "https://localhost/"},
    "referer of another port": {"Referer": "http://localhost:8080/"},
    "referer that begins with ours": {"Referer": "http://localhost.evil.example/"},
    "referer with our host as a user": {"Referer": "http://localhost@evil.example/"},
    "referer with ours in it": {"Referer": "http://evil.example/http://localhost/"},
    "empty referer": {"Referer": ""},
    "origin with our referer": {"Origin": "https://evil.example", "Referer": "http://localhost/"},
}
OURS = {
    "same-origin": {"Sec-Fetch-Site": "same-origin"},
    "none": {"Sec-Fetch-Site": "none"},
    "same-origin with any origin": {"Sec-Fetch-Site": "same-origin", "Origin": "http://x.example"},
    "none with null origin": {"Sec-Fetch-Site": "none", "Origin": "null"},
    "our origin": {"Origin": "http://localhost"},
    "our origin with any referer": {"Origin": "http://localhost", "Referer": "http://x.example/"},
    "our referer": {"Referer": "http://localhost/tokens?search=x"},
    "our referer without a path": {"Referer": "http://localhost"},
    "none of the three": {},
}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("view", CHANGING, ids=lambda view: view.id)
def test_a_change_when_it_comes_from_another_site_then_it_is_403(
    admin,
    shared_token,
    content,
    view,
    headers,
):
    before = content()
    answer = view.call(admin, shared_token, headers=headers)
    said = assert_failure(answer, 403, "forbidden", "Requests from another site are refused")
    assert said["reason"] == "other_site"
    assert content() == before


@pytest.mark.parametrize("headers", OURS.values(), ids=OURS)
@pytest.mark.parametrize("view", CHANGING, ids=lambda view: view.id)
def test_a_change_when_it_comes_from_our_site_then_it_is_accepted(
    admin,
    shared_token,
    view,
    headers,
):
    assert view.call(admin, shared_token, headers=headers).json["success"] is True


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("view", READING, ids=lambda view: view.id)
def test_reading_when_it_is_asked_for_from_another_site_then_it_is_answered(
    admin,
    shared_token,
    view,
    headers,
):
    assert view.call(admin, shared_token, headers=headers).status_int == 200


@pytest.mark.parametrize("view", CHANGING, ids=lambda view: view.id)
def test_a_change_when_the_uid_is_none_and_it_comes_from_another_site_then_it_is_403(admin, view):
    headers = FOREIGN["cross-site"]
    answer = admin.request(view.path("x"), method=view.method, headers=headers, status="*")
    assert_failure(answer, 403, "forbidden")


# Pages of another user


@pytest.mark.parametrize("view", [*CHANGING, *READING], ids=lambda view: view.id)
def test_request_when_another_user_is_expected_then_it_is_403_and_changes_nothing(
    admin, shared_token, content, view
):
    before = content()
    answer = view.call(admin, shared_token, headers={"Expected-User": "J%C3%BCrgen"})
    message = "Expected-User: another user is signed in"
    assert assert_failure(answer, 403, "forbidden", message)["reason"] == "other_user"
    assert content() == before


@pytest.mark.parametrize("view", CHANGING, ids=lambda view: view.id)
def test_request_when_its_own_user_is_expected_then_it_is_answered(admin, shared_token, view):
    user = json.loads(admin.get("/tokens/scan").html.find(id="door").string)["user"]
    encoded = "".join(f"%{byte:02X}" for byte in user.encode())
    answer = view.call(admin, shared_token, headers={"Expected-User": encoded})
    assert answer.json["success"] is True


# Previews

PREVIEWS = [
    (header, text)
    for header in ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
    for text in ("prefetch", "prerender", "preview", "Prefetch", "prefetch;prerender")
]


@pytest.mark.parametrize(("header", "text"), PREVIEWS)
def test_consume_by_get_when_it_announces_a_preview_then_it_is_403(
    editor,
    shared_token,
    content,
    header,
    text,
):
    before = content()
    path = f"/tokens/{shared_token.uid}/consume_token"
    answer = editor.get(path, headers={header: text}, status="*")
    assert assert_failure(answer, 403, "forbidden")["reason"] == "preview"
    assert content() == before
    assert editor.post(path, headers={header: text}).json["consumed"] is True
    assert editor.get(path, headers={header: "something else"}).json["consumed"] is True


@pytest.mark.parametrize("view", READING, ids=lambda view: view.id)
def test_reading_when_it_announces_a_preview_then_it_is_answered(admin, shared_token, view):
    headers = {"Sec-Purpose": "prefetch", "Purpose": "preview", "X-Moz": "prefetch"}
    assert view.call(admin, shared_token, headers=headers).status_int == 200


# Nodes


class OwnContainer(TokenContainer):
    """A container as a site derives it."""


class OwnNode(TokenNode):
    """A node as a site derives it."""


@ROLES
@pytest.mark.parametrize("kind", [TokenContainer, TokenNode, OwnContainer, OwnNode])
def test_the_access_rules_of_a_node_when_it_is_derived_then_they_are_ours(wsgi_app, role, kind):
    principals = ["system.Everyone", "system.Authenticated", "somebody"]
    principals += [f"role:{role}"] if role else []
    node = kind(name="x", parent=cone.app.get_root())
    policy = ACLAuthorizationPolicy()
    granted = {name for name in PERMISSIONS if policy.permits(node, principals, name)}
    assert granted == GRANTED[role]


@pytest.mark.parametrize("kind", [TokenContainer, TokenNode, OwnContainer, OwnNode])
def test_the_access_rules_of_a_node_when_nobody_is_signed_in_then_only_sign_in_is_granted(
    wsgi_app,
    kind,
):
    node = kind(name="x", parent=cone.app.get_root())
    policy = ACLAuthorizationPolicy()
    names = (*PERMISSIONS, "manage", "login")
    granted = [name for name in names if policy.permits(node, ["system.Everyone"], name)]
    assert granted == ["login"]


def test_the_role_of_the_operator_when_roles_are_given_then_it_is_offered(wsgi_app):
    names = [name for name, _title in cone.app.security.DEFAULT_ROLES]
    assert names.count("token_operator") == 1


@ROLES
def test_the_form_of_the_settings_when_a_role_opens_it_then_manage_is_needed(signed_in, role):
    answer = signed_in(role).get("/settings/token_settings", status="*")
    has_form = "default_usage_count" in answer.text
    assert has_form is (role == "manager")
