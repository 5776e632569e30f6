"""Tokens for Python code of a site, by the names that it imports (contract 1)."""

from __future__ import annotations

import contextlib
import datetime
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any

import cone.sql
import zope.sqlalchemy

from cone.tokens import wiring
from cone.tokens.core import lifecycle
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.errors import TokenError
from cone.tokens.core.errors import TokenNotFound
from cone.tokens.core.errors import ValueTaken
from cone.tokens.core.params import NumberText
from cone.tokens.core.params import get_uid
from cone.tokens.core.params import parse_value_sought
from cone.tokens.core.service import TokenService
from cone.tokens.core.service import within
from cone.tokens.core.types import UNSET
from cone.tokens.core.types import Denied
from cone.tokens.core.types import Token
from cone.tokens.core.types import Unset
from cone.tokens.exceptions import DENIED
from cone.tokens.exceptions import TokenAPIError
from cone.tokens.exceptions import TokenNotExists
from cone.tokens.exceptions import TokenValueError

if TYPE_CHECKING:
    from pyramid.request import Request

#: A token, or what names it.
TokenLike = Token | uuid.UUID | str


class TokenAPI:
    """Looks tokens up, adds, changes, consumes and deletes them.

    With a request everything happens inside its transaction, each write in a savepoint: a
    roll-back of the host undoes it, the log included. Without one each call commits by itself.

    Naive times are read in ``cone.tokens.timezone``. All methods raise
    :class:`~cone.tokens.exceptions.TokenException` or one of its kinds.
    """

    def __init__(self, request: Request | None = None) -> None:
        """Take the ``request`` to take part in its transaction."""
        self._request = request

    def get_token(self, uid: TokenLike) -> Token:
        """Return the token.

        :raises TokenNotExists: there is none.
        """
        with self._service() as service:
            return service.get(_uid(uid))

    def query_token(self, value: str) -> Token | None:
        """Return the token with this value, None where there is none.

        :raises TokenValueError: the value is empty or no text.
        """
        with self._service() as service:
            return service.find_by_value(parse_value_sought({"value": value}))

    def token_values(self, token: TokenLike) -> dict[str, Any]:
        """Return the fields of a token by name, its status included.

        :raises TokenNotExists: there is none.
        """
        found = token if isinstance(token, Token) else self.get_token(token)
        return token_values(found)

    def add(  # noqa: PLR0913 - one for each field, in the order that callers know
        self,
        value: str | None = None,
        valid_from: datetime.datetime | None = None,
        valid_to: datetime.datetime | None = None,
        usage_count: int | None = None,
        lock_time: int | None = None,
        *,
        enabled: bool | None = None,
    ) -> uuid.UUID:
        """Add a token and return its uid. None takes the default of a field.

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
        with self._service() as service:
            token = wiring.parser().new_token(_given(fields))
            return service.add(token, by=self._actor)

    def update(  # noqa: PLR0913, PLR0917 - the same
        self,
        token: TokenLike,
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
            changes = wiring.parser().changes(_given(given))
            service.update(_uid(token), changes, by=self._actor)

    def consume(self, token: TokenLike) -> int:
        """Take one use of a token and return how many are left; -1 is unlimited.

        :raises TokenNotExists: there is none.
        :raises TokenException: the consumption is refused, see
            :data:`cone.tokens.exceptions.DENIED`. The try is in the usage log.
        """
        with self._service() as service:
            outcome = service.consume(_uid(token), by=self._actor)
        if isinstance(outcome, Denied):
            raise DENIED[outcome.denial](outcome.denial.message(outcome.token_uid))
        return outcome.usage_count

    def delete(self, token: TokenLike) -> None:
        """Delete a token.

        :raises TokenNotExists: there is none.
        """
        with self._service() as service:
            service.delete(_uid(token), by=self._actor)

    @property
    def _actor(self) -> str | None:
        return wiring.actor(self._request) if self._request is not None else None

    @contextlib.contextmanager
    def _service(self) -> Iterator[TokenService]:
        with _public_exceptions():
            if self._request is None:
                yield wiring.token_service()
                return
            session = cone.sql.get_session(self._request)
            session.flush()
            yield within(session.connection())
            # Statements beside the ORM would be rolled back in silence otherwise.
            zope.sqlalchemy.mark_changed(session)


def token_values(token: Token) -> dict[str, Any]:
    """Return the fields of ``token`` by their names on the wire. Times are aware and in UTC."""
    return {
        "uid": token.uid,
        "value": token.value,
        "valid_from": token.valid_from,
        "valid_to": token.valid_to,
        "usage_count": token.usage_count,
        "lock_time": token.lock_time_s,
        "enabled": token.enabled,
        "last_used": token.last_used,
        "locked_until": token.locked_until,
        "creator": token.creator,
        "created": token.created,
        "modified": token.modified,
        "status": lifecycle.status(token, token.read_at).value,
    }


@contextlib.contextmanager
def _public_exceptions() -> Iterator[None]:
    try:
        yield
    except TokenNotFound as error:
        raise TokenNotExists(str(error)) from error
    except (InvalidParameter, ValueTaken) as error:
        raise TokenValueError(str(error)) from error
    except TokenError as error:
        raise TokenAPIError(str(error)) from error


def _uid(token: TokenLike) -> uuid.UUID:
    if isinstance(token, Token):
        return token.uid
    return token if isinstance(token, uuid.UUID) else get_uid(str(token))


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """Return Python values as the parser takes them: one rule for all ways in."""
    return {name: _raw(value) for name, value in values.items()}


def _raw(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return NumberText(value) if type(value) is int else value
