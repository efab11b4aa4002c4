// The runs as the server tells of them, what is chosen, and where the page stands (in the address, after #).

import { measureName } from "./format.js";

export const runs = new Map(); // by identifier
export let folders = [];
export let notices = [];
export let connected = false;
export let ended = ""; // what the server said when it ended
export let sessions = 0; // streams that have begun: another server may count files anew
export let palette = { splits: {}, runs: [] };

const listeners = new Set();
let told = false;

// listen calls f after changes of runs, at most once a frame, and with the identifiers that changed (null: the place did).
export function listen(f) { listeners.add(f); }

let changed = new Set();
let moved = false;
function tell(ids) {
  if (ids) ids.forEach((id) => changed.add(id));
  else moved = true;
  if (told) return;
  told = true;
  // A hidden page draws no frames; it still has to know.
  const soon = document.hidden ? (f) => setTimeout(f, 250) : requestAnimationFrame;
  soon(() => {
    told = false;
    const what = changed, place = moved;
    changed = new Set();
    moved = false;
    for (const f of listeners) f(what, place);
  });
}

function take(list) {
  const ids = [];
  for (const r of list) {
    const old = runs.get(r.id);
    if (old && old.seq >= r.seq) continue; // an event that was overtaken
    runs.set(r.id, r);
    ids.push(r.id);
  }
  return ids;
}

// connect follows the stream of events. The browser comes back by itself when it breaks; the stream then begins with all runs.
export async function connect() {
  palette = await get("api/palette");
  const stream = new EventSource("api/events");
  stream.addEventListener("all", (e) => {
    const all = JSON.parse(e.data);
    const there = new Set(all.runs.map((r) => r.id));
    for (const r of all.runs) if (runs.get(r.id)?.seq > r.seq) runs.delete(r.id); // another server counts anew
    const gone = [...runs.keys()].filter((id) => !there.has(id));
    gone.forEach((id) => runs.delete(id));
    folders = all.folders;
    notices = all.notices;
    connected = true;
    sessions++;
    take(all.runs);
    tell([...there, ...gone]);
  });
  stream.addEventListener("runs", (e) => tell(take(JSON.parse(e.data))));
  stream.addEventListener("gone", (e) => {
    const ids = JSON.parse(e.data);
    ids.forEach((id) => runs.delete(id));
    tell(ids);
  });
  stream.addEventListener("notices", (e) => { notices = JSON.parse(e.data); tell([]); });
  stream.addEventListener("end", (e) => {
    ended = JSON.parse(e.data);
    connected = false;
    stream.close(); // its address is given to nobody again
    tell([]);
  });
  stream.onerror = () => { connected = false; tell([]); };
  stream.onopen = () => { connected = true; tell([]); };
}

// get returns the JSON of an answer; a refusal is an Error with the server's words.
export async function get(path, params, signal) {
  const answer = await fetch(params ? `${path}?${new URLSearchParams(params)}` : path, { signal });
  if (!answer.ok) throw Object.assign(new Error((await answer.text()).trim() || answer.statusText), { status: answer.status });
  return answer.json();
}

// place is where the page stands; every value is text.
export const place = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

// go changes the place; null takes a value away. Views are pages of their own in the history, settings are not.
export function go(change) {
  const now = place();
  const next = { ...now, ...change };
  for (const k of Object.keys(next)) if (next[k] === null || next[k] === "") delete next[k];
  const hash = "#" + new URLSearchParams(next);
  if (hash === location.hash) return;
  history[next.view !== now.view ? "pushState" : "replaceState"](null, "", hash);
  tell(null);
}
addEventListener("popstate", () => tell(null));
addEventListener("hashchange", () => tell(null));

// byAge are all runs, the newest first.
export const byAge = () => [...runs.values()].sort((a, b) => b.begun - a.begun || (a.id < b.id ? -1 : 1));

// selection is the identifiers in the address.
function selection() {
  try {
    const list = JSON.parse(place().sel || "[]");
    return Array.isArray(list) ? list.filter((x) => typeof x === "string") : [];
  } catch {
    return []; // an address that somebody wrote
  }
}

// chosen returns the runs whose curves are shown, in the order of choice: those of the address, or the one that was
// begun last.
export function chosen() {
  const list = selection().map((id) => runs.get(id)).filter(Boolean);
  if (list.length) return list;
  const all = byAge();
  const first = all.find((r) => r.state === "training") ?? all.find((r) => r.measures.length) ?? all[0];
  return first ? [first] : [];
}

export const isChosen = (id) => selection().includes(id);

export function choose(id, on) {
  const ids = selection().filter((x) => x !== id && runs.has(x));
  if (on) ids.push(id);
  go({ sel: ids.length ? JSON.stringify(ids) : null });
}

// focus returns the one run that a view is about: that of the address, or the first chosen.
export function focus(key = "run") {
  const list = chosen();
  return runs.get(place()[key]) ?? (key === "b" ? list[1] ?? byAge().find((r) => r !== focus("a")) : list[0]);
}

// ink returns the colour, dashes and glyph of a run among the chosen.
export const ink = (i) => palette.runs[i % Math.max(1, palette.runs.length)] ?? { colour: "#000000", dashes: [], glyph: "circle" };

// colour returns an ink's colour in the present theme: black is what is written with.
export function colour(hex) {
  if (!window.theme.dark) return hex;
  return { "#000000": "#e8e6e0", "#6b4a1b": "#b98a4a" }[hex] ?? hex; // brown would be lost on a dark page
}

// allMeasures returns the measures of some runs, those of most runs first.
export function allMeasures(list) {
  const count = new Map();
  for (const r of list) for (const m of r.measures) count.set(measureName(m), { m, n: (count.get(measureName(m))?.n ?? 0) + 1 });
  return [...count.values()].sort((a, b) => b.n - a.n).map((x) => x.m);
}
