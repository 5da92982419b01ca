// The viewer: everything that a hand on mouse or keys does, answered here, without asking the server.

const LOOK = { opacity: 0.55, threshold: 0.2, mode: "heat", colours: "inferno" };
const remembered = new Map(); // what was set on a study, while the page is open
const viewers = new WeakMap();

export default function (component) {
  const host = component.parentElement;
  if (!viewers.has(host)) viewers.set(host, new Viewer(host));
  const viewer = viewers.get(host);
  viewer.update(component.data, (name, value) => component.setTriggerValue(name, value));
  return () => { viewer.observer.disconnect(); viewer.leave(); };
}

class Viewer {
  constructor(host) {
    this.find = (selector) => host.querySelector(selector);
    this.host = host;
    this.screen = this.find(".screen");
    this.canvas = this.find("canvas");
    this.buffer = document.createElement("canvas");
    this.tool = "window";
    this.frames = 0;
    this.observer = new ResizeObserver(() => this.draw());
    this.listen();
  }

  // What the page says: slices, windows, the chosen finding's map, and every word that is shown.
  update(data, tell) {
    [this.data, this.tell] = [data, tell];
    this.observer.observe(this.screen);
    for (const element of this.host.querySelectorAll("[data-words]")) {
      const [attribute, name] = element.dataset.words.split(":");
      if (attribute) element.setAttribute(attribute, data.words[name]);
      else element.textContent = data.words[name];
      if (attribute === "title") element.setAttribute("aria-label", data.words[name]);
    }
    this.state = remembered.get(data.key) ?? { slice: data.asked, on: {}, ...LOOK };
    remembered.set(data.key, this.state);
    this.map = data.map;
    this.fine = data.map ? enlarged(data.map) : null;
    this.find("[data-field=preset]").replaceChildren(
      ...data.presets.map((preset, at) => new Option(preset.name, String(at))), new Option(data.words.own, "own"));
    if (data.slices.length && !this.state.window) this.reset();
    this.join();
    this.show();
  }

  get slice() { return this.data.slices[this.state.slice]; }
  get isOn() { return this.map ? this.state.on[this.map.label] ?? this.map.on : false; }
  // The map belongs to the slice that the model was asked about.
  get mapped() { return this.map && this.state.slice === this.data.asked; }

  // Puts the state into the controls, and draws.
  async show() {
    const { data, state } = this;
    const there = data.slices.length > 0;
    for (const control of this.host.querySelectorAll(".bar :is(button, select, input)")) control.disabled = !there;
    for (const name of ["on", "opacity", "threshold", "mode", "colours"]) {
      this.find(`[data-field=${name}]`).disabled = !this.mapped || (name !== "on" && !this.isOn);
      if (name === "on") this.find("[data-field=on]").checked = Boolean(this.mapped && this.isOn);
      else this.find(`[data-field=${name}]`).value = state[name];
    }
    this.find(".evidence-name").textContent = this.map ? this.map.title : data.words.evidence;
    this.find(".caption").replaceChildren(...this.caption());
    this.find(".empty").textContent = there ? "" : data.words.empty;
    this.find(".series").hidden = data.slices.length < 2;
    this.screen.setAttribute("aria-label", there ? data.words.screen : data.words.empty);
    for (const button of this.host.querySelectorAll("[data-tool]:is(button)")) {
      button.setAttribute("aria-pressed", String(button.dataset.tool === this.tool));
    }
    this.screen.dataset.tool = there ? this.tool : "none";
    this.find("[data-do=link]").hidden = !this.beside;
    this.find("[data-do=link]").setAttribute("aria-pressed", String(Boolean(this.pair?.on)));
    if (!there) return this.draw();
    this.find("[data-do=invert]").setAttribute("aria-pressed", String(state.inverted !== this.slice.inverted));
    const ask = this.find("[data-do=ask]");
    ask.hidden = state.slice === data.asked || !data.askable;
    ask.textContent = data.words.ask.replace("{n}", state.slice + 1);
    this.find("[data-field=slice]").max = data.slices.length;
    this.find("[data-field=slice]").value = state.slice + 1;
    for (const side of ["top", "right", "bottom", "left"]) this.find(`.mark.${side}`).textContent = this.slice.marks?.[side] ?? "";
    await this.fetch();
  }

  caption() {
    if (!this.map) return [];
    if (!this.mapped) return [this.data.words.elsewhere.replace("{n}", this.data.asked + 1)];
    const strength = document.createElement("b");
    strength.textContent = this.map.strength;
    return [strength, ` ${this.map.note}`];
  }

  async fetch() {
    const wanted = this.slice;
    if (this.levelsOf === wanted) this.draw();
    try {
      const levels = await load(wanted);
      if (wanted !== this.slice) return;
      [this.levels, this.levelsOf] = [levels, wanted];
      this.draw();
    } catch {
      this.find(".empty").textContent = this.data.words.lost;
      return;
    }
    const near = this.data.slices.map((slice, at) => [Math.abs(at - this.state.slice), slice]).sort((a, b) => a[0] - b[0]);
    for (const [, slice] of near.slice(1, 40)) {
      if (wanted !== this.slice) return;
      await load(slice).catch(() => null);
    }
  }

  // Draws at the next frame of the screen, once, however often it is asked.
  draw() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = null;
      this.drawNow();
    });
  }

  // Where the picture lies on the canvas: [left, top, width, height] in its pixels, and its scale.
  place() {
    const { slice, state, canvas } = this;
    const high = slice.height * slice.aspect;
    const fit = Math.min(canvas.width / slice.width, canvas.height / high);
    const scale = fit * state.zoom;
    const ratio = canvas.width / Math.max(1, this.screen.clientWidth);
    const left = (canvas.width - slice.width * scale) / 2 + state.x * ratio;
    const top = (canvas.height - high * scale) / 2 + state.y * ratio;
    return { rectangle: [left, top, slice.width * scale, high * scale], scale, fit };
  }

  drawNow() {
    this.lead();
    const ratio = window.devicePixelRatio || 1;
    const [wide, high] = [Math.round(this.screen.clientWidth * ratio), Math.round(this.screen.clientHeight * ratio)];
    if (this.canvas.width !== wide || this.canvas.height !== high) [this.canvas.width, this.canvas.height] = [wide, high];
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, wide, high);
    this.screen.dataset.shown = "";
    this.facts();
    if (!this.slice || this.levelsOf !== this.slice || !wide) return;
    const { rectangle, scale } = this.place();
    this.drawPicture(context, rectangle, scale);
    if (this.mapped && this.isOn) drawOverlay(context, this.fine, this.state, rectangle);
    Object.assign(this.screen.dataset, {
      shown: String(this.state.slice + 1), frames: String(++this.frames), zoom: (scale / ratio).toFixed(3),
      study: this.data.key, overlay: this.mapped && this.isOn ? this.state.mode : "", inverted: String(this.state.inverted),
    });
  }

  drawPicture(context, [left, top, width, height], scale) {
    const { slice, state } = this;
    const channels = slice.kind === "rgb8" ? 3 : 1;
    const at = levelFor(this.levels, channels, scale);
    const level = this.levels[at];
    const [across, down] = [width / level.width, height / level.height];
    const x0 = Math.max(0, Math.floor(-left / across));
    const y0 = Math.max(0, Math.floor(-top / down));
    const x1 = Math.min(level.width, Math.ceil((this.canvas.width - left) / across));
    const y1 = Math.min(level.height, Math.ceil((this.canvas.height - top) / down));
    if (x1 <= x0 || y1 <= y0) return;
    const drawn = [slice.url, slice.intercept, slice.slope, at, x0, y0, x1, y1, state.window.centre, state.window.width, state.inverted].join();
    if (drawn !== this.painted) {
      [this.buffer.width, this.buffer.height] = [x1 - x0, y1 - y0];
      paint(this.buffer, level, channels, table(slice, state.window, state.inverted), x0, y0);
      this.painted = drawn;
    }
    context.imageSmoothingEnabled = scale < 3;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.buffer, left + x0 * across, top + y0 * down, (x1 - x0) * across, (y1 - y0) * down);
  }

  facts() {
    const { slice, state, data } = this;
    const short = (value) => String(Number(value.toPrecision(Math.abs(value) >= 100 ? 4 : 3)));
    if (!slice || !state.window) {
      for (const fact of this.host.querySelectorAll(".fact")) fact.textContent = "";
      return;
    }
    const { scale } = this.place();
    const count = data.slices.length > 1 ? `${data.words.slice} ${state.slice + 1} / ${data.slices.length}, ` : "";
    this.find(".at-left").textContent = `${data.words.level} ${short(state.window.centre)}  ${data.words.width} ${short(state.window.width)} ${slice.unit}`;
    this.find(".at-right").textContent = `${count}${Math.round((100 * scale) / (window.devicePixelRatio || 1))} %`;
    const own = data.presets.findIndex((p) => p.centre === state.window.centre && p.width === state.window.width);
    this.find("[data-field=preset]").value = own < 0 ? "own" : String(own);
    for (const name of ["centre", "width"]) {
      const field = this.find(`[data-field=${name}]`);
      if (this.host.activeElement !== field) field.value = short(state.window[name]);
    }
  }

  reset() {
    const { centre, width } = this.data.presets[0];
    Object.assign(this.state, { window: { centre, width }, zoom: 1, x: 0, y: 0, inverted: this.slice.inverted });
  }

  // Zooms by a factor around a point of the screen, in CSS pixels from its middle.
  zoomBy(factor, x = 0, y = 0) {
    const { state } = this;
    const zoom = Math.min(40, Math.max(0.2, state.zoom * factor));
    const real = zoom / state.zoom;
    Object.assign(state, { zoom, x: x - (x - state.x) * real, y: y - (y - state.y) * real });
    this.draw();
  }

  flip(to) {
    const slice = Math.min(this.data.slices.length - 1, Math.max(0, to));
    if (slice === this.state.slice) return;
    this.state.slice = slice;
    this.find(".spoken").textContent = `${this.data.words.slice} ${slice + 1} / ${this.data.slices.length}`;
    this.show();
  }

  actions = {
    invert: () => { this.state.inverted = !this.state.inverted; },
    actual: () => { Object.assign(this.state, { zoom: (window.devicePixelRatio || 1) / this.place().fit, x: 0, y: 0 }); },
    reset: () => this.reset(),
    previous: () => this.flip(this.state.slice - 1),
    next: () => this.flip(this.state.slice + 1),
    ask: () => this.tell("ask", this.state.slice),
    link: () => this.link(),
    overlay: () => { if (this.mapped) this.state.on[this.map.label] = !this.isOn; },
  };
}
