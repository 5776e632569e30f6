// The zone of the site is named only where it is not the reader's.

/** Hide what names the zone, where the reader's clock shows the same time. */
export function hideOwnZone(root, { zone }) {
  const isOwn = showsSameTime(zone);
  for (const element of root.querySelectorAll("[data-zone]")) element.hidden = isOwn;
}

function showsSameTime(zone) {
  const year = new Date().getFullYear();
  // Summer time may differ alone.
  const moments = [Date.now(), Date.UTC(year, 0, 1), Date.UTC(year, 6, 1)];
  try {
    const [site, own] = [formatIn(zone), formatIn()];
    return moments.every((moment) => site.format(moment) === own.format(moment));
  } catch {
    // A zone that the browser does not know.
    return false;
  }
}

function formatIn(timeZone) {
  return new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "short" });
}
