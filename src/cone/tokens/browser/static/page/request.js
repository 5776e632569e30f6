// Pages of the server that are asked for without leaving the one that is shown.

const TIMEOUT_MS = 30_000;

/** Status, address and content of an answer, a document or JSON; status 0 where none came. */
export async function ask(url, options = {}) {
  const gate = new AbortController();
  const timer = setTimeout(() => gate.abort(), TIMEOUT_MS);
  try {
    const more = { credentials: "same-origin", signal: gate.signal };
    const response = await fetch(url, { ...options, ...more });
    const type = response.headers.get("Content-Type") ?? "";
    const text = await response.text();
    const isPage = type.startsWith("text/html");
    const page = isPage ? new DOMParser().parseFromString(text, "text/html") : null;
    const json = type.startsWith("application/json") ? JSON.parse(text) : null;
    return { status: response.status, url: response.url, isMoved: response.redirected, page, json };
  } catch {
    return { status: 0, url, isMoved: false, page: null, json: null };
  } finally {
    clearTimeout(timer);
  }
}

/** The same for a form, as the browser would send it. */
export function askByForm(form, submitter) {
  const url = submitter?.getAttribute("formaction") ?? form.getAttribute("action");
  const fields = new FormData(form);
  if (submitter?.name) fields.append(submitter.name, submitter.value);
  const isMultipart = form.enctype === "multipart/form-data";
  return ask(url, { method: "POST", body: isMultipart ? fields : new URLSearchParams(fields) });
}

/** What is shown though it is no success: forms with mistakes, and what is not installed. */
const SHOWN = [400, 409, 501];

/** The content of a page that may be shown in the place of another; a page of a failure is none. */
export function contentOf({ status, page }) {
  const isMistake = SHOWN.includes(status);
  const content = (status < 400 || isMistake) && page?.querySelector("section.tokens");
  // A failure has no form, and no notes either.
  return content && (!isMistake || content.querySelector(".tokens-alert")) ? content : null;
}
