// Elements. Text goes in as text: no name of a run is ever read as markup.

const svgNames = new Set(["svg", "path", "polyline", "line", "circle", "rect", "g", "text", "title", "ellipse"]);

// h returns an element with properties and children. Strings become text nodes; null and false are left out.
export function h(tag, props, ...children) {
  const svg = svgNames.has(tag) && tag !== "title" || tag === "svg:title";
  const e = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag.replace("svg:", "")) : document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
    else if (key === "class") e.setAttribute("class", value);
    else if (key === "dataset") Object.assign(e.dataset, value);
    else if (key === "css") for (const [k, v] of Object.entries(value)) e.style.setProperty(k, v);
    else if (!svg && key in e && key !== "list" && key !== "form" && !key.startsWith("aria")) e[key] = value;
    else e.setAttribute(key, value === true ? "" : value);
  }
  add(e, children);
  return e;
}

function add(e, children) {
  for (const c of children) {
    if (Array.isArray(c)) add(e, c);
    else if (c !== null && c !== undefined && c !== false) e.append(c);
  }
}

// fill sets the children of an element.
export function fill(e, ...children) {
  e.replaceChildren();
  add(e, children);
  return e;
}

// save gives a blob to the user as a file.
export function save(name, blob) {
  const url = URL.createObjectURL(blob);
  const a = h("a", { href: url, download: name });
  document.body.append(a);
  a.click();
  a.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

// fileName returns a name that every file system takes.
export const fileName = (text) => text.replace(/[^\w.-]+/g, "-").replace(/^[-.]+|-+$/g, "").slice(0, 80) || "mattis";

// choice returns a labelled select. options are [value, text].
export function choice(label, options, value, change) {
  const select = h("select", { onchange: () => change(select.value) }, options.map(([v, t]) => h("option", { value: v, selected: v === value }, t)));
  select.value = value;
  return h("label", { class: "field" }, h("span", {}, label), select);
}

// toggle returns a button that is on or off.
export function toggle(text, on, change, title) {
  return h("button", { type: "button", class: "toggle", "aria-pressed": String(on), title, onclick: () => change(!on) }, text);
}
