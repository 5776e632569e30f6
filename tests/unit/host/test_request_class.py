"""Requests of one class, with all that plugins added to them."""

import pytest
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from pyramid.scripting import prepare
from webtest import TestApp

from cone.tokens.host import request_class


class Own(Request):
    """The factory of a site."""


def make_app(*, factory=Own, has_properties=True):
    """Return an application that keeps the classes of its requests, and that list."""
    classes = []
    config = Configurator(request_factory=factory)

    def view(request):
        classes.append(type(request))
        answer = (request.double("a"), getattr(request, "count", 0), getattr(request, "once", 0))
        return Response(str(answer))

    def around(request):
        return request.invoke_subrequest(Request.blank("/"))

    if has_properties:
        made = iter(range(1, 100))
        config.add_request_method(lambda _request: 7, "count", property=True)
        config.add_request_method(lambda _request: next(made), "once", reify=True)
    config.add_request_method(lambda _request, text: 2 * text, "double")
    config.add_route("view", "/")
    config.add_view(view, route_name="view")
    config.add_route("around", "/around")
    config.add_view(around, route_name="around")
    return config.make_wsgi_app(), classes


def test_requests_when_properties_were_added_then_all_are_of_one_class():
    app, classes = make_app()
    TestApp(app).get("/")
    TestApp(app).get("/")
    assert len(set(classes)) == 2
    classes.clear()
    request_class.make_once(app)
    answers = [TestApp(app).get("/").text for _ in range(2)]
    assert answers == ["('aa', 7, 3)", "('aa', 7, 4)"]
    assert len(set(classes)) == 1
    assert issubclass(classes[0], Own)
    assert classes[0].__name__ == "Own"


def test_subrequest_when_its_class_is_another_then_it_has_the_properties_too():
    app, classes = make_app()
    request_class.make_once(app)
    assert TestApp(app).get("/around").text == "('aa', 7, 1)"
    assert not issubclass(classes[0], Own)


def test_script_when_it_prepares_a_request_then_that_has_the_properties():
    app, _classes = make_app()
    request_class.make_once(app)
    with prepare(registry=app.registry) as env:
        assert (env["request"].count, env["request"].double("b")) == (7, "bb")
        assert isinstance(env["request"], Own)


def make_request(environ):
    """Make a request: a factory need not be a class."""
    return Own(environ)


@pytest.mark.parametrize("site", [{"factory": make_request}, {"has_properties": False}])
def test_requests_when_there_is_nothing_to_gain_then_they_stay_as_they_are(site):
    app, _classes = make_app(**site)
    before = app.request_factory
    request_class.make_once(app)
    assert app.request_factory is before
    assert TestApp(app).get("/").text.startswith("('aa', ")
