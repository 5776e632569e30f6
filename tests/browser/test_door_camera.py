"""The camera of the door page: once with a film in place of a camera, else with a canvas."""

import json
import random

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import CONSUME_URL
from tests.browser.conftest import PHONE_ONLY
from tests.browser.conftest import answer
from tests.browser.conftest import told
from tests.browser.conftest import violations
from tests.browser.fake_camera import CANVAS
from tests.browser.fake_camera import HEIGHT
from tests.browser.fake_camera import WIDTH
from tests.browser.fake_camera import code
from tests.browser.fake_camera import codes
from tests.browser.fake_camera import frame
from tests.browser.fake_camera import show
from tests.browser.fake_camera import show_picture
from tests.browser.fake_camera import start

FRAMES_PER_S = 10
BLANK_FRAMES = 10


def refusing(name):
    """A camera that cannot be had."""
    return f"""
        navigator.mediaDevices.getUserMedia = async () => {{
            throw new DOMException("", "{name}");
        }};
    """


@PHONE_ONLY
@pytest.mark.parametrize("zoom", [100, 200])
@pytest.mark.parametrize("screen", [(320, 568), (390, 844)])
def test_camera_when_the_screen_is_small_or_texts_are_large_then_its_buttons_cover_no_picture(
    open_door, screen, zoom
):
    page = open_door(script=CANVAS)
    width, height = screen
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate("(zoom) => { document.documentElement.style.fontSize = `${zoom}%`; }", zoom)
    start(page)
    expect(page.get_by_label("Choose the camera")).to_be_visible()
    picture, frame, row = (
        page.locator(part).bounding_box() for part in ("video", ".frame", ".camera-row")
    )
    assert picture["y"] + picture["height"] <= row["y"] + 1
    assert picture["height"] >= 0.3 * height - 1
    middles = [box["y"] + box["height"] / 2 for box in (picture, frame)]
    assert middles[0] == pytest.approx(middles[1], abs=1)


@pytest.fixture
def film(tmp_path):
    """Return a function that writes what a camera sees of a value, blank at first."""

    def write(value):
        path = tmp_path / "film.y4m"
        turns = random.Random(1)
        blank = Image.new("L", (WIDTH, HEIGHT), 150)
        codes = [code(value, turned=turns.randint(0, 20), blur=1) for _ in range(20)]
        half = bytes([128]) * (WIDTH * HEIGHT // 2)
        with path.open("wb") as file:
            file.write(
                f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FRAMES_PER_S}:1 Ip A1:1 C420mpeg2\n".encode()
            )
            for frame in [blank] * BLANK_FRAMES + codes:
                file.write(b"FRAME\n" + frame.tobytes() + half)
        return path

    return write


@PHONE_ONLY
def test_camera_when_it_is_a_real_one_then_its_code_is_consumed_once(
    open_door,
    launch,
    film,
    add,
    usages,
):
    value = add(usage_count=5)
    filmed = launch(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film(value)}",
    )
    page = open_door(by=filmed, permissions=["camera"])
    asked = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    start(page)
    alert = answer(page, "granted")
    expect(alert).to_contain_text(value)
    assert asked.count("zxing_reader.wasm") <= 1
    # The film goes on: the code is in view most of the time.
    for _ in range(20):
        page.evaluate(
            "new Promise((resolve) => document.querySelector('video')"
            ".requestVideoFrameCallback(resolve))"
        )
    assert len(usages(value)) == 1


def test_camera_when_codes_are_shown_one_after_another_then_each_is_told_within_a_second(
    open_door,
    add,
    watch,
):
    watch.provoked.append("404")
    page = open_door(script=CANVAS)
    start(page)
    values = [add() for _ in range(4)] + ["unknown", "Grüße aus Wien ✓"]
    add(values[-1] if page.viewport_size["width"] > 390 else None)
    took = []
    for value in values:
        show(page, value)
        took.append(page.evaluate("answered()"))
        expect(told(page)).to_contain_text(value)
        # Nothing is read while it fills the screen.
        page.keyboard.press("Escape")
    print(f"milliseconds from code in view to answer: {[round(time) for time in took]}")
    # One may come at a bad moment: the machine has other tests to run.
    assert sorted(took)[-2] <= 1_000


def looked(page, count=3):
    """Wait until the camera has looked a few times more at what it sees now."""
    page.evaluate(
        """async (count) => {
            const video = document.querySelector("video");
            for (; count; count -= 1) {
                await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
            }
        }""",
        4 * count,
    )


def test_camera_when_a_code_stays_in_view_then_it_counts_once_and_nothing_flickers(
    open_door,
    add,
    token,
):
    page = open_door(script=CANVAS)
    page.clock.install()
    start(page)
    value = add(usage_count=9)
    show(page, value)
    answer(page, "granted")
    for _ in range(5):
        page.clock.run_for(2_000)
        looked(page)
        answer(page, "granted")
    assert page.evaluate("tones") == [880, 1320]
    assert token(value)["usage_count"] == 8


def take_away(page, milliseconds):
    """Take the code away, wait until the page saw that, and let some time pass."""
    page.evaluate("hide()")
    looked(page)
    page.clock.run_for(milliseconds)


def test_camera_when_a_code_was_away_for_three_seconds_then_it_is_a_scan_of_its_own(
    open_door,
    add,
    token,
):
    page = open_door(script=CANVAS)
    page.clock.install()
    start(page)
    value = add(usage_count=9)
    show(page, value)
    answer(page, "granted")
    take_away(page, 4_000)
    show(page, value)
    expect(told(page)).to_contain_text("Uses left: 7")
    assert token(value)["usage_count"] == 7


@PHONE_ONLY
def test_camera_when_a_code_comes_back_too_soon_then_it_is_amber_and_heard(open_door, add, token):
    page = open_door(script=CANVAS)
    page.clock.install()
    start(page)
    value = add(usage_count=9)
    show(page, value)
    answer(page, "granted")
    page.keyboard.press("Escape")
    take_away(page, 1_600)
    show(page, value)
    expect(answer(page, "noted")).to_contain_text("To scan it again, take it away for 3 seconds.")
    assert page.evaluate("tones.slice(2)") == [330, 330, 330]
    assert token(value)["usage_count"] == 8


@PHONE_ONLY
def test_camera_when_a_code_that_was_refused_comes_back_soon_then_its_refusal_is_told_again(
    open_door,
    add,
):
    page = open_door(script=CANVAS)
    page.clock.install()
    start(page)
    value = add(valid_to="2020-06-01T10:00:00Z")
    for number in (1, 2):
        show(page, value)
        # The answer before it is shown until this one comes.
        expect(page.locator("#refused")).to_have_text(str(number))
        expect(answer(page, "refused").locator(".word")).to_have_text("Expired")
        page.keyboard.press("Escape")
        take_away(page, 1_600)


@PHONE_ONLY
def test_camera_when_one_gave_up_and_the_code_comes_back_soon_then_it_is_found_out(
    open_door,
    add,
    usages,
    watch,
):
    watch.provoked.append("500")
    page = open_door(script=CANVAS)
    page.clock.install()
    start(page)
    value = add()

    def redeem_and_lose(route):
        route.fetch()
        route.fulfill(status=500, body="{}")

    page.route(CONSUME_URL, redeem_and_lose)
    show(page, value)
    answer(page, "unsure")
    page.get_by_role("button", name="Give up").click()
    expect(answer(page, "noted").locator(".word")).to_have_text("Not known")
    page.keyboard.press("Escape")
    page.unroute(CONSUME_URL)
    take_away(page, 1_600)
    show(page, value)
    answer(page, "granted")
    assert len(usages(value)) == 1


@PHONE_ONLY
def test_camera_when_the_mode_changes_after_a_check_then_the_code_in_view_is_redeemed(
    open_door,
    add,
    token,
):
    page = open_door(script=CANVAS)
    start(page)
    value = add(usage_count=9)
    page.locator("[value=check]").check()
    show(page, value)
    answer(page, "valid")
    page.keyboard.press("Escape")
    page.locator("[value=consume]").check()
    answer(page, "granted")
    assert token(value)["usage_count"] == 8


def notice(page):
    return page.locator("#notice")


def test_camera_when_two_codes_are_in_one_picture_then_none_is_redeemed(open_door, add, token):
    """Row "two codes in one camera picture"."""
    page = open_door(script=CANVAS)
    start(page)
    values = [add(), add()]
    show_picture(page, codes({220: values[0], 420: values[1]}))
    expect(notice(page)).to_have_text("One code only, please.")
    expect(notice(page)).to_have_css("color", "rgb(255, 194, 51)")
    looked(page)
    answer(page, "none")
    assert [token(value)["usage_count"] for value in values] == [1, 1]
    assert page.evaluate("tones") == [330, 330, 330]
    assert violations(page) == []
    # One of them is taken away.
    show(page, values[0])
    expect(answer(page, "granted")).to_contain_text(values[0])
    expect(notice(page)).to_be_hidden()


@PHONE_ONLY
def test_camera_when_two_codes_are_held_then_the_notice_stays_and_sounds_once(open_door, add):
    page = open_door(script=CANVAS)
    page.clock.install()
    start(page)
    show_picture(page, codes({220: add(), 420: add()}))
    expect(notice(page)).to_be_visible()
    for _ in range(4):
        page.clock.run_for(1_200)
        looked(page)
        expect(notice(page)).to_have_text("One code only, please.")
    assert page.evaluate("tones") == [330, 330, 330]
    take_away(page, 4_000)
    expect(notice(page)).to_be_hidden()


@PHONE_ONLY
def test_camera_when_two_codes_come_after_a_grant_then_its_green_is_gone(open_door, add):
    page = open_door(script=CANVAS)
    start(page)
    value = add()
    show(page, value)
    answer(page, "granted")
    page.keyboard.press("Escape")
    show_picture(page, codes({220: value, 420: add()}))
    expect(notice(page)).to_have_text("One code only, please.")
    answer(page, "none")


@PHONE_ONLY
def test_camera_when_a_code_is_beside_the_frame_then_it_is_not_taken_and_that_is_told(
    open_door,
    add,
    token,
):
    page = open_door(script=CANVAS)
    start(page)
    value = add()
    # At the right edge of what a phone that is held upright shows.
    edge = page.evaluate(
        """() => {
            const video = document.querySelector("video");
            const { width, height } = video.getBoundingClientRect();
            return 320 + (width / 2 - 8) / Math.max(width / 640, height / 480);
        }""",
    )
    show_picture(page, codes({int(edge): value}))
    expect(notice(page)).to_have_text("Hold the code in the middle.")
    assert token(value)["usage_count"] == 1
    show(page, value)
    answer(page, "granted")


@PHONE_ONLY
def test_camera_when_an_answer_fills_the_screen_then_the_next_code_is_taken_after_it(
    open_door,
    add,
    token,
):
    page = open_door(script=CANVAS)
    page.clock.install()
    start(page)
    first, second = add(), add()
    show(page, first)
    answer(page, "granted")
    show(page, second)
    looked(page)
    expect(told(page)).to_contain_text(first)
    assert token(second)["usage_count"] == 1
    page.clock.run_for(1_600)
    expect(told(page)).to_contain_text(second)


@pytest.mark.parametrize("kinds", [["qr"], ["qr", "code_128", "data_matrix", "pdf417", "aztec"]])
@PHONE_ONLY
def test_camera_when_the_site_chooses_kinds_of_codes_then_it_reads_these_alone(
    site_settings,
    open_door,
    add,
    kinds,
):
    site_settings.write_text(json.dumps({"code_kinds": kinds}))
    page = open_door(script=CANVAS)
    start(page)
    for name in ("Code128", "DataMatrix", "PDF417", "Aztec", "QRCode"):
        value = add(f"{name}-{len(kinds)}")
        made = zxingcpp.create_barcode(value, zxingcpp.barcode_format_from_str(name))
        picture = Image.fromarray(zxingcpp.write_barcode_to_image(made, scale=2))
        show_picture(page, frame({320: picture}), value)
        if name == "QRCode" or len(kinds) > 1:
            expect(answer(page, "granted")).to_contain_text(value)
            page.keyboard.press("Escape")
        else:
            looked(page)
            answer(page, "none")


@PHONE_ONLY
def test_camera_when_the_mode_changes_then_the_code_in_view_is_not_consumed_again(
    open_door,
    add,
    token,
):
    page = open_door(script=CANVAS)
    page.clock.install()
    start(page)
    value = add(usage_count=9)
    show(page, value)
    answer(page, "granted")
    page.keyboard.press("Escape")
    page.clock.run_for(2_000)
    for mode in ("check", "consume"):
        page.locator(f"[value={mode}]").check()
        page.clock.run_for(2_000)
    assert token(value)["usage_count"] == 8


@PHONE_ONLY
def test_camera_when_one_gives_up_then_the_code_in_view_is_not_tried_again(open_door, add, watch):
    watch.provoked.append("500")
    page = open_door(script=CANVAS)
    page.clock.install()
    start(page)
    value = add()
    tries = []

    def fail(route):
        tries.append(route)
        route.fulfill(status=500, body="{}")

    page.route(CONSUME_URL, fail)
    show(page, value)
    answer(page, "unsure")
    page.get_by_role("button", name="Give up").click()
    answer(page, "noted")
    page.clock.run_for(5_000)
    looked(page)
    assert len(tries) == 1
    expect(page.locator("#value")).to_have_value(value)


@PHONE_ONLY
def test_camera_when_an_answer_is_missing_then_other_codes_have_to_wait(open_door, add, watch):
    watch.provoked.append("500")
    page = open_door(script=CANVAS)
    start(page)
    first, second = add(), add()
    page.route(CONSUME_URL, lambda route: route.fulfill(status=500, body="{}"))
    show(page, first)
    answer(page, "unsure")
    show(page, second)
    looked(page)
    page.unroute(CONSUME_URL)
    page.get_by_role("button", name="Try again now").click()
    expect(answer(page, "granted")).to_contain_text(first)
    expect(told(page)).to_contain_text(second)
    expect(page.locator("#granted")).to_have_text("2")


# --- the state of the camera -----------------------------------------------------------------


def test_camera_when_it_runs_then_light_choice_and_screen_are_cared_for(open_door):
    page = open_door(script=CANVAS)
    start(page)
    assert page.evaluate("asked[0].video.facingMode") == "environment"
    assert page.evaluate("locks.filter((lock) => !lock.released).length") == 1
    light = page.get_by_role("button", name="Light")
    light.click()
    expect(light).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("asked[1].advanced[0].torch") is True
    page.get_by_label("Choose the camera").select_option("the front one")
    expect(light).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("asked[2].video.deviceId.exact") == "front"
    assert violations(page) == []
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("button", name="Start the camera")).to_be_focused()
    assert page.evaluate("track.readyState") == "ended"
    # The screen stays on as long as the page is used, with a camera or without one.
    assert page.evaluate("locks.filter((lock) => !lock.released).length") == 1
    start(page)
    assert page.evaluate("asked[3].video.deviceId.exact") == "front"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("NotAllowedError", "The camera is not allowed."),
        ("NotFoundError", "There is no camera here."),
        ("NotReadableError", "Perhaps another program uses it."),
        ("TypeError", "The camera does not work."),
    ],
)
@PHONE_ONLY
def test_camera_when_it_cannot_be_had_then_it_says_why_and_values_can_be_typed(
    open_door,
    add,
    name,
    text,
):
    page = open_door(script=refusing(name))
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator("[data-part=note]")).to_contain_text(text)
    expect(page.get_by_role("button", name="Start the camera")).to_be_enabled()
    assert violations(page) == []
    page.locator("#value").fill(add())
    page.locator("#submit").click()
    answer(page, "granted")


def still(page):
    """Let the picture stand still, and time pass until the page notices."""
    page.evaluate("isFrozen = true")
    looked_at = page.locator("[data-part=note]")
    page.clock.run_for(4_000)
    expect(looked_at).to_contain_text("The picture stands still")
    # Over a picture of any colour.
    expect(looked_at).to_have_css("background-color", "rgb(35, 25, 0)")
    expect(looked_at).to_have_css("color", "rgb(255, 194, 51)")
    assert page.evaluate("tones.slice(0, 3)") == [330, 330, 330]


@pytest.fixture
def running(open_door):
    """The scan page with a camera that runs, and a clock of the test."""
    page = open_door(script=CANVAS)
    page.clock.install()
    page.reload()
    page.wait_for_selector("html[data-ready]")
    start(page)
    return page


@PHONE_ONLY
def test_video_when_it_stands_still_then_it_is_opened_anew_by_itself(running, add):
    """Row "the phone switches apps, the video stands still"."""
    running.evaluate("() => { onAsked = () => { isFrozen = false; } }")
    still(running)
    running.clock.run_for(4_000)
    running.wait_for_function("asked.length === 2")
    value = add()
    show(running, value)
    expect(answer(running, "granted")).to_contain_text(value)
    expect(running.locator("[data-part=note]")).to_be_empty()


@PHONE_ONLY
def test_video_when_nothing_helps_then_it_says_so_and_can_be_started(running):
    still(running)
    running.clock.run_for(4_000)
    running.wait_for_function("asked.length === 2")
    running.clock.run_for(8_000)
    expect(running.locator("[data-part=note]")).to_contain_text("The camera gives no picture.")
    running.evaluate("isFrozen = false")
    start(running)


@PHONE_ONLY
def test_video_when_it_is_paused_then_it_is_played_again(running):
    running.evaluate("document.querySelector('video').pause()")
    running.clock.run_for(1_000)
    running.wait_for_function("!document.querySelector('video').paused")
    assert running.evaluate("asked.length") == 1


@PHONE_ONLY
def test_track_when_it_ends_then_the_camera_is_asked_for_anew(running, add):
    running.evaluate("track.stop()")
    running.clock.run_for(1_000)
    running.wait_for_function("asked.length === 2")
    value = add()
    show(running, value)
    answer(running, "granted")


@PHONE_ONLY
def test_track_when_it_ends_and_there_is_no_other_then_it_says_so(running):
    running.evaluate(
        "() => { onAsked = () => { throw new DOMException('', 'NotReadableError'); }; }",
    )
    running.evaluate("track.stop()")
    running.clock.run_for(1_000)
    expect(running.locator("[data-part=note]")).to_contain_text("The camera stopped.")
    running.evaluate("() => { onAsked = () => {} }")
    start(running)


@PHONE_ONLY
def test_page_when_it_was_hidden_then_screen_and_camera_are_on_again(running):
    set_hidden = """(isHidden) => {
        Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    running.evaluate(set_hidden, True)
    running.evaluate("locks.at(-1).release()")
    running.evaluate("() => { document.querySelector('video').pause(); isFrozen = true; }")
    running.clock.run_for(60_000)
    # Nobody looks: nothing is done, and nothing told.
    expect(running.locator("[data-part=note]")).to_be_empty()
    running.evaluate(set_hidden, False)
    running.evaluate("isFrozen = false")
    running.clock.run_for(1_000)
    running.wait_for_function("!document.querySelector('video').paused")
    running.wait_for_function("locks.filter((lock) => !lock.released).length === 1")
    expect(running.locator("#viewfinder")).to_have_attribute("data-running", "true")


@PHONE_ONLY
def test_camera_when_the_reader_cannot_be_loaded_then_the_next_start_loads_it(
    open_door,
    add,
    watch,
):
    watch.provoked.append("ERR_FAILED|wasm|ArrayBuffer")
    page = open_door(script=CANVAS)
    page.route("**/*.wasm", lambda route: route.abort())
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator("[data-part=note]")).to_contain_text("The reader of codes was not loaded.")
    page.unroute("**/*.wasm")
    start(page)
    value = add()
    show(page, value)
    expect(answer(page, "granted")).to_contain_text(value)


@PHONE_ONLY
def test_camera_when_the_browser_reads_codes_itself_then_nothing_is_loaded(open_door, add):
    value = add()
    script = f"""
        window.BarcodeDetector = class {{
            static getSupportedFormats = async () => ["qr_code"];
            detect = async () => [
                {{ rawValue: "{value}", boundingBox: new DOMRect(270, 190, 100, 100) }},
            ];
        }};
    """
    page = open_door(script=CANVAS + script)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    start(page)
    answer(page, "granted")
    assert not [address for address in asked if "/vendor/" in address]


@PHONE_ONLY
def test_camera_when_the_browser_fails_to_read_codes_then_ours_does(open_door, add):
    script = """
        window.BarcodeDetector = class {
            static getSupportedFormats = async () => ["qr_code"];
            detect = async () => { throw new DOMException("", "NotSupportedError"); };
        };
    """
    page = open_door(script=CANVAS + script)
    start(page)
    value = add()
    show(page, value)
    expect(answer(page, "granted")).to_contain_text(value)
