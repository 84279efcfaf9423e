/** One number from a track, and what it means: pure rules behind the tiles. */

import { show } from "./units.js";

const USUAL = 2; // standard deviations of the compared range that count as usual variation
const MINUTE = 60;

/**
 * The number that a tile shows: from the worst series, when there are several.
 * @param {import("./track.js").Track} track
 * @param {"last"|"mean"|"max"|"sum"} how
 * @returns {{value: number|null, label: string, series: import("./track.js").Series|null}}
 */
export function reduced(track, how) {
  const found = [...track.series.values()].map((series) => ({ series, value: numberOf(series.v, how) }));
  const known = found.filter((one) => one.value !== null);
  if (known.length === 0) return { value: null, label: "", series: null };
  const worst = known.reduce((best, one) => (one.value > best.value ? one : best));
  const label = found.length > 1 ? Object.values(worst.series.labels).join(" ") : "";
  return { ...worst, label };
}

/**
 * What a state is judged by: the mean of the last minute, as the health checks do, because one spike is not a state.
 * @param {import("./track.js").Series|null} series
 * @returns {number|null}
 */
export function settled(series) {
  const newest = series?.t.at(-1) ?? 0;
  return series ? numberOf(series.v.filter((_, at) => series.t[at] > newest - MINUTE), "mean") : null;
}

/**
 * The state of a value.
 * @param {number|null} value
 * @param {{warning: number|null, critical: number|null, below: boolean}} limits
 * @returns {"ok"|"warning"|"critical"|"unknown"}
 */
export function levelOf(value, { warning, critical, below }) {
  if (value === null) return "unknown";
  const beyond = (limit) => limit !== null && (below ? value < limit : value > limit);
  if (beyond(critical)) return "critical";
  return beyond(warning) ? "warning" : "ok";
}

/**
 * How the mean of a range moved against the mean of the compared one, and whether that is more than its usual variation.
 * @param {import("./track.js").Track} track
 * @param {import("./track.js").Track} compared
 * @param {{delta: "relative"|"points"|"absolute"|null, unit: string, worse: "up"|"down"|null}} rule
 * @returns {{text: string, verdict: "usual"|"worse"|"better", explained: string}|null}
 */
export function changeOf(track, compared, { delta, unit, worse }) {
  const after = momentsOf(track);
  const before = momentsOf(compared);
  if (!delta || !after || !before) return null;
  const moved = after.mean - before.mean;
  const usual = Math.abs(moved) <= USUAL * before.deviation;
  const arrow = moved > 0 ? "↑" : moved < 0 ? "↓" : "";
  const bad = worse && (worse === "up") === moved > 0;
  const verdict = usual || !worse ? "usual" : bad ? "worse" : "better";
  const explained = `mean ${show(after.mean, unit)}, was ${show(before.mean, unit)} ± ${show(USUAL * before.deviation, unit)}`;
  return { text: `${arrow} ${sizeOf(moved, before.mean, delta, unit)}`.trim(), verdict, explained };
}

function sizeOf(moved, before, delta, unit) {
  const size = Math.abs(moved);
  if (delta === "points") return `${show(round(size), "")} pt`;
  if (delta === "absolute") return show(size, unit);
  return before === 0 ? show(size, unit) : show(round((100 * size) / Math.abs(before)), "%");
}

// A tenth is enough for small changes, whole numbers for larger ones.
function round(value) {
  return value < 10 ? Math.round(value * 10) / 10 : Math.round(value);
}

function numberOf(values, how) {
  const numbers = values.filter((value) => value !== null);
  if (numbers.length === 0) return null;
  if (how === "last") return numbers.at(-1);
  if (how === "max") return Math.max(...numbers);
  const sum = numbers.reduce((total, value) => total + value, 0);
  return how === "sum" ? sum : sum / numbers.length;
}

function momentsOf(track) {
  const { series } = reduced(track, "mean");
  const numbers = series?.v.filter((value) => value !== null) ?? [];
  if (numbers.length < 2) return null;
  const mean = numberOf(numbers, "mean");
  const variance = numbers.reduce((total, value) => total + (value - mean) ** 2, 0) / (numbers.length - 1);
  return { mean, deviation: Math.sqrt(variance) };
}
