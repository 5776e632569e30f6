// A page of the server in a dialog: a question, or the form of what is to be done.

/** The dialog that an element stands in, else null. */
export function dialogOf(element) {
  return element.closest("dialog.tokens-dialog");
}

/** Show the content of a page in a dialog, a new one or one that is open. */
export function showInDialog(content, dialog = newDialog()) {
  const heading = content.querySelector("h1");
  if (heading) {
    const lower = document.createElement("h2");
    lower.id = "tokens-dialog-heading";
    lower.append(...heading.childNodes);
    heading.replaceWith(lower);
  }
  dialog.replaceChildren(document.adoptNode(content));
  if (!dialog.open) dialog.showModal();
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
