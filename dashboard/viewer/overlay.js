// A finding's evidence over the picture: heat, contour or boxes.

// Matplotlib's maps at nine even steps: even in lightness, and readable without red-green vision (van der Walt and Smith
// 2015, https://bids.github.io/colormap; cividis: Nunez et al. 2018, https://doi.org/10.1371/journal.pone.0199239).
const COLOUR_MAPS = {
  inferno: [[0, 0, 4], [33, 12, 74], [87, 16, 110], [138, 34, 106], [188, 55, 84], [228, 90, 49], [249, 142, 9], [249, 203, 53], [252, 255, 164]],
  viridis: [[68, 1, 84], [71, 45, 123], [59, 82, 139], [44, 114, 142], [33, 145, 140], [40, 174, 128], [94, 201, 98], [173, 220, 48], [253, 231, 37]],
  cividis: [[0, 34, 78], [26, 56, 111], [67, 78, 108], [97, 101, 111], [125, 124, 120], [155, 148, 118], [188, 174, 108], [222, 201, 88], [254, 232, 56]],
};
const FINE = 256; // longer side of the enlarged map

// A map at a finer grid, bilinear with the centres of its cells where they were: { width, height, values in [0, 1] }.
function enlarged(map) {
  const factor = FINE / Math.max(map.rows, map.columns);
  const width = Math.max(1, Math.round(map.columns * factor));
  const height = Math.max(1, Math.round(map.rows * factor));
  const values = new Float32Array(width * height);
  for (let y = 0, to = 0; y < height; y++) {
    const [top, bottom, down] = between(y, height, map.rows);
    for (let x = 0; x < width; x++) {
      const [left, right, along] = between(x, width, map.columns);
      const upper = mix(map.values[top * map.columns + left], map.values[top * map.columns + right], along);
      const lower = mix(map.values[bottom * map.columns + left], map.values[bottom * map.columns + right], along);
      values[to++] = mix(upper, lower, down);
    }
  }
  return { width, height, values };
}

const mix = (a, b, share) => a + (b - a) * share;

function between(place, places, cells) {
  const at = Math.min(cells - 1, Math.max(0, ((place + 0.5) * cells) / places - 0.5));
  const first = Math.floor(at);
  return [first, Math.min(cells - 1, first + 1), at - first];
}

// The hotter the more opaque; nothing below the threshold.
function heat(fine, look) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [fine.width, fine.height];
  const image = canvas.getContext("2d").createImageData(fine.width, fine.height);
  const steps = COLOUR_MAPS[look.colours];
  fine.values.forEach((value, at) => {
    if (value < look.threshold || value <= 0) return;
    const place = value * (steps.length - 1);
    const low = Math.min(steps.length - 2, Math.floor(place));
    for (let c = 0; c < 3; c++) image.data[4 * at + c] = Math.round(mix(steps[low][c], steps[low + 1][c], place - low));
    image.data[4 * at + 3] = Math.round(255 * look.opacity * value);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// Where the map crosses the threshold, as pieces of line in [0, 1] x [0, 1] (marching squares: Lorensen and Cline 1987,
// https://doi.org/10.1145/37402.37422, in the plane).
function contour(fine, threshold) {
  const pieces = [];
  const { width, height, values } = fine;
  const value = (x, y) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : values[y * width + x]);
  const point = (x0, y0, x1, y1) => {
    const [a, b] = [value(x0, y0), value(x1, y1)];
    const share = a === b ? 0.5 : (threshold - a) / (b - a);
    return [(mix(x0, x1, share) + 0.5) / width, (mix(y0, y1, share) + 0.5) / height];
  };
  for (let y = -1; y < height; y++) {
    for (let x = -1; x < width; x++) {
      const corners = [[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1]];
      const inside = corners.map(([cx, cy]) => value(cx, cy) >= threshold);
      const crossed = [];
      for (let side = 0; side < 4; side++) {
        const next = (side + 1) % 4;
        if (inside[side] !== inside[next]) crossed.push(point(...corners[side], ...corners[next]));
      }
      for (let at = 0; at + 1 < crossed.length; at += 2) pieces.push([crossed[at], crossed[at + 1]]);
    }
  }
  return pieces;
}

// The box around each connected part at or above the threshold: [left, top, right, bottom] in [0, 1].
function boxes(fine, threshold) {
  const { width, height, values } = fine;
  const seen = new Uint8Array(values.length);
  const found = [];
  for (let start = 0; start < values.length; start++) {
    if (seen[start] || values[start] < threshold || values[start] <= 0) continue;
    const box = [width, height, 0, 0];
    const open = [start];
    seen[start] = 1;
    while (open.length) {
      const at = open.pop();
      const [x, y] = [at % width, Math.floor(at / width)];
      box[0] = Math.min(box[0], x);
      box[1] = Math.min(box[1], y);
      box[2] = Math.max(box[2], x + 1);
      box[3] = Math.max(box[3], y + 1);
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        const [nx, ny] = [x + dx, y + dy];
        const next = ny * width + nx;
        if (nx < 0 || ny < 0 || nx >= width || ny >= height || seen[next] || values[next] < threshold) continue;
        seen[next] = 1;
        open.push(next);
      }
    }
    found.push([box[0] / width, box[1] / height, box[2] / width, box[3] / height]);
  }
  return found;
}

// What was made of a map for one look is kept with the map until another look is asked for: dragging and switching on and
// off draw the same again.
function kept(fine, look, make) {
  const asked = [look.mode, look.colours, look.threshold, look.opacity].join();
  if (fine.asked !== asked) Object.assign(fine, { asked, made: make() });
  return fine.made;
}

// Draws the map into a rectangle of the canvas.
function drawOverlay(context, fine, look, rectangle) {
  const [left, top, width, height] = rectangle;
  if (look.mode === "heat") {
    context.imageSmoothingEnabled = true;
    context.drawImage(kept(fine, look, () => heat(fine, look)), left, top, width, height);
    return;
  }
  const threshold = Math.max(look.threshold, 0.01);
  const path = new Path2D();
  if (look.mode === "contour") {
    for (const [[x0, y0], [x1, y1]] of kept(fine, look, () => contour(fine, threshold))) {
      path.moveTo(left + x0 * width, top + y0 * height);
      path.lineTo(left + x1 * width, top + y1 * height);
    }
  } else {
    for (const [x0, y0, x1, y1] of kept(fine, look, () => boxes(fine, threshold))) {
      path.rect(left + x0 * width, top + y0 * height, (x1 - x0) * width, (y1 - y0) * height);
    }
  }
  const colours = COLOUR_MAPS[look.colours];
  context.globalAlpha = look.opacity;
  context.lineCap = "round";
  for (const [thick, colour] of [[4, "#000"], [2, `rgb(${colours[colours.length - 2].join(",")})`]]) {
    context.lineWidth = thick * (window.devicePixelRatio || 1);
    context.strokeStyle = colour;
    context.stroke(path);
  }
  context.globalAlpha = 1;
}
