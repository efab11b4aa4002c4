// Curves of the chosen runs, a chart a measure.

import { h, fill, choice, toggle } from "./dom.js";
import { measureName, unit, states } from "./format.js";
import { allMeasures, choose, chosen, go, ink, palette, place, runs } from "./runs.js";
import { Chart, swatch } from "./chart.js";
import { lines } from "./lines.js";

export const axes = { step: "updates", epoch: "epochs", seconds: "training seconds" };
const firstCharts = 3;
const splitDashes = { "": [], train: [], test: [6, 3], validation: [2, 2] };

// curvesOf returns the curves of one measure: of one run in the inks of the splits, of several in those of the runs, the splits in dashes.
export function curvesOf(name, list, x, update, splits) {
  const out = [];
  let error = null, waiting = false;
  list.forEach((r, i) => {
    const k = lines(r, update);
    error ??= k.error && `${r.name}: ${k.error.message}`;
    waiting ||= !k.loaded && r.size > 0 && !k.error;
    for (const c of k.series.values()) {
      if (c.name !== name || splits && !splits(c.split)) continue;
      const mine = list.length > 1 ? { ...ink(i), dashes: splitDashes[c.split] ?? [3, 3] } : palette.splits[c.split] ?? ink(0);
      const y = c.value.map((v) => (Number.isFinite(v) ? v : null));
      out.push({
        key: `${r.id} ${c.split}`, ink: mine, label: list.length > 1 ? `${r.name}${c.split ? " · " + c.split : ""}` : c.split || r.name, infinite: y.reduce((n, v) => n + (v === null), 0),
        x: c[x], y, err: c.stderr, thinned: k.thinned,
        columns: { measure: c.value.map(() => c.name), split: c.value.map(() => c.split), step: c.step, epoch: c.epoch, seconds: c.seconds, value: c.value, stderr: c.stderr },
      });
    }
  });
  const note = [error, waiting && "Reading …", out.some((c) => c.thinned) && "Of very many lines only the lowest and highest values are drawn."].filter(Boolean).join(" ");
  return { curves: out, note };
}

// Curves is the view.
export class Curves {
  constructor(root) {
    this.charts = new Map();
    this.side = h("aside", { class: "side", "aria-label": "Runs and measures" });
    this.main = h("div", { class: "charts" });
    fill(root, h("div", { class: "split" }, this.side, this.main));
    this.update();
  }

  update() {
    const at = place(), list = chosen();
    const x = axes[at.x] ? at.x : "step", weight = Math.min(0.99, Math.max(0, Number(at.smooth) || 0));
    const names = [...new Set(allMeasures(list).map((m) => m.name))];
    const wanted = at.m ? at.m.split("|").filter((n) => names.includes(n)) : null;
    // At first those that are measured along the way, before those of the end.
    const along = names.filter((n) => list.some((r) => r.measures.some((m) => m.name === n && m.n > 1)));
    const shown = wanted?.length ? wanted : (along.length ? along : names).slice(0, firstCharts);
    const splits = [...new Set(list.flatMap((r) => r.measures.map((m) => m.split)))].sort();
    const off = new Set((at.off ?? "").split("|").filter(Boolean));
    this.panel(list, names, shown, splits, off, x, weight, at);

    const options = { x, weight, at };
    for (const [n, c] of this.charts) if (!shown.includes(n)) { c.chart.leave(); c.root.remove(); this.charts.delete(n); }
    shown.forEach((n) => this.chart(n, list, options, off));
    const order = shown.map((n) => this.charts.get(n).root);
    if ([...this.main.children].some((e, i) => e !== order[i]) || this.main.children.length !== order.length) this.main.replaceChildren(...order);
    if (!shown.length) fill(this.main, h("p", { class: "empty" }, list.length ? `${list[0].name} has measured nothing yet. Curves appear here with its first values.` : "There is no run yet."));
  }

  chart(n, list, { x, weight, at }, off) {
    let c = this.charts.get(n);
    if (!c) {
      const root = h("section", { class: "card chart", dataset: { measure: n } });
      c = { root, chart: new Chart(root) };
      this.charts.set(n, c);
      if (this.range && this.rangeOf === x) c.chart.range = this.range;
    }
    const { curves, note } = curvesOf(n, list, x, () => this.later(), (s) => !off.has(s || "none"));
    c.chart.set(curves, {
      title: n, name: `${n}-${list.map((r) => r.name).join("-")}`, xLabel: axes[x], yLabel: unit(n), logX: at.lx === "1", logY: at.ly === "1", smooth: weight, bands: at.bands !== "0", note,
      zoom: (range) => { // all charts look at the same stretch
        this.range = range;
        this.rangeOf = x;
        for (const o of this.charts.values()) if (o !== c && JSON.stringify(o.chart.range) !== JSON.stringify(range)) { const told = o.chart.options.zoom; o.chart.options.zoom = null; o.chart.zoom(range); o.chart.options.zoom = told; }
      },
    });
  }

  later() {
    if (this.left || this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => { this.waits = false; if (!this.left) this.update(); });
  }

  panel(list, names, shown, splits, off, x, weight, at) {
    const key = JSON.stringify([list.map((r) => [r.id, r.state]), names, shown, splits, [...off], x, at.lx, at.ly, at.bands, runs.size]);
    if (key === this.panelKey) return;
    this.panelKey = key;
    const focused = document.activeElement?.dataset?.focus;
    const others = [...runs.values()].filter((r) => !list.includes(r)).sort((a, b) => b.begun - a.begun).slice(0, 200);
    const item = (r, i) => h("li", {}, swatch({ ink: list.length > 1 ? { ...ink(i), dashes: [] } : { ...(palette.splits.train ?? ink(0)), dashes: [] } }),
      h("span", { class: "name", title: r.path }, r.name), h("span", { class: `state ${r.state}`, title: states[r.state]?.text }, h("span", { class: "sign", role: "img", "aria-label": states[r.state]?.text ?? r.state }, states[r.state]?.sign ?? "?")),
      list.length > 1 && h("button", { type: "button", class: "quiet", "aria-label": `leave ${r.name} out`, onclick: () => { go({ sel: JSON.stringify(list.map((o) => o.id)) }); choose(r.id, false); } }, "×"));
    const add = h("select", { "aria-label": "Add a run", dataset: { focus: "add" }, onchange: () => { go({ sel: JSON.stringify([...list.map((r) => r.id), add.value]) }); } },
      h("option", { value: "" }, "Add a run …"), others.map((r) => h("option", { value: r.id }, r.name)));
    const slider = h("input", { type: "range", min: 0, max: 0.99, step: 0.01, value: weight, dataset: { focus: "smooth" }, "aria-label": "Smoothing", oninput: () => { out.textContent = Number(slider.value).toFixed(2); go({ smooth: Number(slider.value) ? slider.value : null }); } });
    const out = h("output", {}, weight.toFixed(2));
    fill(this.side,
      h("h2", {}, list.length > 1 ? `${list.length} runs` : "Run"), h("ul", { class: "chosen" }, list.map(item)), others.length > 0 && add,
      h("h2", {}, "Measures"), h("div", { class: "chips" }, names.map((n) => toggle(n, shown.includes(n), (on) => go({ m: (on ? [...shown, n] : shown.filter((o) => o !== n)).join("|") || null })))),
      splits.filter(Boolean).length > 1 && [h("h2", {}, "Data"), h("div", { class: "chips" }, splits.filter(Boolean).map((s) => toggle(s, !off.has(s), (on) => { on ? off.delete(s) : off.add(s); go({ off: [...off].join("|") || null }); })))],
      h("h2", {}, "Axes"), choice("across", Object.entries(axes), x, (v) => go({ x: v })),
      h("div", { class: "chips" }, toggle("log x", at.lx === "1", (on) => go({ lx: on ? "1" : null })), toggle("log y", at.ly === "1", (on) => go({ ly: on ? "1" : null })),
        toggle("errors", at.bands !== "0", (on) => go({ bands: on ? null : "0" }), "bands of one standard error")),
      h("label", { class: "field" }, h("span", {}, "smoothing"), slider, out),
      h("p", { class: "muted hint" }, "Drag in a chart to look closer; a double click shows all."));
    if (focused) this.side.querySelector(`[data-focus="${focused}"]`)?.focus();
  }

  key(e) {
    if (e.key === "0") { for (const c of this.charts.values()) c.chart.zoom(null); return true; }
    return false;
  }

  leave() {
    this.left = true;
    for (const c of this.charts.values()) c.chart.leave();
  }
}
