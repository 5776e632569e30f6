"""The modules of the door page that need no page: they are imported into one and called."""

import json
import uuid

import pytest

from tests.browser.conftest import DESKTOP_ONLY

pytestmark = DESKTOP_ONLY


@pytest.fixture
def run(door):
    """Return a function that runs a script with a module; ``clock.now`` is the time."""
    base = door.locator("script[type=module]").get_attribute("src").rpartition("/")[0]

    def run(module, script):
        # One function for all: the page forbids to make functions of texts.
        function = f"""async (address) => {{
            const m = await import(address);
            const clock = {{ now: 0 }};
            {script}
        }}"""
        return door.evaluate(function, f"{base}/{module}.js")

    return run


def test_duplicates_when_a_value_stays_in_view_then_it_is_repeated_until_it_was_away(run):
    script = """
        const seen = new m.Duplicates(() => clock.now);
        return [0, 100, 2900, 5800, 8800, 8900].map((now) => {
            clock.now = now;
            return seen.isRepeated("a");
        });
    """
    assert run("duplicates", script) == [False, True, True, True, False, True]


def test_duplicates_when_values_differ_then_none_is_repeated(run):
    script = """
        const seen = new m.Duplicates(() => clock.now);
        const first = ["a", "A", "a "].map((value) => seen.isRepeated(value));
        seen.forget("a");
        return [...first, seen.isRepeated("a")];
    """
    assert run("duplicates", script) == [False, False, False, False]


def test_keys_when_a_scan_was_given_up_then_its_key_is_kept_for_two_minutes(run):
    script = """
        let made = 0;
        const keys = new m.Keys(() => clock.now, () => `key-${++made}`);
        const first = keys.take("a");
        keys.keep("a", first);
        const taken = [first, keys.take("b"), keys.take("a")];
        clock.now = 119_999;
        taken.push(keys.take("a"));
        clock.now = 120_000;
        taken.push(keys.take("a"));
        keys.keep("a", "kept");
        keys.settle("a");
        return [...taken, keys.take("a")];
    """
    assert run("keys", script) == ["key-1", "key-2", "key-1", "key-1", "key-3", "key-4"]


def test_key_of_a_scan_when_it_is_tried_for_long_then_it_stays_the_same(run):
    script = """
        const keys = [], timers = [];
        const server = { consume: async (value, key) => (keys.push(key), { status: 0 }) };
        const set = (again, pause) => timers.push({ again, pause });
        const door = new m.Door(server, { timers: { set, clear: () => {} } });
        await door.take("a");
        for (let tries = 0; tries < 30; tries += 1) {
            timers.at(-1).again();
            await new Promise((resolve) => setTimeout(resolve));
        }
        return [keys.length, new Set(keys).size, timers.map(({ pause }) => pause).slice(0, 6)];
    """
    pauses = [1_000, 2_000, 4_000, 8_000, 8_000, 8_000]
    assert run("door", script) == [31, 1, pauses]


def test_key_when_the_page_is_in_no_safe_place_then_it_is_random_all_the_same(run):
    script = """
        Object.defineProperty(crypto, "randomUUID", { value: undefined });
        return [m.randomKey(), m.randomKey()];
    """
    first, second = run("../random", script)
    assert uuid.UUID(first).version == uuid.UUID(second).version == 4
    assert first != second


def test_burst_when_characters_come_fast_then_a_scanner_types(run):
    script = """
        const lengths = [[10, 6], [10, 5], [59, 6], [61, 20]];
        return lengths.map(([gap, count]) => {
            const burst = new m.Burst();
            for (let index = 0; index < count; index += 1) burst.add(index * gap);
            return burst.isScan;
        });
    """
    assert run("burst", script) == [True, False, True, False]


ANSWERS = {
    "granted": ("{status: 200, body: {success: true, consumed: true, usage_count: 1}}", "granted"),
    "refused": (
        '{status: 200, body: {success: false, consumed: false, error: "token_locked"}}',
        "refused",
    ),
    "unknown token": (
        '{status: 404, body: {success: false, consumed: false, error: "token_not_exists"}}',
        "refused",
    ),
    "another path": ('{status: 404, body: {success: false, error: "not_found"}}', "unknown"),
    "text instead of true": (
        '{status: 200, body: {success: true, consumed: "true", usage_count: 1}}',
        "unknown",
    ),
    "another status": (
        "{status: 201, body: {success: true, consumed: true, usage_count: 1}}",
        "unknown",
    ),
    "not a success": ("{status: 200, body: {success: false, consumed: true}}", "unknown"),
    "a new reason": ('{status: 200, body: {consumed: false, error: "new"}}', "unknown"),
    "a list": ("{status: 200, body: []}", "unknown"),
    "nothing": ("{status: 0, body: null}", "unknown"),
    "a bad gateway": ("{status: 502, body: null}", "unknown"),
}


@pytest.mark.parametrize(("said", "kind"), ANSWERS.values(), ids=ANSWERS)
def test_answer_when_it_is_not_exactly_that_it_was_consumed_then_it_is_not_green(run, said, kind):
    assert run("answers", f"return m.consumption({said}).kind") == kind


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
