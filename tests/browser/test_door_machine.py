"""The machine of the scan page: all pairs of state and event, and any sequence of events."""

import json

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

#: What all sequences of a test are run with: each event on the state before it, then what is still
#: open is answered. ``id`` and ``at`` are filled in where an event has none.
DRIVE = """
    const drive = (events) => {
        let state = { ...m.INITIAL, may: { override: true, add: true } }, at = 0;
        const seen = {
            scans: [], asked: [], texts: [], answers: [], reasons: [], late: [], views: [],
            notices: [],
        };
        const outcomes = {};
        const send = (event) => {
            at += event.after ?? 0;
            const id = event.type === "notice_over" ? state.notice?.id : state.scan?.id;
            const before = state;
            const sent = { id, at, ...event };
            const [next, effects] = m.step(state, sent);
            if (event.type === "scan") seen.scans.push(before.number + 1);
            const isOpen = ["asking", "retrying"].includes(before.phase)
                || before.answer?.reason.startsWith("given_up");
            if (event.type === "answered" && isOpen && before.scan?.id === sent.id) {
                outcomes[sent.id] = event.answer;
            }
            state = next;
            // What somebody does with a ticket is answered like a scan.
            const isDeed = ["undo", "take", "confirm"].includes(event.type);
            if (isDeed && state.number > before.number) seen.scans.push(state.scan.id);
            seen.effects = effects.map(({ type }) => type);
            for (const effect of effects) {
                if (effect.type === "ask") {
                    seen.asked.push(effect.scan.id);
                    seen.texts.push(effect.scan.value);
                }
                if (effect.type === "answer") {
                    const { reason } = effect;
                    if (["unclear", "unended"].includes(reason)) seen.texts.push(reason);
                    seen.answers.push([effect.id, effect.kind]);
                    seen.reasons.push(effect.reason);
                }
                // The answer of a scan that was given up: it stands for that from now on.
                if (effect.type === "settle") seen.late.push([before.scan.id, event.answer.kind]);
            }
            const view = m.view(state);
            if (state.notice && state.notice !== before.notice) {
                seen.notices.push([state.notice.name, state.notice.values]);
            }
            seen.views.push([
                view.answer ? view.scan.id : null,
                view.kind,
                view.answer ? m.colourOf(view.kind) : "none",
                view.answer ? outcomes[view.scan.id]?.kind ?? null : null,
                view.isBig,
                view.waiting,
            ]);
        };
        events.forEach(send);
        seen.phase = state.phase;
        const last = seen.effects;
        const granted = { kind: "granted", reason: "granted", uses: 0 };
        const NEXT = {
            asking: { type: "answered", answer: granted },
            retrying: { type: "answered", answer: granted },
            told: { type: "continue" },
            question: { type: "no" },
            deciding: { type: "no" },
            unsure: { type: "give_up" },
        };
        for (let turns = 0; state.phase !== "idle"; turns += 1) {
            if (turns > 1_000) throw new Error(`never idle: ${state.phase}`);
            send(NEXT[state.phase]);
        }
        return { ...seen, effects: last };
    };
"""


def scan(value="A", by="keys", **more):
    return {"type": "scan", "value": value, "by": by, **more}


def answered(kind, reason=None, **more):
    return {"type": "answered", "answer": {"kind": kind, "reason": reason or kind, **more}}


def just(event_type, **more):
    return {"type": event_type, **more}


GRANTED = answered("granted", uses=1)
LOST = answered("unsure", "offline", retries=True)
UNDOABLE = answered("granted", uses=2, uid="1", receipt="2", taken=1)
DENIED = answered("refused", "disabled", isDenied=True)
UNKNOWN = answered("refused", "unknown", isDenied=True)
LET_IN = just("decide", asked="override")

#: How each state is reached.
STATES = {
    "idle": [],
    "asking": [scan()],
    "told": [scan(), GRANTED],
    "told, a while": [scan(), GRANTED, just("fresh_over")],
    "told, with a receipt": [scan(), UNDOABLE, just("fresh_over")],
    "idle, told before": [
        *[scan(), UNDOABLE, just("fresh_over"), just("shown_over")],
        just("guard_over"),
    ],
    "told, refused": [scan(), DENIED, just("fresh_over")],
    "deciding": [scan(), DENIED, just("fresh_over"), LET_IN],
    "question": [scan(), GRANTED, just("fresh_over"), scan()],
    "question, a while": [scan(), GRANTED, just("fresh_over"), scan(), just("fresh_over")],
    "unsure": [scan(), LOST],
    "retrying": [scan(), LOST, just("retry")],
}
EVENTS = {
    "scan": scan("B"),
    "answered": answered("refused", "unknown"),
    "sent": just("sent"),
    "notice": just("notice", name="several"),
    "mode": just("mode", mode="check"),
    "reading": just("reading", isOpen=False),
    "retry": just("retry"),
    "give_up": just("give_up"),
    "continue": just("continue"),
    "another": just("another"),
    "no": just("no"),
    "fresh_over": just("fresh_over"),
    "shown_over": just("shown_over"),
    "retry_due": just("retry_due"),
    "slow_due": just("slow_due"),
    "begun": just("begun"),
    "notice_over": just("notice_over"),
    "guard_over": just("guard_over"),
    "place": just("place", place={"checkpoint": "North", "direction": "in"}),
    "undo": just("undo"),
    "take": just("take", uses=1),
    "decide": LET_IN,
    "confirm": just("confirm", reason="guest"),
    "undo_over": just("undo_over"),
}

TELL = "answer announce timer timer"
#: State and effects after each event in each state; what is not here changes nothing but the mode.
CHANGES = {
    ("idle", "scan"): ("asking", "ask timer"),
    ("asking", "slow_due"): ("asking", "announce"),
    ("asking", "scan"): ("asking", "announce"),
    ("asking", "answered"): ("told", f"{TELL} count"),
    ("told", "scan"): ("told", "announce"),
    ("told", "reading"): ("told", "timer"),
    ("told", "continue"): ("idle", "timer"),
    ("told", "shown_over"): ("idle", "timer"),
    ("told, a while", "scan"): ("asking", "ask timer timer"),
    ("told, a while", "reading"): ("told", "timer"),
    ("told, a while", "continue"): ("idle", "timer"),
    ("told, a while", "shown_over"): ("idle", "timer"),
    ("told, a while", "take"): ("asking", "ask timer timer"),
    ("told, with a receipt", "scan"): ("asking", "ask timer timer"),
    ("told, with a receipt", "reading"): ("told", "timer"),
    ("told, with a receipt", "continue"): ("idle", "timer"),
    ("told, with a receipt", "shown_over"): ("idle", "timer"),
    ("told, with a receipt", "undo"): ("asking", "ask timer timer"),
    ("told, with a receipt", "take"): ("asking", "ask timer timer"),
    ("idle, told before", "scan"): ("asking", "ask timer"),
    ("idle, told before", "undo"): ("asking", "ask timer"),
    ("idle, told before", "take"): ("asking", "ask timer"),
    ("told, refused", "scan"): ("asking", "ask timer timer"),
    ("told, refused", "reading"): ("told", "timer"),
    ("told, refused", "continue"): ("idle", "timer"),
    ("told, refused", "shown_over"): ("idle", "timer"),
    ("told, refused", "decide"): ("deciding", "announce"),
    ("deciding", "scan"): ("deciding", "announce"),
    ("deciding", "confirm"): ("asking", "ask timer timer"),
    ("deciding", "no"): ("idle", "timer"),
    ("deciding", "continue"): ("idle", "timer"),
    ("question", "place"): ("idle", "answer announce timer timer"),
    ("question, a while", "place"): ("idle", "answer announce timer timer"),
    ("question", "scan"): ("question", "announce"),
    ("question", "mode"): ("idle", "answer announce timer timer"),
    ("question", "continue"): ("idle", "answer announce timer timer"),
    ("question", "another"): ("question", ""),
    ("question", "no"): ("idle", "answer timer"),
    ("question, a while", "scan"): ("asking", "answer ask timer timer timer"),
    ("question, a while", "mode"): ("idle", "answer announce timer timer"),
    ("question, a while", "continue"): ("idle", "answer announce timer timer"),
    ("question, a while", "another"): ("asking", "ask timer timer"),
    ("question, a while", "no"): ("idle", "answer timer"),
    ("unsure", "scan"): ("unsure", "announce"),
    ("retrying", "scan"): ("retrying", "announce"),
    ("unsure", "retry"): ("retrying", "ask timer"),
    ("unsure", "continue"): ("unsure", "timer"),
    ("unsure", "retry_due"): ("retrying", "ask timer"),
    ("retrying", "continue"): ("retrying", "timer"),
    ("unsure", "give_up"): ("told", f"keep restore {TELL}"),
    ("retrying", "answered"): ("told", f"{TELL} count"),
    ("retrying", "give_up"): ("told", f"keep restore {TELL}"),
}


@pytest.fixture
def drive(run):
    """Return a function that runs sequences of events."""

    def drive(*sequences):
        script = f"{DRIVE} return {json.dumps(sequences)}.map(drive);"
        return run("machine", script)

    return drive


def test_machine_when_its_table_is_read_then_each_state_knows_each_event(run):
    script = """
        const { TABLE } = m;
        const isWhole = (row) => Object.values(row).every((part) => typeof part === "function");
        return Object.entries(TABLE).map(([name, row]) => [name, Object.keys(row), isWhole(row)]);
    """
    table = run("machine", script)
    assert {name for name, _events, _is_whole in table} == {name.split(",")[0] for name in STATES}
    for name, events, is_whole in table:
        assert (name, set(events), is_whole) == (name, EVENTS.keys(), True)


@pytest.mark.parametrize("state", STATES)
def test_machine_when_an_event_comes_then_state_and_effects_are_those_of_the_table(drive, state):
    ran = drive(*([*STATES[state], event] for event in EVENTS.values()))
    said = {
        name: (end["phase"], " ".join(end["effects"]))
        for name, end in zip(EVENTS, ran, strict=True)
    }
    same = (state.split(",")[0], "")
    expected = {name: CHANGES.get((state, name), same) for name in EVENTS}
    expected["notice"] = (same[0], "announce timer")
    if not state.startswith("question"):
        expected["mode"] = (same[0], "announce timer")
    assert said == expected


NO_CODE = answered("refused", "unknown")


@pytest.mark.parametrize("mode", ["consume", "check"])
def test_name_when_it_is_entered_while_hits_are_shown_then_it_is_no_code_and_not_refused(
    drive, mode
):
    sought = scan("Ann", isSought=True)
    [ran, plain] = drive(
        [just("mode", mode=mode), sought, NO_CODE],
        [just("mode", mode=mode), scan("Ann"), NO_CODE],
    )
    assert (ran["reasons"], kinds(ran)) == (["no_code"], ["noted"])
    assert ran["effects"] == ["answer", "announce", "timer", "timer", "restore", "choose"]
    # It does not cover what can be chosen.
    assert ran["views"][-2][4] is False
    assert kinds(plain) == ["refused"]


BEGUN = just("begun")
OVER = just("fresh_over")
#: What is told when a text begins: kinds of the views from then on.
BEFORE_A_TEXT = {
    "an answer that is small": ([scan(), GRANTED, OVER, just("shown_over"), BEGUN], ["none"]),
    "a big one, until it makes room": (
        [scan(), GRANTED, BEGUN, just("shown_over")],
        ["granted", "none"],
    ),
    "one that came later": (
        [scan(), BEGUN, GRANTED, just("shown_over")],
        ["waiting", "granted", "granted"],
    ),
}


@pytest.mark.parametrize(("events", "kinds"), BEFORE_A_TEXT.values(), ids=BEFORE_A_TEXT)
def test_text_when_it_begins_then_it_does_not_stand_under_the_answer_to_something_else(
    drive, events, kinds
):
    [ran] = drive(events)
    begun = events.index(BEGUN)
    assert [kind for _id, kind, *_ in ran["views"][begun : len(events)]] == kinds


def test_answer_when_it_makes_room_then_what_it_covered_is_guarded_for_a_while(run):
    script = """
        let state = m.INITIAL;
        const guarded = [];
        const send = (event) => {
            const [next, effects] = m.step(state, { at: 1, id: state.scan?.id, ...event });
            state = next;
            const timer = effects.find(({ event }) => event === "guard_over");
            guarded.push([m.view(state).isGuarded, timer?.ms ?? null]);
        };
        send({ type: "scan", value: "A", by: "keys" });
        send({ type: "answered", answer: { kind: "refused", reason: "unknown" } });
        send({ type: "continue" });
        send({ type: "guard_over" });
        return guarded;
    """
    assert run("machine", script) == [[False, None], [False, None], [True, 700], [False, None]]


def test_scan_when_its_answer_takes_long_then_that_is_told(run):
    script = """
        const [asked, effects] = m.step(m.INITIAL, { type: "scan", value: "A", by: "keys", at: 1 });
        const [slow] = m.step(asked, { type: "slow_due", id: asked.scan.id });
        const granted = { kind: "granted", reason: "granted", uses: 0 };
        const answered = { type: "answered", id: asked.scan.id, answer: granted, at: 2 };
        const [told] = m.step(slow, answered);
        const [next] = m.step({ ...told, isFresh: false },
            { type: "scan", value: "B", by: "keys", at: 3 });
        return [effects[1].ms, ...[asked, slow, next].map((state) => m.view(state).isSlow)];
    """
    assert run("machine", script) == [3_000, False, True, False]


def kinds(ran):
    return [kind for _id, kind in ran["answers"]]


def test_repeat_when_uses_are_left_then_it_is_asked_for(drive):
    more = [just("another"), just("fresh_over"), just("another"), answered("granted", uses=0)]
    [early, ran] = drive(
        [scan(), GRANTED, just("continue"), scan(after=1_500), just("another")],
        [scan(), GRANTED, just("continue"), scan(after=1_500), *more],
    )
    # A tap that was meant for what stood there before is none.
    assert (early["phase"], early["asked"]) == ("question", [1])
    assert ran["asked"] == [1, 2]
    assert kinds(ran) == ["granted", "granted"]


def test_repeat_when_no_uses_are_left_then_it_is_told_and_nothing_is_asked(drive):
    used_up = answered("granted", uses=0)
    [ran] = drive([scan(), used_up, just("continue"), scan(after=9_999)])
    assert ran["asked"] == [1]
    assert kinds(ran) == ["granted", "noted"]


@pytest.mark.parametrize(
    ("event", "is_asked"),
    [
        (scan(after=10_000), True),
        (scan(by="camera", after=3_000), True),
        (scan(by="camera", after=2_999), False),
        (scan("B", after=1), True),
        (scan("a", after=1), False),
    ],
    ids=["later", "camera later", "camera", "another code", "the code it was read as"],
)
def test_repeat_when_time_or_code_differ_then_it_may_be_a_new_scan(drive, event, is_asked):
    first = answered("granted", uses=5, readAs="a")
    [ran] = drive([scan(), first, just("continue"), event])
    assert (ran["asked"] == [1, 2]) is is_asked


def test_repeat_when_another_code_came_in_between_then_it_is_asked_for(drive):
    on = just("continue")
    between = [scan("B", after=1_500), answered("granted", uses=0), on]
    [ran, other, late] = drive(
        [scan(), GRANTED, on, *between, scan(after=1_500), just("no")],
        [scan(), GRANTED, on, *between, scan("B", after=1_500)],
        [scan(), GRANTED, on, *between, scan(after=8_500)],
    )
    assert (ran["asked"], kinds(ran)) == ([1, 2], ["granted", "granted", "question"])
    assert (other["asked"], kinds(other)) == ([1, 2], ["granted", "granted", "noted"])
    assert late["asked"] == [1, 2, 3]


FORMS = {
    "what was scanned": (scan("t"), True),
    "what was asked": (scan("T"), True),
    "another text": (scan("T-1"), False),
}


@pytest.mark.parametrize(("event", "is_repeat"), FORMS.values(), ids=FORMS)
def test_repeat_when_the_request_said_another_form_then_both_are_forms_of_the_grant(
    drive, event, is_repeat
):
    granted = answered("granted", uses=4, uid="1", readAs="T", forms=["T"])
    [ran] = drive([scan("t"), granted, just("continue"), {**event, "after": 2_000}])
    assert (ran["phase"] == "question") is is_repeat


def test_grants_when_a_token_is_redeemed_in_two_forms_then_its_uid_is_sent_once(run):
    script = """
        const grant = { kind: "granted", reason: "granted", uid: "1", uses: 3 };
        let state = m.INITIAL;
        const send = (event) => {
            const [next, effects] = m.step(state, { at: 1, id: state.scan?.id, ...event });
            state = next;
            return effects.find(({ type }) => type === "ask")?.scan.others;
        };
        for (const value of ["a", "A"]) {
            send({ type: "scan", value, by: "keys" });
            send({ type: "answered", answer: grant });
            send({ type: "continue" });
        }
        return [send({ type: "scan", value: "B", by: "keys" }), state.grants[0].forms];
    """
    assert run("machine", script) == [["1"], ["A", "a"]]


# --- what goes on after a pause --------------------------------------------------------------


def pieces(first, *between, rest="2"):
    return [scan("G-1", endedBy="pause"), first, *between, scan(rest, goesOn=True)]


UNFINISHED = answered("noted", "unfinished")
REST = {
    "it was not complete": (pieces(UNFINISHED, OVER), ["G-1", "G-12"]),
    "another scan came in between": (
        pieces(UNFINISHED, OVER, scan("C", by="camera"), GRANTED, OVER),
        ["G-1", "C", "G-12"],
    ),
    "a longer one": (pieces(UNFINISHED, OVER, rest="G-12"), ["G-1", "unclear"]),
    "the same code again": (pieces(UNFINISHED, OVER, rest="G-1"), ["G-1", "G-1"]),
    "its end was lost, and it is scanned again": (
        [scan("G-1", verdict="unended"), *pieces(OVER, rest="G-1")[1:]],
        ["unended", "G-1"],
    ),
    "its end was lost, and it is scanned as a whole": (
        [scan("G-1", verdict="unended"), *pieces(OVER, rest="G-12")[1:]],
        ["unended", "G-12"],
    ),
    "its end was lost, and it pauses again": (
        [scan("G-1", verdict="unended"), OVER, scan("G-12", goesOn=True, endedBy="pause")],
        ["unended", "unclear"],
    ),
    "its end was lost": (
        [scan("G-1", verdict="unended"), *pieces(OVER)[1:]],
        ["unended", "unclear"],
    ),
    "it was given up": (pieces(LOST, just("give_up"), OVER), ["G-1", "2"]),
    "it was a code": (pieces(GRANTED, OVER), ["G-1", "2"]),
    "it was a repeat": (
        [scan("G-1"), GRANTED, OVER, *pieces(OVER)],
        ["G-1", "2"],
    ),
    "it was a check": (
        [just("mode", mode="check"), *pieces(UNFINISHED, OVER)],
        ["G-1", "G-12"],
    ),
    "the answer was late": (
        [scan("G-1", endedBy="pause"), scan("2", goesOn=True), UNFINISHED, OVER],
        ["G-1", "G-12"],
    ),
}


@pytest.mark.parametrize(("events", "asked"), REST.values(), ids=REST)
def test_rest_of_a_code_when_it_comes_after_a_pause_then_it_is_no_code_of_its_own(
    drive, events, asked
):
    [ran] = drive(events)
    assert ran["texts"] == asked


GIVEN_UP = [scan(), LOST, just("retry"), just("sent"), just("give_up")]


@pytest.mark.parametrize("meanwhile", [[], [just("shown_over")]], ids=["told", "idle"])
def test_late_answer_when_its_scan_was_given_up_then_it_takes_the_place_of_that(drive, meanwhile):
    [ran] = drive([*GIVEN_UP, *meanwhile, GRANTED])
    assert ran["effects"] == ["settle", "announce", "timer", "timer", "count"]
    assert ran["views"][-2][1:3] == ["granted", "green"]
    assert kinds(ran) == ["noted"]


def test_late_answer_when_it_is_none_or_another_scan_is_shown_then_the_key_is_kept(drive):
    ran = drive(
        [*GIVEN_UP, LOST],
        [*GIVEN_UP, just("continue"), scan("B"), {**GRANTED, "id": 1}],
        [scan(), GRANTED, {**GRANTED, "id": 1}],
    )
    assert [end["late"] for end in ran] == [[], [], []]
    assert [end["effects"] for end in ran] == [[], [], []]


def test_line_when_it_is_full_then_the_next_scan_is_told_so_at_once(drive):
    [ran] = drive([scan(str(number)) for number in range(11)])
    assert kinds(ran) == ["noted"] * 2 + ["granted"] * 9
    # A notice has a number as well.
    assert ran["answers"][:2] == [[10, "noted"], [12, "noted"]]
    assert ran["notices"][-1] == ["full", ["9", "10"]]


def test_line_when_it_is_full_and_a_part_of_a_code_is_not_taken_then_its_rest_is_no_code(drive):
    full = [scan(str(number)) for number in range(9)]
    told = [GRANTED, OVER] * 9
    [ran] = drive([*full, scan("G-1", endedBy="pause"), *told, scan("2", goesOn=True)])
    assert ran["texts"][-1] == "unclear"


def test_question_when_another_code_is_scanned_then_it_is_told_that_nothing_was_redeemed(drive):
    [ran] = drive([*STATES["question, a while"], scan("B")])
    assert ran["notices"] == [["declined", ["A"]]]


@pytest.mark.parametrize("end", [OVER, just("mode", mode="check"), just("continue")])
def test_question_when_it_ends_though_nobody_said_no_then_that_is_told(drive, end):
    [ran] = drive([*STATES["question"], scan("B"), end])
    assert ran["notices"] == [["declined", ["A"]]]


def test_question_when_somebody_says_no_then_nothing_more_is_told(drive):
    [ran] = drive([*STATES["question"], scan("B"), just("no")])
    assert ran["notices"] == []


def test_question_when_the_same_code_is_scanned_again_then_it_is_put_again(drive):
    [ran] = drive([*STATES["question, a while"], scan()])
    assert (ran["phase"], ran["notices"]) == ("question", [])


FORBIDDEN = answered("unsure", "still_unknown", cause="forbidden", isLost=True)
FAULT = answered("unsure", "fault", isLost=True)
SIGNED_OUT = answered("unsure", "signed_out", isLost=False)
OTHER_USER = answered("unsure", "other_user", isLost=False)
GIVEN_UP_AFTER = {
    "a try that took nothing": ([SIGNED_OUT], "given_up_untaken"),
    "a try whose answer was lost": ([FAULT], "given_up"),
    "both": ([FAULT, just("retry"), SIGNED_OUT], "given_up"),
    "a refusal after a lost answer": ([FAULT, just("retry"), FORBIDDEN], "given_up"),
    "a try that is on its way": ([SIGNED_OUT, just("retry"), just("sent")], "given_up"),
    "a try that did not go out": ([SIGNED_OUT, just("retry")], "given_up_untaken"),
    "a try that nothing came of": (
        [SIGNED_OUT, just("retry"), just("sent"), SIGNED_OUT, just("retry")],
        "given_up_untaken",
    ),
    "somebody else": ([OTHER_USER], "given_up_untaken"),
    "a check": ([FAULT], "given_up_check"),
}


@pytest.mark.parametrize(("tries", "reason"), GIVEN_UP_AFTER.values(), ids=GIVEN_UP_AFTER)
def test_scan_when_it_is_given_up_then_it_is_told_whether_a_use_may_be_taken(drive, tries, reason):
    mode = [just("mode", mode="check")] if reason.endswith("check") else []
    [ran] = drive([*mode, scan(), *tries, just("give_up")])
    assert ran["reasons"][-1] == reason


def test_line_when_timers_come_in_another_order_then_the_next_scan_is_begun_all_the_same(drive):
    [ran] = drive([scan(verdict="unread"), scan("B"), just("shown_over")])
    assert (ran["phase"], ran["asked"]) == ("asking", [2])


SEVERAL = just("notice", name="several")
FULL = just("notice", name="full", value="A")


def test_hint_when_the_camera_sees_the_same_still_then_it_stays_and_sounds_once(drive):
    [ran] = drive([SEVERAL, SEVERAL])
    assert ran["effects"] == ["timer"]


def test_notice_when_another_scan_is_not_taken_then_it_sounds_again(drive):
    [ran] = drive([FULL, FULL])
    assert ran["effects"] == ["announce", "timer"]


# --- what a ticket that is told can be asked for besides --------------------------------------

OFFERS = {
    "none are left": (answered("granted", uses=0), [], 0),
    "one is left": (answered("granted", uses=1), [1], 1),
    "few are left": (answered("granted", uses=3), [1, 2, 3], 3),
    "some are left": (answered("granted", uses=40), [1, 2, 3, 40], 40),
    "more than one press takes": (answered("granted", uses=101), [1, 2, 3, 5, 10], 101),
    "uses never end": (answered("granted", uses=-1), [1, 2, 3, 5, 10], -1),
    "fewer were left": (answered("redeemed", "not_enough_uses", uses=2), [1, 2], 2),
}


@pytest.fixture
def offers(run):
    """Return a function that tells what is offered after events."""

    def offers(events, **may):
        script = f"""
            let state = {{ ...m.INITIAL, may: {json.dumps(may)} }};
            for (const event of {json.dumps(events)}) {{
                [state] = m.step(state, {{ at: 1, id: state.scan?.id, ...event }});
            }}
            return m.view(state).offers;
        """
        return run("machine", script)

    return offers


@pytest.mark.parametrize(("told", "counts", "all_"), OFFERS.values(), ids=OFFERS)
def test_grant_when_uses_are_left_then_a_handful_of_counts_is_offered(offers, told, counts, all_):
    said = offers([scan(), told])
    assert (said["counts"], said["all"]) == (counts, all_)


IN = just("place", place={"checkpoint": "North", "direction": "in"})
OUT = just("place", place={"checkpoint": "North", "direction": "out"})
NOTHING_OFFERED = {
    "it was a check": [just("mode", mode="check"), scan(), UNDOABLE],
    "nothing was told": [scan()],
}


@pytest.mark.parametrize("events", NOTHING_OFFERED.values(), ids=NOTHING_OFFERED)
def test_ticket_when_no_use_of_it_was_asked_for_then_nothing_is_offered(offers, events):
    said = offers(events, override=True, add=True)
    assert (said.get("undo"), said.get("counts", []), said.get("override")) in (
        (None, [], False),
        (None, [], None),
    )


OVERRIDES = {
    "a rule refused it": ([scan(), DENIED], True),
    "it was redeemed": ([scan(), answered("redeemed", "redeemed", isDenied=True)], True),
    "it is unknown": ([scan(), UNKNOWN], False),
    "it was replaced": ([scan(), answered("refused", "replaced", isDenied=True)], False),
    "somebody goes out": ([OUT, scan(), answered("redeemed", "not_inside", isDenied=True)], False),
    "somebody comes in": (
        [IN, scan(), answered("redeemed", "already_inside", isDenied=True)],
        True,
    ),
    "the page refused it": ([scan(verdict="unread")], False),
}


@pytest.mark.parametrize(("events", "is_offered"), OVERRIDES.values(), ids=OVERRIDES)
def test_refusal_when_one_may_override_then_it_is_offered_where_a_rule_refused(
    offers, events, is_offered
):
    assert offers(events, override=True)["override"] is is_offered
    assert offers(events)["override"] is False


def test_unknown_code_when_one_may_add_then_making_it_is_offered(offers):
    assert offers([scan(), UNKNOWN], add=True)["add"] is True
    assert offers([scan(), UNKNOWN], override=True)["add"] is False
    assert offers([scan(by="found"), UNKNOWN], add=True)["add"] is False
    assert offers([scan(), DENIED], add=True)["add"] is False


def test_several_when_tickets_go_in_and_out_then_they_are_not_offered(offers):
    assert offers([IN, scan(), UNDOABLE])["counts"] == []
    assert offers([IN, scan(), UNDOABLE])["undo"]["receipt"] == "2"


def test_undo_when_its_time_is_over_then_it_is_not_offered(offers):
    undo = {
        "id": 1,
        "uid": "1",
        "found": None,
        "receipt": "2",
        "taken": 1,
        "label": "Ann",
        "category": None,
    }
    labelled = answered("granted", uses=2, uid="1", receipt="2", taken=1, label="Ann")
    assert offers([scan(), labelled])["undo"] == undo
    assert offers([scan(), UNDOABLE, just("undo_over")])["undo"] is None
    assert offers([scan(), UNDOABLE, just("undo_over", id=7)])["undo"] is not None


def test_found_ticket_when_its_use_is_undone_then_it_is_no_repeat(drive, offers):
    granted = answered("granted", receipt="2", taken=1, uses=1)
    chosen = scan("#5", by="found")
    assert offers([chosen, granted])["undo"]["found"] == 5
    undone = answered("undone", "undone", found=5, taken=-1)
    ripe = just("fresh_over")
    [ran] = drive([chosen, granted, ripe, just("undo"), undone, just("continue"), chosen])
    assert ran["asked"] == [1, 2, 3]
    assert kinds(ran) == ["granted", "undone", "granted"]


UNDONE = answered("undone", "undone", uid="1", taken=-1)


def test_undone_use_when_its_code_is_scanned_again_then_it_is_no_repeat(drive):
    [ran] = drive([*STATES["told, with a receipt"], just("undo"), UNDONE, just("continue"), scan()])
    assert ran["asked"] == [1, 2, 3]
    assert kinds(ran) == ["granted", "undone", "granted"]
    assert ran["views"][4][2] == "grey"


def test_undo_when_nobody_knows_whether_it_was_done_then_that_is_told(drive):
    [ran] = drive([*STATES["told, with a receipt"], just("undo"), LOST, just("give_up")])
    assert ran["reasons"][-1] == "given_up_undo"
    assert "restore" not in ran["effects"]


def test_press_when_it_may_be_meant_for_what_stood_there_then_it_is_none(drive):
    guarded = [*STATES["told, with a receipt"], just("shown_over")]
    fresh = STATES["told, with a receipt"][:2]
    for event in (just("undo"), just("take", uses=1)):
        ran = drive([*guarded, event], [*fresh, event])
        assert [end["asked"] for end in ran] == [[1], [1]]


def test_count_when_it_is_not_offered_then_nothing_is_taken(drive):
    [ran] = drive([*STATES["told, with a receipt"], just("take", uses=3)])
    assert ran["asked"] == [1]


def test_scan_when_somebody_decides_then_it_waits(drive):
    waiting = [*STATES["deciding"], scan("B")]
    [left, done] = drive([*waiting, just("no")], [*waiting, just("confirm", reason="guest")])
    assert left["texts"] == ["A", "B"]
    assert done["texts"] == ["A", "A", "B"]


def test_decision_when_somebody_leaves_it_then_the_refusal_stays(drive):
    [ran] = drive([*STATES["deciding"], just("no")])
    assert [ran["views"][at][1:3] for at in (-2, -1)] == [["question", "amber"], ["refused", "red"]]


def test_scan_when_the_device_has_no_checkpoint_yet_then_nothing_is_asked(drive):
    [ran] = drive([just("place", place={"isMissing": True}), scan()])
    assert (ran["asked"], ran["reasons"]) == ([], ["no_checkpoint"])


def test_checkpoint_when_it_is_gone_then_the_page_hears_of_it(drive):
    [ran] = drive([IN, scan(), answered("noted", "unknown_checkpoint")])
    assert "lose_place" in ran["effects"]


def test_code_when_it_goes_in_and_out_then_the_server_knows_whether_it_is_a_repeat(drive):
    left = answered("left", "left", uid="1", receipt="2", taken=0, uses=0)
    on = just("continue")
    [ran] = drive([IN, scan(), UNDOABLE, on, scan(), DENIED, on, OUT, scan(), left])
    assert ran["asked"] == [1, 2, 3]
    assert kinds(ran) == ["granted", "refused", "left"]


VALUES = st.sampled_from(["A", "B", "C"])
OUTCOMES = st.sampled_from(
    [
        GRANTED,
        answered("granted", uses=0),
        answered("granted", uses=-1, readAs="B"),
        UNDOABLE,
        DENIED,
        UNKNOWN,
        UNDONE,
        answered("left", "left", uid="1", receipt="2", taken=0),
        answered("returned", "returned", uid="1", receipt="2", taken=0),
        answered("overridden", "overridden", uid="1", receipt="2", taken=1),
        answered("elsewhere", "wrong_checkpoint", isDenied=True),
        answered("refused", "unknown"),
        answered("redeemed", "redeemed"),
        answered("valid", "valid"),
        answered("noted", "unfinished"),
        LOST,
        answered("unsure", "signed_out"),
    ],
)
COLOURS = {
    "granted": "green",
    "returned": "green",
    "valid": "blue",
    "refused": "red",
    "left": "violet",
    "overridden": "dark",
    "undone": "grey",
    "elsewhere": "orange",
}
ANY_EVENT = st.one_of(
    st.builds(
        scan,
        VALUES,
        by=st.sampled_from(["keys", "camera"]),
        after=st.sampled_from([0, 300, 1_500, 4_000, 20_000]),
        verdict=st.sampled_from([None, None, None, "unread", "repeated"]),
        goesOn=st.booleans(),
    ),
    OUTCOMES,
    st.builds(lambda event, stale: {**event, "id": stale}, OUTCOMES, st.integers(0, 5)),
    st.sampled_from([event for name, event in EVENTS.items() if name not in {"scan", "answered"}]),
    st.sampled_from([just("mode", mode="consume"), just("reading", isOpen=True)]),
    st.sampled_from([OUT, just("decide", asked="add"), just("take", uses=2)]),
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(sequences=st.lists(st.lists(ANY_EVENT, max_size=40), min_size=1, max_size=10))
def test_machine_when_anything_happens_then_each_scan_has_one_answer_in_its_own_colour(
    drive,
    sequences,
):
    for ran in drive(*sequences):
        answers = dict(ran["answers"]) | dict(ran["late"])
        assert sorted(ran["scans"]) == sorted(number for number, _kind in ran["answers"])
        for number, kind, colour, outcome, is_big, waiting in ran["views"]:
            assert waiting <= 8
            if number is None:
                assert (kind in {"waiting", "none"}, colour, is_big) == (True, "none", False)
            elif colour != "amber":
                # Nobody is let in or turned away but by an answer to this very scan.
                assert (kind, answers[number]) == (outcome, outcome)
            else:
                assert answers[number] != "granted" or outcome in {None, "granted", "unsure"}
            assert colour == COLOURS.get(kind, "none" if number is None else "amber")
