// Finds tickets by parts of their labels and codes, while people type.
//
// Nothing is redeemed by typing: the code in the field is one thing, what is chosen below it another.

import { filled } from "../texts.js";
import { STATUSES, lookUp } from "./answers.js";
import { FOUND, foundValue } from "./machine.js";
import { visible } from "./shown.js";

const LEAST = 3;
/** After a pause of people; a scanner has ended its code by then. */
const PAUSE_MS = 400;
/** A hit takes no press until it was seen: a finger may be on its way to what stood there. */
const NEW_MS = 900;

/** Events: `chosen` {value, name}. */
export class Finder extends EventTarget {
  #field;
  #server;
  #texts;
  #list;
  #note;
  #timer;
  #newTimer;
  #top = 0;
  /** Searches are numbered: an older answer is none. */
  #number = 0;
  /** What the list is about. */
  #sought = "";
  /** What was found last: {sought, hits}. */
  #last = null;

  constructor(root, field, server, texts) {
    super();
    this.#field = field;
    this.#server = server;
    this.#texts = texts;
    this.#list = root.querySelector("ul");
    this.#note = root.querySelector("[role=status]");
    field.addEventListener("changed", () => this.#plan());
    field.addEventListener("down", () => this.#move(this.#buttons[0]));
    this.#list.addEventListener("keydown", (event) => this.#press(event));
    root.hidden = false;
    // It may have been typed before this was loaded.
    this.#plan();
  }

  /** Whether `value` is what the list was about, and who enters it saw that. */
  hasFound(value) {
    return this.#last?.sought === value.trim();
  }

  clear() {
    this.#last = null;
    this.#empty();
    this.#sought = "";
  }

  /** Show again what was found: the text is no code. */
  offer() {
    if (!this.#last) return;
    this.#sought = this.#last.sought;
    this.#show(this.#last.hits);
    this.#move(this.#buttons[0]);
  }

  /** What moved is as new as what appeared. */
  settle() {
    const top = Math.round(this.#list.getBoundingClientRect().top + scrollY);
    if (top !== this.#top) this.#beNew();
    this.#top = top;
  }

  #beNew() {
    clearTimeout(this.#newTimer);
    this.#list.classList.add("is-new");
    this.#newTimer = setTimeout(() => this.#list.classList.remove("is-new"), NEW_MS);
  }

  #empty() {
    clearTimeout(this.#timer);
    this.#number += 1;
    this.#show([]);
    this.#note.textContent = "";
  }

  #plan() {
    const sought = this.#field.typed.trim();
    if (sought === this.#sought) return;
    if (sought) this.#last = null;
    this.#empty();
    this.#sought = sought;
    if (sought.length >= LEAST) this.#timer = setTimeout(() => this.#find(sought), PAUSE_MS);
  }

  async #find(sought) {
    const number = ++this.#number;
    const said = await this.#server.find({ search: sought });
    if (number !== this.#number) return;
    const hits = (said.status === 200 && said.body?.hits) || null;
    this.#last = hits?.length ? { sought, hits } : null;
    this.#show(hits ?? []);
    this.#note.textContent = hits ? this.#told(hits, said.body.has_more) : this.#failure(said);
  }

  #failure(said) {
    const word = this.#texts[`${lookUp(said).reason}_word`] ?? "";
    return filled(word, { user: visible(this.#server.user ?? "") });
  }

  #told(hits, hasMore) {
    if (!hits.length) return this.#texts.found_none;
    const count = hits.length;
    return filled(hasMore ? this.#texts.found_first : this.#texts.found_count, { count });
  }

  #show(hits) {
    this.#list.replaceChildren(...hits.map((hit) => this.#item(hit)));
    this.#list.scrollTop = 0;
    this.#beNew();
  }

  #item({ found, label, category, status }) {
    const button = document.createElement("button");
    button.type = "button";
    const name = label === null ? this.#texts.no_label : visible(label);
    const word = status === "consumable" ? "granted_word" : `${STATUSES[status]}_word`;
    button.append(part("label", name), category ? part("category", visible(category)) : "");
    button.append(part("status", this.#texts[word]));
    button.dataset.status = status;
    button.addEventListener("click", () => this.#choose(found, name));
    const item = document.createElement("li");
    item.append(button);
    return item;
  }

  #choose(number, name) {
    if (this.#list.classList.contains("is-new")) return;
    this.#field.clear();
    this.clear();
    this.#field.focus();
    const detail = { value: foundValue(number), by: FOUND, name };
    this.dispatchEvent(new CustomEvent("chosen", { detail }));
  }

  get #buttons() {
    return [...this.#list.querySelectorAll("button")];
  }

  #press(event) {
    const place = this.#buttons.indexOf(event.target);
    if (event.key === "ArrowDown") this.#move(this.#buttons[place + 1]);
    else if (event.key === "ArrowUp" && place) this.#move(this.#buttons[place - 1]);
    else if (event.key === "ArrowUp" || event.key === "Escape") this.#field.focus();
    else return;
    event.preventDefault();
  }

  #move(button) {
    button?.focus();
  }
}

function part(css, text) {
  const made = document.createElement("bdi");
  made.className = css;
  made.textContent = text;
  return made;
}
