// Keeps the screen on while the camera runs. Browsers end that whenever the page is hidden.

let lock = null;
let isWanted = false;

export function keepAwake(wanted) {
  isWanted = wanted;
  if (wanted) acquire();
  else release();
}

document.addEventListener("visibilitychange", () => {
  if (isWanted && !document.hidden) acquire();
});

async function acquire() {
  if (lock && !lock.released) return;
  try {
    lock = await navigator.wakeLock?.request("screen");
    if (!isWanted) release();
  } catch {
    // A low battery forbids it. The camera works all the same.
  }
}

function release() {
  lock?.release();
  lock = null;
}
