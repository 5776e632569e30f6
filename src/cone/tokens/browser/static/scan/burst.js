// Tells what a hand-held scanner types from what people type: by its speed.

/** The longest pause between two characters of a scanner, and the shortest behind its last. */
export const PAUSE_MS = 60;
/** People hardly ever type as many characters as fast. */
const FEWEST = 6;

export class Burst {
  #length = 0;
  #last = -Infinity;

  /** A character was typed. */
  add(now) {
    this.#length = now - this.#last > PAUSE_MS ? 1 : this.#length + 1;
    this.#last = now;
  }

  clear() {
    this.#length = 0;
  }

  /** Whether what was typed without a pause comes from a scanner. */
  get isScan() {
    return this.#length >= FEWEST;
  }
}
