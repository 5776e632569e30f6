// The answer: it fills the screen for a moment, then stays as a line above the field.

import { GRANTED, REFUSED, UNKNOWN, VALID } from "./answers.js";
import { filled } from "../texts.js";
import { shortened, visible } from "./shown.js";

/** How long an answer fills the screen; one that is not known stays until it is. */
const SHOWN_MS = { [GRANTED]: 1_500, [VALID]: 1_500, [REFUSED]: 4_000 };
const UNLIMITED = -1;

const WORDS = { [GRANTED]: "granted", [REFUSED]: "refused", [VALID]: "checked" };

/** Events: `retry`, `give_up`. */
export class ResultPanel extends EventTarget {
  #root;
  #alert;
  #whole;
  #texts;
  #time;
  #timer;
  #shown = null;

  constructor(root, texts, formatTime) {
    super();
    this.#root = root;
    this.#texts = texts;
    this.#time = formatTime;
    this.#alert = root.querySelector("[role=alert]");
    this.#whole = root.querySelector("details");
    this.#button("retry").addEventListener("click", () => this.#tell("retry"));
    this.#button("give_up").addEventListener("click", () => this.#tell("give_up"));
    this.#button("continue").addEventListener("click", () => this.shrink());
    // Who reads the whole value needs time for it.
    this.#whole.addEventListener("toggle", () => this.#startTimer());
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.shrink());
  }

  /** The value is on its way: the answer before stands no longer for what is in front of one. */
  wait(value) {
    this.#show("waiting", { word: this.#texts.waiting, value }, { isBig: false });
  }

  show(value, outcome) {
    const isUnknown = outcome.kind === UNKNOWN;
    // Asked again, still nothing: that is told once.
    if (isUnknown && this.#isShown(value, outcome)) return;
    const word = this.#texts[isUnknown ? `${outcome.reason}_word` : `word_${WORDS[outcome.kind]}`];
    this.#show(outcome.kind, { word, value, outcome }, { isBig: true });
    this.#button("retry").hidden = this.#button("give_up").hidden = !isUnknown;
    this.#button("sign_in").hidden = outcome.reason !== "signed_out";
    this.#button("continue").hidden = isUnknown;
  }

  /** Add what was learnt about a token since it was refused. */
  add(value, outcome) {
    if (this.#shown?.value !== value || this.#root.dataset.kind !== REFUSED) return;
    // The reason of the refusal stays: the token may have changed in between.
    const { reason } = this.#shown.outcome;
    const isMore = reason === "reason_out_of_time" || reason === outcome.reason;
    this.#shown.outcome = { ...outcome, kind: REFUSED, reason: isMore ? outcome.reason : reason };
    this.#fill();
  }

  /** Make room for the page; the answer stays as a line. */
  shrink() {
    clearTimeout(this.#timer);
    this.#root.classList.remove("is-big");
    this.#button("continue").hidden = true;
    if (this.#root.dataset.kind !== UNKNOWN) this.#whole.open = false;
  }

  clear() {
    this.shrink();
    this.#shown = null;
    this.#root.dataset.kind = "none";
    this.#alert.replaceChildren();
    for (const name of ["retry", "give_up", "sign_in", "continue"]) this.#button(name).hidden = true;
    this.#whole.hidden = true;
  }

  #isShown(value, outcome) {
    const shown = this.#shown;
    return shown?.value === value && shown.outcome?.reason === outcome.reason;
  }

  #show(kind, shown, { isBig }) {
    this.clear();
    this.#shown = shown;
    this.#root.dataset.kind = kind;
    this.#root.classList.toggle("is-big", isBig);
    this.#fill();
    this.#startTimer();
  }

  #startTimer() {
    clearTimeout(this.#timer);
    const shownMs = SHOWN_MS[this.#root.dataset.kind];
    if (!shownMs || this.#whole.open || !this.#root.classList.contains("is-big")) return;
    this.#timer = setTimeout(() => this.shrink(), shownMs);
  }

  #fill() {
    const { word, value, outcome } = this.#shown;
    const text = visible(value);
    const short = shortened(text);
    const parts = [icon(this.#root.dataset.kind), element("p", "word", word)];
    const reason = outcome && this.#reason(outcome);
    if (reason) parts.push(element("p", "reason", reason));
    const shownValue = element("p", "value");
    shownValue.append(element("bdi", "", short));
    parts.push(shownValue, ...this.#facts(outcome ?? {}));
    this.#alert.replaceChildren(...parts.filter(Boolean));
    this.#whole.hidden = short === text;
    this.#whole.querySelector("bdi").textContent = text;
  }

  #reason({ kind, reason, time }) {
    if (kind === UNKNOWN) return this.#texts[`${reason}_text`];
    if (kind === GRANTED) return null;
    const text = time && this.#texts[`${reason}_time`];
    return text ? filled(text, { time: this.#time(time) }) : this.#texts[reason];
  }

  #facts({ kind, uses, lastUsed }) {
    const facts = [];
    if (Number.isInteger(uses)) {
      facts.push([this.#texts.uses_left, uses === UNLIMITED ? this.#texts.unlimited : uses]);
    }
    const last = kind === GRANTED ? this.#texts.now : lastUsed && this.#time(lastUsed);
    if (last) facts.push([this.#texts.last_use, last]);
    else if (lastUsed === null) facts.push([this.#texts.last_use, this.#texts.never]);
    return facts.map(([name, text]) => element("p", "fact", `${name}: ${text}`));
  }

  #button(name) {
    return this.#root.querySelector(`[data-action=${name}]`);
  }

  #tell(name) {
    this.dispatchEvent(new Event(name));
  }
}

function element(name, css, text = "") {
  const made = document.createElement(name);
  made.className = css;
  made.textContent = text;
  return made;
}

function icon(kind) {
  return document.getElementById(`icon-${kind}`)?.content.firstElementChild.cloneNode(true);
}
