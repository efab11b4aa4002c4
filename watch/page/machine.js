// The machine of a run: its layers and pairs, what its checkpoints say over time, and whether its sampling mixes.

import { h, fill, choice } from "./dom.js";
import { number, short } from "./format.js";
import { byAge, focus, get, go, palette } from "./runs.js";
import { Chart } from "./chart.js";

// negligible is the ratio to the largest singular value below which one is the rounding of float32 couplings.
const negligible = 1e-7;

// Machine is the view.
export class Machine {
  constructor(root) {
    this.bar = h("div", { class: "toolbar" });
    this.body = h("div", { class: "machine" });
    fill(root, this.bar, this.body);
    this.charts = [];
    this.again = () => { if (this.m) this.draw(); };
    addEventListener("themechange", this.again);
    this.update();
  }

  update() {
    const r = focus();
    if (!r) { fill(this.body, h("p", { class: "empty" }, "There is no run yet.")); return; }
    const key = JSON.stringify([r.id, r.checkpoints, r.diagnosed, r.measures.find((m) => m.name === "spectrum")?.n, byAge().length]);
    if (key === this.shape) return;
    this.shape = key;
    fill(this.bar, choice("run", byAge().slice(0, 300).map((o) => [o.id, o.name]), r.id, (v) => go({ run: v })));
    this.load(r);
  }

  async load(r) {
    this.abort?.abort();
    const abort = this.abort = new AbortController();
    if (this.of !== r.id) fill(this.body, h("p", { class: "empty" }, "Reading the checkpoints …"));
    try {
      const m = await get("api/machine", { run: r.id }, abort.signal);
      if (abort.signal.aborted || this.left) return;
      this.m = m;
      this.r = r;
      this.of = r.id;
      this.draw();
    } catch (e) {
      if (!abort.signal.aborted && !this.left) fill(this.body, h("p", { class: "empty" }, e.message));
    }
  }

  draw() {
    const { m, r } = this;
    this.charts.forEach((c) => c.leave());
    this.charts = [];
    if (m.step < 0) {
      fill(this.body, h("p", { class: "empty" }, m.refused.length ? m.refused.join("; ") : `${r.name} has no checkpoint yet. Its machine appears here with the first one.`), this.diagnosis());
      return;
    }
    const gains = m.history.some((s) => Object.keys(s.gains).length), overlaps = m.history.length > 1 && m.history.some((s) => Object.keys(s.overlap).length);
    fill(this.body,
      h("section", { class: "card drawing" }, h("h2", {}, `The machine at update ${m.step}, epoch ${m.epoch}`), drawing(m), m.refused.length > 0 && h("p", { class: "note" }, m.refused.join(" · "))),
      this.spectrum(), gains && this.line("Gain", "g", "the factor of each pair with patterns", (s) => Object.entries(s.gains).map(([k, v]) => [k, v])),
      overlaps && this.line(`Overlap of patterns with those of update ${m.history[0].step}`, "cosine, mean over patterns", m.history[0].step ? "the oldest checkpoint that is kept" : "the start",
        (s) => Object.entries(s.overlap).map(([k, v]) => [k, mean(v.map(number)), spread(v.map(number))])),
      this.energies(), this.diagnosis());
  }

  chart(options, curves, ...extra) {
    const root = h("section", { class: "card chart" });
    const c = new Chart(root);
    this.charts.push(c);
    root.append(...extra);
    queueMicrotask(() => { if (!this.left && this.charts.includes(c)) c.set(curves, { height: 240, smooth: 0, bands: true, xLabel: "updates", logX: false, logY: false, name: `${this.r.name}-${options.title}`, ...options }); });
    return root;
  }

  spectrum() {
    const { m } = this;
    const perPair = new Map();
    for (const s of m.history) for (const [pair, v] of Object.entries(s.spectrum)) {
      if (!perPair.has(pair)) perPair.set(pair, new Map());
      perPair.get(pair).set(s.step, v);
    }
    if (m.measured.length) {
      const first = m.pairs[0] ? `${m.pairs[0].a}-${m.pairs[0].b}` : "visible-hidden";
      for (const s of m.measured) for (const [name, v] of Object.entries(s.values)) {
        const pair = name || first;
        if (!perPair.has(pair)) perPair.set(pair, new Map());
        perPair.get(pair).set(s.step, v);
      }
    }
    return [...perPair].map(([pair, at]) => {
      const steps = [...at.keys()].sort((a, b) => a - b), most = Math.min(10, Math.max(...[...at.values()].map((v) => v.length)));
      if (steps.length === 1) return bars(`Singular values of ${pair}`, at.get(steps[0]).map(number), `update ${steps[0]}, largest first`);
      const curves = [];
      for (let i = 0; i < most; i++) {
        const y = steps.map((s) => { const v = number(at.get(s)[i]); return v > negligible * number(at.get(s)[0]) ? v : null; });
        if (y.every((v) => v === null)) break;
        // One hue from dark to pale: their order is what matters.
        curves.push({ key: String(i), label: `${i + 1}.`, ink: { colour: shade(i / most), dashes: [], glyph: "none" }, x: steps, y, err: null, columns: { step: steps, value: y, rank: steps.map(() => i + 1) } });
      }
      return this.chart({ title: `Singular values of ${pair}`, yLabel: "singular value", logY: true, note: `The largest ${curves.length}${curves.length < most ? "; the others are rounding" : ""}.` }, curves);
    });
  }

  line(title, yLabel, note, of) {
    const { m } = this, curves = new Map();
    for (const s of m.history) for (const [key, value, err] of of(s)) {
      if (!curves.has(key)) curves.set(key, { key, label: key, ink: palette.runs[curves.size % palette.runs.length], x: [], y: [], err: [] });
      const c = curves.get(key);
      c.x.push(s.step); c.y.push(Number.isFinite(value) ? value : null); c.err.push(err ?? NaN);
    }
    const list = [...curves.values()];
    list.forEach((c) => { c.columns = { step: c.x, value: c.y, sd: c.err }; });
    if (m.history.length === 1) return h("section", { class: "card facts" }, h("h2", {}, title), h("dl", {}, list.map((c) => [h("dt", {}, c.label), h("dd", {}, short(c.y[0]))])));
    return this.chart({ title, yLabel, note }, list);
  }

  energies() {
    const { m } = this, sets = [];
    if (m.chains) sets.push({ label: "chains of the training", ink: { ...palette.runs[2], dashes: [] }, ...m.chains });
    const d = m.diagnosis;
    if (d?.data?.histogram) sets.push({ label: `${d.data.split ?? "train"} data`, ink: { ...palette.runs[5] }, ...d.data.histogram });
    for (const s of d?.samplers ?? []) if (s.histogram?.counts) sets.push({ label: `chains of ${s.sampler}`, ink: palette.runs[sets.length % palette.runs.length], ...s.histogram });
    if (!sets.length) return null;
    const curves = sets.map((s, i) => {
      const total = s.counts.reduce((a, b) => a + b, 0) || 1, low = number(s.low), width = number(s.width);
      const x = [], y = [];
      s.counts.forEach((n, j) => { x.push(low + j * width, low + (j + 1) * width); y.push(n / total, n / total); });
      return { key: s.label + i, label: s.label, ink: { ...s.ink, glyph: "none" }, x: x.map((v, j) => v + (j % 2 ? -1 : 1) * width * 1e-6), y, err: null, columns: { energy: x, share: y } };
    });
    return this.chart({ title: "Energies", xLabel: "free energy F(v), kT", yLabel: "share in a bin", note: d ? "" : "The energies of data and of samplers appear with the verdict below." }, curves);
  }

  diagnosis() {
    const { m, r } = this, command = `mattis diagnose ${quote(r.path)}`;
    const d = m.diagnosis;
    if (!d) return h("section", { class: "card" }, h("h2", {}, "Does its sampling mix?"), h("p", {}, "Nobody has looked yet. This does, and the verdict then stands here:"), h("pre", { tabindex: 0 }, command));
    const rows = (d.samplers ?? []).map((s) => h("tr", {}, h("th", { scope: "row" }, String(s.sampler)), h("td", {}, h("span", { class: `verdict ${s.verdict === "mixes" ? "good" : s.verdict === "does not mix" || s.verdict === "one state" ? "bad" : ""}` }, String(s.verdict))),
      h("td", { class: "num" }, short(Math.max(...(s.traces ?? []).map((t) => number(t.r_hat)).filter(Number.isFinite)), 4)), h("td", { class: "num" }, short(s.ess, 3)), h("td", { class: "num" }, short(number(s.traces?.[0]?.mean), 5)),
      h("td", { class: "num" }, short(s.sweeps_per_effective_sample, 3)), h("td", { class: "why" }, (s.reasons ?? []).map(String).join("; "))));
    return h("section", { class: "card broad" }, h("h2", {}, "Does its sampling mix?"),
      h("p", { class: "muted" }, `At update ${d.step}: ${d.chains} chains from ${(d.starts ?? []).join(", ")}, ${d.sweeps} sweeps after ${d.discarded}.`, d.step !== m.step && ` The machine has gone on since; anew by: ${command}`),
      h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Verdicts" }, h("table", { class: "plain" }, h("thead", {}, h("tr", {}, ["sampler", "verdict", "R-hat", "effective", "energy, kT", "cost, sweeps", "why"].map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, rows))),
      (d.warnings ?? []).length > 0 && h("p", { class: "note" }, d.warnings.map(String).join(" · ")));
  }

  key() { return false; }

  leave() {
    this.left = true;
    this.abort?.abort();
    removeEventListener("themechange", this.again);
    this.charts.forEach((c) => c.leave());
  }
}

const mean = (v) => v.reduce((a, b) => a + b, 0) / v.length;
const spread = (v) => Math.sqrt(v.reduce((a, b) => a + (b - mean(v)) ** 2, 0) / v.length);

// shade returns a blue, paler as t goes from 0 to 1.
function shade(t) {
  const from = [0, 114, 178], to = window.theme.dark ? [70, 78, 88] : [205, 214, 220];
  return "#" + from.map((a, i) => Math.round(a + t * (to[i] - a)).toString(16).padStart(2, "0")).join("");
}

// quote returns a path as a shell takes it.
const quote = (s) => (/^[\w@%+=:,./-]+$/.test(s) ? s : `'${s.replaceAll("'", `'\\''`)}'`);

// bars shows values that have no time as bars.
function bars(title, values, note) {
  const W = 560, H = 150, top = Math.max(...values) || 1, w = W / values.length;
  return h("section", { class: "card" }, h("h2", {}, title), h("svg", { class: "bars", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${title}: ${values.slice(0, 8).map((v) => short(v, 3)).join(", ")}` },
    values.map((v, i) => h("rect", { x: i * w + 1, width: Math.max(1, w - 2), y: H - H * v / top, height: H * v / top }))), h("p", { class: "note" }, `${note}; from ${short(values[0])} to ${short(values.at(-1))}`));
}

// drawing shows layers as rows of spins and pairs as the lines between them.
function drawing(m) {
  const layers = m.layers, W = 640, gap = layers.length > 3 ? 96 : 112, top = 44, H = top + gap * (layers.length - 1) + 56;
  const y = new Map(layers.map((l, i) => [l.name, H - 44 - i * gap])); // the visible layer at the bottom, as in the papers
  const largest = Math.max(...layers.map((l) => l.size), 2);
  const width = (l) => 60 + 300 * Math.log(Math.max(2, l.size)) / Math.log(largest);
  const spins = (l) => Math.min(l.size, Math.max(3, Math.round(width(l) / 26)));
  const place = (l) => { const n = spins(l), w = width(l); return Array.from({ length: n }, (_, i) => W / 2 - 60 + (n > 1 ? (i / (n - 1) - 0.5) * w : 0)); };
  const at = new Map(layers.map((l) => [l.name, place(l)]));
  const words = (p) => (p.kind === "axons" ? `${p.patterns} patterns` : "dense");
  const parts = [];
  for (const p of m.pairs) {
    const a = at.get(p.a), b = at.get(p.b);
    if (!a || !b) continue;
    if (p.a === p.b) { // a pair of a layer with itself
      const x = a.at(-1), yy = y.get(p.a);
      parts.push(h("path", { class: "link self", d: `M${x} ${yy - 10}C${x + 60} ${yy - 46} ${x + 60} ${yy + 46} ${x} ${yy + 10}`, fill: "none" }), h("text", { x: x + 52, y: yy - 22, class: "what" }, words(p)));
      continue;
    }
    const i = layers.findIndex((l) => l.name === p.a), j = layers.findIndex((l) => l.name === p.b);
    if (Math.abs(i - j) > 1) { // past other layers: an arc at the side
      const x = Math.min(a[0], b[0]) - 26, mid = (y.get(p.a) + y.get(p.b)) / 2;
      parts.push(h("path", { class: "link", d: `M${a[0]} ${y.get(p.a)}C${x - 60} ${y.get(p.a)} ${x - 60} ${y.get(p.b)} ${b[0]} ${y.get(p.b)}`, fill: "none" }), h("text", { x: x - 46, y: mid, class: "what", "text-anchor": "end" }, words(p)));
      continue;
    }
    const lines = [];
    for (const u of a) for (const v of b) lines.push(`M${u.toFixed(1)} ${y.get(p.a)}L${v.toFixed(1)} ${y.get(p.b)}`);
    parts.push(h("path", { class: "link", d: lines.join(""), fill: "none" }), h("text", { x: W / 2 + 150, y: (y.get(p.a) + y.get(p.b)) / 2 + 4, class: "what" }, words(p)));
  }
  for (const l of layers) {
    for (const x of at.get(l.name)) parts.push(h("circle", { class: l.name === "visible" ? "spin visible" : "spin", cx: x, cy: y.get(l.name), r: 8 }));
    const right = at.get(l.name).at(-1);
    parts.push(h("text", { x: Math.max(right + 22, W / 2 + 150), y: y.get(l.name) + 5, class: "layer" }, `${l.name} · ${l.size}${l.name === "visible" && m.height ? ` (${m.height} × ${m.width})` : ""}`));
    const what = [l.kind !== "spins" && l.kind, l.bias && "biases"].filter(Boolean).join(" · ");
    if (what) parts.push(h("text", { x: Math.max(right + 22, W / 2 + 150), y: y.get(l.name) + 22, class: "what" }, what));
  }
  const label = layers.map((l) => `${l.name} with ${l.size} spins`).join(", ") + "; " + m.pairs.map((p) => `${p.a}-${p.b}: ${words(p)}`).join(", ");
  return h("svg", { class: "layers", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": label }, parts);
}
