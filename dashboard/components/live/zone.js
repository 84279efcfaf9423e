/** Times in one IANA zone: as text, and as round ticks of a time axis. */

const parts = new Map();
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000];
const DAY = 86400;

/**
 * The zone that is meant: the reader's own when *zone* is empty.
 * @param {string} zone
 * @returns {string}
 */
export function zoneOf(zone) {
  return zone || Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

/**
 * The zone's short name at a time, such as `UTC` or `GMT+1`.
 * @param {number} t Unix seconds
 * @param {string} zone
 * @returns {string}
 */
export function zoneName(t, zone) {
  const found = format(zone, { timeZoneName: "short" }).formatToParts(t * 1000);
  return found.find((part) => part.type === "timeZoneName").value;
}

/**
 * `19:02`, with seconds `19:02:30`.
 * @param {number} t Unix seconds
 * @param {string} zone
 * @param {boolean} [seconds]
 * @returns {string}
 */
export function clockText(t, zone, seconds = false) {
  const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return format(zone, seconds ? { ...options, second: "2-digit" } : options).format(t * 1000);
}

/**
 * `Fri 21 Nov`.
 * @param {number} t Unix seconds
 * @param {string} zone
 * @returns {string}
 */
export function dayText(t, zone) {
  const found = format(zone, { weekday: "short", day: "numeric", month: "short" }).formatToParts(t * 1000);
  const of = (type) => found.find((part) => part.type === type).value;
  return `${of("weekday")} ${of("day")} ${of("month")}`;
}

/**
 * Round local times between *from* and *to*, at most *most*.
 * @param {number} from Unix seconds
 * @param {number} to Unix seconds
 * @param {string} zone
 * @param {number} most
 * @returns {{values: number[], texts: string[]}} values in Unix seconds
 */
export function timeTicks(from, to, zone, most) {
  const step = STEPS.find((candidate) => (to - from) / candidate <= most) ?? STEPS.at(-1);
  const values = [];
  let local = Math.ceil((from + offset(from, zone)) / step) * step;
  for (; values.length <= most + 1; local += step) {
    const t = local - offset(local - offset(local, zone), zone);
    if (t > to) break;
    if (t >= from && t !== values.at(-1)) values.push(t);
  }
  return { values, texts: values.map((t) => tickText(t, step, zone)) };
}

function tickText(t, step, zone) {
  const midnight = (t + offset(t, zone)) % DAY === 0;
  if (!midnight) return clockText(t, zone, step < 60);
  return step < 2592000 ? dayText(t, zone).split(" ").slice(0, 2).join(" ") : dayText(t, zone).slice(4);
}

/** Seconds that local time is ahead of UTC at *t*. */
function offset(t, zone) {
  if (zone === "UTC") return 0;
  const options = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" };
  const found = {};
  const date = format(zone, { ...options, hourCycle: "h23" });
  for (const { type, value } of date.formatToParts(t * 1000)) found[type] = Number(value);
  const local = Date.UTC(found.year, found.month - 1, found.day, found.hour, found.minute, found.second) / 1000;
  return Math.round(local - Math.floor(t));
}

function format(zone, options) {
  const key = zone + JSON.stringify(options);
  if (!parts.has(key)) parts.set(key, new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone }));
  return parts.get(key);
}
