"""What the server may answer to a scan, made up for the pictures of :mod:`door_pictures`."""

from collections.abc import Mapping

CODE = "SUMMER-FAIR-2026-0042"
NOW = "2026-11-29T19:05:12+01:00"
BEFORE = "2026-11-29T19:02:10+01:00"
OTHER_DAY = "2026-11-27T08:15:00+01:00"
LATER = "2026-12-24T18:00:00+01:00"
GUEST = {"label": "Zoë Example-Montgomery", "category": "VIP"}

UID = "9b2f8a52-0d6f-4b8e-9c57-1f1b6a3d2e40"
GRANT = {
    "success": True,
    "consumed": True,
    "usage_count": 2,
    "receipt": UID,
    "token_uid": UID,
}
TOKEN = {"status": "consumable", "usage_count": 1, "last_used": None, "last_user": None}
USED = {"last_used": BEFORE, "last_user": "north door"}


def denied(error: str, **more: object) -> dict[str, object]:
    """Return the answer of a consumption that is refused."""
    return {"success": False, "consumed": False, "error": error, **more}


#: Status and body of the answer to a consumption, and what a look-up tells of the token.
ANSWERS: Mapping[str, tuple[int, object, Mapping[str, object]]] = {
    "granted": (200, {**GRANT, "used_before": {"time": BEFORE, "user": "north door"}}, {}),
    "granted-label": (
        200,
        {**GRANT, "label": "Zoë Example-Montgomery", "category": "VIP", "used_before": None},
        {},
    ),
    "granted-first": (200, {**GRANT, "usage_count": 0, "used_before": None}, {}),
    "granted-read-as": (
        200,
        {**GRANT, "usage_count": -1, "read_as": CODE.lower(), "used_before": None},
        {},
    ),
    "redeemed": (
        200,
        denied("usage_count_exceeded", last_used=BEFORE, last_user="north door"),
        {},
    ),
    "redeemed-other-day": (
        200,
        denied("usage_count_exceeded", last_used=OTHER_DAY, last_user=None),
        {},
    ),
    "used-up": (
        200,
        denied("usage_count_exceeded", last_used=None, last_user=None),
        {"status": "exhausted", "usage_count": 0},
    ),
    "locked": (
        200,
        denied("token_locked", last_used=BEFORE, last_user="north door"),
        {"status": "locked", "locked_until": "2026-11-29T20:02:10+01:00", **USED},
    ),
    "unknown": (404, denied("token_not_exists"), {}),
    "expired": (
        200,
        denied("out_of_time_range"),
        {"status": "expired", "valid_to": OTHER_DAY},
    ),
    "not-yet": (
        200,
        denied("out_of_time_range"),
        {"status": "not_yet_valid", "valid_from": LATER},
    ),
    "disabled": (200, denied("token_disabled"), {"status": "disabled"}),
    "replaced": (200, denied("replaced", last_used=None, last_user=None, label="Ann"), {}),
    "unfinished": (200, denied("unfinished"), {}),
    "signed-out": (401, {}, {}),
    "forbidden": (403, {"message": "Permission consume is missing"}, {}),
    "other-site": (403, {"reason": "other_site"}, {}),
    "conflict": (409, {}, {}),
    "limited": (429, {}, {}),
    "fault": (500, {}, {}),
    "busy": (503, {}, {}),
    "not-possible": (422, {}, {}),
    "no-answer": (200, "<html>", {}),
}

#: The same at a checkpoint: the direction there besides.
AT_CHECKPOINT: Mapping[str, tuple[str, object, Mapping[str, object]]] = {
    "in": ("in", {**GRANT, **GUEST, "uses": 1, "used_before": None}, {}),
    "left": ("out", {**GRANT, **GUEST, "uses": 0}, {}),
    "returned": ("in", {**GRANT, **GUEST, "uses": 0}, {}),
    "elsewhere": (
        "in",
        denied("wrong_checkpoint", last_used=None, last_user=None, **GUEST),
        {**GUEST},
    ),
    "already-inside": (
        "in",
        denied("already_inside", last_used=BEFORE, last_user="north door", **GUEST),
        {**GUEST, **USED},
    ),
    "not-inside": (
        "out",
        denied("not_inside", last_used=BEFORE, last_user="north door", **GUEST),
        {**GUEST, **USED},
    ),
}
