"""A page: one content tile in the host's main template."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

import cone.app
from cone.app.browser.actions import ActionContext
from cone.app.browser.utils import make_url
from cone.tile import render_template_to_response
from translationstring import TranslationString

from cone.tokens.host import wiring
from cone.tokens.host.config import TokensConfig
from cone.tokens.host.form_data import UnreadableRequest
from cone.tokens.i18n import _

if TYPE_CHECKING:
    from pyramid.request import Request
    from pyramid.response import Response

#: What cone.app takes where a site names no main template.
HOST_TEMPLATE: Final = "cone.app.browser:templates/main.pt"
#: The main template of ours.
OUR_TEMPLATE: Final = "cone.tokens.browser:templates/main.pt"

#: Languages that there is a catalogue for; the first is what others get.
LANGUAGES: Final = ("en", "de")

_LOCALE: Final = "_LOCALE_"

#: As long as the greatest that is possible.
NUMBER: Final = re.compile(r"[0-9]{1,5}", re.ASCII)

#: The texts that the scripts of all pages show, by the names that they have there.
SCRIPT_TEXTS: Final = MappingProxyType(
    {
        "offline": _(
            "page_offline",
            default="There is no connection, or no answer in time. What you entered is still here: "
            "try again.",
        ),
        "no_answer": _(
            "page_no_answer",
            default="Something else answered. Perhaps the network wants a sign-in.",
        ),
        "signed_out": _(
            "page_signed_out",
            default="You are signed out. Sign in in another window, then try again here.",
        ),
        "sign_in": _("page_sign_in", default="Sign in"),
        "forbidden": _("page_forbidden", default="You may not do that. Nothing was changed."),
        "not_found": _(
            "page_not_found",
            default="It is not there any more. Perhaps somebody deleted it.",
        ),
        "conflict": _(
            "page_conflict",
            default="Somebody changed it meanwhile. Nothing was changed here.",
        ),
        "too_large": _("page_too_large", default="That is too much at once."),
        "rate_limited": _(
            "page_rate_limited",
            default="Those were too many requests. Wait a moment and try again.",
        ),
        "unavailable": _(
            "page_unavailable",
            default="The database is busy or not available. Try again in a moment.",
        ),
        "fault": _(
            "page_fault",
            default="Something went wrong on the server. Look whether it was done, then try again.",
        ),
        "not_possible": _("page_not_possible", default="That did not work. Nothing was changed."),
        "reference": _("page_reference", default="Reference for the log: ${reference}"),
        "copied": _("copied", default="Copied"),
        "not_copied": _("not_copied", default="It could not be copied. Select it and copy it."),
        "progress": _("progress", default="${done} of ${all}"),
        "stopping": _("parts_stopping", default="Stopping …"),
        "parts_left": _(
            "parts_left",
            default="${done} of ${all} were added. Press the button again for the rest.",
        ),
        "to_bulk": _("to_bulk", default="To the actions for selected tokens"),
        "selected": _("selected_count", default="Selected: ${count}"),
    },
)


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    """A message at the top of a page.

    :ivar kind: ``success``, ``info``, ``warning`` or ``danger``.
    :ivar detail: text that is not translated.
    """

    kind: str
    text: str
    detail: str | None = None


class PageContext(ActionContext):
    """Which tile is the content of the page: the one that the view says.

    cone.app lets the parameter ``ajax.action`` name another one.
    """

    @property
    def scope(self) -> str:
        """Name of the content tile."""
        return self.tilename


def render_page(model: Any, request: Request, tile: str) -> Response:
    """Return the page of ``model`` with ``tile`` as its content.

    The status is that of ``request.response``: a form that is shown again sets it.
    """
    PageContext(model, request, tile)
    response = render_template_to_response(main_template(), request=request, model=model)
    response.headers["Cache-Control"] = "no-store"
    if response.status_int == 200:  # noqa: PLR2004 - no redirection
        response.status = request.response.status
    return response


def main_template() -> str:
    """Return the template of our pages: the site's own where it names one."""
    of_site: str = cone.app.cfg.main_template
    return OUR_TEMPLATE if of_site == HOST_TEMPLATE else of_site


def url(request: Request, node: Any, view: str | None = None, query: str = "") -> str:
    """Return the address of a view of ``node``."""
    return make_url(request, node=node, resource=view, query=query)


def language(request: Request) -> str:
    """Return the language of our texts in the answer."""
    name = request.localizer.locale_name.partition("_")[0]
    return name if name in LANGUAGES else LANGUAGES[0]


class Localized:
    """Mixed into tiles whose templates tell the language of their texts."""

    request: Request

    @property
    def lang(self) -> str:
        """Language of the texts."""
        return language(self.request)

    @property
    def script_settings(self) -> str:
        """What the scripts of pages have to know; see :func:`script_json`."""
        return script_json(self.request, SCRIPT_TEXTS)


def script_json(
    request: Request,
    texts: Mapping[str, TranslationString],
    **more: Any,
) -> str:
    """Return the data for scripts, as JSON that is safe within HTML.

    It has the ``texts`` in the reader's language, that language, and the zone of the site.
    """
    translate = request.localizer.translate
    settings = {
        "texts": {name: translate(text) for name, text in texts.items()},
        "lang": language(request),
        "zone": str(wiring.get(TokensConfig).zone),
        **more,
    }
    text = json.dumps(settings, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def find_number(text: str) -> int | None:
    """Return the number of tokens, or of labels, that ``text`` spells; None where it is none."""
    return int(text) if NUMBER.fullmatch(text) else None


def settle_language(request: Request) -> None:
    """Make sure that there is a language, whatever the request asks for."""
    try:
        request.localizer  # noqa: B018 - negotiated at the first access
    except (ValueError, UnreadableRequest):
        # Parameters that are not UTF-8, or a name that no file can have.
        request.locale_name = request.registry.settings["pyramid.default_locale_name"]
        # The host asks the negotiator again.
        setattr(request, _LOCALE, request.locale_name)
