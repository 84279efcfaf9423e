/** The points of one query in the browser: what arrived, merged by the start of its step. */

/**
 * @typedef {object} Series
 * @property {string} key labels as text; identifies the series inside its track
 * @property {Record<string, string>} labels
 * @property {number[]} t starts of steps, Unix seconds, ascending
 * @property {(number|null)[]} v null is a gap
 * @property {(number|null)[]} low
 * @property {(number|null)[]} high
 * @property {number} spacing the usual distance between points, seconds
 */

const SETTLED = 20; // points after which the spacing is known well enough

/** Everything known about one query at one step. */
export class Track {
  /**
   * @param {string} query
   * @param {{window: number, end: number|null, step: number}} span seconds; end null follows the clock
   */
  constructor(query, span) {
    this.query = query;
    this.span = span;
    this.envelope = false;
    this.loaded = false;
    this.reload = false;
    this.problem = null;
    this.retryAt = 0;
    /** The time up to which the server has answered, Unix seconds. */
    this.seen = 0;
    /** How often a whole range was taken. */
    this.loads = 0;
    /** How often a number came or changed. */
    this.revision = 0;
    /** @type {Map<string, Series>} */
    this.series = new Map();
    this.users = new Set();
  }

  /** Whether new points can come. */
  get live() {
    return this.span.end === null;
  }

  /**
   * Take a whole range in place of what was there.
   * @param {object[]} entries the answer's series for this query
   * @param {{to: number, envelope: boolean}} meta
   */
  load(entries, { to, envelope }) {
    this.series = new Map();
    for (const entry of entries) this.series.set(keyOf(entry.labels), seriesOf(entry, this.span.step));
    this.loaded = true;
    this.reload = false;
    this.envelope = envelope;
    this.problem = null;
    this.seen = to;
    this.loads += 1;
    this.revision += 1;
  }

  /**
   * Take news; a point with a known time replaces it.
   * @param {object[]} entries
   * @param {number} to Unix seconds
   */
  extend(entries, to) {
    for (const entry of entries) {
      const key = keyOf(entry.labels);
      if (!this.series.has(key)) this.series.set(key, seriesOf({ ...entry, t: [], v: [] }, this.span.step));
      if (merge(this.series.get(key), entry, this.span.step)) this.revision += 1;
    }
    this.seen = Math.max(this.seen, to);
    this.problem = null;
    this.#trim();
  }

  /** The time of the newest number, Unix seconds; null without one. */
  get newest() {
    let found = null;
    for (const { t, v } of this.series.values()) {
      const at = v.findLastIndex((value) => value !== null);
      if (at >= 0 && (found === null || t[at] > found)) found = t[at];
    }
    return found;
  }

  #trim() {
    if (!this.live) return;
    const oldest = this.seen - this.span.window - 2 * this.span.step;
    for (const [key, series] of this.series) {
      const keep = series.t.findIndex((t) => t >= oldest);
      if (keep < 0) this.series.delete(key);
      else if (keep > 0) for (const name of ["t", "v", "low", "high"]) series[name].splice(0, keep);
    }
  }
}

/**
 * Sort an answer's series by the query that they answer.
 * @param {{series: object[]}} answer
 * @param {number} count how many queries were asked
 * @returns {object[][]}
 */
export function byQuery(answer, count) {
  const found = Array.from({ length: count }, () => []);
  for (const entry of answer.series) found[entry.query].push(entry);
  return found;
}

/**
 * An answer's entry as a series with its own arrays.
 * @param {object} entry
 * @param {number} step seconds that were asked for; the answer's own may be wider
 * @returns {Series}
 */
export function seriesOf({ labels = {}, t, v, low, high, step: wide = 0 }, step) {
  const spacing = spacingOf(t, Math.max(step, wide));
  return { key: keyOf(labels), labels, t: [...t], v: [...v], low: [...(low ?? v)], high: [...(high ?? v)], spacing };
}

function spacingOf(t, step) {
  if (t.length < 3) return step;
  const apart = t.slice(1).map((time, at) => time - t[at]).sort((one, other) => one - other);
  return Math.max(step, apart[apart.length >> 1]);
}

function keyOf(labels = {}) {
  const names = Object.keys(labels).sort();
  return names.map((name) => `${name}=${labels[name]}`).join(",");
}

/** Put an answer's points among those of a series; whether that changed anything. */
function merge(series, { t, v, low = v, high = v }, step) {
  let changed = false;
  for (let at = 0; at < t.length; at += 1) {
    let place = series.t.length;
    while (place > 0 && series.t[place - 1] >= t[at]) place -= 1;
    const known = series.t[place] === t[at] ? 1 : 0;
    const same = known && series.v[place] === v[at] && series.low[place] === low[at] && series.high[place] === high[at];
    if (same) continue;
    changed = true;
    series.t.splice(place, known, t[at]);
    series.v.splice(place, known, v[at]);
    series.low.splice(place, known, low[at]);
    series.high.splice(place, known, high[at]);
  }
  if (series.t.length < SETTLED) series.spacing = spacingOf(series.t, step);
  return changed;
}
