"""Commands about single tokens and lists of them: add, update, query, consume."""

from __future__ import annotations

import uuid
from typing import Any
from typing import Final

import click

from cone.tokens.cli.command import WRONG_USE
from cone.tokens.cli.command import Exit
from cone.tokens.cli.command import Output
from cone.tokens.cli.command import Site
from cone.tokens.cli.command import fail
from cone.tokens.cli.command import site_command
from cone.tokens.cli.options import BY
from cone.tokens.cli.options import KEY
from cone.tokens.cli.options import STDIN
from cone.tokens.cli.options import given
from cone.tokens.cli.options import idempotency_key
from cone.tokens.cli.options import option_of
from cone.tokens.cli.options import options_of
from cone.tokens.cli.options import text_or_stdin
from cone.tokens.cli.terminal import printable
from cone.tokens.core.clock import utc_now
from cone.tokens.core.errors import Replaced
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.manner import Manner
from cone.tokens.core.params import find_uid
from cone.tokens.core.params import get_uid
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.core.values import Actor
from cone.tokens.core.values import Granted
from cone.tokens.core.values import IdempotencyKey
from cone.tokens.core.values import Outcome
from cone.tokens.core.values import SentCode
from cone.tokens.host.rendering import counted
from cone.tokens.host.rendering import failure_json
from cone.tokens.tickets import params
from cone.tokens.tickets.commands import texts
from cone.tokens.tickets.commands.site import parser_of
from cone.tokens.tickets.commands.site import service_of
from cone.tokens.tickets.commands.site import settings_of
from cone.tokens.tickets.door_params import DOOR_PARAMETERS
from cone.tokens.tickets.door_params import parse_manner
from cone.tokens.tickets.kind import TICKET
from cone.tokens.tickets.rendering import outcome_json
from cone.tokens.tickets.rendering import outcome_of_code_json
from cone.tokens.tickets.rendering import read_as
from cone.tokens.tickets.rendering import token_json
from cone.tokens.tickets.rendering import tokens_json
from cone.tokens.tickets.values import ADD_TOKEN
from cone.tokens.tickets.values import ADD_TOKENS
from cone.tokens.tickets.values import CONSUME_TOKEN
from cone.tokens.tickets.values import REPLACE
from cone.tokens.tickets.values import NewTicket
from cone.tokens.tickets.values import Ticket

#: What means many tokens.
_OF_MANY: Final = (params.COUNT.name, params.PREFIX.name, params.RANDOM.name)
#: ``query`` looks a whole value up without a filter.
_FILTERS: Final = tuple(
    parameter for parameter in params.QUERY_PARAMETERS if parameter.name != params.VALUE.name
)

_VALUE: Final = click.argument("value", required=False)
_UID: Final = click.option(
    "--uid", metavar="UID", help="The uid of the token, instead of its value."
)


#: What a token has, for those who add one and those who change one.
_FIELDS: Final = (
    option_of(params.VALUE),
    option_of(params.VALID_FROM),
    option_of(params.VALID_TO),
    option_of(params.USAGE_COUNT, "--uses"),
    option_of(params.LOCK_TIME),
    click.option(
        "--disabled",
        params.ENABLED.name,
        flag_value="false",
        help="Every consumption is refused until somebody enables it.",
    ),
    *options_of((params.LABEL, params.EMAIL, params.CATEGORY, params.NOTE, params.DATA)),
)


@site_command(
    *_FIELDS,
    option_of(params.COUNT),
    option_of(params.PREFIX),
    click.option(
        "--random",
        params.RANDOM.name,
        flag_value="true",
        help="Values are random. Else they are the uids, unless there is a prefix.",
    ),
    BY,
    KEY,
)
def add(site: Site, output: Output, by: Actor, key: str | None, **values: Any) -> None:
    """Add a token, or many alike with --count.

    Of many all are added or none. What is left out has the default of the site's settings. Times
    without an offset are read in the site's time zone. A VALUE of - is read from stdin. Prints the
    uids, one a line.
    """
    fields = _given(values)
    if any(name in fields for name in _OF_MANY):
        alike, count, prefix = parser_of(site).new_tokens(fields)
        bound = idempotency_key(key, by, ADD_TOKENS, fields)
        uids = service_of(site).add_many(alike, count, prefix, by=by, key=bound)
        lines = "\n".join(str(uid) for uid in uids)
        output.result({"success": True, "token_uids": [str(uid) for uid in uids]}, lines)
        _say_doubts(output, alike, len(uids))
        return
    token = parser_of(site).new_token(fields)
    uid = service_of(site).add(token, by=by, key=idempotency_key(key, by, ADD_TOKEN, fields))
    output.result({"success": True, "token_uid": str(uid)}, str(uid))
    _say_doubts(output, token, 1)
    if token.value is not None:
        _say_alike(site, output, service_of(site).find(uid))


@site_command(
    click.argument("token", required=False, metavar="[VALUE]"),
    _UID,
    *_FIELDS,
    click.option(
        "--enabled",
        params.ENABLED.name,
        flag_value="true",
        help="Consumptions are no longer refused for that.",
    ),
    BY,
)
def update(
    site: Site,
    output: Output,
    *,
    token: str | None,
    uid: str | None,
    by: Actor,
    **values: Any,
) -> None:
    """Change a token: what is left out stays as it is, an empty text takes away what was there.

    The token is that of VALUE, its code, or of --uid; --value gives it another code. A VALUE is
    read as a scanned code is, always as a complete one; one of - is read from stdin. Prints the
    uid. Exit status 1: there is no such token, or another one has the code.
    """
    if token == STDIN == values[params.VALUE.name]:
        fail(output, Exit.USAGE, WRONG_USE, "stdin has one of VALUE and --value, not both")
    sought, fields = _sought(output, token, uid), _given(values)
    if not fields:
        fail(output, Exit.USAGE, WRONG_USE, "Nothing to change: give an option such as --label")
    changes = parser_of(site).changes(fields)
    if "uid" in sought:
        changed, code = get_uid(sought["uid"]), None
        service_of(site).update(changed, changes, by=by)
    else:
        value = params.parse_value_sought(sought)
        before = service_of(site).update_by_value(value, changes, by=by)
        changed, code = before.uid, read_as(before.value, value)
    output.result({"success": True, "token_uid": str(changed), "read_as": code}, str(changed))
    _say_read_as(output, code)
    now = service_of(site).find(changed)
    if now is not None:
        _say_doubts(output, now, 1)
    if params.VALUE.name in fields:
        _say_alike(site, output, now)


def _given(values: dict[str, Any]) -> dict[str, str]:
    """Return the fields of a token that the command line gives; a value of - is on stdin."""
    fields = given(values)
    name = params.VALUE.name
    return fields | {name: text_or_stdin(name, fields[name])} if name in fields else fields


def _say_doubts(output: Output, token: NewTicket | Ticket, count: int) -> None:
    statuses = TICKET.rules.lasting(token, utc_now())
    for doubt in texts.doubts({status.value: count for status in statuses}):
        output.say(doubt)


def _say_alike(site: Site, output: Output, token: Ticket | None) -> None:
    other = service_of(site).find_alike(token) if token else None
    if other is not None:
        quoted = f'"{printable(other)}"'
        output.say(f"Warning: the code {texts.alike(quoted)}")


@site_command(_VALUE, _UID, *options_of(_FILTERS))
def query(
    site: Site,
    output: Output,
    value: str | None,
    uid: str | None,
    **values: Any,
) -> None:
    """Show a token, or list tokens.

    With a VALUE or --uid that token; else a page of those for which all options hold. A VALUE of -
    is read from stdin. A VALUE is read as a scanned code is, always as a complete one; addresses of
    tokens' pages are not read. Exit status 1: there is no such token, or the VALUE was replaced.
    """
    filters = given(values)
    if value is None and uid is None:
        _list(site, output, filters)
        return
    if filters:
        fail(output, Exit.USAGE, WRONG_USE, "Either a VALUE, or --uid, or options that list tokens")
    sought = _sought(output, value, uid)
    try:
        token = _find(site, sought)
    except Replaced as error:
        output.result({"success": True, "token": None, "read_as": None, error.slug: True}, None)
        output.say(str(error))
        raise click.exceptions.Exit(Exit.NO) from None
    if token is None:
        output.result({"success": True, "token": None, "read_as": None}, None)
        output.say(str(TokenNotFound(uid)))
        raise click.exceptions.Exit(Exit.NO)
    zone = site.config.zone
    code = read_as(token.value, sought.get(params.VALUE.name, token.value))
    output.result(
        {"success": True, "token": token_json(token, zone), "read_as": code},
        texts.fields(token, zone),
    )
    _say_read_as(output, code)


@site_command(_VALUE, _UID, *options_of(DOOR_PARAMETERS), BY, KEY)
def consume(  # noqa: PLR0913 - one for each option
    site: Site,
    output: Output,
    *,
    value: str | None,
    uid: str | None,
    by: Actor,
    key: str | None,
    **values: Any,
) -> None:
    """Take a use of a token, or several at once.

    A VALUE of - is read from stdin. A VALUE is read as a scanned code is, always as a complete one;
    addresses of tokens' pages are not read. Exit status 0: granted, on disk; 1: refused, or there
    is no such token; 3: the database is busy or away, nothing counts as granted.
    """
    sought, asked = _sought(output, value, uid), given(values)
    bound = idempotency_key(key, by, CONSUME_TOKEN, {**sought, **asked})
    zone = site.config.zone
    manner = parse_manner(asked, settings_of(site), utc_now(), zone)
    try:
        outcome = _consume(site, sought, by, bound, manner)
    except TokenNotFound as error:
        facts = failure_json(error.slug, str(error), error.code)
        output.result({**facts, "consumed": False}, f"Refused: {error}")
        raise click.exceptions.Exit(Exit.NO) from None
    if value is None:
        told = {**outcome_json(outcome, zone, manner), "token_uid": str(outcome.token_uid)}
    else:
        told = outcome_of_code_json(outcome, sought[params.VALUE.name], zone, manner)
    output.result(told, _outcome_text(outcome))
    _say_read_as(output, told.get("read_as"))
    raise click.exceptions.Exit(Exit.DONE if isinstance(outcome, Granted) else Exit.NO)


@site_command(_VALUE, _UID, BY, KEY)
def replace(  # noqa: PLR0913, PLR0917 - the same
    site: Site,
    output: Output,
    value: str | None,
    uid: str | None,
    by: Actor,
    key: str | None,
) -> None:
    """Give a token a new random value, e.g. where a ticket was lost.

    The value that it has is refused from now on, and no other token gets it. A VALUE of - is read
    from stdin. A VALUE is read as a scanned code is. Prints the new value. Exit status 1: there is
    no such token, or the VALUE was replaced before.
    """
    sought = _sought(output, value, uid)
    bound = idempotency_key(key, by, REPLACE, sought)
    try:
        meant = _uid_of(site, sought)
    except Replaced as error:
        if bound is None:
            raise
        # By a try before with this key, whose answer is asked for again.
        meant = error.uid
    code = service_of(site).replace(meant, by=by, key=bound)
    output.result({"success": True, "value": code}, printable(code))


def _list(site: Site, output: Output, filters: dict[str, str]) -> None:
    asked = parser_of(site).token_query(filters)
    page, count = service_of(site).counted_page(asked)
    zone = site.config.zone
    output.result(tokens_json(page, count, zone), texts.table(page.tokens, zone))
    more = f"more than {MAX_BATCH:,} tokens"
    total = more if count is None else counted(count, "token")
    output.say(f"{len(page.tokens)} of {total}")
    if page.has_next and page.tokens:
        output.say(f"The next ones: --after {page.tokens[-1].uid}")


def _sought(output: Output, value: str | None, uid: str | None) -> dict[str, str]:
    """Return the value or the uid that names a token; both or none end the command."""
    if (value is None) is (uid is None):
        fail(output, Exit.USAGE, WRONG_USE, "Either a VALUE or --uid is needed")
    if uid is not None:
        return {"uid": uid}
    return {params.VALUE.name: text_or_stdin(params.VALUE.name, value or "")}


def _find(site: Site, sought: dict[str, str]) -> Ticket | None:
    if "uid" in sought:
        found = find_uid(sought["uid"])
        return service_of(site).find(found) if found else None
    return service_of(site).find_by_value(params.parse_value_sought(sought))


def _uid_of(site: Site, sought: dict[str, str]) -> uuid.UUID:
    if "uid" in sought:
        return get_uid(sought["uid"])
    token = _find(site, sought)
    if token is None:
        raise TokenNotFound
    return token.uid


def _consume(
    site: Site, sought: dict[str, str], by: Actor, key: IdempotencyKey | None, manner: Manner
) -> Outcome:
    if "uid" in sought:
        return service_of(site).consume(get_uid(sought["uid"]), by=by, key=key, manner=manner)
    sent = SentCode(params.parse_value_sought(sought))
    return service_of(site).consume_code(sent, by=by, key=key, manner=manner)


def _say_read_as(output: Output, code: str | None) -> None:
    if code is not None:
        output.say(f"Read as {printable(code)}")


def _outcome_text(outcome: Outcome) -> str:
    told = "".join(f"\n{printable(text)}" for text in outcome.details.values() if text is not None)
    if isinstance(outcome, Granted):
        taken = f" Taken: {outcome.uses}." if outcome.uses != 1 else ""
        return f"Valid.{taken} Uses left: {texts.uses_left(outcome.usage_count)}{told}"
    return f"Refused: {outcome.denial.message(outcome.token_uid)}{told}"
