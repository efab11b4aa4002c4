// Pictures of a run: rows of its checkpoints, samples along the training, and what the training drew.

import { h, fill, choice } from "./dom.js";
import { byAge, focus, get, go, place } from "./runs.js";
import { tiles } from "./tiles.js";

// gallery returns what there is to see of a run: the rows of its checkpoints, and the samples of the folder pictures.
const moments = (r, source) => (source === "samples" ? r.pictures : r.checkpoints);

// Pictures is the view.
export class Pictures {
  constructor(root) {
    this.bar = h("div", { class: "toolbar" });
    this.show = h("div", { class: "gallery" });
    this.drawn = h("div", { class: "gallery" });
    fill(root, this.bar, this.show, this.drawn);
    this.cache = new Map();
    this.again = () => this.draw();
    addEventListener("themechange", this.again);
    this.update();
  }

  update() {
    const r = focus(), at = place();
    if (!r) { fill(this.show, h("p", { class: "empty" }, "There is no run yet.")); return; }
    const source = at.source ?? (r.pictures.length ? "samples" : "");
    const steps = moments(r, source);
    const step = at.step !== undefined && steps.includes(Number(at.step)) ? Number(at.step) : steps.at(-1); // the newest, as they come
    const key = JSON.stringify([r.id, r.checkpoints, r.pictures, r.figures, r.updated, source, step, byAge().length]);
    if (key === this.shape) return;
    this.shape = key;
    this.toolbar(r, source, steps, step);
    this.figures(r);
    this.load(r, source, step);
  }

  toolbar(r, source, steps, step) {
    const focused = document.activeElement?.dataset?.focus;
    const known = [...new Set([...(r.pictures.length ? ["samples"] : []), ...(this.sources?.run === r.id ? this.sources.list : [])])];
    const i = steps.indexOf(step);
    const slider = h("input", { type: "range", min: 0, max: Math.max(0, steps.length - 1), step: 1, value: i, disabled: steps.length < 2, dataset: { focus: "time" }, "aria-label": "Update", "aria-valuetext": `update ${step}`,
      oninput: () => { const n = steps[slider.value]; go({ step: Number(slider.value) === steps.length - 1 ? null : String(n) }); } });
    fill(this.bar, choice("run", byAge().slice(0, 300).map((o) => [o.id, o.name]), r.id, (v) => go({ run: v, step: null })),
      known.length > 1 && choice("show", known.map((s) => [s, s]), source || known[0], (v) => go({ source: v, step: null })),
      steps.length > 0 && h("label", { class: "field time" }, h("span", {}, "update"), slider, h("output", {}, `${step}${steps.length > 1 ? ` (${i + 1} of ${steps.length})` : ""}`)));
    if (focused) this.bar.querySelector(`[data-focus="${focused}"]`)?.focus();
  }

  async load(r, source, step) {
    if (step === undefined) {
      fill(this.show, h("p", { class: "empty" }, `${r.name} has no checkpoint yet. Its patterns or weights appear here with the first one.`));
      return;
    }
    this.abort?.abort();
    const abort = this.abort = new AbortController();
    const key = `${r.id} ${source} ${step}`;
    try {
      const p = this.cache.get(key) ?? await get("api/pictures", { run: r.id, source, step }, abort.signal);
      this.cache.set(key, p);
      if (this.cache.size > 40) this.cache.delete(this.cache.keys().next().value);
      if (abort.signal.aborted || this.left) return;
      this.now = p;
      if (source !== "samples" && (this.sources?.run !== r.id || this.sources.list.join() !== p.sources.join())) {
        this.sources = { run: r.id, list: p.sources };
        this.toolbar(r, p.source, moments(r, source), step);
      }
      this.draw();
    } catch (e) {
      if (abort.signal.aborted || this.left) return;
      this.now = null;
      fill(this.show, h("p", { class: "empty" }, e.status === 404 ? "That checkpoint is gone; a newer one will follow." : e.message));
      if (e.status === 404 && place().step) go({ step: null });
    }
  }

  draw() {
    if (this.now) fill(this.show, this.now.groups.map((g) => h("section", { class: "card" }, tiles(this.now, g))));
  }

  figures(r) {
    fill(this.drawn, r.figures.length > 0 && h("section", { class: "card" }, h("h2", {}, "Drawn by the training"), h("div", { class: "figures" }, r.figures.map((f) =>
      h("figure", {}, h("img", { src: "api/figure?" + new URLSearchParams({ run: r.id, name: f, at: r.updated }), alt: f.replace(/\.png$/, "").replaceAll("-", " "), loading: "lazy" }), h("figcaption", {}, f))))));
  }

  key(e) {
    const r = focus();
    if (!r || (e.key !== "ArrowLeft" && e.key !== "ArrowRight") || e.target !== document.body) return false;
    const steps = moments(r, place().source ?? (r.pictures.length ? "samples" : ""));
    const i = place().step ? steps.indexOf(Number(place().step)) : steps.length - 1;
    const n = Math.min(steps.length - 1, Math.max(0, i + (e.key === "ArrowRight" ? 1 : -1)));
    go({ step: n === steps.length - 1 ? null : String(steps[n]) });
    return true;
  }

  leave() {
    this.left = true;
    this.abort?.abort();
    removeEventListener("themechange", this.again);
  }
}
