// Rows of numbers as images, or as bars of values where they are none.

import { h } from "./dom.js";
import { short } from "./format.js";

const decode = (text) => Int8Array.from(atob(text), (c) => c.charCodeAt(0));
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const parse = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

const sand = [242, 220, 168]; // of spins that are not known

// ramp returns the colour of a value of -1 to 1: spins are black and white, other numbers blue below 0 and orange above.
function ramp(spins) {
  if (spins) return (v) => (v === 0 ? sand : new Array(3).fill(Math.round(255 * (1 - v) / 2)));
  const zero = parse(css("--tile-zero")), low = [0, 114, 178], high = [213, 94, 0];
  return (v) => zero.map((z, i) => Math.round(z + (Math.abs(v)) * ((v < 0 ? low : high)[i] - z)));
}

// tiles returns an element with the pictures of a group.
export function tiles(p, group, room = innerWidth - 84) {
  const data = decode(group.data), n = group.rows;
  // Patterns of -1 and +1 are spins, whatever type holds them.
  p = { ...p, spins: p.spins || data.every((v) => v === 127 || v === -127) };
  const what = `${n}${group.total > n ? ` of ${group.total}` : ""}`;
  const caption = h("figcaption", {}, h("b", {}, group.label), h("span", { class: "muted" }, p.height ? ` ${what}, ${p.height} × ${p.width} pixels` : ` ${what} rows of ${p.width} ${p.spins ? "spin" : "value"}${p.width > 1 ? "s" : ""}`),
    !p.spins && h("span", { class: "scale" }, h("span", { class: "low" }, `−${short(p.ink, 3)}`), h("span", { class: "ramp", "aria-hidden": "true" }), h("span", { class: "high" }, `+${short(p.ink, 3)}`)));
  if (!n) return h("figure", { class: "tiles" }, caption, h("p", { class: "empty" }, "nothing to see"));
  const canvas = p.height ? images(p, data, n, room) : p.width <= 64 ? bars(p, data, n, room) : strips(p, data, n);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${group.label}: ${what} ${p.height ? "images" : "rows"}`);
  return h("figure", { class: "tiles" }, caption, h("div", { class: "wide", tabindex: 0, role: "region", "aria-label": group.label }, canvas));
}

// images draws each row as an image: small ones large, so that a page holds about as many of either.
function images(p, data, n, room) {
  const side = Math.max(p.height, p.width);
  const scale = Math.max(1, Math.round((side <= 8 ? 56 : side <= 32 ? 72 : 112) / side));
  const w = p.width * scale, hh = p.height * scale, gap = 8;
  const columns = Math.max(1, Math.min(n, Math.floor((Math.min(room, 1560) + gap) / (w + gap))));
  const canvas = h("canvas", { width: columns * (w + gap) - gap + 2, height: Math.ceil(n / columns) * (hh + gap) - gap + 2 });
  const ctx = canvas.getContext("2d"), colour = ramp(p.spins), frame = css("--frame");
  for (let i = 0; i < n; i++) {
    const x = (i % columns) * (w + gap) + 1, y = Math.floor(i / columns) * (hh + gap) + 1;
    const image = ctx.createImageData(p.width, p.height);
    for (let j = 0; j < p.width * p.height; j++) image.data.set([...colour(data[i * p.width * p.height + j] / 127), 255], 4 * j);
    const small = h("canvas", { width: p.width, height: p.height });
    small.getContext("2d").putImageData(image, 0, 0);
    ctx.imageSmoothingEnabled = false;
    ctx.fillStyle = frame;
    ctx.fillRect(x - 1, y - 1, w + 2, hh + 2);
    ctx.drawImage(small, x, y, w, hh);
  }
  return canvas;
}

// bars draws each row as bars up and down from a line; what is not known of spins is tinted, and spans both.
function bars(p, data, n, room) {
  const bar = Math.min(16, Math.max(3, Math.floor(160 / p.width))), w = p.width * bar, hh = 44, gap = 16;
  const columns = Math.max(1, Math.min(n, Math.floor((Math.min(room, 1560) + gap) / (w + gap))));
  const rows = Math.ceil(n / columns), canvas = h("canvas", { width: columns * (w + gap) - gap, height: rows * (hh + gap) - gap });
  const ctx = canvas.getContext("2d"), ink = css("--ink"), line = css("--frame"), back = css("--back"), unknown = `rgb(${sand})`;
  for (let i = 0; i < n; i++) {
    const x = (i % columns) * (w + gap), y = Math.floor(i / columns) * (hh + gap) + hh / 2;
    ctx.fillStyle = back; // where all bars point one way it shows which
    ctx.fillRect(x, y - hh / 2, w, hh);
    ctx.fillStyle = line;
    ctx.fillRect(x, y, w, 1);
    for (let j = 0; j < p.width; j++) {
      const v = data[i * p.width + j] / 127;
      if (p.spins && v === 0) {
        ctx.fillStyle = unknown;
        ctx.fillRect(x + j * bar, y - hh / 2, Math.max(1, bar - 1), hh);
        continue;
      }
      ctx.fillStyle = p.spins ? ink : v < 0 ? "#0072b2" : "#d55e00";
      const t = Math.max(1, Math.abs(v) * hh / 2);
      ctx.fillRect(x + j * bar, v >= 0 ? y - t : y, Math.max(1, bar - 1), t);
    }
  }
  return canvas;
}

// strips draws each long row as a line of colours, one below the other.
function strips(p, data, n) {
  const bar = Math.max(1, Math.floor(1000 / p.width)), hh = n > 40 ? 4 : 12, gap = n > 40 ? 1 : 3;
  const canvas = h("canvas", { width: p.width * bar, height: n * (hh + gap) });
  const ctx = canvas.getContext("2d"), colour = ramp(p.spins);
  for (let i = 0; i < n; i++) {
    const image = ctx.createImageData(p.width, 1);
    for (let j = 0; j < p.width; j++) image.data.set([...colour(data[i * p.width + j] / 127), 255], 4 * j);
    const small = h("canvas", { width: p.width, height: 1 });
    small.getContext("2d").putImageData(image, 0, 0);
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(small, 0, i * (hh + gap), p.width * bar, hh);
  }
  return canvas;
}
