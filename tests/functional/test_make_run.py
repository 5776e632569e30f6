"""What ``make run`` does before it serves: ``config/prepare.py``."""

import importlib.util
import socket
from pathlib import Path

import pytest

from cone.tokens.cli.site import open_site
from cone.tokens.host.users import changing_users

PREPARE = Path(__file__).parents[2] / "config/prepare.py"


@pytest.fixture
def prepare(tmp_path, monkeypatch):
    """Return a function that prepares a site below a folder of the test, for a port."""
    spec = importlib.util.spec_from_file_location("prepare", PREPARE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "SITE", tmp_path / "var/site")
    monkeypatch.setattr(module, "INI", tmp_path / "var/site/site.ini")

    def run(port: object) -> Path:
        monkeypatch.setattr("sys.argv", ["prepare.py", str(port)])
        module.main()
        return module.INI

    return run


@pytest.fixture
def ports():
    """Two ports that nobody listens on."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in (one, other)]


def test_site_when_it_is_prepared_again_then_it_stays_and_has_the_port_that_is_asked_for(
    prepare, ports, capsys
):
    ini = prepare(ports[0])
    assert capsys.readouterr().out.count("Password") == 2
    before = ini.read_text()
    assert prepare(ports[1]) == ini
    said = capsys.readouterr().out
    assert "Password" not in said
    assert f"http://127.0.0.1:{ports[1]}/" in said
    assert ini.read_text() == before.replace(f"port = {ports[0]}", f"port = {ports[1]}")
    with changing_users(open_site(ini).settings) as users:
        roles = {user.name: user.roles for user in users.all()}
    assert roles == {"admin": ("manager",), "door": ("token_operator",)}


@pytest.mark.parametrize("port", ["0", "65536", "x", ""])
def test_port_when_it_is_none_then_one_line_says_so(prepare, tmp_path, port):
    with pytest.raises(SystemExit, match=r"^PORT: a number from 1 to 65535 is needed"):
        prepare(port)
    assert not list(tmp_path.iterdir())


def test_port_when_it_is_taken_then_one_line_names_another(prepare, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=f"PORT={port + 1}$"):
            prepare(port)
    assert not list(tmp_path.iterdir())
