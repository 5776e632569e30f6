"""All tiles and views, of ours and of cone.app, as addresses and as parts of pages."""

import pytest
from cone.tile import ITile
from webtest import TestApp

from tests.support.asking import INTERNALS
from tests.support.asking import sign_in

#: cone.app warns of tiles of its own that are to go.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*will be removed as of cone.app:DeprecationWarning"
)

#: Of our nodes, of the root, and of what else has settings.
PLACES = ("", "/tokens", "/tokens/{uid}", "/settings", "/settings/token_settings")
#: Where all is ours: there is no bug at all.
OURS = ("/tokens", "/tokens/{uid}", "/settings/token_settings")
BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"
ACCEPTED = {"page": BROWSER, "script": "application/json, text/javascript, */*; q=0.01"}
#: They end what the next ones need; the last one is a tile that a test registers after the start.
ENDING = {"logout", "delete", "deed"}
#: Tiles of cone.app that fail at nodes they are not made for: bugs of it, which are ours to answer.
FAILING = {
    "add_principal_role",
    "local_acl",
    "referencebrowser",
    "referencebrowser_pathbar",
    "remove_principal_role",
    "sharing",
    "wf_dropdown",
}


@pytest.fixture(scope="module")
def registry(wsgi_app):
    app = wsgi_app
    while not hasattr(app, "registry"):
        app = app.next_app
    return app.registry


@pytest.fixture(scope="module")
def tiles(registry):
    return sorted(
        {found.name for found in registry.registeredAdapters() if found.provided is ITile}
    )


@pytest.fixture(scope="module")
def views(registry):
    found = (view["introspectable"] for view in registry.introspector.get_category("views"))
    return sorted({view["name"] for view in found})


@pytest.fixture(params=["admin", None])
def client(request, wsgi_app):
    """Somebody who may do all, or nobody."""
    client = TestApp(wsgi_app)
    return sign_in(client, request.param) if request.param else client


@pytest.fixture
def walk(client, make_token):
    """Return a function that asks for addresses and returns what is wrong with the answers."""
    uid = make_token().uid

    def look(path, headers):
        answer = client.get(path.format(uid=uid), headers=headers, status="*")
        text = answer.body.decode("latin-1")
        inside = [word for word in INTERNALS if word in text]
        assert "Content-Security-Policy" in answer.headers, path
        return answer.status_int, inside

    def walk(paths, accept):
        headers = {"Accept": accept} if accept else {}
        if "json" in accept:
            headers["X-Requested-With"] = "XMLHttpRequest"
        found = {path: look(path, headers) for path in paths}
        return {path: what for path, what in found.items() if what[0] >= 500 or what[1]}

    return walk


@pytest.mark.parametrize("accept", ACCEPTED)
@pytest.mark.parametrize("place", PLACES)
def test_address_when_it_is_the_name_of_a_tile_or_view_then_it_is_no_bug(
    walk, tiles, views, place, accept
):
    names = [name for name in (*tiles, *views) if name not in ENDING]
    wrong = walk([f"{place}/{name}" for name in names], ACCEPTED[accept])
    known = set() if place in OURS else {f"{place}/{name}" for name in FAILING}
    assert set(wrong) <= known, wrong
    assert not [path for path, (_status, inside) in wrong.items() if inside]


@pytest.mark.parametrize("accept", ACCEPTED)
@pytest.mark.parametrize("place", PLACES)
def test_part_of_a_page_when_it_is_any_tile_or_view_then_it_is_no_bug(
    walk, tiles, views, place, accept
):
    names = [name for name in (*tiles, *views) if name not in ENDING]
    paths = {name: f"{place}/ajaxaction?ajax.action={name}" for name in names}
    wrong = walk(paths.values(), ACCEPTED[accept])
    known = set() if place in OURS else {paths[name] for name in FAILING}
    assert set(wrong) <= known, wrong
    assert not [path for path, (_status, inside) in wrong.items() if inside]


@pytest.mark.parametrize("client", [None], indirect=True)
@pytest.mark.parametrize("place", ["/settings", "", *OURS])
def test_address_when_nobody_is_signed_in_then_no_tile_and_no_view_fails(walk, tiles, views, place):
    names = [name for name in (*tiles, *views) if name not in ENDING]
    parts = [f"{place}/ajaxaction?ajax.action={name}" for name in names]
    assert walk([*(f"{place}/{name}" for name in names), *parts], BROWSER) == {}


@pytest.mark.parametrize("place", OURS)
def test_the_frame_when_it_is_asked_for_as_a_part_then_404(anonymous, make_token, place):
    path = place.format(uid=make_token().uid)
    anonymous.get(f"{path}/ajaxaction?ajax.action=tokens_frame", status=(401, 404))


@pytest.mark.parametrize("place", OURS)
@pytest.mark.parametrize("accept", ["text/html", "application/json", "text/plain"])
def test_the_live_search_when_nobody_is_signed_in_then_it_is_refused(
    anonymous, make_token, place, accept
):
    path = place.format(uid=make_token().uid)
    answer = anonymous.get(f"{path}/livesearch", headers={"Accept": accept}, status="*")
    assert answer.status_int in (401, 404)


@pytest.mark.parametrize("tile", ["paste", "move_up", "move_down", "navtree", "change_language"])
@pytest.mark.parametrize("place", ["", "/settings"])
def test_a_tile_of_the_host_when_it_is_an_address_then_nothing_is_there(signed_in, tile, place):
    answer = signed_in("manager").get(f"{place}/{tile}?lang=de", status="*")
    assert "Set-Cookie" not in answer.headers
    assert "not" in answer.text.lower()
