"""Which file an engine opens: no other one than that at its address, and none is made."""

import pytest
from sqlalchemy import URL
from sqlalchemy import create_engine

from cone.tokens.core.errors import Unavailable
from cone.tokens.core.values import Granted
from cone.tokens.migrations import schema
from cone.tokens.tickets.service import on_engine
from tests.support.factories import new_token


@pytest.mark.parametrize("name", ["tokens.db", "a b?#%41ü.db"])
@pytest.mark.parametrize("form", ["path", "URI", "link"])
def test_a_file_when_it_is_gone_then_no_form_of_its_address_makes_it(tmp_path, name, form):
    file = tmp_path / name
    address = file
    if form == "link":
        address = tmp_path / "link"
        address.symlink_to(file)
    url = URL.create("sqlite", database=f"{address}")
    if form == "URI":
        url = URL.create("sqlite", database=address.as_uri(), query={"uri": "true"})
    engine = create_engine(url)
    schema.prepare(engine)
    service = on_engine(engine)
    uid = service.add(new_token(usage_count=5), by=None)
    assert isinstance(service.consume(uid, by=None), Granted)
    moved = file.rename(tmp_path / "moved.db")
    for _ in range(2):
        with pytest.raises(Unavailable):
            service.consume(uid, by=None)
    assert not file.exists()
    moved.rename(file)
    assert service.consume(uid, by=None).usage_count == 3
    engine.dispose()


def test_a_link_to_the_file_when_it_leads_elsewhere_then_that_counts(tmp_path):
    for name in ("one.db", "two.db"):
        engine = create_engine(f"sqlite:///{tmp_path / name}")
        schema.prepare(engine)
        engine.dispose()
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "one.db")
    engine = create_engine(f"sqlite:///{link}")
    service = on_engine(engine)
    service.add(new_token(value="one"), by=None)
    link.unlink()
    link.symlink_to(tmp_path / "two.db")
    with pytest.raises(Unavailable):
        service.find_by_value("one")
    assert service.find_by_value("one") is None
    engine.dispose()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///file::memory:?uri=true&cache=shared"])
def test_a_database_in_memory_when_it_is_used_then_no_file_is_asked_for(
    url,
    tmp_path,
    monkeypatch,
):
    monkeypatch.chdir(tmp_path)
    engine = create_engine(url)
    schema.prepare(engine)
    service = on_engine(engine)
    uid = service.add(new_token(usage_count=1), by=None)
    assert isinstance(service.consume(uid, by=None), Granted)
    assert list(tmp_path.iterdir()) == []
    engine.dispose()
