// All runs in a table that sorts and filters.

import { h, fill, toggle } from "./dom.js";
import { ago, measureName, number, rate, short, span, states, withError } from "./format.js";
import { allMeasures, choose, folders, go, isChosen, place, runs } from "./runs.js";

const firstKeys = 4, firstMeasures = 3, mostRows = 400;

// differing returns the recipe keys whose values are not the same in all runs, those that most runs have first.
function differing(list) {
  const values = new Map();
  for (const r of list) {
    for (const [k, v] of r.settings) {
      if (!values.has(k)) values.set(k, new Map());
      values.get(k).set(v, (values.get(k).get(v) ?? 0) + 1);
    }
  }
  const out = [];
  for (const [key, counts] of values) {
    const have = [...counts.values()].reduce((a, b) => a + b, 0);
    if (counts.size > 1 || have < list.length) out.push({ key, have });
  }
  return out.sort((a, b) => b.have - a.have).map((x) => x.key);
}

const settingsOf = new WeakMap();
function setting(r, key) {
  if (!settingsOf.has(r)) settingsOf.set(r, new Map(r.settings));
  return settingsOf.get(r).get(key);
}
const measured = (r, n) => r.measures.find((m) => measureName(m) === n);

// shortKey names a key by its end, by what it is the kind of, or in full where that is not clear.
function shortKey(key, keys) {
  const parts = key.split(".");
  const name = (p) => (p.at(-1) === "kind" && p.length > 1 ? p.at(-2) : p.at(-1));
  const mine = name(parts);
  return mine === "rate" || mine === "epoch" || keys.some((k) => k !== key && name(k.split(".")) === mine) ? parts.slice(-2).join(".") : mine;
}

// columns returns all columns that there can be.
function columns(list) {
  const keys = differing(list), names = allMeasures(list).map(measureName);
  const out = [
    { id: "state", label: "state", on: true, value: (r) => r.state, cell: state },
    { id: "epoch", label: "epoch", on: true, num: true, value: (r) => (r.epochs ? r.epoch / r.epochs : r.epoch), cell: progress },
    { id: "eta", label: "ETA", on: list.some((r) => r.eta > 0), num: true, value: (r) => r.eta || undefined, cell: (r) => (r.eta ? span(r.eta) : h("span", { class: "muted" }, "–")) },
  ];
  names.forEach((n, i) => out.push({
    id: "measure:" + n, label: n, group: "measures", on: i < firstMeasures, num: true,
    value: (r) => { const m = measured(r, n); return m ? number(m.last.value) : undefined; },
    cell: (r) => lastAndBest(measured(r, n), r),
  }));
  keys.forEach((k, i) => out.push({
    id: "key:" + k, label: k, short: shortKey(k, keys), group: "recipe", on: i < firstKeys,
    value: (r) => { const v = setting(r, k); return v === undefined ? undefined : v !== "" && !Number.isNaN(Number(v)) ? Number(v) : v; },
    num: list.every((r) => setting(r, k) === undefined || !Number.isNaN(Number(setting(r, k)))),
    cell: (r) => h("span", { class: setting(r, k) === undefined ? "muted" : "" }, setting(r, k) ?? "–"),
  }));
  out.push(
    { id: "rate", label: "rate", on: true, num: true, value: (r) => r.rate || undefined, cell: (r) => rate(r.rate) },
    { id: "age", label: "age", on: true, num: true, value: (r) => -r.begun, cell: age },
  );
  return out;
}

function state(r) {
  const s = states[r.state] ?? { sign: "?", text: r.state };
  return h("span", { class: `state ${r.state}`, title: r.message || null }, h("span", { class: "sign", "aria-hidden": "true" }, s.sign), s.text);
}

function progress(r) {
  const share = r.epochs ? Math.min(1, r.epoch / r.epochs) : 0;
  return h("span", { class: "progress" }, h("span", {}, r.epochs ? `${r.epoch}/${r.epochs}` : String(r.epoch)),
    r.epochs > 0 && h("span", { class: "bar", "aria-hidden": "true" }, h("span", { css: { width: `${100 * share}%` } })));
}

const age = (r) => h("time", { dataset: { unix: r.begun }, title: r.begun ? `begun ${new Date(r.begun * 1000).toLocaleString()}, last sign of life ${ago(r.updated)} ago` : null }, ago(r.begun));

function lastAndBest(m, r) {
  if (!m) return h("span", { class: "muted" }, "–");
  return h("span", { class: "measure" },
    h("span", { class: "last", title: `${withError(m.last.value, m.last.stderr)} at epoch ${m.last.epoch}` }, short(m.last.value)),
    m.best && h("span", { class: "best", title: `best ${withError(m.best.value, m.best.stderr)} at update ${m.best.step}${r.indexed ? "" : ", so far"}` },
      "best ", short(m.best.value), " @ ", String(m.best.epoch)));
}

// spark returns the curve of a measure in a line of text.
export function spark(values, label) {
  const v = values?.map(number) ?? [];
  const good = v.filter(Number.isFinite);
  const W = 96, H = 26, pad = 3;
  if (good.length < 2) return h("span", { class: "muted" }, "–");
  const low = Math.min(...good), high = Math.max(...good);
  const x = (i) => pad + (W - 2 * pad) * i / (v.length - 1), y = (t) => high === low ? H / 2 : H - pad - (H - 2 * pad) * (t - low) / (high - low);
  let d = "", pen = false;
  v.forEach((t, i) => {
    if (!Number.isFinite(t)) { pen = false; return; }
    d += `${pen ? "L" : "M"}${x(i).toFixed(1)} ${y(t).toFixed(1)}`;
    pen = true;
  });
  const last = v.findLastIndex(Number.isFinite);
  return h("svg", { class: "spark", viewBox: `0 0 ${W} ${H}`, width: W, height: H, role: "img", "aria-label": `${label}: from ${short(v.find(Number.isFinite))} to ${short(v[last])}` },
    h("path", { d, fill: "none" }), h("circle", { cx: x(last), cy: y(v[last]), r: 2.2 }));
}

// matches reports whether a run is one of those that the filter wants: words anywhere in it, or key=value, key>value, key<value.
function matches(r, tests) { return tests.every((t) => t(r)); }

function parseFilter(text, cols) {
  return text.toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    const m = /^([\w.@-]+)([:=<>])(.+)$/.exec(word);
    const of = m && cols.filter((c) => c.label.toLowerCase() === m[1] || c.label.toLowerCase().endsWith("." + m[1]) || c.label.toLowerCase().replace(" ", ".") === m[1] || c.label.toLowerCase().startsWith(m[1] + " "));
    const keyed = m && ((r) => r.settings.filter(([k]) => k.toLowerCase() === m[1] || k.toLowerCase().endsWith("." + m[1])).map(([, v]) => v));
    if (m) {
      return (r) => {
        const values = [...of.map((c) => c.value(r)), ...keyed(r)].filter((v) => v !== undefined);
        const want = m[3], n = Number(want);
        if (m[2] === "<") return values.some((v) => Number(v) < n);
        if (m[2] === ">") return values.some((v) => Number(v) > n);
        return values.some((v) => String(v).toLowerCase() === want || !Number.isNaN(n) && Number(v) === n || m[2] === ":" && String(v).toLowerCase().includes(want));
      };
    }
    return (r) => r.name.toLowerCase().includes(word) || r.state.includes(word) || r.settings.some(([, v]) => v.toLowerCase() === word) || r.path.toLowerCase().includes(word);
  });
}

// Table is the view of all runs.
export class Table {
  constructor(root) {
    this.root = root;
    this.rows = new Map();
    this.filter = h("input", { id: "filter", type: "search", placeholder: "Filter: name, killed, hidden=1000, nll_exact<4", autocomplete: "off", spellcheck: false,
      "aria-label": "Filter the runs", oninput: () => go({ filter: this.filter.value }) });
    this.count = h("span", { class: "count", role: "status" });
    this.menu = h("details", { class: "menu" });
    this.acts = h("span", { class: "acts" });
    this.head = h("thead");
    this.body = h("tbody");
    this.body.addEventListener("click", (e) => this.click(e));
    this.table = h("table", { class: "runs" }, h("caption", { class: "unseen" }, "Runs"), this.head, this.body);
    this.more = h("p", { class: "muted" });
    fill(root, h("div", { class: "toolbar" }, this.filter, this.count, this.acts, this.menu), h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Runs" }, this.table), this.more);
    this.cursor = null;
    this.update(new Set(runs.keys()));
  }

  update(changed) {
    const at = place();
    if (document.activeElement !== this.filter) this.filter.value = at.filter ?? "";
    const all = [...runs.values()];
    const cols = columns(all);
    const wanted = at.cols ? new Set(at.cols.split("|")) : null;
    const shown = cols.filter((c) => (wanted ? wanted.has(c.id) : c.on));
    const sparkOf = (shown.find((c) => c.group === "measures") ?? cols.find((c) => c.group === "measures"))?.label;
    const [sort, way] = (at.sort ?? "age.up").split(/\.(?=up$|down$)/);
    const by = cols.find((c) => c.id === sort) ?? (sort === "name" ? { value: (r) => r.name } : cols.at(-1));
    const tests = parseFilter(at.filter ?? "", cols);
    const list = all.filter((r) => matches(r, tests));
    const sign = way === "down" ? -1 : 1;
    const compare = new Intl.Collator("en", { numeric: true }).compare;
    list.sort((a, b) => {
      const x = by.value(a), y = by.value(b);
      const no = (v) => v === undefined || Number.isNaN(v);
      if (no(x) || no(y)) return no(x) - no(y) || compare(a.name, b.name); // what has no value comes last, either way
      const c = typeof x === "number" && typeof y === "number" ? x - y : compare(String(x), String(y));
      return sign * c || compare(a.name, b.name);
    });
    this.list = list.slice(0, mostRows);
    this.count.textContent = all.length === list.length ? `${all.length} ${all.length === 1 ? "run" : "runs"}` : `${list.length} of ${all.length} runs`;
    const busy = all.filter((r) => r.state === "training").length;
    if (busy) this.count.textContent += ` · ${busy} training`;
    const reading = all.filter((r) => !r.indexed && r.size > 0).length;
    if (reading) this.count.textContent += ` · reading ${reading} …`;
    this.more.textContent = list.length > mostRows ? `The first ${mostRows} are shown; the filter finds the others.` : "";

    const layout = shown.map((c) => c.id).join("|") + sparkOf + at.sort;
    if (layout !== this.layout) {
      this.layout = layout;
      this.rows.clear();
      const header = (id, label, title, props) => h("th", { scope: "col", "aria-sort": sort === id ? (way === "down" ? "descending" : "ascending") : null, ...props },
        h("button", { type: "button", title, onclick: () => go({ sort: place().sort === id + ".up" ? id + ".down" : id + ".up" }) }, label,
          h("span", { class: "arrow", "aria-hidden": "true" }, sort === id ? (way === "down" ? " ↓" : " ↑") : "")));
      fill(this.head, h("tr", {}, h("th", { scope: "col", class: "pick" }, h("span", { class: "unseen" }, "choose")), header("name", "run", null, { class: "name" }),
        sparkOf && h("th", { scope: "col", class: "curve" }, h("span", { title: sparkOf }, sparkOf)),
        shown.map((c) => header(c.id, c.short ?? c.label, c.label, { class: `${c.num ? "num " : ""}h-${c.group ?? c.id}` }))));
      this.columnMenu(cols, shown);
    }
    const fragment = [];
    for (const r of this.list) {
      let row = this.rows.get(r.id);
      if (!row || row.seq !== r.seq) {
        const fresh = this.row(r, shown, sparkOf);
        if (row && changed?.has(r.id) && row.seq) fresh.classList.add("fresh");
        row = { tr: fresh, seq: r.seq };
        this.rows.set(r.id, row);
      }
      const on = isChosen(r.id);
      row.tr.classList.toggle("chosen", on);
      row.tr.querySelector("input").checked = on;
      row.tr.classList.toggle("cursor", this.cursor === r.id);
      fragment.push(row.tr);
    }
    const now = [...this.body.children];
    if (now.length !== fragment.length || now.some((tr, i) => tr !== fragment[i])) {
      const focused = document.activeElement?.closest?.("tr")?.dataset.id;
      const what = document.activeElement?.tagName;
      this.body.replaceChildren(...fragment);
      if (focused) this.rows.get(focused)?.tr.querySelector(what === "INPUT" ? "input" : "a")?.focus({ preventScroll: true });
    }
    if (!this.list.length) {
      const none = all.length ? "No run is of that kind." : `No run in ${folders.join(", ") || "the folder"} yet. They appear here as soon as one begins.`;
      this.body.replaceChildren(h("tr", {}, h("td", { class: "empty", colSpan: shown.length + 3 }, none)));
    }
    const n = [...runs.keys()].filter(isChosen).length;
    const key = String(n);
    if (this.acted !== key) {
      this.acted = key;
      fill(this.acts, n > 0 && h("button", { type: "button", class: "primary", onclick: () => go({ view: "curves" }) }, `Curves of ${n}`),
        n === 2 && h("button", { type: "button", onclick: () => go({ view: "compare", a: null, b: null }) }, "Compare"),
        n > 0 && h("button", { type: "button", onclick: () => go({ sel: null }) }, "Clear"));
    }
    this.tick();
  }

  row(r, shown, sparkOf) {
    const m = sparkOf && measured(r, sparkOf);
    return h("tr", { dataset: { id: r.id } },
      h("td", { class: "pick" }, h("input", { type: "checkbox", "aria-label": `choose ${r.name}`, onchange: (e) => choose(r.id, e.target.checked) })),
      h("th", { scope: "row", class: "name" }, h("a", { href: "#" + new URLSearchParams({ view: "curves", sel: JSON.stringify([r.id]) }), title: r.path }, r.name),
        r.problems.length > 0 && h("span", { class: "problem", role: "img", "aria-label": `problems: ${r.problems.join("; ")}`, title: r.problems.join("\n") }, "⚠"),
        h("span", { class: "sub", "aria-hidden": "true" }, state(r), m && ` · ${short(m.last.value)}`)),
      sparkOf && h("td", { class: "curve" }, spark(m?.spark, sparkOf)),
      shown.map((c) => h("td", { class: `${c.num ? "num " : ""}c-${c.group ?? c.id}` }, c.cell(r))));
  }

  columnMenu(cols, shown) {
    const open = this.menu.open;
    const set = new Set(shown.map((c) => c.id));
    const box = (c) => h("label", {}, h("input", { type: "checkbox", checked: set.has(c.id), onchange: (e) => {
      e.target.checked ? set.add(c.id) : set.delete(c.id);
      go({ cols: cols.filter((x) => set.has(x.id)).map((x) => x.id).join("|") || "state" });
    } }), c.label);
    const group = (title, g) => { const of = cols.filter((c) => c.group === g); return of.length > 0 && h("fieldset", {}, h("legend", {}, title), of.map(box)); };
    fill(this.menu, h("summary", {}, "Columns"), h("div", { class: "panel" },
      group("measures", "measures"), group("recipe keys that differ", "recipe"), group("run", undefined),
      place().cols && h("button", { type: "button", onclick: () => go({ cols: null }) }, "Default columns")));
    this.menu.open = open;
  }

  // tick renews the ages.
  tick() {
    for (const t of this.body.querySelectorAll("time")) {
      const text = ago(Number(t.dataset.unix));
      if (t.textContent !== text) t.textContent = text;
    }
  }

  click(e) {
    if (e.target.closest("a, input, button")) return;
    const id = e.target.closest("tr")?.dataset.id;
    if (id) choose(id, !isChosen(id));
  }

  key(e) {
    const i = this.list.findIndex((r) => r.id === this.cursor);
    const move = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[e.key];
    if (e.key === "/") { this.filter.focus(); this.filter.select(); return true; }
    if (move && this.list.length) {
      this.cursor = this.list[Math.min(this.list.length - 1, Math.max(0, i < 0 ? (move > 0 ? 0 : this.list.length - 1) : i + move))].id;
      this.update();
      this.rows.get(this.cursor)?.tr.scrollIntoView({ block: "nearest" });
      return true;
    }
    if (e.key === "x" && i >= 0) { choose(this.cursor, !isChosen(this.cursor)); return true; }
    if (e.key === "Enter" && i >= 0 && e.target === document.body) { go({ view: "curves", sel: JSON.stringify([this.cursor]) }); return true; }
    return false;
  }

  leave() {}
}
