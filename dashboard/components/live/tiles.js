/** A row of cards: state, label, value, change against the compared range, note and sparkline. */

import { lookOf } from "./look.js";
import { el, messageBox, shownRange, stateOf, svg, tell } from "./panel.js";
import { poller } from "./poller.js";
import { runs } from "./series.js";
import { STATUS } from "./served.js";
import { changeOf, levelOf, reduced, settled } from "./summary.js";
import { exact, show } from "./units.js";

const SPARK = { width: 160, height: 36 };

/** All tiles of one row. */
export class TilesPanel {
  /**
   * @param {HTMLElement} parent
   * @param {object} spec
   */
  constructor(parent, spec) {
    this.parent = parent;
    this.root = el("div", { class: "perf-tiles" });
    parent.append(this.root);
    this.subscriptions = [];
    this.update(spec);
  }

  /** @param {object} spec */
  update(spec) {
    this.spec = spec;
    const before = this.subscriptions;
    const { view, tiles } = spec;
    const span = { window: view.window, end: view.end, step: view.step };
    const wish = { refresh: view.refresh, envelope: false, zoomable: false, onChange: () => this.draw() };
    this.subscriptions = [poller.subscribe({ ...wish, queries: tiles.map((tile) => tile.query), span })];
    this.compared = null;
    if (view.compare) {
      const then = { ...span, end: Math.round((shownRange(view)[1] - view.compare.shift) / view.step) * view.step };
      this.compared = poller.subscribe({ ...wish, refresh: null, queries: tiles.map((tile) => tile.query), span: then });
      this.subscriptions.push(this.compared);
    }
    this.tracks = this.subscriptions[0].tracks;
    for (const subscription of before) subscription.close();
    const kept = this.cards?.length === tiles.length;
    this.cards = tiles.map((tile, at) => (kept ? this.cards[at] : card()));
    if (!kept) this.root.replaceChildren(...this.cards.map((one) => one.root));
    this.restyle();
  }

  /** Take over the theme. */
  restyle() {
    this.look = lookOf(this.parent);
    this.root.style.setProperty("--perf-calm", this.look.palette.calm);
    this.draw();
  }

  /** Show what is known now. */
  draw() {
    this.spec.tiles.forEach((tile, at) => this.#card(this.cards[at], tile, this.tracks[at], this.compared?.tracks[at]));
  }

  /** Let go of everything. */
  remove() {
    for (const subscription of this.subscriptions) subscription.close();
    this.root.remove();
  }

  #card(parts, tile, track, compared) {
    const now = reduced(track, tile.reduce);
    const heard = stateOf([track], this.spec.view.zone);
    const silent = heard.state === "empty" || heard.late;
    const said = tile.quiet && silent ? { state: "ready", text: "", detail: "" } : heard;
    const value = silent && tile.quiet ? 0 : heard.late && tile.reduce === "last" ? null : now.value;
    const judged = value !== null && tile.reduce === "last" && !silent ? settled(now.series) : value;
    const level = said.state === "loading" ? "ok" : levelOf(said.state === "ready" ? judged : null, tile);
    const status = STATUS[level];
    const marked = tile.warning !== null || tile.critical !== null || level === "unknown";
    parts.root.dataset.level = level;
    parts.root.style.setProperty("--perf-level", level === "ok" ? this.look.palette.calm : status.color);
    parts.mark.textContent = marked ? status.shape : "";
    parts.mark.style.color = status.color;
    parts.label.textContent = now.label ? `${tile.label} ${now.label}` : tile.label;
    parts.word.textContent = marked && said.state !== "loading" ? status.word : "";
    parts.word.classList.toggle("perf-hidden", level === "ok");
    parts.value.textContent = said.state === "loading" ? "" : show(value, tile.unit);
    parts.value.title = exact(value, tile.unit);
    this.#change(parts.change, tile, track, compared);
    parts.note.textContent = tile.note;
    parts.spark.replaceChildren(...sparkline(now.series, shownRange(this.spec.view)));
    const spoken = `${parts.label.textContent}: ${parts.value.textContent}${parts.word.textContent ? `, ${parts.word.textContent}` : ""}`;
    parts.root.setAttribute("aria-label", spoken);
    const brief = said.state === "empty" ? "no data yet" : said.text.replace("no data since", "since");
    tell(parts.root, { ...said, text: brief }, now.series?.t.length ?? 0);
  }

  #change(place, tile, track, compared) {
    const change = compared?.loaded && track.loaded ? changeOf(track, compared, tile) : null;
    place.hidden = !change;
    if (!change) return;
    place.textContent = change.text;
    place.dataset.verdict = change.verdict;
    place.title = `${change.explained} ${this.spec.view.compare.label}`;
  }
}

function card() {
  const parts = {
    mark: el("span", { class: "perf-mark", "aria-hidden": "true" }),
    label: el("span", { class: "perf-label" }),
    word: el("span", { class: "perf-word" }),
    value: el("div", { class: "perf-value" }),
    change: el("span", { class: "perf-change", hidden: "" }),
    note: el("span", { class: "perf-note" }),
    spark: svg("svg", {
      class: "perf-spark",
      viewBox: `0 0 ${SPARK.width} ${SPARK.height}`,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
    }),
  };
  const head = el("div", { class: "perf-head" }, parts.mark, parts.label, parts.word);
  const under = el("div", { class: "perf-under" }, parts.change, parts.note);
  const root = el("div", { class: "perf-tile", role: "group" }, head, parts.value, under, parts.spark, messageBox());
  return { ...parts, root };
}

/** A line and its filled area over the whole range, broken at gaps. */
function sparkline(series, [from, to]) {
  if (!series) return [];
  const numbers = series.v.filter((value) => value !== null);
  const high = Math.max(...numbers);
  const low = Math.min(...numbers);
  const room = high - low || Math.abs(high) || 1;
  const base = low >= 0 ? Math.max(0, low - room * 0.35) : low - room * 0.35;
  const x = (t) => (((t - from) / (to - from)) * SPARK.width).toFixed(1);
  const y = (value) => (SPARK.height - 1 - ((value - base) / (high - base || 1)) * (SPARK.height - 4)).toFixed(1);
  const stretches = runs(series, series.v);
  const lines = stretches.map((run) => run.map(([t, value]) => `${x(t)},${y(value)}`).join("L"));
  const area = stretches.map((run, at) => `M${x(run[0][0])},${SPARK.height}L${lines[at]}L${x(run.at(-1)[0])},${SPARK.height}Z`);
  const line = lines.map((run) => `M${run}`).join("");
  return [svg("path", { class: "perf-area", d: area.join("") }), svg("path", { class: "perf-line", d: line })];
}
