/** Asks the API. Every address is relative to the page, so it works under a sub-path. */

const TIMEOUT = 20_000;
let skew = 0;

/** What the server said went wrong, or that it can't be reached (status 0). */
export class Problem extends Error {
  /**
   * @param {string} title
   * @param {string} detail
   * @param {number} status
   */
  constructor(title, detail, status) {
    super(`${title}: ${detail}`);
    this.title = title;
    this.detail = detail;
    this.status = status;
  }

  /** Whether asking the same again can't help: the question itself is wrong. */
  get lasting() {
    return [400, 404, 422].includes(this.status);
  }
}

/**
 * The server's time in Unix seconds, as far as its answers tell: a reader's clock may be minutes off.
 * @returns {number}
 */
export function now() {
  return Date.now() / 1000 + skew;
}

/**
 * Ask several queries at once.
 * @param {string[]} queries
 * @param {Record<string, string|number>} options `from` and `to`, or `since`; `step` or `max_points`; `envelope`
 * @returns {Promise<{from: number, to: number, step: number, series: object[]}>}
 * @throws {Problem}
 */
export async function ask(queries, options) {
  const words = queries.map((query) => `query=${encoded(query)}`);
  for (const [name, value] of Object.entries(options)) words.push(`${name}=${value}`);
  const url = new URL(`api/v1/query?${words.join("&")}`, document.baseURI);
  const answer = await response(url);
  follow(answer.headers.get("date"));
  if (!answer.ok) throw await problem(answer);
  try {
    return await answer.json();
  } catch (error) {
    throw new Problem("Unreadable answer", String(error.message ?? error), 0);
  }
}

// Only what would end the value: every byte here is sent at every tick.
function encoded(text) {
  return text.replace(/[%&+#\s]/g, encodeURIComponent);
}

async function response(url) {
  try {
    return await fetch(url, {
      credentials: "same-origin",
      referrerPolicy: "no-referrer",
      signal: AbortSignal.timeout(TIMEOUT),
    });
  } catch (error) {
    const slow = error.name === "TimeoutError";
    throw new Problem("The server can't be reached", slow ? `no answer in ${TIMEOUT / 1000} s` : "retrying", 0);
  }
}

async function problem(answer) {
  try {
    const body = await answer.json();
    return new Problem(body.title ?? `HTTP ${answer.status}`, body.detail ?? "", answer.status);
  } catch {
    return new Problem(`HTTP ${answer.status}`, answer.statusText, answer.status);
  }
}

// The Date header has whole seconds: only a difference beyond that and the travel time counts.
function follow(date) {
  const server = Date.parse(date ?? "") / 1000;
  if (Number.isFinite(server) && Math.abs(server - now()) > 3) skew = server - Date.now() / 1000;
}
