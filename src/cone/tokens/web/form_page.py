"""A page that is a form."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from cone.app.browser.form import Form
from cone.tile import render_template
from webob.exc import HTTPFound

from cone.tokens.web.page import Localized
from cone.tokens.web.page import Note

if TYPE_CHECKING:
    from pyramid.request import Request

BAD_REQUEST: Final = 400
CONFLICT: Final = 409


class FormPage(Localized, Form):
    """A form below a heading and notes, sent as an ordinary request."""

    ajax = False
    notes: list[Note]
    _next_url: str | None

    def __call__(self, model: Any, request: Request) -> str:
        """Return the form with what stands around it; empty after a success."""
        self.notes = []
        self._next_url = None
        self.rendered_form = super().__call__(model, request)
        if request.environ.get("redirect"):
            return ""
        path = "cone.tokens.web:templates/form.pt"
        return render_template(path, request=request, model=model, context=self)

    @property
    def heading(self) -> str:
        """The heading of the page."""
        raise NotImplementedError

    @property
    def cancel_url(self) -> str | None:
        """Where to go without saving; None: nowhere."""
        return None

    def sent(self) -> list[tuple[str, Any]]:
        """Return names and raw values of the fields that were sent."""
        prefix = f"{self.form.name}."
        fields = self.request.POST.items()
        return [(name.removeprefix(prefix), raw) for name, raw in fields if name.startswith(prefix)]

    def fail(self, status: int) -> None:
        """Make the page tell that nothing was saved."""
        self.request.response.status = status

    def succeed(self, next_url: str) -> None:
        """Go on to another page."""
        self._next_url = next_url

    def following(self, _request: Any) -> HTTPFound | None:
        """Return where to go; None shows the form again."""
        return HTTPFound(location=self._next_url) if self._next_url else None
