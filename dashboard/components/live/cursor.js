/** The crosshair that all charts share, and the tooltip of the chart that is pointed at. */

import { el } from "./panel.js";
import { page } from "./page.js";
import { nearest } from "./series.js";
import { STATUS } from "./served.js";
import { exact, show } from "./units.js";
import { clockText, dayText, zoneName, zoneOf } from "./zone.js";

const MOST_ROWS = 10;
const NEAR = 5; // pixels

/** Crosshair, tooltip and keys of one chart. */
export class Cursor {
  /**
   * @param {HTMLElement} plot takes the pointer and the keys
   * @param {HTMLElement} root holds crosshair and tooltip
   * @param {() => object|null} drawing what is on screen: `{spec, range, plot, entries}`, null before the first drawing
   */
  constructor(plot, root, drawing) {
    this.drawing = drawing;
    this.root = root;
    this.line = el("div", { class: "perf-cross", hidden: "" });
    this.tip = el("div", { class: "perf-tip", "aria-live": "polite", hidden: "" });
    root.append(this.line, this.tip);
    this.own = null;
    plot.addEventListener("mousemove", (event) => this.#move(event));
    plot.addEventListener("mouseleave", () => this.#leave());
    plot.addEventListener("blur", () => this.#leave());
    plot.addEventListener("keydown", (event) => this.#key(event));
    this.silence = page.listen({ hover: (t) => this.show(t) });
  }

  /** @param {number|null} t Unix seconds */
  show(t) {
    const now = this.drawing();
    const inside = now && now.entries.length > 0 && t !== null && t >= now.range[0] && t <= now.range[1];
    this.line.hidden = !inside;
    this.tip.hidden = !inside || this.own === null;
    if (!inside) return;
    const { plot, range } = now;
    const x = plot.left + ((t - range[0]) / (range[1] - range[0])) * plot.width;
    this.line.style.transform = `translateX(${x.toFixed(1)}px)`;
    this.line.style.top = `${plot.top}px`;
    this.line.style.height = `${plot.height}px`;
    if (this.own !== null) this.#tell(now, t, x);
  }

  /** Draw again what is shown, with the newest numbers. */
  refresh() {
    if (this.own !== null) this.show(this.own);
  }

  /** Stop listening. */
  remove() {
    this.silence();
  }

  #move(event) {
    const now = this.drawing();
    if (!now) return;
    const x = event.clientX - this.root.getBoundingClientRect().left - now.plot.left;
    const inside = x >= 0 && x <= now.plot.width;
    this.own = inside ? now.range[0] + (x / now.plot.width) * (now.range[1] - now.range[0]) : null;
    page.hover(this.own);
  }

  #leave() {
    this.own = null;
    page.hover(null);
  }

  #key(event) {
    const now = this.drawing();
    if (!now || !["ArrowLeft", "ArrowRight", "Home", "End", "Escape"].includes(event.key)) return;
    event.preventDefault();
    if (event.key === "Escape") {
      this.#leave();
      page.setZoom(null);
      return;
    }
    const step = (now.entries[0]?.spacing ?? 1) * (event.shiftKey ? 10 : 1);
    const last = Math.max(...now.entries.map((one) => one.t.at(-1) ?? 0));
    const start = this.own ?? last + step;
    const moved = { ArrowLeft: start - step, ArrowRight: start + step, Home: now.range[0], End: last }[event.key];
    this.own = Math.min(Math.max(moved, now.range[0]), now.range[1]);
    page.hover(this.own);
  }

  #tell(now, t, x) {
    const zone = zoneOf(now.spec.view.zone);
    const known = now.entries.map((one) => [one, nearest(one, t)]).filter(([, at]) => at >= 0);
    const time = known.length > 0 ? known[0][0].t[known[0][1]] : t;
    const rows = known.slice(0, MOST_ROWS).map(([one, at]) => row(one, at, now.spec));
    if (known.length > MOST_ROWS) rows.push(el("tr", {}, el("td", { colspan: "3" }, `and ${known.length - MOST_ROWS} more`)));
    const head = `${dayText(time, zone)} ${clockText(time, zone, true)} ${zoneName(time, zone)}`;
    const body = rows.length > 0 ? el("table", {}, ...rows) : el("div", {}, "no data");
    this.tip.replaceChildren(el("div", { class: "perf-faint" }, head), body, ...asides(now, t));
    const room = this.root.clientWidth - this.tip.offsetWidth;
    const left = x + 14 > room ? x - this.tip.offsetWidth - 14 : x + 14;
    this.tip.style.transform = `translate(${Math.max(0, left).toFixed(0)}px, ${now.plot.top + 4}px)`;
  }
}

function row(one, at, spec) {
  const swatch = el("span", { class: one.dashed ? "perf-swatch perf-dashed" : "perf-swatch" });
  swatch.style.color = one.color;
  const value = one.v[at];
  const whole = exact(value, spec.unit);
  const between = spec.envelope && value !== null && !one.dashed ? `${show(one.low[at], spec.unit)} … ${show(one.high[at], spec.unit)}` : "";
  const details = [whole === show(value, spec.unit) ? "" : whole, between].filter(Boolean).join(" · ");
  return el(
    "tr",
    {},
    el("td", {}, swatch, one.name),
    el("td", { class: "perf-number" }, value === null ? "no data" : show(value, spec.unit)),
    el("td", { class: "perf-faint" }, details),
  );
}

function asides({ spec, range, plot }, t) {
  const near = (NEAR / plot.width) * (range[1] - range[0]);
  const moments = spec.annotations.filter((one) => Math.abs(one.t - t) <= near).map((one) => `▼ ${one.text}`);
  const bands = spec.bands.filter((one) => one.from <= t && t < one.to).map((one) => `${STATUS[one.status].shape} ${one.label}`);
  return [...moments, ...bands].map((text) => el("div", {}, text));
}
