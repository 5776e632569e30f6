"""What every request of the site is answered with: never a traceback, never without headers.

``tweens.failure_tween`` has the failures of our paths. Here is what holds for the whole site: the
exception view that takes the place of cone.app's, and the net around everything.
"""

from __future__ import annotations

import html
import itertools
import logging
from collections.abc import Callable
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any

from pyramid.httpexceptions import HTTPException
from pyramid.response import Response

from cone.tokens import logs
from cone.tokens.host import headers
from cone.tokens.host.failures import Failure
from cone.tokens.host.failures import failure_of
from cone.tokens.places import is_ours
from cone.tokens.web.api_errors import failure_response
from cone.tokens.web.api_errors import is_api_failure
from cone.tokens.web.errors import failure_page
from cone.tokens.web.mended import failure_for_script
from cone.tokens.web.mended import failure_in_frame
from cone.tokens.web.mended import is_in_frame
from cone.tokens.web.mended import is_of_script

if TYPE_CHECKING:
    from pyramid.config import Configurator
    from pyramid.registry import Registry
    from pyramid.request import Request

logger = logging.getLogger(__name__)

Handler = Callable[["Request"], Response]

#: What is left to say where not even the page about a failure can be made.
_LAST_PAGE = "<!DOCTYPE html><title>500</title><p>Something went wrong. Reference: {reference}</p>"


def answer_failure(error: Exception, request: Request) -> Response:
    """Return the answer that tells of ``error``. Nothing of the host's transaction is kept."""
    if request.environ.get("tm.active"):
        request.tm.doom()
    return _face(error, request)(failure_of(error, request), request)


def answer_bug(error: Exception, request: Request) -> Response:
    """Answer what the host has no view for; pyramid_tm asks for it too, when a commit failed."""
    return answer_failure(error, request)


def replace_exception_view(config: Configurator) -> None:
    """Replace cone.app's view that shows tracebacks.

    It has no predicates, and views with some are asked before: these two cover all requests.
    """
    for xhr in (True, False):
        config.add_view(answer_bug, context=Exception, xhr=xhr)


def site_tween(handler: Handler, _registry: Registry) -> Handler:
    """Return ``handler`` with its failures answered, and with security headers on all answers.

    It is around all that this package knows: what exception views raise themselves, and what
    returns no answer, ends here.
    """

    def answer(request: Request) -> Response:
        response = _answer(handler, request)
        headers.secure(request, response, is_ours=is_ours(request))
        return response

    return answer


def _answer(handler: Handler, request: Request) -> Response:
    try:
        return _begun(handler(request), request)
    except HTTPException as error:
        # One that its raiser made to be an answer.
        return error
    except Exception as error:  # noqa: BLE001 - the last net
        return _last_answer(error, request)


def _last_answer(error: Exception, request: Request) -> Response:
    # pyramid_retry looks for it, and asks again where that may help.
    request.exception = error
    try:
        return answer_failure(error, request)
    except Exception:
        reference = logs.reference()
        logger.exception("a failure could not be told, reference %s", reference)
        return Response(_LAST_PAGE.format(reference=html.escape(reference)), status=500)


def _face(error: Exception, request: Request) -> Callable[[Failure, Request], Response]:
    if is_api_failure(error, request):
        return failure_response
    if is_of_script(request):
        return failure_for_script
    if not is_ours(request) and is_in_frame(request):
        return failure_in_frame
    return failure_page


def _begun(response: Response, request: Request) -> Response:
    """Return ``response`` with the first part of its body made, while a failure can be told."""
    body = response.app_iter
    is_file = isinstance(body, request.environ.get("wsgi.file_wrapper", ()))
    if isinstance(body, Iterator) and not is_file:
        response.app_iter = _Body(body, logs.reference())
    return response


class _Body:
    """A body that is made while it is sent; a failure of it is logged with the reference."""

    def __init__(self, parts: Iterator[bytes], reference: str) -> None:
        """Make the first part of it."""
        self._source = parts
        self._parts = itertools.chain(list(itertools.islice(parts, 1)), parts)
        self._reference = reference

    def __iter__(self) -> Iterator[bytes]:
        """Return the parts."""
        return self

    def __next__(self) -> bytes:
        """Return the next part; the server closes the connection where there is none."""
        try:
            return next(self._parts)
        except StopIteration:
            raise
        except Exception:
            logger.exception("an answer broke off, reference %s", self._reference)
            raise

    def close(self) -> Any:
        """Close the body, as servers do."""
        close = getattr(self._source, "close", None)
        return close() if close else None
