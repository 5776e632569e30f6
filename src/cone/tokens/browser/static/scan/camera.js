// The camera, and what it sees.

/** Between two looks: a phone stays cool, and a code is still seen at once. */
const PAUSE_MS = 80;
/** The browser's own detector may be there and not work: then the other one is taken. */
const MOST_ERRORS = 3;

const PROBLEMS = {
  NotAllowedError: "camera_denied",
  SecurityError: "camera_denied",
  NotFoundError: "camera_missing",
  OverconstrainedError: "camera_missing",
  NotReadableError: "camera_busy",
  AbortError: "camera_busy",
};

/** Events: `seen` {value}, `started`, `stopped` {problem}. */
export class Camera extends EventTarget {
  #video;
  #stream = null;
  #run = 0;
  #detector = null;

  constructor(video) {
    super();
    this.#video = video;
  }

  get isRunning() {
    return this.#stream !== null;
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

  /** Start the camera, the one at the back unless one is named. */
  async start(deviceId = null) {
    this.#release();
    const run = ++this.#run;
    const opening = open(deviceId);
    try {
      const [stream, detector] = await Promise.all([opening, this.#detector ?? detect()]);
      if (this.#run !== run) return close(stream);
      this.#detector = detector;
      this.#stream = stream;
      this.#track.addEventListener("ended", () => this.stop("camera_busy"));
      this.#video.srcObject = stream;
      await this.#video.play();
    } catch (error) {
      opening.then(close, () => {});
      if (this.#run === run) this.stop(error.problem ?? PROBLEMS[error.name] ?? "camera_failed");
      return;
    }
    this.dispatchEvent(new CustomEvent("started"));
    this.#look(run);
  }

  stop(problem = null) {
    this.#run += 1;
    this.#release();
    this.dispatchEvent(new CustomEvent("stopped", { detail: { problem } }));
  }

  async setTorch(isOn) {
    await this.#track?.applyConstraints({ advanced: [{ torch: isOn }] });
  }

  /** The cameras there are; they have names once one was allowed. */
  async choices() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter((device) => device.kind === "videoinput" && device.deviceId);
  }

  async #look(run) {
    let errors = 0;
    while (this.#run === run) {
      try {
        for (const code of await this.#detector.detect(this.#video)) {
          if (this.#run === run && code.rawValue) this.#tell(code.rawValue);
        }
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

  #tell(value) {
    this.dispatchEvent(new CustomEvent("seen", { detail: { value } }));
  }

  async #replaceDetector() {
    if (this.#detector.isOurs) return false;
    this.#detector = await ours().catch(() => null);
    return this.#detector !== null;
  }

  #release() {
    if (this.#stream) close(this.#stream);
    this.#stream = null;
    this.#video.srcObject = null;
  }
}

async function open(deviceId) {
  // Not there where the page is not served by https.
  if (!navigator.mediaDevices?.getUserMedia) throw problem("camera_insecure");
  const size = { width: { ideal: 1280 }, height: { ideal: 720 } };
  const which = deviceId ? { deviceId: { exact: deviceId } } : { facingMode: "environment" };
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { ...size, ...which } });
  } catch (error) {
    // The camera that was chosen is gone: any other one will do.
    if (deviceId && error.name === "OverconstrainedError") return open(null);
    throw error;
  }
}

function close(stream) {
  for (const track of stream.getTracks()) track.stop();
}

function problem(name) {
  return Object.assign(new Error(name), { problem: name });
}

/** The browser's detector where it reads QR codes, else ours. */
async function detect() {
  const Own = globalThis.BarcodeDetector;
  const formats = (await Own?.getSupportedFormats().catch(() => [])) ?? [];
  if (formats.includes("qr_code")) return new Own({ formats: ["qr_code"] });
  return ours();
}

async function ours() {
  let library;
  try {
    library = await import("../vendor/barcode-detector/ponyfill.js");
    const folder = new URL("../vendor/zxing-wasm/", import.meta.url);
    const locateFile = (name) => new URL(name, folder).href;
    await library.prepareZXingModule({ overrides: { locateFile }, fireImmediately: true });
    const detector = new library.BarcodeDetector({ formats: ["qr_code"] });
    return Object.assign(detector, { isOurs: true });
  } catch {
    // It would remember the failure, and the next try would fail too.
    library?.purgeZXingModule();
    throw problem("camera_not_loaded");
  }
}
