// Times as the reader writes them, in the zone of the site.

const STYLES = {
  second: { dateStyle: "medium", timeStyle: "medium" },
  minute: { dateStyle: "medium", timeStyle: "short" },
  day: { dateStyle: "medium" },
};

/** A function that writes the text of an ISO time; `style` is second, minute or day. */
export function timeFormat({ lang, zone }, style = "second") {
  const locale = localeOf(lang);
  let format;
  try {
    format = new Intl.DateTimeFormat(locale, { ...STYLES[style], timeZone: zone });
  } catch {
    // A zone that the browser does not know: its own, and then it says which.
    const whole = { year: "numeric", month: "short", day: "numeric", hour: "numeric" };
    const more = { minute: "2-digit", second: "2-digit", timeZoneName: "short" };
    format = new Intl.DateTimeFormat(locale, { ...whole, ...more });
  }
  return (text) => format.format(new Date(text));
}

/** The reader's own kind of a language: en-GB and en-US write dates differently. */
function localeOf(lang) {
  return navigator.languages.find((own) => own.split("-")[0] === lang) ?? lang;
}
