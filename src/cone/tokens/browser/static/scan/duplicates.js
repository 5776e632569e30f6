// A camera sees the same code many times a second.

export const IGNORED_MS = 3_000;

export class Duplicates {
  #seen = new Map();
  #now;

  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** Whether a value was there within three seconds. Each sight of it starts them anew. */
  isRepeated(value) {
    const now = this.#now();
    for (const [other, time] of this.#seen) {
      if (now - time >= IGNORED_MS) this.#seen.delete(other);
    }
    const isRepeated = this.#seen.has(value);
    this.#seen.set(value, now);
    return isRepeated;
  }

  /** The value's answer was no answer: it may be tried again at once. */
  forget(value) {
    this.#seen.delete(value);
  }
}
