"""``cone-tokens keys``: the key ring of a site in the shell."""

import json

import pytest
from click.testing import CliRunner

from cone.tokens.cli import main
from tests.support.site import write_site

DONE, USAGE = 0, 2


@pytest.fixture
def ini(tmp_path):
    return write_site(tmp_path, more=f"cone.tokens.keyring = {tmp_path}/keys.json")


def run(*arguments):
    return CliRunner().invoke(main, ["keys", *map(str, arguments)])


def test_keys_when_they_are_made_rotated_and_listed_then_nothing_secret_is_told(ini):
    made = run("init", ini)
    assert made.exit_code == DONE
    assert made.stdout.startswith(f"Made {ini.parent}/keys.json\n")
    assert run("rotate", ini).exit_code == DONE
    assert run("rotate", ini, "--use", "digests").exit_code == DONE
    listed = run("list", ini, "--json")
    told = json.loads(listed.stdout)
    uses = [key["use"] for key in told["keys"]]
    assert uses == ["digests", "signs", "digests", "signs", "digests"]
    secrets = [
        row[name]
        for row in json.loads((ini.parent / "keys.json").read_text())["keys"]
        for name in ("k", "d")
        if name in row
    ]
    assert len(secrets) == len(uses)
    for answer in (made, listed, run("list", ini)):
        assert not any(secret in answer.output for secret in secrets)


@pytest.mark.parametrize("command", ["list", "rotate"])
def test_keys_when_there_is_no_ring_then_the_line_says_how_to_make_one(ini, command):
    answer = run(command, ini)
    assert answer.exit_code == USAGE
    assert answer.stderr == (
        f"cone.tokens.keyring: there is no file {ini.parent}/keys.json; "
        "make it: cone-tokens keys init CONFIG.ini\n"
    )


def test_keys_when_the_ini_file_names_no_ring_then_the_line_names_the_key(tmp_path):
    answer = run("init", write_site(tmp_path))
    assert answer.exit_code == USAGE
    assert answer.stderr.startswith("cone.tokens.keyring: is missing; ")


def test_keys_when_the_ring_is_there_then_init_changes_nothing(ini):
    run("init", ini)
    before = (ini.parent / "keys.json").read_bytes()
    answer = run("init", ini, "--json")
    assert answer.exit_code == USAGE
    assert json.loads(answer.stdout)["error"] == "wrong_setting"
    assert (ini.parent / "keys.json").read_bytes() == before


def test_keys_when_the_folder_is_not_there_then_that_is_told_in_a_line(tmp_path):
    ini = write_site(tmp_path, more=f"cone.tokens.keyring = {tmp_path}/none/keys.json")
    answer = run("init", ini)
    assert answer.exit_code == USAGE
    assert "No such file or directory" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
