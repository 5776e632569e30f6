"""Tokens for sites made with Pyramid and cone.app: issued, valid, consumed, locked, expired.

Importing the package loads nothing else. cone.app reads ``configure.zcml`` of each plugin before it
runs their hooks; that of this package imports :mod:`cone.tokens.plugin`.
"""
