/** Colours and fonts: Streamlit's theme where it has a say, the states' and series' own otherwise. */

import { PALETTES, STATUS } from "./served.js";

/**
 * @typedef {object} Look
 * @property {boolean} dark
 * @property {string} text
 * @property {string} faint text of lesser weight
 * @property {string} grid
 * @property {string} border
 * @property {string} background
 * @property {string} font
 * @property {{series: string[], percentiles: Record<string, string>, muted: string, calm: string}} palette
 */

/**
 * The look at the place of an element.
 * @param {Element} element
 * @returns {Look}
 */
export function lookOf(element) {
  const style = getComputedStyle(element);
  const read = (name, otherwise) => {
    const value = style.getPropertyValue(`--st-${name}`).trim();
    return value && value !== "unset" ? value : otherwise;
  };
  const background = rgb(read("background-color", "#ffffff"));
  const text = rgb(read("text-color", "#31333f"));
  const dark = 0.299 * background[0] + 0.587 * background[1] + 0.114 * background[2] < 128;
  return {
    dark,
    text: css(text),
    faint: css(text, 0.62),
    grid: css(text, dark ? 0.12 : 0.08),
    border: read("border-color-light", css(text, 0.15)),
    background: css(background),
    font: read("font", "sans-serif"),
    palette: PALETTES[dark ? "dark" : "light"],
  };
}

/**
 * The colour a spec names: a state, a percentile, `muted`, a number of the series' order, or any CSS colour.
 * @param {string} name
 * @param {Look} look
 * @returns {string}
 */
export function colorOf(name, look) {
  if (name in STATUS) return STATUS[name].color;
  if (name in look.palette.percentiles) return look.palette.percentiles[name];
  if (name === "muted") return look.palette.muted;
  return /^\d$/.test(name) ? look.palette.series[Number(name) % look.palette.series.length] : name;
}

/**
 * A colour made translucent.
 * @param {string} color
 * @param {number} alpha 0 to 1
 * @returns {string}
 */
export function translucent(color, alpha) {
  return css(rgb(color), alpha);
}

/**
 * How wide a text is drawn, in pixels.
 * @param {string} text
 * @param {string} font as in CSS
 * @returns {number}
 */
export function widthOf(text, font) {
  pen.font = font;
  return pen.measureText(text).width;
}

const pen = document.createElement("canvas").getContext("2d");

function rgb(color) {
  pen.fillStyle = "#000";
  pen.fillStyle = color;
  const found = pen.fillStyle;
  if (found.startsWith("#")) return [1, 3, 5].map((at) => parseInt(found.slice(at, at + 2), 16));
  return found.match(/[\d.]+/g).slice(0, 3).map(Number);
}

function css([red, green, blue], alpha = 1) {
  return `rgba(${red},${green},${blue},${alpha})`;
}
