"""One spelling of each path is served: rules of a proxy for a path know no other."""

import pytest

from tests.support.asking import assert_failure
from tests.support.asking import make_user
from tests.support.asking import send
from tests.support.site import login_form

#: Second spellings of the path of a view of a token; the server decodes before we see them.
SPELLINGS = {
    "slash at the end": "/tokens/{uid}/{view}/",
    "slashes at the end": "/tokens/{uid}/{view}//",
    "marked view": "/tokens/{uid}/@@{view}",
    "mark alone": "/tokens/{uid}/@@/{view}",
    "dot at the end": "/tokens/{uid}/{view}/.",
    "dot inside": "/tokens/./{uid}/{view}",
    "two dots": "/tokens/{uid}/x/../{view}",
    "dots from above": "/x/../tokens/{uid}/{view}",
    "empty segment": "/tokens/{uid}//{view}",
    "empty segment at first": "//tokens/{uid}/{view}",
    "encoded dot": "/tokens/{uid}/{view}/%2e",
    "encoded slash": "/tokens/{uid}%2F{view}/",
    "segment behind": "/tokens/{uid}/{view}/x",
    "parameter of a segment": "/tokens/{uid}/{view};x=1",
    "upper case": "/tokens/{uid}/{VIEW}",
    "blank": "/tokens/{uid}/{view}%20",
    "line end": "/tokens/{uid}/{view}%0A",
    "NUL": "/tokens/{uid}/{view}%00",
    "encoded twice": "/tokens/{uid}/consume%255Ftoken",
    "backslash": "/tokens/{uid}\\{view}",
    "uid without hyphens": "/tokens/{hex}/{view}",
    "uid in braces": "/tokens/%7B{uid}%7D/{view}",
    "uid as urn": "/tokens/urn:uuid:{uid}/{view}",
}
#: Spellings that the decoded path does not show, as they stand in the request line.
ENCODED = {
    "encoded letter": "/tokens/{uid}/consume_toke%6e",
    "encoded underscore": "/tokens/{uid}/consume%5Ftoken",
    "encoded slash": "/tokens/{uid}%2Fconsume_token",
    "encoded container": "/%74okens/{uid}/consume_token",
    "encoded hyphen": "/tokens/{quoted}/consume_token",
    "fragment": "/tokens/{uid}/consume_token#x",
    "empty segment at first": "//tokens/{uid}/consume_token",
    "empty segments at first": "///tokens/{uid}/consume_token",
    "empty segment behind the host": "http://localhost//tokens/{uid}/consume_token",
}
MOUNTED = {"SCRIPT_NAME": "/shop"}


def spelled(form, token, view="consume_token"):
    uid = str(token.uid)
    names = {"view": view, "VIEW": view.upper(), "hex": token.uid.hex}
    return form.format(uid=uid, quoted=uid.replace("-", "%2D"), **names)


@pytest.mark.parametrize("environ", [{}, MOUNTED], ids=["at the root", "below a path"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("form", SPELLINGS.values(), ids=SPELLINGS)
def test_consumption_when_the_path_is_spelled_otherwise_then_404_and_no_use_is_taken(
    editor, make_token, content, form, method, environ
):
    token = make_token(usage_count=3)
    before = content()
    path = spelled(form, token)
    ask = editor.post if method == "POST" else editor.get
    answer = ask(path, status="*", extra_environ=environ)
    # A name that is no view of ours is a page, and of a page readers get the right spelling.
    assert answer.status_int == 404
    assert content() == before
    plain = f"/tokens/{token.uid}/consume_token"
    assert ask(plain, extra_environ=environ).json["consumed"] is True


@pytest.mark.parametrize("view", ["delete_token", "update_token", "usages", "qr_code"])
def test_the_api_when_the_path_is_spelled_otherwise_then_404(admin, make_token, content, view):
    token = make_token()
    before = content()
    method = "GET" if view in ("usages", "qr_code") else "POST"
    for form in SPELLINGS.values():
        if "{view}" in form:
            answer = send(admin, method, spelled(form, token, view), {"usage_count": "9"})
            assert (form, answer.status_int) == (form, 404)
    assert content() == before


@pytest.mark.parametrize(
    "form",
    [
        "/tokens/{view}/",
        "/tokens/@@{view}",
        "//tokens/{view}",
        "/tokens/./{view}",
        "/tokens//{view}",
    ],
)
@pytest.mark.parametrize("view", ["consume_token", "add_token", "query_token", "openapi.json"])
def test_the_api_of_the_container_when_spelled_otherwise_then_404_as_json(
    editor, make_token, content, view, form
):
    make_token(value="ticket", usage_count=3)
    before = content()
    method = "POST" if view in ("consume_token", "add_token") else "GET"
    path = form.format(view=view)
    assert_failure(send(editor, method, path, {"value": "ticket"}), 404, "not_found")
    assert content() == before


@pytest.mark.parametrize("root", ["/tokens/{uid}", "/tokens/{uid}/consume_token", "\xff"])
def test_consumption_when_a_header_moves_the_root_then_it_is_not_heard(editor, make_token, root):
    token = make_token(usage_count=9)
    moved = {"HTTP_X_VHM_ROOT": root.format(uid=token.uid)}
    for path in ("/consume_token", "/"):
        answer = editor.get(path, extra_environ=moved, status="*")
        assert "consumed" not in answer.text
        assert answer.status_int in (200, 404)
    plain = editor.get(f"/tokens/{token.uid}/consume_token", extra_environ=moved)
    assert plain.json["usage_count"] == 8


@pytest.mark.parametrize("view", ["health", "metrics"])
@pytest.mark.parametrize("form", ["/tokens/{}/", "/tokens/@@{}", "//tokens/{}", "/tokens/x/../{}"])
def test_operation_when_spelled_otherwise_then_404(anonymous, view, form):
    anonymous.get(form.format(view), status=404)


def test_consumption_when_the_request_line_encodes_what_it_need_not_then_404(serve):
    client = serve().sign_in()
    uid = client.post("/tokens/add_token", {"usage_count": 3}).json["token_uid"]
    for form in ENCODED.values():
        for method in ("GET", "POST"):
            path = form.format(uid=uid, quoted=uid.replace("-", "%2D"))
            answer = client._send(method, path, None, {})
            assert (path, answer.status, answer.json["error"]) == (path, 404, "not_found")
    plain = f"/tokens/{uid}/consume_token?_=%2F"
    assert client._send("GET", plain, None, {}).json["usage_count"] == 2


@pytest.mark.parametrize("name", ["REQUEST_URI", "RAW_URI"])
def test_consumption_when_the_server_tells_the_request_line_then_it_is_compared(
    editor, make_token, name
):
    path = f"/tokens/{make_token(usage_count=9).uid}/consume_token"
    for raw in (path, f"{path}?a=%2F", f"http://localhost{path}", f"/shop{path}", "/another/path"):
        environ = {name: raw}
        assert editor.post(path, extra_environ=environ).json["consumed"] is True
    others = (f"/{path}", f"http://localhost/{path}", f"{path}#x")
    for raw in (path.replace("_", "%5f"), f"/shop{path}".replace("-", "%2D"), *others):
        assert_failure(editor.post(path, extra_environ={name: raw}, status="*"), 404, "not_found")


def test_consumption_when_the_uid_is_in_upper_case_then_it_is_the_same_token_and_key(
    editor, make_token
):
    token = make_token(usage_count=3)
    key = {"Idempotency-Key": "scan-1"}
    first = editor.post(f"/tokens/{token.uid}/consume_token", headers=key).json
    again = editor.post(f"/tokens/{str(token.uid).upper()}/consume_token", headers=key).json
    assert again == first
    assert again["usage_count"] == 2


PAGES = {
    "/tokens/": "/tokens",
    "//tokens": "/tokens",
    "/tokens//": "/tokens",
    "/tokens/.": "/tokens",
    "/tokens/scan/": "/tokens/scan",
    "/tokens/@@statistics": "/tokens/statistics",
    "/tokens/x/../tokens_overview": "/tokens/tokens_overview",
    "/settings/token_settings/": "/settings/token_settings",
    "/settings//token_settings/edit": "/settings/token_settings/edit",
    "/tokens/login/": "/tokens/login",
    "/login/": "/login",
    "/@@login": "/login",
}


@pytest.mark.parametrize("environ", [{}, MOUNTED], ids=["at the root", "below a path"])
@pytest.mark.parametrize("path", PAGES)
def test_page_when_spelled_otherwise_then_readers_are_sent_to_the_one_spelling(
    signed_in, path, environ
):
    client = signed_in("manager")
    query = "?search=a%20b&x=%C3%A4"
    for ask in (client.get, client.head):
        answer = ask(f"{path}{query}", status=301, extra_environ=environ)
        root = f"http://localhost{environ.get('SCRIPT_NAME', '')}"
        assert answer.location == f"{root}{PAGES[path]}{query}"
        assert answer.headers["Cache-Control"] == "no-store"
    assert client.get(PAGES[path], extra_environ=environ).status_int == 200


@pytest.mark.parametrize("path", PAGES)
def test_page_when_spelled_otherwise_then_forms_find_nothing(signed_in, service, path):
    signed_in("manager").post(path, {"action.tokenform.save": "1"}, status=404)
    assert service.page(1).tokens == ()


@pytest.mark.parametrize("form", ["/tokens/{}/use/", "/tokens/{}/@@use", "/tokens//{}/use"])
def test_use_when_spelled_otherwise_then_404_and_no_use_is_taken(editor, make_token, content, form):
    token = make_token(usage_count=3)
    before = content()
    editor.post(form.format(token.uid), {"key": str(token.uid)}, status=404)
    assert content() == before


def test_sign_in_when_the_path_is_spelled_otherwise_then_404(anonymous):
    form = login_form(make_user("viewer"))
    for path in ("/login/", "/@@login", "//login", "/login/."):
        assert "Set-Cookie" not in anonymous.post(path, form, status=404).headers


def test_page_when_the_path_names_another_host_then_the_redirect_stays_here(editor):
    for path in ("//tokens//evil.example/..", "/tokens/.//evil.example/../"):
        answer = editor.get(path, status="*")
        assert answer.status_int == 301
        assert answer.location == "http://localhost/tokens"


@pytest.mark.parametrize("environ", [{}, MOUNTED], ids=["at the root", "below a path"])
def test_site_when_its_own_links_are_followed_then_none_is_redirected(
    signed_in, make_token, environ
):
    token = make_token()
    client = signed_in("manager")
    root = f"http://localhost{environ.get('SCRIPT_NAME', '')}"
    starts = ["/", "/tokens", f"/tokens/{token.uid}", "/settings/token_settings", "/settings"]
    links = {
        link["href"].removeprefix(root)
        for path in starts
        for link in client.get(path, extra_environ=environ).html.find_all("a", href=True)
        if link["href"].startswith(root) and "logout" not in link["href"]
    }
    assert len(links) > 10
    moved = {
        path
        for path in links
        if client.get(path or "/", extra_environ=environ, status="*").status_int == 301
    }
    assert moved == set()
