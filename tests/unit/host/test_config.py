import datetime
import zoneinfo
from pathlib import Path

import pytest

from cone.tokens.host.config import StartupError
from cone.tokens.host.config import read_config

SETTINGS = {
    "cone.plugins": "cone.sql\ncone.tokens",
    "sql.db.url": "sqlite://",
    "pyramid.includes": "pyramid_tm",
    "cone.tokens.config_file": "tokens.json",
}


def read(**overrides: str | None):
    """Read the settings with some replaced; None removes one, ``__`` stands for a dot."""
    given = {name.replace("__", "."): value for name, value in overrides.items()}
    settings = {**SETTINGS, **given}
    return read_config({name: value for name, value in settings.items() if value is not None})


def test_read_config_when_only_what_is_required_is_given_then_the_rest_has_defaults():
    config = read()
    assert config.config_file == Path("tokens.json")
    assert config.settings_path == ("settings", "token_settings")
    assert config.entry_factory == "cone.tokens.model.TokenContainer"
    assert config.consume_by_get is True
    assert config.auto_upgrade is False
    assert config.patience.seconds == 10


def test_read_config_when_all_is_given_then_all_is_taken():
    config = read(
        cone__tokens__settings_node_path="/a/b/",
        cone__tokens__entryfactory="builtins.dict",
        cone__tokens__timezone="Asia/Kathmandu",
        cone__tokens__consume_by_get="off",
        cone__tokens__auto_upgrade="on",
    )
    assert config.settings_path == ("a", "b")
    assert config.entry_factory == "builtins.dict"
    assert config.zone == zoneinfo.ZoneInfo("Asia/Kathmandu")
    assert config.consume_by_get is False
    assert config.auto_upgrade is True


def test_zone_when_the_host_has_none_then_it_is_utc(monkeypatch):
    def fail() -> None:
        raise zoneinfo.ZoneInfoNotFoundError

    monkeypatch.setattr("tzlocal.get_localzone", fail)
    assert read().zone is datetime.UTC


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cone.plugins", "cone.tokens"),
        ("sql.db.url", None),
        ("sql.db.url", ""),
        ("pyramid.includes", None),
        ("pyramid.includes", "pyramid_tm_of_mine"),
        ("cone.tokens.config_file", None),
        ("cone.tokens.config_file", " "),
        ("cone.tokens.timezone", "Mars/Olympus"),
        ("cone.tokens.timezone", "Europe"),
        ("cone.tokens.timezone", "../etc/passwd"),
        ("cone.tokens.timezone", "CET\0"),
        ("cone.tokens.consume_by_get", "maybe"),
        ("cone.tokens.auto_upgrade", "maybe"),
        ("cone.tokens.host_body", "0"),
        ("cone.tokens.host_body", "1.5"),
        ("cone.tokens.host_body", "1 MiB"),
        ("cone.tokens.host_body", "٣"),
    ],
)
def test_read_config_when_a_setting_is_wrong_then_one_line_names_its_key(key, value):
    with pytest.raises(StartupError) as caught:
        read(**{key.replace(".", "__"): value})
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{key}: ")


@pytest.mark.parametrize(("text", "seconds"), [("0", 0), (" 2.5 ", 2.5), ("999", 999)])
def test_read_config_when_a_deadline_is_given_then_use_cases_are_repeated_so_long(text, seconds):
    assert read(cone__tokens__deadline=text).patience.seconds == seconds


@pytest.mark.parametrize("text", ["x", "-1", "1e3", "1000", "nan", "٣"])
def test_read_config_when_the_deadline_is_no_number_of_seconds_then_it_is_named(text):
    with pytest.raises(StartupError, match=r"^cone.tokens.deadline: .* is no number of seconds"):
        read(cone__tokens__deadline=text)


@pytest.mark.parametrize(("text", "mib"), [("", 1), (" 100 ", 100)])
def test_read_config_when_bodies_for_the_host_are_given_then_in_mib(text, mib):
    assert read(cone__tokens__host_body=text).host_body == mib * 1_048_576
