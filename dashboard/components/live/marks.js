/** What stands on a chart besides its series: thresholds, moments and bands, with their words. */

import { translucent, widthOf } from "./look.js";
import { escaped, oneRow, shortened } from "./labels.js";
import { STATUS } from "./served.js";
import { show } from "./units.js";

const SIZE = 11;
const LETTERS = 28;
const CROWD = 18; // pixels between two thresholds that leave room for words
const ROOMY = 110; // pixels a threshold's words need
const TITLES = 22; // pixels that the words above the chart take

/**
 * @param {object} spec the chart's: `thresholds`, `annotations`, `bands`
 * @param {[number, number]} range Unix seconds
 * @param {[number, number]} scale what the y axis holds
 * @param {{top: number, left: number, right: number, width: number, height: number}} inner
 * @param {import("./look.js").Look} look
 * @returns {{shapes: object[], annotations: object[]}} for Plotly's layout
 */
export function marks(spec, range, scale, inner, look) {
  const bands = spec.bands.filter((band) => band.to > range[0] && band.from < range[1]);
  const moments = spec.annotations.filter(({ t }) => t >= range[0] && t <= range[1]);
  const limits = spec.thresholds.filter(({ value }) => value >= scale[0] && value <= scale[1]);
  const close = (CROWD / inner.height) * (scale[1] - scale[0]);
  const crowded = ({ value }) => limits.some((other) => other.value > value && other.value - value < close);
  const words = inner.width < ROOMY ? [] : limits.map((limit) => limitText(limit, spec.unit, crowded(limit), look));
  return {
    shapes: [
      ...bands.map((band) => bandShape(band, range, look)),
      ...moments.map(({ t }) => line({ x0: t, x1: t, y0: 0, y1: 1, yref: "paper" }, look.palette.muted, "3px,3px")),
      ...limits.map((limit) => limitShape(limit)),
    ],
    annotations: [...titles(bands, moments, range, inner, look), ...words],
  };
}

function bandShape(band, range, look) {
  return {
    type: "rect",
    layer: "below",
    x0: Math.max(band.from, range[0]),
    x1: Math.min(band.to, range[1]),
    y0: 0,
    y1: 1,
    yref: "paper",
    line: { width: 0 },
    fillcolor: translucent(STATUS[band.status].color, look.dark ? 0.2 : 0.13),
  };
}

function line(place, color, dash) {
  return { type: "line", layer: "above", ...place, line: { color, width: 1, dash } };
}

function limitShape({ value, status }) {
  return line({ x0: 0, x1: 1, xref: "paper", y0: value, y1: value }, STATUS[status].color, "6px,4px");
}

/** The words of a threshold: above its line, below it when another line is close above; what lies behind them is dimmed. */
function limitText({ value, label, status }, unit, below, look) {
  return {
    text: escaped(`${STATUS[status].shape} ${label || STATUS[status].word} ${show(value, unit)}`),
    x: 0,
    xref: "paper",
    xanchor: "left",
    xshift: 2,
    y: value,
    yanchor: below ? "top" : "bottom",
    showarrow: false,
    bgcolor: translucent(look.background, 0.75),
    borderpad: 0,
    font: { color: STATUS[status].color, size: SIZE },
  };
}

/** Words above the chart: bands before moments; what would cover another is left to the tooltip. */
function titles(bands, moments, range, inner, look) {
  const pixel = (t) => inner.left + ((t - range[0]) / (range[1] - range[0])) * inner.width;
  const centre = (band) => (Math.max(band.from, range[0]) + Math.min(band.to, range[1])) / 2;
  const words = [
    ...bands.map((band) => {
      const { shape, color } = STATUS[band.status];
      return { text: `${shape} ${shortened(band.label, LETTERS)}`, color, x: pixel(centre(band)) };
    }),
    ...moments.map(({ t, text }) => ({ text: `▼ ${shortened(text, LETTERS)}`, color: look.faint, x: pixel(t) })),
  ].filter(({ text }) => text.length > 2);
  const sized = words.map((word) => ({ ...word, width: widthOf(word.text, `${SIZE}px ${look.font}`) }));
  const places = oneRow(sized, inner.left + inner.width + inner.right);
  return sized.flatMap((word, at) =>
    places[at] === null
      ? []
      : [
          {
            text: escaped(word.text),
            x: (places[at] - inner.left) / inner.width,
            xref: "paper",
            xanchor: "center",
            y: 1,
            yref: "paper",
            yanchor: "bottom",
            yshift: inner.top - TITLES,
            showarrow: false,
            font: { color: word.color, size: SIZE },
          },
        ],
  );
}
