// The scripts of all pages but the door. Pages work without them; with them one stays where one is.

import { tellFailure } from "./alert.js";
import { copy } from "./copy.js";
import { dialogOf, showInDialog } from "./dialog.js";
import { hasParts, sendInParts } from "./parts.js";
import { ask, askByForm, contentOf } from "./request.js";
import { prepareSelection } from "./selection.js";
import { send } from "./send.js";
import { settingsOf } from "./settings.js";
import { writeTimes } from "./times.js";

const YEAR_S = 31_536_000;

document.addEventListener("click", (event) => {
  const target = event.target.closest("a[data-dialog], button[data-copy], a[data-language]");
  if (!target || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (target.dataset.copy !== undefined) return void copy(target, settingsOf());
  event.preventDefault();
  if (target.dataset.language) speak(target.dataset.language);
  else openDialog(target, ask(target.href));
});

document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  if (submitter?.dataset.dialog !== undefined) {
    event.preventDefault();
    openDialog(form, askByForm(form, submitter));
  } else if (form.dataset.send !== undefined) {
    event.preventDefault();
    const dialog = dialogOf(form);
    const place = dialog ?? sectionOfPage();
    const how = { place, settings: settingsOf(), show: dialog ? inDialog : inPage };
    if (hasParts(form)) sendInParts(form, how);
    else send(form, submitter, how);
  }
});

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest?.("input, select, textarea, dialog, [contenteditable]");
  const search = document.querySelector("[data-search]");
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || !search) return;
  event.preventDefault();
  search.focus();
  search.select();
});

// The host's own links and menus ask for a part of a page; here that is a page.
window.jQuery?.(document).on("contextchanged", ({ ajaxtarget }) => {
  if (!document.body.classList.contains("tokens-frame") || !ajaxtarget) return;
  location.assign(`${ajaxtarget.url}${ajaxtarget.query ?? ""}`);
});
window.ts?.ajax.register(() => prepare(document), false);

prepare(document);
// Clicks before this are lost: tests wait for it.
document.documentElement.dataset.ready = "true";

function prepare(root) {
  const settings = settingsOf();
  if (!settings) return;
  writeTimes(root, settings);
  prepareSelection(root, settings);
}

async function openDialog(origin, asked) {
  const answer = await asked;
  const content = contentOf(answer);
  if (!content) tellFailure(dialogOf(origin) ?? sectionOfPage(), settingsOf(), answer);
  else if (isListAgain(content)) inPage(content);
  else prepare(showInDialog(content));
}

/** Nothing to ask: the list comes again, with a note. */
function isListAgain(content) {
  const { page } = content.dataset;
  return page !== undefined && page === sectionOfPage()?.dataset.page;
}

/** What comes of the question in a dialog: the question again, or the page behind it anew. */
function inDialog(content, { isMoved }) {
  const dialog = document.querySelector("dialog.tokens-dialog[open]");
  if (!isMoved) {
    prepare(showInDialog(content, dialog));
    return dialog;
  }
  dialog.close();
  return inPage(content);
}

function inPage(content) {
  sectionOfPage().replaceWith(document.adoptNode(content));
  prepare(content);
  return content;
}

function sectionOfPage() {
  return document.querySelector("main section.tokens, #content section.tokens");
}

function speak(language) {
  document.cookie = `_LOCALE_=${language}; path=/; max-age=${YEAR_S}; SameSite=Lax`;
  const address = new URL(location.href);
  address.searchParams.delete("_LOCALE_");
  location.replace(address);
}
