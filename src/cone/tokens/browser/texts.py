"""The words for what the core tells by a key: statuses, mistakes, failures."""

from __future__ import annotations

import dataclasses
from typing import Final

from translationstring import TranslationString

from cone.tokens.browser.moments import Moment
from cone.tokens.browser.moments import Moments
from cone.tokens.core.errors import Denial
from cone.tokens.core.errors import InvalidParameter
from cone.tokens.core.types import Status
from cone.tokens.core.types import Token
from cone.tokens.failures import Failure
from cone.tokens.i18n import _

STATUS_WORDS: Final = {
    Status.CONSUMABLE: _("status_consumable", default="Valid"),
    Status.DISABLED: _("status_disabled", default="Disabled"),
    Status.EXHAUSTED: _("status_exhausted", default="Used up"),
    Status.LOCKED: _("status_locked", default="Locked"),
    Status.NOT_YET_VALID: _("status_not_yet_valid", default="Not yet valid"),
    Status.EXPIRED: _("status_expired", default="Expired"),
}

_STATUS_REASONS: Final = {
    Status.CONSUMABLE: _("reason_consumable", default="It can be consumed now."),
    Status.DISABLED: _(
        "reason_disabled",
        default="It is switched off: every consumption is refused.",
    ),
    Status.EXHAUSTED: _("reason_exhausted", default="No uses are left."),
    Status.LOCKED: _(
        "reason_locked",
        default="It was used and is locked until ${time}.",
    ),
    Status.NOT_YET_VALID: _("reason_not_yet_valid", default="It is valid from ${time} on."),
    Status.EXPIRED: _("reason_expired", default="It was valid until ${time}."),
}

CONSUMED: Final = _("note_consumed", default="One use was taken.")
USED: Final = _("used", default="Used")
REFUSED: Final = _("note_refused", default="The token was refused:")

#: Why consumptions were refused, in a few words; None: a code of the log that is not ours.
DENIAL_WORDS: Final = {
    Denial.TOKEN_DISABLED: _("denial_token_disabled", default="Disabled"),
    Denial.USAGE_COUNT_EXCEEDED: _("denial_usage_count_exceeded", default="Used up"),
    Denial.TOKEN_LOCKED: _("denial_token_locked", default="Locked after a use"),
    Denial.OUT_OF_TIME_RANGE: _(
        "denial_out_of_time_range",
        default="Not yet or no longer valid",
    ),
    None: _("denial_other", default="Another reason"),
}

UNLIMITED: Final = _("unlimited", default="unlimited")

GIVEN_TWICE: Final = _("mistake_given_twice", default="This was given more than once.")
DAMAGED: Final = _("mistake_invalid_form", default="The form arrived damaged.")
_MISTAKES: Final = {
    "given_twice": GIVEN_TWICE,
    "wrong_number": _(
        "bulk_wrong_number",
        default="This is not the number of the tokens.",
    ),
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
    "null_character": _(
        "mistake_null_character",
        default="This has a character that cannot be stored.",
    ),
    "invalid_flag": _("mistake_invalid_flag", default="This must be on or off."),
    "invalid_text": _("mistake_invalid_text", default="This must be a text."),
    "invalid_unicode": _(
        "mistake_invalid_unicode",
        default="This has characters that are no text.",
    ),
    "not_utf8": _("mistake_not_utf8", default="The address or form is not encoded in UTF-8."),
    "too_many_fields": _(
        "mistake_too_many_fields",
        default="The request has more than ${maximum} fields.",
    ),
    "invalid_form": DAMAGED,
    "no_source": _("mistake_no_source", default="Choose a file or paste its text."),
    "two_sources": _("mistake_two_sources", default="Give a file or a text, not both."),
    "file_not_utf8": _(
        "mistake_file_not_utf8",
        default="This is no text in UTF-8. Spreadsheets call that format “CSV UTF-8”.",
    ),
    "file_too_large": _(
        "mistake_file_too_large",
        default="This is too large: at most ${maximum} MiB are possible. Split it.",
    ),
    "too_many_lines": _(
        "mistake_too_many_lines",
        default="The file has more than ${maximum} lines. Split it.",
    ),
    "too_many_rows": _(
        "mistake_too_many_rows",
        default="This has more than ${maximum} tokens. Split it.",
    ),
    "no_rows": _("mistake_no_rows", default="There is no token in it."),
    "no_value_column": _(
        "mistake_no_value_column",
        default="The first line must name the columns, and one of them must be “value”.",
    ),
    "unknown_columns": _(
        "mistake_unknown_columns",
        default="The first line names columns that are not known:",
    ),
    "same_column_twice": _(
        "mistake_same_column_twice",
        default="The first line names a column twice.",
    ),
    "row_length": _(
        "mistake_row_length",
        default="The row does not have as many cells as there are columns.",
    ),
    "not_csv": _(
        "mistake_not_csv",
        default="From here on this is no CSV file: there is a quotation mark too many or too few, "
        "or a cell is too long.",
    ),
    "value_twice": _("mistake_value_twice", default="The value stands in line ${line} already."),
}
UNKNOWN_MISTAKE: Final = _("mistake_unknown", default="This value is not possible.")

VALUE_TAKEN: Final = _("mistake_value_taken", default="Another token has this value.")

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
        _("failure_too_large_text", default="The request is larger than ${mib} MiB."),
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
            default="That is a fault in the program. It is in the log under this reference:",
        ),
    ),
}
_OTHER_FAILURE: Final = (
    _("failure_other", default="That did not work"),
    _("failure_other_text", default="The request was refused, nothing was changed."),
)
_MISSING_PERMISSION: Final = _(
    "failure_missing_permission",
    default="The permission “${permission}” is missing.",
)


@dataclasses.dataclass(frozen=True, slots=True)
class FailureText:
    """What a page tells of a failure."""

    heading: TranslationString
    text: TranslationString
    reference: str | None


def status_reason(token: Token, status: Status, moments: Moments) -> TranslationString:
    """Return the sentence that tells why ``token`` has its ``status``."""
    moment = _decisive_moment(token, status, moments)
    return _STATUS_REASONS[status] % {"time": moment.precise if moment else ""}


def mistake_text(error: InvalidParameter) -> TranslationString:
    """Return the sentence about a wrong parameter, to stand beside its field."""
    return _MISTAKES.get(error.reason, UNKNOWN_MISTAKE) % error.facts


def failure_text(failure: Failure) -> FailureText:
    """Return what a page tells of ``failure``.

    Its message is left alone: it is for programs, in one language, and an exception out of a
    template carries the inside of that template along.
    """
    heading, text = _FAILURES.get(failure.slug, _OTHER_FAILURE)
    if failure.permission:
        text = _MISSING_PERMISSION % {"permission": failure.permission}
    if failure.mib:
        text %= {"mib": failure.mib}
    if isinstance(failure.error, InvalidParameter):
        text = mistake_text(failure.error)
    return FailureText(heading, text, failure.reference)


def _decisive_moment(token: Token, status: Status, moments: Moments) -> Moment | None:
    times = {
        Status.LOCKED: token.locked_until,
        Status.NOT_YET_VALID: token.valid_from,
        Status.EXPIRED: token.valid_to,
    }
    return moments.show(times.get(status))
