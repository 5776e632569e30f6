// The two questions of the page to the server.
//
// Each scan has one idempotency key, kept beyond it where its fate is not known: with the same key
// the server repeats an answer that was lost instead of refusing the guest at the second try.

import { randomKey } from "../random.js";
import { adding, afterLoss, consumption, detailed, lookUp, undoing, wantsDetails } from "./answers.js";
import { CHECK, FOUND, NOTED, UNSURE, numberOf } from "./machine.js";

/** Longer than the server waits for a database that is locked: it says so itself. */
const TIMEOUT_MS = 8_000;
const DETAILS_MS = 700;
/** Parameters of a consumption. */
const MANNER = ["uses", "checkpoint", "direction", "override"];
const LONGEST_WAIT_MS = 60_000;

/** A value that is shown later is another visit: it must not be let in by an old answer. */
const KEPT_MS = 120_000;

export class Keys {
  /** By value: {value, key, endedBy, others, manner, uid, isLost, since}. */
  #open;
  #now;
  #make;
  #storage;
  #name;

  /** `storage`: where they outlast the page, each user's under a `name` of its own. */
  constructor({ now = () => Date.now(), make = randomKey, storage = null, name = "" } = {}) {
    this.#now = now;
    this.#make = make;
    this.#storage = storage;
    this.#name = name;
    this.#open = new Map(JSON.parse(storage?.getItem(name) ?? "[]"));
  }

  /** The requests whose fate was not told not long ago, as they were. */
  kept() {
    return [...this.#open.values()].filter(({ since }) => this.#now() - since < KEPT_MS);
  }

  made({ value, by, endedBy, others, found, manner }, uid) {
    return { value, by, key: this.#make(), endedBy, others, found, manner, uid };
  }

  keep({ value, by, key, endedBy, others, found, manner, uid, isLost }) {
    const since = this.#now();
    this.#open.set(value, { value, by, key, endedBy, others, found, manner, uid, isLost, since });
    this.#store();
  }

  /** The fate of the key's request is known, and told. */
  settle(key) {
    for (const [value, open] of this.#open) if (open.key === key) this.#open.delete(value);
    this.#store();
  }

  #store() {
    const kept = new Set(this.kept());
    for (const [value, open] of this.#open) if (!kept.has(open)) this.#open.delete(value);
    this.#storage?.setItem(this.#name, JSON.stringify([...this.#open]));
  }
}

export class Server {
  #urls;
  #user;
  #keys;
  #open = null;
  /** The scan that is asked; none after it was given up. */
  #asked = null;

  /** `user`: whom the page was made for; the server refuses anybody else. */
  constructor(urls, user = null, keys = new Keys()) {
    this.#urls = urls;
    this.#user = user;
    this.#keys = keys;
  }

  get user() {
    return this.#user;
  }

  get isKeeping() {
    return this.#keys.kept().length > 0;
  }

  /** What the server answers to a scan. Asked again, it is the same request. `sent`: it goes out. */
  async answer(scan, sent = () => {}) {
    const { deed, place } = scan;
    if (scan.mode === CHECK) {
      const doubt = await this.#doubt(scan);
      return doubt ?? lookUp(await this.#lookUp(scan, TIMEOUT_MS), place ?? {});
    }
    if (deed?.receipt) return undoing(await this.#undo(deed), deed);
    this.#asked = scan.id;
    if (this.#open?.id !== scan.id) {
      const { failure, request } = await this.#request(scan);
      if (failure || this.#asked !== scan.id) return { kind: UNSURE, ...failure, isLost: false };
      this.#open = { ...request, id: scan.id };
    }
    const open = this.#open;
    const { key, manner } = open;
    if (manner?.isNew) {
      const failure = adding(await this.#add(open));
      if (failure) return failure;
    }
    this.#keys.keep({ ...open, isLost: true });
    sent();
    const said = consumption(await this.#consume(open), manner);
    const answer = asScanned(open.isLost ? afterLoss(said) : said, open.value, scan.value);
    open.isLost ||= answer.isLost;
    // One that was given up meanwhile keeps its key until this is told.
    if (answer.kind === UNSURE || this.#open !== open) return { ...answer, key };
    this.#open = null;
    this.settle(key);
    if (!wantsDetails(answer)) return answer;
    return detailed(answer, await this.#lookUp({ value: scan.value, by: scan.by }, DETAILS_MS));
  }

  /** The scan was given up: the same token is the same request, for a while. */
  keep({ id, isLost }) {
    if (this.#asked === id) this.#asked = null;
    if (this.#open?.id !== id) return;
    if (isLost) this.#keys.keep({ ...this.#open, isLost });
    else this.settle(this.#open.key);
    this.#open = null;
  }

  settle(key) {
    this.#keys.settle(key);
  }

  /** What to ask, or why it cannot be told whether that was asked and given up before. */
  async #request(scan) {
    const manner = mannerOf(scan);
    if (scan.deed) return { request: this.#keys.made({ ...scan, manner }) };
    const doubt = await this.#doubt(scan);
    return doubt ? { failure: doubt } : this.#plainRequest({ ...scan, manner });
  }

  async #plainRequest(scan) {
    // At another checkpoint, and the other way, it is another request.
    const kept = this.#keys.kept().filter((one) => isSamePlace(one.manner, scan.manner));
    const same = kept.find(({ value }) => value === scan.value);
    if (same || !kept.length) return { request: same ?? this.#keys.made(scan) };
    if (scan.by === FOUND) return this.#foundBeside(kept, scan);
    // The code may be typed in another way now.
    const found = await Promise.all([{ value: scan.value }, ...kept].map((one) => this.#uid(one)));
    const { failure } = found.find((one) => one.failure) ?? {};
    const [{ uid }, ...others] = found;
    const index = others.findIndex((one) => uid && one.uid === uid);
    return { failure, request: kept[index] ?? this.#keys.made(this.#butFound(kept, scan), uid) };
  }

  /** Why a code is not asked that Caps Lock may have made of another one; null: it is. */
  async #doubt({ value, isCaps }) {
    const other = swapped(value);
    if (!isCaps || other === value) return null;
    const both = [value, other].map((one) => this.#lookUp({ value: one }, TIMEOUT_MS));
    const said = await Promise.all(both);
    const isBoth = said.every(({ body }) => body?.token && !body.read_as);
    if (isBoth) return { kind: NOTED, reason: "caps" };
    return said.map(lookUp).find(({ kind }) => kind === UNSURE) ?? null;
  }

  /** A code may be that of what was found, asked and given up. */
  #butFound(kept, scan) {
    const numbers = kept.flatMap(({ by, value }) => (by === FOUND ? numberOf(value) : []));
    return { ...scan, found: [...new Set([...(scan.found ?? []), ...numbers])] };
  }

  /** What was found may be what was asked and given up: that alone is not meant then. */
  async #foundBeside(kept, scan) {
    const known = await Promise.all(kept.map((one) => this.#uid(one)));
    const { failure } = known.find((one) => one.failure) ?? {};
    const uids = known.flatMap(({ uid }) => uid || []);
    const others = [...new Set([...(scan.others ?? []), ...uids])];
    return { failure, request: this.#keys.made({ ...scan, others }) };
  }

  /** The uid of the token that a value means, "" where that is none or cannot be told. */
  async #uid(one) {
    if (one.uid !== undefined || one.by === FOUND) return one;
    const said = await this.#lookUp({ value: one.value }, TIMEOUT_MS);
    const answer = lookUp(said);
    // Who may not look up, or what nobody can, has the text alone.
    if (answer.kind === UNSURE) return { failure: answer };
    one.uid = said.body?.token?.uid ?? "";
    return one;
  }

  /** It is one request as long as its key is: what was added is not added again. */
  #add({ value, key, manner: { category } }) {
    const body = new URLSearchParams({ value: value.trim(), usage_count: this.#urls.add_uses });
    if (category) body.set("category", category);
    const headers = { "Idempotency-Key": `${key}-add` };
    return this.#ask(this.#urls.add, TIMEOUT_MS, { method: "POST", headers, body });
  }

  #undo({ uid, found, receipt }) {
    const body = new URLSearchParams(uid ? { receipt } : { found, receipt });
    const url = uid ? `${this.#urls.tokens.replace(/\/$/, "")}/${uid}/undo_use` : this.#urls.undo_found;
    return this.#ask(url, TIMEOUT_MS, { method: "POST", body });
  }

  #consume({ value, by, key, endedBy, others, found, manner }) {
    const isFound = by === FOUND;
    const body = isFound ? foundParameters(value) : parameters({ value, endedBy });
    if (others?.length) body.set("not_read_as", JSON.stringify(others));
    if (found?.length && !isFound) body.set("not_found", JSON.stringify(found));
    for (const name of MANNER) if (manner?.[name]) body.set(name, manner[name]);
    const headers = { "Idempotency-Key": key };
    const url = isFound ? this.#urls.consume_found : this.#urls.consume;
    return this.#ask(url, TIMEOUT_MS, { method: "POST", headers, body });
  }

  #lookUp(scan, timeout) {
    if (scan.by === FOUND) return this.#lookUpFound(scan, timeout);
    return this.#ask(`${this.#urls.look_up}?${parameters(scan)}`, timeout);
  }

  async #lookUpFound({ value }, timeout) {
    const said = await this.find(foundParameters(value), timeout);
    const { hits, ...body } = said.body ?? {};
    return hits ? { ...said, body: { ...body, token: hits[0] ?? null } } : said;
  }

  /** What has the parts of `asked.search`. */
  find(asked, timeout = TIMEOUT_MS) {
    return this.#ask(`${this.#urls.find}?${new URLSearchParams(asked)}`, timeout);
  }

  /** How many are inside and came, told by all devices. */
  figures() {
    return this.#ask(this.#urls.figures, TIMEOUT_MS);
  }

  #ask(url, timeout, options = {}) {
    const user = this.#user && { "Expected-User": encodeURIComponent(this.#user) };
    return ask(url, timeout, { ...options, headers: { ...options.headers, ...user } });
  }
}

/** An answer to a request that was made for another form of the code that is scanned now. */
function asScanned(answer, sent, value) {
  if (sent === value || !answer.uid) return answer;
  const code = answer.readAs ?? sent;
  return { ...answer, readAs: code === value ? undefined : code, forms: [sent] };
}

/** A text as Caps Lock makes it of another one. */
function swapped(text) {
  const isLow = (sign) => sign === sign.toLowerCase();
  return [...text].map((sign) => (isLow(sign) ? sign.toUpperCase() : sign.toLowerCase())).join("");
}

/** What is asked for besides the code, where anything is. */
function mannerOf({ deed, place }) {
  return deed || place ? { ...place, ...deed } : undefined;
}

function isSamePlace(one, other) {
  return one?.checkpoint === other?.checkpoint && one?.direction === other?.direction;
}

function foundParameters(value) {
  return new URLSearchParams({ found: numberOf(value) });
}

function parameters({ value, endedBy }) {
  return new URLSearchParams({ value, ...(endedBy && { ended_by: endedBy }) });
}

/** Status, JSON and seconds to wait of an answer; status 0 where none came in time. */
async function ask(url, timeout, options = {}) {
  const gate = new AbortController();
  const timer = setTimeout(() => gate.abort(), timeout);
  try {
    // An answer that leads elsewhere is none: it would end at a page for people.
    const more = { redirect: "manual", cache: "no-store", credentials: "same-origin" };
    const response = await fetch(url, { ...options, ...more, signal: gate.signal });
    const body = await response.text();
    return { status: response.status, body: parsed(body), wait: waitOf(response) };
  } catch {
    return { status: 0, body: null, wait: 0 };
  } finally {
    clearTimeout(timer);
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function waitOf(response) {
  const seconds = Number(response.headers.get("Retry-After"));
  return seconds > 0 ? Math.min(seconds * 1000, LONGEST_WAIT_MS) : 0;
}
