"""Long work has fewer places than there are threads, and files that wait have no room for ever."""

import contextlib
import json
import socket
import threading
import time

import pytest
import waitress
from webob import Request
from webtest import Upload

from cone.tokens.core.errors import Interrupted
from cone.tokens.core.places import FEW
from cone.tokens.core.places import Places
from cone.tokens.host import wiring
from cone.tokens.host.spool import Spool
from tests.support.asking import assert_failure
from tests.support.asking import send
from tests.support.factories import new_token
from tests.support.saved_files import FOLDER

MANY = FEW + 1
ROWS = "value\r\n" + "".join(f"row {number}\r\n" for number in range(MANY))


@pytest.fixture
def busy(wsgi_app):
    """All places are taken, until the stack is closed."""
    places = wiring.get(Places)
    with contextlib.ExitStack() as stack:
        for _ in range(places.count):
            stack.enter_context(places.work())
        yield stack


@pytest.fixture
def uids(service):
    """Some more tokens than are changed without a place."""
    return [str(uid) for uid in service.add_many(new_token(), MANY, None, by=None)]


def assert_busy_page(answer):
    assert answer.status_int == 503
    assert answer.headers["Retry-After"] == "5"
    assert "The server is at work on other documents, exports or large changes." in answer.text


def paths_of_pages(uids):
    chosen = json.dumps(uids)
    return {
        "document": ("POST", "/tokens/labels", {"token_uids": chosen, "make": "pdf"}),
        "export": ("GET", "/tokens/export", {}),
        "export of a form": ("POST", "/tokens/export", {"all": "1", "list": ""}),
        "export for Excel": ("GET", "/tokens/export", {"format": "xlsx"}),
        "scan log": ("GET", "/tokens/scan_log", {}),
        "scan log of a form": ("POST", "/tokens/scan_log", {"all": "1", "list": ""}),
        "scan log of a token": ("POST", "/tokens/scan_log", {"uid": "".join(uids[:1])}),
        "statistics": ("GET", "/tokens/statistics", {}),
    }


@pytest.mark.parametrize("name", paths_of_pages([]))
def test_page_when_all_places_are_taken_then_503_until_one_is_free(admin, uids, busy, name):
    method, path, parameters = paths_of_pages(uids[:2])[name]
    assert_busy_page(send(admin, method, path, parameters))
    busy.close()
    assert send(admin, method, path, parameters).status_int == 200


def test_page_when_all_places_are_taken_then_it_says_so_in_german_too(admin, busy):
    admin.set_cookie("_LOCALE_", "de")
    answer = admin.get("/tokens/statistics", status=503)
    admin.set_cookie("_LOCALE_", "en")
    assert "Der Server arbeitet gerade an anderen Dokumenten" in answer.text


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("add_tokens", {"count": str(MANY)}),
        ("update_tokens", {"filter": "{}", "usage_count": "9"}),
        ("delete_tokens", {"filter": "{}"}),
    ],
)
def test_large_change_when_all_places_are_taken_then_503_and_nothing_is_changed(
    admin, uids, busy, content, name, parameters
):
    before = content()
    answer = send(admin, "POST", f"/tokens/{name}", parameters)
    assert_failure(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert "other documents, exports or large changes" in answer.json["message"]
    assert content() == before
    busy.close()
    assert send(admin, "POST", f"/tokens/{name}", parameters).status_int == 200


def test_changes_when_they_are_small_then_they_need_no_place(admin, uids, busy):
    few = json.dumps(uids[:FEW])
    for name, parameters in (
        ("add_tokens", {"count": str(FEW)}),
        ("update_tokens", {"token_uids": few, "usage_count": "9"}),
        ("delete_tokens", {"token_uids": few}),
    ):
        assert send(admin, "POST", f"/tokens/{name}", parameters).status_int == 200
    one = f"/tokens/{uids[-1]}/labels"
    assert admin.post(one, {"make": "pdf"}).content_type == "application/pdf"
    assert admin.post("/tokens/export", {"uid": uids[-1]}).content_type == "text/csv"


def test_form_of_many_when_all_places_are_taken_then_503(admin, busy, content):
    page = admin.get("/tokens/add_many")
    form = page.forms["form-tokenform"]
    form["tokenform.count"] = str(MANY)
    before = content()
    assert_busy_page(form.submit("action.tokenform.save", status="*"))
    assert content() == before


def test_import_when_all_places_are_taken_then_503_and_nothing_is_imported(admin, busy, content):
    page = admin.get("/tokens/import")
    form = next(one for one in page.forms.values() if one.action.endswith("/import"))
    form["text"] = ROWS
    checked = form.submit()
    before = content()
    sure = next(one for one in checked.forms.values() if one.action.endswith("/import"))
    assert_busy_page(sure.submit(status="*"))
    assert content() == before


def test_workbook_when_all_places_are_taken_then_503_and_it_is_not_unpacked(admin, busy):
    form = admin.get("/tokens/import").forms[0]
    form["file"] = Upload("list.xlsx", (FOLDER / "de.xlsx").read_bytes())
    assert_busy_page(form.submit(status="*"))
    busy.close()
    assert "Zoë Müller" in form.submit().text


# Files that wait to be fetched


@pytest.fixture
def small_spool(wsgi_app, monkeypatch):
    """Room for two files of 90 tokens and a half, of which one caller may have one and a half."""
    row = 141
    spool = Spool(row * 90 * 5 // 2, row * 90 * 3 // 2)
    monkeypatch.setitem(wiring._running, Spool, spool)
    monkeypatch.setitem(wiring._running, Places, Places(9))
    return spool


def ask(client, path="/tokens/export"):
    """Ask for a file and read nothing of it."""
    cookie = "; ".join(f"{name}={text}" for name, text in client.cookies.items())
    status, headers, file = Request.blank(path, headers={"Cookie": cookie}).call_application(
        client.app
    )
    return int(status[:3]), dict(headers), file


def test_exports_when_nobody_fetches_them_then_the_next_gets_503_until_one_is_gone(
    signed_in, small_spool, service
):
    service.add_many(new_token(), 90, None, by=None)
    admin, editor = signed_in("admin"), signed_in("editor")
    first = ask(admin)
    size = int(first[1]["Content-Length"])
    # As the room was reckoned.
    assert 133 * 90 < size < 148 * 90
    assert small_spool.size == size
    assert ask(admin)[0] == 503
    # What had no room leaves nothing behind, and others have some.
    assert small_spool.size == size
    second = ask(editor)
    assert (first[0], second[0]) == (200, 200)
    assert ask(signed_in("viewer"))[0] == 503
    first[2].close()
    assert small_spool.size == size
    third = ask(admin)
    assert third[0] == 200
    assert len(b"".join(third[2])) == size
    for _status, _headers, file in (second, third):
        file.close()
    assert small_spool.size == 0


def test_export_when_only_its_head_is_asked_for_then_nothing_waits(admin, small_spool):
    assert admin.head("/tokens/export").status_int == 200
    assert small_spool.size == 0


def test_export_when_the_database_fails_on_the_way_then_503_and_nothing_waits(
    admin, small_spool, service, monkeypatch
):
    service.add_many(new_token(), 5, None, by=None)

    def failing(*_args):
        yield b"a beginning"
        raise Interrupted

    monkeypatch.setattr("cone.tokens.tickets.spreadsheet.write", failing)
    assert admin.get("/tokens/export", status="*").status_int == 503
    assert small_spool.size == 0


@pytest.fixture
def server(wsgi_app):
    """The application behind waitress, in this process; return its port."""
    server = waitress.create_server(wsgi_app, host="127.0.0.1", port=0, threads=2)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield server.effective_port
    server.task_dispatcher.shutdown()
    # The thread that waits on the sockets closes them: a socket that another one closes fails it.
    server.trigger.pull_trigger(lambda: server.asyncore.close_all(server._map))
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.parametrize("is_read", [True, False], ids=["read", "left"])
def test_export_when_its_reader_is_done_or_gone_then_its_room_is_free(
    admin, small_spool, service, server, is_read
):
    # More than the buffers of a socket hold.
    service.add_many(new_token(), 8_000, "x" * 2_000, by=None)
    cookie = "; ".join(f"{name}={text}" for name, text in admin.cookies.items())
    with socket.create_connection(("127.0.0.1", server), timeout=60) as connection:
        connection.sendall(f"GET /tokens/export HTTP/1.0\r\nCookie: {cookie}\r\n\r\n".encode())
        assert connection.recv(12) == b"HTTP/1.0 200"
        assert small_spool.size > 16_000_000
        while is_read and connection.recv(1_000_000):
            pass
    deadline = time.monotonic() + 30
    while small_spool.size:
        assert time.monotonic() < deadline
        time.sleep(0.01)
