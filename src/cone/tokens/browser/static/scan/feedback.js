// Sound and vibration.

import {
  ELSEWHERE,
  GRANTED,
  LEFT,
  NOTED,
  OVERRIDDEN,
  QUESTION,
  QUEUED,
  REDEEMED,
  REFUSED,
  RETURNED,
  UNDONE,
  UNSURE,
  VALID,
} from "./machine.js";

const VIBRATIONS = {
  [GRANTED]: 80,
  [VALID]: 80,
  [REFUSED]: [120, 80, 120, 80, 120],
  [REDEEMED]: [250, 80, 250],
  [QUESTION]: [60, 60, 60, 60, 60],
  [NOTED]: [60, 60, 60],
  [UNSURE]: [400],
  [QUEUED]: 30,
  [LEFT]: [40, 40, 80],
  [RETURNED]: [80, 40, 40],
  [OVERRIDDEN]: [80, 60, 300],
  [UNDONE]: [30, 30, 30, 30],
  [ELSEWHERE]: [120, 80, 300],
};

/** Tones as [frequency in Hz, start and end in seconds]; no two kinds sound alike. */
const TONES = {
  [GRANTED]: [[880, 0, 0.08], [1320, 0.09, 0.22]],
  [VALID]: [[880, 0, 0.12]],
  [REFUSED]: [[220, 0, 0.2], [165, 0.24, 0.55]],
  [REDEEMED]: [[660, 0, 0.12], [440, 0.14, 0.4]],
  [QUESTION]: [[520, 0, 0.1], [520, 0.14, 0.24], [780, 0.28, 0.42]],
  [NOTED]: [[330, 0, 0.09], [330, 0.14, 0.23], [330, 0.28, 0.37]],
  [UNSURE]: [[440, 0, 0.12], [440, 0.2, 0.32]],
  [QUEUED]: [[1760, 0, 0.04]],
  [LEFT]: [[1320, 0, 0.08], [880, 0.09, 0.22]],
  [RETURNED]: [[880, 0, 0.08], [1100, 0.09, 0.17], [1320, 0.18, 0.3]],
  [OVERRIDDEN]: [[880, 0, 0.08], [440, 0.1, 0.2], [1320, 0.22, 0.4]],
  [UNDONE]: [[990, 0, 0.07], [660, 0.09, 0.16], [495, 0.18, 0.3]],
  [ELSEWHERE]: [[300, 0, 0.15], [400, 0.18, 0.5]],
  already_inside: [[660, 0, 0.12], [660, 0.16, 0.28], [440, 0.3, 0.5]],
  not_inside: [[440, 0, 0.12], [660, 0.14, 0.4]],
  not_enough_uses: [[660, 0, 0.1], [550, 0.12, 0.22], [440, 0.24, 0.4]],
};
/** What a grant sounds like at a checkpoint: doors beside each other are told apart. */
const GRANTS = {
  high: [[1320, 0, 0.08], [1980, 0.09, 0.22]],
  low: [[587, 0, 0.08], [880, 0.09, 0.22]],
  double: [[880, 0, 0.07], [1320, 0.08, 0.16], [880, 0.24, 0.31], [1320, 0.32, 0.42]],
};

const GAP_S = 0.08;

let sound = null;
let ready = Promise.resolve();
let isLoud = true;
/** When the last tone ends: no kind sounds within another. */
let end = 0;

export function switchSound(isOn) {
  isLoud = isOn;
}

/** A page may sound once it was touched. */
export function unlockSound() {
  const Sound = globalThis.AudioContext ?? globalThis.webkitAudioContext;
  if (!Sound) return;
  sound ??= new Sound();
  if (sound.state === "suspended") ready = sound.resume().catch(() => {});
}

/** `reason`: some have a sound of their own; `ofPlace`: the sound of the checkpoint. */
export function announce(kind, reason, ofPlace) {
  // Before the first touch browsers complain.
  if (navigator.userActivation?.hasBeenActive ?? true) navigator.vibrate?.(VIBRATIONS[kind]);
  const tones = (kind === GRANTED && GRANTS[ofPlace]) || (TONES[reason] ?? TONES[kind]);
  // The key that ends the first scan is the first touch as well.
  if (isLoud && sound) ready.then(() => sound.state === "running" && playAll(tones));
}

function playAll(tones) {
  const from = Math.max(sound.currentTime, end);
  for (const tone of tones) play(tone, from);
  end = from + tones.at(-1)[2] + GAP_S;
}

function play([frequency, start, end], from) {
  const tone = sound.createOscillator();
  const volume = sound.createGain();
  tone.frequency.value = frequency;
  volume.gain.value = 0.4;
  volume.gain.setTargetAtTime(0, from + end - 0.03, 0.01);
  tone.connect(volume).connect(sound.destination);
  tone.start(from + start);
  tone.stop(from + end);
}
