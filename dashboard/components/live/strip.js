/** States over time: one row of coloured blocks per check, with shape and word beside the colour. */

import { el, messageBox, shownRange, stateOf, svg, tell } from "./panel.js";
import { page } from "./page.js";
import { poller } from "./poller.js";
import { STATES } from "./served.js";
import { clockText, dayText, timeTicks, zoneName, zoneOf } from "./zone.js";

const PIXELS_PER_TICK = 56;
const AXIS = 24;
const ROW = [24, 34];

/** The rows of one query, one per value of a label. */
export class StripPanel {
  /**
   * @param {HTMLElement} parent
   * @param {object} spec
   */
  constructor(parent, spec) {
    this.rows = el("div", { class: "perf-rows" });
    this.tip = el("div", { class: "perf-tip", hidden: "" });
    this.root = el("div", { class: "perf-strip" }, this.rows, messageBox(), this.tip);
    parent.append(this.root);
    this.silence = page.listen({ zoom: () => this.draw() });
    this.watch = new ResizeObserver(() => this.draw());
    this.update(spec);
    this.watch.observe(this.root);
    this.rows.addEventListener("mousemove", (event) => this.#point(event));
    this.rows.addEventListener("mouseleave", () => (this.tip.hidden = true));
  }

  /** @param {object} spec */
  update(spec) {
    const before = this.subscription;
    this.spec = spec;
    const { window: width, end, step, refresh } = spec.view;
    const wish = { refresh, envelope: false, zoomable: false, onChange: () => this.draw() };
    this.subscription = poller.subscribe({ ...wish, queries: [spec.query], span: { window: width, end, step } });
    before?.close();
    this.root.style.minHeight = `${spec.height}px`;
    this.root.setAttribute("aria-label", spec.alt);
    this.root.setAttribute("role", "group");
    this.draw();
  }

  /** The colours of states are the same in every theme. */
  restyle() {
    this.draw();
  }

  /** Let go of everything. */
  remove() {
    this.subscription.close();
    this.watch.disconnect();
    this.silence();
    this.root.remove();
  }

  /** Show what is known now. */
  draw() {
    if (!this.subscription) return;
    const [track] = this.subscription.tracks;
    const said = stateOf([track], this.spec.view.zone);
    const series = [...track.series.values()].sort((one, other) => this.#name(one).localeCompare(this.#name(other)));
    this.range = page.zoom ?? shownRange(this.spec.view);
    this.shown = series.map((one) => ({ name: this.#name(one), blocks: blocksOf(one, this.range) }));
    const share = (this.spec.height - AXIS) / Math.max(1, series.length);
    this.rows.style.setProperty("--perf-row", `${Math.min(Math.max(share, ROW[0]), ROW[1])}px`);
    this.rows.replaceChildren(...this.shown.map((row) => this.#row(row)));
    if (series.length > 0) this.#axis();
    const points = series.reduce((total, one) => total + one.t.length, 0);
    tell(this.root, said, points);
  }

  #name(series) {
    return series.labels[this.spec.label] ?? (series.key || this.spec.query);
  }

  #row({ name, blocks }) {
    const [from, to] = this.range;
    const at = (t) => (100 * (Math.min(Math.max(t, from), to) - from)) / (to - from);
    const rects = blocks.map((block) => {
      const x = at(block.from);
      const attributes = { x: `${x}%`, width: `${at(block.to) - x}%`, y: 0, height: "100%", fill: block.look.color };
      return svg("rect", { ...attributes, class: "perf-block" });
    });
    const last = blocks.at(-1);
    const mark = el("span", { class: "perf-mark" }, last ? last.look.shape : "◌");
    mark.style.color = last?.look.color ?? "";
    const words = el("span", { class: "perf-hidden" }, last ? last.look.word : "no data");
    const label = el("span", { class: "perf-row-name", title: name }, mark, name, words);
    return el("div", { class: "perf-row" }, label, el("div", { class: "perf-bar" }, svg("svg", {}, ...rects)));
  }

  #axis() {
    const bar = this.rows.querySelector(".perf-bar");
    const width = bar.clientWidth;
    const zone = zoneOf(this.spec.view.zone);
    const [from, to] = this.range;
    const { values, texts } = timeTicks(from, to, zone, Math.max(2, Math.floor(width / PIXELS_PER_TICK)));
    const tick = (t, at) => {
      const made = el("span", {}, texts[at]);
      made.style.left = `${(100 * (t - from)) / (to - from)}%`;
      return made;
    };
    const inside = (t) => ((t - from) / (to - from)) * width > 18 && ((to - t) / (to - from)) * width > 12;
    const marks = values.map((t, at) => [t, tick(t, at)]).filter(([t]) => inside(t)).map(([, made]) => made);
    const named = el("span", { class: "perf-zone" }, zoneName(to, zone));
    this.rows.append(el("div", { class: "perf-ticks", "aria-hidden": "true" }, named, el("div", {}, ...(width ? marks : []))));
  }

  #point(event) {
    const bar = event.target.closest?.(".perf-row")?.querySelector(".perf-bar");
    if (!bar) return;
    const row = this.shown[[...this.rows.children].indexOf(bar.parentElement)];
    const box = bar.getBoundingClientRect();
    const [from, to] = this.range;
    const t = from + ((event.clientX - box.left) / box.width) * (to - from);
    const block = row?.blocks.find((one) => one.from <= t && t < one.to);
    this.tip.hidden = t < from;
    if (t < from) return;
    const zone = zoneOf(this.spec.view.zone);
    const look = block?.look ?? { shape: "◌", word: "no data", color: "" };
    const mark = el("span", { class: "perf-mark" }, look.shape);
    mark.style.color = look.color;
    const span = block ? `${clockText(block.from, zone)} – ${clockText(block.to, zone)}` : clockText(t, zone);
    this.tip.replaceChildren(
      el("div", {}, mark, `${row.name}: ${look.word}`),
      el("div", { class: "perf-faint" }, `${dayText(t, zone)} ${span} ${zoneName(t, zone)}`),
    );
    const home = this.root.getBoundingClientRect();
    const left = Math.min(event.clientX - home.left + 12, home.width - this.tip.offsetWidth);
    this.tip.style.transform = `translate(${Math.max(0, left)}px, ${box.bottom - home.top + 4}px)`;
  }
}

/** Neighbouring steps of one state as one block. */
function blocksOf({ t, v, spacing }, [from, to]) {
  const blocks = [];
  t.forEach((start, at) => {
    if (v[at] === null || start + spacing <= from || start >= to) return;
    const look = STATES[Math.min(3, Math.max(0, Math.ceil(v[at])))];
    const last = blocks.at(-1);
    if (last && last.look === look && start - last.to <= spacing) last.to = start + spacing;
    else blocks.push({ from: start, to: start + spacing, look });
  });
  return blocks;
}
