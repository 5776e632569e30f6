"""The program ``cone-tokens``, as it begins: before what it works with is loaded.

It stands beside :mod:`cone.tokens`, since that loads the plugin when it is imported, and with it
cone.app, whose remarks about optional libraries are not for people at a command line.
"""

from __future__ import annotations

import logging
import sys

#: What shells say of a program that Ctrl-C ended.
INTERRUPTED = 130


def main() -> None:
    """Run the command of the command line."""
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        from cone.tokens.cli import main as cone_tokens

        cone_tokens(prog_name="cone-tokens")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
