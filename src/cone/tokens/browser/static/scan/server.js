// The two questions of the door to the server.

const TIMEOUT_MS = 3_000;
const LONGEST_WAIT_MS = 60_000;

export class Server {
  #urls;

  constructor(urls) {
    this.#urls = urls;
  }

  consume(value, key) {
    return ask(this.#urls.consume, {
      method: "POST",
      headers: { "Idempotency-Key": key },
      body: new URLSearchParams({ value }),
    });
  }

  lookUp(value) {
    return ask(`${this.#urls.look_up}?${new URLSearchParams({ value })}`);
  }
}

/** Status, JSON and seconds to wait of an answer; status 0 where none came in time. */
async function ask(url, options = {}) {
  const gate = new AbortController();
  const timer = setTimeout(() => gate.abort(), TIMEOUT_MS);
  try {
    // An answer that leads elsewhere is none: it would end at a page for people.
    const more = { redirect: "manual", cache: "no-store", credentials: "same-origin" };
    const response = await fetch(url, { ...options, ...more, signal: gate.signal });
    const body = await response.text();
    return { status: response.status, body: parsed(body), wait: waitOf(response) };
  } catch {
    return { status: 0, body: null, wait: 0 };
  } finally {
    clearTimeout(timer);
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function waitOf(response) {
  const seconds = Number(response.headers.get("Retry-After"));
  return seconds > 0 ? Math.min(seconds * 1000, LONGEST_WAIT_MS) : 0;
}
