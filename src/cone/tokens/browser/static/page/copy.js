// A button that copies a text.

export async function copy(button, { texts }) {
  const note = button.parentElement.querySelector("[role=status]");
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    note.textContent = texts.copied;
  } catch {
    note.textContent = texts.not_copied;
  }
}
