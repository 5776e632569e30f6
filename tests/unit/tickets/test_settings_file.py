import datetime
import json
import os
import threading

import pytest

from cone.tokens.tickets import settings_file as settings
from cone.tokens.tickets.settings_file import DEFAULTS
from cone.tokens.tickets.settings_file import SettingsFile
from cone.tokens.tickets.settings_file import SettingsFileError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tokens.json"


@pytest.fixture
def file(path):
    file = SettingsFile(path)
    file.start()
    return file


def test_start_when_the_file_is_missing_then_it_is_made_and_gives_new_tokens_one_use(path, file):
    assert json.loads(path.read_text()) == {**DEFAULTS, "default_usage_count": 1}
    assert file.parser(datetime.UTC).new_token({}).usage_count == 1


@pytest.mark.parametrize("content", ["{}", '{"default_locktime": 5}'])
def test_file_when_it_lacks_the_uses_then_new_tokens_have_none(path, content):
    path.write_text(content)
    file = SettingsFile(path)
    file.start()
    assert file.values["default_usage_count"] == 0
    assert file.parser(datetime.UTC).new_token({}).usage_count == 0
    # A change of something else does not decide about it.
    file.write({"default_locktime": 7})
    assert "default_usage_count" not in json.loads(path.read_text())


def test_start_when_somebody_else_makes_and_changes_the_file_meanwhile_then_that_stays(
    path, monkeypatch
):
    locked = settings.locked

    def locked_late(folder):
        path.write_text('{"default_locktime": 5}')
        return locked(folder)

    monkeypatch.setattr(settings, "locked", locked_late)
    file = SettingsFile(path)
    file.start()
    assert file.values["default_locktime"] == 5


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_file_when_root_writes_it_then_it_belongs_to_whom_its_folder_does(path, file):
    os.chown(path.parent, 12345, 12346)
    made = path.with_name("made.json")
    SettingsFile(made).start()
    file.write({"default_locktime": 5})
    owners = [(one.stat().st_uid, one.stat().st_gid) for one in (made, path)]
    assert owners == [(12345, 12346), (os.getuid(), os.getgid())]


def test_start_when_the_file_is_there_then_it_is_read_and_left_alone(path):
    path.write_text('{"default_locktime": 5}')
    file = SettingsFile(path)
    file.start()
    assert file.values["default_locktime"] == 5
    assert file.values["morning"] == DEFAULTS["morning"]
    assert path.read_text() == '{"default_locktime": 5}'


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", 1),
        (b'{"default_locktime": 5,\n}', 2),
        (b'{\n"a": "\xff"}', 2),
        (b"[]", 1),
        (b"[" * 100_000, 1),
        (b'{\n\n"default_locktime": -1}', 3),
        (b'{"default_locktime": true}', 1),
        (b'{"default_usage_count": -2}', 1),
        (b'{"default_usage_count": 2147483648}', 1),
        (b'{"default_usage_count": "5"}', 1),
        (b'{"morning": {"start": "8:00", "end": "12:00"}}', 1),
        (b'{"morning": {"start": "08:00"}}', 1),
        (b'{"today": {"start": "08:00", "end": "24:00"}}', 1),
        (b'{"today": []}', 1),
        # The text of another setting is not its line.
        (
            b'{"time_ranges": [{"name": "today", "start": "08:00", "end": "09:00"}],\n"today": []}',
            2,
        ),
        (b'{\n"time_ranges": {}}', 2),
        (b'{\n"checkpoints": {}}', 2),
        (b'{"label_sheet": "L9999"}', 1),
        (b'{"label_sheet": ["L7160"]}', 1),
        (b'{"sounds": 1}', 1),
        (b'{"sounds": null}', 1),
        (b'{"code_kinds": []}', 1),
        (b'{"code_kinds": "qr"}', 1),
        (b'{"code_kinds": ["qr", "ean"]}', 1),
        (b'{"code_kinds": ["qr", "qr"]}', 1),
        (b'{"code_kinds": [["qr"]]}', 1),
    ],
    ids=lambda value: str(value)[:30],
)
def test_start_when_the_file_is_wrong_then_it_is_refused_with_its_line(path, content, line):
    path.write_bytes(content)
    with pytest.raises(SettingsFileError, match=f"tokens.json, line {line}: "):
        SettingsFile(path).start()
    assert path.read_bytes() == content


def time_range(name="Night", start="22:00", end="06:00"):
    return {"name": name, "start": start, "end": end}


def write_ranges(path, *ranges):
    path.write_text(json.dumps({"time_ranges": ranges}, indent=2))


@pytest.mark.parametrize(
    "name",
    [
        "x",
        "x" * 40,
        "Morning",
        "<b>",
        "Früh & spät",
        "\u202eabc\u05d0",
        "\N{FAMILY}\u200d\N{TICKET}",
    ],
)
def test_time_ranges_when_they_are_right_then_they_are_taken(path, name):
    ranges = [time_range(name), time_range("other", "06:00", "06:00")]
    write_ranges(path, *ranges)
    file = SettingsFile(path)
    file.start()
    assert file.values["time_ranges"] == ranges


def test_time_ranges_when_there_are_twenty_then_one_more_is_refused(path):
    ranges = [time_range(f"{number}") for number in range(20)]
    write_ranges(path, *ranges)
    SettingsFile(path).start()
    write_ranges(path, *ranges, time_range("one more"))
    with pytest.raises(
        SettingsFileError, match="line 2: time_ranges: must be a list of at most 20"
    ):
        SettingsFile(path).start()


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "\u202e",
        "x" * 41,
        "two\nlines",
        "a\0",
        "a\x85b",
        "a\u2028b",
        "\ud800",
        5,
        None,
        ["x"],
    ],
    ids=repr,
)
def test_time_ranges_when_a_name_is_none_then_they_are_refused_with_its_number(path, name):
    write_ranges(path, time_range(), time_range(name))
    with pytest.raises(
        SettingsFileError, match="line 2: time_ranges: number 2: name must"
    ) as caught:
        SettingsFile(path).start()
    problem = caught.value.problem
    assert (problem.number, problem.member, problem.is_taken) == (1, "name", False)


@pytest.mark.parametrize(
    ("entry", "member"),
    [
        (time_range(start="24:00"), "start"),
        (time_range(end="6:00"), "end"),
        (time_range(end="06:00:00"), "end"),
        (time_range(end="\u0660\u0666:00"), "end"),
        (time_range(end=600), "end"),
        ({"name": "x", "start": "22:00"}, "end"),
        ({"start": "22:00", "end": "06:00"}, "name"),
        ("22:00", "name"),
    ],
    ids=str,
)
def test_time_ranges_when_an_entry_is_wrong_then_they_are_refused_with_its_number(
    path,
    entry,
    member,
):
    write_ranges(path, entry)
    with pytest.raises(SettingsFileError, match="time_ranges: number 1: ") as caught:
        SettingsFile(path).start()
    assert (caught.value.key, caught.value.problem.member) == ("time_ranges", member)


def test_time_ranges_when_a_name_is_there_twice_then_they_are_refused(path):
    write_ranges(path, time_range(), time_range("night"), time_range(end="05:00"))
    with pytest.raises(SettingsFileError, match="number 3: its name is there before") as caught:
        SettingsFile(path).start()
    assert (caught.value.problem.number, caught.value.problem.is_taken) == (2, True)


def write_checkpoints(path, *entries):
    path.write_text(json.dumps({"checkpoints": entries}, indent=2))


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"categories": [], "directions": "in", "sound": "standard", "inside_hours": None},
        {"categories": ["VIP", "vip"], "directions": "in_out", "sound": "double"},
        {"categories": ["x" * 100, "a, b", "<b>"], "inside_hours": 168},
        {"categories": [f"{number}" for number in range(50)], "inside_hours": 0.25},
    ],
    ids=lambda members: str(members)[:40],
)
def test_checkpoints_when_they_are_right_then_they_are_taken(path, members):
    entries = [{"name": "Door", **members}, {"name": "door"}]
    write_checkpoints(path, *entries)
    file = SettingsFile(path)
    file.start()
    assert file.values["checkpoints"] == entries


def test_checkpoints_when_there_are_twenty_then_one_more_is_refused(path):
    entries = [{"name": f"{number}"} for number in range(20)]
    write_checkpoints(path, *entries)
    SettingsFile(path).start()
    write_checkpoints(path, *entries, {"name": "one more"})
    with pytest.raises(
        SettingsFileError, match="line 2: checkpoints: must be a list of at most 20 checkpoints"
    ):
        SettingsFile(path).start()


@pytest.mark.parametrize(
    ("members", "member", "told"),
    [
        ({"name": ""}, "name", "name must be a text of 1 to 40 characters"),
        ({"name": None}, "name", "name must be a text of 1 to 40 characters"),
        ({"name": "Bar"}, "name", "its name is there before"),
        ({"categories": "VIP"}, "categories", "a list of at most 50 different texts of 1 to 100"),
        ({"categories": None}, "categories", "a list of"),
        ({"categories": [""]}, "categories", "a list of"),
        ({"categories": [" "]}, "categories", "a list of"),
        ({"categories": [5]}, "categories", "a list of"),
        ({"categories": [["VIP"]]}, "categories", "a list of"),
        ({"categories": ["two\nlines"]}, "categories", "a list of"),
        ({"categories": ["x" * 101]}, "categories", "a list of"),
        ({"categories": ["VIP", "VIP "]}, "categories", "a list of"),
        ({"categories": [f"{number}" for number in range(51)]}, "categories", "a list of"),
        ({"directions": "out"}, "directions", "directions must be one of in, in_out"),
        ({"directions": ["in"]}, "directions", "directions must be"),
        ({"directions": None}, "directions", "directions must be"),
        ({"sound": "loud"}, "sound", "sound must be one of standard, high, low, double"),
        ({"sound": True}, "sound", "sound must be"),
        ({"inside_hours": 0}, "inside_hours", "inside_hours must be null or a number of hours"),
        ({"inside_hours": -1}, "inside_hours", "above 0 and at most 168"),
        ({"inside_hours": 168.001}, "inside_hours", "above 0 and at most 168"),
        ({"inside_hours": float("nan")}, "inside_hours", "above 0 and at most 168"),
        ({"inside_hours": float("inf")}, "inside_hours", "above 0 and at most 168"),
        ({"inside_hours": True}, "inside_hours", "above 0 and at most 168"),
        ({"inside_hours": "8"}, "inside_hours", "above 0 and at most 168"),
        (
            {"colour\n": "red"},
            None,
            '"colour\\\\n" is unknown; there are name, categories, directions, sound, inside_hours',
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_checkpoints_when_an_entry_is_wrong_then_they_are_refused_with_its_number(
    path, members, member, told
):
    write_checkpoints(path, {"name": "Bar"}, {"name": "Door", **members})
    with pytest.raises(
        SettingsFileError, match=f"line 2: checkpoints: number 2: .*{told}"
    ) as caught:
        SettingsFile(path).start()
    problem = caught.value.problem
    assert (caught.value.key, problem.number, problem.member) == ("checkpoints", 1, member)
    assert problem.is_taken == (members == {"name": "Bar"})


@pytest.mark.parametrize("entry", ["Door", None, [], {"categories": []}], ids=str)
def test_checkpoints_when_an_entry_has_no_name_then_they_are_refused(path, entry):
    write_checkpoints(path, entry)
    with pytest.raises(SettingsFileError, match="checkpoints: number 1: name must be a text"):
        SettingsFile(path).start()


def test_start_when_the_file_is_of_before_then_what_it_lacks_has_its_default(path):
    path.write_text('{"default_locktime": 5, "morning": {"start": "22:00", "end": "06:00"}}')
    file = SettingsFile(path)
    file.start()
    assert file.values["morning"] == {"start": "22:00", "end": "06:00"}
    assert (file.values["time_ranges"], file.values["label_sheet"]) == ([], "L7160")
    assert file.values["checkpoints"] == []
    assert file.values["sounds"] is True


def test_start_when_the_file_is_a_folder_then_it_is_refused(path):
    path.mkdir()
    with pytest.raises(SettingsFileError, match="directory"):
        SettingsFile(path).start()


def test_start_when_the_folder_is_missing_then_it_is_refused(tmp_path):
    with pytest.raises(SettingsFileError, match="cannot be written"):
        SettingsFile(tmp_path / "no" / "tokens.json").start()


def test_start_when_the_file_is_huge_then_it_is_refused(path):
    path.write_text(" " * 2_000_000)
    with pytest.raises(SettingsFileError, match="too large"):
        SettingsFile(path).start()


def test_values_when_the_file_changes_then_they_are_read_again(path, file):
    path.write_text('{"default_usage_count": 9}')
    assert file.values["default_usage_count"] == 9


@pytest.mark.parametrize("damage", ["broken", "missing", "folder"])
def test_values_when_the_file_is_damaged_then_the_last_ones_stay_and_one_line_is_logged(
    path,
    file,
    caplog,
    damage,
):
    path.write_text('{"default_usage_count": 9}')
    assert file.values["default_usage_count"] == 9
    path.unlink()
    if damage == "broken":
        path.write_text("{")
    elif damage == "folder":
        path.mkdir()
    for _ in range(3):
        assert file.values["default_usage_count"] == 9
    assert len(caplog.records) == 1


def test_write_when_settings_change_then_others_stay_even_unknown_ones(path, file):
    path.write_text('{"default_usage_count": 9, "of_a_later_version": 1}')
    file.write({"default_locktime": 7})
    content = json.loads(path.read_text())
    assert content == {"default_usage_count": 9, "of_a_later_version": 1, "default_locktime": 7}
    assert file.values["default_locktime"] == 7


def test_write_when_a_value_is_wrong_then_nothing_is_written(path, file):
    before = path.read_text()
    with pytest.raises(SettingsFileError) as caught:
        file.write({"default_locktime": -1})
    assert caught.value.key == "default_locktime"
    assert path.read_text() == before


def test_write_when_the_file_is_broken_then_it_is_not_overwritten(path, file):
    path.write_text("{")
    with pytest.raises(SettingsFileError):
        file.write({"default_locktime": 7})
    assert path.read_text() == "{"


def test_write_when_it_fails_then_no_temporary_file_stays(path, file, monkeypatch):
    def fail(*_arguments) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(SettingsFileError, match="No space left"):
        file.write({"default_locktime": 7})
    assert [entry.name for entry in path.parent.iterdir()] == ["tokens.json"]


def test_write_when_the_file_has_a_mode_then_it_keeps_it(path, file):
    path.chmod(0o604)
    file.write({"default_locktime": 7})
    assert path.stat().st_mode & 0o777 == 0o604


def test_write_when_the_file_is_a_link_then_its_target_changes(path, file):
    target = path.rename(path.with_name("target.json"))
    path.symlink_to(target)
    file.write({"default_locktime": 7})
    assert path.is_symlink()
    assert json.loads(target.read_text())["default_locktime"] == 7


def test_write_when_many_write_different_settings_then_none_is_lost(path, file):
    names = [f"setting_{number}" for number in range(16)]
    threads = [threading.Thread(target=file.write, args=({name: 1},)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(names) <= set(json.loads(path.read_text()))
