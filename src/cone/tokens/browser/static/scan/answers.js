// What an answer of the server means.
//
// Green is one thing only: an answer that says `consumed: true`.

import { failureName } from "../failures.js";
import { GRANTED, NOTED, REDEEMED, REFUSED, UNSURE, VALID } from "./machine.js";

/** What is asked again by itself, and with the same key. */
const PASSING = new Set(["offline", "rate_limited", "unavailable"]);
/** What stays open until somebody does something about it. */
const OPEN = new Set([...PASSING, "no_answer", "signed_out", "other_user", "fault"]);
/** Open as well, but this try took no use. */
const UNTAKEN = new Set(["rate_limited", "signed_out", "other_user"]);
/** Why something is forbidden whatever who is signed in may do. */
const FORBIDDEN = { other_site: "other_site", other_user: "other_user" };

const REFUSALS = {
  usage_count_exceeded: "redeemed",
  token_locked: "locked",
  out_of_time_range: "out_of_time",
  token_disabled: "disabled",
  token_not_exists: "unknown",
  replaced: "replaced",
};

export const STATUSES = {
  exhausted: "redeemed",
  locked: "locked",
  not_yet_valid: "not_yet_valid",
  expired: "expired",
  disabled: "disabled",
};

const HARMLESS = new Set(["redeemed", "locked", "used_up"]);
const SAME = { not_found: "not_possible", too_large: "not_possible" };

export function consumption({ status, body, wait }) {
  if (status === 200 && body?.success === true && body.consumed === true) {
    const facts = { uses: body.usage_count, before: body.used_before };
    return { kind: GRANTED, reason: "granted", ...facts, ...common(body) };
  }
  if (status === 200 && body?.consumed === false) {
    if (body.error === "unfinished") return { kind: NOTED, reason: "unfinished" };
    if (body.error === "repeated") return { kind: NOTED, reason: "repeated", ...common(body) };
  }
  if (body?.consumed === false && body.error in REFUSALS) {
    const facts = { lastUsed: body.last_used, lastUser: body.last_user, ...common(body) };
    return refused({ reason: REFUSALS[body.error], ...facts });
  }
  return failure(status, body, wait);
}

export function lookUp({ status, body, wait }) {
  if (status !== 200 || body?.success !== true) return failure(status, body, wait);
  if (body.unfinished) return { kind: NOTED, reason: "unfinished" };
  if (body.replaced) return refused({ reason: "replaced" });
  if (body.token === null) return refused({ reason: "unknown" });
  if (!body.token) return failure(status, body, wait);
  const facts = { ...common(body), ...tokenFacts(body.token) };
  if (body.token.status === "consumable") return { ...facts, kind: VALID, reason: "valid" };
  return refused(facts);
}

export function wantsDetails({ kind, reason, lastUsed }) {
  if (kind !== REFUSED && kind !== REDEEMED) return false;
  return reason !== "unknown" && reason !== "replaced" && !(reason === "redeemed" && lastUsed !== undefined);
}

export function detailed(answer, { status, body }) {
  if (status !== 200 || !body?.token) return answer;
  const facts = tokenFacts(body.token);
  // The reason of the refusal stays: the token may have changed in between.
  const isMore = answer.reason === "out_of_time" || answer.reason === facts.reason;
  const reason = isMore ? (facts.reason ?? answer.reason) : answer.reason;
  // When and who belong together.
  const { lastUsed, lastUser } = answer.lastUsed ? answer : facts;
  const time = isMore ? facts.time : undefined;
  const { readAs, label, category } = answer;
  const { uses } = facts;
  return refused({ readAs, label, category, uses, lastUsed, lastUser, reason, time });
}

function refused(facts) {
  const isBorn = facts.reason === "redeemed" && facts.lastUsed === null;
  const reason = isBorn ? "used_up" : facts.reason;
  return { ...facts, reason, kind: HARMLESS.has(reason) ? REDEEMED : REFUSED };
}

function common(body) {
  const { token_uid: uid, found, label, category } = body;
  return { uid, found, label, category, readAs: body.read_as ?? undefined };
}

function tokenFacts(token) {
  const time = {
    locked: token.locked_until,
    not_yet_valid: token.valid_from,
    expired: token.valid_to,
  }[token.status];
  const { usage_count: uses, last_used: lastUsed, last_user: lastUser } = token;
  const { label, category } = token;
  return { reason: STATUSES[token.status], time, uses, lastUsed, lastUser, label, category };
}

/** A failure says nothing about a try before it whose answer was lost. */
export function afterLoss(answer) {
  if (answer.isLost === undefined) return answer;
  const isOpen = answer.isLost || answer.retries;
  const unknown = { kind: UNSURE, reason: "still_unknown", cause: answer.reason };
  return { ...answer, ...(!isOpen && unknown), isLost: true };
}

function failure(status, body, wait) {
  // A page in place of an answer is what some networks show before one signs in to them.
  const name = status && status < 400 ? "no_answer" : failureName(status);
  const reason = (name === "forbidden" && FORBIDDEN[body?.reason]) || (SAME[name] ?? name);
  const kind = OPEN.has(reason) ? UNSURE : NOTED;
  const isLost = kind === UNSURE && !UNTAKEN.has(reason);
  return { kind, reason, wait, isLost, retries: PASSING.has(reason) };
}
