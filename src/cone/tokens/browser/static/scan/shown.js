// Values as people see them.

const SHORT = 40;
// Controls, marks of direction, line ends; those that join emoji and letters stay.
const HIDDEN = /(?![\u200c\u200d\u{e0020}-\u{e007f}])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu;

export function visible(text) {
  return text.replace(HIDDEN, (mark) => {
    const number = mark.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    return `[U+${number}]`;
  });
}

/** The beginning of a text that fits on a phone. */
export function shortened(text, length = SHORT) {
  if (text.length <= length) return text;
  const letters = [];
  for (const letter of lettersOf(text)) {
    if (letters.length === length) return `${letters.join("")}…`;
    letters.push(letter);
  }
  return text;
}

function* lettersOf(text) {
  if (!Intl.Segmenter) {
    yield* text;
    return;
  }
  for (const { segment } of new Intl.Segmenter().segment(text)) yield segment;
}
