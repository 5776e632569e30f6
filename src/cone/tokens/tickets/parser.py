"""Use cases of tickets, read out of the parameters of a request."""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Mapping
from typing import Any

from cone.tokens.core import codes
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.params import Members
from cone.tokens.core.params import Parameter
from cone.tokens.core.params import collect
from cone.tokens.core.params import find_uid
from cone.tokens.core.params import if_given
from cone.tokens.core.params import missing
from cone.tokens.core.params import no_choice
from cone.tokens.core.params import parse_flag
from cone.tokens.core.params import parse_instant
from cone.tokens.core.params import parse_integer
from cone.tokens.core.params import parse_json_object
from cone.tokens.core.params import parse_text
from cone.tokens.core.params import unless_empty
from cone.tokens.core.search import LEAST
from cone.tokens.core.values import NEWEST_FIRST
from cone.tokens.core.values import UNSET
from cone.tokens.core.values import Selection
from cone.tokens.core.values import Sort
from cone.tokens.core.values import Status
from cone.tokens.core.values import TokenFilter
from cone.tokens.core.values import TokenQuery
from cone.tokens.core.windows import check_window
from cone.tokens.tickets import details
from cone.tokens.tickets.params import AFTER
from cone.tokens.tickets.params import BEFORE_TOKEN
from cone.tokens.tickets.params import COUNT
from cone.tokens.tickets.params import CREATED_FROM
from cone.tokens.tickets.params import CREATED_TO
from cone.tokens.tickets.params import DEFAULT_USAGES
from cone.tokens.tickets.params import ENABLED
from cone.tokens.tickets.params import FILTER
from cone.tokens.tickets.params import FILTER_PARAMETERS
from cone.tokens.tickets.params import LOCK_TIME
from cone.tokens.tickets.params import MAX_SEARCH
from cone.tokens.tickets.params import MAX_VALUE_BYTES
from cone.tokens.tickets.params import OF_CATEGORY
from cone.tokens.tickets.params import OF_PREFIX
from cone.tokens.tickets.params import OF_SEARCH
from cone.tokens.tickets.params import OF_STATUS
from cone.tokens.tickets.params import OF_VALUE
from cone.tokens.tickets.params import PAGE_LIMIT
from cone.tokens.tickets.params import PREFIX
from cone.tokens.tickets.params import RANDOM
from cone.tokens.tickets.params import RANDOM_LENGTH
from cone.tokens.tickets.params import SORT
from cone.tokens.tickets.params import SORTS
from cone.tokens.tickets.params import TOKEN_UIDS
from cone.tokens.tickets.params import USAGE_COUNT
from cone.tokens.tickets.params import VALID_AT
from cone.tokens.tickets.params import VALID_FROM
from cone.tokens.tickets.params import VALID_TO
from cone.tokens.tickets.params import VALUE
from cone.tokens.tickets.params import parse_token_uids
from cone.tokens.tickets.params import unknown_token
from cone.tokens.tickets.values import NewTicket
from cone.tokens.tickets.values import TicketChanges
from cone.tokens.tickets.values import with_code


@dataclasses.dataclass(frozen=True, slots=True)
class Parser:
    """Reads use cases out of raw parameters.

    :ivar zone: naive times are read in it.
    :ivar usage_count: default of an omitted or empty ``usage_count`` of a new token.
    :ivar lock_time: the same of ``lock_time``.
    """

    zone: datetime.tzinfo
    usage_count: int = 0
    lock_time: int = 0

    def new_token(self, given: Mapping[str, Any]) -> NewTicket:
        """Return the token to add.

        :raises InvalidParameter: a parameter is wrong.
        """
        token = self.read_token(given)
        check_window(token.valid_from, token.valid_to)
        return with_code(token)

    def read_token(self, given: Mapping[str, Any]) -> NewTicket:
        """Return the token that ``given`` describes, whatever its window and its code are.

        :raises InvalidParameter: a parameter is malformed.
        """
        return NewTicket(
            value=_parse_value(VALUE, given.get(VALUE.name, "")),
            valid_from=self._edge(VALID_FROM, given),
            valid_to=self._edge(VALID_TO, given),
            usage_count=unless_empty(USAGE_COUNT, given, parse_integer, self.usage_count),
            lock_time=unless_empty(LOCK_TIME, given, parse_integer, self.lock_time),
            enabled=unless_empty(ENABLED, given, parse_flag, default=True),
            **{one.name: read(one, given.get(one.name, "")) for one, read in details.READERS},
        )

    def new_tokens(self, given: Mapping[str, Any]) -> tuple[NewTicket, int, str | None]:
        """Return the common fields, the number and the prefix of tokens to add.

        :raises InvalidParameter: a parameter is wrong; ``value`` is one here.
        """
        _refuse_value(given, ", take prefix")
        if given.get(COUNT.name, "") == "":
            raise missing(COUNT)
        count = parse_integer(COUNT, given[COUNT.name])
        limit = MAX_VALUE_BYTES - RANDOM_LENGTH
        prefix = _parse_value(PREFIX, given.get(PREFIX.name, ""), limit=limit)
        is_random = unless_empty(RANDOM, given, parse_flag, default=False)
        if prefix is None and is_random:
            prefix = ""
        if prefix:
            prefix = _code_prefix(prefix)
        return self.new_token(given), count, prefix

    def changes(self, given: Mapping[str, Any]) -> TicketChanges:
        """Return the changes of an update; what is omitted stays unset.

        :raises InvalidParameter: a parameter is wrong.
        """
        changes = self.read_changes(given)
        if changes.valid_from is not UNSET and changes.valid_to is not UNSET:
            check_window(changes.valid_from, changes.valid_to)
        return changes

    def read_changes(self, given: Mapping[str, Any]) -> TicketChanges:
        """Return the changes that ``given`` describes, whatever their window is.

        :raises InvalidParameter: a parameter is malformed.
        """
        return TicketChanges(
            value=if_given(VALUE, given, _parse_value),
            valid_from=self._edge(VALID_FROM, given) if VALID_FROM.name in given else UNSET,
            valid_to=self._edge(VALID_TO, given) if VALID_TO.name in given else UNSET,
            usage_count=if_given(USAGE_COUNT, given, parse_integer),
            lock_time=if_given(LOCK_TIME, given, parse_integer),
            enabled=if_given(ENABLED, given, parse_flag),
            **{one.name: if_given(one, given, read) for one, read in details.READERS},
        )

    def changes_of_many(self, given: Mapping[str, Any]) -> TicketChanges:
        """Return the changes of many tokens; what is omitted stays unset.

        :raises InvalidParameter: a parameter is wrong; ``value`` is one here.
        """
        _refuse_value(given)
        return self.changes(given)

    def token_filter(self, given: Mapping[str, Any]) -> TokenFilter:
        """Return the filter.

        :raises InvalidParameter: a parameter is wrong.
        """
        category = details.parse_line(OF_CATEGORY, given.get(OF_CATEGORY.name, ""))
        return TokenFilter(
            value=_parse_value(OF_VALUE, given.get(OF_VALUE.name, "")),
            prefix=_parse_value(OF_PREFIX, given.get(OF_PREFIX.name, "")),
            search=unless_empty(OF_SEARCH, given, parse_search, None),
            columns={} if category is None else {OF_CATEGORY.name: category},
            status=unless_empty(OF_STATUS, given, _parse_status, None),
            created_from=self._edge(CREATED_FROM, given),
            created_to=self._edge(CREATED_TO, given),
            valid_at=self._edge(VALID_AT, given),
        )

    def token_query(self, given: Mapping[str, Any]) -> TokenQuery:
        """Return the page that is asked for: filter, order, size and place.

        :raises InvalidParameter: a parameter is wrong.
        """
        after = unless_empty(AFTER, given, _parse_token_uid, None)
        before = unless_empty(BEFORE_TOKEN, given, _parse_token_uid, None)
        if after and before:
            name = BEFORE_TOKEN.name
            message = f"{name}: cannot be given together with {AFTER.name}"
            raise InvalidParameter(name, "not_together", message)
        return TokenQuery(
            matching=self.token_filter(given),
            sort=unless_empty(SORT, given, _parse_sort, NEWEST_FIRST),
            limit=unless_empty(PAGE_LIMIT, given, parse_integer, DEFAULT_USAGES),
            after=after,
            before=before,
        )

    def selection(self, given: Mapping[str, Any]) -> Selection:
        """Return the tokens that a change is about.

        :raises InvalidParameter: a parameter is wrong, or both or none of uids and filter are
            given.
        :raises TokenNotFound: one of the uids spells none.
        """
        name = FILTER.name
        if name not in given:
            return parse_token_uids(given)
        if TOKEN_UIDS.name in given:
            message = f"{name}: cannot be given together with {TOKEN_UIDS.name}"
            raise InvalidParameter(name, "not_together", message)
        raw = given[name]
        members = parse_json_object(raw) if isinstance(raw, str) else raw
        if not isinstance(members, Members):
            raise InvalidParameter(name, "invalid_filter", f"{name}: must be a JSON object")
        known = {parameter.name for parameter in FILTER_PARAMETERS}
        # What is ignored elsewhere would mean more tokens than the caller thinks.
        if not known.issuperset(member for member, _raw in members):
            message = f"{name}: may only have {', '.join(sorted(known))}"
            raise InvalidParameter(name, "unknown_filter", message)
        return self.token_filter(collect(members, FILTER_PARAMETERS))

    def instant(self, name: str, raw: object) -> datetime.datetime:
        """Return the time that ``raw`` spells; a naive one is read in the zone.

        :raises InvalidParameter: it spells none, or one that is not possible.
        """
        return parse_instant(name, raw, self.zone)

    def _edge(self, parameter: Parameter, given: Mapping[str, Any]) -> datetime.datetime | None:
        raw = given.get(parameter.name, "")
        return None if raw == "" else self.instant(parameter.name, raw)


def parse_search(parameter: Parameter, raw: object) -> str:
    """Return the text to search for.

    :raises InvalidParameter: it is too short or too long.
    """
    name, text = parameter.name, parse_text(parameter, raw)
    if len(text) < LEAST:
        message = f"{name}: must be at least {LEAST} characters"
        raise InvalidParameter(name, "too_few_characters", message, minimum=LEAST)
    if len(text) > MAX_SEARCH:
        message = f"{name}: must be at most {MAX_SEARCH} characters"
        raise InvalidParameter(name, "too_many_characters", message, maximum=MAX_SEARCH)
    return text


def _refuse_value(given: Mapping[str, Any], advice: str = "") -> None:
    if VALUE.name in given:
        message = f"{VALUE.name}: is not for many tokens{advice}"
        raise InvalidParameter(VALUE.name, "not_for_many", message)


def _parse_status(parameter: Parameter, raw: object) -> Status:
    try:
        return Status(raw)
    except ValueError:
        raise no_choice(parameter) from None


def _parse_sort(parameter: Parameter, raw: object) -> Sort:
    sort = SORTS.get(raw) if isinstance(raw, str) else None
    if sort is None:
        raise no_choice(parameter)
    return sort


def _parse_token_uid(parameter: Parameter, raw: object) -> uuid.UUID:
    uid = find_uid(raw) if isinstance(raw, str) else None
    if uid is None:
        raise unknown_token(parameter.name)
    return uid


def _parse_value(
    parameter: Parameter,
    raw: object,
    limit: int = MAX_VALUE_BYTES,
) -> str | None:
    name = parameter.name
    text = parse_text(parameter, raw)
    if "\0" in text:
        raise InvalidParameter(name, "null_character", f"{name}: must not have a NUL character")
    if len(text.encode()) > limit:
        message = f"{name}: must be at most {limit} bytes of UTF-8"
        raise InvalidParameter(name, "too_long", message, maximum=limit)
    return text or None


def _code_prefix(prefix: str) -> str:
    """Return the prefix of codes. It may end with a blank; codes may not.

    :raises InvalidParameter: no code can begin like that.
    """
    return codes.new_code(f"{prefix}-", PREFIX.name)[:-1]
