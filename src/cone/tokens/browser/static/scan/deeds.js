// What a ticket can be asked for once it was told: taken back, several more, let in anyway, made.

import { filled } from "../texts.js";
import { UNDO_MS } from "./machine.js";
import { shortened, visible } from "./shown.js";
import { Typing } from "./typing.js";

const SECOND_MS = 1_000;
const LONGEST_REASON = 200;

/** Events: those of the machine as `pressed`, `scanned` {value}, and `done` when a form is gone. */
export class Deeds extends EventTarget {
  #root;
  #texts;
  #shown = "";
  #undo = null;
  #timer;

  constructor(actions, texts) {
    super();
    this.#texts = texts;
    this.#root = document.createElement("div");
    this.#root.className = "deeds";
    actions.prepend(this.#root);
  }

  /** What is offered already stays as it is. */
  draw({ scan, offers, isNew, isGuarded }) {
    const shown = JSON.stringify([scan?.id, offers]);
    if (shown !== this.#shown) this.#fill(offers);
    this.#shown = shown;
    // A tap may be meant for what stood there before.
    for (const button of this.#root.querySelectorAll("button")) {
      button.disabled = isNew || isGuarded;
    }
  }

  #fill(offers) {
    clearInterval(this.#timer);
    const had = this.#root.contains(document.activeElement);
    this.#root.replaceChildren(...this.#parts(offers));
    this.#root.hidden = !this.#root.childElementCount;
    this.#root.querySelector("input")?.focus();
    if (had && !this.#root.querySelector("input")) this.dispatchEvent(new Event("done"));
  }

  #parts({ asked, categories, undo, counts, all, override, add }) {
    const texts = this.#texts;
    if (asked === "override") return [this.#form()];
    if (asked === "add") return this.#adder(categories);
    const parts = counts?.length ? [this.#counter(counts, all)] : [];
    if (override) parts.push(this.#button(texts.override, { type: "decide", asked: "override" }));
    if (add) parts.push(this.#button(texts.add, { type: "decide", asked: "add" }));
    if (undo) parts.push(this.#undoer(undo));
    return parts;
  }

  #button(text, event) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", () => this.#press(event));
    return button;
  }

  #press(detail) {
    this.dispatchEvent(new CustomEvent("pressed", { detail }));
  }

  #counter(counts, all) {
    const group = document.createElement("div");
    group.className = "counts-more";
    group.setAttribute("role", "group");
    group.ariaLabel = this.#texts.take_more;
    group.append(
      ...counts.map((uses) => {
        const text = uses === all && all > 1 ? this.#texts.take_all : "+${count}";
        return this.#button(filled(text, { count: uses }), { type: "take", uses });
      }),
    );
    return group;
  }

  #undoer({ id }) {
    if (this.#undo?.id !== id) this.#undo = { id, until: performance.now() + UNDO_MS };
    const button = this.#button(`${this.#texts.undo} `, { type: "undo" });
    const left = document.createElement("span");
    left.ariaHidden = "true";
    button.append(left);
    const count = () => {
      const ms = Math.max(this.#undo.until - performance.now(), 0);
      left.textContent = Math.ceil(ms / SECOND_MS);
    };
    count();
    this.#timer = setInterval(count, SECOND_MS);
    return button;
  }

  /** Scanners press Enter: a ticket is made only by who means it, of a category that is good here. */
  #adder(categories) {
    const parts = categories.map((category) => this.#maker(category));
    return parts.length ? parts : [this.#maker()];
  }

  #maker(category) {
    const text = this.#texts.add_confirm;
    const shown = category ? `${text}: ${shortened(visible(category))}` : text;
    const button = this.#button(shown, { type: "confirm", category });
    button.className = "primary";
    button.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
    return button;
  }

  #form() {
    const form = document.createElement("form");
    const label = document.createElement("label");
    const input = document.createElement("input");
    const button = document.createElement("button");
    label.textContent = this.#texts.override_reason;
    input.type = "text";
    input.maxLength = LONGEST_REASON;
    input.autocomplete = "off";
    button.className = "primary";
    button.textContent = this.#texts.override_confirm;
    label.append(input);
    form.append(label, button);
    const typing = new Typing();
    input.addEventListener("keydown", (event) => note(typing, input, event));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(input, typing);
    });
    return form;
  }

  /** What a scanner types there is a scan, and no reason. */
  #submit(input, typing) {
    const { value } = input;
    if (typing.isScan) {
      const start = typing.beginning;
      input.value = value.slice(0, start);
      typing.end();
      const detail = { value: value.slice(start) };
      this.dispatchEvent(new CustomEvent("scanned", { detail }));
    } else if (value.trim()) this.#press({ type: "confirm", reason: value.trim() });
  }
}

function note(typing, input, { key, timeStamp, repeat }) {
  if (key.length === 1) typing.add(timeStamp, performance.now(), input.selectionStart, repeat);
}
