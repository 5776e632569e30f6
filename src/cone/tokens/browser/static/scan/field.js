// The field for a value: typed by people, or by a hand-held scanner that is a keyboard.

import { Burst, PAUSE_MS } from "./burst.js";

/** Where text is typed. A scanner is heard where letters have any other meaning. */
const TEXT = "input[type=text], textarea";

/** Events: `entered` {value}. */
export class ValueField extends EventTarget {
  #form;
  #input;
  #burst = new Burst();
  #timer;

  constructor(form) {
    super();
    this.#form = form;
    this.#input = form.elements.namedItem("value");
    form.addEventListener("submit", (event) => this.#submit(event));
    this.#input.addEventListener("input", (event) => this.#read(event));
    this.#input.addEventListener("keydown", (event) => this.#endByTab(event));
    // The keyboard on the screen comes when somebody taps the field, not with a scanner's keys.
    this.#input.addEventListener("pointerdown", () => this.#input.removeAttribute("inputmode"));
    document.addEventListener("keydown", (event) => this.#catch(event));
  }

  /** Take a value back whose fate is not known; what stands there is not lost for it. */
  restore(value) {
    if (!this.#input.value) this.#input.value = value;
    this.focus();
  }

  /** Empty the field, if it still has the value. */
  finish(value) {
    if (this.#input.value === value) this.#input.value = "";
  }

  /** Have the next keys arrive here. */
  focus() {
    if (document.activeElement !== this.#input) this.#input.inputMode = "none";
    this.#input.focus({ preventScroll: true });
    this.#input.select();
  }

  #submit(event) {
    event.preventDefault();
    this.#enter();
  }

  #enter() {
    clearTimeout(this.#timer);
    this.#burst.clear();
    const { value } = this.#input;
    if (!value) return;
    // What a scanner types next takes its place.
    this.#input.select();
    this.dispatchEvent(new CustomEvent("entered", { detail: { value } }));
  }

  /** The time is that of the key: the page may have been busy since. */
  #read(event) {
    clearTimeout(this.#timer);
    if (event.inputType !== "insertText") return this.#burst.clear();
    this.#burst.add(event.timeStamp);
    if (this.#burst.isScan) this.#timer = setTimeout(() => this.#enter(), PAUSE_MS);
  }

  #endByTab(event) {
    if (event.key !== "Tab" || !this.#burst.isScan) return;
    event.preventDefault();
    this.#enter();
  }

  /** Lead keys here that are typed elsewhere; the browser enters them where the focus is then. */
  #catch(event) {
    const isText = event.key.length === 1 && event.key !== " ";
    const isShortcut = (event.ctrlKey || event.metaKey) && !event.getModifierState("AltGraph");
    if (isText && !isShortcut && !event.target.closest?.(TEXT)) this.focus();
  }
}
