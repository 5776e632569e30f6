"""What a request gives, before anything is made of it: the same for the JSON API and for pages."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.params import Parameter
from cone.tokens.core.params import collect
from cone.tokens.core.params import parse_json
from cone.tokens.host.form_data import KIB
from cone.tokens.host.form_data import Limits
from cone.tokens.host.form_data import Pairs
from cone.tokens.host.form_data import Upload
from cone.tokens.host.form_data import decoded
from cone.tokens.host.site_request import FORM
from cone.tokens.host.site_request import MULTIPART

if TYPE_CHECKING:
    from pyramid.request import Request

JSON: Final = "application/json"

#: Media types of bodies that forms and that programs send.
FORMS: Final = (FORM, MULTIPART)
ALL: Final = (*FORMS, JSON)

#: Name of the view of cone.app to which its form to sign in is sent, below any node, and what the
#: form may be: it has three fields, and nobody is known who sends it.
SIGN_IN: Final = "login"
SIGN_IN_FORM: Final = Limits(size=64 * KIB, fields=20)


def forget_body(request: Request) -> None:
    """Keep the host's template from reading the form: it may be of any size, or damaged."""
    request.body = b""
    request.content_type = ""


def forget_body_of_nobody(request: Request) -> None:
    """Discard the body of a request without a signed-in user, unless it is the sign-in form."""
    if not request.is_body_readable or request.view_name == SIGN_IN:
        return
    if request.authenticated_userid is None:
        forget_body(request)


def given(
    request: Request,
    known: Iterable[Parameter],
    *,
    is_strict: bool = False,
) -> dict[str, Any]:
    """Return the raw values of the ``known`` parameters in query and body by name.

    :param is_strict: refuse other parameters, which are ignored else.
    :raises InvalidParameter: query or body cannot be read, or a parameter is given twice.
    """
    if gives_nothing(request):
        return {}
    return collect(pairs(request), known, is_strict=is_strict)


def gives_nothing(request: Request) -> bool:
    """Return whether ``request`` has neither a query nor a body."""
    environ = request.environ
    if environ.get("QUERY_STRING") or "HTTP_TRANSFER_ENCODING" in environ:
        return False
    # Without a length the body may come in chunks, from a server that says where it ends.
    length = environ.get("CONTENT_LENGTH")
    return length == "0" or not (length or environ.get("wsgi.input_terminated"))


def pairs(request: Request, media: Sequence[str] = ALL) -> Pairs:
    """Return names and raw values in the query, and in the body of a POST.

    Files are bytes: those of the field that may be one, else none.

    :param media: media types that the body may have.
    :raises InvalidParameter: query or body cannot be read.
    """
    of_query = list(request.GET.items())
    if request.method != "POST":
        return of_query
    # The length of a body is known when it was read.
    request.make_body_seekable()
    return of_query + _pairs_of_body(request, media) if request.content_length else of_query


def _pairs_of_body(request: Request, media: Sequence[str]) -> Pairs:
    if request.media_type not in media:
        name = "Content-Type"
        message = f"{name}: must be {', '.join(media[:-1])} or {media[-1]}"
        raise InvalidParameter(name, "invalid_content_type", message)
    if request.media_type == JSON:
        return parse_json(decoded("body", request.body))
    file = request.limits.file
    return [(name, _raw(value, is_read=name == file)) for name, value in request.POST.items()]


def _raw(value: str | bytes | Upload, *, is_read: bool) -> str | bytes:
    """Return a text unchanged, or the content of an upload if it is to be read."""
    if not isinstance(value, Upload):
        return value
    return value.value if is_read else b""
