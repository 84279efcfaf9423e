/** What all panels of a page share: the crosshair's time and the zoomed range. */

import { poller } from "./poller.js";

class Page {
  constructor() {
    this.listeners = new Set();
    /** @type {[number, number]|null} Unix seconds */
    this.zoom = null;
  }

  /**
   * Hear of changes.
   * @param {{hover?: (t: number|null) => void, zoom?: (range: [number, number]|null) => void}} listener
   * @returns {() => void} stops listening
   */
  listen(listener) {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) this.zoom = null;
    };
  }

  /**
   * Show the crosshair at a time on every chart; null hides it.
   * @param {number|null} t Unix seconds
   */
  hover(t) {
    for (const listener of this.listeners) listener.hover?.(t);
  }

  /**
   * Zoom every chart; null shows the whole window again.
   * @param {[number, number]|null} range Unix seconds
   */
  setZoom(range) {
    this.zoom = range;
    for (const listener of this.listeners) listener.zoom?.(range);
    poller.setZoom(range);
  }
}

/** The page's shared state. */
export const page = (window.perfPage ??= new Page());
