"""The nodes and records of tickets, by the names that other code imports (contract 1)."""

from __future__ import annotations

from cone.tokens.tickets.nodes import ENTRY
from cone.tokens.tickets.nodes import TokenContainer
from cone.tokens.tickets.nodes import TokenNode
from cone.tokens.tickets.records import TokenRecord
from cone.tokens.tickets.records import TokenUsageRecord

__all__ = ["ENTRY", "TokenContainer", "TokenNode", "TokenRecord", "TokenUsageRecord"]
