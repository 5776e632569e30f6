// Times as the reader writes them, in the zone of the site.

import { filled } from "./texts.js";

const MINUTE_OF_ZONE = { hour: "numeric", minute: "2-digit", timeZoneName: "short" };
const DAY = { year: "numeric", month: "short", day: "numeric" };

const STYLES = {
  second: { dateStyle: "medium", timeStyle: "medium" },
  minute: { dateStyle: "medium", timeStyle: "short" },
  day: { dateStyle: "medium" },
  time: { timeStyle: "medium" },
  timeToMinute: { timeStyle: "short" },
  secondOfZone: { dateStyle: "medium", timeStyle: "long" },
  timeOfZone: { timeStyle: "long" },
  minuteOfZone: { ...DAY, ...MINUTE_OF_ZONE },
  timeToMinuteOfZone: MINUTE_OF_ZONE,
};

/** A function that writes the text of an ISO time; `style` is one of those above. */
export function timeFormat({ lang, zone }, style = "second") {
  const locale = localeOf(lang);
  let format;
  try {
    format = new Intl.DateTimeFormat(locale, { ...STYLES[style], timeZone: zone });
  } catch {
    // A zone that the browser does not know: its own, and then it says which.
    format = new Intl.DateTimeFormat(locale, STYLES.secondOfZone);
  }
  return (text) => format.format(new Date(text));
}

function localeOf(lang) {
  return navigator.languages.find((own) => own.split("-")[0] === lang) ?? lang;
}

/**
 * A function like that, which says of a time of today only when; `today` has a gap for it. It tells
 * seconds where they count, and names the zone where the reader's clock shows another time.
 */
export function clockFormat({ lang, zone }, today) {
  const format = (style) => timeFormat({ lang, zone }, style);
  const day = format("day");
  const second = format("second");
  const own = timeFormat({ lang });
  const pair = (whole, time) => ({ whole: format(whole), time: format(time) });
  const here = [pair("minute", "timeToMinute"), pair("second", "time")];
  const elsewhere = [
    pair("minuteOfZone", "timeToMinuteOfZone"),
    pair("secondOfZone", "timeOfZone"),
  ];
  return (text, isExact = false) => {
    const { whole, time } = (second(text) === own(text) ? here : elsewhere)[Number(isExact)];
    return day(text) === day(Date.now()) ? filled(today, { time: time(text) }) : whole(text);
  };
}
