"""What an import means for the tokens that there are, before anything is changed."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Final

from cone.tokens.core import codes
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.values import UNLIMITED
from cone.tokens.core.values import Status
from cone.tokens.core.windows import check_changed_window
from cone.tokens.core.windows import check_window
from cone.tokens.tickets.details import with_members
from cone.tokens.tickets.params import DATA
from cone.tokens.tickets.params import USAGE_COUNT
from cone.tokens.tickets.params import VALUE
from cone.tokens.tickets.values import CodeChange
from cone.tokens.tickets.values import ImportReport
from cone.tokens.tickets.values import ImportRow
from cone.tokens.tickets.values import Known
from cone.tokens.tickets.values import NewTicket
from cone.tokens.tickets.values import Ticket
from cone.tokens.tickets.values import with_code

#: Reason of a mistake: an earlier row means the same token; its number is in the fact ``row``.
TOKEN_TWICE = "token_twice"  # noqa: S105 - a slug

#: What the key of an import is bound to: these numbers, and those by status, which keys of earlier
#: versions lack.
_NUMBERS: Final = ("added", "updated", "unchanged", "skipped")
_BY_STATUS: Final = "unusable"


def answer_of(report: ImportReport) -> dict[str, Any]:
    """Return the part of ``report`` that a repeat of the import is told, for ``ImportReport``."""
    return {name: getattr(report, name) for name in (*_NUMBERS, _BY_STATUS)}


def is_answer(answer: Mapping[str, Any]) -> bool:
    """Return whether ``answer`` may be one of :func:`answer_of`."""
    by_status = answer.get(_BY_STATUS, {})
    return (
        answer.keys() | {_BY_STATUS} == {*_NUMBERS, _BY_STATUS}
        and isinstance(by_status, dict)
        and by_status.keys() <= {status.value for status in Status}
        and all(_is_count(answer[name]) for name in _NUMBERS)
        and all(_is_count(count) for count in by_status.values())
    )


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done.

    :ivar changes: known tokens, and the fields of each that get another value.
    :ivar codes: the codes that change, or that would without :attr:`Known.SKIP`, by row.
    :ivar replaced: the codes that stay, as the row has one that was replaced.
    :ivar refilled: the codes of tokens that were used and get more uses than they have, by row.
    :ivar given: the codes that tokens get, and the token; None: a new one.
    """

    new: list[NewTicket] = dataclasses.field(default_factory=list)
    changes: list[tuple[Ticket, dict[str, Any]]] = dataclasses.field(default_factory=list)
    unchanged: list[Ticket] = dataclasses.field(default_factory=list)
    skipped: list[Ticket] = dataclasses.field(default_factory=list)
    codes: dict[int, CodeChange] = dataclasses.field(default_factory=dict)
    replaced: dict[int, CodeChange] = dataclasses.field(default_factory=dict)
    refilled: dict[int, str] = dataclasses.field(default_factory=dict)
    given: dict[int, tuple[str, uuid.UUID | None]] = dataclasses.field(default_factory=dict)
    mistakes: dict[int, InvalidParameter] = dataclasses.field(default_factory=dict)

    @property
    def made(self) -> Iterator[NewTicket | Ticket]:
        """The tokens that are added or changed, as they will be."""
        yield from self.new
        for token, fields in self.changes:
            yield dataclasses.replace(token, **fields)

    @property
    def report(self) -> ImportReport:
        """The plan in numbers."""
        return ImportReport(
            added=len(self.new),
            updated=len(self.changes),
            unchanged=len(self.unchanged),
            skipped=len(self.skipped),
            codes=self.codes,
            replaced=self.replaced,
            refilled=self.refilled,
            mistakes=self.mistakes,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class KnownTokens:
    """The tokens that rows may mean, by uid and by value.

    :ivar former: codes that were replaced, each with the token that had it.
    """

    by_uid: Mapping[uuid.UUID, Ticket]
    by_value: Mapping[str, Ticket]
    former: Mapping[str, uuid.UUID]

    @classmethod
    def of(
        cls,
        tokens: Iterable[Ticket],
        former: Mapping[str, uuid.UUID],
    ) -> KnownTokens:
        """Return ``tokens`` as rows look them up."""
        found = list(tokens)
        by_uid = {token.uid: token for token in found}
        return cls(by_uid, {token.value: token for token in found}, former)

    def meant(self, row: ImportRow) -> Ticket | None:
        """Return the token of a row: that of its uid, else that of its value.

        A uid that no token has means nothing: the file may be from another site.

        :raises InvalidParameter: the uid is one token's, and the value another's.
        """
        value = row.token.value
        named = self.by_uid.get(row.uid) if row.uid else None
        holder = None if value is None else self._holder(value)
        if named and holder and named.uid != holder.uid:
            message = f"{VALUE.name}: belongs to another token than the uid"
            raise InvalidParameter(VALUE.name, "uid_of_another_token", message)
        return named or holder

    def check_free(self, value: str | None) -> None:
        """Refuse a code that another token had until it was replaced."""
        if value in self.former:
            message = f"{VALUE.name}: was replaced, and stays with the token that had it"
            raise InvalidParameter(VALUE.name, "code_replaced", message)

    def was_replaced(self, value: str | None, token: Ticket) -> bool:
        """Return whether ``token`` had the code until it was replaced, and has another one now."""
        forms = _forms(value) if value is not None else ()
        # A token may have a code again that it had.
        return token.value not in forms and any(self.former.get(one) == token.uid for one in forms)

    def _holder(self, value: str) -> Ticket | None:
        return next((self.by_value[form] for form in _forms(value) if form in self.by_value), None)


def _forms(value: str) -> tuple[str, ...]:
    """Return the codes that a cell means: as they were stored, and as they would be now."""
    return value, codes.normal_form(value), codes.mended(value)


def plan(rows: Sequence[ImportRow], tokens: KnownTokens, known: Known) -> Plan:
    """Return the plan of the import of ``rows``."""
    planned = Plan()
    seen: dict[object, int] = {}
    for number, row in enumerate(rows):
        try:
            token = tokens.meant(row)
            if token is None:
                check_window(row.token.valid_from, row.token.valid_to)
                new = with_code(_mended(row.token))
                tokens.check_free(new.value)
                _check_first(new.value, seen, number)
                planned.new.append(new)
                _give(planned, number, new.value, None)
                continue
            _check_first(token.uid, seen, number)
            if known is not Known.SKIP and tokens.was_replaced(row.token.value, token):
                _plan_kept(planned, number, row, token)
            else:
                _plan_known(planned, number, row, token, known)
            other_code = _other_code(planned, number, known)
            tokens.check_free(other_code)
            # One code for two tokens.
            _check_first(other_code, seen, number)
            _give(planned, number, other_code, token.uid)
        except InvalidParameter as error:
            planned.mistakes[number] = error
    return planned


def _give(planned: Plan, number: int, value: str | None, uid: uuid.UUID | None) -> None:
    if value is not None:
        planned.given[number] = (value, uid)


def _mended(token: NewTicket) -> NewTicket:
    """Return ``token`` without what a spreadsheet leaves at the ends of its code."""
    if token.value is None:
        return token
    return dataclasses.replace(token, value=codes.mended(token.value))


def _mended_unless(stored: str, value: str) -> str:
    # Codes of old versions may end with blanks: they come back as they are.
    return value if value == stored else codes.mended(value)


def _check_first(key: object, seen: dict[object, int], number: int) -> None:
    """Refuse a second row of the same token: which of them counts is not said.

    :param key: its uid, or the code that it is to have; None: no other row can mean it.
    """
    first = number if key is None else seen.setdefault(key, number)
    if first != number:
        message = f"{VALUE.name}: another row is about the same token"
        raise InvalidParameter(VALUE.name, TOKEN_TWICE, message, row=first)


def _other_code(planned: Plan, number: int, known: Known) -> str | None:
    change = planned.codes.get(number)
    return change.new if change and known is not Known.SKIP else None


def _plan_known(planned: Plan, number: int, row: ImportRow, token: Ticket, known: Known) -> None:
    value = row.token.value
    if value is not None and known is not Known.SKIP:
        value = codes.changed_code(token.value, _mended_unless(token.value, value))
    is_other_code = value is not None and value != token.value
    if value is not None and is_other_code:
        planned.codes[number] = CodeChange(token_uid=token.uid, old=token.value, new=value)
    if known is Known.SKIP:
        planned.skipped.append(token)
        return
    _plan_change(planned, number, row, token, {"value": value} if is_other_code else {})


def _plan_kept(planned: Plan, number: int, row: ImportRow, token: Ticket) -> None:
    """Plan a row whose code was replaced: all else of it counts."""
    given = row.token.value or ""
    planned.replaced[number] = CodeChange(token_uid=token.uid, old=token.value, new=given)
    _plan_change(planned, number, row, token, {})


def _plan_change(
    planned: Plan, number: int, row: ImportRow, token: Ticket, code: dict[str, Any]
) -> None:
    """Plan what else of a token changes beside its code."""
    given = row.changes.given()
    if row.members is not None and DATA.name in given:
        given[DATA.name] = with_members(token.data, given[DATA.name], row.members)
    check_changed_window(token, given)
    changed = {name: new for name, new in given.items() if getattr(token, name) != new} | code
    if token.last_used and _is_more(changed.get(USAGE_COUNT.name), token.usage_count):
        planned.refilled[number] = token.value
    if changed:
        planned.changes.append((token, changed))
    else:
        planned.unchanged.append(token)


def _is_more(uses: int | None, before: int) -> bool:
    """Return whether ``uses`` are more than those before; None: they stay."""
    return uses is not None and before != UNLIMITED and (uses == UNLIMITED or uses > before)
