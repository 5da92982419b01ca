// Two viewers side by side: where they are linked, what a hand does to one is done to the other.

const pairs = (globalThis.kerascopePairs ??= new Map()); // by name: { on, apart, ends: the viewers on the page }
const look = ({ slice, window, zoom, x, y, inverted }) => [slice, window?.centre, window?.width, zoom, x, y, inverted].join();

// Takes the place that the page names; what comes beside another picture begins with its look.
Viewer.prototype.join = function () {
  const { link } = this.data;
  if (this.pair && (!link || pairs.get(link.pair) !== this.pair)) this.leave();
  this.look = look(this.state);
  if (!link || !this.slice) return;
  if (!pairs.has(link.pair)) pairs.set(link.pair, { on: link.on, ends: [] });
  this.pair = pairs.get(link.pair);
  if (this.pair.ends[link.end] === this) return;
  this.pair.ends[link.end] = this;
  const [first, second] = this.pair.ends;
  if (!this.beside) return;
  this.pair.apart ??= second.data.asked - first.data.asked;
  if (this.pair.on) second.follow(first);
  this.beside.show();
};

Viewer.prototype.leave = function () {
  const { pair } = this;
  if (!pair) return;
  this.pair = null;
  pair.ends = pair.ends.map((end) => (end === this ? null : end));
  for (const end of pair.ends) end?.show();
};

// The other viewer, where it shows the same kind of thing: both a series or both a picture, in the same unit.
Object.defineProperty(Viewer.prototype, "beside", { get() {
  const other = this.pair?.ends[1 - this.data.link.end];
  const kind = ({ data, slice }) => `${data.slices.length > 1} ${slice?.unit}`;
  return other?.slice && kind(other) === kind(this) ? other : null;
} });

// Called at each frame that is drawn: what has changed since the last one goes to the other.
Viewer.prototype.lead = function () {
  const now = look(this.state);
  if (now === this.look) return;
  this.look = now;
  if (this.pair?.on) this.beside?.follow(this);
};

// Shows what another shows. Slices stay as far apart as they were when the two were linked. Hounsfield units are taken as
// they are; other values as a share of the window as stored, for two devices count differently.
Viewer.prototype.follow = function (leader) {
  const { state, data, slice } = this;
  const { window, zoom, x, y } = leader.state;
  const [ours, theirs] = [data.presets[0], leader.data.presets[0]];
  const share = slice.unit ? 1 : ours.width / theirs.width;
  const centre = slice.unit ? window.centre : ours.centre + (window.centre - theirs.centre) * share;
  const to = leader.state.slice + (data.link.end ? 1 : -1) * this.pair.apart;
  const before = [state.slice, state.inverted].join();
  Object.assign(state, { window: { centre, width: window.width * share }, zoom, x, y });
  state.inverted = slice.inverted !== (leader.state.inverted !== leader.slice.inverted);
  state.slice = Math.min(data.slices.length - 1, Math.max(0, to));
  this.look = look(state);
  if (before === [state.slice, state.inverted].join()) this.draw();
  else this.show();
};

// Switches the link of both; whoever is asked leads.
Viewer.prototype.link = function () {
  const { pair, beside } = this;
  if (!beside) return;
  pair.on = !pair.on;
  pair.apart = pair.ends[1].state.slice - pair.ends[0].state.slice;
  if (pair.on) beside.follow(this);
  beside.show();
};
