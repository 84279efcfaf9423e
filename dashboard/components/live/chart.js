/** One chart: asks the poller, draws with Plotly once and then only moves what changed. */

import { Cursor } from "./cursor.js";
import { figure } from "./figure.js";
import { lookOf } from "./look.js";
import { el, messageBox, shownRange, stateOf, tell } from "./panel.js";
import { page } from "./page.js";
import { loadPlotly } from "./plotly.js";
import { poller } from "./poller.js";
import { drawn, foremost, refined } from "./series.js";
import { SERIES_MAX } from "./served.js";

const CONFIG = {
  displayModeBar: false,
  displaylogo: false,
  showSendToCloud: false,
  showTips: false,
  doubleClick: false,
  scrollZoom: false,
  responsive: false,
};
const AHEAD = 0.25; // part of the window that the compared range is loaded ahead of the clock

let turn = Promise.resolve(); // charts are drawn one after another, so that the page stays responsive

/** A live chart in *parent*. */
export class ChartPanel {
  /**
   * @param {HTMLElement} parent
   * @param {object} spec
   */
  constructor(parent, spec) {
    this.parent = parent;
    this.plot = el("div", { class: "perf-plot", role: "img", tabindex: "0" });
    this.chip = el("button", { class: "perf-chip", type: "button", hidden: "" }, "zoomed · reset");
    this.chip.onclick = () => page.setZoom(null);
    this.root = el("div", { class: "perf-chart" }, this.plot, messageBox(), this.#tools());
    parent.append(this.root);
    this.cursor = new Cursor(this.plot, this.root, () => this.drawing);
    this.silence = page.listen({ zoom: () => this.draw() });
    this.watch = new ResizeObserver(() => this.draw());
    this.sight = new IntersectionObserver(([entry]) => this.#seen(entry.isIntersecting), { rootMargin: "200px" });
    this.update(spec);
    this.watch.observe(this.root);
    this.sight.observe(this.root);
    poller.answered.then(loadPlotly).then(
      (Plotly) => {
        this.Plotly = Plotly;
        this.draw();
      },
      (error) => tell(this.root, { state: "error", text: "Can't draw", detail: error.message }, 0),
    );
  }

  /** @param {object} spec */
  update(spec) {
    const before = [this.subscription, this.compared];
    this.spec = spec;
    this.chosen = null;
    this.shape = null;
    const { view, lines, envelope } = spec;
    const span = { window: view.window, end: view.end, step: view.step };
    const wish = { refresh: view.refresh, envelope, zoomable: true, onChange: () => this.draw() };
    this.subscription = poller.subscribe({ ...wish, queries: lines.map((line) => line.query), span });
    this.compared = null;
    for (const subscription of before) subscription?.close();
    this.root.style.height = `${spec.height}px`;
    this.plot.setAttribute("aria-label", spec.alt);
    this.restyle();
  }

  /** Take over the theme; the zoom stays. */
  restyle() {
    const look = lookOf(this.parent);
    if (JSON.stringify(look) !== JSON.stringify(this.look)) this.shape = null;
    this.look = look;
    this.draw();
  }

  /** Show what is known now. */
  draw() {
    if (!this.subscription) return;
    const { tracks } = this.subscription;
    const said = stateOf(tracks, this.spec.view.zone);
    const points = tracks.flatMap((track) => [...track.series.values()]).reduce((total, one) => total + one.t.length, 0);
    tell(this.root, said.state === "empty" ? { ...said, text: this.#empty(said.text) } : said, points);
    this.root.dataset.perfZoom = page.zoom ? page.zoom.map((t) => t.toFixed(0)).join(",") : "";
    this.chip.hidden = !page.zoom;
    if (!this.Plotly || said.state === "loading") return;
    if (this.hidden && this.drawing) this.waiting = true;
    else this.#render();
  }

  /** Let go of everything. */
  remove() {
    this.gone = true;
    this.subscription.close();
    this.compared?.close();
    this.watch.disconnect();
    this.sight.disconnect();
    this.silence();
    this.cursor.remove();
    this.Plotly?.purge(this.plot);
    this.root.remove();
  }

  #seen(visible) {
    this.hidden = !visible;
    if (visible && this.waiting) this.draw();
  }

  #empty(text) {
    return this.spec.note ? `${text} · ${this.spec.note}` : text;
  }

  /** The compared range is asked once, a little further than needed now, and again when the window has moved past it. */
  #compare() {
    const { view, lines } = this.spec;
    if (!view.compare || !this.subscription.tracks.every((track) => track.loaded && !track.problem)) return;
    const end = shownRange(view)[1] - view.compare.shift;
    if (this.compared && end <= this.compared.until) return;
    const ahead = view.end === null ? Math.min(AHEAD * view.window, view.compare.shift) : 0;
    const until = Math.floor((end + ahead) / view.step) * view.step;
    const span = { window: view.window + ahead, end: until, step: view.step };
    const queries = lines.filter((line) => line.compare ?? lines.length === 1).map((line) => line.query);
    const before = this.compared;
    const wish = { refresh: null, envelope: false, zoomable: false, onChange: () => this.draw() };
    this.compared = queries.length > 0 ? Object.assign(poller.subscribe({ ...wish, queries, span }), { until }) : null;
    before?.close();
  }

  #render() {
    this.waiting = false;
    this.#compare();
    const size = { width: this.root.clientWidth, height: this.spec.height };
    if (size.width === 0) return;
    const { lines, view } = this.spec;
    const { tracks, fine } = this.subscription;
    const zoomed = page.zoom;
    const range = zoomed ?? shownRange(view);
    if (this.ready && this.shape !== null && !this.#moved(range, size)) return;
    const sources = tracks.map((track) => [...track.series.values()]);
    const series = drawn(lines, zoomed ? sources.map((source, at) => refined(source, fine.get(tracks[at].query))) : sources);
    const loads = tracks.map((track) => track.loads).join();
    if (!this.chosen || this.loads !== loads) this.chosen = foremost(series, SERIES_MAX);
    else if (this.chosen.length < SERIES_MAX && this.chosen.length < series.length) this.chosen = foremost(series, SERIES_MAX);
    this.loads = loads;
    const state = { series, compared: this.#shifted(), range, chosen: this.chosen, size };
    const made = figure(this.spec, state, this.look);
    const dashed = state.compared.map((one) => ({ ...one, name: view.compare.label, color: this.look.palette.muted, dashed: true }));
    this.drawing = { spec: this.spec, range, plot: made.plot, entries: [...made.entries, ...dashed] };
    this.#put(made);
    this.cursor.refresh();
  }

  /** Whether anything is to be seen since the last drawing: a number, a pixel of time, another size. */
  #moved(range, { width }) {
    const pixel = (range[1] - range[0]) / width;
    const { tracks, fine } = this.subscription;
    const revisions = [...tracks, ...(this.compared?.tracks ?? [])].map((track) => track.revision);
    const signature = [...range.map((t) => Math.floor(t / pixel)), width, fine.size, ...revisions].join();
    const moved = signature !== this.signature;
    this.signature = signature;
    return moved;
  }

  #shifted() {
    if (!this.compared?.tracks.every((track) => track.loaded)) return [];
    const { shift } = this.spec.view.compare;
    const lines = this.compared.queries.map((query) => ({ query, name: "", style: "line", color: null }));
    const sources = this.compared.tracks.map((track) => [...track.series.values()]);
    const found = drawn(lines, sources).map((one) => ({ ...one, t: one.t.map((t) => t + shift) }));
    const asked = this.spec.lines.some((line) => line.compare);
    return asked || found.length === 1 ? found : []; // twice many lines is nothing to read
  }

  #put({ traces, layout, shape }) {
    if (!this.begun) {
      this.begun = true;
      this.shape = shape;
      turn = turn.then(() => this.#first(traces, layout));
    } else if (!this.ready) {
      this.shape = null; // the first drawing is under way; it draws again when it is done
    } else if (this.shape === shape) {
      const news = { x: traces.map(({ x }) => x), y: traces.map(({ y }) => y) };
      news["marker.color"] = traces.map(({ marker }) => marker?.color);
      this.Plotly.update(this.plot, news, layout);
    } else {
      this.shape = shape;
      this.Plotly.react(this.plot, traces, layout, CONFIG);
    }
  }

  async #first(traces, layout) {
    await new Promise((resolve) => setTimeout(resolve));
    if (this.gone) return;
    await this.Plotly.newPlot(this.plot, traces, layout, CONFIG);
    this.ready = true;
    this.root.dataset.perfDrawn = "";
    this.plot.on("plotly_relayout", (change) => {
      if ("xaxis.range[0]" in change) page.setZoom([change["xaxis.range[0]"], change["xaxis.range[1]"]]);
    });
    this.plot.on("plotly_doubleclick", () => page.setZoom(null));
    if (this.shape === null) this.draw();
  }

  #tools() {
    const button = (format) => {
      const made = el("button", { type: "button", title: `Save as ${format.toUpperCase()}` }, format.toUpperCase());
      made.onclick = () => this.#save(format);
      return made;
    };
    return el("div", { class: "perf-tools" }, this.chip, button("png"), button("svg"));
  }

  #save(format) {
    if (!this.ready) return;
    const { data, layout } = this.plot;
    const paper = { ...layout, paper_bgcolor: this.look.background };
    const options = { format, width: layout.width, height: layout.height, scale: format === "png" ? 2 : 1, filename: this.spec.key };
    this.Plotly.downloadImage({ data, layout: paper, config: CONFIG }, options);
  }
}
