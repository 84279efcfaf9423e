/** Where texts go so that none covers another: names at the lines' ends, marks above the chart. */

/**
 * Vertical places of labels, moved apart as little as a simple sweep does. Of those in one place the later stands higher, as
 * p99 does above p95.
 * @param {{y: number}[]} labels wanted centres, in pixels from the top
 * @param {number} gap smallest distance
 * @param {number} bottom lowest allowed centre
 * @returns {number[]} centres in the labels' order; may be above 0 when there are too many
 */
export function apart(labels, gap, bottom) {
  const order = labels.map((_, at) => at).sort((one, other) => Math.round(labels[one].y) - Math.round(labels[other].y) || other - one);
  const placed = new Array(labels.length);
  let free = -Infinity;
  for (const at of order) {
    placed[at] = Math.max(labels[at].y, free);
    free = placed[at] + gap;
  }
  let limit = bottom;
  for (const at of order.reverse()) {
    placed[at] = Math.min(placed[at], limit);
    limit = placed[at] - gap;
  }
  return placed;
}

/**
 * Which of some texts on one row can be shown without touching, the earlier in the list the more important.
 * @param {{x: number, width: number}[]} texts centres and widths, in pixels
 * @param {number} width of the row
 * @returns {(number|null)[]} centres moved inside the row, null for those that must go
 */
export function oneRow(texts, width) {
  const taken = [];
  return texts.map((text) => {
    const half = text.width / 2 + 4;
    const centre = Math.min(Math.max(text.x, half), width - half);
    if (taken.some(([from, to]) => centre - half < to && centre + half > from)) return null;
    taken.push([centre - half, centre + half]);
    return centre;
  });
}

/**
 * A text cut to a number of characters.
 * @param {string} text
 * @param {number} most
 * @returns {string}
 */
export function shortened(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/**
 * A text without the tags that Plotly would read; names come from outside.
 * @param {string} text
 * @returns {string}
 */
export function escaped(text) {
  return text.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign]);
}
