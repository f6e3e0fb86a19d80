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

export async function ask(path, { method = "GET", body, query, signal, raw = false } = {}) {
  const given = Object.entries(query ?? {}).filter(([, value]) => value != null && value !== "");
  const address = path + (given.length ? "?" + new URLSearchParams(given) : "");
  let response;
  try {
    response = await fetch(address, {
      method, signal, headers: body === undefined ? {} : { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID?.() ?? String(Math.random()) },
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
 */
export function followEvents(handlers) {
  let source = null, last = null, boot = null, retry = null, closed = false, attempts = 0;
  const open = () => {
    if (closed) return;
    source = new EventSource("/v1/events" + (last != null ? `?after=${last}` : ""));
    source.addEventListener("hello", event => {
      const hello = JSON.parse(event.data);
      attempts = 0;
      handlers.state?.("open");
      // Events were lost, or their numbers began anew: what is known has to be asked for again.
      if ((boot != null && boot !== hello.boot) || hello.gap > 0) handlers.gap?.();
      boot = hello.boot;
      last ??= String(hello.newest);
      handlers.hello?.(hello);
    });
    source.onerror = () => {
      source.close();
      handlers.state?.("offline");
      clearTimeout(retry);
      retry = setTimeout(open, Math.min(8000, 250 * 2 ** Math.min(attempts++, 5)) * (0.75 + Math.random() / 2));
    };
    // Names of events are not known beforehand; a source only hears those it was told of.
    for (const name of names) source.addEventListener(name, hear);
  };
  const hear = event => {
    if (event.lastEventId) last = event.lastEventId;
    let parsed;
    try { parsed = JSON.parse(event.data); } catch { return; }
    handlers.event?.(parsed);
  };
  open();
  return { close() { closed = true; clearTimeout(retry); source?.close(); } };
}

const names = [
  ...["created", "started", "changed", "exited", "crashed", "lost", "ended", "resumed", "stopped", "imported", "removed", "renamed"].map(what => "pod." + what),
  ...["online", "offline", "changed"].map(what => "runner." + what),
  ...["complete", "hold", "held", "released"].map(what => "recording." + what),
  ...["changed", "status"].map(what => "status." + what),
  ...["requested", "pending", "accepted", "granted", "active", "approved", "rejected", "revoked", "expired", "inactive", "changed", "ended", "created", "updated", "superseded"].map(what => "binding." + what),
  ...["created", "started", "ended", "resolved", "satisfied", "matched", "cancelled", "canceled", "timed_out", "expired", "refused", "changed", "done", "interrupted", "resumed", "gone", "updated"].map(what => "wait." + what),
  ...["created", "joined", "left", "posted", "message", "delivered", "read", "acknowledged", "dead", "changed", "closed", "updated"].map(what => "channel." + what),
  ...["opened", "created", "raised", "changed", "resolved", "closed", "answered", "cleared", "updated", "ended"].map(what => "attention." + what),
];
