"""The session filter of an ini file: ``use = egg:cone.tokens#session``.

PasteDeploy imports this module whenever it reads the file, the command line among them, which
needs no host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cone.tokens.host.session_filter import Application
    from cone.tokens.host.session_filter import SessionFilter


def make_filter(application: Application, _global_config: object) -> SessionFilter:
    """Return the filter that opens a database session for each request."""
    from cone.tokens.host.session_filter import SessionFilter

    return SessionFilter(application)
