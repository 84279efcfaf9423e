/** Numbers as people read them: the same rules as dashboard/units.py, checked by one table of cases. */

export const NOTHING = "–";

const TIME = [[1e-9, "ns"], [1e-6, "µs"], [1e-3, "ms"], [1, "s"], [60, "min"], [3600, "h"]];
const IEC = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"].map((name, power) => [1024 ** power, name]);
const SI = [[1, ""], [1e3, "k"], [1e6, "M"], [1e9, "G"], [1e12, "T"]];
const SHARE = [[0.01, "%"]];
const BASE = { s: " s", By: " B", "By/s": " B/s", 1: "", "": "", "1/s": " /s", "/s": " /s", ratio: "" };
const DIGITS = 3;
const EXACT_DIGITS = 10;

/**
 * A number with three significant digits and a unit that fits: `182 ms`, `1.5 MiB/s`, `18.4k`.
 * @param {number|null|undefined} value
 * @param {string} [unit] `s`, `By`, `By/s`, `%`, `1` or empty for counts, `1/s`; `ratio` is read in percent; any other follows as it is
 * @returns {string}
 */
export function show(value, unit = "") {
  if (value === null || value === undefined || Number.isNaN(value)) return NOTHING;
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const scale = scaleOf(unit);
  const [factor, name] = stepOf(Math.abs(value), scale.steps);
  return written(value, factor, name, scale);
}

/**
 * A number in its base unit with up to ten significant digits: `12,582,912 B`.
 * @param {number|null|undefined} value
 * @param {string} [unit] as for `show`
 * @returns {string}
 */
export function exact(value, unit = "") {
  if (value === null || value === undefined || !Number.isFinite(value)) return show(value, unit);
  const number = grouped(plain(Math.abs(value), EXACT_DIGITS));
  const suffix = unit in BASE ? BASE[unit] : ` ${unit}`;
  return `${value < 0 && number !== "0" ? "−" : ""}${number}${suffix}`;
}

/**
 * Round ticks from zero for an axis that has to hold *low* to *high*; the range ends on a tick or half-way to the next.
 * @param {number} low
 * @param {number} high
 * @param {string} unit as for `show`
 * @param {number} most the largest number of ticks, at least 2
 * @returns {{values: number[], texts: string[], range: [number, number]}}
 */
export function axis(low, high, unit, most) {
  const scale = scaleOf(unit);
  const size = Math.max(Math.abs(low), Math.abs(high));
  if (size === 0) return { values: [0, 1], texts: [show(0, unit), show(1, unit)], range: [0, 1] };
  const [factor, name] = stepOf(size, scale.steps);
  const bottom = Math.min(0, low) / factor;
  const top = Math.max(0, high) / factor;
  const step = roundStep(bottom, top, most - 1, name === "min");
  const first = Math.floor(bottom / step + 1e-9);
  const edge = Math.max(first + 1, Math.ceil((2 * top) / step - 1e-9) / 2);
  const last = Math.floor(edge);
  const values = Array.from({ length: last - first + 1 }, (_, at) => (first + at) * step * factor);
  const text = (value) => (scale.steps === SI ? show(value, unit) : written(value, factor, name, scale));
  const texts = values.map((value) => (value === 0 ? "0" : text(value)));
  if (unit === "%") texts[values.indexOf(0)] = "0 %";
  return { values, texts, range: [values[0], edge * step * factor] };
}

function roundStep(bottom, top, intervals, sixty) {
  const raw = (top - bottom) / intervals;
  const power = 10 ** Math.floor(Math.log10(raw));
  const rounds = sixty && raw >= 5 ? [10, 15, 30, 60] : [1, 2, 2.5, 5, 10, 20].map((round) => round * power);
  const fits = (step) => Math.ceil((2 * top) / step - 1e-9) / 2 - Math.floor(bottom / step + 1e-9) <= intervals + 0.5;
  return rounds.find(fits) ?? rounds.at(-1);
}

function written(value, factor, name, scale) {
  const number = grouped(plain(Math.abs(value) / factor, DIGITS));
  const shown = number === "0" && scale.steps === SI ? "" : name;
  const sign = value < 0 && number !== "0" ? "−" : "";
  return `${sign}${number}${shown ? scale.gap : ""}${shown}${scale.suffix}`;
}

function scaleOf(unit) {
  if (unit === "s") return { steps: TIME, suffix: "", gap: " " };
  if (unit === "By" || unit === "By/s") return { steps: IEC, suffix: unit.slice(2), gap: " " };
  if (unit === "" || unit === "1") return { steps: SI, suffix: "", gap: "" };
  if (unit === "1/s" || unit === "/s") return { steps: SI, suffix: " /s", gap: "" };
  if (unit === "ratio") return { steps: SHARE, suffix: "", gap: " " };
  return { steps: [[1, ""]], suffix: ` ${unit}`, gap: "" };
}

function stepOf(size, steps) {
  if (size === 0) return steps.find((step) => step[0] === 1) ?? steps[0];
  return steps.findLast(([factor]) => Number(plain(size / factor, DIGITS)) >= 1) ?? steps[0];
}

function grouped(text) {
  const [whole, fraction] = text.split(".");
  const thousands = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction ? `${thousands}.${fraction}` : thousands;
}

function plain(size, digits) {
  if (size === 0) return "0";
  const places = Math.min(15, Math.max(0, digits - 1 - Math.floor(Math.log10(size))));
  const text = size >= 1e21 ? BigInt(size).toString() : size.toFixed(places);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}
