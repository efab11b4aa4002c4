// Two runs side by side: what differs in recipe and environment, their curves over each other, and what their machines look like.

import { h, fill, choice, toggle } from "./dom.js";
import { measureName, short, unit, withError } from "./format.js";
import { byAge, focus, get, go, ink, place } from "./runs.js";
import { Chart, swatch } from "./chart.js";
import { axes, curvesOf } from "./curves.js";
import { tiles } from "./tiles.js";

const most = 4;

// Compare is the view.
export class Compare {
  constructor(root) {
    this.bar = h("div", { class: "toolbar" });
    this.table = h("section", { class: "card" });
    this.numbers = h("section", { class: "card" });
    this.curves = h("div", { class: "charts two" });
    this.pictures = h("div", { class: "pair" });
    fill(root, this.bar, h("div", { class: "pair tables" }, this.table, this.numbers), this.curves, this.pictures);
    this.charts = new Map();
    this.again = () => this.draw();
    addEventListener("themechange", this.again);
    this.update();
  }

  update() {
    const a = focus("a"), b = focus("b"), at = place();
    if (!a || !b) { fill(this.bar, h("p", { class: "empty" }, "Two runs are needed to compare them.")); return; }
    const x = axes[at.x] ? at.x : "step";
    const key = JSON.stringify([a.id, b.id, at.same, x, byAge().map((r) => r.id).length, a.settings, b.settings, a.environment, b.environment]);
    if (key !== this.shape) {
      this.shape = key;
      const options = byAge().slice(0, 300).map((r) => [r.id, r.name]);
      const side = (r, k, i) => h("span", { class: "which" }, swatch({ ink: { ...ink(i), dashes: [] } }), choice(k.toUpperCase(), options, r.id, (v) => go({ [k]: v })));
      fill(this.bar, side(a, "a", 0), h("button", { type: "button", class: "quiet", "aria-label": "exchange A and B", title: "exchange", onclick: () => go({ a: b.id, b: a.id }) }, "⇄"), side(b, "b", 1), choice("across", Object.entries(axes), x, (v) => go({ x: v })),
        toggle("what is equal too", at.same === "1", (on) => go({ same: on ? "1" : null })));
      fill(this.table, h("h2", {}, "Recipe and environment"), this.differences(a, b, at.same === "1"));
    }
    fill(this.numbers, h("h2", {}, "Measures"), measures(a, b));
    const both = a.id === b.id ? [a] : [a, b];
    const names = [...new Set([...a.measures, ...b.measures].map((m) => m.name))];
    const along = names.filter((n) => both.some((r) => r.measures.some((m) => m.name === n && m.n > 1)));
    const shown = (along.length ? along : names).slice(0, most);
    for (const [n, c] of this.charts) if (!shown.includes(n)) { c.chart.leave(); this.charts.delete(n); }
    for (const n of shown) {
      if (!this.charts.has(n)) { const root = h("section", { class: "card chart" }); this.charts.set(n, { root, chart: new Chart(root) }); }
      const { curves, note } = curvesOf(n, both, x, () => this.later());
      this.charts.get(n).chart.set(curves, { title: n, name: `${n}-${a.name}-${b.name}`, xLabel: axes[x], yLabel: unit(n), logX: false, logY: false, smooth: 0, bands: true, note, height: 240 });
    }
    const order = shown.map((n) => this.charts.get(n).root);
    if ([...this.curves.children].some((e, i) => e !== order[i]) || this.curves.children.length !== order.length) this.curves.replaceChildren(...order);
    this.load(both);
  }

  later() {
    if (this.left || this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => { this.waits = false; if (!this.left) this.update(); });
  }

  differences(a, b, same) {
    const rows = (x, y) => {
      const keys = [...new Set([...x, ...y].map(([k]) => k))], mx = new Map(x), my = new Map(y);
      return keys.map((k) => ({ k, x: mx.get(k), y: my.get(k) })).filter((r) => same || r.x !== r.y);
    };
    const body = (title, list) => h("tbody", {}, h("tr", { class: "group" }, h("th", { scope: "rowgroup", colSpan: 3 }, title)), list.length ? list.map((r) =>
      h("tr", { class: r.x !== r.y ? "differs" : "" }, h("th", { scope: "row" }, r.k), [r.x, r.y].map((v) => h("td", { class: v === undefined ? "muted" : "" }, v ?? "–")))) : h("tr", {}, h("td", { colSpan: 3, class: "muted" }, "no difference")));
    return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Differences" }, h("table", { class: "plain" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "key"), h("th", { scope: "col" }, a.name), h("th", { scope: "col" }, b.name))),
      body("recipe", rows(a.settings, b.settings)), body("environment", rows(a.environment, b.environment))));
  }

  load(both) {
    const want = both.map((r) => ({ r, source: r.pictures.length ? "samples" : "", step: (r.pictures.length ? r.pictures : r.checkpoints).at(-1) }));
    const key = JSON.stringify(want.map((w) => [w.r.id, w.source, w.step]));
    if (key === this.pictured) return;
    this.pictured = key;
    Promise.all(want.map(async (w) => {
      if (w.step === undefined) return { ...w, none: "no checkpoint yet" };
      try {
        let p = await get("api/pictures", { run: w.r.id, source: w.source, step: w.step, count: 36 });
        // Samples say more than patterns: the chains of the training, where there are some.
        if (w.source === "" && p.sources.includes("chains.visible")) p = await get("api/pictures", { run: w.r.id, source: "chains.visible", step: w.step, count: 36 });
        return { ...w, p };
      } catch (e) { return { ...w, none: e.message }; }
    })).then((list) => { if (!this.left && this.pictured === key) { this.shown = list; this.draw(); } });
  }

  draw() {
    fill(this.pictures, (this.shown ?? []).map(({ r, p, step, none }) => h("section", { class: "card" }, h("h2", {}, `${r.name}${step === undefined ? "" : `, update ${step}`}`),
      none ? h("p", { class: "empty" }, none) : p.groups.map((g) => tiles(p, g, this.pictures.clientWidth / (this.pictures.clientWidth > 940 ? 2 : 1) - 60)))));
  }

  key() { return false; }

  leave() {
    this.left = true;
    removeEventListener("themechange", this.again);
    for (const c of this.charts.values()) c.chart.leave();
  }
}

function measures(a, b) {
  const names = [...new Set([...a.measures, ...b.measures].map(measureName))];
  const cell = (r, n) => {
    const m = r.measures.find((x) => measureName(x) === n);
    return h("td", { class: "num" }, m ? h("span", { class: "measure" }, h("span", { class: "last" }, withError(m.last.value, m.last.stderr)), m.best && h("span", { class: "best" }, `best ${short(m.best.value)} @ ${m.best.epoch}`)) : "–");
  };
  if (!names.length) return h("p", { class: "empty" }, "Nothing measured yet.");
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Measures" }, h("table", { class: "plain" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "measure"), h("th", { scope: "col", class: "num" }, a.name), h("th", { scope: "col", class: "num" }, b.name))),
    h("tbody", {}, names.map((n) => h("tr", {}, h("th", { scope: "row" }, n), cell(a, n), cell(b, n))))));
}
