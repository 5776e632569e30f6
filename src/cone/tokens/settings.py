"""The node of the settings of tickets, by the names that other code imports (contract 1)."""

from __future__ import annotations

from cone.tokens.tickets.settings import TokenSettings
from cone.tokens.tickets.settings import get_settings_node

__all__ = ["TokenSettings", "get_settings_node"]
