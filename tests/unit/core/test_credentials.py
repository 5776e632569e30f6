"""Secrets: their text, what is stored of them, and how they are compared."""

import dataclasses
import re
import uuid
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies

from cone.tokens.core import credentials
from cone.tokens.core.credentials import RANDOM_BYTES
from cone.tokens.core.credentials import Digest
from cone.tokens.core.credentials import DigestKey
from cone.tokens.core.credentials import digest
from cone.tokens.core.credentials import matches
from cone.tokens.core.credentials import new_secret
from cone.tokens.core.credentials import pattern
from cone.tokens.core.credentials import read_secret
from cone.tokens.core.credentials import secret_of

UID = uuid.UUID("6f2c1d1e-58a3-4a0c-9a87-0d3c64f6a001")
OTHER = uuid.UUID("6f2c1d1e-58a3-4a0c-9a87-0d3c64f6a002")


class Keys:
    """Keys in memory, from the newest on."""

    def __init__(self, *keys: DigestKey) -> None:
        self.keys = keys

    @property
    def newest(self) -> DigestKey:
        return self.keys[0]

    def find(self, key_id: str) -> DigestKey | None:
        return next((key for key in self.keys if key.id == key_id), None)


NEW, OLD = DigestKey("new", b"n" * 32), DigestKey("old", b"o" * 32)
GENERATIONS = strategies.none() | strategies.integers(0, 9_999_999_999)


@given(
    strategies.uuids(),
    strategies.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES),
    GENERATIONS,
)
def test_secret_when_its_text_is_read_then_it_is_the_same(uid, random, generation):
    secret = secret_of("ctk", uid, random, generation)
    text = secret.reveal()
    assert read_secret(text) == secret
    assert re.fullmatch(pattern("ctk"), text)


def test_secret_when_it_is_made_then_its_text_has_the_form_that_scanners_look_for():
    text = secret_of("ctk", UID, bytes(range(32))).reveal()
    # The format is a promise: secrets that are out in the world have it.
    assert text == "ctk_3NmJ7EO9psObfNezVqy8PJ_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3scuq5"
    assert len(text) == 3 + 1 + 22 + 1 + 43 + 6


def test_secrets_when_they_are_made_then_no_two_are_alike():
    assert len({new_secret("ctk", UID).reveal() for _ in range(1_000)}) == 1_000


@pytest.mark.parametrize("generation", [None, 0, 17])
def test_text_when_any_sign_of_it_is_another_then_it_is_no_secret(generation):
    text = new_secret("ctr", UID, generation).reveal()
    for place, sign in enumerate(text):
        other = "x" if sign != "x" else "y"
        assert read_secret(f"{text[:place]}{other}{text[place + 1 :]}") is None


STRANGE = {
    "empty": lambda text: "",
    "cut": lambda text: text[:-1],
    "longer": lambda text: f"{text}0",
    "a blank before": lambda text: f" {text}",
    "a line end": lambda text: f"{text}\n",
    "upper case": lambda text: text.upper(),
    "no checksum": lambda text: text[:-6],
    "a part twice": lambda text: f"{text}_{text}",
    "NUL": lambda text: f"{text[:9]}\0{text[10:]}",
    "other digits": lambda text: text.replace(text[30], "\N{FULLWIDTH DIGIT ONE}"),
    "100 kB": lambda text: text * 1_500,
    "no prefix": lambda text: text[4:],
}


@pytest.mark.parametrize("change", STRANGE.values(), ids=STRANGE)
def test_text_when_it_is_strange_then_it_is_no_secret(change):
    assert read_secret(change(new_secret("ctk", UID).reveal())) is None


def test_text_when_its_id_is_above_every_uid_then_it_is_no_secret():
    before = f"ctk_{'z' * 22}_{'0' * 43}"
    text = before + credentials._encoded(zlib.crc32(before.encode()), 6)
    assert read_secret(text) is None


def test_digest_when_the_secret_is_shown_then_it_matches_and_no_other_does():
    keys = Keys(NEW)
    secret = new_secret("ctk", UID)
    stored = digest(secret, NEW)
    assert matches(secret, stored, keys)
    others = (
        new_secret("ctk", UID),
        dataclasses.replace(secret, uid=OTHER),
        dataclasses.replace(secret, prefix="ctl"),
        dataclasses.replace(secret, generation=0),
    )
    assert not any(matches(other, stored, keys) for other in others)
    assert not matches(secret, None, keys)
    assert not matches(secret, Digest("new", bytes(32)), keys)


def test_digest_when_a_newer_key_is_there_then_the_old_one_counts_until_it_is_retired():
    secret = new_secret("ctk", UID)
    stored = digest(secret, OLD)
    assert matches(secret, stored, Keys(NEW, OLD))
    assert not matches(secret, stored, Keys(NEW))
    # Another key under its id makes other digests.
    assert not matches(secret, stored, Keys(NEW, DigestKey("old", b"x" * 32)))


def test_secret_when_it_is_printed_then_neither_its_text_nor_a_key_is_told():
    secret = new_secret("ctk", UID)
    stored = digest(secret, NEW)
    printed = f"{secret!r} {secret} {NEW!r} {stored!r}"
    assert secret.random not in printed
    assert "nnnn" not in printed
    assert repr(stored.value) not in printed
