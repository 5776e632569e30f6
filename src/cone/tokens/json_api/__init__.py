"""The JSON API of tickets (contract 3)."""
