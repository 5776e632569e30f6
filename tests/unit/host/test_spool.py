"""Files that wait to be fetched, and what they may take."""

import pytest

from cone.tokens.core.errors import Busy
from cone.tokens.host.spool import Spool


def test_file_when_it_is_written_then_it_is_read_as_it_was_and_counted_until_it_is_closed():
    spool = Spool()
    file = spool.open("a")
    file.write(b"one ")
    file.write(b"two")
    assert (file.tell(), spool.size) == (7, 7)
    file.seek(0)
    assert (file.read(3), file.read(), file.seekable()) == (b"one", b" two", True)
    assert file.fileno() > 0
    file.close()
    file.close()
    assert spool.size == 0


def test_file_when_nobody_closes_it_then_it_is_gone_with_its_answer():
    spool = Spool()
    spool.open("a").write(b"x")
    assert spool.size == 0


def test_files_when_together_they_would_be_too_large_then_busy():
    spool = Spool(most=100, most_of_one=100)
    first, second = spool.open("a"), spool.open("b")
    first.write(b"x" * 60)
    second.write(b"x" * 30)
    with pytest.raises(Busy):
        second.write(b"x" * 20)
    assert spool.size == 90
    first.close()
    second.write(b"x" * 20)
    second.write(b"x" * 1_000)
    with pytest.raises(Busy):
        spool.open("c")


def test_files_when_one_caller_has_many_then_the_others_have_room_still():
    spool = Spool(most=100, most_of_one=50)
    first, second = spool.open("a"), spool.open("a")
    first.write(b"x" * 30)
    with pytest.raises(Busy):
        second.write(b"x" * 30)
    spool.open("b").write(b"x" * 40)


def test_file_when_it_is_the_only_one_then_it_may_be_of_any_size():
    spool = Spool(most=100, most_of_one=50)
    file = spool.open("a")
    file.write(b"x" * 1_000)
    with pytest.raises(Busy):
        spool.open("b")
    assert spool.size == 1_000
    file.close()
