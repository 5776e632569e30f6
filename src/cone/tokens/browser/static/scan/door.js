// One scan after another: idle, sending, told. There is never more than one on its way.

import { GRANTED, REFUSED, UNKNOWN, consumption, lookUp, tokenFacts } from "./answers.js";
import { Duplicates } from "./duplicates.js";
import { Keys } from "./keys.js";

export const CONSUME = "consume";
export const CHECK = "check";

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 8_000;

/**
 * Events: `sending` {value}, `told` {mode, value, tries, outcome}, `repeated` {value},
 * `busy` {value}, `details` {value, outcome}, `returned` {value}.
 */
export class Door extends EventTarget {
  mode = CONSUME;
  /** The scan whose answer is not there yet, however often it was asked for. */
  #scan = null;
  #server;
  #keys;
  #duplicates;
  #timers;
  #count = 0;

  constructor(server, { keys, duplicates, timers } = {}) {
    super();
    this.#server = server;
    this.#keys = keys ?? new Keys();
    this.#duplicates = duplicates ?? new Duplicates();
    this.#timers = timers ?? { set: setTimeout.bind(null), clear: clearTimeout.bind(null) };
  }

  get isBusy() {
    return this.#scan !== null;
  }

  /** Take a value. `isSeen`: by the camera, which sees it again and again. */
  async take(value, { isSeen = false } = {}) {
    if (this.isBusy) {
      if (value === this.#scan.value) this.#isRepeated(value, isSeen);
      else if (!isSeen) this.#tell("busy", { value });
      return;
    }
    if (this.#isRepeated(value, isSeen)) {
      if (!isSeen) this.#tell("repeated", { value });
      return;
    }
    const scan = { value, mode: this.mode, tries: 0, number: ++this.#count };
    this.#scan = scan;
    this.#tell("sending", { value });
    await this.#try(scan);
  }

  /** Ask again now, with the same key. */
  async retry() {
    if (this.#scan && !this.#scan.isAsking) await this.#try(this.#scan);
  }

  /** Ask no more. The key is kept: the same value is the same scan, for a while. */
  giveUp() {
    const scan = this.#scan;
    if (!scan) return;
    this.#timers.clear(scan.timer);
    this.#scan = null;
    if (scan.key) this.#keys.keep(scan.value, scan.key);
    // By hand at once; a camera that still looks at it would begin again.
    this.#duplicates.forget(nameOf(scan.mode, scan.value));
    this.#tell("returned", { value: scan.value });
  }

  async #try(scan) {
    this.#timers.clear(scan.timer);
    scan.tries += 1;
    scan.isAsking = true;
    const outcome = await this.#ask(scan);
    scan.isAsking = false;
    // Given up in the meantime: what came is told only where it decides something.
    if (this.#scan !== scan) return this.#tellLate(scan, outcome);
    if (outcome.kind === UNKNOWN) {
      if (outcome.retries) {
        const pause = pauseBefore(scan.tries, outcome.wait);
        scan.timer = this.#timers.set(() => this.#try(scan), pause);
      }
      return this.#tell("told", { ...scan, outcome });
    }
    this.#settle(scan);
    this.#scan = null;
    this.#tell("told", { ...scan, outcome });
    if (scan.mode === CONSUME && outcome.kind === REFUSED) await this.#addDetails(scan);
  }

  async #ask(scan) {
    if (scan.mode === CHECK) return lookUp(await this.#server.lookUp(scan.value));
    scan.key ??= this.#keys.take(scan.value);
    return consumption(await this.#server.consume(scan.value, scan.key));
  }

  #settle(scan) {
    // The three seconds count from when the answer is there: that may take long.
    this.#isRepeated(scan.value);
    if (scan.mode === CONSUME) this.#keys.settle(scan.value);
  }

  #tellLate(scan, outcome) {
    if (outcome.kind !== GRANTED && outcome.kind !== REFUSED) return;
    if (this.#scan || scan.number !== this.#count) return;
    this.#settle(scan);
    this.#tell("told", { ...scan, outcome });
  }

  /**
   * A code that stays in view is not taken again when the mode changes: who looks a ticket up and
   * goes back would consume it. By hand it is, since that is meant.
   */
  #isRepeated(value, isSeen = false) {
    const inMode = this.#duplicates.isRepeated(nameOf(this.mode, value));
    const inView = this.#duplicates.isRepeated(value);
    return isSeen ? inView : inMode;
  }

  /** A refusal says why; what else there is to say comes a moment later, or never. */
  async #addDetails(scan) {
    const { status, body } = await this.#server.lookUp(scan.value);
    if (status !== 200 || !body?.token || scan.number !== this.#count) return;
    this.#tell("details", { value: scan.value, outcome: tokenFacts(body.token) });
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function nameOf(mode, value) {
  return `${mode}\0${value}`;
}

function pauseBefore(tries, wait = 0) {
  return Math.max(Math.min(FIRST_PAUSE_MS * 2 ** (tries - 1), LONGEST_PAUSE_MS), wait);
}
