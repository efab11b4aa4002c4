// Numbers, times and states for people.

// number returns a measured value from its JSON: "NaN" and the infinities come as words.
export const number = (x) => (typeof x === "number" ? x : x === null || x === undefined ? NaN : Number(x));

// short returns a number in few characters.
export function short(x, digits = 4) {
  x = number(x);
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (x === 0) return "0";
  const a = Math.abs(x);
  let s;
  if (a >= 1e6 || a < 1e-4) s = x.toExponential(Math.max(0, digits - 2)).replace("e+", "e");
  else if (a >= 1e4) s = x.toFixed(0);
  else s = String(Number(x.toPrecision(digits)));
  return s.replace("-", "−");
}

// withError returns value and standard error with the error's digits.
export function withError(value, stderr) {
  const e = number(stderr);
  if (!(e > 0) || !Number.isFinite(e)) return short(value, 5);
  const digits = Math.min(8, Math.max(0, 1 - Math.floor(Math.log10(e))));
  return `${number(value).toFixed(digits)} ± ${e.toFixed(digits)}`.replaceAll("-", "−");
}

// span returns seconds in the two largest units.
export function span(s) {
  if (!Number.isFinite(s)) return "–";
  s = Math.max(0, Math.round(s));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min${s < 600 && s % 60 ? ` ${s % 60} s` : ""}`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

// ago returns how long ago a moment was, in the largest unit.
export function ago(unix) {
  if (!unix) return "–";
  const s = Math.max(0, Date.now() / 1000 - unix);
  if (s < 5) return "now";
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 172800) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

// rate returns updates in a second.
export function rate(x) {
  if (!(x > 0)) return "–";
  if (x >= 1) return `${x >= 1e4 ? short(x / 1e3, 3) + "k" : short(x, 3)}/s`;
  return x * 60 >= 1 ? `${short(x * 60, 3)}/min` : `${short(x * 3600, 3)}/h`;
}

export const states = {
  training: { sign: "▶", text: "training" }, ended: { sign: "✓", text: "ended" }, interrupted: { sign: "‖", text: "interrupted" },
  killed: { sign: "✕", text: "killed" }, diverged: { sign: "↯", text: "diverged" }, failed: { sign: "!", text: "failed" }, waiting: { sign: "…", text: "waiting" },
};

// measureName returns a measure and its split as one name.
export const measureName = (m) => (m.split ? `${m.name} ${m.split}` : m.name);

// units of measures, for axes.
const units = [
  [/^nll/, "nats per sample"], [/^pseudo_likelihood/, "nats per sample"], [/^logz/, "nats"], [/^hamming/, "share of pixels"],
  [/_accessibility/, "share of the ground state's energy"], [/^ground_energy/, "kT"], [/^autocorrelation/, "sweeps"],
  [/^(valid_share|coverage|probe_accuracy|crosstalk|recall)/, "share"],
];
export const unit = (name) => units.find(([re]) => re.test(name))?.[1] ?? "";
