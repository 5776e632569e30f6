import pytest
from pyramid.request import Request
from pyramid.response import Response

from cone.tokens.host import headers


def secured(response, *, is_ours=True, allowed=(), cookie=None):
    request = Request.blank("/", headers={"Cookie": cookie} if cookie else {})
    for directive, *sources in allowed:
        headers.allow(request, directive, *sources)
    headers.secure(request, response, is_ours=is_ours)
    return response.headers


def rules(response, **more):
    policy = secured(response, **more)[headers.POLICY]
    return {name: sources for name, *sources in (rule.split() for rule in policy.split(";"))}


def test_policy_when_no_view_says_more_then_only_the_site_may_do_something():
    found = rules(Response("<p>"))
    assert found["default-src"] == found["script-src"] == found["form-action"] == ["'self'"]
    assert found["object-src"] == found["base-uri"] == found["frame-ancestors"] == ["'none'"]
    assert "'unsafe-inline'" not in found["style-src"]


def test_policy_when_a_view_allows_more_then_it_adds_up():
    allowed = [
        ("form-action", "https://pay.example"),
        ("form-action", "https://b.example", "'self'"),
        ("object-src", "'self'"),
    ]
    found = rules(Response("<p>"), allowed=allowed)
    assert found["form-action"] == ["'self'", "https://pay.example", "https://b.example"]
    assert found["object-src"] == ["'self'"]


@pytest.mark.parametrize(
    ("directive", "source"),
    [
        ("script-src", "'unsafe-inline'"),
        ("default-src", "'unsafe-inline'"),
        ("script-src", "'unsafe-eval'"),
        ("script-src", "data:"),
        ("script-src", "*"),
        ("form-action", "https://a.example; script-src *"),
        ("form-action", "https://a.example,x"),
        ("form-action", "a\nb"),
        ("form-action", ""),
        ("frame-ancestors", "*"),
        ("nonsense", "'self'"),
    ],
)
def test_policy_when_a_view_allows_what_none_may_then_it_is_told(directive, source):
    with pytest.raises(ValueError, match=r"nothing for|no directive"):
        headers.allow(Request.blank("/"), directive, source)


@pytest.mark.parametrize("content_type", ["application/json", "application/pdf", "text/css"])
def test_policy_when_the_answer_is_no_document_then_it_is_about_frames_alone(content_type):
    found = secured(Response(b"", content_type=content_type))
    assert found[headers.POLICY] == "frame-ancestors 'none'"
    assert found["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("content_type", ["text/html", "image/svg+xml", "application/xhtml+xml"])
def test_policy_when_the_answer_may_run_scripts_then_it_says_which(content_type):
    assert rules(Response(b"", content_type=content_type))["script-src"] == ["'self'"]


def test_headers_when_an_answer_has_some_then_they_stay():
    given = {headers.POLICY: "default-src 'none'", "Cache-Control": "private"}
    found = secured(Response("<p>", headers=given))
    assert {name: found[name] for name in given} == given
    assert headers.FRAME_OPTIONS not in found


@pytest.mark.parametrize(
    ("content_type", "cookie", "is_stored"),
    [
        ("text/html", "session=1", False),
        ("text/html", None, True),
        ("text/css", "session=1", True),
    ],
)
def test_host_page_when_it_is_asked_for_with_a_cookie_then_it_is_not_stored(
    content_type, cookie, is_stored
):
    response = Response(b"", content_type=content_type)
    found = secured(response, is_ours=False, cookie=cookie)
    assert (found.get("Cache-Control") != "no-store") == is_stored
