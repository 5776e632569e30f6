"""The keys of ours that an ini file may have: another one is a mistake that nobody would notice."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

PREFIX: Final = "cone.tokens."

#: What stands behind the prefix.
NAMES: Final = (
    "auto_upgrade",
    "config_file",
    "consume_by_get",
    "deadline",
    "entryfactory",
    "host_body",
    "keyring",
    "limits.granted",
    "limits.queries",
    "limits.refused",
    "limits.sign_in_address",
    "limits.sign_in_name",
    "limits.storage",
    "metrics_secret",
    "operators_find",
    "operators_override",
    "parts",
    "places",
    "settings_node_path",
    "timezone",
)

#: How the prefix begins where it is mistyped.
_NEARLY: Final = ("cone.token", "cone_token")


def unknown_key(keys: Iterable[str]) -> tuple[str, str] | None:
    """Return the first unknown key that looks like one of ours, with advice."""
    known = {f"{PREFIX}{name}" for name in NAMES}
    for key in sorted(keys):
        if key.lower().startswith(_NEARLY) and key not in known:
            return key, f"there is no such setting; {_hint(key)}"
    return None


def _hint(key: str) -> str:
    # The prefix alone would make each of them a near one.
    name = key.removeprefix(PREFIX).lower()
    near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.5)
    return f"did you mean {PREFIX}{near[0]}?" if near else "the README has all of them"
