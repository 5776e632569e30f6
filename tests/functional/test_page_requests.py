"""What requests for pages may not do, whichever page it is."""

import pytest

from cone.tokens.core.params import find_uid
from tests.support.asking import UNKNOWN_UID

FORMS = {
    "add": "/tokens/add?action.tokenform.save=1",
    "edit": "/tokens/{uid}/edit?action.tokenform.save=1&tokenform.usage_count=9",
    "settings": "/settings/token_settings?action.settingsform.save=1",
    "tile": "/tokens/{uid}/ajaxaction?ajax.action=editform&action.tokenform.save=1",
}

#: Tiles of the host and of ours: names, but no addresses.
TILES = ("navtree", "footer", "loginform", "layout", "content", "editform", "tokens_failure")

NESTED = (
    b'--x\r\nContent-Disposition: form-data; name="a"\r\n'
    b"Content-Type: multipart/mixed; boundary=y\r\n\r\n"
    b"--y\r\nContent-Disposition: file; filename=f\r\n\r\nz\r\n--y--\r\n--x--\r\n"
)
MANY_PARTS = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 1_100 + b"--x--\r\n"
MANY_LINES = b"--x\r\n" + b"A: b\r\n" * 100_000 + b"\r\n1\r\n--x--\r\n"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("form", FORMS)
def test_a_form_when_sent_by_a_link_then_405_and_nothing_changes(
    app,
    service,
    make_token,
    form,
    method,
):
    token = make_token(usage_count=1)
    path = FORMS[form].format(uid=token.uid)
    answer = app("manager").request(path, method=method, status=405)
    assert answer.headers["Allow"] == "POST"
    assert [(t.uid, t.version) for t in service.page(9).tokens] == [(token.uid, 1)]


@pytest.mark.parametrize("role", [None, "token_operator", "manager"])
@pytest.mark.parametrize("tile", [*TILES, "delete"])
def test_a_tile_when_asked_for_as_a_page_then_404(app, tile, role):
    app(role).get(f"/tokens/{tile}", status=404)


def test_a_tile_when_asked_for_by_nobody_signed_in_then_404(anonymous, make_token):
    for path in ("/tokens/navtree", f"/tokens/{make_token().uid}/loginform"):
        anonymous.get(path, status=404)


@pytest.mark.parametrize("path", ["/tokens/add", "/tokens/add_token"])
@pytest.mark.parametrize(
    "body",
    [NESTED, MANY_PARTS, MANY_LINES],
    ids=["nested", "many parts", "many lines"],
)
def test_a_multipart_form_when_nobody_could_mean_it_then_it_is_refused(app, path, body):
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    client = app("editor")
    expected = {NESTED: (200, 400)}.get(body, (400,))
    assert client.post(path, body, headers=headers, status="*").status_int in expected


def test_a_bad_uid_when_the_key_is_of_another_request_then_422(editor, make_token):
    key = {"Idempotency-Key": "k"}
    editor.post(f"/tokens/{make_token().uid}/consume_token", headers=key)
    answer = editor.post("/tokens/no-uid/consume_token", headers=key, status=422)
    assert answer.json["error"] == "idempotency_conflict"
    assert editor.post("/tokens/no-uid/consume_token", headers={"Idempotency-Key": "l"}, status=404)


def test_add_page_when_sent_as_a_form_then_a_token_is_added(app):
    fields = {"usage_count": "1", "lock_time": "0", "enabled": "true", "key": UNKNOWN_UID}
    form = {f"tokenform.{name}": text for name, text in fields.items()}
    answer = app("editor").post("/tokens/add", {**form, "action.tokenform.save": "1"}, status=302)
    assert find_uid(answer.location.partition("?")[0].rpartition("/")[2])
