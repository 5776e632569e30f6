"""The pages: views and tiles in the host's main template, without a rule of their own."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Final

import webresource

if TYPE_CHECKING:
    from pyramid.config import Configurator
    from pyramid.request import Request

STATIC: Final = Path(__file__).parent / "static"
STYLES: Final = "cone-tokens-css"
_STYLES_FILE: Final = "tokens.css"

_DIGEST: Final = hashlib.sha256((STATIC / _STYLES_FILE).read_bytes()).hexdigest()
#: Changes whenever the file does: browsers may keep it.
_PATH: Final = f"cone-tokens-{_DIGEST[:12]}"


def register_resources(config: Configurator) -> None:
    """Register what browsers load, for everybody: the sign-in page needs it too."""
    group = webresource.ResourceGroup(name="cone.tokens", directory=str(STATIC), path=_PATH)
    group.add(webresource.StyleResource(name=STYLES, resource=_STYLES_FILE))
    config.register_resource(group)
    config.set_resource_include(STYLES, True)  # noqa: FBT003 - cone.app's signature


def styles_url(request: Request) -> str:
    """Return the address of the styles, for pages without the host's template."""
    return f"{request.application_url}/resources/{_PATH}/{_STYLES_FILE}"
