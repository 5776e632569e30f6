// The field for a code: typed or pasted by people, or typed by a hand-held scanner.

import { FAST_MS, LOST_MS, TERMINATOR_MS, Typing } from "./typing.js";

/** Where text is typed. A scanner is heard where letters have any other meaning. */
const TEXT = "input[type=text], textarea";
/** Keys whose text the browser makes of several, or does not tell. */
const OTHER_TEXT = new Set(["Dead", "Process", "Unidentified"]);
/** Control characters as scanners type them, by the place of the key: CR, LF, FS, EOT, ETX. */
const ENDS = new Set(["KeyM", "KeyJ", "Backslash", "KeyD", "KeyC"]);
const GS = "BracketRight";
const GS_SIGN = "\x1d";
const TERMINATOR = "cone.tokens.terminator";
const TURN_MS = 50;
/** After this a text that may be of people, or of a scanner that is as slow, is not done with. */
const RESTS_MS = 3_000;
const BLANK = /^[\s\p{Cc}\p{Cf}]*$/u;
const LINES = /[\r\n]+/;
/** Keys that type nothing: of digits where Num Lock is off, among others. */
const MOVES = /^(Arrow|Clear|Delete|End$|Home|Insert|Page)/;
const TYPED = /^insert(Text|Comp)/;
/** What Enter presses, and takes a use. */
const TAKERS = "li button, [type=submit]";

/** Events: `entered` {value, endedBy, verdict, isCaps}, `changed`, `begun`, `rests`, and `down` for the key. */
export class ValueField extends EventTarget {
  #form;
  #input;
  #typing = new Typing();
  #timer;
  #later;
  #ended = -Infinity;
  /** The last key of an arrow, and the last one that should have typed something. */
  #arrow = -Infinity;
  #moved = -Infinity;
  /** Whether some of a code was typed by keys that type nothing. */
  #isBroken = false;
  /** Whether some of it was typed with Caps Lock. */
  #isCaps = false;
  /** Whether this code began as soon as another one ended. */
  #follows = false;
  /** Whether the page put the text there: nobody said that it is whole. */
  #isPutBack = false;
  /** Whether an end waits for what may follow it, and whether something did: a line. */
  #isEnding = false;
  #isSeveral = false;
  /** The last key of any kind. */
  #heard = -Infinity;
  /** Whether Tab left the field and a text in it. */
  #isLeft = false;
  /** Whether that Tab came as soon as a scanner's. */
  #isTabNear = false;

  constructor(form) {
    super();
    this.#form = form;
    this.#input = form.elements.namedItem("value");
    this.#typing.terminator = sessionStorage.getItem(TERMINATOR);
    form.addEventListener("submit", (event) => this.#submit(event));
    this.#input.addEventListener("beforeinput", (event) => this.#refuseLines(event));
    // The keyboard on the screen comes when somebody taps the field, not with a scanner's keys.
    this.#input.addEventListener("pointerdown", () => this.#input.removeAttribute("inputmode"));
    this.#input.addEventListener("input", (event) => this.#edit(event));
    document.addEventListener("keydown", (event) => this.#press(event), { capture: true });
  }

  /** Take a value back that is not done with; what stands there, or arrives, is not lost for it. */
  restore(value) {
    this.focus();
    if (this.#input.value) return;
    this.#input.value = value;
    this.#putBack();
  }

  #putBack() {
    this.#isPutBack = true;
    // What is typed next takes its place.
    this.#input.select();
  }

  /** Text that no key typed: a device, or a keyboard on the screen. */
  #edit(event) {
    this.#isPutBack = false;
    if (!isNear(event, this.#heard) && TYPED.test(event.inputType)) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#lose(), LOST_MS);
    }
    this.#begin();
    this.#change();
  }

  #begin() {
    this.dispatchEvent(new Event("begun"));
  }

  /** The text, where people may have typed it. */
  get typed() {
    return this.#typing.isScan ? "" : this.#input.value;
  }

  clear() {
    this.#input.value = "";
    this.#isCaps = this.#isSeveral = false;
    this.#typing.end();
  }

  #change() {
    this.dispatchEvent(new Event("changed"));
  }

  forget(value) {
    if (this.#input.value === value) this.#input.value = "";
  }

  focus() {
    if (document.activeElement === this.#input) return;
    this.#input.inputMode = "none";
    this.#input.focus({ preventScroll: true });
  }

  #submit(event) {
    event.preventDefault();
    this.#isPutBack = false;
    this.#enter();
  }

  #press(event) {
    this.#heard = event.timeStamp;
    if (event.isComposing) return;
    // The rest of an end (CR LF) opens something in browsers, or takes what stands there.
    if (this.#isRestOfEnd(event)) return event.preventDefault();
    const isHere = event.target === this.#input;
    if (!isHere && event.target.closest?.(TEXT)) return;
    if (MOVES.test(event.key) && this.#isNobodys(event)) return this.#move(event);
    if (event.key === "Enter") return this.#pressEnter(event, isHere);
    if (event.key === "ArrowDown" && isHere) this.dispatchEvent(new Event("down"));
    if (event.key === "Tab") return isHere && this.#tab(event);
    if (isControl(event)) return this.#control(event);
    if (!isText(event) || (!isHere && event.key === " ")) return;
    if (!isHere && this.#isLeft) this.#leave();
    // The browser enters the key where the focus is then.
    this.focus();
    this.#note(event);
  }

  #isRestOfEnd(event) {
    const isPart = event.key === "Enter" || event.key === "Tab" || isControl(event);
    return isPart && isNear(event, this.#ended);
  }

  #isNobodys(event) {
    const { timeStamp } = event;
    const isQuick = isNear(event, this.#arrow, FAST_MS) || this.#typing.isNear(timeStamp, FAST_MS);
    this.#arrow = timeStamp;
    return event.code.startsWith("Numpad") || (isQuick && !event.repeat);
  }

  /** Such keys choose nothing, and one beside others is a part of a code that does not arrive. */
  #move(event) {
    stop(event);
    this.#isBroken ||= isNear(event, this.#moved) || this.#typing.isNear(event.timeStamp);
    this.#moved = event.timeStamp;
    this.#begin();
    this.#await();
  }

  #note(event) {
    const { selectionStart } = this.#input;
    const { timeStamp } = event;
    this.#isLeft = false;
    this.#isCaps ||= event.getModifierState("CapsLock");
    // An Enter that a scanner sends in front of its code is nobody's.
    clearTimeout(this.#later);
    if (this.#isEnding) this.#addLine();
    else this.#follows ||= isNear(event, this.#ended);
    this.#ended = -Infinity;
    this.#isBroken ||= isNear(event, this.#moved);
    this.#typing.add(timeStamp, performance.now(), selectionStart, event.repeat);
    this.#await();
  }

  /** What seemed to be the end of a code was that of a line. */
  #addLine() {
    this.#isEnding = false;
    this.#isSeveral = true;
    this.#insert(" ");
  }

  #insert(sign) {
    const { selectionStart, selectionEnd } = this.#input;
    this.#input.setRangeText(sign, selectionStart, selectionEnd, "end");
  }

  /** Of people it leads on; a scanner may end a code of one character by it, which looks the same. */
  #tab(event) {
    if (this.#typing.isOwnEnd(event.code, event.timeStamp)) return this.#end(event);
    this.#isLeft = this.#input.value !== "";
    this.#isTabNear = this.#typing.isNear(event.timeStamp);
  }

  /** What is typed elsewhere is another text. */
  #leave() {
    const { value } = this.#input;
    this.#input.value = "";
    this.#isLeft = false;
    this.#typing.end();
    // People who go on to a button do not type there.
    if (this.#isTabNear) this.#typing.terminator = "Tab";
    this.#remember();
    this.#tellOff({ value, verdict: "unended" });
  }

  /** Of people it waits: a scanner may send one in front of its code. */
  #pressEnter(event, isHere) {
    const { target, code, timeStamp } = event;
    this.#isBroken ||= isNear(event, this.#moved);
    const isOwn = this.#typing.isOwnEnd(code, timeStamp) || this.#typing.isNear(timeStamp, FAST_MS);
    if (this.#isBroken || (isHere && isOwn)) return this.#end(event);
    const taker = isHere ? this.#input : target.closest?.(TAKERS);
    if (!taker) return;
    stop(event);
    if (event.repeat) return;
    clearTimeout(this.#later);
    this.#isEnding = isHere && this.#typing.isNear(timeStamp);
    this.#later = setTimeout(() => (isHere ? this.#finish(event) : taker.click()), TERMINATOR_MS);
  }

  /** A terminator, or the end of a line: what follows at once tells. */
  #end(event) {
    stop(event);
    if (event.repeat) return;
    this.#isEnding = true;
    this.#ended = event.timeStamp;
    this.#later = setTimeout(() => this.#finish(event), this.#typing.lineGap);
  }

  /** What follows of it (CR LF) finds an empty field. */
  #finish(event) {
    this.#ended = event.timeStamp;
    this.#typing.endBy(event.code, event.timeStamp);
    this.#remember();
    this.#enter();
  }

  #remember() {
    const { terminator } = this.#typing;
    if (terminator === null) sessionStorage.removeItem(TERMINATOR);
    else sessionStorage.setItem(TERMINATOR, terminator);
  }

  #control(event) {
    if (!this.#typing.isOwnEnd(event.code, event.timeStamp)) return;
    if (ENDS.has(event.code)) return this.#end(event);
    if (event.code !== GS) return;
    // Part of some codes, and the end of others: what comes next tells.
    event.preventDefault();
    this.#note(event);
    this.#insert(GS_SIGN);
  }

  #await() {
    clearTimeout(this.#timer);
    const due = this.#typing.due(performance.now()) ?? (this.#isBroken ? LOST_MS : null);
    if (due !== null) return this.#wakeIn(due);
    this.#timer = setTimeout(() => this.dispatchEvent(new Event("rests")), RESTS_MS);
  }

  #wakeIn(ms) {
    const planned = performance.now() + ms;
    this.#timer = setTimeout(() => this.#judge(performance.now() - planned), ms);
  }

  #judge(lateness) {
    const verdict = this.#typing.judge(performance.now(), lateness);
    if (verdict === "wait") return this.#wakeIn(Math.max(this.#typing.due(performance.now()), TURN_MS));
    if (this.#isBroken || this.#isSeveral || this.#input.value.endsWith(GS_SIGN)) return this.#enter();
    if (verdict === "ended") return this.#enter({ endedBy: "pause" });
    this.#lose();
  }

  #lose() {
    const { value } = this.#input;
    const { beginning } = this.#typing;
    this.#typing.lose();
    if (this.#isLeft && this.#isTabNear) this.#typing.terminator = "Tab";
    this.#isLeft = false;
    this.#remember();
    this.#tellOff({ value: value.slice(0, beginning), verdict: "unended" });
    this.#tellOff({ value: value.slice(beginning), verdict: "unended" });
    this.#putBack();
  }

  #enter({ endedBy = null } = {}) {
    clearTimeout(this.#timer);
    clearTimeout(this.#later);
    const { value } = this.#input;
    // What is typed ends where the caret is; behind it stands what was left.
    const typed = this.#input.selectionStart;
    const isUnclear = this.#follows || this.#typing.isUnclear(typed < value.length);
    const refused = (this.#isBroken && "unread") || (this.#isSeveral && "several");
    const { beginning, goesOn, isSure } = this.#typing;
    this.#typing.end(endedBy !== null);
    const isPutBack = this.#isPutBack;
    const isCaps = this.#isCaps;
    this.#isCaps = this.#isLeft = this.#isBroken = this.#follows = this.#isPutBack = false;
    this.#isEnding = this.#isSeveral = false;
    this.#input.value = "";
    this.#change();
    if (refused) return this.#tell({ value, verdict: refused });
    if (!value) return;
    if (isPutBack) {
      this.#tell({ value, verdict: "unended" });
      return this.restore(value);
    }
    const end = isSure || isUnclear ? typed : value.length;
    const left = value.slice(0, beginning) + value.slice(end);
    const code = value.slice(beginning, end).replace(/\x1d+$/, "");
    if (isUnclear) {
      this.#tellOff({ value: left, verdict: "unclear" });
      return this.#tellOff({ value: code, verdict: "unclear" });
    }
    const said = BLANK.test(code) ? { verdict: "unread" } : { endedBy, goesOn, isCaps };
    this.#tell({ value: code, ...said });
    // What a scanner typed behind something that was left there is a code of its own.
    this.#tellOff({ value: left, verdict: "unended" });
    if (left) this.restore(left);
  }

  #tellOff(detail) {
    if (detail.value) this.#tell(detail);
  }

  /** What is pasted, dropped or put by a device is one code: the field would make one of several. */
  #refuseLines(event) {
    const text = event.data?.trim();
    if (!LINES.test(text)) return;
    event.preventDefault();
    this.#tell({ value: text, verdict: "several" });
  }

  #tell(detail) {
    this.dispatchEvent(new CustomEvent("entered", { detail }));
  }
}

function stop(event) {
  event.preventDefault();
  event.stopPropagation();
}

function isNear({ timeStamp }, time, within = TERMINATOR_MS) {
  return timeStamp - time <= within;
}

function isText({ key }) {
  return key.length === 1 || OTHER_TEXT.has(key);
}

function isControl(event) {
  return (event.ctrlKey || event.metaKey) && !event.getModifierState("AltGraph");
}
