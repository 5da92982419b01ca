// Mouse, wheel, keys and controls of the viewer.

const KEYS = {
  ArrowUp: "previous", ArrowLeft: "previous", PageUp: "previous", ArrowDown: "next", ArrowRight: "next", PageDown: "next",
  i: "invert", 1: "actual", 0: "reset", o: "overlay", l: "link",
};

Viewer.prototype.listen = function () {
  const { screen } = this;
  screen.addEventListener("pointerdown", (event) => this.grab(event));
  screen.addEventListener("pointermove", (event) => this.drag(event));
  for (const end of ["pointerup", "pointercancel"]) screen.addEventListener(end, () => { this.held = null; });
  screen.addEventListener("contextmenu", (event) => event.preventDefault());
  screen.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  screen.addEventListener("dblclick", (event) => { if (event.target === this.canvas) this.act("reset"); });
  screen.addEventListener("keydown", (event) => this.key(event));
  this.host.addEventListener("click", (event) => {
    const button = event.target.closest?.("button");
    if (button?.dataset.tool) { this.tool = button.dataset.tool; this.show(); }
    if (button?.dataset.do) this.act(button.dataset.do);
  });
  for (const kind of ["input", "change"]) {
    this.host.addEventListener(kind, (event) => { if (event.target.dataset?.field) this.set(event.target); });
  }
};

Viewer.prototype.act = function (name) {
  if (!this.data.slices.length) return;
  this.actions[name]();
  this.show();
};

// One control was changed.
Viewer.prototype.set = function (field) {
  const { state } = this;
  const name = field.dataset.field;
  if (name === "slice") return this.flip(Number(field.value) - 1);
  if (name === "on") state.on[this.map.label] = field.checked;
  else if (name === "preset") {
    const preset = this.data.presets[Number(field.value)];
    if (preset) state.window = { centre: preset.centre, width: preset.width };
  } else if (name === "centre" || name === "width") {
    const value = Number(field.value);
    if (field.value !== "" && Number.isFinite(value) && (name === "centre" || value > 0)) state.window = { ...state.window, [name]: value };
  } else state[name] = field.type === "range" ? Number(field.value) : field.value;
  if (name === "on") this.show();
  else this.draw();
};

Viewer.prototype.grab = function (event) {
  if (!this.slice || event.target !== this.canvas) return;
  this.screen.focus({ preventScroll: true });
  this.screen.setPointerCapture(event.pointerId);
  const tool = event.button === 1 || event.shiftKey ? "pan" : event.button === 2 ? "zoom" : this.tool;
  this.held = { tool, x: event.clientX, y: event.clientY };
  event.preventDefault();
};

Viewer.prototype.drag = function (event) {
  const { held, state, slice } = this;
  if (!held) return;
  const [dx, dy] = [event.clientX - held.x, event.clientY - held.y];
  [held.x, held.y] = [event.clientX, event.clientY];
  if (held.tool === "pan") Object.assign(state, { x: state.x + dx, y: state.y + dy });
  else if (held.tool === "zoom") this.zoomBy(Math.exp(-dy / 150));
  else {
    const step = Math.max(slice.range / 1500, state.window.width / 300);
    const least = slice.shape === "LINEAR" ? 1 : slice.range / 10000;
    state.window = { centre: state.window.centre + dy * step, width: Math.max(least, state.window.width + dx * step) };
  }
  this.draw();
};

// The wheel flips through a series; with Control, and on a single picture, it zooms at the pointer.
Viewer.prototype.wheel = function (event) {
  if (!this.slice) return;
  event.preventDefault();
  if (this.data.slices.length > 1 && !event.ctrlKey) return this.flip(this.state.slice + Math.sign(event.deltaY));
  const box = this.screen.getBoundingClientRect();
  this.zoomBy(Math.exp(-event.deltaY / 400), event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2);
};

Viewer.prototype.key = function (event) {
  if (!this.slice || event.ctrlKey || event.metaKey || event.altKey || event.target !== this.screen) return;
  const { state } = this;
  const by = { ArrowUp: [0, 40], ArrowDown: [0, -40], ArrowLeft: [40, 0], ArrowRight: [-40, 0] }[event.key];
  if (by && (event.shiftKey || this.data.slices.length < 2)) {
    Object.assign(state, { x: state.x + by[0], y: state.y + by[1] });
    this.draw();
  } else if (event.key === "+" || event.key === "-") this.zoomBy(event.key === "+" ? 1.25 : 0.8);
  else if (event.key === "Home" || event.key === "End") this.flip(event.key === "Home" ? 0 : this.data.slices.length - 1);
  else if (KEYS[event.key]) this.act(KEYS[event.key]);
  else return;
  event.preventDefault();
  event.stopPropagation(); // Streamlit has keys of its own
};
