// Sound and vibration.

import { GRANTED, NOTED, QUESTION, QUEUED, REDEEMED, REFUSED, UNSURE, VALID } from "./machine.js";

const VIBRATIONS = {
  [GRANTED]: 80,
  [VALID]: 80,
  [REFUSED]: [120, 80, 120, 80, 120],
  [REDEEMED]: [250, 80, 250],
  [QUESTION]: [60, 60, 60, 60, 60],
  [NOTED]: [60, 60, 60],
  [UNSURE]: [400],
  [QUEUED]: 30,
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

export function announce(kind) {
  // Before the first touch browsers complain.
  if (navigator.userActivation?.hasBeenActive ?? true) navigator.vibrate?.(VIBRATIONS[kind]);
  // The key that ends the first scan is the first touch as well.
  if (isLoud && sound) ready.then(() => sound.state === "running" && playAll(TONES[kind]));
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
