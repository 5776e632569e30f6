// What the page does with scans: state and event give the next state and effects (decision 0019).

export const CONSUME = "consume";
export const CHECK = "check";

export const CAMERA = "camera";
export const KEYS = "keys";
/** Somebody chose it among those that were found: its value is a number, and is not shown. */
export const FOUND = "found";

export const GRANTED = "granted";
export const VALID = "valid";
export const REFUSED = "refused";
export const REDEEMED = "redeemed";
/** Somebody goes out, and who did comes back: neither takes a use. */
export const LEFT = "left";
export const RETURNED = "returned";
/** Granted although a rule refuses it. */
export const OVERRIDDEN = "overridden";
/** A use was taken back. */
export const UNDONE = "undone";
/** It is good at another checkpoint. */
export const ELSEWHERE = "elsewhere";
/** Nothing was asked, or what was asked could not be decided. */
export const NOTED = "noted";
/** It is not known whether a use was taken. */
export const UNSURE = "unsure";
export const QUESTION = "question";
/** It waits in line. */
export const QUEUED = "queued";

const COLOURS = {
  [GRANTED]: "green",
  [RETURNED]: "green",
  [VALID]: "blue",
  [REFUSED]: "red",
  [LEFT]: "violet",
  [OVERRIDDEN]: "dark",
  [UNDONE]: "grey",
  [ELSEWHERE]: "orange",
};
/** Somebody was let through. */
export const PASSED = new Set([GRANTED, RETURNED, LEFT, OVERRIDDEN]);

export function colourOf(kind) {
  return COLOURS[kind] ?? "amber";
}

/** How long a use can be taken back here; later on the page of its ticket. */
export const UNDO_MS = 30_000;
/** The most that one press takes. */
const MOST_AT_ONCE = 100;
const FEW = [1, 2, 3];
const MORE = [...FEW, 5, 10];
/** Nothing is there that somebody could be let in with. */
const HOPELESS = new Set(["unknown", "replaced", "not_enough_uses"]);

export const FRESH_MS = 1_000;
/** How long an answer fills the screen; no less than it is fresh. */
export const SHOWN_MS = {
  [GRANTED]: 1_500,
  [RETURNED]: 1_500,
  [LEFT]: 1_500,
  [VALID]: 1_500,
  [OVERRIDDEN]: 3_000,
  [UNDONE]: 3_000,
  [ELSEWHERE]: 4_000,
  [REFUSED]: 4_000,
  [REDEEMED]: 4_000,
  [NOTED]: 3_000,
};
export const NOTICE_MS = 3_000;
export const MOST_WAITING = 8;
/** How long after a grant the same code is a repeat. */
export const REPEAT_MS = { [KEYS]: 10_000, [FOUND]: 10_000, [CAMERA]: 3_000 };

/** How long what a big answer covered takes no press: a finger may still be on its way. */
const GUARD_MS = 700;
/** After this the page says that the server is slow. */
const SLOW_MS = 3_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 8_000;

/** What was told of a text that may have a rest. */
const BEGINNINGS = new Set(["unfinished", "unended", "unclear"]);
const SIGN_IN = new Set(["signed_out", "other_user"]);

const COUNTED = {
  [GRANTED]: "granted",
  [OVERRIDDEN]: "granted",
  [UNDONE]: "granted",
  [REFUSED]: "refused",
  [REDEEMED]: "refused",
  [ELSEWHERE]: "refused",
};

export const INITIAL = {
  phase: "idle",
  mode: CONSUME,
  /** What the device stands for: {checkpoint, direction, categories, isMissing}; null: nothing. */
  place: null,
  /** What who scans may do besides: {override, add}. */
  may: {},
  number: 0,
  /** The scan that `answer` belongs to; without one it is being asked. */
  scan: null,
  answer: null,
  isBig: false,
  isGuarded: false,
  isFresh: false,
  isRead: false,
  isSlow: false,
  /** Whether a new text begins: what is told goes with it, and does not stay in small. */
  isOver: false,
  line: [],
  notice: null,
  /** The uses that were taken not long ago: {forms, code, uid, uses, at}. */
  grants: [],
  /** The last text of a scanner or of people, and what was told of it: {value, kind, reason}. */
  typed: null,
  /** Whether the last text of a scanner was not taken: what goes on is not a code. */
  isCut: false,
  /** The use that can be taken back: {id, uid, found, receipt, taken, label, category}. */
  undo: null,
  /** What is asked for: "override" or "add", and the answer before that. */
  asked: null,
  before: null,
};

/**
 * Events: `scan` {value, by, at, endedBy, goesOn, verdict, name, isCaps}, `answered` {id, answer, at},
 * `notice` {name}, `sent` {id}: its consumption goes out, `mode` {mode}, `place` {place}, `reading` {isOpen},
 * the buttons `retry`, `give_up`, `continue`, `another`, `no`, `undo`, `take` {uses}, `decide` {asked},
 * `confirm` {reason, category}, `begun`: a text begins, and the timers `fresh_over`, `shown_over`, `retry_due`,
 * `slow_due`, `notice_over`, `undo_over`, each with its {id}, and `guard_over`.
 */
const ALWAYS = {
  mode: setMode,
  place: setPlace,
  undo_over: endUndo,
  notice: showNotice,
  notice_over: endNotice,
  guard_over: endGuard,
};
const NOTHING = {
  answered: stay,
  sent: stay,
  reading: stay,
  retry: stay,
  give_up: stay,
  continue: stay,
  another: stay,
  no: stay,
  fresh_over: stay,
  shown_over: stay,
  retry_due: stay,
  slow_due: stay,
  begun: stay,
  undo: stay,
  take: stay,
  decide: stay,
  confirm: stay,
};
/** What a ticket that is told can be asked for besides. */
const DEEDS = { undo: takeBack, take: takeMore, decide };

export const TABLE = {
  idle: { ...ALWAYS, ...NOTHING, ...DEEDS, scan: begin, answered: tellLate, notice: noticeAlone, begun: forget },
  asking: { ...ALWAYS, ...NOTHING, scan: wait, sent: noteSent, answered: settle, slow_due: beSlow },
  told: {
    ...ALWAYS,
    ...NOTHING,
    ...DEEDS,
    scan: beginOrWait,
    answered: tellLate,
    reading: read,
    continue: startNext,
    fresh_over: ripen,
    shown_over: shrink,
    begun: beOver,
  },
  /** The same code again: is another use to be taken? */
  question: {
    ...ALWAYS,
    ...NOTHING,
    scan: declineAndBegin,
    mode: declineAndSetMode,
    place: declineAndSetPlace,
    another: askAnother,
    no: decline,
    continue: (state) => declineUnasked(state),
    fresh_over: ripenQuestion,
  },
  /** Is somebody to be let in anyway, or is a ticket to be made? Scans wait. */
  deciding: { ...ALWAYS, ...NOTHING, scan: wait, confirm, no: leave, continue: leave },
  /** No answer; it is asked again, by itself or by hand. */
  unsure: {
    ...ALWAYS,
    ...NOTHING,
    scan: wait,
    retry: askAgain,
    retry_due: askAgainInTime,
    give_up: giveUp,
    continue: makeRoom,
  },
  retrying: {
    ...ALWAYS,
    ...NOTHING,
    scan: wait,
    sent: noteSent,
    answered: settle,
    give_up: giveUp,
    continue: makeRoom,
  },
};

export function step(state, event) {
  const [next, effects] = TABLE[state.phase][event.type](state, event);
  if (!state.isBig || next.isBig) return [next, effects];
  return [{ ...next, isGuarded: true }, [...effects, timer("guard_over", next.number, GUARD_MS)]];
}

export function view(state) {
  const { phase, scan, answer, isBig, isGuarded, isSlow, line, notice, mode } = state;
  const isUnsure = phase === "unsure" || phase === "retrying";
  const kind = answer?.kind ?? (scan ? "waiting" : "none");
  const buttons = {
    retry: isUnsure,
    give_up: isUnsure,
    sign_in: isUnsure && (SIGN_IN.has(answer.reason) || SIGN_IN.has(answer.cause)),
    another: phase === "question",
    no: phase === "question" || phase === "deciding",
    continue: phase === "told",
  };
  const isNew = (phase === "question" || phase === "told") && state.isFresh;
  const offers = phase === "told" || phase === "idle" ? offersOf(state) : questionOf(state);
  const more = { isGuarded, isSlow, notice, mode, offers };
  return { kind, scan, answer, isBig, isNew, buttons, waiting: line.length, ...more };
}

/** What is asked for: {asked, categories}. A new ticket has to be good where it is made. */
function questionOf({ asked, scan }) {
  return asked === "add" ? { asked, categories: scan.place?.categories ?? [] } : { asked };
}

/** What a ticket that is told can be asked for: {undo, counts, all, override, add}. */
function offersOf({ scan, answer, undo, may }) {
  const isOpen = answer && scan.mode === CONSUME;
  const isRefused = isOpen && answer.isDenied;
  const isUnknown = isRefused && answer.reason === "unknown" && scan.by !== FOUND;
  const isIn = !isOut(scan ?? {});
  return {
    undo: isOpen && undo?.id === scan.id ? undo : null,
    counts: isOpen ? countsOf(scan, answer) : [],
    all: answer?.uses,
    override: Boolean(isRefused && may.override && isIn && !HOPELESS.has(answer.reason)),
    add: Boolean(isUnknown && may.add && isIn),
  };
}

function isOut({ place }) {
  return place?.direction === "out";
}

/** Presence is the ticket's: where tickets go in and out, nobody else comes in with it. */
function countsOf({ place }, { kind, reason, uses }) {
  const isMeant = kind === GRANTED || reason === "not_enough_uses";
  if (!isMeant || !Number.isInteger(uses) || place?.direction) return [];
  if (uses < 0 || uses > MOST_AT_ONCE) return MORE;
  return [...FEW.filter((count) => count < uses), ...(uses ? [uses] : [])];
}

/** The use that an answer tells, where it can be taken back. */
function undoOf({ id, by, value }, { kind, uid, receipt, taken, label, category }) {
  const found = by === FOUND ? numberOf(value) : undefined;
  if (!PASSED.has(kind) || !(uid || found) || !receipt) return null;
  return { id, uid, found, receipt, taken, label, category };
}

export function isCovered(state) {
  return state.isBig && state.phase !== "question";
}

/** Whether a scan has no answer yet: the page is not to be left. */
export function isOpen({ phase, line }) {
  return line.length > 0 || ["asking", "unsure", "retrying"].includes(phase);
}

function stay(state) {
  return [state, []];
}

// --- scans

function begin(state, event) {
  return start(...numbered(state, event));
}

function beginOrWait(state, event) {
  return state.isFresh ? wait(state, event) : begin(state, event);
}

/** Scans that cannot be begun yet stand in a line; one that finds it full is told so at once. */
function wait(state, event) {
  const [next, scan] = numbered(state, event);
  if (next.line.length < MOST_WAITING) {
    return [{ ...next, line: [...next.line, scan] }, [{ type: "announce", kind: QUEUED }]];
  }
  const cut = { ...next, isCut: scan.by === KEYS };
  const [noticed, effects] = showNotice(cut, { name: "full", value: nameOf(scan) });
  return [noticed, [answerOf(scan, { kind: NOTED, reason: "full" }), ...effects]];
}

function numbered(state, event) {
  const { value, by, at, endedBy = null, goesOn = false, verdict = null } = event;
  const { name, isSought, isCaps } = event;
  const { mode, place } = state;
  const id = state.number + 1;
  const isRest = goesOn && state.isCut;
  const scan = { id, value, by, at, endedBy, goesOn, name, isSought, isCaps, mode, place, tries: 0 };
  scan.verdict = verdict ?? (isRest ? "unclear" : null);
  return [{ ...state, number: id, isCut: state.isCut && by !== KEYS }, scan];
}

/** The value of what was found: no device sends half a character. */
export function foundValue(number) {
  return `\ud800${number}`;
}

export function numberOf(value) {
  return Number(value.slice(1));
}

/** What people know a scan by. */
export function nameOf({ value, name }) {
  return name ?? value;
}

function start(state, sent) {
  const scan = whole(state, sent);
  const verdict = scan.verdict ?? (scan.place?.isMissing ? "no_checkpoint" : null);
  if (verdict) return tell(state, scan, { kind: NOTED, reason: verdict });
  const grant = scan.mode === CONSUME && state.grants.find(isRepeat, scan);
  return grant ? repeat(state, scan, grant) : askFirst(state, scan);
}

/** The server knows whether it is another form of a code that was redeemed just now. */
function askFirst(state, scan) {
  const isOther = (one) => isRecent(scan, one) && !one.forms.includes(scan.value);
  const recent = state.grants.filter(isOther);
  const others = recent.flatMap(({ uid }) => uid ?? []);
  const found = recent.flatMap((one) => one.found ?? []);
  return ask(state, { ...scan, others, found }, "asking", null);
}

/** What goes on after a pause belongs to the text before it, where that may have a rest. */
function whole({ typed }, scan) {
  const isWhole = scan.verdict || !BEGINNINGS.has(typed?.reason) || isAgain(typed, scan);
  if (!scan.goesOn || isWhole) return scan;
  const isRest = typed.reason === "unfinished" && !scan.value.startsWith(typed.value);
  return isRest
    ? { ...scan, value: typed.value + scan.value }
    : { ...scan, verdict: "unclear" };
}

/** Who is told to scan it again does so. */
function isAgain({ value, reason }, scan) {
  const isEnded = reason === "unended" && !scan.endedBy && scan.value.startsWith(value);
  return isEnded || scan.value === value;
}

function isRepeat(grant) {
  return grant.forms.includes(this.value) && isRecent(this, grant);
}

function isRecent(scan, grant) {
  return scan.at - grant.at < REPEAT_MS[scan.by];
}

function repeat(state, scan, grant) {
  const { uses } = grant;
  const forms = [...grant.forms, scan.value];
  const again = { ...grant, forms, at: Math.max(grant.at, scan.at) };
  const next = { ...state, grants: state.grants.map((one) => (one === grant ? again : one)) };
  if (scan.by !== CAMERA && uses !== 0) return putQuestion(next, scan, grant);
  const reason = uses === 0 ? "repeated_used_up" : "repeated";
  return tell(next, scan, { kind: NOTED, reason });
}

function startNext(state) {
  const [scan, ...line] = state.line;
  return scan ? start({ ...state, line }, scan) : rest(state);
}

function rest(state) {
  const next = { ...state, phase: "idle", isBig: false, isFresh: false, isRead: false };
  return next.isOver ? forget(next) : [next, []];
}

/** What comes is not to stand under the answer to something else. */
function forget(state) {
  return [{ ...state, scan: null, answer: null, isOver: false }, []];
}

function beOver(state) {
  const next = { ...state, isOver: true };
  return state.isBig ? [next, []] : startNext(next);
}

function ask(state, scan, phase, answer) {
  const asked = { ...scan, tries: scan.tries + 1, isOut: false };
  const isBig = answer !== null && state.isBig;
  const next = { ...state, phase, scan: asked, answer, isBig, isFresh: false, isRead: false };
  const slow = timer("slow_due", scan.id, SLOW_MS);
  return [{ ...withoutHint(next), isSlow: false }, [{ type: "ask", scan: asked }, slow]];
}

function beSlow(state, { id }) {
  if (id !== state.scan.id) return stay(state);
  return [{ ...state, isSlow: true }, [{ type: "announce", kind: NOTED }]];
}

function noteSent(state, { id }) {
  if (id !== state.scan.id) return stay(state);
  return [{ ...state, scan: { ...state.scan, isOut: true } }, []];
}

// --- answers

function settle(state, { id, answer, at }) {
  if (id !== state.scan.id) return stay(state);
  if (answer.kind === UNSURE) return beUnsure(state, answer);
  if (answer.reason === "repeated") return settleRepeated(state, answer);
  const isName = state.scan.isSought && answer.reason === "unknown";
  if (isName) return tell(state, state.scan, { kind: NOTED, reason: "no_code" });
  return tell(withGrant(state, answer, at), state.scan, answer);
}

/** It is another form of what was redeemed just now, or of what was asked and given up. */
function settleRepeated(state, answer) {
  const grant = state.grants.find((one) => isSameTicket(one, answer));
  if (grant) return repeat(state, state.scan, grant);
  return tell(state, state.scan, { ...answer, reason: "lost_before" });
}

function isSameTicket(one, { uid, found }) {
  return Boolean((uid && one.uid === uid) || (found && one.found === found));
}

/** `forms`: what the request said, where it was made for another form of the code. */
function withGrant(state, answer, at) {
  const { kind, uid, readAs, uses, label, category, forms = [] } = answer;
  if (kind === UNDONE) {
    return { ...state, grants: state.grants.filter((one) => !isSameTicket(one, answer)) };
  }
  // Where tickets go in and out, the server knows where they are.
  if (kind !== GRANTED || state.scan.place?.direction) return state;
  const { value, by } = state.scan;
  const found = by === FOUND ? numberOf(value) : undefined;
  const code = readAs ?? value;
  const isSame = (one) => one.code === code || (uid && one.uid === uid);
  const recent = state.grants.filter((one) => at - one.at < REPEAT_MS[KEYS]);
  const known = recent.filter(isSame).flatMap((one) => one.forms);
  const all = [...new Set([value, code, ...forms, ...known])];
  const grant = { forms: all, code, uid, found, uses, label, category, at };
  return { ...state, grants: [grant, ...recent.filter((one) => !isSame(one))] };
}

/** The answer of a scan that was given up takes the place of that, as long as it is shown. */
function tellLate(state, { id, answer, at }) {
  const isMeant = state.answer?.reason.startsWith("given_up") && answer.kind !== UNSURE;
  if (!isMeant || id !== state.scan.id) return stay(state);
  const { value } = state.scan;
  const [next, effects] = tell(withGrant(state, answer, at), state.scan, answer);
  return [next, [{ type: "settle", value, key: answer.key }, ...effects.slice(1)]];
}

function tell(state, scan, answer) {
  const isName = answer.reason === "no_code";
  const shown = { phase: "told", scan, answer, isBig: !isName, isFresh: true, isRead: false };
  const effects = [
    answerOf(scan, answer),
    { type: "announce", kind: answer.kind, reason: answer.reason, sound: scan.place?.sound },
    timer("fresh_over", scan.id, FRESH_MS),
    timer("shown_over", scan.id, SHOWN_MS[answer.kind]),
  ];
  const typed = typedOf(state, scan, answer);
  const counter = scan.mode === CONSUME && COUNTED[answer.kind];
  if (counter) effects.push({ type: "count", counter, by: answer.taken ?? 1 });
  const undo = undoOf(scan, answer);
  if (undo) effects.push(timer("undo_over", scan.id, UNDO_MS));
  if (answer.reason === "unknown_checkpoint") effects.push({ type: "lose_place" });
  if (isName || answer.reason === "unfinished") effects.push({ type: "restore", value: scan.value });
  if (isName) effects.push({ type: "choose" });
  return [withoutHint({ ...state, ...shown, typed, undo, isOver: false }), effects];
}

function typedOf({ typed }, { by, value }, { kind, reason }) {
  return by === KEYS ? { value, kind, reason } : typed;
}

function beUnsure(state, answer) {
  const isNew = answer.reason !== state.answer?.reason || answer.cause !== state.answer.cause;
  const isBig = isNew || state.isBig;
  // A text that stays the same is not told again.
  const shown = isNew ? answer : state.answer;
  const effects = isNew ? [{ type: "announce", kind: UNSURE }] : [];
  const { id, tries } = state.scan;
  if (answer.retries) effects.push(timer("retry_due", id, pauseBefore(tries, answer.wait)));
  const scan = { ...state.scan, isLost: state.scan.isLost || answer.isLost, isOut: false };
  return [withoutHint({ ...state, phase: "unsure", scan, answer: shown, isBig }), effects];
}

function pauseBefore(tries, pause = 0) {
  return Math.max(Math.min(FIRST_PAUSE_MS * 2 ** (tries - 1), LONGEST_PAUSE_MS), pause);
}

function answerOf(scan, { kind, reason = kind }) {
  return { type: "answer", id: scan.id, kind, reason };
}

function timer(event, id, ms) {
  return { type: "timer", event, id, ms };
}

function ripen(state, { id }) {
  if (id !== state.scan.id) return stay(state);
  return state.line.length ? startNext(state) : [{ ...state, isFresh: false }, []];
}

function shrink(state, { id }) {
  return id === state.scan.id && !state.isRead ? startNext(state) : stay(state);
}

function read(state, { isOpen }) {
  const { scan, answer } = state;
  const effects = isOpen ? [] : [timer("shown_over", scan.id, SHOWN_MS[answer.kind])];
  return [{ ...state, isRead: isOpen }, effects];
}

// --- the same code again

function putQuestion(state, scan, { uses, label, category }) {
  const answer = { kind: QUESTION, reason: "question", uses, label, category };
  const shown = { phase: "question", scan, answer, isBig: true, isFresh: true, isRead: false };
  const effects = [
    { type: "announce", kind: QUESTION },
    timer("fresh_over", scan.id, FRESH_MS),
  ];
  const typed = typedOf(state, scan, answer);
  return [withoutHint({ ...state, ...shown, typed }), effects];
}

/** A tap that was meant for what stood there before is none. */
function askAnother(state) {
  if (state.isFresh) return stay(state);
  return askFirst(state, state.scan);
}

function decline(state) {
  const [next, effects] = startNext({ ...state, scan: null, answer: null });
  return [next, [declined(state), ...effects]];
}

/** Nobody said no: that nothing more was redeemed is told beside what comes next. */
function declineUnasked(state, go = startNext) {
  const { value } = state.scan;
  const name = nameOf(state.scan);
  const [next, effects] = go({ ...state, scan: null, answer: null });
  const told = [declined(state), ...effects];
  if (next.scan?.value === value) return [next, told];
  const [noticed, [sound, over]] = showNotice(next, { name: "declined", value: name });
  // The next scan is heard.
  return [noticed, next.scan ? [...told, over] : [...told, sound, over]];
}

function declineAndBegin(state, event) {
  if (state.isFresh) return wait(state, event);
  return declineUnasked(state, (next) => begin(next, event));
}

function declineAndSetMode(state, { mode }) {
  return declineUnasked({ ...state, mode });
}

function declineAndSetPlace(state, { place }) {
  return declineUnasked({ ...state, place, grants: [] });
}

function ripenQuestion(state, { id }) {
  if (id !== state.scan.id) return stay(state);
  return state.line.length ? declineUnasked(state) : [{ ...state, isFresh: false }, []];
}

function declined({ scan }) {
  return answerOf(scan, { kind: QUESTION, reason: "declined" });
}

// --- what a ticket that is told can be asked for besides

function takeBack(state) {
  const { undo } = state;
  if (!offersOf(state).undo || isUntouchable(state)) return stay(state);
  return act({ ...state, undo: null }, undo);
}

function takeMore(state, { uses }) {
  if (!offersOf(state).counts.includes(uses) || isUntouchable(state)) return stay(state);
  return act(state, { uses });
}

/** A tap that was meant for what stood there before is none. */
function isUntouchable({ isFresh, isGuarded }) {
  return isFresh || isGuarded;
}

function decide(state, { asked }) {
  if (!offersOf(state)[asked] || isUntouchable(state)) return stay(state);
  const answer = { ...state.answer, kind: QUESTION, reason: `${asked}_question` };
  const shown = { phase: "deciding", asked, before: state.answer, answer, isBig: true };
  return [{ ...state, ...shown }, [{ type: "announce", kind: QUESTION }]];
}

function confirm(state, { reason, category }) {
  const deed = state.asked === "add" ? { isNew: true, category } : { override: reason };
  return act(decided(state), deed);
}

/** It stays as it was told. */
function leave(state) {
  return startNext({ ...decided(state), answer: state.before });
}

function decided(state) {
  return { ...state, asked: null, before: null };
}

/** What somebody does is asked and answered like a scan of the same ticket. */
function act(state, deed) {
  const { value, by, at, name, mode, place } = state.scan;
  const id = state.number + 1;
  const scan = { id, value, by, at, endedBy: null, name, mode, place, deed, tries: 0 };
  return ask({ ...state, number: id }, scan, "asking", null);
}

function endUndo(state, { id }) {
  return id === state.undo?.id ? [{ ...state, undo: null }, []] : stay(state);
}

// --- where the answer is missing

function askAgain(state) {
  return ask(state, state.scan, "retrying", state.answer);
}

function askAgainInTime(state, { id }) {
  return id === state.scan.id ? askAgain(state) : stay(state);
}

function makeRoom(state) {
  return [{ ...state, isBig: false }, []];
}

function giveUp(state) {
  const isLost = state.scan.isLost || state.scan.isOut === true;
  const scan = { ...state.scan, isLost };
  const untaken = isLost ? "given_up" : "given_up_untaken";
  const asked = scan.deed?.receipt ? "given_up_undo" : untaken;
  const reason = scan.mode === CONSUME ? asked : "given_up_check";
  const [next, effects] = tell(state, scan, { kind: NOTED, reason });
  const { value, by } = scan;
  const restored = by === FOUND || scan.deed ? [] : [{ type: "restore", value }];
  return [next, [{ type: "keep", scan }, ...restored, ...effects]];
}

// --- beside the scans

/** A code that was redeemed there is no repeat here. */
function setPlace(state, { place }) {
  return [{ ...state, place, grants: [] }, []];
}

function setMode(state, { mode }) {
  const next = { ...state, mode };
  if (mode === state.mode) return [next, []];
  return showNotice(next, mode === CHECK ? { name: "checking" } : { name: "redeeming" });
}

function endGuard(state) {
  return [{ ...state, isGuarded: false }, []];
}

/** What the camera sees and does not take is told beside the answers. */
function showNotice(state, { name, value }) {
  const { notice } = state;
  const isSame = notice?.name === name;
  if (isSame && isHint(notice)) return [state, [timer("notice_over", notice.id, NOTICE_MS)]];
  const id = state.number + 1;
  const values = [...((isSame && notice.values) || []), ...(value ? [value] : [])];
  const over = timer("notice_over", id, NOTICE_MS * (1 + values.length));
  return [
    { ...state, number: id, notice: { id, name, values } },
    [{ type: "announce", kind: NOTED }, over],
  ];
}

function noticeAlone(state, event) {
  return showNotice({ ...state, scan: null, answer: null }, event);
}

function endNotice(state, { id }) {
  return id === state.notice?.id ? [{ ...state, notice: null }, []] : stay(state);
}

/** A hint for the camera is over with the next answer; who was not heard is told to the end. */
function withoutHint(state) {
  return isHint(state.notice) ? { ...state, notice: null } : state;
}

/** It stays as long as the camera sees the same; each scan that was not taken is told. */
function isHint(notice) {
  return notice && notice.values.length === 0;
}
