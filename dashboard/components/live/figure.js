/** From series to a Plotly figure: pure, all sizes in pixels, all times in Unix seconds. */

import { colorOf, translucent, widthOf } from "./look.js";
import { marks } from "./marks.js";
import { apart, escaped, shortened } from "./labels.js";
import { path, polygon, runs, stacked } from "./series.js";
import { axis } from "./units.js";
import { timeTicks, zoneName, zoneOf } from "./zone.js";

const FONT_SIZE = 12;
const LABEL_GAP = 14;
const LABEL_LETTERS = 18;
const PIXELS_PER_TICK = 56;
const BARE = 12; // right margin without names
const NARROW = 110; // pixels for the lines below which names are left out

/**
 * @param {object} spec the chart's
 * @param {{series: import("./series.js").Drawn[], compared: import("./series.js").Drawn[], range: [number, number],
 *   chosen: string[], size: {width: number, height: number}}} state
 * @param {import("./look.js").Look} look
 * @returns {{traces: object[], layout: object, shape: string, plot: object, entries: object[]}} *shape* changes when traces
 *   come or go; *plot* is the inner rectangle; *entries* say what the tooltip lists
 */
export function figure(spec, state, look) {
  const { series, compared, range, size } = state;
  const entries = coloured(series, state.chosen, look);
  const layers = stackedOrNot(entries);
  const high = highest(spec, [...layers, ...compared], range);
  const titled = spec.annotations.length + spec.bands.length > 0;
  const top = titled ? 24 + (spec.thresholds.length > 0 ? LABEL_GAP : 0) : 10; // a threshold's words may stand above the chart, too
  const inner = { top, height: size.height - top - 24 };
  const most = Math.max(2, Math.min(5, Math.floor(inner.height / 34) + 1));
  const scale = axis(high.low, high.high, spec.unit, most);
  const ticks = series.length > 0 ? scale : { ...scale, values: [], texts: [""] };
  const ends = sides(inner, size, ticks, endLabels(spec, layers, compared, range, look), look);
  const traces = tracesOf(spec, layers, compared, look);
  const layout = {
    ...frame(size, inner, look),
    ...axes(spec, range, ticks, inner, look),
    ...marks(spec, range, ticks.range, inner, look),
  };
  layout.annotations.push(...placed(ends, ticks.range, inner), zoneMark(spec, range, inner, look));
  return { traces, layout, shape: traces.map((trace) => trace.name).join("\n"), plot: inner, entries };
}

/** Make room left and right; on a very narrow chart the names at the lines' ends give way. Returns the names that stay. */
function sides(inner, size, ticks, ends, look) {
  const font = `${FONT_SIZE}px ${look.font}`;
  const widest = (texts) => Math.ceil(Math.max(0, ...texts.map((text) => widthOf(text, font))));
  inner.left = widest(ticks.texts) + 12;
  inner.right = ends.length > 0 ? widest(ends.map((end) => end.text)) + 14 : BARE;
  const narrow = size.width - inner.left - inner.right < NARROW;
  if (narrow) inner.right = BARE;
  inner.width = Math.max(40, size.width - inner.left - inner.right);
  return narrow ? [] : ends;
}

function coloured(series, chosen, look) {
  return series.map((one) => {
    const rank = chosen.indexOf(one.id);
    const named = one.line.color ?? (one.name in look.palette.percentiles ? one.name : String(Math.max(0, rank)));
    const alone = series.filter((other) => other.line === one.line).length === 1;
    const color = rank < 0 ? look.palette.muted : colorOf(alone || !one.line.color ? named : String(rank), look);
    return { ...one, other: rank < 0, color };
  });
}

function stackedOrNot(entries) {
  const pile = stacked(entries.filter((one) => one.line.style === "stack"));
  const byId = new Map(pile.map((one) => [one.id, one]));
  return entries.map((one) => byId.get(one.id) ?? one);
}

function highest(spec, layers, [from, to]) {
  let low = 0;
  let high = 0;
  for (const one of layers) {
    const upper = spec.envelope && !one.floor ? one.high : one.v;
    const lower = spec.envelope && !one.floor ? one.low : one.v;
    one.t.forEach((t, at) => {
      if (t < from - one.spacing || t > to || one.v[at] === null) return;
      high = Math.max(high, upper[at] ?? one.v[at]);
      low = Math.min(low, lower[at] ?? one.v[at]);
    });
  }
  for (const { value } of spec.thresholds) if (value <= 2 * high) high = Math.max(high, value);
  return { low, high: Math.max(high, spec.y_max ?? 0) };
}

function tracesOf(spec, layers, compared, look) {
  const fills = layers.filter((one) => !one.other).flatMap((one) => fillsOf(spec, one, look));
  const dashed = compared.map((one) => ({
    ...lineTrace(`compared ${one.id}`, path(runs(one, one.v)), look.palette.muted, 1.2),
    line: { color: look.palette.muted, width: 1.2, dash: "4px,4px" },
  }));
  const ordered = [...layers.filter((one) => one.other), ...layers.filter((one) => !one.other)];
  const lines = ordered.map((one) =>
    one.other
      ? lineTrace(one.id, path(runs(one, one.v)), translucent(one.color, 0.45), 0.8)
      : lineTrace(one.id, path(runs(one, one.v)), one.color, one.name === "p99" ? 1.2 : 1.6),
  );
  return [...fills, ...dashed, ...lines, dots(layers)];
}

function fillsOf(spec, one, look) {
  const made = [];
  const fill = (name, points, alpha) => ({
    ...lineTrace(`${name} ${one.id}`, points, one.color, 0),
    fill: "toself",
    fillcolor: translucent(one.color, alpha),
  });
  if (one.floor) made.push(fill("stack", polygon(runs(one, one.v), (t) => one.floor.get(t)), look.dark ? 0.55 : 0.45));
  else if (one.line.style === "area") made.push(fill("area", polygon(runs(one, one.v), () => 0), look.dark ? 0.2 : 0.13));
  if (spec.envelope && !one.floor) {
    const floor = new Map(one.t.map((t, at) => [t, one.low[at] ?? one.v[at]]));
    const edge = one.v.map((value, at) => (value === null ? null : (one.high[at] ?? value)));
    made.push(fill("band", polygon(runs(one, edge), (t) => floor.get(t)), look.dark ? 0.28 : 0.2));
  }
  return made;
}

function lineTrace(name, { x, y }, color, width) {
  return { type: "scatter", mode: "lines", name, x, y, line: { color, width }, hoverinfo: "skip" };
}

/** A number between two gaps has no line: it gets a dot. */
function dots(layers) {
  const found = { x: [], y: [], colors: [] };
  for (const one of layers) {
    for (const run of runs(one, one.v)) {
      if (run.length > 1) continue;
      found.x.push(run[0][0]);
      found.y.push(run[0][1]);
      found.colors.push(one.color);
    }
  }
  const marker = { color: found.colors, size: 4, line: { width: 0 } };
  return { type: "scatter", mode: "markers", name: "dots", x: found.x, y: found.y, marker, hoverinfo: "skip" };
}

function frame(size, inner, look) {
  const { top, left, right } = inner;
  return {
    ...size,
    autosize: false,
    margin: { t: top, b: 24, l: left, r: right, pad: 0 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    showlegend: false,
    hovermode: false,
    dragmode: "zoom",
    font: { family: look.font, size: FONT_SIZE, color: look.faint },
  };
}

function axes(spec, range, ticks, inner, look) {
  const zone = zoneOf(spec.view.zone);
  const most = Math.max(inner.width < NARROW ? 2 : 3, Math.floor(inner.width / PIXELS_PER_TICK));
  const times = timeTicks(...range, zone, most);
  const pixel = (t) => ((t - range[0]) / (range[1] - range[0])) * inner.width;
  const room = inner.left > 48 ? 12 : 24;
  const kept = times.values.map((t) => pixel(t) > room && pixel(t) < inner.width + inner.right - 18);
  const common = { zeroline: false, ticks: "", tickmode: "array", automargin: false, showline: false };
  return {
    xaxis: {
      ...common,
      type: "linear",
      range: [...range],
      tickvals: times.values.filter((_, at) => kept[at]),
      ticktext: times.texts.filter((_, at) => kept[at]),
      ticklabelstandoff: 4,
      showgrid: false,
    },
    yaxis: {
      ...common,
      range: [...ticks.range],
      tickvals: ticks.values,
      ticktext: ticks.texts,
      ticklabelstandoff: 6,
      gridcolor: look.grid,
      fixedrange: true,
    },
  };
}

function endLabels(spec, layers, compared, [from, to], look) {
  const seen = (one) => one.t.findLastIndex((t, at) => t >= from && t <= to && one.v[at] !== null);
  const label = (one, text, color) => ({ at: seen(one), one, text: shortened(text, LABEL_LETTERS), color });
  const named = layers.filter((one) => !one.other);
  const made = named.length > 1 ? named.map((one) => label(one, one.name, one.color)) : [];
  const others = layers.filter((one) => one.other);
  if (others.length > 0) made.push(label(others[0], `${others.length} other`, look.palette.muted));
  const shown = spec.view.compare && compared.length === 1 && (named.length > 1 || inSpec(spec));
  if (shown) made.push(label(compared[0], spec.view.compare.label, look.palette.muted));
  return made.filter(({ at }) => at >= 0).map(({ at, one, text, color }) => ({ text, color, value: middle(one, at) }));
}

function inSpec(spec) {
  return spec.height >= 200;
}

function middle(one, at) {
  const floor = one.floor?.get(one.t[at]);
  return floor === undefined ? one.v[at] : (one.v[at] + floor) / 2;
}

function placed(ends, [low, high], { height }) {
  const wanted = ends.map((end) => ({ y: height * (1 - (end.value - low) / (high - low)) }));
  const places = apart(wanted, LABEL_GAP, height);
  return ends.map((end, at) => ({
    text: escaped(end.text),
    x: 1,
    xref: "paper",
    xanchor: "left",
    xshift: 6,
    y: 1 - places[at] / height,
    yref: "paper",
    yanchor: "middle",
    showarrow: false,
    font: { color: end.color, size: FONT_SIZE },
  }));
}

function zoneMark(spec, range, { left }, look) {
  const text = zoneName(range[1], zoneOf(spec.view.zone));
  return {
    text,
    x: 0,
    xref: "paper",
    xanchor: "left",
    xshift: -left,
    y: 0,
    yref: "paper",
    yanchor: "top",
    yshift: -7,
    showarrow: false,
    font: { color: look.palette.muted, size: 10 },
  };
}
