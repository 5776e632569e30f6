// What of that which the camera sees is a scan (decision 0019).

import { CONSUME } from "./machine.js";

/** How long a code that left is known. */
export const IGNORED_MS = 3_000;
/** Hands shake: a code that is not read for a moment has not left. */
export const LEFT_MS = 1_000;
/** Tickets pass each other. */
export const SEVERAL_MS = 300;
/** One of several may be blurred for a moment. */
export const ALONE_MS = 500;
export const EDGE_MS = 700;
const AGAIN_MS = 1_000;

export class Sight {
  /** By value: {isTaken, isRedeemed, since}; taken in this mode, away since. */
  #known = new Map();
  #mode = CONSUME;
  /** When it looked last; -Infinity: never. */
  #last = -Infinity;
  #several = new Lasting(SEVERAL_MS);
  #edge = new Lasting(EDGE_MS);

  /** The event of one look, which saw [{value, isMiddle}], or null; covered, it takes nothing. */
  look(codes, now, isCovered = false) {
    const values = new Map();
    for (const { value, isMiddle } of codes) values.set(value, isMiddle || values.get(value));
    const away = this.#note(values, now);
    if (this.#several.look(values.size > 1 && !isCovered, now)) return notice("several");
    if (this.#several.isRecent(now) || values.size !== 1) {
      this.#edge.look(false, now);
      return null;
    }
    const [[value, isMiddle]] = values;
    const known = this.#known.get(value);
    const isNew = !known?.isTaken;
    if (this.#edge.look(isNew && !isMiddle && !isCovered, now)) return notice("edge");
    if (isCovered || !isMiddle) return null;
    if (!isNew && away < LEFT_MS) return null;
    this.#known.set(value, { ...known, isTaken: true });
    const isRepeated = known?.isRedeemed && this.#mode === CONSUME;
    return { type: "scan", value, verdict: isRepeated ? "repeated" : null };
  }

  /** A scan of the value took a use. */
  redeemed(value) {
    this.#known.set(value, { ...this.#known.get(value), isRedeemed: true });
  }

  /** In another mode each code is new, but what was redeemed is not redeemed again. */
  setMode(mode) {
    this.#mode = mode;
    for (const known of this.#known.values()) {
      known.isTaken = known.isRedeemed && mode === CONSUME;
    }
  }

  /** The camera begins anew: what it saw before is past. */
  begin() {
    this.#known.clear();
  }

  /** Note who is in view; return how long the one in view was away. */
  #note(values, now) {
    let away = 0;
    const last = this.#last;
    const isBlind = now - last >= LEFT_MS;
    this.#last = now;
    for (const [value, known] of this.#known) {
      // Nobody knows whether what was there stayed: it counts as gone, and what took a use is told of.
      const isLost = isBlind && known.since === undefined;
      if (isLost) known.since = last;
      const { since } = known;
      const isTold = isLost && known.isRedeemed && values.has(value);
      if (now - since >= IGNORED_MS && !isTold) this.#known.delete(value);
      else if (!values.has(value)) known.since ??= now;
      else {
        if (since !== undefined) away = now - since;
        known.since = undefined;
      }
    }
    return away;
  }
}

class Lasting {
  #ms;
  #since = null;
  #last = -Infinity;
  #told = -Infinity;

  constructor(ms) {
    this.#ms = ms;
  }

  look(isThere, now) {
    if (!isThere) {
      if (!this.isRecent(now)) {
        this.#since = null;
      }
      return false;
    }
    this.#since ??= now;
    this.#last = now;
    if (now - this.#since < this.#ms || now - this.#told < AGAIN_MS) return false;
    this.#told = now;
    return true;
  }

  isRecent(now) {
    return now - this.#last < ALONE_MS;
  }
}

function notice(name) {
  return { type: "notice", name };
}
