// What an answer of the server means.
//
// Green is one thing only: an answer that says `consumed: true`.

import { failureName } from "../failures.js";
import {
  ELSEWHERE,
  GRANTED,
  LEFT,
  NOTED,
  OVERRIDDEN,
  REDEEMED,
  REFUSED,
  RETURNED,
  UNDONE,
  UNSURE,
  VALID,
} from "./machine.js";

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
  wrong_checkpoint: "wrong_checkpoint",
  already_inside: "already_inside",
  not_inside: "not_inside",
  not_enough_uses: "not_enough_uses",
};

export const STATUSES = {
  exhausted: "redeemed",
  locked: "locked",
  not_yet_valid: "not_yet_valid",
  expired: "expired",
  disabled: "disabled",
};

const HARMLESS = new Set([
  "redeemed",
  "locked",
  "used_up",
  "already_inside",
  "not_inside",
  "not_enough_uses",
]);
/** Refusals that tell all that is to be told. */
const TOLD = new Set(["redeemed", "already_inside", "not_inside", "not_enough_uses"]);
/** Mistakes that say that the settings have changed: their texts name the parameter. */
const OF_PLACE = /^(checkpoint|direction):/;
const SAME = { not_found: "not_possible", too_large: "not_possible" };

/** `manner`: what was asked for besides the code, {uses, direction, override}. */
export function consumption({ status, body, wait }, manner = {}) {
  if (status === 200 && body?.success === true && body.consumed === true) {
    const { usage_count: uses, used_before: before, receipt, uses: taken = 1 } = body;
    const facts = { receipt, taken, ...common(body) };
    // What takes no use has none before it.
    return { ...passage(manner, taken), ...facts, ...(taken !== 0 && { uses, before }) };
  }
  if (status === 400 && OF_PLACE.test(body?.message)) {
    return { kind: NOTED, reason: "unknown_checkpoint" };
  }
  if (status === 200 && body?.consumed === false) {
    if (body.error === "unfinished") return { kind: NOTED, reason: "unfinished" };
    if (body.error === "repeated") return { kind: NOTED, reason: "repeated", ...common(body) };
  }
  if (body?.consumed === false && body.error in REFUSALS) {
    const facts = { lastUsed: body.last_used, lastUser: body.last_user, ...common(body) };
    const { usage_count: uses } = body;
    return refused({ reason: REFUSALS[body.error], isDenied: true, uses, ...facts });
  }
  return failure(status, body, wait);
}

function passage({ direction, override, uses, isNew }, taken) {
  if (override) return { kind: OVERRIDDEN, reason: "overridden" };
  if (direction === "out") return { kind: LEFT, reason: "left" };
  if (direction && !taken) return { kind: RETURNED, reason: "returned" };
  if (uses) return { kind: GRANTED, reason: "granted_more" };
  return { kind: GRANTED, reason: isNew ? "added" : "granted" };
}

/** What came of taking a use back; `taken`: how many it were. */
export function undoing({ status, body, wait }, { uid, found, taken, label, category }) {
  if (status === 200 && body?.success === true) {
    const facts = { uid, found, uses: body.usage_count, taken: -taken, label, category };
    return { kind: UNDONE, reason: "undone", ...facts };
  }
  const isRefused = status === 400 || body?.error === "not_undone";
  return isRefused ? { kind: NOTED, reason: "not_undone" } : failure(status, body, wait);
}

/** Why a ticket was not made; null: it was, or somebody else made it. */
export function adding({ status, body, wait }) {
  if (body?.success === true || body?.error === "value_taken") return null;
  if (status === 400) return { kind: NOTED, reason: "not_added" };
  return { ...failure(status, body, wait), isLost: false };
}

/** What would happen to it: `place`, {categories, direction}, has rules of its own. */
export function lookUp({ status, body, wait }, { categories, direction } = {}) {
  if (status !== 200 || body?.success !== true) return failure(status, body, wait);
  if (body.unfinished) return { kind: NOTED, reason: "unfinished" };
  if (body.replaced) return refused({ reason: "replaced" });
  if (body.token === null) return refused({ reason: "unknown" });
  if (!body.token) return failure(status, body, wait);
  const facts = { ...common(body), ...tokenFacts(body.token) };
  const isElsewhere = categories?.length && !categories.includes(facts.category);
  const isInside = body.inside ?? body.token.inside ?? false;
  if (facts.reason === "disabled") return refused(facts);
  if (isElsewhere) return refused({ ...facts, reason: "wrong_checkpoint" });
  if (direction && isInside !== (direction === "out")) {
    return refused({ ...facts, reason: isInside ? "already_inside" : "not_inside" });
  }
  // Nobody is kept inside.
  const isGood = body.token.status === "consumable" || direction === "out";
  return isGood ? { ...facts, kind: VALID, reason: "valid" } : refused(facts);
}

export function wantsDetails({ kind, reason, lastUsed }) {
  if (kind !== REFUSED && kind !== REDEEMED) return false;
  const isTold = lastUsed !== undefined && TOLD.has(reason);
  return reason !== "unknown" && reason !== "replaced" && !isTold;
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
  const { readAs, label, category, isDenied } = answer;
  const { uses } = facts;
  return refused({ readAs, label, category, isDenied, uses, lastUsed, lastUser, reason, time });
}

function refused(facts) {
  const isBorn = facts.reason === "redeemed" && facts.lastUsed === null;
  const reason = isBorn ? "used_up" : facts.reason;
  const kind = reason === "wrong_checkpoint" ? ELSEWHERE : REFUSED;
  return { ...facts, reason, kind: HARMLESS.has(reason) ? REDEEMED : kind };
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
