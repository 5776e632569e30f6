// Where the device stands: at which checkpoint, and which way people go there.

import { filled } from "../texts.js";
import { visible } from "./shown.js";

/** This device keeps the checkpoint, this tab the direction. */
const CHECKPOINT = "cone.tokens.checkpoint";
const DIRECTION = "cone.tokens.direction";
const NONE = "none";

/** Events: `changed` with the place as the machine has it, `chosen` when somebody chose. */
export class Place extends EventTarget {
  #root;
  #select;
  #directions;
  #note;
  #checkpoints;
  #texts;

  constructor(root, checkpoints, texts) {
    super();
    this.#root = root;
    this.#checkpoints = checkpoints;
    this.#texts = texts;
    this.#select = root.querySelector("select");
    this.#directions = root.querySelector("fieldset");
    this.#note = root.querySelector("[role=status]");
    root.addEventListener("change", () => this.#choose());
  }

  /** Begin with what was chosen on this device before. */
  start() {
    const direction = sessionStorage.getItem(DIRECTION) ?? "in";
    this.#directions.querySelector(`[value=${direction}]`).checked = true;
    const kept = JSON.parse(localStorage.getItem(CHECKPOINT));
    if (kept) this.#restore(kept.name);
    this.#tell();
  }

  /** The settings have the checkpoint no more. */
  lose() {
    const { name } = this.#chosen ?? {};
    if (!name) return;
    this.#select.selectedOptions[0].remove();
    this.#miss(name);
    this.#tell();
  }

  #restore(name) {
    const index = this.#checkpoints.findIndex((one) => one.name === name);
    if (name !== null && index < 0) this.#miss(name);
    else this.#select.value = name === null ? NONE : index;
  }

  #miss(name) {
    localStorage.removeItem(CHECKPOINT);
    this.#select.value = "";
    this.#note.textContent = filled(this.#texts.checkpoint_gone, { name: visible(name) });
  }

  #choose() {
    this.#note.textContent = "";
    const { name = null } = this.#chosen ?? {};
    if (this.#select.value) localStorage.setItem(CHECKPOINT, JSON.stringify({ name }));
    sessionStorage.setItem(DIRECTION, this.#direction);
    this.#tell();
    this.dispatchEvent(new Event("chosen"));
  }

  /** The checkpoint that is chosen; none where nothing is, or explicitly none. */
  get #chosen() {
    const { value } = this.#select;
    return value ? this.#checkpoints[Number(value)] : undefined;
  }

  get #direction() {
    return this.#directions.querySelector(":checked").value;
  }

  #tell() {
    const { value } = this.#select;
    const chosen = this.#chosen;
    const has = Boolean(chosen?.has_directions);
    this.#directions.hidden = !has;
    this.#root.dataset.direction = has ? this.#direction : "none";
    this.#root.classList.toggle("is-missing", !value);
    this.dispatchEvent(new CustomEvent("changed", { detail: this.#place(value, chosen, has) }));
  }

  #place(value, chosen, hasDirections) {
    if (!value) return { isMissing: true };
    if (!chosen) return null;
    const { name: checkpoint, categories, sound } = chosen;
    return { checkpoint, categories, sound, ...(hasDirections && { direction: this.#direction }) };
  }
}
