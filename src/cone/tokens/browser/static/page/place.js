// Where content of the server stands: in the page, or in a dialog over it.

import { prepareHints } from "./hints.js";
import { prepareSelection } from "./selection.js";
import { settingsOf } from "./settings.js";
import { writeTimes } from "./times.js";
import { hideOwnZone } from "./zone.js";

const DIALOG = "dialog.tokens-dialog";

/** The content of the page itself, in whichever template it stands; undefined where it is not ours. */
export function sectionOfPage() {
  return [...document.querySelectorAll("section.tokens")].find((it) => !it.closest(DIALOG));
}

/** Do with content that is new what the scripts do with it. */
export function prepare(root) {
  const settings = settingsOf();
  if (!settings) return;
  writeTimes(root, settings);
  prepareSelection(root, settings);
  prepareHints(root, settings);
  hideOwnZone(root, settings);
}

/** Where an element stands: a dialog that may be closed in the meantime, or the page. */
export class Place {
  #dialog;

  constructor(element) {
    this.#dialog = element.closest(DIALOG);
  }

  /** What is there to see of it now. */
  get root() {
    return this.#dialog?.open ? this.#dialog : sectionOfPage();
  }

  /** Show what came: the question again where it stood, or the page behind it anew. */
  show(content, { isMoved }) {
    if (this.#dialog && !isMoved) return showInDialog(content, this.#dialog);
    if (this.#dialog?.open) this.#dialog.close();
    return showInPage(content);
  }
}

export function showInPage(content) {
  sectionOfPage().replaceWith(document.adoptNode(content));
  prepare(content);
  return content;
}

/** Show the content of a page in a dialog: in the one given where it is still open. */
export function showInDialog(content, given = null) {
  const dialog = given?.open ? given : newDialog();
  const heading = content.querySelector("h1");
  if (heading) {
    const lower = document.createElement("h2");
    lower.id = "tokens-dialog-heading";
    lower.append(...heading.childNodes);
    heading.replaceWith(lower);
  }
  dialog.replaceChildren(document.adoptNode(content));
  if (!dialog.open) dialog.showModal();
  prepare(dialog);
  // Where there is nothing to fill in, Enter must not be the answer yes.
  const field = dialog.querySelector("input:not([type=hidden]), select, textarea");
  if (!field) dialog.querySelector("[data-cancel]")?.focus();
  return dialog;
}

function newDialog() {
  const dialog = document.createElement("dialog");
  dialog.className = "tokens-dialog";
  dialog.setAttribute("aria-labelledby", "tokens-dialog-heading");
  // Closing gives the focus back to where it was.
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => {
    if (event.target.closest("[data-cancel]")) {
      event.preventDefault();
      dialog.close();
    }
  });
  document.body.append(dialog);
  return dialog;
}
