"""Tokens for Python code of a site, by the names that it imports (contract 1)."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import re
import uuid
from collections.abc import Iterable
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any
from typing import Self

import cone.sql
import zope.sqlalchemy

from cone.tokens.core.clock import utc_now
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import Replaced
from cone.tokens.core.errors import TokenError
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.history.undoing import Undone
from cone.tokens.core.params import NumberText
from cone.tokens.core.params import find_uid
from cone.tokens.core.values import MAX_BATCH
from cone.tokens.core.values import UNSET
from cone.tokens.core.values import Denied
from cone.tokens.core.values import Granted
from cone.tokens.core.values import Unset
from cone.tokens.exceptions import DENIED
from cone.tokens.exceptions import TokenAPIError
from cone.tokens.exceptions import TokenNotExists
from cone.tokens.exceptions import TokenValueError
from cone.tokens.host import wiring
from cone.tokens.host.config import TokensConfig
from cone.tokens.tickets.door_params import parse_manner
from cone.tokens.tickets.door_params import parse_receipt
from cone.tokens.tickets.fields import fields_of
from cone.tokens.tickets.params import parse_value_sought
from cone.tokens.tickets.service import TicketService
from cone.tokens.tickets.service import within
from cone.tokens.tickets.values import Ticket
from cone.tokens.tickets.wiring import current_parser
from cone.tokens.tickets.wiring import current_settings

if TYPE_CHECKING:
    from pyramid.request import Request

#: A token, or what names it: a text is a uid in either case, with hyphens or as 32 digits.
TokenLike = Ticket | uuid.UUID | str

#: A uid as :attr:`uuid.UUID.hex` spells it, and SQLite's column.
_HEX = re.compile(r"[0-9a-f]{32}", re.IGNORECASE | re.ASCII)


class TokenAPI:
    """Looks tokens up, adds, changes, consumes and deletes them.

    With a request everything happens inside its transaction, each write in a savepoint: a
    roll-back of the host undoes it, the log included. Without one each call commits by itself.

    Methods, parameters and results are those of cone.tokens 2.0 (contract 10); what came since
    follows by keyword. Naive times are read in ``cone.tokens.timezone``, times of tokens are aware
    and in UTC. All methods raise :class:`~cone.tokens.exceptions.TokenException` or one of its
    kinds.
    """

    def __init__(self, request: Request | None = None) -> None:
        self._request = request

    def __enter__(self) -> Self:
        """Return the API itself."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Keep nothing: each call gives back what it holds. Exceptions pass."""

    def get_token(self, token_uid: TokenLike) -> Ticket:
        """Return the token.

        :raises TokenNotExists: there is none.
        """
        with self._service() as service:
            return service.get(_uid(token_uid))

    def query_token(self, value: str) -> Ticket | None:
        """Return the token that is meant by this value, None where there is none.

        A value that was replaced means none.

        :raises TokenValueError: the value is no text.
        """
        if value == "":
            return None
        with self._service() as service, contextlib.suppress(Replaced):
            return service.find_by_value(parse_value_sought({"value": value}))
        return None

    def token_values(self, token_uids: Iterable[TokenLike]) -> list[str]:
        """Return the values of those tokens that exist, in the order given, each once.

        :raises TokenValueError: ``token_uids`` is a single one; see :meth:`token_fields`.
        """
        if isinstance(token_uids, TokenLike):
            message = "token_uids: must be a list of uids"
            raise TokenValueError(message)
        found = (_found_uid(token_uid) for token_uid in token_uids)
        uids = iter(dict.fromkeys(uid for uid in found if uid))
        values: list[str] = []
        with self._service() as service:
            while some := list(itertools.islice(uids, MAX_BATCH)):
                values += [token.value for token in service.find_many(some)]
        return values

    def token_fields(self, token_uid: TokenLike) -> dict[str, Any]:
        """Return the fields of a token by name, its status included.

        :raises TokenNotExists: there is none.
        """
        return fields_of(
            token_uid if isinstance(token_uid, Ticket) else self.get_token(token_uid),
        )

    def add(  # noqa: PLR0913, PLR0917 - one for each field, in the order that callers know
        self,
        token_uid: uuid.UUID | str | None = None,
        value: str | None = None,
        valid_from: datetime.datetime | None = None,
        valid_to: datetime.datetime | None = None,
        usage_count: int | None = None,
        lock_time: int | None = None,
        *,
        enabled: bool | None = None,
    ) -> uuid.UUID:
        """Add a token and return its uid. None takes the default of a field.

        :param token_uid: the uid that the token gets; None: a new random one.
        :param value: None: the uid.
        :raises TokenValueError: a field is wrong, or another token has the uid or the value.
        """
        fields = {
            "value": value,
            "valid_from": valid_from,
            "valid_to": valid_to,
            "usage_count": usage_count,
            "lock_time": lock_time,
            "enabled": enabled,
        }
        with self._service() as service:
            token = current_parser().new_token(_given(fields))
            if token_uid is None:
                return service.add(token, by=self._actor)
            return service.add_as(_chosen_uid(token_uid), token, by=self._actor)

    def update(  # noqa: PLR0913, PLR0917 - the same
        self,
        token_uid: TokenLike,
        value: str | Unset | None = UNSET,
        valid_from: datetime.datetime | Unset | None = UNSET,
        valid_to: datetime.datetime | Unset | None = UNSET,
        usage_count: int | Unset = UNSET,
        lock_time: int | Unset = UNSET,
        *,
        enabled: bool | Unset = UNSET,
    ) -> None:
        """Change a token. What is not given stays; None sets the uid as value, opens a window.

        :raises TokenNotExists: there is none.
        :raises TokenValueError: a field is wrong, or another token has the value.
        """
        fields = {
            "value": value,
            "valid_from": valid_from,
            "valid_to": valid_to,
            "usage_count": usage_count,
            "lock_time": lock_time,
            "enabled": enabled,
        }
        given = {name: field for name, field in fields.items() if field is not UNSET}
        with self._service() as service:
            changes = current_parser().changes(_given(given))
            service.update(_uid(token_uid), changes, by=self._actor)

    def consume(
        self,
        token_uid: TokenLike,
        *,
        uses: int | None = None,
        checkpoint: str | None = None,
        direction: str | None = None,
        override: str | None = None,
    ) -> Granted:
        """Take a use of a token, or several at once.

        What returns is true for every granted use. It has ``usage_count``, the uses left (-1 is
        unlimited), ``uses``, how many were taken, and ``receipt``, the uid of its row in the usage
        log.

        :param uses: all of them are taken or none; None: one.
        :param checkpoint: the name of one in the settings.
        :param direction: ``in`` or ``out``, where the checkpoint has directions.
        :param override: why somebody is let in although a rule refuses it.
        :raises TokenNotExists: there is no such token.
        :raises TokenValueError: a parameter is wrong.
        :raises TokenException: the consumption is refused, see
            :data:`cone.tokens.exceptions.DENIED`. The try is in the usage log.
        """
        fields = {
            "uses": uses,
            "checkpoint": checkpoint,
            "direction": direction,
            "override": override,
        }
        with self._service() as service:
            uid, zone = _uid(token_uid), wiring.get(TokensConfig).zone
            manner = parse_manner(_given(fields), current_settings().values, utc_now(), zone)
            outcome = service.consume(uid, by=self._actor, manner=manner)
        if isinstance(outcome, Denied):
            raise DENIED[outcome.denial](outcome.token_uid)
        return outcome

    def undo_use(self, token_uid: TokenLike, receipt: uuid.UUID | str) -> Undone:
        """Take a use of a token back: what it took comes back, and figures leave it out.

        What returns has ``uses``, how many came back, ``usage_count``, the uses left, and
        ``is_repeat``: the use was taken back before, and nothing was changed.

        :param receipt: that of a granted use of the token.
        :raises TokenNotExists: there is no such token.
        :raises TokenValueError: the receipt is that of no granted use of the token.
        """
        with self._service() as service:
            uid, asked = _uid(token_uid), parse_receipt({"receipt": str(receipt)})
            return service.undo(uid, asked, by=self._actor)

    def reset_inside(self) -> int:
        """Let no token be inside, or outside by an exit, any more; return how many were."""
        with self._service() as service:
            return service.reset_presence(by=self._actor)

    def replace(self, token_uid: TokenLike) -> str:
        """Give a token a new random value, and return it.

        The one before is refused from now on, and no other token gets it.

        :raises TokenNotExists: there is no such token.
        """
        with self._service() as service:
            return service.replace(_uid(token_uid), by=self._actor)

    def delete(self, token_uid: TokenLike) -> None:
        """Delete a token.

        :raises TokenNotExists: there is none.
        """
        with self._service() as service:
            service.delete(_uid(token_uid), by=self._actor)

    @property
    def _actor(self) -> str | None:
        return wiring.actor(self._request) if self._request is not None else None

    @contextlib.contextmanager
    def _service(self) -> Iterator[TicketService]:
        with _public_exceptions():
            if self._request is None:
                yield wiring.get(TicketService)
                return
            session = cone.sql.get_session(self._request)
            session.flush()
            yield within(session.connection())
            # Statements beside the ORM would be rolled back in silence otherwise.
            zope.sqlalchemy.mark_changed(session)


@contextlib.contextmanager
def _public_exceptions() -> Iterator[None]:
    try:
        yield
    except TokenNotFound as error:
        raise TokenNotExists(error.uid) from error
    except (InvalidParameter, ValueTaken) as error:
        raise TokenValueError(str(error)) from error
    except TokenError as error:
        raise TokenAPIError(str(error)) from error


def _uid(token: TokenLike) -> uuid.UUID:
    uid = _found_uid(token)
    if uid is None:
        raise TokenNotFound(token)
    return uid


def _found_uid(token: TokenLike) -> uuid.UUID | None:
    """Return the uid that ``token`` names; None where it names none."""
    if isinstance(token, Ticket):
        return token.uid
    if isinstance(token, uuid.UUID):
        return token
    text = str(token)
    return uuid.UUID(text) if _HEX.fullmatch(text) else find_uid(text)


def _chosen_uid(token: uuid.UUID | str) -> uuid.UUID:
    uid = None if isinstance(token, Ticket) else _found_uid(token)
    # Usages of no token have the uid of zeros (README, "Upgrade from cone.tokens 2.0").
    if uid is None or not uid.int:
        message = "token_uid: must be a UUID, or None for a new one"
        raise InvalidParameter("token_uid", "wrong_uid", message)
    return uid


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """Return Python values as the parser takes them: one rule for all ways in."""
    return {name: _raw(value) for name, value in values.items()}


def _raw(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return NumberText(value) if type(value) is int else value
