/** What every panel has: a root that tells its state, a message, and the rules from data to state. */

import { now } from "./client.js";
import { poller } from "./poller.js";
import { clockText, zoneOf } from "./zone.js";

const LATE_STEPS = 3;
const LATE_SECONDS = 60;

/**
 * An element with classes, attributes and children.
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node|string)} children
 * @returns {HTMLElement}
 */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/**
 * The same for SVG.
 * @param {string} tag
 * @param {Record<string, string|number>} [attributes]
 * @param {...Node} children
 * @returns {SVGElement}
 */
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/**
 * What to say about some tracks, worst first.
 * @param {import("./track.js").Track[]} tracks
 * @param {string} zone
 * @returns {{state: "ready"|"loading"|"empty"|"error"|"stale", text: string, detail: string, late?: boolean}} late: the
 *   server answers, but has no new numbers
 */
export function stateOf(tracks, zone) {
  const wrong = tracks.find((track) => track.problem);
  if (wrong) return { state: "error", text: wrong.problem.title, detail: wrong.problem.detail };
  const loaded = tracks.every((track) => track.loaded);
  if (!loaded && poller.problem) return { state: "error", text: poller.problem.title, detail: poller.problem.detail };
  if (!loaded) return { state: "loading", text: "", detail: "" };
  const since = (t) => `no data since ${clockText(t, zoneOf(zone), true)}`;
  const live = tracks.some((track) => track.live);
  const newest = Math.max(...tracks.map((track) => track.newest ?? 0));
  if (live && poller.failing) return { state: "stale", text: `${since(poller.lastSuccess ?? newest)}, retrying`, detail: "" };
  if (newest === 0) return { state: "empty", text: "no data in this range yet", detail: "" };
  const patience = Math.max(LATE_STEPS * tracks[0].span.step, LATE_SECONDS);
  const late = live && tracks.every((track) => track.seen - (track.newest ?? 0) > patience);
  return late ? { state: "stale", text: since(newest), detail: "", late } : { state: "ready", text: "", detail: "" };
}

/**
 * Put a state on a panel's root and into its message.
 * @param {HTMLElement} root
 * @param {{state: string, text: string, detail: string}} said
 * @param {number} points how many points are shown
 */
export function tell(root, said, points) {
  root.dataset.perfState = said.state;
  root.dataset.perfPoints = String(points);
  const message = root.querySelector(":scope > .perf-message");
  message.replaceChildren(...[said.text, said.detail].filter(Boolean).map((text) => el("span", {}, text)));
  message.hidden = !said.text;
}

/**
 * The message element of a panel.
 * @returns {HTMLElement}
 */
export function messageBox() {
  return el("div", { class: "perf-message", role: "status", hidden: "" });
}

/**
 * The span of time that a view shows now, Unix seconds.
 * @param {{window: number, end: number|null}} view
 * @returns {[number, number]}
 */
export function shownRange(view) {
  const to = view.end ?? now();
  return [to - view.window, to];
}
