"""The texts for mistakes and failures, by their keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from translationstring import TranslationString

from cone.tokens.core.errors import Busy
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.host.failures import Failure
from cone.tokens.i18n import _

GIVEN_TWICE: Final = _("mistake_given_twice", default="This was given more than once.")
DAMAGED: Final = _("mistake_invalid_form", default="The form arrived damaged.")
#: By the reason of the mistake: parts add theirs.
_MISTAKES: Final = {
    "given_twice": GIVEN_TWICE,
    "missing": _("mistake_missing", default="This is missing."),
    "invalid_integer": _("mistake_invalid_integer", default="This must be a whole number."),
    "out_of_range": _(
        "mistake_out_of_range",
        default="This must be between ${minimum} and ${maximum}.",
    ),
    "invalid_datetime": _(
        "mistake_invalid_datetime",
        default="This is no date with a time.",
    ),
    "year_out_of_range": _(
        "mistake_year_out_of_range",
        default="The year must be between 2 and 9998.",
    ),
    "skipped_time": _(
        "mistake_skipped_time",
        default="This time does not exist: the clocks go forward then.",
    ),
    "window_order": _(
        "mistake_window_order",
        default="The start must be before the end.",
    ),
    "too_long": _(
        "mistake_too_long",
        default="This is too long: at most ${maximum} bytes are possible, letters beyond "
        "plain English and emoji take 2 to 4.",
    ),
    "too_few_characters": _(
        "mistake_too_few_characters",
        default="At least ${minimum} characters are needed.",
    ),
    "too_many_characters": _(
        "mistake_too_many_characters",
        default="This is too long: at most ${maximum} characters are possible.",
    ),
    "control_character": _(
        "mistake_control_character",
        default="This has control characters, which nobody can read.",
    ),
    "invalid_email": _(
        "mistake_invalid_email",
        default="This is no e-mail address: one looks like name@example.org.",
    ),
    "invalid_data": _(
        "mistake_invalid_data",
        default="This must be up to ${maximum} texts with different names.",
    ),
    "null_character": _(
        "mistake_null_character",
        default="This has a character that cannot be stored.",
    ),
    "blank_code": _("mistake_blank_code", default="A code cannot be blank."),
    "blank_ends": _(
        "mistake_blank_ends",
        default="A code cannot begin or end with a blank.",
    ),
    "invisible_character": _(
        "mistake_invisible_character",
        default="A code cannot have characters that nobody sees. "
        "There is one at place ${place} (${number}).",
    ),
    "lone_mark": _(
        "mistake_lone_mark",
        default="An accent needs a letter in front of it. "
        "There is none at place ${place} (${number}).",
    ),
    "invalid_flag": _("mistake_invalid_flag", default="This must be on or off."),
    "invalid_text": _("mistake_invalid_text", default="This must be a text."),
    "invalid_unicode": _(
        "mistake_invalid_unicode",
        default="This has characters that are no text.",
    ),
    "password_in_address": _(
        "mistake_password_in_address",
        default="A name or a password must not stand in the address. Enter them in the form.",
    ),
    "not_utf8": _("mistake_not_utf8", default="The address or form is not encoded in UTF-8."),
    "too_many_fields": _(
        "mistake_too_many_fields",
        default="The request has more than ${maximum} fields.",
    ),
    "invalid_form": DAMAGED,
    "invalid_host": _("mistake_invalid_host", default="The address has no valid host name."),
}
UNKNOWN_MISTAKE: Final = _("mistake_unknown", default="This value is not possible.")

_FAILURES: Final = {
    "unauthenticated": (
        _("failure_unauthenticated", default="Sign in"),
        _("failure_unauthenticated_text", default="This page is for users who are signed in."),
    ),
    "forbidden": (
        _("failure_forbidden", default="Not permitted"),
        _(
            "failure_forbidden_text",
            default="The request was refused. Pages of other sites may not change anything here.",
        ),
    ),
    "not_found": (
        _("failure_not_found", default="Not found"),
        _("failure_not_found_text", default="There is nothing at this address."),
    ),
    "token_not_exists": (
        _("failure_token_not_exists", default="No such token"),
        _(
            "failure_token_not_exists_text",
            default="There is no token at this address. It may have been deleted.",
        ),
    ),
    "method_not_allowed": (
        _("failure_method_not_allowed", default="Not possible"),
        _(
            "failure_method_not_allowed_text",
            default="This page cannot be asked for in this way.",
        ),
    ),
    "too_large": (
        _("failure_too_large", default="Too large"),
        _("failure_too_large_text", default="The request is larger than ${most}."),
    ),
    "invalid_parameter": (
        _("failure_invalid_parameter", default="Wrong input"),
        _("failure_invalid_parameter_text", default="The request cannot be read."),
    ),
    "rate_limited": (
        _("failure_rate_limited", default="Too many requests"),
        _("failure_rate_limited_text", default="Wait a moment and try again."),
    ),
    "unavailable": (
        _("failure_unavailable", default="Not available right now"),
        _(
            "failure_unavailable_text",
            default="The database is busy or not available. Nothing was changed. "
            "Try again in a moment.",
        ),
    ),
    "internal_error": (
        _("failure_internal_error", default="Something went wrong"),
        _(
            "failure_internal_error_text",
            default="That is a fault in the program. Tell an administrator of this site, "
            "with this reference:",
        ),
    ),
}
_BUSY: Final = (
    _("failure_busy", default="Busy right now"),
    _(
        "failure_busy_text",
        default="The server is at work on other documents, exports or large changes. Nothing was "
        "done. Try again in a few seconds.",
    ),
)
_OTHER_FAILURE: Final = (
    _("failure_other", default="That did not work"),
    _("failure_other_text", default="The request was refused, nothing was changed."),
)
#: By the permission that is missing: parts add theirs.
_MAY_NOT: Final[dict[str, TranslationString]] = {}
_MAY_NOT_DO_THIS: Final = _(
    "failure_may_not_do_this",
    default="You may not do this. An administrator can change that.",
)


@dataclasses.dataclass(frozen=True, slots=True)
class FailureText:
    """What a page tells of a failure."""

    heading: TranslationString
    text: TranslationString
    reference: str | None


def add_texts(
    mistakes: Mapping[str, TranslationString],
    may_not: Mapping[str, TranslationString],
) -> None:
    """Add the texts of a part, when its module of texts is imported.

    :param mistakes: by their reasons.
    :param may_not: by the permission that is missing.
    :raises ValueError: there is a text for one of them already; none was added then.
    """
    _require_new(_MISTAKES, mistakes)
    _require_new(_MAY_NOT, may_not)
    _MISTAKES.update(mistakes)
    _MAY_NOT.update(may_not)


def _require_new(
    known: Mapping[str, TranslationString],
    added: Mapping[str, TranslationString],
) -> None:
    twice = sorted(known.keys() & added.keys())
    if twice:
        message = f"there are texts already for {', '.join(twice)}"
        raise ValueError(message)


def mistake_text(error: InvalidParameter) -> TranslationString:
    """Return the sentence about a wrong parameter, to stand beside its field."""
    return _MISTAKES.get(error.reason, UNKNOWN_MISTAKE) % error.facts


def failure_text(failure: Failure) -> FailureText:
    """Return the text of ``failure`` on a page.

    Its message is left alone: it is for programs, in one language, and an exception out of a
    template carries the inside of that template along.
    """
    heading, text = _FAILURES.get(failure.slug, _OTHER_FAILURE)
    if isinstance(failure.error, Busy):
        heading, text = _BUSY
    if failure.permission:
        text = _MAY_NOT.get(failure.permission, _MAY_NOT_DO_THIS)
    if failure.most:
        text %= {"most": failure.most}
    if isinstance(failure.error, InvalidParameter):
        text = mistake_text(failure.error)
    return FailureText(heading, text, failure.reference)
