"""The key ring: what is one, who may read it, and what happens when it changes."""

import json
import logging
import os
import stat
import sys
import threading

import pytest
from joserfc import jwk

from cone.tokens.core import credentials
from cone.tokens.host import keyring
from cone.tokens.host.config import StartupError
from cone.tokens.host.keyring import DIGESTS
from cone.tokens.host.keyring import KeyRing
from cone.tokens.host.keyring import KeyRingError
from tests.unit.core.test_credentials import UID


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys.json"


@pytest.fixture
def fresh(monkeypatch):
    """Have a ring look at its file each time."""
    monkeypatch.setattr(keyring, "FRESH_S", -1)


def rows_of(path):
    return json.loads(path.read_text())["keys"]


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(0o600)


def test_ring_when_it_is_made_then_it_has_a_key_of_each_use_and_is_its_owners_alone(path):
    made = keyring.make(path)
    assert [(key.use, key.algorithm) for key in made] == [("digests", "HS256"), ("signs", "EdDSA")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [key.id for key in keyring.read(path)] == [key.id for key in made]
    ring = KeyRing(path)
    assert ring.newest.id == made[0].id
    assert len(ring.newest.key) == 32
    assert ring.signer.id == made[1].id
    assert isinstance(jwk.KeySet.import_key_set(json.loads(path.read_text())), jwk.KeySet)


def test_ring_when_it_is_there_then_another_one_is_not_made(path):
    keyring.make(path)
    before = path.read_bytes()
    with pytest.raises(KeyRingError, match="is there already; nothing was changed"):
        keyring.make(path)
    assert path.read_bytes() == before


def test_ring_when_it_is_rotated_then_new_keys_work_and_old_ones_verify(path, fresh):
    first = keyring.make(path)
    ring = KeyRing(path)
    secret = credentials.new_secret("ctk", UID)
    stored = credentials.digest(secret, ring.newest)
    added = keyring.rotate(path)
    assert (ring.newest.id, ring.signer.id) == (added[0].id, added[1].id)
    assert stored.key_id == first[0].id
    assert credentials.matches(secret, stored, ring)
    assert len(rows_of(path)) == 4
    (digests,) = keyring.rotate(path, [DIGESTS])
    assert (ring.newest.id, ring.signer.id) == (digests.id, added[1].id)


def test_ring_when_a_key_is_taken_out_then_its_digests_count_no_more(path, fresh):
    keyring.make(path)
    ring = KeyRing(path)
    secret = credentials.new_secret("ctk", UID)
    stored = credentials.digest(secret, ring.newest)
    keyring.rotate(path)
    write(path, {"keys": rows_of(path)[1:]})
    assert not credentials.matches(secret, stored, ring)


def test_ring_when_many_rotate_at_once_then_no_key_is_lost(path):
    keyring.make(path)
    threads = [threading.Thread(target=keyring.rotate, args=(path,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keyring.read(path)) == 2 + 8 * 2


def test_ring_when_the_changed_file_is_none_then_the_keys_stay_and_the_log_tells_once(
    path, fresh, caplog
):
    keyring.make(path)
    ring = KeyRing(path)
    before = ring.newest
    with caplog.at_level(logging.WARNING):
        write(path, "no ring")
        assert [ring.newest, ring.newest] == [before, before]
        path.unlink()
        assert ring.find(before.id) == before
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert all(text.startswith("the keys stay as they were: ") for text in told)


def test_ring_when_its_file_was_looked_at_just_now_then_it_is_not_looked_at_again(
    path, monkeypatch
):
    keyring.make(path)
    ring = KeyRing(path)
    monkeypatch.setattr(keyring, "Signature", None)
    assert ring.newest is ring.find(ring.newest.id)


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o601, 0o644, 0o666])
def test_ring_when_others_can_read_or_change_it_then_it_is_refused(path, mode):
    keyring.make(path)
    path.chmod(mode)
    with pytest.raises(KeyRingError, match="can be read by others; make it yours: chmod 600"):
        keyring.read(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone gives files to other groups")
def test_ring_when_its_group_is_not_the_sites_then_the_group_must_not_read_it(path):
    keyring.make(path)
    os.chown(path, -1, 54_321)
    keyring.read(path)
    path.chmod(0o640)
    with pytest.raises(KeyRingError, match="can be read by others"):
        keyring.read(path)
    os.chown(path, -1, os.getegid())
    assert keyring.read(path)


OCT = jwk.OctKey.generate_key(256, {"kid": "a", "alg": "HS256"}).as_dict(private=True)
ED = jwk.OKPKey.generate_key("Ed25519", {"kid": "b", "alg": "EdDSA"})
EC = jwk.ECKey.generate_key("P-256", {"kid": "c", "alg": "ES256"})
WRONG = {
    "empty": ("", "no JWK Set"),
    "no object": ([OCT], "no JWK Set"),
    "no keys": ({}, "no JWK Set"),
    "keys that are none": ({"keys": "x"}, "no JWK Set"),
    "a key that is none": ({"keys": [5]}, "no JWK Set"),
    "no key": ({"keys": []}, "no HS256 key"),
    "no digests": ({"keys": [ED.as_dict(private=True)]}, "no HS256 key"),
    "no id": ({"keys": [{**OCT, "kid": None}]}, "no kid"),
    "an id that is none": ({"keys": [{**OCT, "kid": "a b"}]}, "no kid"),
    "an id twice": ({"keys": [OCT, OCT]}, "two keys have the same kid"),
    "no algorithm": ({"keys": [{**OCT, "alg": None}]}, "a: alg must be one of HS256"),
    "another algorithm": ({"keys": [{**OCT, "alg": "none"}]}, "a: alg must be one of HS256"),
    "a short key": ({"keys": [{**OCT, "k": "c2VjcmV0"}]}, "a is no private key for HS256"),
    "a public key": ({"keys": [OCT, ED.as_dict(private=False)]}, "b is no private key for EdDSA"),
    "another curve": (
        {"keys": [OCT, {**EC.as_dict(private=True), "alg": "EdDSA"}]},
        "c is no private key for EdDSA",
    ),
    "a point that is none": (
        {"keys": [OCT, {**ED.as_dict(private=True), "d": "AAAA"}]},
        "no JWK Set",
    ),
}


@pytest.mark.parametrize(("content", "reason"), WRONG.values(), ids=WRONG)
def test_ring_when_the_file_is_wrong_then_it_says_what_and_nothing_secret(path, content, reason):
    write(path, content)
    with pytest.raises(KeyRingError) as told:
        keyring.read(path)
    assert str(told.value).startswith(f"{path} is no key ring: ")
    assert reason in str(told.value)
    assert OCT["k"] not in str(told.value)


def test_ring_when_it_signs_with_es256_then_a_rotation_stays_with_that(path):
    write(path, {"keys": [OCT, EC.as_dict(private=True)]})
    assert [key.algorithm for key in keyring.rotate(path)] == ["HS256", "ES256"]


def test_ring_when_it_is_printed_then_no_key_is_told(path):
    made = keyring.make(path)
    (secret, _signing) = rows_of(path)
    ring = KeyRing(path)
    printed = f"{made!r} {ring!r} {ring.newest!r} {ring.signer!r}"
    assert secret["k"] not in printed
    assert repr(ring.newest.key) not in printed


def test_ring_when_its_library_is_missing_then_the_line_names_the_extra(path, monkeypatch):
    keyring.make(path)
    monkeypatch.setitem(sys.modules, "joserfc.jwk", None)
    with pytest.raises(StartupError) as told:
        keyring.require({"cone.tokens.keyring": f"{path}"})
    assert f"{told.value}".endswith("needs the extra keys: pip install 'cone.tokens[keys]'")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "is missing; name a file, then make it: cone-tokens keys init CONFIG.ini"),
        ({"cone.tokens.keyring": " "}, "is missing"),
        ({"cone.tokens.keyring": "{folder}/none.json"}, "there is no file"),
        ({"cone.tokens.keyring": "{folder}"}, "Is a directory"),
    ],
)
def test_start_when_there_is_no_ring_then_one_line_says_what_to_do(tmp_path, settings, problem):
    given = {key: text.format(folder=tmp_path) for key, text in settings.items()}
    with pytest.raises(StartupError, match=r"^cone\.tokens\.keyring: ") as told:
        keyring.require(given)
    assert problem in str(told.value)
