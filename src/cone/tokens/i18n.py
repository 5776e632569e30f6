"""The translation domain."""

from pyramid.i18n import TranslationStringFactory

_ = TranslationStringFactory("cone.tokens")
