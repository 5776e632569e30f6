// One idempotency key for each scan, kept beyond it where its fate is not known.
//
// When an answer is lost the token may have been consumed. With the same key the server repeats
// its answer instead of refusing the guest at the second try.

import { randomKey } from "../random.js";

/** A value that is shown later is another visit: it must not be let in by an old answer. */
export const KEPT_MS = 120_000;

export class Keys {
  #open = new Map();
  #now;
  #make;

  constructor(now = () => performance.now(), make = randomKey) {
    this.#now = now;
    this.#make = make;
  }

  /** The key of the value's scan that was given up not long ago, else a new one. */
  take(value) {
    const open = this.#open.get(value);
    const isKept = open && this.#now() - open.since < KEPT_MS;
    return isKept ? open.key : this.#make();
  }

  /** The value's scan was given up before its fate was known. */
  keep(value, key) {
    this.#open.set(value, { key, since: this.#now() });
  }

  /** The fate of the value's scan is known. */
  settle(value) {
    this.#open.delete(value);
  }
}
