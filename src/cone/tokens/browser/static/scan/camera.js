// The camera: pictures, looks at them, and whether there are any.

import { detectorOf, ours } from "./reader.js";

/** A phone stays cool. */
const PAUSE_MS = 80;
const WATCH_MS = 500;
/** The browser's own detector may be there and not work. */
const MOST_ERRORS = 3;

const STILL_MS = 3_000;
const MEASURE_MS = 3_000;
const MEASURES = ["play", "reopen", "tell"];

const PROBLEMS = {
  NotAllowedError: "camera_denied",
  SecurityError: "camera_denied",
  NotFoundError: "camera_missing",
  OverconstrainedError: "camera_missing",
  NotReadableError: "camera_busy",
  AbortError: "camera_busy",
};

/** Whether a camera that is on gives pictures. */
export class Watch {
  #last;
  #next = 0;
  #since = -Infinity;

  constructor(now) {
    this.#last = now;
  }

  see(now) {
    this.#last = now;
    this.#next = 0;
    this.#since = -Infinity;
  }

  /** A hidden page gets no pictures. */
  forgive(now) {
    this.#last = now;
  }

  /** The measure that is due, or null. */
  due(now, { isPaused, isEnded }) {
    const isStill = now - this.#last >= STILL_MS;
    if (!isStill && !isPaused && !isEnded) return null;
    if (now - this.#since < MEASURE_MS) return null;
    if (isEnded && this.#next === 0) this.#next = 1;
    const measure = MEASURES[this.#next];
    this.#next = Math.min(this.#next + 1, MEASURES.length - 1);
    this.#since = now;
    return measure;
  }
}

/** Events: `looked` {codes}, `started`, `stalled`, `moving`, `stopped` {problem}. */
export class Camera extends EventTarget {
  #video;
  #kinds;
  #stream = null;
  #run = 0;
  #detector = null;
  #watch = null;
  #isStalled = false;
  #deviceId = null;

  constructor(video, kinds) {
    super();
    this.#video = video;
    this.#kinds = kinds;
    setInterval(() => this.#check(), WATCH_MS);
    document.addEventListener("visibilitychange", () => this.#watch?.forgive(performance.now()));
  }

  get deviceId() {
    return this.#track?.getSettings().deviceId ?? null;
  }

  get hasTorch() {
    return Boolean(this.#track?.getCapabilities?.().torch);
  }

  get #track() {
    return this.#stream?.getVideoTracks()[0];
  }

  async start(deviceId = null) {
    this.#deviceId = deviceId;
    this.#isStalled = false;
    if (!(await this.#open())) return;
    this.#watch = new Watch(performance.now());
    this.#tell("started");
    this.#look(this.#run);
  }

  stop(problem = null) {
    this.#run += 1;
    this.#watch = null;
    this.#release();
    this.#tell("stopped", { problem });
  }

  async setTorch(isOn) {
    await this.#track?.applyConstraints({ advanced: [{ torch: isOn }] });
  }

  async choices() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter((device) => device.kind === "videoinput" && device.deviceId);
  }

  /** Whether there are pictures, and nobody wanted something else meanwhile. */
  async #open() {
    this.#release();
    const run = ++this.#run;
    const opening = open(this.#deviceId);
    try {
      const detector = this.#detector ?? detectorOf(this.#kinds);
      const [stream, ready] = await Promise.all([opening, detector]);
      if (this.#run !== run) {
        close(stream);
        return false;
      }
      this.#detector = ready;
      this.#stream = stream;
      this.#video.srcObject = stream;
      await this.#video.play();
    } catch (error) {
      opening.then(close, () => {});
      if (this.#run === run) this.stop(error.problem ?? PROBLEMS[error.name] ?? "camera_failed");
    }
    if (this.#run !== run) return false;
    this.#awaitPicture(run);
    return true;
  }

  #awaitPicture(run) {
    this.#video.requestVideoFrameCallback?.(() => {
      if (this.#run !== run) return;
      this.#watch?.see(performance.now());
      if (this.#isStalled) this.#tell("moving");
      this.#isStalled = false;
      this.#awaitPicture(run);
    });
  }

  /** For browsers without callbacks for pictures. */
  #lastTime = -1;

  #noteTime(now) {
    if (this.#video.requestVideoFrameCallback) return;
    if (this.#video.currentTime !== this.#lastTime) this.#watch.see(now);
    this.#lastTime = this.#video.currentTime;
  }

  async #check() {
    if (!this.#watch || document.hidden) return;
    const now = performance.now();
    this.#noteTime(now);
    const isEnded = this.#track?.readyState === "ended";
    const measure = this.#watch.due(now, { isPaused: this.#video.paused, isEnded });
    if (!measure) return;
    if (measure === "tell") return this.stop("camera_stalled");
    this.#isStalled = true;
    this.#tell("stalled");
    if (measure === "play") return this.#video.play().catch(() => {});
    if (await this.#open()) {
      this.#tell("started");
      this.#look(this.#run);
    }
  }

  async #look(run) {
    let errors = 0;
    while (this.#run === run) {
      try {
        const codes = this.#isStalled ? [] : await this.#detector.detect(this.#video);
        if (this.#run === run && !this.#isStalled) this.#tell("looked", { codes });
        errors = 0;
      } catch {
        errors += 1;
        if (errors >= MOST_ERRORS && !(await this.#replaceDetector())) {
          return this.#run === run && this.stop("camera_failed");
        }
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  #tell(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  async #replaceDetector() {
    if (this.#detector.isOurs) return false;
    const detector = await ours(this.#kinds).catch(() => null);
    this.#detector = detector ?? this.#detector;
    return detector !== null;
  }

  #release() {
    if (this.#stream) close(this.#stream);
    this.#stream = null;
    this.#video.srcObject = null;
  }
}

async function open(deviceId) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw Object.assign(new Error("insecure"), { problem: "camera_insecure" });
  }
  const size = { width: { ideal: 1280 }, height: { ideal: 720 } };
  const which = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "environment" };
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { ...size, ...which } });
  } catch (error) {
    // It is gone: any other one will do.
    if (deviceId && error.name === "OverconstrainedError") return open(null);
    throw error;
  }
}

function close(stream) {
  for (const track of stream.getTracks()) track.stop();
}
