// Forms are sent without leaving the page: nothing that was typed is lost where that fails.

import { announce, tellFailure } from "./alert.js";
import { showInDialog, showInPage, sectionOfPage } from "./place.js";
import { ask, askByForm, contentOf } from "./request.js";

/** Send a form that changes something, and show what came of it in its place. */
export async function send(form, submitter, { place, settings }) {
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  const answer = await askByForm(form, submitter);
  form.ariaBusy = null;
  const content = contentOf(answer);
  if (!content) {
    tellFailure(place.root, settings, answer);
  } else if (answer.isMoved && !isHere(answer.url)) {
    location.assign(answer.url);
  } else {
    if (answer.isMoved) history.replaceState(null, "", answer.url);
    focusAgain(place.show(content, answer), submitter);
  }
}

/** Open what a link or a button leads to in a dialog. */
export async function openDialog(origin, submitter, { place, settings }) {
  // Pressed twice, there is one dialog.
  if (document.body.ariaBusy === "true") return;
  document.body.ariaBusy = "true";
  const answer = await (submitter ? askByForm(origin, submitter) : ask(origin.href));
  document.body.ariaBusy = null;
  const content = contentOf(answer);
  if (!content) tellFailure(place.root, settings, answer);
  else if (isPageAgain(content)) focusAgain(showInPage(content), submitter);
  else showInDialog(content);
}

/** Nothing to ask: the page comes again, with a note. */
function isPageAgain(content) {
  const { page } = content.dataset;
  return page !== undefined && page === sectionOfPage()?.dataset.page;
}

function isHere(url) {
  return new URL(url).pathname === location.pathname;
}

/** Keep the place of who works with the keyboard: a mistake, else the control that was used. */
function focusAgain(root, submitter) {
  const { key } = submitter?.dataset ?? {};
  const same = key && root.querySelector(`[data-key="${CSS.escape(key)}"]`);
  const target = root.querySelector("[aria-invalid=true]") ?? same ?? root.querySelector("h1, h2");
  if (!target?.matches("a, button, input, select, textarea")) target?.setAttribute("tabindex", "-1");
  target?.focus({ preventScroll: Boolean(same) });
  announce(root);
}
