/** Loads Plotly once, from our own server. */

import { PLOTLY } from "./served.js";

let loading = null;

/**
 * Plotly itself.
 * @returns {Promise<object>}
 */
export function loadPlotly() {
  if (window.Plotly) return Promise.resolve(window.Plotly);
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL(PLOTLY, import.meta.url).href;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      loading = null;
      script.remove();
      reject(new Error("the drawing library could not be loaded"));
    };
    document.head.append(script);
  });
  return loading;
}
