"""Keys of ini files: all that the package reads, and nothing else."""

import re
from pathlib import Path

import pytest

from cone.tokens.host.known_keys import NAMES
from cone.tokens.host.known_keys import PREFIX
from cone.tokens.host.known_keys import unknown_key
from cone.tokens.host.ratelimit import DEFAULTS

ROOT = Path(__file__).parents[3]


def test_keys_when_the_readme_lists_them_then_they_are_the_known_ones():
    chapter = (ROOT / "README.rst").read_text().split("\nSettings in the ini file\n")[1]
    chapter = chapter.split("The settings file has what")[0]
    terms = "".join(re.findall(r"^``cone\.tokens\..*$", chapter, re.MULTILINE))
    told = re.findall(r"``(?:cone\.tokens)?(\.[a-z_.]+)``", terms)
    names = {name.removeprefix(".") for name in told}
    limits = {name for name in names if f"limits.{name}" in NAMES}
    assert (names - limits) | {f"limits.{name}" for name in limits} == set(NAMES)


def test_keys_when_there_is_a_limit_then_its_key_is_known():
    assert {f"limits.{name}" for name in DEFAULTS} < set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_key_when_it_is_known_then_nothing_is_said(name):
    assert unknown_key([f"{PREFIX}{name}", "cone.root.title", "sql.db.url"]) is None


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("cone.tokens.time_zone", "timezone"),
        ("cone.tokens.Timezone", "timezone"),
        ("cone.tokens.config", "config_file"),
        ("cone.tokens.limits.refuse", "limits.refused"),
        ("cone.tokens.sign_in_name", "limits.sign_in_name"),
        ("cone_tokens.deadline", "deadline"),
        ("cone.token.places", "places"),
        ("cone.tokens.metric_secret", "metrics_secret"),
    ],
)
def test_key_when_it_is_mistyped_then_the_nearest_one_is_named(key, nearest):
    found, problem = unknown_key(["cone.tokens.timezone", key])
    assert found == key
    assert problem == f"there is no such setting; did you mean cone.tokens.{nearest}?"
