// The page: which view is shown, the keys, and what changes as runs do.

import { h, fill } from "./dom.js";
import { connect, connected, ended, folders, go, listen, notices, place, runs } from "./runs.js";
import { forget } from "./lines.js";
import { Table } from "./table.js";
import { Curves } from "./curves.js";
import { Pictures } from "./pictures.js";
import { Machine } from "./machine.js";
import { Compare } from "./compare.js";

const views = [["runs", "Runs", Table], ["curves", "Curves", Curves], ["pictures", "Pictures", Pictures], ["machine", "Machine", Machine], ["compare", "Two runs", Compare]];
const main = document.getElementById("main"), tabs = document.getElementById("tabs"), live = document.getElementById("live"), notes = document.getElementById("notices");
const themeButton = document.getElementById("theme"), help = document.getElementById("help");
let view = null, name = null;

fill(tabs, views.map(([id, label]) => h("a", { href: "#view=" + id, dataset: { view: id }, onclick: (e) => { if (e.ctrlKey || e.metaKey || e.shiftKey) return; e.preventDefault(); go({ view: id }); } }, label)));

function show(changed, moved) {
  const wanted = views.find(([id]) => id === place().view) ?? views[0];
  if (wanted[0] !== name) {
    view?.leave();
    name = wanted[0];
    document.title = `${wanted[1]} · ${folders.join(", ")} · mattis`;
    const root = h("div", { class: `view v-${name}` });
    main.replaceChildren(root);
    for (const a of tabs.children) a.dataset.view === name ? a.setAttribute("aria-current", "page") : a.removeAttribute("aria-current");
    view = new wanted[2](root);
    scrollTo(0, 0);
  } else view.update(changed);
  main.dataset.place = location.hash; // what is seen, for who tests the page
  status();
  forget(runs);
}

function status() {
  const word = connected ? "live" : ended ? "ended" : "connecting …";
  if (live.textContent !== word) {
    live.className = connected ? "on" : "off";
    live.textContent = word;
  }
  const said = ended ? [ended, ...notices] : notices, text = said.join("\n");
  if (notes.dataset.text !== text) {
    notes.dataset.text = text;
    fill(notes, said.map((n) => h("p", {}, n)));
  }
}

function themed() {
  themeButton.textContent = window.theme.dark ? "☀" : "☾";
  themeButton.setAttribute("aria-label", window.theme.dark ? "Light theme" : "Dark theme");
  themeButton.title = `${window.theme.dark ? "Light" : "Dark"} (t)`;
}
addEventListener("themechange", themed);
themeButton.addEventListener("click", () => window.theme.toggle());
document.getElementById("keys").addEventListener("click", () => help.showModal());
themed();

addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || help.open) return;
  const typing = e.target.matches("input:not([type=checkbox]):not([type=range]), select, textarea");
  if (typing) { if (e.key === "Escape") e.target.blur(); return; }
  if (view?.key(e)) { e.preventDefault(); return; }
  if (/^[1-5]$/.test(e.key)) go({ view: views[e.key - 1][0] });
  else if (e.key === "t") window.theme.toggle();
  else if (e.key === "?") help.showModal();
  else if (e.key === "/") { go({ view: "runs" }); setTimeout(() => document.getElementById("filter")?.focus(), 50); }
  else return;
  e.preventDefault();
});

setInterval(() => view?.tick?.(), 5000);
listen(show);
connect().catch((e) => fill(main, h("p", { class: "empty" }, `The page cannot be filled: ${e.message}`)));
