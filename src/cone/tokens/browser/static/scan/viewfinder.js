// The picture of the camera with its buttons.

import { keepAwake } from "./awake.js";
import { Camera } from "./camera.js";

const CHOICE = "cone.tokens.camera";

/** Events: `seen` {value}. */
export class Viewfinder extends EventTarget {
  #root;
  #texts;
  #camera;
  #isWanted = false;

  constructor(root, texts) {
    super();
    this.#root = root;
    this.#texts = texts;
    this.#camera = new Camera(root.querySelector("video"));
    this.#camera.addEventListener("seen", ({ detail }) => this.#tellSeen(detail));
    this.#camera.addEventListener("started", () => this.#showRunning());
    this.#camera.addEventListener("stopped", ({ detail }) => this.#showStopped(detail.problem));
    this.#part("start").addEventListener("click", () => this.#start());
    this.#part("stop").addEventListener("click", () => this.#stop());
    this.#part("torch").addEventListener("click", () => this.#switchTorch());
    this.#part("choice").addEventListener("change", ({ target }) => this.#choose(target.value));
    document.addEventListener("visibilitychange", () => this.#resume());
  }

  #start() {
    this.#isWanted = true;
    this.#part("start").disabled = true;
    this.#note(this.#texts.camera_starting);
    this.#camera.start(localStorage.getItem(CHOICE));
  }

  #stop() {
    this.#isWanted = false;
    this.#camera.stop();
    this.#part("start").focus();
  }

  /** Phones take the camera away from a page that is hidden. */
  #resume() {
    if (this.#isWanted && !document.hidden && !this.#camera.isRunning) this.#start();
  }

  #choose(deviceId) {
    localStorage.setItem(CHOICE, deviceId);
    this.#camera.start(deviceId);
  }

  async #switchTorch() {
    const button = this.#part("torch");
    const isOn = button.getAttribute("aria-pressed") !== "true";
    try {
      await this.#camera.setTorch(isOn);
      button.setAttribute("aria-pressed", String(isOn));
    } catch {
      button.hidden = true;
    }
  }

  #tellSeen(detail) {
    this.dispatchEvent(new CustomEvent("seen", { detail }));
  }

  async #showRunning() {
    keepAwake(true);
    const hadFocus = document.activeElement === this.#part("start");
    this.#root.dataset.running = "true";
    this.#part("start").hidden = true;
    this.#part("start").disabled = false;
    this.#part("stop").hidden = false;
    if (hadFocus) this.#part("stop").focus({ preventScroll: true });
    this.#part("torch").hidden = !this.#camera.hasTorch;
    this.#part("torch").setAttribute("aria-pressed", "false");
    this.#note("");
    await this.#showChoices();
  }

  #showStopped(problem) {
    keepAwake(false);
    this.#root.dataset.running = "false";
    this.#part("start").hidden = false;
    this.#part("start").disabled = false;
    for (const name of ["stop", "torch", "choices"]) this.#part(name).hidden = true;
    this.#note(problem ? this.#texts[problem] : "");
  }

  async #showChoices() {
    const cameras = await this.#camera.choices();
    const options = cameras.map((camera, index) => {
      const name = camera.label || `${this.#texts.camera} ${index + 1}`;
      return new Option(name, camera.deviceId);
    });
    this.#part("choice").replaceChildren(...options);
    this.#part("choice").value = this.#camera.deviceId;
    this.#part("choices").hidden = cameras.length < 2;
  }

  #note(text) {
    this.#part("note").textContent = text;
  }

  #part(name) {
    return this.#root.querySelector(`[data-part=${name}]`);
  }
}
