"""The address of the database: what is opened, and what is said of one that is not."""

import sqlite3

import pytest

from cone.tokens.core.address import BadAddress
from cone.tokens.core.address import try_address

SECRET = "s3cr3t"


def problem_of(address: str) -> str:
    """Return what is said of an address that is refused."""
    with pytest.raises(BadAddress) as caught:
        try_address(address)
    assert caught.value.key == "url"
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///:memory:"])
def test_address_when_the_database_is_in_memory_then_no_folder_is_missed(
    address, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    try_address(address)
    assert list(tmp_path.iterdir()) == []


def test_address_when_it_is_a_uri_of_sqlite_then_its_file_is_opened(tmp_path):
    path = tmp_path / "tokens.db"
    address = f"sqlite:///file:{path}?mode=ro&uri=true"
    assert "cannot be opened" in problem_of(address)
    sqlite3.connect(path).close()
    try_address(address)
    path.write_text("nothing that SQLite has written")
    assert "file is not a database" in problem_of(address)


@pytest.mark.parametrize("parameter", ["timeout", "check_same_thread"])
def test_address_when_the_driver_takes_no_such_value_of_a_parameter_then_it_is_not_told(
    tmp_path, parameter
):
    path = tmp_path / "tokens.db"
    told = problem_of(f"sqlite:///{path}?{parameter}={SECRET}")
    assert told == "has a wrong parameter behind the question mark"
    assert not path.exists()
