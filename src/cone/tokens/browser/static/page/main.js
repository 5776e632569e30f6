// The scripts of all pages but the door. Pages work without them; with them one stays where one is.

import { copy } from "./copy.js";
import { tellFailuresOfHost } from "./host.js";
import { hasParts, sendInParts } from "./parts.js";
import { Place, prepare } from "./place.js";
import { openDialog, send } from "./send.js";
import { settingsOf } from "./settings.js";

const YEAR_S = 31_536_000;
const MENU = "details.tokens-menu";

document.addEventListener("click", (event) => {
  closeMenu(event.target);
  const target = event.target.closest("a[data-dialog], button[data-copy], a[data-language]");
  if (!target || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (target.dataset.language) {
    event.preventDefault();
    speak(target.dataset.language);
  } else if (target.dataset.copy !== undefined) {
    copy(target, settingsOf());
  } else {
    const settings = settingsOf();
    if (!settings) return;
    event.preventDefault();
    openDialog(target, null, { place: new Place(target), settings });
  }
});

// The host has links that lead nowhere; to follow one would be to run an inline script.
document.addEventListener("click", (event) => {
  if (event.target.closest?.('a[href^="javascript:"]')) event.preventDefault();
});

document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  const isDialog = submitter?.dataset.dialog !== undefined;
  const settings = settingsOf();
  if (!settings || !(isDialog || form.dataset.send !== undefined)) return;
  event.preventDefault();
  const how = { place: new Place(form), settings };
  if (isDialog) openDialog(form, submitter, how);
  else if (hasParts(form)) sendInParts(form, how);
  else send(form, submitter, how);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeMenu(null);
  const isTyping = event.target.closest?.("input, select, textarea, dialog, [contenteditable]");
  const search = document.querySelector("[data-search]");
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || !search) return;
  event.preventDefault();
  search.focus();
  search.select();
});

// A page that comes back as it was left has keys that were used.
window.addEventListener("pageshow", (event) => event.persisted && location.reload());

// The host's own links and menus ask for a part of a page; here that is a page.
window.jQuery?.(document).on("contextchanged", ({ ajaxtarget }) => {
  if (!document.body.classList.contains("tokens-frame") || !ajaxtarget) return;
  location.assign(`${ajaxtarget.url}${ajaxtarget.query ?? ""}`);
});
window.ts?.ajax.register(() => prepare(document), false);
tellFailuresOfHost(window.jQuery);

prepare(document);
// Clicks before this are lost: tests wait for it.
document.documentElement.dataset.ready = "true";

/** A click elsewhere closes the menu, and so does Escape, which gives the focus back. */
function closeMenu(target) {
  const menu = document.querySelector(`${MENU}[open]`);
  if (!menu || target?.closest(MENU)) return;
  if (!target && menu.contains(document.activeElement)) menu.querySelector("summary").focus();
  menu.open = false;
}

function speak(language) {
  document.cookie = `_LOCALE_=${language}; path=/; max-age=${YEAR_S}; SameSite=Lax`;
  const address = new URL(location.href);
  address.searchParams.delete("_LOCALE_");
  // With a fragment the browser would only scroll.
  address.hash = "";
  if (address.href === location.href) location.reload();
  else location.replace(address);
}
