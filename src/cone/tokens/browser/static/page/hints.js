// Hints at a form of tokens: what is entered makes a token that cannot be used.

export function prepareHints(root, { zone }) {
  for (const box of root.querySelectorAll(".tokens-hints")) {
    const form = box.closest("form");
    const hints = [...box.children];
    const show = () => {
      for (const hint of hints) hint.hidden = !HOLDS[hint.dataset.hint](fieldOf(form, hint), hint, zone);
    };
    form.addEventListener("input", show);
    show();
  }
}

const HOLDS = {
  exhausted: ({ value }, { dataset }) => /^[+-]?0+$/.test(value.trim() || dataset.default),
  expired: ({ value }, _hint, zone) => value !== "" && value < now(zone),
  disabled: ({ checked }) => !checked,
};

function fieldOf(form, { dataset }) {
  return form.querySelector(`[name$=".${dataset.field}"]`);
}

/** The time on the clocks of the site, as fields for times spell it. */
function now(zone) {
  const parts = { timeZone: zone, dateStyle: "short", timeStyle: "medium" };
  return new Intl.DateTimeFormat("sv-SE", parts).format().replace(" ", "T");
}
