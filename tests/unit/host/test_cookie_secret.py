import secrets

import pytest

from cone.tokens.host.cookie_secret import listens_on_loopback
from cone.tokens.host.secret_strength import is_strong

WEAK = {
    "cone.app's default": "secret",
    "of 2.0's example": "12345",
    "31 characters": secrets.token_hex(32)[:31],
    "few characters": "abcabca" * 10,
    "a pattern": "0123456789abcdef" * 4,
    "an example": "please-CHANGE-this-very-long-text-of-the-site",
    "known": "this is the s-e-c-r-e-t of our cookies, dear reader",
}


@pytest.mark.parametrize("secret", WEAK.values(), ids=WEAK)
def test_secret_when_others_know_or_guess_it_then_it_is_weak(secret):
    assert not is_strong(secret, 32)


@pytest.mark.parametrize("make", [secrets.token_hex, secrets.token_urlsafe])
def test_secret_when_it_is_made_at_random_then_it_is_strong(make):
    assert all(is_strong(make(32), 32) for _ in range(1_000))


LOOPBACK = {
    "waitress": "host = 127.0.0.1",
    "any of its addresses": "host = 127.9.9.9",
    "IPv6": "host = ::1",
    "a name": "host = localhost",
    "with a port": "listen = 127.0.0.1:%(http_port)s",
    "several": "listen = 127.0.0.1:8081 [::1]:8081 localhost:8082",
    "a variable": "host = %(where)s",
    "a socket": "unix_socket = /run/site.sock",
    "gunicorn": "bind = 127.0.0.1:8081, unix:/run/site.sock",
    "gunicorn, IPv6": "bind = [::1]:8081",
}
OPEN = {
    "all addresses": "host = 0.0.0.0",
    "all of IPv6": "listen = [::]:8081",
    "a star": "listen = *:8081",
    "none": "port = 8081",
    "an empty one": "host =",
    "one of several": "listen = 127.0.0.1:8081 10.0.0.1:8081",
    "both keys": "host = 127.0.0.1\nlisten = 10.0.0.1:8081",
    "a name like it": "host = localhost.example.org",
    "an address like it": "host = 127.0.0.1.example.org",
    "a port alone": "bind = :8081",
    "an unknown variable": "host = %(elsewhere)s",
    "a file": "bind = fd://3",
    "behind a proxy": "host = 127.0.0.1\ntrusted_proxy = 127.0.0.1",
}


USE = "use = egg:waitress#main"
#: Sections that say loopback, where PasteDeploy hands something else to the server.
HANDED_OVER = {
    "a variable of the same name": f"[DEFAULT]\nhost = 127.0.0.1\n[server:main]\n{USE}\n"
    "host = 127.0.0.1\n",
    "a variable under another name": f"[DEFAULT]\nh = 0.0.0.0\n[server:main]\n{USE}\n"
    "get host = h\nhost = 127.0.0.1\n",
    "another server": f"[server:main]\n{USE}\nhost = 127.0.0.1\n[server:pub]\n{USE}\n"
    "host = 0.0.0.0\n",
    "a server without an address": f"[server:main]\n{USE}\nhost = 127.0.0.1\n[server:pub]\n{USE}\n",
}


def written(tmp_path, text):
    ini = tmp_path / "site.ini"
    ini.write_text(text)
    return {"__file__": str(ini), "where": "127.0.0.1"}


@pytest.mark.parametrize("text", HANDED_OVER.values(), ids=HANDED_OVER)
def test_server_when_it_gets_another_address_than_its_section_says_then_it_is_open(tmp_path, text):
    assert not listens_on_loopback(written(tmp_path, text))


def test_server_when_a_variable_of_the_command_line_hides_its_address_then_it_is_open(tmp_path):
    given = written(tmp_path, f"[server:main]\n{USE}\nhost = 127.0.0.1\n")
    assert listens_on_loopback(given)
    assert not listens_on_loopback({**given, "host": "127.0.0.1"})


@pytest.mark.parametrize("lines", LOOPBACK.values(), ids=LOOPBACK)
def test_server_when_it_listens_on_loopback_alone_then_that_is_seen(tmp_path, lines):
    assert listens_on_loopback(written(tmp_path, f"[server:main]\n{USE}\nport = 1\n{lines}\n"))


@pytest.mark.parametrize("lines", OPEN.values(), ids=OPEN)
def test_server_when_others_may_ask_it_then_it_is_open(tmp_path, lines):
    assert not listens_on_loopback(written(tmp_path, f"[server:main]\n{USE}\n{lines}\n"))


@pytest.mark.parametrize("text", ["", "[server:other]\nhost = 127.0.0.1", "host", "[server:main"])
def test_server_when_the_ini_file_does_not_say_then_it_is_open(tmp_path, text):
    assert not listens_on_loopback(written(tmp_path, text))


def test_server_when_there_is_no_ini_file_then_it_is_open():
    assert not listens_on_loopback({})
    assert not listens_on_loopback({"__file__": "/nowhere/site.ini"})
