"""How the host lays our pages out."""

from __future__ import annotations

from typing import Any

from cone.app import DefaultLayoutConfig
from cone.app import layout_config

from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.nodes import TokenNode


@layout_config(TokenContainer, TokenNode)
class TokensLayout(DefaultLayoutConfig):
    """The whole width for tokens: the navigation tree has none, and its handle covers headings."""

    def __init__(self, model: Any = None, request: Any = None) -> None:
        super().__init__(model=model, request=request)
        self.sidebar_left: list[str] = []
