// Many tokens are added in parts: each is the same form with a smaller number and a key of its own.

import { randomKey } from "../random.js";
import { filled } from "../texts.js";
import { addToFailure, tellFailure } from "./alert.js";
import { ask, contentOf } from "./request.js";

/** Whether a form is sent in parts: it asks for a number that is possible. */
export function hasParts(form) {
  const field = form.dataset.parts && fieldOf(form, "count");
  const count = Number(field?.value);
  return Number.isInteger(count) && count >= 1 && count <= Number(field.max);
}

/** Forms that stopped in the middle. */
const begun = new WeakMap();

export async function sendInParts(form, { settings, place }) {
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  const work = begun.get(form) ?? new Work(form);
  const progress = work.isLarge ? openProgress(settings, work) : NO_PROGRESS;
  let answer = null;
  while (!progress.isCancelled && !work.isDone) {
    progress.show();
    answer = await ask(form.action, { method: "POST", body: work.nextPart() });
    if (!work.take(answer)) break;
    answer = null;
  }
  progress.close();
  form.ariaBusy = null;
  if (answer) stop(form, work, answer, { settings, place });
  else if (work.made.length) location.assign(work.address);
}

/** Sent again, it goes on where it stopped, with the same key: nothing is added twice. */
function stop(form, work, answer, { settings, place }) {
  const content = work.made.length ? null : contentOf(answer);
  if (content) {
    fieldOf(place.show(content, answer), "count").value = work.all;
    return;
  }
  tellFailure(place.root, settings, answer);
  if (!work.made.length) return;
  const { texts, lang } = settings;
  addToFailure(place.root, filled(texts.parts_left, work.facts(lang)));
  begun.set(form, work);
  // The rest is to be like what is there already.
  for (const field of form.querySelectorAll("input:not([type=submit])")) field.disabled = true;
}

/** What is to be added, and what is there already. */
class Work {
  made = [];
  #action;
  #fields;
  #names;
  #key = null;
  #size;

  constructor(form) {
    this.#action = form.action;
    this.#size = Number(form.dataset.parts);
    this.#fields = new URLSearchParams(new FormData(form));
    this.#names = { count: fieldOf(form, "count").name, key: fieldOf(form, "key").name };
    const [name] = this.#names.count.split(".");
    this.#fields.set(`${name}.part`, "1");
    this.#fields.set(`action.${name}.save`, "1");
    this.all = Number(fieldOf(form, "count").value);
  }

  get isLarge() {
    return this.all > this.#size;
  }

  get done() {
    return this.made.reduce((sum, { count }) => sum + Number(count), 0);
  }

  get isDone() {
    return this.done >= this.all;
  }

  /** The same part with the same key until its answer is there. */
  nextPart() {
    this.#key ??= this.made.length ? randomKey() : this.#fields.get(this.#names.key);
    this.#fields.set(this.#names.key, this.#key);
    this.#fields.set(this.#names.count, Math.min(this.#size, this.all - this.done));
    return this.#fields;
  }

  /** Whether an answer says that the part is there. */
  take({ status, json }) {
    if (status !== 200 || !(Number(json?.count) > 0)) return false;
    this.made.push(json);
    this.#key = null;
    return true;
  }

  facts(lang) {
    return { done: this.done.toLocaleString(lang), all: this.all.toLocaleString(lang) };
  }

  /** Where the tokens are listed that were made. */
  get address() {
    const { first, prefix } = this.made[0];
    const { last } = this.made.at(-1);
    return `${this.#action}?${new URLSearchParams({ first, last, prefix, count: this.done })}`;
  }
}

const NO_PROGRESS = { isCancelled: false, show() {}, close() {} };

function openProgress({ texts, lang }, work) {
  const dialog = document.getElementById("tokens-progress");
  const [bar, note, button] = ["progress", "[role=status]", "button"].map((it) => dialog.querySelector(it));
  const progress = {
    isCancelled: false,
    show() {
      bar.max = work.all;
      bar.value = work.done;
      note.textContent = filled(texts.progress, work.facts(lang));
    },
    close() {
      dialog.close();
    },
  };
  const cancel = (event) => {
    event.preventDefault();
    progress.isCancelled = true;
    // The part that is on its way is waited for.
    button.disabled = true;
    note.textContent = texts.stopping;
  };
  button.disabled = false;
  button.onclick = dialog.oncancel = cancel;
  dialog.showModal();
  // Not the button: who presses Enter once more does not mean to cancel.
  dialog.querySelector("h2").focus();
  return progress;
}

function fieldOf(root, name) {
  return root.querySelector(`[name$=".${name}"]`);
}
