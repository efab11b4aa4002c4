// The lines of runs' metrics, fetched as far as the page has them not.

import { number } from "./format.js";
import { get, sessions } from "./runs.js";

const kept = new Map(); // by run: {generation, offset, seq, series: Map, busy}

// lines returns the curves of a run that are there, by "name split", and fetches what is new; then is called when it has come.
export function lines(run, then) {
  let k = kept.get(run.id);
  if (!k || k.session !== sessions && !k.busy) kept.set(run.id, (k = { session: sessions, generation: 0, offset: 0, seq: -1, series: new Map(), busy: false, error: null, thinned: false, loaded: false }));
  const mark = `${run.generation} ${run.size}`;
  if (!k.busy && k.mark !== mark) {
    k.busy = true;
    get("api/curves", { run: run.id, generation: k.generation, offset: k.offset }).then((c) => {
      if (c.anew || c.generation !== k.generation) k.series = new Map();
      Object.assign(k, { generation: c.generation, offset: c.offset, mark, error: null, loaded: true, thinned: (k.thinned && !c.anew) || c.thinned });
      for (const s of c.series) append(k.series, s);
    }).catch((e) => { k.error = e; k.mark = mark; }).finally(() => {
      k.busy = false;
      then();
    });
  }
  return k;
}

// forget drops what is kept of runs that are gone.
export function forget(there) { for (const id of kept.keys()) if (!there.has(id)) kept.delete(id); }

function append(series, s) {
  const key = s.split ? `${s.name} ${s.split}` : s.name;
  let c = series.get(key);
  if (!c) series.set(key, (c = { name: s.name, split: s.split, step: [], epoch: [], seconds: [], value: [], stderr: [] }));
  for (let i = 0; i < s.step.length; i++) {
    c.step.push(s.step[i]);
    c.epoch.push(s.epoch[i]);
    c.seconds.push(number(s.seconds[i]));
    c.value.push(number(s.value[i]));
    c.stderr.push(number(s.stderr[i]));
  }
}
