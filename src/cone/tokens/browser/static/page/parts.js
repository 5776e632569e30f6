// Many tokens are added in parts: each is the same form with a smaller number and a key of its own.

import { tellFailure } from "./alert.js";
import { ask, contentOf } from "./request.js";
import { randomKey } from "../random.js";
import { filled } from "../texts.js";

/** Whether a form is sent in parts: it asks for a number that is possible. */
export function hasParts(form) {
  const field = form.dataset.parts && countOf(form);
  const count = Number(field?.value);
  return Number.isInteger(count) && count >= 1 && count <= Number(field.max);
}

export async function sendInParts(form, { settings, place, show }) {
  const size = Number(form.dataset.parts);
  const all = Number(countOf(form).value);
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  const progress = all > size ? openProgress(settings, all) : NO_PROGRESS;
  const keys = (form.partKeys ??= []);
  const made = (form.made ??= []);
  while (!progress.isCancelled && doneOf(made) < all) {
    progress.show(doneOf(made));
    const number = made.length;
    keys[number] ??= number ? randomKey() : form.querySelector("[name$='.key']").value;
    const count = Math.min(size, all - doneOf(made));
    const answer = await ask(form.action, { method: "POST", body: part(form, count, keys[number]) });
    if (!answer.json) return fail(answer);
    made.push(answer.json);
  }
  finish();
  if (made.length) location.assign(addressOf(form, made));

  /** Sent again, it goes on where it stopped, with the same key: nothing is added twice. */
  function fail(answer) {
    finish();
    const content = contentOf(answer);
    if (content) countOf(show(content, answer)).value = all;
    else tellFailure(place, settings, answer);
  }

  function finish() {
    progress.close();
    form.ariaBusy = null;
  }
}

const NO_PROGRESS = { isCancelled: false, show() {}, close() {} };

function countOf(form) {
  return form.querySelector("[name$='.count']");
}

function doneOf(made) {
  return made.reduce((sum, { count }) => sum + Number(count), 0);
}

function part(form, count, key) {
  const fields = new URLSearchParams(new FormData(form));
  fields.set(countOf(form).name, count);
  fields.set(form.querySelector("[name$='.key']").name, key);
  fields.set(`${form.id.replace(/^form-/, "")}.part`, "1");
  fields.set(`action.${form.id.replace(/^form-/, "")}.save`, "1");
  return fields;
}

function addressOf(form, made) {
  const { first, prefix } = made[0];
  const { last } = made.at(-1);
  return `${form.action}?${new URLSearchParams({ first, last, prefix, count: doneOf(made) })}`;
}

function openProgress({ texts, lang }, all) {
  const dialog = document.getElementById("tokens-progress");
  const bar = dialog.querySelector("progress");
  const progress = {
    isCancelled: false,
    show(done) {
      bar.max = all;
      bar.value = done;
      const facts = { done: done.toLocaleString(lang), all: all.toLocaleString(lang) };
      dialog.querySelector("[role=status]").textContent = filled(texts.progress, facts);
    },
    close() {
      dialog.close();
    },
  };
  const cancel = (event) => {
    event.preventDefault();
    progress.isCancelled = true;
  };
  dialog.oncancel = cancel;
  dialog.querySelector("button").onclick = cancel;
  dialog.showModal();
  return progress;
}
