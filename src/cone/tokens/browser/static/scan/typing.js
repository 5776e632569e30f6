// Tells a hand-held scanner from people by how fast and how evenly it types, and when its code is whole.
//
// How fast keys come is told by their own times (`event.timeStamp`): a page that was busy hears of
// many at once. A pause begins when the page hears of the last key, which is never before it.

/** The longest gap between two keys of a scanner, most of the time. */
export const FAST_MS = 50;
const FAST_GAPS = 2;
const FAST_SHARE = 0.6;
/** What nobody's hands do, though it is too slow to be sure: the gaps differ by no more. */
const STEADY_MS = 20;
const STEADY_GAPS = 7;
const SLOWEST_MS = 130;
/** Two characters at once that nothing follows. */
const AT_ONCE_MS = 30;
/** Slower ones are even: so many gaps, but for a few, that differ by no more. */
const SLOW_MS = 85;
const EVEN_MS = 25;
const EVEN_GAPS = 4;
const EVEN_SHARE = 0.8;
/** A terminator that comes later was pressed by somebody. */
export const TERMINATOR_MS = 150;
/** When the next line of a text comes, in gaps of the keys before it. */
const LINE_GAPS = 3;
/** A pause no scanner makes within a code. */
export const PAUSE_MS = 300;
/** How late a timer may come; one that is later has others before it, keys perhaps. */
const LATE_MS = 40;
/** After this a code without its terminator has lost it. */
export const LOST_MS = 1_500;
/** Behind such a gap another code begins, or the same one goes on: that cannot be told apart. */
const ANOTHER_MS = PAUSE_MS;
/** How long after the last key of a code that ended by a pause the rest of it may come. */
export const GOES_ON_MS = 2_500;
/** What people never do, not even three letters at once: text before it is no part of it. */
const SURE_GAPS = 4;
/** So many codes without the terminator: there is a scanner that has none, beside another one or not. */
const FORGOTTEN_AFTER = 2;

export class Typing {
  /** The key by which this scanner was seen to end a code. */
  terminator = null;
  #lost = 0;
  #start = 0;
  #gaps = [];
  #last = -Infinity;
  #heard = -Infinity;
  /** From the last character to the key that ended it. */
  #endGap = Infinity;
  #byHand = false;
  #isBehind = false;
  #paused = -Infinity;
  #goesOn = false;

  /**
   * A character was typed at `time`, and the page hears of it `now`. `position`: how many there
   * were before it.
   */
  add(time, now, position = 0, isHeld = false) {
    const gap = time - this.#last;
    if (gap <= ANOTHER_MS) this.#gaps.push(gap);
    else {
      this.#begin(position, this.#isBehind || this.isScan);
      this.#goesOn = time - this.#paused <= GOES_ON_MS;
    }
    // A key that is held down is faster than most scanners.
    this.#byHand ||= isHeld;
    this.#last = time;
    this.#heard = now;
  }

  /** The text is taken out of the field. `isPause`: nothing says that it is whole. */
  end(isPause = false) {
    this.#paused = isPause ? this.#last : -Infinity;
    this.#endGap = Infinity;
    this.#last = -Infinity;
    this.#begin(0, false);
  }

  /** A key at `time` ended it. What people can type as well does not tell that a scanner did. */
  endBy(key, time) {
    this.#endGap = time - this.#last;
    if (!this.isOwnEnd(key, time)) return;
    const fast = this.#fast + (time - this.#last <= FAST_MS);
    if (fast >= SURE_GAPS || this.#isEven) this.terminator = key;
  }

  /** The terminator did not come. */
  lose() {
    if (this.isScan) this.#lost += 1;
    if (this.#lost >= FORGOTTEN_AFTER) this.terminator = null;
    this.end(true);
  }

  /** How long after a terminator nothing comes, where it ended the text. */
  get lineGap() {
    return Math.min(Math.max(FAST_MS, LINE_GAPS * Math.max(...this.#gaps)), TERMINATOR_MS);
  }

  #begin(position, isBehind) {
    this.#start = position;
    this.#gaps = [];
    this.#byHand = false;
    this.#isBehind = isBehind;
    this.#goesOn = false;
  }

  get isScan() {
    return this.#isQuick && (this.#fast >= FAST_GAPS || this.#isEven);
  }

  get #fast() {
    return this.#gaps.filter((gap) => gap <= FAST_MS).length;
  }

  get #isQuick() {
    return !this.#byHand && (this.#fast >= FAST_SHARE * this.#gaps.length || this.#isEven);
  }

  get #isEven() {
    return this.#differBy(EVEN_MS, SLOW_MS, EVEN_GAPS);
  }

  #differBy(ms, slowest, least) {
    const sorted = [...this.#gaps].sort((one, other) => one - other);
    const most = sorted.slice(0, Math.ceil(EVEN_SHARE * sorted.length));
    const longest = most.at(-1);
    return most.length >= least && longest <= slowest && longest - most[0] <= ms;
  }

  /** It may be a scanner's: where it rests, that is told. */
  get #isOdd() {
    if (this.#byHand || this.#start) return false;
    const isPair = this.#gaps.length === 1 && this.#gaps[0] <= AT_ONCE_MS;
    return isPair || this.#differBy(STEADY_MS, SLOWEST_MS, STEADY_GAPS);
  }

  /** Whether it came so soon after a code that ended by a pause that it may be the rest of that. */
  get goesOn() {
    return this.#goesOn && this.#isQuick;
  }

  /** Text before it, or behind it, may be part of it or not. `hasMore`: there is some behind it. */
  isUnclear(hasMore = false) {
    if (this.#isBehind && this.#isQuick) return true;
    const isAlone = this.#start === 0 && !hasMore;
    return !isAlone && !this.isSure && (this.isScan || this.endedAtOnce);
  }

  /** What hands cannot type. */
  get isSure() {
    return this.isScan && (this.#fast >= SURE_GAPS || this.#isEven);
  }

  /** Where it begins behind something else. */
  get beginning() {
    return this.isSure || this.isUnclear() ? this.#start : 0;
  }

  /** Few characters and an end, faster than hands are. */
  get endedAtOnce() {
    return Math.max(this.#endGap, ...this.#gaps) <= FAST_MS;
  }

  isNear(time, within = TERMINATOR_MS) {
    return time - this.#last <= within;
  }

  /** Whether a key at `time` is the scanner's own end of a code. */
  isOwnEnd(key, time) {
    const gap = time - this.#last;
    const isMeant = this.isScan || key === this.terminator || this.#isShort(gap);
    return isMeant && gap <= TERMINATOR_MS;
  }

  /** Two characters and an end, `gap` behind them, that come at once. */
  #isShort(gap) {
    return !this.#byHand && this.#gaps.length === 1 && Math.max(gap, ...this.#gaps) <= FAST_MS;
  }

  get #endsByPause() {
    const isKnown = this.terminator !== null && this.#lost < FORGOTTEN_AFTER;
    return this.isScan && !isKnown;
  }

  due(now) {
    if (!this.isScan && !this.#isOdd) return null;
    const pause = this.#endsByPause ? PAUSE_MS : LOST_MS;
    return Math.max(this.#heard + pause - now, 0);
  }

  /**
   * What the pause until `now` means: `ended`, `lost`, or `wait`. `lateness`: how late the timer
   * came that asks; keys may wait behind it.
   */
  judge(now, lateness) {
    if (lateness > LATE_MS || this.due(now) > 0) return "wait";
    return this.#endsByPause ? "ended" : "lost";
  }
}
