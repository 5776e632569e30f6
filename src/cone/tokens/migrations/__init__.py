"""The versions of the schema, oldest first; Alembic runs what stands in ``versions``.

A revision says what was made then, in its own words: the tables of today are no part of it.
"""

from __future__ import annotations

from typing import Final

#: Table with the version of the schema. Not Alembic's own name: the site's may have one.
VERSION_TABLE: Final = "token_schema"

#: Attribute of Alembic's configuration: what is told of steps that are done.
PROGRESS: Final = "progress"

#: Revisions that go through all tokens do so in so many slices.
SLICES: Final = 16

#: What there is to do for all revisions: two of them do so.
STEPS: Final = 2 * SLICES

#: All revisions, oldest first.
REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
