// Pixels: fetched once, kept as they came, and turned into brightness for the part of the picture that is in sight.

const MOST_BYTES = 400 * 2 ** 20;
// Of all viewers of the page: bytes in all, and by address the promise of levels.
const held = (globalThis.kerascopePixels ??= { bytes: 0, fetched: new Map() });
const { fetched } = held;

function load(slice) {
  if (!fetched.has(slice.url)) {
    const size = slice.width * slice.height * { grey16: 2, grey8: 1, rgb8: 3 }[slice.kind];
    held.bytes += size;
    // Asked for as a range, as Streamlit packs whole answers of this kind, which takes ten times as long as sending them.
    const levels = fetch(slice.url, { headers: { Range: "bytes=0-" } }).then(async (answer) => {
      if (!answer.ok) throw new Error(String(answer.status));
      const bytes = await answer.arrayBuffer();
      const values = slice.kind === "grey16" ? new Uint16Array(bytes) : new Uint8Array(bytes);
      return [{ width: slice.width, height: slice.height, values }];
    });
    levels.catch(() => forget(slice.url));
    fetched.set(slice.url, Object.assign(levels, { size }));
    for (const address of fetched.keys()) {
      if (held.bytes <= MOST_BYTES || address === slice.url) break;
      forget(address);
    }
  }
  return fetched.get(slice.url);
}

function forget(address) {
  held.bytes -= fetched.get(address)?.size ?? 0;
  fetched.delete(address);
}

// Level n is level 0 at 1/2^n of its size: the mean of each 2 x 2 pixels, so that a small picture does not flicker.
function levelFor(levels, channels, scale) {
  const wanted = Math.max(0, Math.min(5, Math.floor(Math.log2(1 / scale))));
  while (levels.length <= wanted) levels.push(halved(levels[levels.length - 1], channels));
  return wanted;
}

function halved(level, channels) {
  const width = Math.max(1, level.width >> 1);
  const height = Math.max(1, level.height >> 1);
  const values = new level.values.constructor(width * height * channels);
  const from = level.values;
  const right = level.width > 1 ? channels : 0;
  const below = level.height > 1 ? level.width * channels : 0;
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0, at = 2 * y * level.width * channels; x < width; x++, at += 2 * channels) {
      for (let c = at; c < at + channels; c++) {
        values[to++] = (from[c] + from[c + right] + from[c + below] + from[c + right + below] + 2) >> 2;
      }
    }
  }
  return { width, height, values };
}

// Brightness of one value in [0, 1]: PS3.3 C.11.2.1.2.1 (LINEAR), C.11.2.1.3.2 (LINEAR_EXACT), C.11.2.1.3.1 (SIGMOID).
function brightness(value, window, shape) {
  if (shape === "SIGMOID") return 1 / (1 + Math.exp((-4 * (value - window.centre)) / window.width));
  if (shape === "LINEAR_EXACT") return (value - window.centre) / window.width + 0.5;
  if (window.width <= 1) return value > window.centre - 0.5 ? 1 : 0;
  return (value - (window.centre - 0.5)) / (window.width - 1) + 0.5;
}

function table(slice, window, inverted) {
  const entries = slice.kind === "grey16" ? 65536 : 256;
  const shown = new Uint32Array(entries);
  for (let stored = 0; stored < entries; stored++) {
    const light = brightness(stored * slice.slope + slice.intercept, window, slice.shape);
    const level = Math.round(255 * Math.min(1, Math.max(0, inverted ? 1 - light : light)));
    shown[stored] = 0xff000000 | (level << 16) | (level << 8) | level;
  }
  return shown;
}

// The pixels from (left, top) on, as many as the canvas has, through the table.
function paint(canvas, level, channels, shown, left, top) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const out = new Uint32Array(image.data.buffer);
  for (let y = 0, to = 0; y < canvas.height; y++) {
    let at = ((top + y) * level.width + left) * channels;
    if (channels === 1) {
      for (const end = to + canvas.width; to < end; ) out[to++] = shown[level.values[at++]];
    } else {
      for (const end = to + canvas.width; to < end; at += 3) {
        const [r, g, b] = [level.values[at], level.values[at + 1], level.values[at + 2]];
        out[to++] = 0xff000000 | (shown[b] & 0xff0000) | (shown[g] & 0xff00) | (shown[r] & 0xff);
      }
    }
  }
  context.putImageData(image, 0, 0);
}
