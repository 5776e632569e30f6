// The boxes of a list: all of the page at once, and how many there are.

import { filled } from "../texts.js";

export function prepareSelection(root, { texts }) {
  const all = root.querySelector("[data-select-all]");
  if (!all) return;
  const form = all.form;
  const boxes = () => [...form.querySelectorAll("input[name=uid]")];
  const whole = form.querySelector("input[name=all]");
  const note = form.querySelector("[data-selected]");

  function show() {
    const chosen = boxes().filter((box) => box.checked).length;
    all.checked = chosen > 0 && chosen === boxes().length;
    all.indeterminate = chosen > 0 && !all.checked;
    form.querySelector("fieldset").classList.toggle("tokens-stuck", chosen > 0);
    note.textContent = filled(texts.selected, { count: whole?.checked ? whole.dataset.count : chosen });
  }

  all.addEventListener("change", () => {
    for (const box of boxes()) box.checked = all.checked;
  });
  form.addEventListener("change", show);
  show();
}
