// The server, asked over HTTP, and its events.

/** What the server refused, in its own words. `code` is the contract's; `missing` says the route itself is not there. */
export class Refused extends Error {
  constructor(status, code, message, body) {
    super(message);
    this.status = status;
    this.code = code;
    this.body = body;
    this.missing = status === 404 && code === "not_found" && /^there is nothing at /.test(message);
  }
}

let onSignedOut = () => {};
export const whenSignedOut = action => { onSignedOut = action; };

/** `patience`: after so many milliseconds without an answer the server is taken to be away. */
export async function ask(path, { method = "GET", body, query, signal, raw = false, patience = null } = {}) {
  const given = Object.entries(query ?? {}).filter(([, value]) => value != null && value !== "");
  const address = path + (given.length ? "?" + new URLSearchParams(given) : "");
  let response;
  try {
    response = await fetch(address, {
      method, signal: patience ? AbortSignal.any([AbortSignal.timeout(patience), ...(signal ? [signal] : [])]) : signal, headers: body === undefined ? {} : { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID?.() ?? String(Math.random()) },
      body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "offline", "The server does not answer. Trying again by itself.");
  }
  if (response.ok && raw) return response;
  const text = await response.text();
  let answer = null;
  try { answer = text ? JSON.parse(text) : null; } catch { /* Said below. */ }
  if (response.ok) return answer;
  if (response.status === 401) onSignedOut();
  throw new Refused(response.status, answer?.error?.code ?? "internal", answer?.error?.message ?? `The server answered with ${response.status}.`, answer);
}

/**
 * Server-sent events, for ever: reconnects, goes on behind the last one, says when some were lost.
 * `handlers`: `hello(hello)`, `event({ area, id, what, data })`, `gap()`, `state("open" | "offline")`.
 *
 * Read by hand and not by `EventSource`, which hears only names that it was told beforehand.
 */
export function followEvents(handlers) {
  let last = null, boot = null, retry = null, attempts = 0, abort = null, closed = false, paused = false;
  const open = async () => {
    abort = new AbortController();
    try {
      const response = await fetch("/v1/events" + (last != null ? `?after=${last}` : ""), { signal: abort.signal, cache: "no-store" });
      if (response.status === 401) { closed = true; return onSignedOut(); }
      if (!response.ok) throw new Error(`events: ${response.status}`);
      const parser = new EventParser(hear), decoder = new TextDecoder(), reader = response.body.getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        parser.take(decoder.decode(value, { stream: true }));
      }
    } catch { /* Tried again below. */ }
    if (closed || paused) return;
    handlers.state?.("offline");
    retry = setTimeout(open, Math.min(8000, 250 * 2 ** Math.min(attempts++, 5)) * (0.75 + Math.random() / 2));
  };
  const hear = ({ name, id, data }) => {
    let parsed;
    try { parsed = JSON.parse(data); } catch { return; }
    if (name === "hello") {
      attempts = 0;
      handlers.state?.("open");
      // Events were lost, or their numbers began anew: what is known has to be asked for again.
      if ((boot != null && boot !== parsed.boot) || parsed.gap > 0) handlers.gap?.();
      if (boot !== parsed.boot) last = String(parsed.newest);
      boot = parsed.boot;
      return handlers.hello?.(parsed);
    }
    if (id) last = id;
    handlers.event?.(parsed);
  };
  open();
  return {
    close() { closed = true; clearTimeout(retry); abort?.abort(); },
    /** Lets go of the connection: browsers have six for a server, and share them among their tabs. */
    pause() { paused = true; clearTimeout(retry); abort?.abort(); },
    /** Goes on behind the last event. */
    resume() { if (paused && !closed) { paused = false; open(); } },
  };
}

/** Takes an event stream apart (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export class EventParser {
  constructor(hear) {
    this.hear = hear;
    this.rest = "";
    this.event = { name: "message", id: null, data: [] };
  }

  take(text) {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop();
    for (const line of lines) this.line(line.endsWith("\r") ? line.slice(0, -1) : line);
  }

  line(line) {
    if (line === "") {
      if (this.event.data.length) this.hear({ ...this.event, data: this.event.data.join("\n") });
      this.event = { name: "message", id: null, data: [] };
      return;
    }
    const colon = line.indexOf(":"), field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.event.name = value;
    else if (field === "id") this.event.id = value;
    else if (field === "data") this.event.data.push(value);
  }
}
