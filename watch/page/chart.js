// A chart of curves: uPlot draws the lines and zooms; bands, glyphs, the values under the pointer and the exports are ours.

import { h, fill, save, fileName, toggle } from "./dom.js";
import { short } from "./format.js";
import { colour } from "./runs.js";

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const font = () => `12px ${css("--sans")}`;

// superscript writes powers of ten as people do.
const superscript = (n) => String(n).replace(/[-\d]/g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻");

// decades returns the marks of a logarithmic axis: 1 to 9 times powers of ten, these alone where there are many.
export function decades(low, high) {
  const first = Math.floor(Math.log10(low)), last = Math.floor(Math.log10(high)), out = [];
  for (let e = first; e <= last; e++) for (let m = 1; m < (last - first > 6 ? 2 : 10); m++) {
    const v = Number(`${m}e${e}`); // m * 10 ** e is not always the number that people write
    if (v >= low && v <= high) out.push(v);
  }
  return out;
}

function tickText(v, log) {
  if (v === null || v === undefined) return "";
  if (log) {
    const e = Math.log10(v);
    if (Math.abs(e - Math.round(e)) < 1e-9 && (e > 3.5 || e < -2.5)) return "10" + superscript(Math.round(e));
  }
  const a = Math.abs(v);
  if (a >= 1e6) return `${Number((v / 1e6).toPrecision(6))}M`.replace("-", "−");
  if (a >= 1e5) return `${Number((v / 1e3).toPrecision(6))}k`.replace("-", "−");
  return String(Number(v.toPrecision(8))).replace("-", "−");
}

// smooth returns the exponential moving average, its start corrected (Kingma and Ba, 2014, Section 3); null where there is no value.
export function smooth(y, weight) {
  let mean = 0, share = 0;
  return y.map((v) => {
    if (v === null) return null;
    mean = weight * mean + (1 - weight) * v;
    share = weight * share + (1 - weight);
    return mean / share;
  });
}

// glyph draws the mark of an ink.
function glyph(ctx, kind, x, y, r, stroke, back) {
  if (kind === "none") return;
  ctx.beginPath();
  const closed = { square: [[-1, -1], [1, -1], [1, 1], [-1, 1]], box: [[-1, -1], [1, -1], [1, 1], [-1, 1]], triangle: [[0, -1.2], [1.1, 0.8], [-1.1, 0.8]], pyramid: [[0, -1.2], [1.1, 0.8], [-1.1, 0.8]] }[kind];
  if (closed) { closed.forEach(([a, b], i) => ctx[i ? "lineTo" : "moveTo"](x + a * r, y + b * r)); ctx.closePath(); }
  else if (kind === "cross") { ctx.moveTo(x - r, y - r); ctx.lineTo(x + r, y + r); ctx.moveTo(x - r, y + r); ctx.lineTo(x + r, y - r); }
  else if (kind === "plus") { ctx.moveTo(x - 1.2 * r, y); ctx.lineTo(x + 1.2 * r, y); ctx.moveTo(x, y - 1.2 * r); ctx.lineTo(x, y + 1.2 * r); }
  else ctx.arc(x, y, r, 0, 2 * Math.PI);
  const open = kind === "box" || kind === "ring" || kind === "triangle";
  ctx.fillStyle = open ? back : stroke;
  if (kind !== "cross" && kind !== "plus") ctx.fill();
  ctx.strokeStyle = stroke;
  ctx.stroke();
}

// glyphPath is glyph in SVG.
function glyphPath(kind, x, y, r, stroke, back) {
  if (kind === "none") return "";
  const n = (v) => v.toFixed(1);
  const fillWith = kind === "box" || kind === "ring" || kind === "triangle" ? back : kind === "cross" || kind === "plus" ? "none" : stroke;
  const points = { square: [[-1, -1], [1, -1], [1, 1], [-1, 1]], box: [[-1, -1], [1, -1], [1, 1], [-1, 1]], triangle: [[0, -1.2], [1.1, 0.8], [-1.1, 0.8]], pyramid: [[0, -1.2], [1.1, 0.8], [-1.1, 0.8]] }[kind];
  if (points) return `<path d="M${points.map(([a, b]) => `${n(x + a * r)} ${n(y + b * r)}`).join("L")}Z" fill="${fillWith}" stroke="${stroke}"/>`;
  if (kind === "cross") return `<path d="M${n(x - r)} ${n(y - r)}L${n(x + r)} ${n(y + r)}M${n(x - r)} ${n(y + r)}L${n(x + r)} ${n(y - r)}" stroke="${stroke}"/>`;
  if (kind === "plus") return `<path d="M${n(x - r)} ${n(y)}H${n(x + r)}M${n(x)} ${n(y - r)}V${n(y + r)}" stroke="${stroke}"/>`;
  return `<circle cx="${n(x)}" cy="${n(y)}" r="${r}" fill="${fillWith}" stroke="${stroke}"/>`;
}

// swatch is the legend's sample of a line.
export function swatch(s) {
  const c = colour(s.ink.colour);
  const svg = h("svg", { class: "swatch", viewBox: "0 0 30 10", width: 30, height: 10, "aria-hidden": "true" },
    h("line", { x1: 0, x2: 30, y1: 5, y2: 5, stroke: c, "stroke-width": 2, "stroke-dasharray": s.ink.dashes.length ? s.ink.dashes.join(" ") : null }));
  const mark = document.createElementNS("http://www.w3.org/2000/svg", "g");
  const [kind, r] = [s.ink.glyph, 3.4];
  const shapes = { square: "M11.6 1.6h6.8v6.8h-6.8Z", box: "M11.6 1.6h6.8v6.8h-6.8Z", triangle: "M15 1 18.7 7.7h-7.4Z", pyramid: "M15 1 18.7 7.7h-7.4Z", cross: "M11.6 1.6l6.8 6.8M11.6 8.4l6.8-6.8", plus: "M11 5h8M15 1v8" };
  const open = kind === "box" || kind === "ring" || kind === "triangle";
  if (shapes[kind]) mark.append(h("path", { d: shapes[kind], class: open ? "open" : "", stroke: c, fill: open ? null : c }));
  else if (kind !== "none") mark.append(h("circle", { cx: 15, cy: 5, r, class: open ? "open" : "", stroke: c, fill: open ? null : c }));
  svg.append(mark);
  return svg;
}

const escapeXML = (s) => s.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

// Chart shows curves {key, label, ink, x, y, err, raw}, y being null where there is no value. options: {title, name, xLabel, yLabel, logX,
// logY, smooth, bands, zoom: function told of a new range of x (or null), height}.
export class Chart {
  constructor(root) {
    this.root = root;
    this.title = h("h2");
    this.tools = h("div", { class: "tools" });
    this.readout = h("span", { class: "readout" });
    this.plot = h("div", { class: "plot", tabindex: 0, role: "application", "aria-roledescription": "chart" });
    this.plot.addEventListener("keydown", (e) => this.key(e));
    this.plot.addEventListener("mouseleave", () => this.u?.setCursor({ left: -10, top: -10 })); // a plot that was built under the pointer never saw it come
    this.legend = h("ul", { class: "legend" });
    this.note = h("p", { class: "note" });
    this.said = h("p", { class: "unseen", "aria-live": "polite" });
    fill(root, h("div", { class: "charthead" }, this.title, this.readout, this.tools), this.plot, this.legend, this.note, this.said);
    this.range = null; // of x, when looked at closer
    this.under = null; // the x under the pointer
    this.hidden = new Set();
    this.resize = new ResizeObserver(() => this.size());
    this.resize.observe(this.plot);
    this.recolour = () => this.build();
    addEventListener("themechange", this.recolour);
  }

  leave() {
    this.resize.disconnect();
    removeEventListener("themechange", this.recolour);
    this.u?.destroy();
    this.u = null;
  }

  // set shows the curves. The part that is looked at stays while the axis of x does.
  set(curves, options) {
    const old = this.options;
    this.curves = curves;
    this.options = options;
    if (old && (old.xLabel !== options.xLabel)) this.range = null;
    this.title.textContent = options.title;
    this.plot.setAttribute("aria-label", `${options.title} against ${options.xLabel}; arrows read values, plus and minus zoom`);
    this.prepare();
    const shape = JSON.stringify([curves.map((c) => [c.key, c.ink, c.label]), options.logX, options.logY, options.xLabel, options.yLabel, options.smooth > 0]);
    if (!this.u || shape !== this.shape) {
      this.shape = shape;
      this.build();
    } else {
      this.u.setData(this.data, this.range === null);
      if (this.range) this.u.setScale("x", this.range);
    }
    this.values();
  }

  // prepare makes the table that uPlot wants: all x in order, and a column a curve.
  prepare() {
    const { logX, logY, smooth: weight } = this.options;
    let left = 0;
    // Beyond so many powers of ten a logarithmic axis has no marks left, and what is so small is rounding.
    const least = logY ? 1e-18 * this.curves.reduce((m, c) => c.y.reduce((m, v) => (v > m ? v : m), m), 0) : 0;
    this.lines = this.curves.map((c) => {
      const x = [], y = [], at = [];
      c.x.forEach((v, i) => {
        if (logX && !(v > 0)) { left++; return; }
        let w = c.y[i];
        if (w !== null && logY && !(w > least)) { left++; w = null; }
        x.push(v); y.push(w); at.push(i);
      });
      return { x, y, at, smoothed: weight > 0 ? smooth(y, weight) : y };
    });
    const infinite = this.curves.reduce((n, c) => n + (c.infinite ?? 0), 0);
    this.note.textContent = [
      left > 0 && `${left} ${left === 1 ? "value" : "values"} of 0, or next to nothing, or less have no place on a logarithmic axis.`,
      infinite > 0 && `${infinite} ${infinite === 1 ? "value is" : "values are"} NaN or infinite and leave a gap.`,
      this.options.note,
    ].filter(Boolean).join(" ");
    const all = [...new Set(this.lines.flatMap((l) => l.x))].sort((a, b) => a - b);
    const index = new Map(all.map((v, i) => [v, i]));
    const columns = [];
    for (const l of this.lines) {
      const spread = (y) => { const out = new Array(all.length); l.x.forEach((v, i) => { out[index.get(v)] = y[i]; }); return out; }; // undefined: no point of this curve
      if (weight > 0) columns.push(spread(l.y));
      columns.push(spread(l.smoothed));
    }
    this.data = [all, ...columns];
  }

  build() {
    if (!this.options) return;
    const keep = this.u, rest = this.under !== null ? { left: keep.cursor.left, top: keep.cursor.top } : {}; // a pointer at rest tells the new plot nothing
    const { logX, logY, smooth: weight, xLabel, yLabel } = this.options;
    const ink = css("--ink"), muted = css("--muted"), grid = css("--grid");
    const series = [{}];
    this.curves.forEach((c) => {
      const stroke = colour(c.ink.colour), show = !this.hidden.has(c.key);
      if (weight > 0) series.push({ stroke: stroke + "40", width: 1, spanGaps: false, points: { show: false }, show });
      series.push({ stroke, width: 2, dash: c.ink.dashes.length ? c.ink.dashes.map((d) => 1.2 * d) : undefined, spanGaps: false, points: { show: (u, i) => this.few(c) && (u.data[i].filter((v) => v != null).length < 2) , size: 6, fill: stroke }, show });
    });
    const axis = (log, label, size, side) => ({
      stroke: muted, font: font(), labelFont: font(), label, labelSize: 20, labelGap: 2, size, side, gap: 6,
      grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1, size: 4 }, border: { show: true, stroke: grid, width: 1 },
      values: (_, ticks) => ticks.map((v) => (log && v !== null && !this.labelled(v, ticks) ? "" : tickText(v, log))),
      ...(log ? { filter: (_, ticks) => ticks, splits: (u, i, low, high) => decades(low, high) } : {}),
    });
    // On a logarithmic axis at least half a decade, as in the figures.
    const range = (log) => (u, low, high) => {
      if (low === null || high === null || low === undefined) return log ? [1, 10] : [0, 1];
      [low, high] = this.withErrors(u, low, high, log);
      if (log) {
        let a = Math.log10(low), b = Math.log10(high);
        if (b - a < 0.5) [a, b] = [a - (0.5 - (b - a)) / 2, b + (0.5 - (b - a)) / 2];
        const pad = 0.04 * (b - a);
        return [10 ** (a - pad), 10 ** (b + pad)];
      }
      const pad = high > low ? 0.06 * (high - low) : Math.max(Math.abs(high) * 0.05, 1e-3);
      return [low - pad, high + pad];
    };
    const opts = {
      width: Math.max(200, this.plot.clientWidth), height: this.options.height ?? 300, padding: [10, 26, 0, 0],
      legend: { show: false }, series,
      scales: {
        x: { time: false, distr: logX ? 3 : 1, range: (u, low, high) => this.range ? [this.range.min, this.range.max] : low === null ? [0, 1] : low === high ? [low - (logX ? low / 2 : 1), high + 1] : [low, high] },
        y: { distr: logY ? 3 : 1, range: range(logY) },
      },
      axes: [axis(logX, xLabel, 30, 2), axis(logY, yLabel, 56, 3)],
      cursor: { ...rest, points: { show: true, size: 8 }, drag: { x: true, y: false, setScale: false, dist: 6 }, dataIdx: (u, s, i) => this.nearest(u, s, i) },
      hooks: {
        drawAxes: [(u) => this.bands(u)],
        draw: [(u) => this.glyphs(u)],
        setCursor: [(u) => { this.under = u.cursor.left >= 0 ? u.posToVal(u.cursor.left, "x") : null; this.values(); }],
        setScale: [(u, key) => { if (key === "x") this.plot.dataset.x = `${u.scales.x.min} ${u.scales.x.max}`; }], // what is seen, for who tests the page
        setSelect: [(u) => { if (u.select.width > 0) { const a = u.posToVal(u.select.left, "x"), b = u.posToVal(u.select.left + u.select.width, "x"); u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false); this.zoom({ min: a, max: b }); } }],
      },
    };
    this.plot.replaceChildren();
    keep?.destroy();
    this.u = new uPlot(opts, this.data, this.plot);
    this.u.over.addEventListener("dblclick", () => this.zoom(null));
    this.legendItems();
    this.toolItems();
  }

  // withErrors widens a range of y to the bands, at most to twice what the curves take: errors can be of any size.
  withErrors(u, low, high, log) {
    if (!this.options.bands) return [low, high];
    const { min, max } = u.scales.x, room = log ? 0 : (high - low) / 2;
    let a = low, b = high;
    this.curves.forEach((c, k) => {
      if (!this.hidden.has(c.key)) for (const part of this.bandParts(k)) for (const [x, l, h] of part) if (x >= min && x <= max) { a = Math.min(a, l); b = Math.max(b, h); }
    });
    return log ? [Math.max(a, low / 2), Math.min(b, 2 * high)] : [Math.max(a, low - room), Math.min(b, high + room)];
  }

  few(c) { return c.x.length < 400; }

  // labelled thins the labels of a logarithmic axis: powers of ten, and 2 and 5 times them where there are few.
  labelled(v, ticks) {
    const e = Math.log10(v), whole = (t) => Math.abs(Math.log10(t) - Math.round(Math.log10(t))) < 1e-9;
    const decades = ticks.filter((t) => t > 0 && whole(t)).length;
    if (Math.abs(e - Math.round(e)) < 1e-9) return decades <= 8 || Math.round(e) % Math.ceil(decades / 8) === 0;
    const m = v / 10 ** Math.floor(e + 1e-9);
    if (Math.abs(m - Math.round(m)) > 1e-6) return false;
    return decades < 1 || decades < 3 && (Math.round(m) === 2 || Math.round(m) === 5);
  }

  // nearest returns the point of a curve that is nearest to the pointer: each has x of its own.
  nearest(u, s, i) {
    const y = u.data[s];
    if (s === 0 || y[i] != null) return i;
    for (let d = 1; d < y.length; d++) {
      const l = i - d >= 0 && y[i - d] != null, r = i + d < y.length && y[i + d] != null;
      if (l && r) return u.data[0][i] - u.data[0][i - d] <= u.data[0][i + d] - u.data[0][i] ? i - d : i + d;
      if (l) return i - d;
      if (r) return i + d;
      if (i - d < 0 && i + d >= y.length) break;
    }
    return i;
  }

  zoom(range) {
    this.range = range && range.max > range.min ? range : null;
    if (this.u) {
      if (this.range) this.u.setScale("x", this.range);
      else this.u.setData(this.data, true);
    }
    this.toolItems();
    this.options.zoom?.(this.range);
  }

  size() {
    const width = Math.floor(this.plot.clientWidth);
    if (this.u && width > 0 && Math.abs(width - this.u.width) > 1) this.u.setSize({ width, height: this.u.height });
  }

  // bands draws the standard errors under the lines.
  bands(u) {
    if (!this.options.bands) return;
    const ctx = u.ctx;
    ctx.save();
    ctx.beginPath();
    ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    ctx.clip();
    this.curves.forEach((c, k) => {
      if (this.hidden.has(c.key)) return;
      ctx.fillStyle = colour(c.ink.colour) + "2e";
      for (const part of this.bandParts(k)) {
        ctx.beginPath();
        part.forEach(([x, , high], i) => ctx[i ? "lineTo" : "moveTo"](u.valToPos(x, "x", true), u.valToPos(high, "y", true)));
        part.toReversed().forEach(([x, low]) => ctx.lineTo(u.valToPos(x, "x", true), u.valToPos(low, "y", true)));
        ctx.closePath();
        ctx.fill();
      }
    });
    ctx.restore();
  }

  // bandParts returns the stretches of a curve with errors as [x, low, high].
  bandParts(k) {
    const c = this.curves[k], l = this.lines[k], parts = [];
    let part = [];
    const end = () => { if (part.length > 1) parts.push(part); part = []; };
    l.x.forEach((x, i) => {
      const y = l.smoothed[i], e = c.err?.[l.at[i]];
      if (y === null || !(e > 0) || !Number.isFinite(e)) { end(); return; }
      const low = y - e;
      part.push([x, this.options.logY && low <= 0 ? y / 10 : low, y + e]);
    });
    end();
    return parts;
  }

  // marks returns a few points of a curve within the range, a share of a step apart between curves so that they do not cover each other.
  marks(k) {
    const l = this.lines[k], u = this.u;
    const { min, max } = u.scales.x;
    const inside = l.x.map((x, i) => i).filter((i) => l.x[i] >= min && l.x[i] <= max && l.smoothed[i] !== null);
    const most = 7;
    if (inside.length <= most) return inside;
    // Evenly along the axis as it is seen.
    const where = (i) => u.valToPos(l.x[i], "x");
    const first = where(inside[0]), last = where(inside.at(-1)), step = (last - first) / most, out = [];
    let next = first + step * (0.3 + 0.4 * ((k * 0.618) % 1));
    for (const i of inside) if (where(i) >= next) { out.push(i); next += step * Math.max(1, Math.ceil((where(i) - next + 1e-9) / step)); }
    return out;
  }

  glyphs(u) {
    const ctx = u.ctx, scale = devicePixelRatio || 1, back = css("--panel");
    ctx.save();
    ctx.lineWidth = 1.6 * scale;
    ctx.setLineDash([]);
    this.curves.forEach((c, k) => {
      if (this.hidden.has(c.key)) return;
      for (const i of this.marks(k)) glyph(ctx, c.ink.glyph, u.valToPos(this.lines[k].x[i], "x", true), u.valToPos(this.lines[k].smoothed[i], "y", true), 3.4 * scale, colour(c.ink.colour), back);
    });
    ctx.restore();
  }

  // values shows what is under the pointer, or the last values.
  values() {
    if (!this.lines) return;
    const x = this.under;
    this.lines.forEach((l, k) => {
      const out = this.outs?.[k];
      if (!out) return;
      let at = -1;
      if (x === null) at = l.y.findLastIndex((v) => v !== null);
      else {
        let best = Infinity;
        l.x.forEach((v, i) => { const d = Math.abs(v - x); if (l.y[i] !== null && d < best) { best = d; at = i; } });
      }
      const c = this.curves[k], e = at < 0 ? NaN : c.err?.[l.at[at]];
      out.value.textContent = at < 0 ? "–" : short(l.y[at], 5) + (e > 0 && Number.isFinite(e) ? ` ± ${short(e, 2)}` : "");
      out.at.textContent = at < 0 ? "" : `@ ${short(l.x[at], 6)}`;
    });
    this.readout.textContent = x === null ? "" : `${this.options.xLabel} ${short(x, 5)}`;
  }

  legendItems() {
    this.outs = [];
    fill(this.legend, this.curves.map((c) => {
      const out = { value: h("b"), at: h("span", { class: "at" }) };
      this.outs.push(out);
      const button = h("button", { type: "button", "aria-pressed": String(!this.hidden.has(c.key)), title: "show or hide", onclick: () => {
        this.hidden.has(c.key) ? this.hidden.delete(c.key) : this.hidden.add(c.key);
        this.build();
      } }, swatch(c), h("span", { class: "label" }, c.label), out.value, out.at);
      return h("li", {}, button);
    }));
    this.values();
  }

  toolItems() {
    const name = fileName(this.options.name ?? this.options.title);
    fill(this.tools, this.range && h("button", { type: "button", class: "all", onclick: () => this.zoom(null) }, "Show all"),
      h("button", { type: "button", title: "The data that is shown, as CSV", onclick: () => save(name + ".csv", new Blob([this.csv()], { type: "text/csv" })) }, "CSV"),
      h("button", { type: "button", title: "The picture as PNG", onclick: () => this.png((b) => save(name + ".png", b)) }, "PNG"),
      h("button", { type: "button", title: "The picture as SVG", onclick: () => save(name + ".svg", new Blob([this.svg()], { type: "image/svg+xml" })) }, "SVG"));
  }

  key(e) {
    const u = this.u, x = this.data?.[0];
    if (!u || !x?.length) return;
    const { min, max } = u.scales.x;
    const seen = x.filter((v) => v >= min && v <= max);
    const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
    if (step && seen.length) {
      this.at = Math.min(seen.length - 1, Math.max(0, (this.at ?? (step > 0 ? -1 : seen.length)) + step));
      u.setCursor({ left: u.valToPos(seen[this.at], "x"), top: 20 });
      this.said.textContent = `${this.options.xLabel} ${short(seen[this.at])}: ` + this.curves.map((c, k) => `${c.label} ${this.outs[k].value.textContent}`).join(", ");
    } else if (e.key === "+" || e.key === "=" || e.key === "-") {
      const f = e.key === "-" ? 2 : 0.5, log = this.options.logX;
      const a = log ? Math.log(min) : min, b = log ? Math.log(max) : max, m = (a + b) / 2, d = f * (b - a) / 2;
      const back = log ? Math.exp : (v) => v;
      const lo = back(m - d), hi = back(m + d);
      this.zoom(lo <= x[0] && hi >= x.at(-1) ? null : { min: Math.max(lo, log ? x[0] : -Infinity), max: hi });
    } else if (e.key === "0" || e.key === "Escape") this.zoom(null);
    else return;
    e.preventDefault();
    e.stopPropagation();
  }

  // csv returns the points of the curves that are shown, within the range that is looked at, with their exact values.
  csv() {
    const { min, max } = this.u.scales.x;
    const cell = (v) => { const s = v === null || v === undefined || Number.isNaN(v) ? "" : String(v); return /[",\n\r]/.test(s) ? `"${s.replaceAll('"', '""')}"` : s; };
    const heads = Object.keys(this.curves[0]?.columns ?? {});
    const lines = [["series", ...heads].map(cell).join(",")];
    this.curves.forEach((c) => {
      if (this.hidden.has(c.key)) return;
      c.x.forEach((x, i) => { if (x >= min && x <= max) lines.push([c.label, ...heads.map((k) => c.columns[k][i])].map(cell).join(",")); });
    });
    return lines.join("\n") + "\n";
  }

  shown() { return this.curves.map((c, k) => ({ c, k })).filter(({ c }) => !this.hidden.has(c.key)); }

  png(done) {
    const scale = devicePixelRatio || 1, u = this.u, shown = this.shown();
    const canvas = h("canvas"), ctx = canvas.getContext("2d");
    const head = 34 * scale, row = 20 * scale, foot = (shown.length * 20 + 14) * scale;
    canvas.width = u.ctx.canvas.width;
    canvas.height = u.ctx.canvas.height + head + foot;
    ctx.fillStyle = css("--panel");
    ctx.fillRect(0, 0, canvas.width, canvas.height);
    ctx.fillStyle = css("--ink");
    ctx.font = `600 ${15 * scale}px ${css("--sans")}`;
    ctx.fillText(this.options.title, 14 * scale, 24 * scale);
    ctx.drawImage(u.ctx.canvas, 0, head);
    ctx.font = `${12 * scale}px ${css("--sans")}`;
    shown.forEach(({ c }, i) => {
      const y = head + u.ctx.canvas.height + 12 * scale + i * row;
      ctx.strokeStyle = colour(c.ink.colour);
      ctx.lineWidth = 2 * scale;
      ctx.setLineDash(c.ink.dashes.map((d) => d * scale));
      ctx.beginPath(); ctx.moveTo(58 * scale, y); ctx.lineTo(94 * scale, y); ctx.stroke();
      ctx.setLineDash([]);
      glyph(ctx, c.ink.glyph, 76 * scale, y, 3.4 * scale, colour(c.ink.colour), css("--panel"));
      ctx.fillStyle = css("--ink");
      ctx.fillText(c.label, 104 * scale, y + 4 * scale);
    });
    canvas.toBlob(done, "image/png");
  }

  svg() {
    const u = this.u, scale = devicePixelRatio || 1, W = u.width, head = 34, shown = this.shown();
    const box = { x: u.bbox.left / scale, y: u.bbox.top / scale + head, w: u.bbox.width / scale, h: u.bbox.height / scale };
    const X = (v) => box.x + u.valToPos(v, "x"), Y = (v) => box.y + u.valToPos(v, "y");
    const H = u.height + head + shown.length * 20 + 14, ink = css("--ink"), muted = css("--muted"), grid = css("--grid"), back = css("--panel");
    const n = (v) => v.toFixed(2), text = (x, y, s, more = "") => `<text x="${n(x)}" y="${n(y)}" ${more}>${escapeXML(s)}</text>`;
    const out = [`<svg xmlns="http://www.w3.org/2000/svg" width="${W}" height="${H}" viewBox="0 0 ${W} ${H}" font-family="sans-serif" font-size="12" fill="${ink}">`,
      `<title>${escapeXML(this.options.title)}</title>`, `<rect width="${W}" height="${H}" fill="${back}"/>`,
      text(14, 24, this.options.title, 'font-size="15" font-weight="600"'),
      `<clipPath id="c"><rect x="${n(box.x)}" y="${n(box.y)}" width="${n(box.w)}" height="${n(box.h)}"/></clipPath>`];
    u.axes.forEach((a, i) => (a._splits ?? []).forEach((v, j) => {
      if (v === null) return;
      const label = a._values?.[j] ?? "";
      if (i === 0) { const x = X(v); if (x < box.x - 1 || x > box.x + box.w + 1) return; out.push(`<path d="M${n(x)} ${n(box.y)}V${n(box.y + box.h)}" stroke="${grid}"/>`, text(x, box.y + box.h + 18, label, `text-anchor="middle" fill="${muted}"`)); }
      else { const y = Y(v); if (y < box.y - 1 || y > box.y + box.h + 1) return; out.push(`<path d="M${n(box.x)} ${n(y)}H${n(box.x + box.w)}" stroke="${grid}"/>`, text(box.x - 8, y + 4, label, `text-anchor="end" fill="${muted}"`)); }
    }));
    out.push(text(box.x + box.w / 2, box.y + box.h + 38, this.options.xLabel, `text-anchor="middle" fill="${muted}"`));
    if (this.options.yLabel) out.push(`<text transform="translate(14 ${n(box.y + box.h / 2)}) rotate(-90)" text-anchor="middle" fill="${muted}">${escapeXML(this.options.yLabel)}</text>`);
    out.push('<g clip-path="url(#c)" fill="none" stroke-linejoin="round">');
    const path = (x, y) => { let d = "", pen = false; x.forEach((v, i) => { if (y[i] === null) { pen = false; return; } d += `${pen ? "L" : "M"}${n(X(v))} ${n(Y(y[i]))}`; pen = true; }); return d; };
    for (const { c, k } of shown) {
      const s = colour(c.ink.colour), l = this.lines[k];
      if (this.options.bands) for (const p of this.bandParts(k)) out.push(`<path d="M${p.map(([x, , y]) => `${n(X(x))} ${n(Y(y))}`).join("L")}L${p.toReversed().map(([x, y]) => `${n(X(x))} ${n(Y(y))}`).join("L")}Z" fill="${s}" fill-opacity="0.18"/>`);
      if (this.options.smooth > 0) out.push(`<path d="${path(l.x, l.y)}" stroke="${s}" stroke-opacity="0.25"/>`);
      out.push(`<path d="${path(l.x, l.smoothed)}" stroke="${s}" stroke-width="2"${c.ink.dashes.length ? ` stroke-dasharray="${c.ink.dashes.join(" ")}"` : ""}/>`);
      for (const i of this.marks(k)) out.push(glyphPath(c.ink.glyph, X(l.x[i]), Y(l.smoothed[i]), 3.4, s, back));
    }
    out.push("</g>");
    shown.forEach(({ c }, i) => {
      const y = head + u.height + 8 + i * 20, s = colour(c.ink.colour);
      out.push(`<path d="M58 ${y}H94" stroke="${s}" stroke-width="2"${c.ink.dashes.length ? ` stroke-dasharray="${c.ink.dashes.join(" ")}"` : ""}/>`, glyphPath(c.ink.glyph, 76, y, 3.4, s, back), text(104, y + 4, c.label));
    });
    out.push("</svg>");
    return out.join("\n");
  }
}
