"""What browsers load: styles, scripts and pictures of all pages."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final

import webresource

if TYPE_CHECKING:
    from pyramid.config import Configurator
    from pyramid.request import Request

#: Pages and the scan page share modules that are found beside each other.
STATIC: Final = Path(__file__).parent.parent / "browser" / "static"
STYLES: Final = "cone-tokens-css"
_STYLES_FILE: Final = "tokens.css"
SCRIPTS: Final = "cone-tokens-js"
_SCRIPTS_FILE: Final = "page/main.js"


def _digest(folder: Path) -> str:
    """Return a word that tells the files of ``folder`` from others: names and content."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:12]


#: Changes whenever a file does: browsers may keep them, and modules fit those they import.
_PATH: Final = f"cone-tokens-{_digest(STATIC)}"


def register_resources(config: Configurator) -> None:
    """Register what browsers load, for everybody: the sign-in page needs it too.

    The scripts act on our pages only, whichever template these stand in.
    """
    group = webresource.ResourceGroup(name="cone.tokens", directory=str(STATIC), path=_PATH)
    group.add(webresource.StyleResource(name=STYLES, resource=_STYLES_FILE))
    scripts = webresource.ScriptResource(name=SCRIPTS, resource=_SCRIPTS_FILE, type_="module")
    group.add(scripts)
    config.register_resource(group)
    for name in (STYLES, SCRIPTS):
        config.set_resource_include(name, True)  # noqa: FBT003 - cone.app's signature


def static_url(request: Request, name: str) -> str:
    """Return the address of a file below ``static/``, for pages without the host's template."""
    return f"{request.application_url}/resources/{_PATH}/{name}"


def styles_url(request: Request) -> str:
    """Return the address of the styles, for pages without the host's template."""
    return static_url(request, _STYLES_FILE)
