// What reads codes: the browser's own detector where it knows all kinds, else ours.

const FORMATS = { qr: "qr_code" };

export async function detectorOf(kinds) {
  const formats = kinds.map((kind) => FORMATS[kind] ?? kind);
  const Own = globalThis.BarcodeDetector;
  const known = (await Own?.getSupportedFormats().catch(() => [])) ?? [];
  if (formats.every((format) => known.includes(format))) return new Own({ formats });
  return ours(kinds);
}

/** The vendored one; where it cannot be loaded the error has the `problem`. */
export async function ours(kinds) {
  const formats = kinds.map((kind) => FORMATS[kind] ?? kind);
  try {
    await load("../vendor/barcode-detector/ponyfill.js");
    const library = globalThis.BarcodeDetectionAPI;
    const folder = new URL("../vendor/zxing-wasm/", import.meta.url);
    const locateFile = (name) => new URL(name, folder).href;
    await library.prepareZXingModule({ overrides: { locateFile }, fireImmediately: true });
    return Object.assign(new library.BarcodeDetector({ formats }), { isOurs: true });
  } catch {
    globalThis.BarcodeDetectionAPI?.purgeZXingModule();
    throw Object.assign(new Error("reader"), { problem: "camera_not_loaded" });
  }
}

function load(path) {
  const script = document.createElement("script");
  script.src = new URL(path, import.meta.url).href;
  return new Promise((resolve, reject) => {
    script.addEventListener("load", resolve);
    script.addEventListener("error", reject);
    document.head.append(script);
  });
}

/** The codes that people see: the video may be cut at its edges. */
export function inView(codes, { width, height }, box, frame) {
  const scale = Math.max(box.width / width, box.height / height);
  const seen = [];
  for (const { rawValue, boundingBox } of codes) {
    const x = Math.abs(boundingBox.x + boundingBox.width / 2 - width / 2) * scale;
    const y = Math.abs(boundingBox.y + boundingBox.height / 2 - height / 2) * scale;
    if (!rawValue || x > box.width / 2 || y > box.height / 2) continue;
    seen.push({ value: rawValue, isMiddle: x <= frame.width / 2 && y <= frame.height / 2 });
  }
  return seen;
}
