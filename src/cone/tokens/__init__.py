"""Tokens for sites made with Pyramid and cone.app: issued, valid, consumed, locked, expired.

The core below :mod:`cone.tokens.core` needs SQLAlchemy and nothing else: where cone.app is not
installed, the plugin is not imported.
"""

from importlib.util import find_spec

if find_spec("cone.app"):
    from cone.tokens import plugin as plugin
