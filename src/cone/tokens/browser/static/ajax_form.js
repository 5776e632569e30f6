// The answer of a form of cone.app, in a frame: the page around it shows what is in here.

{
  const { selector, mode, error } = document.currentScript.dataset;
  const payload = document.getElementById("ajaxform").firstElementChild;
  const next = JSON.parse(document.getElementById("ajaxform-next").textContent);
  window.parent.ts?.ajax.form({ payload, selector, mode, next, error: error === "true" });
}
