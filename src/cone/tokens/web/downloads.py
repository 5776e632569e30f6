"""Files to download: made as a whole before the answer begins, and sent without a thread."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pyramid.response import Response

from cone.tokens.host import wiring
from cone.tokens.host.callers import caller_of
from cone.tokens.host.spool import BLOCK
from cone.tokens.host.spool import Spool

if TYPE_CHECKING:
    from pyramid.request import Request


def file_response(
    request: Request,
    pieces: Iterable[bytes],
    content_type: str,
    name: str,
) -> Response:
    """Return ``pieces`` as a file to download.

    An error on the way is an answer of its own: a file that ends too early would pass for a whole
    one. The server takes the file and frees the thread, however slowly it is read (PEP 3333,
    ``wsgi.file_wrapper``).

    :raises Busy: files that nobody has fetched yet take too much room.
    """
    file = wiring.get(Spool).open(caller_of(request))
    try:
        for piece in pieces:
            file.write(piece)
    except BaseException:
        file.close()
        raise
    size = file.tell()
    file.seek(0)
    wrap = request.environ.get("wsgi.file_wrapper")
    response = Response(
        app_iter=wrap(file, BLOCK) if wrap else file,
        content_disposition=f'attachment; filename="{name}"',
        cache_control="no-store",
    )
    response.headers["Content-Type"] = content_type
    response.content_length = size
    return response
