"""A hand-held scanner in front of a page in Chromium."""

import time

CTRL = 2

#: The key that most scanners send behind a code, as [key, place of the key, modifiers].
ENTER = ("Enter", "Enter", 0)

#: How long a page waits behind an end, at most.
LINE_MS = 150

#: What the browser knows keys by that type nothing.
NUMBERS = {
    "Enter": 13,
    "Tab": 9,
    "End": 35,
    "Home": 36,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}

#: The page's clock is one of the test, the times of its keys are real.
KEEP_TIMES = "window.times = Object.getOwnPropertyDescriptor(Event.prototype, 'timeStamp');"
#: The keys of the protocol know no Caps Lock.
CAPS_LOCK = """(isOn) => {
    const { prototype } = KeyboardEvent;
    const own = window.ownModifierState ??= prototype.getModifierState;
    prototype.getModifierState = function (name) {
        return name === "CapsLock" ? isOn : own.call(this, name);
    };
}"""

GIVE_TIMES_BACK = "() => Object.defineProperty(Event.prototype, 'timeStamp', times)"


class Scanner:
    """A scanner that is a keyboard: its keys have times of their own, however long they take here.

    The clock of the page stands still: a pause is one that a test makes.
    """

    def __init__(self, page):
        self.page = page
        self.session = page.context.new_cdp_session(page)
        self.time_s = time.time()

    def type(self, code, end=(), *, gap=5, gaps=(), after=3_000, caps=False):
        """Type a code and its end, ``after`` milliseconds from the last key on.

        Behind an end the page waits for the next line of the same text. ``caps``: Caps Lock is on,
        and the code is what it makes of one.
        """
        self.page.evaluate(CAPS_LOCK, caps)
        keys = [(sign, "", 0) for sign in code] + list(end)
        gaps = [after, *(gaps or [gap] * (len(keys) - 1))]
        for key, pause in zip(keys, gaps, strict=True):
            self.time_s += pause / 1_000
            self.press(*key)
        if code and end:
            self.pause(LINE_MS)

    def press(self, key, code="", modifiers=0):
        text = {"Enter": "\r", "Tab": "\t"}.get(key, "" if modifiers or len(key) > 1 else key)
        number = NUMBERS.get(key, 0)
        self.session.send(
            "Input.dispatchKeyEvent",
            {
                "type": "keyDown",
                "key": key,
                "code": code,
                "modifiers": modifiers,
                "text": text,
                "windowsVirtualKeyCode": number,
                "timestamp": self.time_s,
            },
        )

    def pause(self, milliseconds=300):
        self.page.clock.run_for(milliseconds)
