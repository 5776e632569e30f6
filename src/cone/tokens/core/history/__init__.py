"""The history of tokens: replayed from their logs, and purged of old rows."""
