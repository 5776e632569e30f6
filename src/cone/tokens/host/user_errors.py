"""The error of those who look after users."""

from __future__ import annotations


class UserRefused(Exception):
    """There is such a user already, none, or no other manager; nothing was changed.

    :ivar slug: stable word for programs.
    """

    def __init__(self, slug: str, message: str) -> None:
        super().__init__(message)
        self.slug = slug
