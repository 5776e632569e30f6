"""The words for what the core tells of tickets by a key: statuses, and why one was refused."""

from __future__ import annotations

from typing import Final

from translationstring import TranslationString

from cone.tokens.core.errors import Denial
from cone.tokens.core.values import UNLIMITED
from cone.tokens.core.values import Status
from cone.tokens.i18n import _
from cone.tokens.tickets.security import ADD
from cone.tokens.tickets.security import CONSUME
from cone.tokens.tickets.security import DELETE
from cone.tokens.tickets.security import EDIT
from cone.tokens.tickets.security import MANAGE
from cone.tokens.tickets.values import Ticket
from cone.tokens.web.moments import Moment
from cone.tokens.web.moments import Moments
from cone.tokens.web.texts import add_texts

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

#: Why a token cannot be used until somebody changes it: a warning, not a mistake.
UNUSABLE: Final = {
    Status.EXHAUSTED: _("unusable_exhausted", default="Cannot be redeemed: 0 uses."),
    Status.EXPIRED: _("unusable_expired", default="Cannot be redeemed: its validity has ended."),
    Status.DISABLED: _("unusable_disabled", default="Cannot be redeemed: switched off."),
}
#: The same of many tokens, with their number.
UNUSABLE_MANY: Final = {
    Status.EXHAUSTED: _(
        "unusable_many_exhausted",
        default="Tokens with 0 uses, which cannot be redeemed: ${count}.",
    ),
    Status.EXPIRED: _(
        "unusable_many_expired",
        default="Tokens whose validity has ended, which cannot be redeemed: ${count}.",
    ),
    Status.DISABLED: _(
        "unusable_many_disabled",
        default="Tokens that are switched off and cannot be redeemed: ${count}.",
    ),
}

CONSUMED: Final = _("note_consumed", default="One use was taken.")
USED: Final = _("used", default="Used")
USED_ANYWAY: Final = _("used_anyway", default="Let in anyway")
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
    Denial.WRONG_CHECKPOINT: _("denial_wrong_checkpoint", default="Not for this checkpoint"),
    Denial.ALREADY_INSIDE: _("denial_already_inside", default="Inside already"),
    Denial.NOT_INSIDE: _("denial_not_inside", default="Not inside"),
    Denial.NOT_ENOUGH_USES: _("denial_not_enough_uses", default="Fewer uses left"),
    Denial.REPLACED: _("denial_replaced", default="Code replaced"),
    Denial.TOKEN_REUSED: _("denial_token_reused", default="Used elsewhere already"),
    None: _("denial_other", default="Another reason"),
}

UNLIMITED_WORD: Final = _("unlimited", default="unlimited")

VALUE_TAKEN: Final = _("mistake_value_taken", default="Another token has this value.")

_MISTAKES: Final = {
    "wrong_number": _(
        "bulk_wrong_number",
        default="This is not the number of the tokens.",
    ),
    "no_source": _("mistake_no_source", default="Choose a file or paste its text."),
    "two_sources": _("mistake_two_sources", default="Give a file or a text, not both."),
    "file_not_utf8": _(
        "mistake_file_not_utf8",
        default="This is no text in UTF-8. Spreadsheets call that format “CSV UTF-8”.",
    ),
    "xlsx_not_available": _(
        "mistake_xlsx_not_available",
        default="This site does not read Excel workbooks. Save the sheet as “CSV UTF-8”.",
    ),
    "no_workbook": _(
        "mistake_no_workbook",
        default="This is no workbook that can be read. Save the sheet as “CSV UTF-8”.",
    ),
    "old_workbook": _(
        "mistake_old_workbook",
        default="This is an old Excel file (xls). Save it as “Excel workbook” (xlsx).",
    ),
    "workbook_with_password": _(
        "mistake_workbook_with_password",
        default="The workbook has a password. Save it without one.",
    ),
    "open_document": _(
        "mistake_open_document",
        default="This is a file of LibreOffice (ods). Save it as “Excel 2007-365” (xlsx) or CSV.",
    ),
    "markup": _(
        "mistake_markup",
        default="This is a web page or XML, whatever it is called. Open it in a spreadsheet and "
        "save it as xlsx or CSV.",
    ),
    "too_many_cells": _(
        "mistake_too_many_cells",
        default="The workbook has too many cells. Keep the list alone, up to ${maximum} rows.",
    ),
    "formula_without_result": _(
        "mistake_formula_without_result",
        default="Line ${line} has a formula without its result. Save the values alone.",
    ),
    "file_not_text": _(
        "mistake_file_not_text",
        default="This is no text that a spreadsheet saves.",
    ),
    "too_many_columns": _(
        "mistake_too_many_columns",
        default="The file has more than ${maximum} columns.",
    ),
    "two_dates": _(
        "mistake_two_dates",
        default="This can be two dates: write it with the year first, such as ${year}-12-31.",
    ),
    "file_too_large": _(
        "mistake_file_too_large",
        default="This is too large: at most ${maximum} MiB are possible. Split it.",
    ),
    "too_many_rows": _(
        "mistake_too_many_rows",
        default="This has more than ${maximum} tokens. Split it.",
    ),
    "workbook_too_large": _(
        "mistake_workbook_too_large",
        default="This is too much for Excel, which has up to ${maximum} rows. Choose CSV, or "
        "narrow the filter.",
    ),
    "cell_too_long": _(
        "mistake_cell_too_long",
        default="A token has a text that is too long for Excel: at most ${maximum} characters "
        "are possible there. Choose CSV.",
    ),
    "no_rows": _("mistake_no_rows", default="There is no token in it."),
    "no_value_column": _(
        "mistake_no_value_column",
        default="The first line must name the columns: a code, a name or an e-mail address at "
        "least. Where cells are split in the wrong places, write sep=; into a line above it.",
    ),
    "unknown_columns": _(
        "mistake_unknown_columns",
        default="The first line names columns that are not known:",
    ),
    "same_column_twice": _(
        "mistake_same_column_twice",
        default="The first line names a column twice: “${first}” and “${second}” both mean "
        "“${column}”.",
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
    "uid_twice": _("mistake_uid_twice", default="The uid stands in line ${line} already."),
    "invalid_uid": _("mistake_invalid_uid", default="This is no uid of a token."),
    "code_replaced": _(
        "mistake_code_replaced",
        default="This code was replaced, and stays with the token that had it.",
    ),
    "uid_of_another_token": _(
        "mistake_uid_of_another_token",
        default="Another token than that of the uid has this value.",
    ),
    "token_twice": _("mistake_token_twice", default="Line ${line} is about the same token."),
}
_MAY_NOT: Final = {
    ADD: _(
        "failure_may_not_add",
        default="You may not add tokens. An administrator can change that.",
    ),
    EDIT: _(
        "failure_may_not_edit",
        default="You may not change tokens. An administrator can change that.",
    ),
    DELETE: _(
        "failure_may_not_delete",
        default="You may not delete tokens. An administrator can change that.",
    ),
    CONSUME: _(
        "failure_may_not_redeem",
        default="You may not redeem codes. An administrator can change that.",
    ),
    MANAGE: _(
        "failure_may_not_manage",
        default="You may not change the settings. An administrator can change that.",
    ),
}
add_texts(_MISTAKES, _MAY_NOT)


def status_reason(token: Ticket, status: Status, moments: Moments) -> TranslationString:
    """Return the sentence that tells why ``token`` has its ``status``."""
    moment = _decisive_moment(token, status, moments)
    return _STATUS_REASONS[status] % {"time": moment.precise if moment else ""}


_USES_OF: Final = _("uses_of", default="${left} of ${given}")


def uses_text(count: int | None) -> object:
    """Return how many uses are left, for people; None where nobody knows."""
    return UNLIMITED_WORD if count == UNLIMITED else count


def uses_of(token: Ticket) -> object:
    """Return how many uses a token has left, and of how many where those are more.

    A use that was taken before uses were given anew, and is taken back now, comes on top of them.
    """
    left, given = token.usage_count, token.uses_given
    if UNLIMITED in (left, given) or given is None or given <= left:
        return uses_text(left)
    return _USES_OF % {"left": left, "given": given}


def _decisive_moment(token: Ticket, status: Status, moments: Moments) -> Moment | None:
    times = {
        Status.LOCKED: token.locked_until,
        Status.NOT_YET_VALID: token.valid_from,
        Status.EXPIRED: token.valid_to,
    }
    return moments.show(times.get(status))
