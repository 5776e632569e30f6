"""The command that mends what tokens are searched by."""

from __future__ import annotations

import dataclasses
from typing import Any

from cone.tokens.cli.command import Output
from cone.tokens.cli.command import Site
from cone.tokens.cli.command import site_command
from cone.tokens.core.history.texts import Mended
from cone.tokens.core.mending import mend_searches
from cone.tokens.host.rendering import counted
from cone.tokens.migrations import upgrade as upgrades
from cone.tokens.migrations.tables import KINDS


@site_command()
def reindex(site: Site, output: Output) -> None:
    """Mend what tokens are searched by, where it is not what they have.

    What verify calls wrong_search is mended: texts that are wrong, missing or of no token, and on
    SQLite an index that differs from them. The index is made anew then; meanwhile others cannot
    write, which takes half a minute among a million tokens. Tokens and logs are not changed.
    """
    with output.progress("Comparing", None) as progress:
        mended = mend_searches(site.database, KINDS, progress)
    if mended.indexes:
        output.say("Making the index anew.")
        upgrades.remake_search_indexes(site.found_database, mended.indexes)
    output.result({"success": True, **_json(mended)}, _text(mended))


def _json(mended: Mended) -> dict[str, Any]:
    return {**dataclasses.asdict(mended), "indexes": list(mended.indexes)}


def _text(mended: Mended) -> str:
    if mended == Mended():
        return "Nothing to do."
    lines = [
        f"{counted(count, 'text')} {what}"
        for count, what in (
            (mended.added, "added"),
            (mended.changed, "changed"),
            (mended.removed, "removed"),
        )
        if count
    ]
    lines += [f"The index of {table} is made anew." for table in mended.indexes]
    return "\n".join(lines)
