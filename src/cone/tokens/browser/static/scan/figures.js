// People inside, and how many tickets came: figures of all devices.

import { filled } from "../texts.js";

const EVERY_MS = 4_000;

export class Figures {
  #root;
  #server;
  #texts;
  #hasInside;
  #timer;

  constructor(root, server, texts, checkpoints) {
    this.#root = root;
    this.#server = server;
    this.#texts = texts;
    this.#hasInside = checkpoints.some((one) => one.has_directions);
  }

  /** Ask as long as somebody can see them. */
  start() {
    document.addEventListener("visibilitychange", () => this.#ask());
    this.#ask();
  }

  async #ask() {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    const { body } = await this.#server.figures();
    if (body?.success) this.#show(body);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), EVERY_MS);
  }

  #show({ inside, came, total }) {
    const texts = this.#texts;
    const shown = this.#hasInside ? [filled(texts.figures_inside, { count: inside })] : [];
    if (total !== null) shown.push(filled(texts.figures_came, { came, total }));
    this.#root.replaceChildren(...shown.map(figure));
    this.#root.hidden = !shown.length;
  }
}

function figure(text) {
  const made = document.createElement("span");
  made.textContent = text;
  return made;
}
