// The picture of the camera with its buttons.

import { Camera } from "./camera.js";
import { inView } from "./reader.js";
import { Sight } from "./sight.js";

const CHOICE = "cone.tokens.camera";

export class Viewfinder extends EventTarget {
  #root;
  #texts;
  #camera;
  #video;
  #sight = new Sight();
  isCovered = false;

  constructor(root, texts, kinds) {
    super();
    this.#root = root;
    this.#texts = texts;
    this.#video = root.querySelector("video");
    this.#camera = new Camera(this.#video, kinds);
    this.#camera.addEventListener("looked", ({ detail }) => this.#look(detail.codes));
    this.#camera.addEventListener("started", () => this.#showRunning());
    this.#camera.addEventListener("stalled", () => this.#fault("camera_still"));
    this.#camera.addEventListener("moving", () => this.#note(""));
    this.#camera.addEventListener("stopped", ({ detail }) => this.#showStopped(detail.problem));
    this.#part("start").addEventListener("click", () => this.#start());
    this.#part("stop").addEventListener("click", () => this.#stop());
    this.#part("torch").addEventListener("click", () => this.#switchTorch());
    this.#part("choice").addEventListener("change", ({ target }) => this.#choose(target.value));
  }

  redeemed(value) {
    this.#sight.redeemed(value);
  }

  setMode(mode) {
    this.#sight.setMode(mode);
  }

  #start() {
    this.#sight.begin();
    this.#part("start").disabled = true;
    this.#note(this.#texts.camera_starting);
    this.#camera.start(localStorage.getItem(CHOICE));
  }

  #stop() {
    this.#camera.stop();
    this.#part("start").focus();
  }

  #choose(deviceId) {
    this.#sight.begin();
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

  #look(codes) {
    const size = { width: this.#video.videoWidth, height: this.#video.videoHeight };
    const box = this.#video.getBoundingClientRect();
    const frame = this.#root.querySelector(".frame").getBoundingClientRect();
    const seen = inView(codes, size, box, frame);
    const event = this.#sight.look(seen, performance.now(), this.isCovered);
    if (event) this.dispatchEvent(new CustomEvent("seen", { detail: event }));
  }

  async #showRunning() {
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
    this.#root.dataset.running = "false";
    this.#part("start").hidden = false;
    this.#part("start").disabled = false;
    for (const name of ["stop", "torch", "choices"]) this.#part(name).hidden = true;
    this.#note("");
    if (problem) this.#fault(problem);
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

  #fault(name) {
    this.#note(this.#texts[name]);
    this.dispatchEvent(new Event("fault"));
  }

  #note(text) {
    this.#part("note").textContent = text;
  }

  #part(name) {
    return this.#root.querySelector(`[data-part=${name}]`);
  }
}
