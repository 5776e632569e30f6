// The answer, and what is told beside it.

import { CHECK, FOUND, REDEEMED, UNSURE, VALID, colourOf, nameOf } from "./machine.js";
import { filled } from "../texts.js";
import { shortened, visible } from "./shown.js";

const UNLIMITED = -1;
/** Longer words are shown smaller. */
const LONG_WORD = 10;
const LONG_LABEL = 60;
const BUTTONS = ["retry", "give_up", "continue", "another", "no"];

export class NoticeBar {
  #root;
  #texts;
  #id = null;

  constructor(root, texts) {
    this.#root = root;
    this.#texts = texts;
  }

  draw(notice) {
    const id = notice?.id ?? null;
    if (id === this.#id) return;
    this.#id = id;
    this.#root.hidden = id === null;
    const codes = notice?.values.map((value) => shortened(visible(value))).join(", ");
    this.#root.textContent = notice ? filled(this.#texts[`${notice.name}_notice`], { codes }) : "";
    // It moves a big answer down.
    document.body.style.setProperty("--notice", `${this.#root.offsetHeight}px`);
  }
}

/** Events: those of the machine that come from its buttons, as `pressed` {type}. */
export class ResultPanel extends EventTarget {
  #root;
  #alert;
  #waiting;
  #facts;
  #whole;
  #texts;
  #time;
  #user;
  #shown = {};

  constructor(root, texts, formatTime, user) {
    super();
    this.#root = root;
    this.#texts = texts;
    this.#time = formatTime;
    this.#user = user;
    this.#alert = root.querySelector("[role=alert]");
    this.#waiting = root.querySelector("[data-part=waiting]");
    this.#facts = root.querySelector("[data-part=facts]");
    this.#whole = root.querySelector("details");
    for (const name of BUTTONS) {
      this.#button(name).addEventListener("click", () => this.#tell({ type: name }));
    }
    // Scanners press Enter: a use is taken only by who means it.
    this.#button("another").addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
    this.#whole.addEventListener("toggle", () => {
      this.#tell({ type: "reading", isOpen: this.#whole.open });
    });
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.#tell({ type: "continue" });
    });
  }

  /** An answer that is shown already is not told again. */
  draw(view) {
    const { kind, scan, answer, isBig, isNew, isSlow, buttons, waiting } = view;
    this.#root.dataset.kind = kind;
    this.#root.dataset.colour = answer ? colourOf(kind) : "none";
    this.#root.classList.toggle("is-big", isBig);
    for (const [name, isThere] of Object.entries(buttons)) this.#button(name).hidden = !isThere;
    // A tap may be meant for what stood there before.
    this.#button("another").disabled = isNew;
    const line = this.#root.querySelector("[data-part=line]");
    line.textContent = waiting ? filled(this.#texts.in_line, { count: waiting }) : "";
    const before = this.#shown;
    this.#shown = { answer, isSlow, id: scan?.id };
    const isSame = Object.entries(this.#shown).every(([name, value]) => before[name] === value);
    if (!isSame) this.#fill(kind, scan, answer, isSlow);
    if (!isBig) this.#whole.open = false;
  }

  #fill(kind, scan, answer, isSlow) {
    this.#alert.replaceChildren();
    this.#waiting.replaceChildren();
    this.#facts.replaceChildren();
    this.#whole.hidden = true;
    if (!scan) return;
    if (!answer) {
      this.#waiting.append(element("p", "word", isSlow ? this.#texts.slow : this.#texts.waiting), this.#value(nameOf(scan)));
      return;
    }
    const name = answer.reason;
    const parts = [word(this.#word(name, answer))];
    const reason = this.#reason(name, answer);
    if (reason) parts.push(element("p", "reason", reason));
    if (answer.label) parts.push(labelled(visible(answer.label)));
    if (answer.category) parts.push(named("category", shortened(visible(answer.category))));
    // What was found is known by its label.
    const isLabelled = scan.by === FOUND && answer.label;
    if (nameOf(scan) && !isLabelled) parts.push(this.#value(nameOf(scan)));
    if (answer.readAs) parts.push(this.#readAs(answer.readAs));
    this.#alert.append(icon(name, kind), ...parts);
    this.#facts.append(...this.#factsOf(scan, answer));
    const text = visible(nameOf(scan));
    this.#whole.hidden = shortened(text) === text;
    this.#whole.querySelector("bdi").textContent = text;
  }

  #word(name, { taken: count, uses } = {}) {
    const text = this.#texts[`${name}_word`];
    return text && filled(text, { user: visible(this.#user ?? ""), count, uses });
  }

  #value(value) {
    return named("value", shortened(visible(value)));
  }

  #readAs(value) {
    const [before, after] = this.#texts.read_as.split("${code}");
    const shown = element("p", "read-as");
    shown.append(before, element("bdi", "", shortened(visible(value))), after);
    return shown;
  }

  #reason(name, { time, lastUsed, lastUser, cause }) {
    const texts = this.#texts;
    if (name === "redeemed" && lastUsed) return this.#use(lastUsed, lastUser);
    const timed = time && texts[`${name}_time`];
    // A token may rest for seconds.
    const shown = timed && this.#time(time, name === "locked");
    const text = timed || texts[`${name}_text`];
    return text && filled(text, { time: shown, cause: this.#word(cause) });
  }

  #factsOf(scan, { kind, reason, uses, before, lastUsed, lastUser }) {
    const texts = this.#texts;
    const facts = [];
    // That none are left is the reason already.
    if (Number.isInteger(uses) && (uses || kind !== REDEEMED) && reason !== "not_enough_uses") {
      facts.push([texts.uses_left, uses === UNLIMITED ? texts.unlimited : uses]);
    }
    if (before) facts.push([texts.before, this.#use(before.time, before.user)]);
    if (before === null) facts.push([texts.before, texts.never]);
    if (lastUsed === null && kind === VALID) facts.push([texts.last_use, texts.never]);
    if (lastUsed && reason !== "redeemed") facts.push([texts.last_use, this.#use(lastUsed, lastUser)]);
    const shown = facts.map(([name, text]) => element("p", "fact", `${name}: ${text}`));
    const isCheck = scan.mode === CHECK && kind !== VALID && kind !== UNSURE;
    if (isCheck) shown.push(element("p", "fact", texts.valid_text));
    return shown;
  }

  #use(time, user) {
    const when = this.#time(time);
    return user ? filled(this.#texts.time_user, { time: when, user: visible(user) }) : when;
  }

  #button(name) {
    return this.#root.querySelector(`[data-action=${name}]`);
  }

  #tell(detail) {
    this.dispatchEvent(new CustomEvent("pressed", { detail }));
  }
}

function element(name, css, text = "") {
  const made = document.createElement(name);
  made.className = css;
  made.textContent = text;
  return made;
}

/** A text that may run in another direction. */
function named(css, text) {
  const made = element("p", css);
  made.append(element("bdi", "", text));
  return made;
}

function labelled(text) {
  return named(text.length > LONG_LABEL ? "label is-long" : "label", text);
}

function word(text) {
  const isLong = text.split(" ").some((part) => part.length > LONG_WORD);
  return element("p", isLong ? "word is-long" : "word", text);
}

function icon(reason, kind) {
  const [template] = [reason, kind, "noted"].flatMap((name) => document.getElementById(`icon-${name}`) ?? []);
  return template.content.firstElementChild.cloneNode(true);
}
