/** Where Streamlit's component enters: makes, updates and removes one panel per element. */

import { ChartPanel } from "./chart.js";
import { StripPanel } from "./strip.js";
import { TilesPanel } from "./tiles.js";

const KINDS = { chart: ChartPanel, tiles: TilesPanel, strip: StripPanel };
const mounted = new WeakMap();

/**
 * Show *data* in *parentElement*. Called again by Streamlit when the data or the theme changed.
 * @param {{data: object, parentElement: HTMLElement}} component
 * @returns {() => void} removes the panel, unless a later call has taken over
 */
export function mount({ data, parentElement }) {
  const text = JSON.stringify(data);
  let entry = mounted.get(parentElement);
  if (entry && entry.kind !== data.kind) {
    entry.panel.remove();
    entry = null;
  }
  if (!entry) {
    entry = { kind: data.kind, text, turn: 0, panel: new KINDS[data.kind](parentElement, data) };
    mounted.set(parentElement, entry);
  } else if (entry.text !== text) {
    entry.text = text;
    entry.panel.update(data);
  } else {
    entry.panel.restyle();
  }
  entry.turn += 1;
  const turn = entry.turn;
  return () => {
    if (entry.turn !== turn) return;
    entry.panel.remove();
    mounted.delete(parentElement);
  };
}
