// What an answer of the server means at the door.
//
// Green is one thing only: an answer that says `consumed: true`.

import { failureName } from "../failures.js";

export const GRANTED = "granted";
export const REFUSED = "refused";
/** Looked up only: nothing was consumed. */
export const VALID = "valid";
/** It is not known whether something was consumed. */
export const UNKNOWN = "unknown";

/** What is asked again by itself, and with the same key. */
const PASSING = new Set(["offline", "rate_limited", "unavailable"]);

const REASONS = {
  usage_count_exceeded: "reason_used_up",
  token_locked: "reason_locked",
  out_of_time_range: "reason_out_of_time",
  token_disabled: "reason_disabled",
  token_not_exists: "reason_no_such_token",
};

const STATUS_REASONS = {
  exhausted: "reason_used_up",
  locked: "reason_locked",
  not_yet_valid: "reason_not_yet_valid",
  expired: "reason_expired",
  disabled: "reason_disabled",
};

/** What makes no difference at the door. */
const NAMES = { not_found: "not_possible", too_large: "not_possible" };

/** What an answer to a consumption means. */
export function consumption({ status, body, wait }) {
  if (status === 200 && body?.success === true && body.consumed === true) {
    return { kind: GRANTED, reason: "granted", uses: body.usage_count };
  }
  if (body?.consumed === false && body.error in REASONS) {
    return { kind: REFUSED, reason: REASONS[body.error] };
  }
  return failure(status, wait);
}

/** What an answer to a look-up means. */
export function lookUp({ status, body, wait }) {
  if (status !== 200 || body?.success !== true) return failure(status, wait);
  if (body.token === null) return { kind: REFUSED, reason: REASONS.token_not_exists };
  if (!body.token) return failure(status, wait);
  const facts = tokenFacts(body.token);
  if (body.token.status === "consumable") return { ...facts, kind: VALID, reason: "checked" };
  return { ...facts, kind: REFUSED };
}

/** What is told about a token that was refused. */
export function tokenFacts(token) {
  const time = {
    locked: token.locked_until,
    not_yet_valid: token.valid_from,
    expired: token.valid_to,
  }[token.status];
  return {
    reason: STATUS_REASONS[token.status],
    time,
    uses: token.usage_count,
    lastUsed: token.last_used,
  };
}

function failure(status, wait) {
  // A page in place of an answer is what some networks show before one signs in to them.
  if (status === 200) return failed("no_answer");
  return failed(NAMES[failureName(status)] ?? failureName(status), wait);
}

function failed(reason, wait) {
  return { kind: UNKNOWN, reason, wait, retries: PASSING.has(reason) };
}
