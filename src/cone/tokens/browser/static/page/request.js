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
  const hasFile = [...fields.values()].some((value) => value instanceof File);
  // A multipart form without files costs its reader more than it has to.
  return ask(url, { method: "POST", body: hasFile ? fields : new URLSearchParams(fields) });
}

/** The content of a page that may be shown in the place of another; a page of a failure is none. */
export function contentOf({ status, page }) {
  const isShown = status < 400 || [400, 409].includes(status);
  const content = isShown && page?.querySelector("main section.tokens, #content section.tokens");
  return content && (status < 400 || content.querySelector("form")) ? content : null;
}
