"""A camera that shows what a test holds before it."""

import base64
import io

import qrcode
from PIL import Image
from PIL import ImageFilter
from playwright.sync_api import Page
from playwright.sync_api import expect

WIDTH, HEIGHT = 640, 480

#: A canvas in place of the camera; ``show`` puts a picture on it, ``hide`` takes it away.
CANVAS = """
    const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
    const paint = canvas.getContext("2d");
    window.asked = [];
    window.onAsked = () => {};
    let picture = null;
    window.isFrozen = false;
    setInterval(() => {
        if (window.isFrozen) return;
        paint.fillStyle = `rgb(${Math.floor(Math.random() * 9)} 99 99)`;
        paint.fillRect(0, 0, 640, 480);
        if (picture) paint.drawImage(picture, 0, 0);
    }, 30);
    window.hide = () => { picture = null; };
    window.show = async (address, value) => {
        const image = new Image();
        image.src = address;
        await image.decode();
        picture = image;
        window.shown = value;
        window.shownAt = performance.now();
    };
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        window.asked.push(wanted);
        window.onAsked();
        const stream = canvas.captureStream(25);
        const [track] = stream.getVideoTracks();
        track.getCapabilities = () => ({ torch: true });
        track.getSettings = () => ({ deviceId: wanted.video.deviceId?.exact ?? "back" });
        track.applyConstraints = async (constraints) => window.asked.push(constraints);
        window.track = track;
        return stream;
    };
    navigator.mediaDevices.enumerateDevices = async () => ["back", "front"].map(
        (name) => ({ kind: "videoinput", deviceId: name, label: `the ${name} one` }));
    window.locks = [];
    navigator.wakeLock.request = async (kind) => {
        const lock = { released: false, release() { this.released = true; } };
        window.locks.push(lock);
        return lock;
    };
    window.answered = () => new Promise((resolve) => {
        const watcher = new MutationObserver(look);
        function look() {
            const result = document.getElementById("result");
            const value = result.querySelector("bdi")?.textContent;
            if (value !== window.shown || !result.classList.contains("is-big")) return;
            watcher.disconnect();
            resolve(performance.now() - window.shownAt);
        }
        watcher.observe(document.body, { subtree: true, childList: true, attributes: true });
        look();
    });
"""


def code(value: str, *, turned: int = 0, blur: float = 0.0) -> Image.Image:
    """A frame with the code of a value."""
    picture = qrcode.make(value, box_size=7).convert("L")
    picture = picture.rotate(turned, expand=True, fillcolor=255)
    return frame({WIDTH // 2: picture}).filter(ImageFilter.GaussianBlur(blur))


def codes(values: dict[int, str]) -> Image.Image:
    """A frame with a code around each place, counted from the left."""
    return frame({place: qrcode.make(value, box_size=4) for place, value in values.items()})


def frame(pictures: dict[int, Image.Image]) -> Image.Image:
    """A frame with a picture around each place."""
    whole = Image.new("L", (WIDTH, HEIGHT), 150)
    for place, picture in pictures.items():
        grey = picture.convert("L")
        whole.paste(grey, (place - grey.width // 2, (HEIGHT - grey.height) // 2))
    return whole


def show(page: Page, value: str) -> None:
    """Hold the code of a value before the camera."""
    show_picture(page, code(value), value)


def show_picture(page: Page, picture: Image.Image, value: str = "") -> None:
    """Hold a picture before the camera."""
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    address = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
    page.evaluate("([address, value]) => show(address, value)", [address, value])


def start(page: Page) -> None:
    """Start the camera."""
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator("#viewfinder")).to_have_attribute("data-running", "true")
