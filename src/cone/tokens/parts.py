"""The parts of the plugin that a site switches on: ``cone.tokens.parts`` in its ini file.

A part is a package below ``cone.tokens`` whose module ``plugin`` has an ``includeme``. It is
imported where a site switches it on, and nowhere else. Tickets are always on and not named there.
"""

from __future__ import annotations

import dataclasses
import difflib
import sys
from collections.abc import Iterable
from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING
from typing import Any
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
    settings: Mapping[str, Any],
    parts: Mapping[str, Part] = PARTS,
) -> tuple[Part, ...]:
    """Return the parts that ``settings`` switch on, in their order.

    :param parts: all that there are.
    :raises StartupError: a part is unknown or named twice, or something that it needs is not there.
    """
    names = _names(settings.get(KEY))
    for name in names:
        _check(name, parts)
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise StartupError(KEY, f"{min(twice)} is named twice")
    return tuple(parts[name] for name in names)


def include(config: Configurator, parts: Iterable[Part]) -> None:
    """Import ``parts`` and let each register what it has."""
    for part in parts:
        config.include(_plugin(part))


def _names(given: object) -> list[str]:
    """Return the names of a setting; programs may give a list of them, or None for no part."""
    if given is None:
        return []
    if isinstance(given, str):
        return aslist(given)
    if not isinstance(given, list | tuple) or not all(isinstance(name, str) for name in given):
        raise StartupError(KEY, f"{given!r} is no list of parts; give their names, or leave it out")
    return aslist(given)


def _check(name: str, parts: Mapping[str, Part]) -> None:
    if name.casefold() == TICKETS:
        raise StartupError(KEY, "tickets are always on; take the name out")
    part = parts.get(name)
    if part is None:
        near = difflib.get_close_matches(name.casefold(), parts, n=1)
        known = f"did you mean {near[0]}?" if near else f"there are: {', '.join(parts) or 'none'}"
        raise StartupError(KEY, f"{name!r} is no part; {known}")
    missing = next((library for library in part.libraries if not _is_there(library)), None)
    if missing and part.extra:
        raise StartupError(KEY, f"{name} needs the extra {part.extra}: cone.tokens[{part.extra}]")
    if missing:
        raise StartupError(KEY, f"{name} needs the library {missing}; install it")
    plugin = _plugin(part)
    if not _is_there(plugin):
        raise StartupError(KEY, f"{name}: there is no module {plugin}; install cone.tokens again")


def _plugin(part: Part) -> str:
    return f"{part.package}.plugin"


def _is_there(module: str) -> bool:
    """Return whether a module can be imported; the packages around it are."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
    except ValueError:
        # It is loaded, by somebody who tells nothing of where it comes from; or it is kept away.
        return sys.modules.get(module) is not None
