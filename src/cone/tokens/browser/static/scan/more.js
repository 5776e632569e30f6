// What the page loads behind its first part: a scan is told without it.

import { Deeds } from "./deeds.js";
import { announce } from "./feedback.js";
import { Figures } from "./figures.js";
import { Finder } from "./finder.js";
import { CAMERA, KEYS, NOTED } from "./machine.js";
import { Place } from "./place.js";
import { Viewfinder } from "./viewfinder.js";

/** `send`: takes events of the machine. */
export function start({ settings, field, server, part, send }) {
  const { texts, urls, checkpoints } = settings;
  addStyle();
  const viewfinder = new Viewfinder(part("viewfinder"), texts, settings.code_kinds);
  viewfinder.setMode(document.body.dataset.mode);
  viewfinder.addEventListener("seen", ({ detail }) => send({ by: CAMERA, ...detail }));
  viewfinder.addEventListener("fault", () => announce(NOTED));
  const finder = urls.find ? new Finder(part("finder"), field, server, texts) : null;
  finder?.addEventListener("chosen", ({ detail }) => send({ type: "scan", ...detail }));
  const deeds = new Deeds(part("result").querySelector(".actions"), texts);
  deeds.addEventListener("pressed", ({ detail }) => send(detail));
  deeds.addEventListener("scanned", ({ detail }) => send({ type: "scan", by: KEYS, ...detail }));
  deeds.addEventListener("done", () => field.focus());
  const place = checkpoints && new Place(part("place"), checkpoints, texts);
  place?.addEventListener("changed", ({ detail }) => send({ type: "place", place: detail }));
  place?.addEventListener("chosen", () => field.focus());
  place?.start();
  new Figures(part("figures"), server, texts, checkpoints ?? []).start();
  return {
    finder,
    viewfinder,
    draw: (view) => deeds.draw(view),
    losePlace: () => place?.lose(),
  };
}

function addStyle() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("more.css", import.meta.url);
  document.head.append(link);
}
