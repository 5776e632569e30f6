// The boxes of a list: all of the page at once, and how many there are.

import { filled } from "../texts.js";

// The host's scripts may come by a second time.
const prepared = new WeakSet();

export function prepareSelection(root, { texts }) {
  const all = root.querySelector("[data-select-all]");
  if (!all || prepared.has(all.form)) return;
  const form = all.form;
  prepared.add(form);
  const boxes = () => [...form.querySelectorAll("input[name=uid]")];
  const whole = form.querySelector("input[name=all]");
  const note = form.querySelector("[data-selected]");
  const bar = form.querySelector("#tokens-bulk");
  const way = wayTo(bar, texts.to_bulk);

  function show() {
    const chosen = boxes().filter((box) => box.checked).length;
    all.checked = chosen > 0 && chosen === boxes().length;
    all.indeterminate = chosen > 0 && !all.checked;
    note.textContent = filled(texts.selected, { count: whole?.checked ? whole.dataset.count : chosen });
  }

  all.addEventListener("change", () => {
    for (const box of boxes()) box.checked = all.checked;
  });
  form.addEventListener("change", ({ target }) => {
    show();
    lead(target);
    // The bar that a tick brings up must not lie over the row.
    if (target.checked && target.name === "uid") target.scrollIntoView({ block: "nearest" });
  });
  form.addEventListener("focusin", ({ target }) => target !== way && lead(target));
  show();

  /** From a box that is ticked the bar is one tab stop away. */
  function lead(box) {
    if (box.name !== "uid") return;
    if (box.checked) box.after(way);
    else way.remove();
  }
}

function wayTo(bar, text) {
  const link = document.createElement("a");
  link.href = `#${bar.id}`;
  link.className = "tokens-to-bulk";
  link.textContent = text;
  link.addEventListener("click", (event) => {
    event.preventDefault();
    bar.focus({ preventScroll: true });
  });
  return link;
}
