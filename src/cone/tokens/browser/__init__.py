"""The pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyramid.config import Configurator


def register_resources(config: Configurator) -> None:
    """Register what browsers load."""
