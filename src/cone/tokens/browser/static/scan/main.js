// The scan page: what happens goes into the machine, what it says is shown and done.

import { clockFormat } from "../times.js";
import { announce, switchSound, unlockSound } from "./feedback.js";
import { ValueField } from "./field.js";
import { CAMERA, INITIAL, KEYS, PASSED, isCovered, isOpen, step, view } from "./machine.js";
import { NoticeBar, ResultPanel } from "./result.js";
import { Keys, Server } from "./server.js";

const COUNTS = "cone.tokens.counts";
/** What somebody chose for this device; else it is as the site says. */
const SOUND = "cone.tokens.sound";
const OPEN = "cone.tokens.open";

const settings = JSON.parse(document.getElementById("door").textContent);
const { texts, urls, sounds, user, checkpoints, may } = settings;
const part = (id) => document.getElementById(id);

const keys = new Keys({ storage: sessionStorage, name: `${OPEN}.${user}` });
const server = new Server(urls, user, keys);
const field = new ValueField(part("entry"));
const panel = new ResultPanel(part("result"), texts, clockFormat(settings, texts.today), user);
const bar = new NoticeBar(part("notice"), texts);
const counts = { granted: 0, refused: 0, ...JSON.parse(sessionStorage.getItem(COUNTS)) };
const timers = new Map();
/** What a big answer hides from the eyes and the keyboard. */
const hidden = document.querySelectorAll("header, #place, #viewfinder, .modes, #submit, #finder");

// Until it is known where the device stands, nothing is redeemed.
let state = { ...INITIAL, may, place: checkpoints ? { isMissing: true } : null };
/** What comes behind the first part of the page. */
let more = null;
let finder = null;
/** Keeps the screen on. */
let lock = null;

const EFFECTS = {
  ask: ({ scan }) => ask(scan),
  announce: ({ kind, reason, sound }) => {
    announce(kind, reason, sound);
    if (PASSED.has(kind) && state.scan.by === CAMERA) more.viewfinder.redeemed(state.scan.value);
  },
  answer: ({ reason }) => reason !== "no_code" && finder?.clear(),
  choose: () => finder?.offer(),
  count: ({ counter, by }) => count(counter, by),
  keep: ({ scan }) => server.keep(scan),
  lose_place: () => more?.losePlace(),
  restore: ({ value }) => field.restore(value),
  settle: ({ value, key }) => {
    server.settle(key);
    field.forget(value);
  },
  timer: ({ event, id, ms }) => {
    clearTimeout(timers.get(event));
    timers.set(event, setTimeout(() => send({ type: event, id }), ms));
  },
};

field.addEventListener("entered", ({ detail }) => {
  send({ type: "scan", by: KEYS, isSought: finder?.hasFound(detail.value), ...detail });
});
field.addEventListener("begun", () => send({ type: "begun" }));
field.addEventListener("rests", () => {
  const { typed } = field;
  if (typed && !finder?.hasFound(typed)) part("note").textContent = texts.rests;
});
window.addEventListener("resize", () => finder?.settle());
panel.addEventListener("pressed", ({ detail }) => send(detail));
part("sound").addEventListener("click", () => {
  localStorage.setItem(SOUND, !isSoundOn());
  showSound();
});
for (const input of document.getElementsByName("mode")) input.addEventListener("change", setMode);
for (const event of ["pointerdown", "keydown"]) {
  // Before the key is heard that ends a scan: its answer is to be heard too.
  document.addEventListener(event, unlockSound, { capture: true });
  // Some browsers want a touch first, some let go when the battery is low.
  document.addEventListener(event, keepAwake);
}
window.addEventListener("online", () => {
  showConnection();
  load();
  send({ type: "retry" });
});
window.addEventListener("offline", showConnection);
window.addEventListener("blur", showFocus);
window.addEventListener("focus", () => {
  showFocus();
  // Somebody who signed in elsewhere comes back.
  send({ type: "retry" });
});
window.addEventListener("beforeunload", (event) => {
  if (isOpen(state) || server.isKeeping) event.preventDefault();
});

setMode();
showSound();
showCounts();
showConnection();
document.addEventListener("visibilitychange", keepAwake);
keepAwake();
field.focus();
await load();
// Clicks before this are lost: tests wait for it, and so does the style of the buttons.
document.documentElement.dataset.ready = "true";

/** What the first scan does not need; where it does not come, it is asked for again later. */
async function load() {
  if (more) return;
  const loaded = await import("./more.js").catch(() => null);
  if (more || !loaded) return;
  more = loaded.start({ settings, field, server, part, send });
  finder = more.finder;
  draw(view(state));
}

function send(event) {
  const [next, effects] = step(state, { at: performance.now(), ...event });
  state = next;
  if (event.type === "scan" && !event.isSought) finder?.clear();
  if (event.type === "scan" || event.type === "begun") showFocus();
  draw(view(state));
  for (const effect of effects) EFFECTS[effect.type](effect);
}

function draw(seen) {
  panel.draw(seen);
  bar.draw(seen.notice);
  more?.draw(seen);
  if (more) more.viewfinder.isCovered = isCovered(state);
  for (const element of hidden) element.inert = seen.isBig || seen.isGuarded;
  finder?.settle();
}

async function ask(scan) {
  const { id } = scan;
  send({ type: "answered", id, answer: await server.answer(scan, () => send({ type: "sent", id })) });
}

function count(counter, by) {
  counts[counter] = Math.max(counts[counter] + by, 0);
  sessionStorage.setItem(COUNTS, JSON.stringify(counts));
  showCounts();
}

function showCounts() {
  part("granted").textContent = counts.granted;
  part("refused").textContent = counts.refused;
}

function setMode() {
  const mode = document.querySelector("[name=mode]:checked").value;
  document.body.dataset.mode = mode;
  part("submit").textContent = texts[`submit_${mode}`];
  more?.viewfinder.setMode(mode);
  send({ type: "mode", mode });
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

/** Keys of a scanner go to the window that has the focus. */
function showFocus() {
  part("note").textContent = document.hasFocus() ? "" : texts.elsewhere;
}

async function keepAwake() {
  if (document.hidden || lock?.released === false) return;
  // Two requests at once would leave one lock that nobody knows of.
  lock = { released: false };
  lock = await navigator.wakeLock?.request("screen").catch(() => null);
}
