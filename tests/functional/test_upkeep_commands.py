"""The commands ``verify``, ``reindex``, ``purge`` and ``forget``: what they print and return."""

import datetime
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from click.testing import Result
from sqlalchemy import create_engine
from sqlalchemy import text

from cone.tokens.cli import main
from cone.tokens.core.values import TokenFilter
from cone.tokens.migrations import schema
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.service import on_engine
from tests.support.asking import UNKNOWN_UID
from tests.support.factories import new_token
from tests.support.site import write_site

A_DAY = datetime.timedelta(days=1)


@pytest.fixture
def ini(tmp_path) -> Path:
    return write_site(tmp_path)


@pytest.fixture
def service(ini) -> Iterator[TicketService]:
    engine = create_engine(f"sqlite:///{ini.parent}/tokens.db")
    schema.prepare(engine)
    yield on_engine(engine)
    engine.dispose()


@pytest.fixture
def run(ini):
    """Run a command on the site."""

    def run(command, *options) -> Result:
        return CliRunner().invoke(main, [command, str(ini), *options])

    return run


@pytest.fixture
def damage(service):
    """Change the database behind everybody's back."""

    def execute(statement) -> None:
        with service._work.database.engine.begin() as connection:
            assert connection.execute(text(statement)).rowcount > 0

    return execute


@pytest.fixture
def used(service):
    """A token with a history, and what its uses were told."""
    uid = service.add(new_token(usage_count=2), by="me")
    return uid, [service.consume(uid, by="me") for _ in range(3)]


# verify


def test_verify_when_nothing_is_wrong_then_it_says_so(run, used):
    result = run("verify")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "Replayed 1 token and 0 deleted ones: 2 uses, 1 refusal, 1 event.",
        "Nothing is wrong.",
    ]


def test_verify_when_it_is_to_be_quiet_then_it_says_what_is_wrong_alone(run, used, damage):
    result = run("verify", "--quiet")
    assert (result.exit_code, result.stdout) == (0, "")
    damage("UPDATE tokens SET usage_count = 5")
    result = run("verify", "--quiet")
    assert result.exit_code == 1
    assert "wrong_counter" in result.stdout


def test_verify_when_something_is_wrong_then_it_tells_where(run, used, damage):
    uid, (_first, second, _refused) = used
    damage("UPDATE token_usage SET usage_count = 5 WHERE version = 3 AND error_code IS NULL")
    result = run("verify")
    assert result.exit_code == 1
    finding, *_counts, problem = result.stdout.splitlines()
    assert finding.startswith(f"token {uid}, version 3, time 20")
    assert f"receipt {second.receipt}: 5 uses left, by its history 0" in finding
    assert "wrong_" in problem


def test_verify_when_it_answers_with_json_then_all_is_in_it(run, used, damage):
    uid, _outcomes = used
    damage("UPDATE tokens SET usage_count = 5")
    result = run("verify", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["success"] is False
    assert told["problems"] == {"wrong_counter": 1}
    (finding,) = told["findings"]
    assert finding["token_uid"] == str(uid)
    assert (told["tokens"], told["uses"], told["refusals"]) == (1, 2, 1)


def test_verify_when_a_token_is_named_then_the_others_do_not_count(run, used, service, damage):
    other = service.add(new_token(), by="me")
    damage("UPDATE tokens SET usage_count = 5 WHERE version > 1")
    assert run("verify", "--uid", str(other)).exit_code == 0
    assert run("verify", "--uid", str(other), "--uid", str(used[0])).exit_code == 1
    assert run("verify", "--uid", "nonsense").exit_code == 2


@pytest.mark.parametrize("more", [[], ["--json"], ["--quiet"]])
def test_verify_when_a_named_token_was_never_there_then_it_calls_nothing_good(run, used, more):
    result = run("verify", "--uid", str(used[0]), "--uid", UNKNOWN_UID, *more)
    assert result.exit_code == 1
    assert "1 token of --uid: neither there nor in the logs" in result.output
    assert "Nothing is wrong" not in result.output


def test_verify_when_a_named_token_was_deleted_then_its_history_is_replayed(run, used, service):
    service.delete(used[0], by="me")
    assert run("verify", "--uid", str(used[0]), "--uid", str(used[0])).exit_code == 0


def test_verify_when_history_does_not_begin_here_then_it_says_so(run, used, service, damage):
    damage("UPDATE token_events SET action = 'upgrade', user = NULL")
    damage("UPDATE token_usage SET timestamp = '2026-01-01 00:00:00.000000'")
    damage("UPDATE tokens SET last_used = '2026-01-01 00:00:00.000000'")
    assert run("purge", "--log", "9").exit_code == 0
    result = run("verify")
    assert result.exit_code == 0
    assert (
        "Of 1 token history begins with an upgrade; rows from before that were not replayed: 0."
        in result.stdout
    )
    assert "Of 1 token it begins where the purged one ends." in result.stdout


def test_verify_when_much_is_wrong_then_the_rest_is_counted(run, service, damage):
    service.add_many(new_token(), 1_001, "many-", by="me")
    damage("UPDATE tokens SET usage_count = 7")
    lines = run("verify").stdout.splitlines()
    assert "... and 1 more" in lines
    assert lines[-1] == "1,001 x wrong_counter"


# reindex


def test_reindex_when_searches_are_right_then_there_is_nothing_to_do(run, service):
    service.add(new_token(label="Ann"), by="me")
    result = run("reindex")
    assert (result.exit_code, result.stdout) == (0, "Nothing to do.\n")


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM token_search WHERE code = 'a'", "1 text added\n"),
        ("UPDATE token_search SET label = 'eve'", "2 texts changed\n"),
        (
            "INSERT INTO token_search_trigrams(token_search_trigrams) VALUES ('delete-all')",
            "Making the index anew.\nThe index of token_search is made anew.\n",
        ),
    ],
)
def test_reindex_when_verify_finds_wrong_searches_then_they_are_mended(
    run, service, damage, statement, told
):
    for value in ("a", "b"):
        service.add(new_token(value=value, label="Ann"), by="me")
    damage(statement)
    result = run("verify")
    assert result.exit_code == 1
    assert "(wrong_search)" in result.stdout
    assert "cone-tokens reindex" in result.stdout
    result = run("reindex")
    assert (result.exit_code, result.output) == (0, told)
    assert run("verify").exit_code == 0
    assert service.count(TokenFilter(search="ann")) == 2


def test_reindex_when_it_is_told_as_json_then_it_counts(run, service, damage):
    service.add(new_token(label="Ann"), by="me")
    damage("UPDATE token_search SET token_uid = upper(token_uid)")
    told = json.loads(run("reindex", "--json").stdout)
    assert told == {"success": True, "added": 1, "changed": 0, "removed": 1, "indexes": []}


# purge


def test_purge_when_nothing_is_chosen_then_it_names_the_options(run, service):
    result = run("purge")
    assert result.exit_code == 2
    assert "--expired, --used-up, --personal, --log, --requests" in result.stderr


@pytest.mark.parametrize("days", ["0", "-1", "many", "99999"])
def test_purge_when_days_are_wrong_then_it_says_so(run, service, days):
    result = run("purge", "--log", days)
    assert result.exit_code == 2
    assert "--log" in result.stderr


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_purge_when_the_clock_may_be_wrong_then_it_tells_both_times_and_removes_nothing(
    run, used, damage, service, dry
):
    time = "'2020-01-02 03:04:05.000000'"
    damage(f"UPDATE tokens SET created = {time}, modified = {time}")
    damage(f"UPDATE token_usage SET timestamp = {time}")
    damage(f"UPDATE token_events SET timestamp = {time}")
    result = run("purge", "--log", "30", *dry)
    assert (result.exit_code, result.stdout) == (1, "")
    year = datetime.datetime.now(datetime.UTC).year
    assert re.match(
        rf"The clock shows ({year}|{year + 1})-\S+, the newest row in the database is of "
        r"2020-01-02T04:04:05\+01:00\. Nothing was removed: .* say --clock-is-right$",
        result.stderr,
    )
    told = json.loads(run("purge", "--log", "30", "--json", *dry).stdout)
    assert (told["success"], told["error"], told["error_code"]) == (False, "clock_ahead", None)
    assert told["newest"] == "2020-01-02T04:04:05+01:00"
    assert len(service.usages(used[0], 9).usages) == 3
    done = json.loads(run("purge", "--log", "30", "--clock-is-right", "--json").stdout)
    assert done["usages"] == 3


def test_purge_when_it_is_dry_then_it_tells_what_would_go(run, service):
    now = datetime.datetime.now(datetime.UTC)
    uid = service.add(new_token(valid_to=now - 9 * A_DAY), by="me")
    result = run("purge", "--expired", "5", "--requests", "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.startswith("Would be removed: 1 expired token, 0 used up tokens, 0 rows")
    assert service.find(uid) is not None
    told = json.loads(run("purge", "--expired", "5", "--json").stdout)
    assert told == {
        "success": True,
        "dry_run": False,
        "expired": 1,
        "used_up": 0,
        "personal": 0,
        "requests": 0,
        "usages": 0,
        "events": 0,
    }
    assert service.find(uid) is None
    assert run("purge", "--expired", "5", "--quiet").stdout == ""
    assert run("verify").exit_code == 0


# forget


@pytest.fixture
def guests(service):
    """Two tokens of Anna, one of which was deleted, and one of Berta."""
    anna = {"label": "Anna", "email": "anna@example.org"}
    uids = [service.add(new_token(**anna), by="me") for _ in range(2)]
    service.delete(uids[1], by="me")
    return [*uids, service.add(new_token(label="Berta", email="berta@example.org"), by="me")]


@pytest.mark.parametrize("options", [[], ["--uid", UNKNOWN_UID, "--email", "anna@example.org"]])
def test_forget_when_not_one_thing_is_named_then_it_says_so(run, service, options):
    result = run("forget", *options)
    assert (result.exit_code, result.stderr) == (2, "Either --uid or --email is needed\n")


def test_forget_when_nobody_is_found_then_it_says_so_and_empties_nothing(run, service, guests):
    result = run("forget", "--email", "nobody@example.org")
    assert result.exit_code == 1
    assert "There is no token with this e-mail address" in result.stderr
    result = run("forget", "--uid", str(guests[0]), "--uid", UNKNOWN_UID)
    assert result.exit_code == 1
    assert UNKNOWN_UID in result.stderr
    assert service.get(guests[0]).label == "Anna"


def test_forget_when_it_is_dry_then_it_shows_whose_data_would_be_emptied(run, service, guests):
    result = run("forget", "--email", "ANNA@example.org", "--dry-run")
    assert result.exit_code == 0
    assert set(result.stdout.split()) == {str(uid) for uid in guests[:2]}
    assert "Would be emptied: the personal data of 2 tokens." in result.stderr
    assert service.get(guests[0]).label == "Anna"


def test_forget_when_an_address_is_given_then_its_tokens_are_emptied_and_verify_holds(
    run, service, guests
):
    told = json.loads(run("forget", "--email", "anna@example.org", "--by", "boss", "--json").stdout)
    assert told["success"] is True
    assert set(told["token_uids"]) == {str(uid) for uid in guests[:2]}
    assert service.get(guests[0]).label is None
    assert service.get(guests[2]).label == "Berta"
    assert run("verify").exit_code == 0
    assert run("forget", "--email", "anna@example.org").exit_code == 1


def test_forget_when_a_token_is_named_again_then_there_is_nothing_left(run, service, guests):
    assert run("forget", "--uid", str(guests[0])).stdout.strip() == str(guests[0])
    again = run("forget", "--uid", str(guests[0]))
    assert (again.exit_code, again.stdout.strip()) == (0, "")
    assert "Emptied: the personal data of 0 tokens." in again.stderr


def test_purge_when_personal_data_is_old_then_it_is_emptied(run, service):
    now = datetime.datetime.now(datetime.UTC)
    uid = service.add(new_token(label="Anna", valid_to=now - 9 * A_DAY), by="me")
    result = run("purge", "--personal", "5")
    assert "emptied: personal data of 1 token." in result.stdout
    assert service.get(uid).label is None
    assert run("verify").exit_code == 0
