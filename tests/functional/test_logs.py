"""What the log tells: who did what in which request, and never the value of a token."""

import contextlib
import json
import logging
import re
import socket
from http.client import IncompleteRead

import pytest

from tests.functional.test_host_pages import write_host_site
from tests.support.asking import UNKNOWN_UID
from tests.support.asking import make_user
from tests.support.asking import send
from tests.support.asking import sign_in
from tests.support.site import PASSWORD
from tests.support.site import login_form
from tests.support.site import write_site

#: A value that nothing else looks like.
MARKED = "ZQXJ-marked-value"
HEADER = "X-Request-ID"


@pytest.fixture
def lines(caplog):
    """The lines of ours from now on."""
    caplog.set_level(logging.INFO, "cone.tokens")
    return caplog


def messages_of(lines, logger):
    return [record.getMessage() for record in lines.records if record.name == logger]


@pytest.mark.parametrize("path", ["/tokens", "/tokens/query_token", "/tokens/health", "/nowhere"])
def test_answer_when_a_request_brings_a_reference_then_it_has_it(anonymous, path):
    answer = anonymous.get(path, headers={HEADER: "proxy-17"}, status="*")
    assert answer.headers[HEADER] == "proxy-17"


@pytest.mark.parametrize("given", [{}, {HEADER: "a b"}, {HEADER: "x" * 65}])
def test_answer_when_a_request_brings_none_or_a_bad_one_then_it_has_its_own(anonymous, given):
    made = {anonymous.get("/tokens", headers=given, status=401).headers[HEADER] for _ in range(2)}
    assert len(made) == 2
    assert all(re.fullmatch("[0-9a-f]{16}", reference) for reference in made)


def test_bug_when_a_request_brings_a_reference_then_answer_and_log_have_it(
    editor, monkeypatch, lines
):
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("cone.tokens.tickets.service.TicketService.find_by_value", fail)
    answer = editor.get(
        "/tokens/query_token?value=x", headers={HEADER: "proxy-18"}, expect_errors=True
    )
    assert answer.json["message"].endswith("reference proxy-18")
    assert "proxy-18" in lines.text


def test_refusal_when_it_happens_then_a_line_tells_of_it(signed_in, make_token, lines):
    operator = signed_in("token_operator")
    token = make_token(usage_count=0, value=MARKED)
    send(operator, "POST", f"/tokens/{token.uid}/consume_token")
    send(operator, "POST", "/tokens/consume_token", {"value": MARKED})
    send(operator, "POST", "/tokens/consume_token", {"value": "unknown-value"})
    send(operator, "POST", f"/tokens/{UNKNOWN_UID}/consume_token")
    first, second, third, fourth = messages_of(lines, "cone.tokens.consumption")
    assert first == second
    assert first.startswith(f"consumption refused: usage_count_exceeded, token {token.uid}, user ")
    assert third == fourth
    assert third.startswith("consumption refused: token_not_exists, user ")
    assert "token_operator-" in third
    assert "unknown-value" not in lines.text


def test_consumption_when_it_is_granted_then_no_line_tells_of_it(editor, make_token, lines):
    send(editor, "POST", f"/tokens/{make_token(usage_count=1).uid}/consume_token")
    assert messages_of(lines, "cone.tokens.consumption") == []


def test_sign_out_when_somebody_does_it_then_a_line_tells_who(app, lines):
    client = app("viewer")
    client.get("/logout")
    client.get("/logout")
    (line,) = [line for line in messages_of(lines, "cone.tokens.signin") if "sign-out" in line]
    assert re.fullmatch("sign-out: viewer-[0-9a-f]+ from None", line)


def test_settings_when_they_change_then_a_line_tells_who_and_what(signed_in, settings_path, lines):
    manager = signed_in("manager")
    form = manager.get("/settings/token_settings").forms["form-settingsform"]
    form["settingsform.default_locktime"] = "17"
    form.submit("action.settingsform.save")
    (line,) = messages_of(lines, "cone.tokens.browser.settings")
    assert re.fullmatch("setting default_locktime changed by manager-[0-9a-f]+: 0 -> 17", line)


def test_access_when_a_request_is_answered_then_a_line_tells_of_it(editor, make_token, lines):
    token = make_token(value=MARKED)
    editor.get(f"/tokens/query_token?value={MARKED}", extra_environ={"REMOTE_ADDR": "192.0.2.1"})
    editor.get(f"/tokens/{token.uid}")
    editor.get(f"/tokens/{MARKED}", status=404)
    editor.post(f"/tokens/{MARKED}/consume_token", status=404)
    editor.get("/tokens/health")
    editor.get("/settings/token_settings", status="*")
    editor.get("/login")
    shown = [
        re.sub(" in [0-9.]+ ms, editor-[0-9a-f]+ from ", " ", line)
        for line in messages_of(lines, "cone.tokens.access")
    ]
    assert shown == [
        "GET tokens/query_token: 200 192.0.2.1",
        f"GET token token {token.uid}: 200 None",
        "GET other: 404 None",
        "POST token/consume_token: 404 None",
        "GET health: 200 None",
        "GET settings: 403 None",
    ]


def test_access_when_the_level_is_higher_then_no_line_is_written(editor, caplog):
    caplog.set_level(logging.WARNING, "cone.tokens.access")
    editor.get("/tokens/query_token?value=x")
    assert messages_of(caplog, "cone.tokens.access") == []


JSON_LINES = """
[formatter_plain]
class = cone.tokens.logs.JsonFormatter
"""


def write_json_site(folder):
    """Write the ini file of a site whose log has all lines, in JSON."""
    ini = write_site(folder, limits="cone.tokens.limits.queries = 12/minute")
    before = ini.read_text().partition("[formatter_plain]")[0]
    ini.write_text(before + JSON_LINES)
    return ini


def test_log_when_a_site_is_used_then_no_line_has_the_value_of_a_token(serve, tmp_path):
    served = serve(write_json_site(tmp_path))
    client = served.sign_in()
    uid = client.post("/tokens/add_token", {"value": MARKED, "usage_count": "1"}).json["token_uid"]
    client.post("/tokens/add_token", {"value": MARKED})
    client.post("/tokens/add_tokens", {"count": "2", "prefix": MARKED})
    for path in (f"/tokens/{uid}/consume_token", f"/tokens/{MARKED}/consume_token"):
        client.post(path)
        client.get(path)
    client.post("/tokens/consume_token", {"value": MARKED})
    client.post("/tokens/consume_token", {"value": f"{MARKED}2"})
    client.post("/tokens/consume_token", {"value": f"{MARKED}2"}, Idempotency_Key=MARKED)
    client.post(f"/tokens/{uid}/update_token", {"value": f"{MARKED}3"})
    client.post(f"/tokens/{uid}/update_token", {"usage_count": MARKED})
    for path in (f"/tokens/{MARKED}", f"/tokens/{uid}", "/tokens", f"/tokens/{MARKED}/{MARKED}"):
        client.get(path, {"value": MARKED, "text": MARKED})
    client.get(f"/tokens/{uid}/qr_code")
    for _ in range(15):
        client.get("/tokens/query_token", {"value": MARKED})
    served.connect().get("/tokens/query_token", {"value": MARKED})
    client.post(f"/tokens/{uid}/delete_token")
    client.get("/logout", {"came_from": f"/{MARKED}"})
    served.connect().post("/login", {**login_form("admin"), "loginform.password": MARKED})
    log = served.whole_log()
    assert MARKED[:5] not in log
    assert PASSWORD not in log
    said = [json.loads(line) for line in served.lines if line.startswith("{")]
    assert len(said) > 30
    loggers = {line["logger"] for line in said}
    ours = {"access", "consumption", "ratelimit", "signin"}
    assert loggers >= {f"cone.tokens.{name}" for name in ours}
    assert all(line["reference"] for line in said)
    of_requests = [line for line in said if line["logger"] == "cone.tokens.access"]
    assert len({line["reference"] for line in of_requests}) == len(of_requests)


def test_log_when_somebody_forges_lines_then_there_are_none(serve, tmp_path):
    ini = write_site(tmp_path)
    served = serve(ini)
    client = served.connect()
    form = login_form("x\nERROR forged: by name")
    client.post("/login", {**form, "loginform.password": "wrong"})
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.sendall(b"GET\x1b[31m /tokens HTTP/1.0\r\n\r\n")
        connection.recv(1_000)
        served.connect().get("/tokens/%0AERROR%20forged/consume_token")
    assert "\x1b" not in served.whole_log()
    assert not [line for line in served.lines if line.startswith("ERROR")]


OURS = """
[formatter_plain]
class = cone.tokens.logs.{formatter}
format = %(levelname)s %(name)s [%(reference)s]: %(message)s
"""
#: What a caller may put into a path, and what shall be no line of its own then.
LINE_ENDS = ("%0A", "%0D", "%0D%0A", "%C2%85", "%E2%80%A8", "%1B%5B2J%0A")
FORGED = "INFO%20cone.tokens.signin%20%5B-%5D:%20sign-in%20good:%20forged"
PATHS = (
    "/livesearch/{}",
    "/tokens/{}",
    "/resources/{}",
    "/{}/x",
    "/listing?b_page={}",
    "/login?a={}",
    # The server itself tells of answers that broke off, with their paths.
    "/folder/fails_later/{}",
)


@pytest.mark.parametrize("formatter", ["LineFormatter", "JsonFormatter"])
def test_log_when_any_path_has_line_ends_then_no_line_is_forged(serve, tmp_path, formatter):
    ini = write_host_site(tmp_path, more="pyramid.debug_notfound = true")
    text = ini.read_text().partition("[formatter_plain]")[0] + OURS.format(formatter=formatter)
    ini.write_text(
        text.replace("level = INFO\nhandlers = console", "level = DEBUG\nhandlers = console")
    )
    served = serve(ini)
    clients = [served.sign_in(), served.connect()]
    for path in PATHS:
        for end in LINE_ENDS:
            for client in clients:
                with contextlib.suppress(IncompleteRead):
                    client._send("GET", path.format(f"x{end}{FORGED}"), None, {"Referer": "/x"})
    served.whole_log()
    # Apart from what is said before there is a log.
    lines = [line.rstrip("\n") for line in served.lines if "``" not in line]
    assert "Exception while serving /folder/fails_later/x" in served.log
    assert all(line.isprintable() for line in lines)
    assert not [line for line in lines if line.startswith("INFO cone.tokens.signin [-]")]
    if formatter == "JsonFormatter":
        started = [line for line in lines if line.startswith("{")]
        assert len(started) > 20
        assert all(json.loads(line)["logger"] for line in started)


def test_sign_in_when_it_is_served_then_its_line_has_the_address(serve, tmp_path):
    served = serve(write_site(tmp_path))
    served.sign_in()
    assert "sign-in good: admin from 127.0.0.1" in served.whole_log()


def test_a_user_when_it_signs_in_then_the_line_is_of_that_request(wsgi_app, anonymous, lines):
    sign_in(anonymous, make_user("viewer"))
    assert [line for line in messages_of(lines, "cone.tokens.signin") if "sign-in good" in line]
