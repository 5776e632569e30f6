"""The requests of the whole site: bodies are read within bounds, and forms by one parser.

WebOb reads forms with ``cgi.FieldStorage``. A head in a multipart form takes that parser time with
the square of its length, and small parts take it memory without end (decision 0012).
"""

from __future__ import annotations

from typing import Any
from typing import Final

from pyramid.httpexceptions import HTTPRequestEntityTooLarge
from pyramid.request import Request
from webob.multidict import GetDict
from webob.multidict import MultiDict
from webob.multidict import NoVars

from cone.tokens.host.form_data import USUAL
from cone.tokens.host.form_data import Limits
from cone.tokens.host.form_data import Pairs
from cone.tokens.host.form_data import damaged
from cone.tokens.host.form_data import multipart_fields
from cone.tokens.host.form_data import not_utf8
from cone.tokens.host.form_data import urlencoded_fields

FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"

#: Methods whose body is not read.
READING: Final = ("GET", "HEAD")

#: Keys in the WSGI environment. In the last two WebOb keeps what it read, and from where.
_LIMITS: Final = "cone.tokens.request_limits"
_QUERY: Final = "webob._parsed_query_vars"
_FORM: Final = "webob._parsed_post_vars"


class BodyTooLarge(HTTPRequestEntityTooLarge):
    """The body of the request is larger than the limits allow."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self.limits = limits


class SiteRequest(Request):
    """A request whose query, form and body have limits, whoever reads them.

    ``GET``, ``POST`` and ``params`` raise
    :class:`~cone.tokens.host.form_data.UnreadableRequest` and :class:`BodyTooLarge`; so do
    ``body`` and what is made of it.
    """

    # WebOb would copy bodies of more than 10 kB to a file, and leave it open.
    request_body_tempfile_limit = USUAL.in_memory

    @property
    def limits(self) -> Limits:
        """What the request may bring along; copies of it have the same."""
        return self.environ.get(_LIMITS, USUAL)

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self.environ[_LIMITS] = limits
        self.request_body_tempfile_limit = limits.in_memory

    @property
    def GET(self) -> Any:  # noqa: N802 - the name is WebOb's
        """The fields of the query."""
        source = self.environ.get("QUERY_STRING", "")
        fields, read = self.environ.get(_QUERY, (None, None))
        if fields is None or read != source:
            # WSGI hands bytes over as Latin-1.
            content = urlencoded_fields("query", source.encode("latin-1"), self.limits)
            fields = GetDict(content, self.environ)
            self.environ[_QUERY] = (fields, source)
        return fields

    @property
    def POST(self) -> Any:  # noqa: N802 - the name is WebOb's
        """The fields of the form in the body; none where the body is no form."""
        fields, read = self.environ.get(_FORM, (None, None))
        if fields is None or read is not self.body_file_raw:
            kind = self.media_type
            if not self._is_form(kind):
                return NoVars(f"Not an HTML form submission (Content-Type: {kind})")
            fields = MultiDict(self._form_fields(kind))
            self.environ[_FORM] = (fields, self.body_file_raw)
        return fields

    @property
    def media_type(self) -> str:
        """The type of the body as the standards spell it: it may be written in any case."""
        return self.content_type.strip().lower()

    def refuse_large_body(self) -> None:
        """Refuse a body that says that it is too large, before it is read.

        :raises BodyTooLarge: it is.
        """
        if (self.content_length or 0) > self.limits.size:
            raise BodyTooLarge(self.limits)

    def copy_body(self) -> None:
        """Read the body, and keep it: the one place where WebOb does so."""
        self.refuse_large_body()
        try:
            if self.content_length is None and self.is_body_readable:
                self.body = self._body_of_unknown_length()
            else:
                super().copy_body()
        except OSError:
            problem = "did not arrive as a whole"
            raise damaged(problem) from None

    def decode(self, charset: str | None = None, _errors: str = "strict") -> SiteRequest:
        """Return the request itself: texts are in UTF-8. WebOb would use its parser here.

        :raises UnreadableRequest: they are not.
        """
        if (charset or self.charset) != "UTF-8":
            raise not_utf8("body")
        return self

    def _is_form(self, kind: str) -> bool:
        """Return whether there is a form, as WebOb sees it; GET and HEAD have none."""
        if self.method in READING or kind not in ("", FORM, MULTIPART):
            return False
        return self.method == "POST" or bool(kind)

    def _form_fields(self, kind: str) -> Pairs:
        self.refuse_large_body()
        if self.charset != "UTF-8":
            raise not_utf8("body")
        self.make_body_seekable()
        if not self.content_length:
            return []
        if kind != MULTIPART:
            return [*urlencoded_fields("body", self.body, self.limits)]
        header = self.environ["CONTENT_TYPE"]
        fields = multipart_fields(self.body_file_raw, header, self.limits)
        self.body_file_raw.seek(0)
        return fields

    def _body_of_unknown_length(self) -> bytes:
        """Return a body that comes in chunks from a server that does not collect them."""
        body: bytes = self.body_file_raw.read(self.limits.size + 1)
        if len(body) > self.limits.size:
            raise BodyTooLarge(self.limits)
        return body
