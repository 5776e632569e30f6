"""Figures for Prometheus: who is told them, and what they tell."""

import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cone.tokens.host.config import StartupError
from cone.tokens.host.metrics import Metrics
from cone.tokens.host.metrics import read_metrics
from tests.support.asking import UNKNOWN_UID
from tests.support.asking import assert_failure
from tests.support.asking import make_user
from tests.support.asking import send
from tests.support.asking import sign_in
from tests.support.served import Served
from tests.support.site import METRICS_SECRET
from tests.support.site import login_form
from tests.support.site import write_site

METRICS = "/tokens/metrics"
SECRET = "cone.tokens.metrics_secret"
BEARER = {"Authorization": f"Bearer {METRICS_SECRET}"}
MARKED = "ZQXJ-marked-value"


def test_metrics_when_the_site_has_no_secret_then_404(anonymous, editor):
    for client in (anonymous, editor):
        assert_failure(client.get(METRICS, headers=BEARER, status=404), 404, "not_found")


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Basic {METRICS_SECRET}",
        METRICS_SECRET,
        f"Bearer {METRICS_SECRET}x",
        f"Bearer {METRICS_SECRET[:-1]}",
        "Bearer \xff",
    ],
)
def test_metrics_when_the_secret_is_wrong_then_401(editor, figures, given):
    headers = {} if given is None else {"Authorization": given}
    answer = editor.get(METRICS, headers=headers, status=401)
    assert_failure(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert METRICS_SECRET not in answer.text


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_metrics_when_the_secret_is_right_then_they_are_told(anonymous, figures, scheme):
    answer = anonymous.get(METRICS, headers={"Authorization": f"{scheme} {METRICS_SECRET}"})
    assert answer.content_type == "text/plain"
    assert answer.headers["Cache-Control"] == "no-store"
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert names >= {
        "cone_tokens_requests",
        "cone_tokens_request_seconds",
        "cone_tokens_consumptions",
        "cone_tokens_rate_limited",
        "cone_tokens_sign_ins",
        "cone_tokens_build_info",
        "cone_tokens_pool_in_use",
        "process_resident_memory_bytes",
    }


def test_metrics_when_the_method_is_another_then_405(anonymous, figures):
    assert_failure(anonymous.post(METRICS, headers=BEARER, status=405), 405, "method_not_allowed")


def test_consumptions_when_they_are_asked_for_then_each_outcome_counts(editor, make_token, figures):
    token, off = make_token(usage_count=1, value=MARKED), make_token(enabled=False)
    for _ in range(2):
        send(editor, "POST", "/tokens/consume_token", {"value": MARKED})
    send(editor, "POST", f"/tokens/{off.uid}/consume_token")
    send(editor, "POST", f"/tokens/{UNKNOWN_UID}/consume_token")
    editor.post(f"/tokens/{token.uid}/use", {"key": UNKNOWN_UID})
    outcomes = ("granted", "usage_count_exceeded", "token_disabled", "token_not_exists")
    counted = [figures("consumptions_total", outcome=outcome) for outcome in outcomes]
    assert counted == [1, 2, 1, 1]


def test_requests_when_they_are_answered_then_view_and_status_count(
    editor, anonymous, make_token, figures
):
    token = make_token(value=MARKED)
    send(editor, "GET", "/tokens/query_token", {"value": MARKED})
    send(anonymous, "GET", "/tokens/query_token", {"value": MARKED})
    editor.get(f"/tokens/{token.uid}")
    editor.get(f"/tokens/{MARKED}", status=404)
    editor.get(f"/tokens/{MARKED}/{MARKED}", status=404)
    editor.get("/tokens/health")
    editor.get("/login")
    counted = {
        (view, status): figures("requests_total", view=view, status=status)
        for view, status in [
            ("tokens/query_token", "2xx"),
            ("tokens/query_token", "4xx"),
            ("token", "2xx"),
            ("other", "4xx"),
            ("health", "2xx"),
        ]
    }
    assert list(counted.values()) == [1, 1, 1, 2, 1]
    assert figures("request_seconds_count", view="tokens/query_token") == 2
    assert figures("request_seconds_count", view="token") is None
    told = anonymous.get(METRICS, headers=BEARER).text
    assert MARKED[:5] not in told
    assert str(token.uid) not in told


def test_requests_when_paths_are_made_up_then_the_figures_do_not_grow(editor, figures):
    def lines():
        return len(editor.get(METRICS, headers=BEARER).text.splitlines())

    editor.get("/tokens/x", status=404)
    lines()
    before = lines()
    for number in range(50):
        editor.get(f"/tokens/x{number}", status=404)
        editor.get(f"/tokens/x{number}/y{number}", status=404)
    assert lines() == before


def test_limits_when_they_refuse_then_each_counts(editor, figures, limited, anonymous):
    limited(queries="1/minute", sign_in_name="1/minute")
    for _ in range(3):
        send(editor, "GET", "/tokens/query_token", {"value": "x"})
        anonymous.post("/login", login_form("nobody"), status="*")
    assert figures("rate_limited_total", limit="queries") == 2
    assert figures("rate_limited_total", limit="sign_in_name") == 2
    results = ("good", "bad", "limited")
    assert [figures("sign_ins_total", result=result) for result in results] == [None, 1, 2]


def test_sign_ins_when_they_are_good_then_they_count(anonymous, figures):
    sign_in(anonymous, make_user("viewer"))
    assert figures("sign_ins_total", result="good") == 1


def test_pool_when_a_connection_is_in_use_then_it_is_told(figures, service):
    assert figures("pool_in_use") == 0
    with service._work.database.reading():
        assert figures("pool_in_use") == 1
    assert figures("pool_size") == 5
    assert figures("pool_overflow") == 0


def test_pool_when_it_counts_nothing_then_nothing_is_told():
    metrics = read_metrics({SECRET: METRICS_SECRET})
    metrics.watch_pool(type("Engine", (), {"pool": object()}))
    assert b"pool" not in metrics.page()[0]


def test_metrics_when_a_site_is_served_then_they_are_told(tmp_path):
    ini = write_site(tmp_path, more=f"{SECRET} = {METRICS_SECRET}")
    with Served(ini) as served:
        client = served.sign_in()
        client.headers.update(BEARER)
        answer = client.get(METRICS)
        assert b'cone_tokens_sign_ins_total{result="good"} 1.0' in answer.body
        assert METRICS_SECRET not in served.whole_log()


def test_secret_when_it_is_short_then_the_start_stops():
    with pytest.raises(StartupError, match=f"^{SECRET}: .* 16 characters"):
        read_metrics({SECRET: "x" * 15})


def test_secret_when_the_library_is_missing_then_the_start_says_which_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(StartupError, match=rf"^{SECRET}: .*cone.tokens\[metrics\]"):
        read_metrics({SECRET: METRICS_SECRET})


def test_metrics_when_the_library_is_missing_and_nobody_asks_then_nothing_is_counted(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    metrics = read_metrics({SECRET: " "})
    assert type(metrics) is Metrics
    metrics.watch_pool(None)
    metrics.count_request("tokens", 200, 0.1)
    metrics.count_consumption("granted")
    metrics.count_limited("queries")
    metrics.count_sign_in("good")
    assert metrics.admits(f"Bearer {METRICS_SECRET}") is False
    with pytest.raises(NotImplementedError):
        metrics.page()
