"""The modules of the door page that need no page: they are imported into one and called."""

import json
import uuid

import pytest

# --- what the camera sees --------------------------------------------------------------------


def looks(run, *moments, covered=(), redeemed="A"):
    """What comes of looks: each has a time and the codes in view; small letters are at the edge.

    The scans of one code take a use, those of the others are refused.
    """
    seen = [
        {
            "now": now,
            "codes": [{"value": code.upper(), "isMiddle": code.isupper()} for code in codes],
            "isCovered": now in covered,
        }
        for now, codes in moments
    ]
    script = f"""
        const sight = new m.Sight();
        return {json.dumps(seen)}.map(({{ codes, now, isCovered }}) => {{
            const event = sight.look(codes, now, isCovered);
            if (event?.value === {json.dumps(redeemed)}) sight.redeemed(event.value);
            return event && (event.name ?? event.verdict ?? event.value);
        }});
    """
    return run("sight", script)


def test_code_when_it_stays_in_view_then_it_is_one_scan(run):
    moments = [(now, "A") for now in range(0, 20_000, 500)]
    assert looks(run, *moments) == ["A"] + [None] * (len(moments) - 1)


def test_code_when_it_is_not_read_for_a_moment_then_it_did_not_leave(run):
    said = looks(run, (0, "A"), (100, ""), (1_000, ""), (1_099, "A"), (2_000, "A"))
    assert said == ["A", None, None, None, None]


def test_code_when_it_comes_back_within_three_seconds_then_that_is_told_once(run):
    moments = [(0, "A"), (100, ""), (600, ""), (1_200, "A"), (1_300, "A"), (2_000, "A")]
    assert looks(run, *moments) == ["A", None, None, "repeated", None, None]


def test_code_when_its_scan_was_refused_then_it_is_a_scan_again_once_it_left(run):
    moments = [(0, "B"), (100, ""), (600, ""), (1_200, "B"), (1_300, "B"), (2_000, "B")]
    assert looks(run, *moments) == ["B", None, None, "B", None, None]


def test_code_when_the_camera_saw_nothing_for_a_while_then_nobody_knows_whether_it_stayed(run):
    blind = [(0, "A"), (500, "A"), (9_500, "A"), (9_600, "A"), (9_700, "")]
    later = [(10_000 + 500 * number, "") for number in range(6)]
    said = looks(run, *blind, *later, (12_800, "A"))
    assert said == ["A", None, "repeated", None, None, *[None] * 6, "A"]
    # One that took no use is simply scanned.
    assert looks(run, (0, "B"), (9_000, "B"), (9_100, "B")) == ["B", "B", None]


def test_code_when_the_camera_is_started_again_then_it_is_a_scan(run):
    script = """
        const sight = new m.Sight(), codes = [{ value: "A", isMiddle: true }];
        const said = [sight.look(codes, 0)];
        sight.redeemed("A");
        sight.begin();
        said.push(sight.look(codes, 12_000), sight.look(codes, 12_080));
        return said.map((event) => event && (event.verdict ?? event.value));
    """
    assert run("sight", script) == ["A", "A", None]


def in_modes(run, *steps):
    """What comes of looks at one code, which takes a use where it is scanned to redeem."""
    script = f"""
        const sight = new m.Sight();
        let mode = "consume";
        return {json.dumps(steps)}.map((step, number) => {{
            if (step) sight.setMode((mode = step));
            const event = sight.look([{{ value: "A", isMiddle: true }}], number * 500);
            if (event && mode === "consume") sight.redeemed("A");
            return event && (event.verdict ?? event.value);
        }});
    """
    return run("sight", script)


def test_code_when_the_mode_changes_while_it_is_in_view_then_it_is_a_scan_of_that_mode(run):
    assert in_modes(run, "check", None, "consume", None) == ["A", None, "A", None]


def test_code_when_it_was_redeemed_and_did_not_leave_then_no_change_of_mode_redeems_it_again(run):
    said = in_modes(run, "consume", "check", "consume", "check", "consume")
    assert said == ["A", "A", None, "A", None]


def test_code_when_its_answer_comes_after_the_mode_changed_then_it_is_not_redeemed_again(run):
    script = """
        const sight = new m.Sight(), codes = [{ value: "A", isMiddle: true }];
        const said = [sight.look(codes, 0)];
        sight.setMode("check");
        sight.redeemed("A");
        said.push(sight.look(codes, 100));
        sight.setMode("consume");
        said.push(sight.look(codes, 200));
        return said.map((event) => event?.value ?? null);
    """
    assert run("sight", script) == ["A", "A", None]


def test_code_when_it_was_away_for_three_seconds_then_it_is_a_scan_again(run):
    away = [(500 * number, "") for number in range(1, 7)]
    said = looks(run, (0, "A"), *away, (3_500, "A"))
    assert said == ["A", *[None] * 6, "A"]


def test_two_codes_when_both_are_in_view_then_none_is_taken_and_that_is_told_while_it_lasts(run):
    moments = [(now, "AB") for now in range(0, 5_000, 100)]
    said = looks(run, *moments)
    told = [number for number, word in enumerate(said) if word == "several"]
    assert told == [3, 13, 23, 33, 43]
    assert set(said) == {"several", None}


def test_two_codes_when_one_is_blurred_for_a_moment_then_the_other_is_not_taken(run):
    said = looks(run, (0, "AB"), (100, "A"), (200, "AB"), (500, "A"), (690, "A"), (700, "A"))
    assert said == [None, None, None, None, None, "A"]


def test_two_codes_when_they_pass_each_other_then_nothing_is_told_of_it(run):
    said = looks(run, (0, "A"), (100, "AB"), (200, "AB"), (300, "B"), (800, "B"))
    assert said == ["A", None, None, None, "B"]


def test_code_when_it_is_not_in_the_middle_then_it_is_not_taken_and_that_is_told(run):
    said = looks(run, (0, "a"), (600, "a"), (700, "a"), (900, "a"), (1_800, "a"), (1_900, "A"))
    assert said == [None, None, "edge", None, "edge", "A"]


def test_code_when_it_is_twice_in_view_then_that_in_the_middle_is_taken(run):
    assert looks(run, (0, "Aa"), (100, "aA")) == ["A", None]
    assert looks(run, (0, "aA")) == ["A"]


def test_code_when_an_answer_covers_the_picture_then_it_is_taken_afterwards(run):
    moments = [(0, "A"), (500, "B"), (1_000, "BC"), (1_600, "BC"), (2_600, "B")]
    said = looks(run, *moments, covered={500, 1_000, 1_600})
    assert said == ["A", None, None, None, "B"]


VIEWS = {
    "middle": ([590, 310, 100, 100], True),
    "edge of the frame": ([740, 310, 100, 100], False),
    "beside what is shown": ([1_000, 310, 100, 100], None),
}


@pytest.mark.parametrize(("place", "is_middle"), VIEWS.values(), ids=VIEWS)
def test_code_when_the_video_is_cut_then_only_what_people_see_is_in_view(run, place, is_middle):
    # A phone held upright shows the middle of a picture that is wide.
    script = f"""
        const [x, y, width, height] = {place};
        const codes = [{{ rawValue: "A", boundingBox: {{ x, y, width, height }} }}];
        const [video, box] = [{{ width: 1280, height: 720 }}, {{ width: 390, height: 500 }}];
        return m.inView(codes, video, box, {{ width: 200, height: 200 }});
    """
    seen = [] if is_middle is None else [{"value": "A", "isMiddle": is_middle}]
    assert run("reader", script) == seen


# --- whether there are pictures --------------------------------------------------------------


def test_watch_when_the_picture_stands_still_then_it_plays_opens_anew_and_tells(run):
    script = """
        const watch = new m.Watch(0);
        const state = { isPaused: false, isEnded: false };
        return [2_999, 3_000, 3_500, 6_000, 8_999, 9_000].map((now) => watch.due(now, state));
    """
    assert run("camera", script) == [None, "play", None, "reopen", None, "tell"]


def test_watch_when_the_picture_moves_again_then_it_begins_anew(run):
    script = """
        const watch = new m.Watch(0);
        const state = { isPaused: false, isEnded: false };
        const first = watch.due(3_000, state);
        watch.see(3_100);
        return [first, watch.due(6_099, state), watch.due(6_100, state)];
    """
    assert run("camera", script) == ["play", None, "play"]


def test_watch_when_it_is_paused_or_its_track_ended_then_it_does_not_wait(run):
    script = """
        return [{ isPaused: true, isEnded: false }, { isPaused: true, isEnded: true }]
            .map((state) => new m.Watch(0).due(10, state));
    """
    assert run("camera", script) == ["play", "reopen"]


def test_watch_when_the_page_was_hidden_then_that_time_does_not_count(run):
    script = """
        const watch = new m.Watch(0);
        watch.forgive(60_000);
        return watch.due(62_000, { isPaused: false, isEnded: false });
    """
    assert run("camera", script) is None


# --- keys ------------------------------------------------------------------------------------


def typed(run, gaps, *, late=0, now=300, hands=False, terminator=None):
    """Whether a scanner typed, and what the pause behind its keys means."""
    script = f"""
        const typing = new m.Typing();
        typing.terminator = {json.dumps(terminator)};
        // The page was busy, and hears of all of them late.
        const heard = 9_000;
        let time = 1_000;
        typing.add(time, heard);
        for (const gap of {gaps}) typing.add(time += gap, heard, 0, {json.dumps(hands)});
        const isWatched = typing.due(heard) !== null;
        const verdict = isWatched ? typing.judge(heard + {now}, {late}) : null;
        return [typing.isScan, verdict];
    """
    return run("typing", script)


TYPED = {
    "a scanner": ({"gaps": [10] * 9}, [True, "ended"]),
    "a slow scanner": ({"gaps": [45] * 9}, [True, "ended"]),
    "three characters": ({"gaps": [5, 5]}, [True, "ended"]),
    "two characters": ({"gaps": [5]}, [False, "wait"]),
    "two characters that rest": ({"gaps": [5], "now": 1_500}, [False, "lost"]),
    "two characters of somebody": ({"gaps": [40], "now": 1_500}, [False, None]),
    "a pause within": ({"gaps": [10, 10, 290, 10]}, [True, "ended"]),
    "not long enough": ({"gaps": [10] * 9, "now": 299}, [True, "wait"]),
    "a timer that is late": ({"gaps": [10] * 9, "late": 41}, [True, "wait"]),
    "one slower than people": ({"gaps": [80] * 9}, [True, "ended"]),
    "a slow one whose radio hiccups": (
        {"gaps": [60, 71, 58, 140, 63, 70, 66]},
        [True, "ended"],
    ),
    "a slow one that lost its end": (
        {"gaps": [80] * 9, "terminator": "Enter", "now": 1_500},
        [True, "lost"],
    ),
    "somebody": ({"gaps": [110, 180, 95, 140, 230, 88, 120, 160, 101]}, [False, None]),
    "nobody's hand": ({"gaps": [95] * 9}, [False, "wait"]),
    "nobody's hand that rests": ({"gaps": [95] * 9, "now": 1_500}, [False, "lost"]),
    "an even hand that rests": (
        {"gaps": [95, 110, 88, 121, 99, 104, 93, 117, 101], "now": 1_500},
        [False, None],
    ),
    "four characters": ({"gaps": [70, 72, 68]}, [False, None]),
    "somebody in a hurry": ({"gaps": [70, 80, 45, 90, 75, 48]}, [False, None]),
    "a key that is held": ({"gaps": [30] * 9, "hands": True}, [False, None]),
    "one with a terminator": ({"gaps": [10] * 9, "terminator": "Enter"}, [True, "wait"]),
    "one that lost it": ({"gaps": [10] * 9, "terminator": "Enter", "now": 1_500}, [True, "lost"]),
}


@pytest.mark.parametrize(("keys", "said"), TYPED.values(), ids=TYPED)
def test_typing_when_keys_come_then_their_times_tell_what_they_are(run, keys, said):
    assert typed(run, **keys) == said


# --- requests --------------------------------------------------------------------------------

GRANT = {"success": True, "consumed": True, "usage_count": 1}
DENIAL = {"success": False, "consumed": False}


def test_keys_when_a_scan_was_given_up_then_its_request_is_kept_for_two_minutes(run):
    script = """
        let made = 0;
        const clock = { now: 0 };
        const keys = new m.Keys({ now: () => clock.now, make: () => `key-${++made}` });
        const kept = () => keys.kept().map(({ since, ...request }) => request);
        keys.keep(keys.made({ value: "a", endedBy: "pause", others: ["uid"] }));
        clock.now = 119_999;
        const seen = [kept()];
        clock.now = 120_000;
        seen.push(kept());
        keys.keep(keys.made({ value: "a" }));
        keys.settle("key-1");
        seen.push(kept().length);
        keys.settle("key-2");
        return [...seen, kept().length];
    """
    asked = {"value": "a", "key": "key-1", "endedBy": "pause", "others": ["uid"]}
    first = {**asked, **dict.fromkeys(("by", "found", "manner", "uid", "isLost"))}
    assert run("server", script) == [[first], [], 1, 0]


OTHER_USER = {"reason": "other_user"}
#: What the server says to tries of one scan, and what that means: kind, reason, cause.
LOST_TRIES = {
    "a role": ([(0, None), (403, {})], ["unsure", "still_unknown", "forbidden"]),
    "signed out": ([(502, None), (401, {})], ["unsure", "still_unknown", "signed_out"]),
    "another body": ([(0, None), (409, {})], ["unsure", "still_unknown", "conflict"]),
    "a mistake": ([(200, None), (422, {})], ["unsure", "still_unknown", "not_possible"]),
    "too many": ([(0, None), (429, {})], ["unsure", "rate_limited", None]),
    "lost again": ([(0, None), (503, {})], ["unsure", "unavailable", None]),
    "it was redeemed": ([(0, None), (200, "grant")], ["granted", "granted", None]),
    "it was refused": ([(0, None), (403, {}), (404, "denial")], ["refused", "unknown", None]),
    "nothing was lost": ([(429, {}), (403, {})], ["noted", "forbidden", None]),
    "somebody else": ([(403, OTHER_USER)], ["unsure", "other_user", None]),
    "somebody else, later": (
        [(0, None), (403, OTHER_USER)],
        ["unsure", "still_unknown", "other_user"],
    ),
}


@pytest.mark.parametrize(("tries", "meaning"), LOST_TRIES.values(), ids=LOST_TRIES)
def test_answer_when_one_before_it_was_lost_then_only_a_decision_ends_the_scan(run, tries, meaning):
    bodies = {"grant": GRANT, "denial": {**DENIAL, "error": "token_not_exists"}}
    said = [
        [status, bodies.get(body, body) if isinstance(body, str) else body]
        for status, body in tries
    ]
    script = f"""
        const tries = {json.dumps(said)};
        const asked = [];
        globalThis.fetch = async (url, {{ headers }}) => {{
            const [status, body] = tries.shift();
            asked.push(headers["Idempotency-Key"]);
            if (!status) throw new TypeError("lost");
            const text = async () => JSON.stringify(body);
            return {{ status, text, headers: new Headers() }};
        }};
        const server = new m.Server({{ consume: "/consume", look_up: "/look_up" }});
        let answer;
        while (tries.length) answer = await server.answer({{ id: 1, value: "A", mode: "consume" }});
        const {{ kind, reason, cause = null }} = answer;
        return [[kind, reason, cause], new Set(asked).size];
    """
    assert run("server", script) == [meaning, 1]


SPELLINGS = {
    "the same": ("A", {"A": "one"}, "A", True),
    "another form of it": ("a", {"A": "one", "a": "one"}, "A", True),
    "another token": ("B", {"A": "one", "B": "two"}, "B", False),
    "no token": ("B", {"A": "one"}, "B", False),
    "neither": ("B", {}, "B", False),
}


@pytest.mark.parametrize(("value", "uids", "sent", "is_kept"), SPELLINGS.values(), ids=SPELLINGS)
def test_scan_when_its_token_was_given_up_then_it_is_that_request_in_any_spelling(
    run, value, uids, sent, is_kept
):
    script = f"""
        const uids = {json.dumps(uids)};
        const asked = [];
        let isLost = true;
        const answered = (status, body) =>
            ({{ status, text: async () => JSON.stringify(body), headers: new Headers() }});
        globalThis.fetch = async (url, {{ headers, body }}) => {{
            if (url.startsWith("/look_up")) {{
                const uid = uids[new URLSearchParams(url.split("?")[1]).get("value")];
                return answered(200, {{ success: true, token: uid ? {{ uid }} : null }});
            }}
            asked.push([body.get("value"), headers["Idempotency-Key"]]);
            return isLost ? answered(502, null) : answered(200, {json.dumps(GRANT)});
        }};
        const server = new m.Server({{ consume: "/consume", look_up: "/look_up" }});
        const scan = {{ id: 1, value: "A", mode: "consume" }};
        await server.answer(scan);
        server.keep({{ ...scan, isLost: true }});
        isLost = false;
        await server.answer({{ id: 2, value: {json.dumps(value)}, mode: "consume" }});
        return [asked[1][0], asked[0][1] === asked[1][1]];
    """
    assert run("server", script) == [sent, is_kept]


#: What the server says to the look-up of another text after a scan was given up: what is told, and
#: whether the text goes out.
LOOK_UPS = {
    "nothing": ((0, None), ["offline", True, False]),
    "signed out": ((401, {}), ["signed_out", False, False]),
    "a limit": ((429, {}), ["rate_limited", True, False]),
    "somebody else": ((403, OTHER_USER), ["other_user", False, False]),
    "a role that may not": ((403, {}), ["granted", None, True]),
    "a value that nobody can look up": ((400, {}), ["granted", None, True]),
}
#: A server whose first consumption is lost: ``lookUp`` answers look-ups.
AFTER_LOSS = """
    const asked = [], users = [];
    const answered = ([status, body]) => {
        if (!status) throw new TypeError("lost");
        return { status, text: async () => JSON.stringify(body), headers: new Headers() };
    };
    let grant = null;
    globalThis.fetch = async (url, { headers, body }) => {
        users.push(headers["Expected-User"]);
        if (url.startsWith("/look_up")) return answered(await lookUp());
        asked.push([body.get("value"), headers["Idempotency-Key"]]);
        return answered(grant ? [200, grant] : [0, null]);
    };
    const urls = { consume: "/consume", look_up: "/look_up" };
    const lost = { id: 1, value: "A", mode: "consume" };
    const other = { id: 2, value: "B", mode: "consume" };
"""


@pytest.mark.parametrize(("said", "told"), LOOK_UPS.values(), ids=LOOK_UPS)
def test_scan_when_the_look_up_of_it_fails_then_that_is_told_in_its_own_words(run, said, told):
    script = f"""
        const lookUp = () => {json.dumps(said)};
        {AFTER_LOSS}
        const server = new m.Server(urls);
        await server.answer(lost);
        server.keep({{ id: 1, isLost: true }});
        grant = {json.dumps(GRANT)};
        const sent = [];
        const {{ reason, retries = null, isLost }} = await server.answer(other, () => sent.push(2));
        return [reason, retries, asked.length === 2, sent.length === 1, isLost ?? false];
    """
    assert run("server", script) == [*told, told[-1], False]


def test_scan_when_it_is_given_up_while_it_is_looked_up_then_it_never_goes_out(run):
    script = f"""
        let answerLookUp;
        const looked = new Promise((resolve) => (answerLookUp = resolve));
        const lookUp = () => looked;
        {AFTER_LOSS}
        const server = new m.Server(urls);
        await server.answer(lost);
        server.keep({{ id: 1, isLost: true }});
        grant = {json.dumps(GRANT)};
        const answer = server.answer(other);
        server.keep({{ id: 2, isLost: false }});
        answerLookUp([200, {{ success: true, token: null }}]);
        const {{ kind, isLost }} = await answer;
        return [kind, isLost, asked.length];
    """
    assert run("server", script) == ["unsure", False, 1]


def test_scan_when_it_is_asked_then_the_server_is_told_whom_the_page_was_made_for(run):
    script = f"""
        const lookUp = () => [200, {{ success: true, token: null }}];
        {AFTER_LOSS}
        const server = new m.Server(urls, "J\u00fcrgen");
        await server.answer(lost);
        server.keep({{ id: 1, isLost: true }});
        await server.answer(other);
        return users;
    """
    assert run("server", script) == ["J%C3%BCrgen"] * 4


def test_keys_when_the_page_is_loaded_again_then_open_requests_of_its_user_are_the_same(run):
    script = f"""
        const lookUp = () => [200, {{ success: true, token: null }}];
        {AFTER_LOSS}
        const stored = new Map();
        const storage = {{
            getItem: (name) => stored.get(name) ?? null,
            setItem: (name, text) => stored.set(name, text),
        }};
        const load = (name) => new m.Server(urls, name, new m.Keys({{ storage, name }}));
        // It is neither told nor given up.
        await load("door").answer(lost);
        const kept = ["door", "admin"].map((name) => load(name).isKeeping);
        grant = {json.dumps(GRANT)};
        await load("admin").answer(lost);
        await load("door").answer(lost);
        const keys = asked.map(([, key]) => key);
        return [...kept, keys[1] === keys[0], keys[2] === keys[0], load("door").isKeeping];
    """
    assert run("server", script) == [True, False, False, True, False]


def test_kept_requests_when_they_are_old_then_the_storage_forgets_them(run):
    script = """
        const stored = new Map();
        const clock = { now: 0 };
        const storage = {
            getItem: (name) => stored.get(name) ?? null,
            setItem: (name, text) => stored.set(name, text),
        };
        const keys = new m.Keys({ now: () => clock.now, make: () => "key", storage, name: "door" });
        keys.keep(keys.made({ value: "a" }));
        clock.now = 120_000;
        keys.keep(keys.made({ value: "b" }));
        return JSON.parse(stored.get("door")).map(([value]) => value);
    """
    assert run("server", script) == ["b"]


READ_AS = {
    "the code was asked, another form is scanned": ("A", "a", {}, ["A", ["A"]]),
    "another form was asked, the code is scanned": ("a", "A", {"read_as": "A"}, [None, ["a"]]),
    "two other forms": ("a", "a ", {"read_as": "A"}, ["A", ["a"]]),
    "the same": ("A", "A", {}, [None, None]),
}


@pytest.mark.parametrize(("asked", "scanned", "said", "told"), READ_AS.values(), ids=READ_AS)
def test_answer_when_its_request_said_another_form_then_it_is_told_of_what_is_scanned(
    run, asked, scanned, said, told
):
    script = f"""
        const lookUp = () => [200, {{ success: true, token: {{ uid: "1" }} }}];
        {AFTER_LOSS}
        const server = new m.Server(urls);
        await server.answer({{ ...lost, value: {json.dumps(asked)} }});
        server.keep({{ id: 1, isLost: true }});
        grant = {json.dumps({**GRANT, "token_uid": "1", **said})};
        const answer = await server.answer({{ ...other, value: {json.dumps(scanned)} }});
        return [answer.readAs ?? null, answer.forms ?? null];
    """
    assert run("server", script) == told


def test_key_when_the_page_is_in_no_safe_place_then_it_is_random_all_the_same(run):
    script = """
        Object.defineProperty(crypto, "randomUUID", { value: undefined });
        return [m.randomKey(), m.randomKey()];
    """
    first, second = run("../random", script)
    assert uuid.UUID(first).version == uuid.UUID(second).version == 4
    assert first != second


USED_UP = {**DENIAL, "error": "usage_count_exceeded"}
ANSWERS = {
    "granted": (200, GRANT, "granted granted"),
    "refused": (200, {**DENIAL, "error": "out_of_time_range"}, "refused out_of_time"),
    "unknown token": (404, {**DENIAL, "error": "token_not_exists"}, "refused unknown"),
    "used up": (200, USED_UP, "redeemed redeemed"),
    "never used": (200, {**USED_UP, "last_used": None}, "redeemed used_up"),
    "resting": (200, {**DENIAL, "error": "token_locked"}, "redeemed locked"),
    "replaced": (200, {**DENIAL, "error": "replaced"}, "refused replaced"),
    "unfinished": (200, {**DENIAL, "error": "unfinished"}, "noted unfinished"),
    "another form": (200, {**DENIAL, "error": "repeated"}, "noted repeated"),
    "another path": (404, {"success": False, "error": "not_found"}, "noted not_possible"),
    "text instead of true": (200, {**GRANT, "consumed": "true"}, "unsure no_answer"),
    "another status": (201, GRANT, "unsure no_answer"),
    "not a success": (200, {**GRANT, "success": False}, "unsure no_answer"),
    "a new reason": (200, {"consumed": False, "error": "new"}, "unsure no_answer"),
    "a list": (200, [], "unsure no_answer"),
    "nothing": (0, None, "unsure offline"),
    "a bad gateway": (502, None, "unsure fault"),
    "a role": (403, {"message": "Permission consume is missing"}, "noted forbidden"),
    "another site": (
        403,
        {"message": "...", "reason": "other_site"},
        "noted other_site",
    ),
    "a mistake": (400, {"success": False}, "noted not_possible"),
}


@pytest.mark.parametrize(("status", "body", "meaning"), ANSWERS.values(), ids=ANSWERS)
def test_answer_when_it_is_not_exactly_that_a_use_was_taken_then_it_is_not_green(
    run,
    status,
    body,
    meaning,
):
    said = json.dumps({"status": status, "body": body})
    script = f"const {{ kind, reason }} = m.consumption({said}); return `${{kind}} ${{reason}}`;"
    assert run("answers", script) == meaning


SHOWN = {
    "plain": ("ticket", "ticket"),
    "controls": ("a\u0000\u001b[31mb\r\n", "a[U+0000][U+001B][31mb[U+000D][U+000A]"),
    "direction": ("\u202e\u2066\u200fa", "[U+202E][U+2066][U+200F]a"),
    "joined emoji": ("\U0001f468\u200d\U0001f469", "\U0001f468\u200d\U0001f469"),
    "invisible": ("\ufeff\u00ad\u2060", "[U+FEFF][U+00AD][U+2060]"),
}


@pytest.mark.parametrize(("value", "shown"), SHOWN.values(), ids=SHOWN)
def test_value_when_something_in_it_is_invisible_then_it_is_spelled_out(run, value, shown):
    assert run("shown", f"return m.visible({json.dumps(value)})") == shown


def test_value_when_it_is_shortened_then_no_letter_is_cut_apart(run):
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    script = f"return m.shortened({json.dumps(family * 100)})"
    assert run("shown", script) == family * 40 + "…"
