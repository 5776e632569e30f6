"""In which language a request is answered: one of those that the site has."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Final

import cone.app
from pyramid.interfaces import ILocaleNegotiator

if TYPE_CHECKING:
    from pyramid.config import Configurator
    from pyramid.request import Request
    from pyramid.response import Response

#: Name of the choice in the address, in the cookie and on the request.
LOCALE: Final = "_LOCALE_"

#: What else than the address an answer in a language depends on.
_VARY: Final = ("Accept-Language", "Cookie")


def negotiate_languages(config: Configurator) -> None:
    """Have the site choose its languages here, unless it has a way of its own."""
    if config.registry.queryUtility(ILocaleNegotiator) is None:
        # Not by an action: that would conflict with one of another plugin.
        config.registry.registerUtility(negotiate, ILocaleNegotiator)


def negotiate(request: Request) -> str | None:
    """Return the language of the answer; None means the default of the site.

    What the program set counts first, then the address, the cookie, ``Accept-Language``. The
    body is not read: it may be of any size.
    """
    settled: str | None = getattr(request, LOCALE, None)
    if settled is not None:
        return settled
    request.add_response_callback(_vary)
    offered = offered_languages(request)
    chosen = (request.GET.get(LOCALE), request.cookies.get(LOCALE))
    found = (_offered(text, offered) for text in chosen if text)
    return next(filter(None, found), None) or _accepted(request, offered)


def offered_languages(request: Request) -> list[str]:
    """Return the languages of the site, ``cone.available_languages``, else its default alone."""
    return cone.app.cfg.available_languages or [
        request.registry.settings["pyramid.default_locale_name"],
    ]


def _offered(text: str, offered: list[str]) -> str | None:
    names = (text, text.replace("-", "_").partition("_")[0])
    return next((name for name in names if name in offered), None)


def _accepted(request: Request, offered: list[str]) -> str | None:
    """Return the language that the browser likes best (RFC 4647, 3.4: ``de-AT`` means ``de``)."""
    names = {name.replace("_", "-"): name for name in offered}
    best: str = request.accept_language.lookup(list(names), default="")
    return names.get(best)


def _vary(_request: Request, response: Response) -> None:
    # Each name once, in the order in which they came.
    response.vary = tuple(dict.fromkeys((*(response.vary or ()), *_VARY)))
