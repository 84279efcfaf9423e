/** One poller for the whole page: every chart and tile subscribes its queries, and one request per tick serves them all. */

import { ask, now, Problem } from "./client.js";
import { byQuery, seriesOf, Track } from "./track.js";

const GATHER = 25; // ms in which the components of a page mount, so that one request loads them all
const LATE = 12; // seconds that the samples of a step may still be on their way after it ended
const WORST_WAIT = 60; // seconds
const PATIENCE = 2; // failed ticks before panels say so
const ZOOM_POINTS = 400;
const QUERIES = 20; // in one request; the address stays below 2 KB

class Poller {
  #first;

  constructor() {
    /** @type {Map<string, Track>} */
    this.tracks = new Map();
    this.subscriptions = new Set();
    this.failures = 0;
    this.lastSuccess = null;
    this.problem = null;
    this.busy = false;
    this.again = false;
    this.timer = null;
    this.zoom = null;
    /** Done when the first answer was told: loading Plotly blocks the page for a second, and must not hold the question up. */
    this.answered = new Promise((resolve) => (this.#first = resolve));
    document.addEventListener("visibilitychange", () => this.#wake());
    window.addEventListener("online", () => this.#wake());
  }

  /**
   * Follow some queries.
   * @param {{queries: string[], span: {window: number, end: number|null, step: number}, refresh: number|null,
   *   envelope: boolean, zoomable: boolean, onChange: () => void}} wish
   * @returns {{tracks: Track[], close: () => void}} tracks in the order of the queries
   */
  subscribe(wish) {
    const tracks = wish.queries.map((query) => this.#track(query, wish.span));
    const subscription = { ...wish, tracks, fine: new Map() };
    for (const track of tracks) {
      track.users.add(subscription);
      if (wish.envelope && track.loaded && !track.envelope) track.reload = true;
    }
    this.subscriptions.add(subscription);
    this.#soon(GATHER);
    if (this.zoom && wish.zoomable) this.setZoom(this.zoom);
    return Object.assign(subscription, { close: () => this.#leave(subscription) });
  }

  /** Whether the last ticks failed, so that what is shown may be old. */
  get failing() {
    return this.failures >= PATIENCE;
  }

  /**
   * Load a finer range for every zoomable subscription; null forgets it.
   * @param {[number, number]|null} range Unix seconds
   */
  async setZoom(range) {
    this.zoom = range;
    const wanted = [...this.subscriptions].filter((one) => one.zoomable);
    for (const one of wanted) one.fine = new Map();
    if (!range) return;
    for (const envelope of [false, true]) {
      const users = wanted.filter((one) => one.envelope === envelope);
      const queries = [...new Set(users.flatMap((one) => one.queries))];
      for (const part of parts(queries)) await this.#fine(users, part, range, envelope);
    }
  }

  async #fine(users, queries, range, envelope) {
    const [from, to] = range;
    const options = { from: from.toFixed(3), to: to.toFixed(3), max_points: ZOOM_POINTS };
    try {
      const answer = await ask(queries, envelope ? { ...options, envelope: 1 } : options);
      if (this.zoom !== range) return;
      const found = byQuery(answer, queries.length).map((entries) => entries.map((entry) => seriesOf(entry, answer.step)));
      for (const user of users) {
        for (const query of user.queries.filter((one) => queries.includes(one))) user.fine.set(query, found[queries.indexOf(query)]);
        user.onChange();
      }
    } catch (error) {
      if (!(error instanceof Problem)) throw error; // the coarse points stay on screen
    }
  }

  #track(query, span) {
    const key = JSON.stringify([query, span.window, span.end, span.step]);
    if (!this.tracks.has(key)) this.tracks.set(key, Object.assign(new Track(query, span), { key }));
    return this.tracks.get(key);
  }

  #leave(subscription) {
    this.subscriptions.delete(subscription);
    for (const track of subscription.tracks) {
      track.users.delete(subscription);
      if (track.users.size === 0) this.tracks.delete(track.key);
    }
    if (this.subscriptions.size === 0) clearTimeout(this.timer);
  }

  #wake() {
    if (document.hidden) clearTimeout(this.timer);
    else this.#soon(0);
  }

  #soon(wait) {
    clearTimeout(this.timer);
    if (this.subscriptions.size > 0 && !document.hidden) this.timer = setTimeout(() => this.#tick(), wait);
  }

  async #tick() {
    if (this.busy) {
      this.again = true;
      return;
    }
    this.busy = true;
    this.again = false;
    this.told = new Set();
    try {
      await this.#fetch();
      this.failures = 0;
      this.problem = null;
      this.lastSuccess = now();
    } catch (error) {
      this.failures += 1;
      this.problem = error instanceof Problem ? error : new Problem("Unreadable answer", String(error), 0);
      if (!(error instanceof Problem)) console.error(error);
      // The session is over: the page's address leads to the sign-in, and from there back to it.
      if (this.problem.status === 401 && this.lastSuccess !== null) location.reload();
    } finally {
      this.busy = false;
      this.#tell(this.subscriptions);
      requestAnimationFrame(() => setTimeout(this.#first));
      if (this.again) this.#soon(0);
      else this.#next();
    }
  }

  /** Each subscription hears once a tick, as soon as its own answer is there. */
  #tell(subscriptions) {
    for (const one of subscriptions) {
      if (this.told.has(one) || !this.subscriptions.has(one)) continue;
      if (one.tracks.every((track) => track.loaded || track.problem)) this.told.add(one);
      one.onChange();
    }
  }

  #next() {
    const paces = [...this.subscriptions].map((one) => one.refresh).filter(Boolean);
    if (this.failures > 0) this.#soon(1000 * Math.min(WORST_WAIT, Math.min(5, ...paces) * 2 ** (this.failures - 1)));
    else if (paces.length > 0) this.#soon(1000 * Math.min(...paces));
  }

  async #fetch() {
    const time = now();
    const asked = [...this.tracks.values()].filter((track) => !track.problem || track.retryAt <= time);
    const old = (track) => track.live && time - track.seen > track.span.window / 2;
    const ranges = asked.filter((track) => !track.loaded || track.reload || (follows(track) && old(track)));
    const news = asked.filter((track) => !ranges.includes(track) && follows(track));
    const envelope = (track) => [...track.users].some((one) => one.envelope);
    ranges.sort((one, other) => Number(other.live) - Number(one.live)); // what is compared can wait
    for (const group of grouped(ranges, (track) => [track.span, envelope(track)])) {
      await this.#range(group, time, envelope(group[0]));
      this.#tell(group.flatMap((track) => [...track.users]));
    }
    for (const group of grouped(news, (track) => track.span.step)) {
      await this.#news(group, group.some(envelope));
    }
  }

  async #range(group, time, envelope) {
    const { window: width, end, step } = group[0].span;
    const to = end ?? time;
    const options = { from: Math.floor((to - width) / step) * step, to: to.toFixed(3), step };
    const answer = await this.#ask(group, envelope ? { ...options, envelope: 1 } : options, (one) =>
      this.#range(one, time, envelope),
    );
    if (!answer) return;
    if (end === null && Math.abs(now() - time) > Math.max(step, 30)) {
      await this.#range(group, now(), envelope); // the reader's clock was off; the answer's Date told
      return;
    }
    byQuery(answer, group.length).forEach((entries, at) => group[at].load(entries, { to, envelope }));
  }

  async #news(group, envelope) {
    const { step } = group[0].span;
    const seen = Math.min(...group.map((track) => track.seen));
    const options = { since: Math.floor((seen - LATE) / step) * step, step };
    const answer = await this.#ask(group, envelope ? { ...options, envelope: 1 } : options, (one) => this.#news(one, envelope));
    if (!answer) return;
    const to = answer.to ?? now();
    byQuery(answer, group.length).forEach((entries, at) => group[at].extend(entries, to));
  }

  /** The answer for a group; when one of its queries is wrong, halves are asked until it is found and the others live. */
  async #ask(group, options, again) {
    try {
      return await ask(group.map((track) => track.query), options);
    } catch (error) {
      if (!error.lasting) throw error;
      if (group.length > 1) {
        const half = group.length >> 1;
        await again(group.slice(0, half));
        await again(group.slice(half));
        return null;
      }
      group[0].problem = error;
      group[0].retryAt = now() + WORST_WAIT;
      return null;
    }
  }
}

function follows(track) {
  return track.live && [...track.users].some((one) => one.refresh);
}

function grouped(tracks, key) {
  const groups = new Map();
  for (const track of tracks) {
    const name = JSON.stringify(key(track));
    groups.set(name, [...(groups.get(name) ?? []), track]);
  }
  return [...groups.values()].flatMap((group) => parts(group));
}

function parts(group) {
  return Array.from({ length: Math.ceil(group.length / QUERIES) }, (_, at) => group.slice(at * QUERIES, (at + 1) * QUERIES));
}

/** The page's poller; it outlives the components that use it. */
export const poller = (window.perfPoller ??= new Poller());
