// The door page: its parts, and what they have to tell each other.

import { timeFormat } from "../times.js";
import { GRANTED, REFUSED, UNKNOWN } from "./answers.js";
import { Door } from "./door.js";
import { announce, switchSound, unlockSound } from "./feedback.js";
import { ValueField } from "./field.js";
import { ResultPanel } from "./result.js";
import { Server } from "./server.js";
import { Viewfinder } from "./viewfinder.js";

const COUNTS = "cone.tokens.counts";
/** What somebody chose for this device; else it is as the site says. */
const SOUND = "cone.tokens.sound";

const { texts, urls, lang, zone, sounds } = JSON.parse(document.getElementById("door").textContent);
const part = (id) => document.getElementById(id);

const door = new Door(new Server(urls));
const field = new ValueField(part("entry"));
const panel = new ResultPanel(part("result"), texts, timeFormat({ lang, zone }));
const viewfinder = new Viewfinder(part("viewfinder"), texts);
const counts = { [GRANTED]: 0, [REFUSED]: 0, ...JSON.parse(sessionStorage.getItem(COUNTS)) };

field.addEventListener("entered", ({ detail }) => door.take(detail.value));
viewfinder.addEventListener("seen", ({ detail }) => door.take(detail.value, { isSeen: true }));
panel.addEventListener("retry", () => door.retry());
panel.addEventListener("give_up", () => door.giveUp());

door.addEventListener("sending", ({ detail }) => {
  note("");
  panel.wait(detail.value);
});
door.addEventListener("told", ({ detail }) => tell(detail));
door.addEventListener("details", ({ detail }) => panel.add(detail.value, detail.outcome));
door.addEventListener("repeated", () => note(texts.repeated));
door.addEventListener("busy", () => note(texts.busy));
door.addEventListener("returned", ({ detail }) => {
  panel.clear();
  field.restore(detail.value);
  note(texts.given_up);
});

part("sound").addEventListener("click", () => {
  localStorage.setItem(SOUND, !isSoundOn());
  showSound();
});
for (const input of document.getElementsByName("mode")) input.addEventListener("change", showMode);
for (const event of ["pointerdown", "keydown"]) document.addEventListener(event, unlockSound);
window.addEventListener("online", () => {
  showConnection();
  door.retry();
});
window.addEventListener("offline", showConnection);

showMode();
showSound();
showCounts();
showConnection();
field.focus();
// Clicks before this are lost: tests wait for it, and so does the style of the buttons.
document.documentElement.dataset.ready = "true";

function tell({ mode, value, outcome, tries }) {
  panel.show(value, outcome);
  if (outcome.kind === UNKNOWN) {
    // The first time only: it is asked again every few seconds.
    if (tries === 1) announce(outcome.kind);
    return;
  }
  announce(outcome.kind);
  field.finish(value);
  if (mode === "consume") count(outcome.kind);
}

function count(kind) {
  counts[kind] += 1;
  sessionStorage.setItem(COUNTS, JSON.stringify(counts));
  showCounts();
}

function showCounts() {
  part("granted").textContent = counts[GRANTED];
  part("refused").textContent = counts[REFUSED];
}

function showMode() {
  door.mode = document.querySelector("[name=mode]:checked").value;
  document.body.dataset.mode = door.mode;
  part("submit").textContent = texts[`submit_${door.mode}`];
}

function isSoundOn() {
  const chosen = localStorage.getItem(SOUND);
  return chosen === null ? sounds : chosen === "true";
}

function showSound() {
  const isOn = isSoundOn();
  switchSound(isOn);
  const button = part("sound");
  button.querySelector("span").textContent = texts.sound;
  button.setAttribute("aria-pressed", isOn);
  button.hidden = false;
}

function showConnection() {
  part("offline").hidden = navigator.onLine;
}

function note(text) {
  part("note").textContent = text;
}
