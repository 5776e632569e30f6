"""The texts that the scripts of the scan page show, by the names that they have there.

An answer has a word, which is read at arm's length, and most have a text; one with ``_time`` takes
its place where the time is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pyramid.i18n import TranslationString

from cone.tokens.browser.texts import UNLIMITED_WORD
from cone.tokens.i18n import _

_SAME_CODE: Final = _("door_same_code", default="Same code")

_ANSWERS: Final = {
    "granted_word": _("door_granted_word", default="Valid"),
    "valid_word": _("door_valid_word", default="Would be valid"),
    "valid_text": _("door_valid_text", default="Only checked, nothing was redeemed."),
    "redeemed_word": _("door_redeemed_word", default="Already redeemed"),
    "redeemed_text": _("door_redeemed_text", default="No uses are left."),
    "used_up_word": _("door_used_up_word", default="No uses left"),
    "used_up_text": _(
        "door_used_up_text",
        default="This code has no uses and was never redeemed.",
    ),
    "locked_word": _("door_locked_word", default="Resting"),
    "locked_text": _("door_locked_text", default="It was redeemed just before."),
    "locked_time": _("door_locked_time", default="Until ${time}"),
    "out_of_time_word": _("door_out_of_time_word", default="Not valid now"),
    "out_of_time_text": _("door_out_of_time_text", default="It is valid at another time."),
    "not_yet_valid_word": _("door_not_yet_valid_word", default="Not valid yet"),
    "not_yet_valid_text": _("door_not_yet_valid_text", default="It is valid later."),
    "not_yet_valid_time": _("door_not_yet_valid_time", default="Valid from ${time}"),
    "expired_word": _("door_expired_word", default="Expired"),
    "expired_text": _("door_expired_text", default="It is no longer valid."),
    "expired_time": _("door_expired_time", default="Valid until ${time}"),
    "disabled_word": _("door_disabled_word", default="Switched off"),
    "disabled_text": _("door_disabled_text", default="Somebody switched this code off."),
    "unknown_word": _("door_unknown_word", default="Unknown code"),
    "unknown_text": _("door_unknown_text", default="There is no such code here."),
    "replaced_word": _("door_replaced_word", default="Replaced"),
    "replaced_text": _(
        "door_replaced_text",
        default="This code is no longer good: the ticket got a new one. Ask for the new ticket.",
    ),
    "granted_more_word": _("door_granted_more_word", default="${count} more"),
    "granted_more_text": _(
        "door_granted_more_text", default="More uses of this code were redeemed."
    ),
    "not_enough_uses_word": _("door_not_enough_uses_word", default="Fewer uses left: ${uses}"),
    "not_enough_uses_text": _("door_not_enough_uses_text", default="Nothing more was redeemed."),
    "undone_word": _("door_undone_word", default="Taken back"),
    "undone_text": _("door_undone_text", default="That scan no longer counts."),
    "not_undone_word": _("door_not_undone_word", default="Not taken back"),
    "not_undone_text": _(
        "door_not_undone_text",
        default="It stays redeemed. Only who may edit tokens can take it back now.",
    ),
    "given_up_undo_word": _("door_given_up_undo_word", default="Not known"),
    "given_up_undo_text": _(
        "door_given_up_undo_text",
        default="Nobody knows whether it was taken back. The page of the token tells.",
    ),
    "question_word": _SAME_CODE,
    "question_text": _("door_question_text", default="Redeem another?"),
    "repeated_word": _SAME_CODE,
    "repeated_text": _(
        "door_repeated_text",
        default="Nothing more was redeemed. To scan it again, take it away for 3 seconds.",
    ),
    "repeated_used_up_word": _SAME_CODE,
    "repeated_used_up_text": _(
        "door_repeated_used_up_text",
        default="The scan before redeemed it. It has no uses left.",
    ),
    "lost_before_word": _("door_lost_before_word", default="Same ticket"),
    "lost_before_text": _(
        "door_lost_before_text",
        default="Nothing was redeemed now. It was asked for in another way before, and that answer "
        "was lost: ask in that way again, by its code or by its name, to find out.",
    ),
    "unfinished_word": _("door_unfinished_word", default="Not complete?"),
    "unfinished_text": _(
        "door_unfinished_text",
        default="Nothing was redeemed: another code begins like this one. "
        "Scan it again, or press the button if it is complete.",
    ),
    "unended_word": _("door_unended_word", default="Not complete"),
    "unended_text": _(
        "door_unended_text",
        default="Nothing was redeemed: the end of the code did not arrive. "
        "Scan it again, or press the button if it is complete.",
    ),
    "unclear_word": _("door_unclear_word", default="One code or two?"),
    "unclear_text": _(
        "door_unclear_text",
        default="Nothing was redeemed. Scan each code again.",
    ),
    "caps_word": _("door_caps_word", default="Caps Lock is on"),
    "caps_text": _(
        "door_caps_text",
        default="Nothing was redeemed: another code differs by capital letters alone. Switch Caps "
        "Lock off and scan it again.",
    ),
    "unread_word": _("door_unread_word", default="Not read"),
    "unread_text": _(
        "door_unread_text", default="No code arrived. Scan it again. Digits need Num Lock."
    ),
    "no_code_word": _("door_no_code_word", default="Not a code"),
    "no_code_text": _("door_no_code_text", default="Nothing was redeemed. Choose what was found."),
    "several_word": _("door_several_word", default="One code only"),
    "several_text": _(
        "door_several_text",
        default="Nothing was redeemed: the text has several lines.",
    ),
    "given_up_word": _("door_given_up_word", default="Not known"),
    "given_up_text": _(
        "door_given_up_text",
        default="Nobody knows whether it was redeemed. Scan it again within 2 minutes to find out.",
    ),
    "given_up_untaken_word": _("door_given_up_untaken_word", default="Not redeemed"),
    "given_up_untaken_text": _(
        "door_given_up_untaken_text",
        default="Nothing was redeemed. Scan it again.",
    ),
    "given_up_check_word": _("door_given_up_check_word", default="Not checked"),
    "given_up_check_text": _("door_given_up_check_text", default="Nothing was redeemed."),
}

_FAILURES: Final = {
    "offline_word": _("door_offline_word", default="Not connected"),
    "offline_text": _(
        "door_offline_text",
        default="Nothing counts as valid until the answer is there. "
        "The page keeps asking. Check the network.",
    ),
    "no_answer_word": _("door_no_answer_word", default="Wrong answer"),
    "no_answer_text": _(
        "door_no_answer_text",
        default="Something else answered. Perhaps the network wants a sign-in.",
    ),
    "signed_out_word": _("door_signed_out_word", default="Signed out"),
    "signed_out_text": _(
        "door_signed_out_text",
        default="Nothing was redeemed. Sign in and come back here: the page then asks again.",
    ),
    "other_user_word": _("door_other_user_word", default="Sign in as ${user}"),
    "other_user_text": _(
        "door_other_user_text",
        default="Nothing was redeemed. Somebody else is signed in. Sign in again and come back "
        "here: the page then asks again.",
    ),
    "forbidden_word": _("door_forbidden_word", default="Not permitted"),
    "forbidden_text": _(
        "door_forbidden_text",
        default="Nothing was redeemed. You may not redeem codes. An administrator can change that.",
    ),
    "other_site_word": _("door_other_site_word", default="Wrong address"),
    "other_site_text": _(
        "door_other_site_text",
        default="Nothing was redeemed. Open this page at its own address.",
    ),
    "conflict_word": _("door_conflict_word", default="Changed meanwhile"),
    "conflict_text": _(
        "door_conflict_text",
        default="Nothing was redeemed. Somebody changed this code. Scan it again.",
    ),
    "rate_limited_word": _("door_rate_limited_word", default="Too many requests"),
    "rate_limited_text": _(
        "door_rate_limited_text",
        default="There is no answer yet. The page asks again by itself, after a minute at most.",
    ),
    "unavailable_word": _("door_unavailable_word", default="Server busy"),
    "unavailable_text": _(
        "door_unavailable_text",
        default="There is no answer yet. The page asks again in a moment.",
    ),
    "still_unknown_word": _("door_still_unknown_word", default="Not known"),
    "still_unknown_text": _(
        "door_still_unknown_text",
        default="It may have been redeemed: the answer to the first try was lost. Now: ${cause}.",
    ),
    "fault_word": _("door_fault_word", default="Server fault"),
    "fault_text": _(
        "door_fault_text",
        default="It is not known whether this code was redeemed. Try again to find out.",
    ),
    "not_possible_word": _("door_not_possible_word", default="Not possible"),
    "not_possible_text": _(
        "door_not_possible_text",
        default="Nothing was redeemed. The server cannot do anything with this code.",
    ),
}

_NOTICES: Final = {
    "several_notice": _("door_several_notice", default="One code only, please."),
    "edge_notice": _("door_edge_notice", default="Hold the code in the middle."),
    "full_notice": _(
        "door_full_notice",
        default="Too many at once. Scan again: ${codes}",
    ),
    "checking_notice": _("door_checking_notice", default="Only checking: nothing is redeemed."),
    "redeeming_notice": _("door_redeeming_notice", default="Scans are redeemed."),
    "declined_notice": _("door_declined_notice", default="Not redeemed again: ${codes}"),
}

_CAMERA: Final = {
    "camera": _("door_camera", default="Camera"),
    "camera_starting": _("door_camera_starting", default="The camera starts …"),
    "camera_still": _(
        "door_camera_still",
        default="The picture stands still: no code is read. Trying again …",
    ),
    "camera_stalled": _(
        "door_camera_stalled",
        default="The camera gives no picture. Start it again, or choose another one.",
    ),
    "camera_denied": _(
        "door_camera_denied",
        default="The camera is not allowed. Allow it in the settings of the browser, "
        "or type the code.",
    ),
    "camera_missing": _("door_camera_missing", default="There is no camera here."),
    "camera_busy": _(
        "door_camera_busy",
        default="The camera stopped. Perhaps another program uses it.",
    ),
    "camera_insecure": _(
        "door_camera_insecure",
        default="The camera works only when the page is served by https.",
    ),
    "camera_not_loaded": _(
        "door_camera_not_loaded",
        default="The reader of codes was not loaded. Check the connection and start again.",
    ),
    "camera_failed": _("door_camera_failed", default="The camera does not work."),
}

_BASE: Final = MappingProxyType(
    {
        "sound": _("door_sound", default="Sound"),
        "figures_came": _("door_figures_came", default="Came: ${came} of ${total}"),
        "undo": _("door_undo", default="Take back"),
        "take_more": _("door_take_more", default="Redeem more"),
        "take_all": _("door_take_all", default="All ${count}"),
        "submit_consume": _("door_submit_consume", default="Redeem"),
        "submit_check": _("door_submit_check", default="Check"),
        "waiting": _("door_waiting", default="Asking …"),
        "slow": _("door_slow", default="Slow: still asking …"),
        "in_line": _("door_in_line", default="In line: ${count}"),
        "read_as": _("door_read_as", default="read as ${code}"),
        "found_none": _("door_found_none", default="Nothing is called so."),
        "found_count": _("door_found_count", default="Found: ${count}. Choose one."),
        "found_first": _(
            "door_found_first",
            default="These are the newest ${count}. Type more to find others.",
        ),
        "no_label": _("door_no_label", default="Without a label"),
        "uses_left": _("uses_left", default="Uses left"),
        "unlimited": UNLIMITED_WORD,
        "before": _("door_before", default="Before"),
        "last_use": _("door_last_use", default="Last redeemed"),
        "time_user": _("door_time_user", default="${time}, by ${user}"),
        "today": _("door_today", default="today ${time}"),
        "never": _("door_never", default="never"),
        "rests": _("door_rests", default="Not sent yet: press Enter or the button."),
        "elsewhere": _(
            "door_elsewhere",
            default="Another window has the keyboard: this page does not hear a hand-held scanner.",
        ),
        **_ANSWERS,
        **_FAILURES,
        **_NOTICES,
        **_CAMERA,
    },
)

_CHECKPOINTS: Final = {
    "figures_inside": _("door_figures_inside", default="Inside: ${count}"),
    "left_word": _("door_left_word", default="Goodbye"),
    "left_text": _("door_left_text", default="Out. The way back in is free."),
    "returned_word": _("door_returned_word", default="Welcome back"),
    "returned_text": _("door_returned_text", default="In again: no use was taken."),
    "wrong_checkpoint_word": _("door_wrong_checkpoint_word", default="Not for this door"),
    "wrong_checkpoint_text": _(
        "door_wrong_checkpoint_text",
        default="This ticket is for another checkpoint. Nothing was redeemed.",
    ),
    "already_inside_word": _("door_already_inside_word", default="Already inside"),
    "already_inside_text": _(
        "door_already_inside_text",
        default="Somebody came in with it and did not go out. Nothing was redeemed.",
    ),
    "not_inside_word": _("door_not_inside_word", default="Not inside"),
    "not_inside_text": _("door_not_inside_text", default="Nobody is inside with it."),
    "no_checkpoint_word": _("door_no_checkpoint_word", default="Where is this?"),
    "no_checkpoint_text": _(
        "door_no_checkpoint_text",
        default="Nothing was redeemed. Choose the checkpoint of this device first.",
    ),
    "unknown_checkpoint_word": _("door_unknown_checkpoint_word", default="Choose again"),
    "unknown_checkpoint_text": _(
        "door_unknown_checkpoint_text",
        default="Nothing was redeemed. The settings no longer have this checkpoint.",
    ),
    "checkpoint_gone": _(
        "door_checkpoint_gone",
        default="The settings no longer have “${name}”. Choose the checkpoint of this device.",
    ),
}

_OVERRIDE: Final = {
    "override": _("door_override", default="Let in anyway"),
    "override_reason": _("door_override_reason", default="Why? A few words"),
    "override_confirm": _("door_override_confirm", default="Let in"),
    "override_question_word": _("door_override_question_word", default="Let in anyway?"),
    "override_question_text": _(
        "door_override_question_text",
        default="The log keeps your reason. A use is redeemed if one is left.",
    ),
    "overridden_word": _("door_overridden_word", default="Let in anyway"),
    "overridden_text": _("door_overridden_text", default="The log has your reason."),
}

_ADD: Final = {
    "add": _("door_add", default="Make one and redeem"),
    "add_confirm": _("door_add_confirm", default="Make and redeem"),
    "add_question_word": _("door_add_question_word", default="Make one?"),
    "add_question_text": _(
        "door_add_question_text",
        default="A token with this code is made and redeemed.",
    ),
    "added_word": _("door_added_word", default="Made and redeemed"),
    "added_text": _("door_added_text", default="There is a token with this code now."),
    "not_added_word": _("door_not_added_word", default="Not made"),
    "not_added_text": _("door_not_added_text", default="This text cannot be a code."),
}

#: All of them, whoever scans wherever.
TEXTS: Final = MappingProxyType({**_BASE, **_CHECKPOINTS, **_OVERRIDE, **_ADD})


def texts_for(
    *, has_checkpoints: bool, may_override: bool, may_add: bool
) -> Mapping[str, TranslationString]:
    """Return the texts that a page shows: it has no others to load."""
    return {
        **_BASE,
        **(_CHECKPOINTS if has_checkpoints else {}),
        **(_OVERRIDE if may_override else {}),
        **(_ADD if may_add else {}),
    }
