// The one alert region of a page, or of the dialog over it.

import { failureName } from "../failures.js";
import { filled } from "../texts.js";

/** Tell what went wrong with a request. Whatever was typed stays where it is. */
export function tellFailure(place, { texts }, { status, page }) {
  const name = status === 200 ? "no_answer" : failureName(status);
  const parts = [element("p", texts[name])];
  const reference = page?.querySelector("[data-reference]")?.textContent;
  if (reference) parts.push(element("p", filled(texts.reference, { reference })));
  if (name === "signed_out") parts.push(signInLink(texts));
  tell(place, parts);
}

/** Add something to what is told about a failure. */
export function addToFailure(place, text) {
  place.querySelector(".tokens-alert > *").append(element("p", text));
}

function tell(place, parts) {
  const note = document.createElement("div");
  note.className = "alert alert-danger";
  note.append(...parts);
  const region = place.querySelector(".tokens-alert");
  region.replaceChildren(note);
  region.scrollIntoView({ block: "nearest" });
}

/** What is in the region already is said aloud only when it comes anew. */
export function announce(place) {
  const region = place.querySelector(".tokens-alert");
  const notes = [...(region?.children ?? [])];
  if (!notes.length) return;
  region.replaceChildren();
  requestAnimationFrame(() => region.replaceChildren(...notes));
}

function signInLink(texts) {
  const link = element("a", texts.sign_in);
  link.href = location.href;
  link.target = "_blank";
  link.rel = "noopener";
  return link;
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
