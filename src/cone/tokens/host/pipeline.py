"""Whether the pipeline of an ini file has the filter that opens database sessions."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import Final

from paste.deploy import loadwsgi

logger = logging.getLogger("cone.tokens.pipeline")

#: Modules of filters that open a session.
_SESSIONS: Final = ("cone.sql", "cone.tokens.session")
#: Of filters that certainly open none.
_OTHERS: Final = ("paste.", "translogger", "pyramid.")


def warn_without_session_filter(global_config: Mapping[str, str]) -> None:
    """Log a warning if nothing in the pipeline opens a database session: requests will fail.

    A filter of the site itself may open one, and a program may put the pipeline together: then
    nothing is said.

    :param global_config: as PasteDeploy gives it: ``__file__`` and the variables of the ini file.
    """
    try:
        modules = list(_filters(_application(global_config)))
    except Exception:  # noqa: BLE001 - a file that cannot be read says nothing
        return
    if not any(module in _SESSIONS or not module.startswith(_OTHERS) for module in modules):
        logger.warning(
            "the pipeline has no session filter, and requests will fail: "
            "put one of egg:cone.tokens#session before the application",
        )


def _application(global_config: Mapping[str, str]) -> Any:
    uri = f"config:{Path(global_config['__file__']).resolve()}"
    return loadwsgi.loadcontext(loadwsgi.APP, uri, global_conf=dict(global_config))


def _filters(context: Any) -> Iterator[str]:
    """Return the modules of the filters in front of an application."""
    filters = getattr(context, "filter_contexts", None) or [
        getattr(context, "filter_context", None)
    ]
    yield from (found.object.__module__ for found in filters if found is not None)
    for name in ("app_context", "next_context"):
        if hasattr(context, name):
            yield from _filters(getattr(context, name))
