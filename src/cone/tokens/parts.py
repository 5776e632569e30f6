"""The parts of the plugin that a site switches on: ``cone.tokens.parts`` in its ini file.

A part is a package below ``cone.tokens`` whose module ``plugin`` has an ``includeme``. It is
imported where a site switches it on, and nowhere else. Tickets are always on and not named there.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable
from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING
from typing import Final

from pyramid.settings import aslist

from cone.tokens.host.config import StartupError

if TYPE_CHECKING:
    from pyramid.config import Configurator

KEY: Final = "cone.tokens.parts"
TICKETS: Final = "tickets"


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """What has to be there for a part.

    :ivar package: its dotted name.
    :ivar extra: of the distribution; None: it needs no library of its own.
    :ivar libraries: modules that the extra installs.
    """

    package: str
    extra: str | None = None
    libraries: tuple[str, ...] = ()


#: All parts that there are, by the names that ini files give them.
PARTS: Final[Mapping[str, Part]] = MappingProxyType({})


def read_parts(
    settings: Mapping[str, str],
    parts: Mapping[str, Part] = PARTS,
) -> tuple[Part, ...]:
    """Return the parts that ``settings`` switch on, in their order.

    :param parts: all that there are.
    :raises StartupError: a part is unknown or named twice, or its extra is not installed.
    """
    names = aslist(settings.get(KEY, ""))
    for name in names:
        _check(name, parts)
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise StartupError(KEY, f"{min(twice)} is named twice")
    return tuple(parts[name] for name in names)


def include(config: Configurator, parts: Iterable[Part]) -> None:
    """Import ``parts`` and let each register what it has."""
    for part in parts:
        config.include(f"{part.package}.plugin")


def _check(name: str, parts: Mapping[str, Part]) -> None:
    if name == TICKETS:
        raise StartupError(KEY, "tickets are always on; take the name out")
    part = parts.get(name)
    if part is None:
        near = difflib.get_close_matches(name, parts, n=1)
        known = f"did you mean {near[0]}?" if near else f"there are: {', '.join(parts) or 'none'}"
        raise StartupError(KEY, f"{name!r} is no part; {known}")
    if not all(find_spec(library) for library in part.libraries):
        raise StartupError(KEY, f"{name} needs the extra {part.extra}: cone.tokens[{part.extra}]")
