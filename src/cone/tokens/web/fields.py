"""Form fields: a yafowil blueprint that is labelled, escaped and tells its mistake.

Yafowil's own inputs put values into the markup nearly as they are; ours go through a template.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Final

from node.utils import UNSET
from pyramid.renderers import render
from yafowil.base import ExtractionError
from yafowil.base import factory
from yafowil.compound import compound_extractor
from yafowil.compound import compound_renderer

from cone.tokens.web.moments import same_input

BLUEPRINT: Final = "tokens_field"
GROUP_BLUEPRINT: Final = "tokens_group"
#: Ends the name of the hidden field that tells what was shown.
SHOWN: Final = ".shown"

#: What a ticked box sends; one that is not ticked sends nothing.
ON: Final = "true"
OFF: Final = "false"


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """A field of a form.

    :ivar kind: type of the ``input`` element, or ``select`` or ``textarea``.
    :ivar attributes: more attributes of it.
    :ivar choices: values and words of a ``select``.
    :ivar zone: names the zone of a time, in front of the help.
    """

    name: str
    label: str
    kind: str = "text"
    help: str | None = None
    attributes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    choices: Sequence[tuple[str, str]] = ()
    zone: str | None = None

    @property
    def is_box(self) -> bool:
        """Whether it is a box to tick."""
        return self.kind == "checkbox"

    @property
    def is_long(self) -> bool:
        """Whether it has several lines."""
        return self.kind == "textarea"

    @property
    def is_line(self) -> bool:
        """Whether it is an ``input`` element with its label above."""
        return not (self.is_box or self.is_long or self.choices)

    @property
    def is_hidden(self) -> bool:
        """Whether people do not see it."""
        return self.kind == "hidden"

    def widget(self, text: str, shown: str | None = None) -> Any:
        """Return the widget.

        :param text: what stands in it at first.
        :param shown: what the user was shown, to tell later what was changed; None: no matter.
        """
        return factory(BLUEPRINT, value=text, props={"field": self, "shown": shown})

    def is_changed(self, submitted: object, shown: str) -> bool:
        """Return whether the user changed what was shown."""
        if self.kind == "datetime-local":
            return not same_input(submitted, shown)
        if self.is_long:
            return _line_ends(submitted) != _line_ends(shown)
        # A field of one line shows no line breaks.
        return _one_line(submitted) != _one_line(shown)


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """Fields that belong together; their names are those that they have without it.

    :ivar kind: ``section`` with a heading, ``row`` with the label at its left, ``boxes`` below
        their label, ``bare`` or ``entry``, where only a screen reader tells the label.
    """

    label: str
    kind: str = "section"
    help: str | None = None

    @property
    def hides_label(self) -> bool:
        """Whether only a screen reader tells the label."""
        return self.kind in ("bare", "entry")

    def widget(self) -> Any:
        """Return the widget, still empty."""
        return factory(GROUP_BLUEPRINT, props={"group": self, "structural": True})

    def filled(self, fields: Iterable[Field], texts: Mapping[str, str]) -> Any:
        """Return the widget with ``fields``, in which ``texts`` stand at first, by their names."""
        widget = self.widget()
        for field in fields:
            widget[field.name] = field.widget(texts.get(field.name, ""))
        return widget


def new_form(name: str, action: str, **data: object) -> Any:
    """Return an empty form that is sent to ``action``.

    :param data: what the scripts have to know about it.
    """
    return factory("form", name=name, props={"action": action, "data": {"send": "", **data}})


def save_button(
    label: str,
    handler: Callable[[Any, Any], None],
    following: Callable[[Any], Any],
) -> Any:
    """Return the button that sends a form.

    :param following: returns where to go, or None to show the form again.
    """
    props = {
        "action": "save",
        "expression": True,
        "handler": handler,
        "next": following,
        "label": label,
    }
    return factory("submit", props=props)


def set_mistake(data: Any, name: str, text: str) -> None:
    """Put the ``text`` of a mistake at a field of a form that was sent."""
    data[name].errors.append(ExtractionError(text))


def _line_ends(text: object) -> object:
    return text.replace("\r\n", "\n") if isinstance(text, str) else text


def _one_line(text: object) -> object:
    return text.replace("\r", "").replace("\n", "") if isinstance(text, str) else text


def _extract(widget: Any, data: Any) -> Any:
    """Return the text that was sent, to be shown again; the parser reads it."""
    sent = data.request.request.POST.get(widget.dottedpath)
    if isinstance(sent, str):
        return sent
    return OFF if widget.attrs["field"].is_box else UNSET


def _render(widget: Any, data: Any) -> str:
    field: Field = widget.attrs["field"]
    text = data.extracted if isinstance(data.extracted, str) else data.value
    path = widget.dottedpath
    mistakes = [error.msg for error in data.errors]
    field_id = f"input-{path.replace('.', '-')}"
    there_is = {"mistake": mistakes, "help": field.help}
    told = [f"{field_id}-{name}" for name, what in there_is.items() if what]
    values = {
        "field": field,
        "id": field_id,
        "input_name": path,
        "text": text,
        "is_on": text == ON,
        "shown": widget.attrs["shown"],
        "shown_name": path + SHOWN,
        "mistakes": mistakes,
        "described_by": " ".join(told) or None,
    }
    return render("cone.tokens.web:templates/field.pt", values, request=data.request.request)


def _render_group(widget: Any, data: Any) -> str:
    values = {
        "group": widget.attrs["group"],
        "id": f"group-{'-'.join(widget.path)}",
        "fields": compound_renderer(widget, data),
    }
    return render("cone.tokens.web:templates/group.pt", values, request=data.request.request)


factory.register(GROUP_BLUEPRINT, extractors=[compound_extractor], edit_renderers=[_render_group])
factory.register(BLUEPRINT, extractors=[_extract], edit_renderers=[_render])
