// What the server tells the scripts of a page.

/** Texts, language and zone; null where the page is none of ours. */
export function settingsOf() {
  const told = document.querySelector("script.tokens-settings");
  return told ? JSON.parse(told.textContent) : null;
}
