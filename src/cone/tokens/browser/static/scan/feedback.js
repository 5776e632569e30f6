// Sound and vibration: at a door nobody looks at the screen all the time.

import { GRANTED, REFUSED, VALID } from "./answers.js";

const VIBRATIONS = { [GRANTED]: 80, [VALID]: 80, [REFUSED]: [120, 80, 120, 80, 120] };
const OTHER_VIBRATION = [400];

/** Tones as [frequency in Hz, start and end in seconds]. */
const TONES = {
  [GRANTED]: [[880, 0, 0.08], [1320, 0.09, 0.22]],
  [VALID]: [[880, 0, 0.12]],
  [REFUSED]: [[220, 0, 0.2], [165, 0.24, 0.55]],
};
const OTHER_TONES = [[440, 0, 0.12], [440, 0.2, 0.32]];

let sound = null;
let isLoud = true;

/** Have tones or none; it vibrates in any case. */
export function switchSound(isOn) {
  isLoud = isOn;
}

/** Browsers let a page sound once somebody has touched it. */
export function unlockSound() {
  const Sound = globalThis.AudioContext ?? globalThis.webkitAudioContext;
  if (!Sound) return;
  sound ??= new Sound();
  if (sound.state === "suspended") sound.resume().catch(() => {});
}

export function announce(kind) {
  // Before the first touch a browser would complain about it.
  if (navigator.userActivation?.hasBeenActive ?? true) {
    navigator.vibrate?.(VIBRATIONS[kind] ?? OTHER_VIBRATION);
  }
  if (!isLoud || sound?.state !== "running") return;
  for (const tone of TONES[kind] ?? OTHER_TONES) play(tone);
}

function play([frequency, start, end]) {
  const tone = sound.createOscillator();
  const volume = sound.createGain();
  tone.frequency.value = frequency;
  volume.gain.value = 0.4;
  // Without a fade it clicks.
  volume.gain.setTargetAtTime(0, sound.currentTime + end - 0.03, 0.01);
  tone.connect(volume).connect(sound.destination);
  tone.start(sound.currentTime + start);
  tone.stop(sound.currentTime + end);
}
