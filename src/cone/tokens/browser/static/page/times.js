// Each <time> is written as the reader does. Without this it says what the server wrote.

import { timeFormat } from "../times.js";

export function writeTimes(root, settings) {
  const formats = {};
  for (const time of root.querySelectorAll("time[data-style]")) {
    const { style } = time.dataset;
    formats[style] ??= timeFormat(settings, style);
    time.textContent = formats[style](time.dateTime);
  }
}
