/** From tracks to what is drawn: names, the choice of the most important series, runs without gaps. */

const WIDEST = 2.5; // in usual distances, as the API counts

/**
 * @typedef {object} Drawn
 * @property {string} id stays the same from tick to tick
 * @property {string} name
 * @property {object} line the spec's line
 * @property {number} spacing the usual distance between points, seconds
 * @property {number[]} t
 * @property {(number|null)[]} v
 * @property {(number|null)[]} low
 * @property {(number|null)[]} high
 */

/**
 * All series of a chart, named so that they can be told apart.
 * @param {object[]} lines the spec's
 * @param {import("./track.js").Series[][]} sources one per line
 * @returns {Drawn[]}
 */
export function drawn(lines, sources) {
  const found = [];
  lines.forEach((line, at) => {
    const series = sources[at];
    const telling = tellingLabels(series);
    for (const one of series) {
      const values = telling.map((label) => one.labels[label] ?? "").join(" ");
      const name = series.length === 1 ? line.name || values || line.query : [lines.length > 1 ? line.name : "", values].join(" ").trim();
      found.push({ ...one, id: `${at}|${one.key}`, name, line });
    }
  });
  return found;
}

/**
 * The ids of the series that get a colour: those with the highest last value, in the spec's order.
 * @param {Drawn[]} all
 * @param {number} most
 * @returns {string[]}
 */
export function foremost(all, most) {
  if (all.length <= most) return all.map((one) => one.id);
  const last = (one) => one.v.findLast((value) => value !== null) ?? -Infinity;
  const chosen = new Set([...all].sort((one, other) => last(other) - last(one)).slice(0, most));
  return all.filter((one) => chosen.has(one)).map((one) => one.id);
}

/**
 * Finer points where there are some; coarse points that are newer stay.
 * @param {import("./track.js").Series[]} coarse
 * @param {import("./track.js").Series[]|undefined} fine
 * @returns {import("./track.js").Series[]}
 */
export function refined(coarse, fine) {
  if (!fine) return coarse;
  const known = new Map(coarse.map((one) => [one.key, one]));
  return fine.map((one) => {
    const end = one.t.length > 0 ? one.t.at(-1) + one.spacing : -Infinity;
    const more = known.get(one.key);
    const at = more ? more.t.findIndex((t) => t >= end) : -1;
    if (at < 0) return one;
    const joined = (name) => [...one[name], ...more[name].slice(at)];
    return { ...one, t: joined("t"), v: joined("v"), low: joined("low"), high: joined("high"), spacing: more.spacing };
  });
}

/**
 * Stretches of neighbouring numbers; a null ends one, and a hole of more than two usual distances.
 * @param {{t: number[], spacing: number}} series
 * @param {(number|null)[]} values
 * @returns {[number, number][][]} index ranges as lists of [t, value]
 */
export function runs({ t, spacing }, values) {
  const found = [];
  let open = null;
  for (let at = 0; at < t.length; at += 1) {
    if (at > 0 && t[at] - t[at - 1] > WIDEST * spacing) open = null;
    if (values[at] === null || values[at] === undefined) {
      open = null;
      continue;
    }
    if (!open) found.push((open = []));
    open.push([t[at], values[at]]);
  }
  return found;
}

/**
 * A line as Plotly wants it: nulls between the runs.
 * @param {[number, number][][]} stretches
 * @returns {{x: (number|null)[], y: (number|null)[]}}
 */
export function path(stretches) {
  const x = [];
  const y = [];
  for (const run of stretches) {
    if (x.length > 0) {
      x.push(null);
      y.push(null);
    }
    for (const [t, value] of run) {
      x.push(t);
      y.push(value);
    }
  }
  return { x, y };
}

/**
 * The area between two lines as closed polygons, one per run, so that no fill crosses a gap.
 * @param {[number, number][][]} stretches the upper line
 * @param {(t: number) => number} floor the lower line at a time of the upper
 * @returns {{x: (number|null)[], y: (number|null)[]}}
 */
export function polygon(stretches, floor) {
  return path(
    stretches.map((run) => [...run, ...run.map(([t]) => [t, floor(t)]).reverse(), run[0]]),
  );
}

/**
 * Each series on top of those before it, at the times that any of them knows. Where others have numbers and this one has none,
 * there was nothing of it: its edge comes down beside its numbers, and isn't drawn further away.
 * @param {Drawn[]} all
 * @returns {Drawn[]} *v* is the upper edge, *floor* the lower edge by time
 */
export function stacked(all) {
  const t = [...new Set(all.flatMap((one) => one.t))].sort((one, other) => one - other);
  const spacing = Math.min(...all.map((one) => one.spacing));
  const height = new Map();
  return all.map((one) => {
    const own = new Map(one.t.map((at, index) => [at, one.v[index]]));
    const beside = (at) => own.has(t[at - 1]) || own.has(t[at + 1]);
    const floor = new Map(t.map((at) => [at, height.get(at) ?? 0]));
    const v = t.map((time, at) => {
      if (!own.has(time)) return beside(at) ? floor.get(time) : null;
      return own.get(time) === null ? null : own.get(time) + floor.get(time);
    });
    t.forEach((at, index) => v[index] !== null && height.set(at, v[index]));
    return { ...one, t, v, low: v, high: v, spacing, floor };
  });
}

/**
 * The index of the point nearest to a time, no further than one usual distance; -1 without one.
 * @param {{t: number[], spacing: number}} series
 * @param {number} time
 * @returns {number}
 */
export function nearest({ t, spacing }, time) {
  let low = 0;
  let high = t.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (t[middle] < time) low = middle + 1;
    else high = middle;
  }
  if (low > 0 && time - t[low - 1] < Math.abs((t[low] ?? Infinity) - time)) low -= 1;
  return t.length > 0 && Math.abs(t[low] - time) <= spacing ? low : -1;
}

function tellingLabels(series) {
  const names = new Set(series.flatMap((one) => Object.keys(one.labels)));
  return [...names].sort().filter((name) => new Set(series.map((one) => one.labels[name])).size > 1 || series.length === 1);
}
