// Forms are sent without leaving the page: nothing that was typed is lost where that fails.

import { announce, tellFailure } from "./alert.js";
import { askByForm, contentOf } from "./request.js";

/** Send a form that changes something, and show what came of it in its place. */
export async function send(form, submitter, { place, settings, show }) {
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  const answer = await askByForm(form, submitter);
  form.ariaBusy = null;
  const content = contentOf(answer);
  if (!content) {
    tellFailure(place, settings, answer);
  } else if (answer.isMoved && !isHere(answer.url)) {
    location.assign(answer.url);
  } else {
    if (answer.isMoved) history.replaceState(null, "", answer.url);
    focusAgain(show(content, answer), submitter);
  }
}

function isHere(url) {
  return new URL(url).pathname === location.pathname;
}

/** Keep the place of who works with the keyboard: a mistake, else the control that was used. */
function focusAgain(place, submitter) {
  const { key } = submitter?.dataset ?? {};
  const same = key && place.querySelector(`[data-key="${CSS.escape(key)}"]`);
  const target = place.querySelector("[aria-invalid=true]") ?? same ?? place.querySelector("h1, h2");
  if (!target?.matches("a, button, input, select, textarea")) target?.setAttribute("tabindex", "-1");
  target?.focus({ preventScroll: Boolean(same) });
  announce(place);
}
