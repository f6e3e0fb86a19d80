// One terminal socket that stays: it reconnects by itself, goes back to where the viewer was, keeps at most one seek under
// way, and says when what it shows is old.
import { applied, emptyScreen } from "./state.js";
import { ScreenCache } from "../replay/cache.js";

const decoder = new TextDecoder();

/**
 * Events (all optional): `screen(screen)`, `position(position)`, `state(state)` with "connecting", "open", "behind", "offline",
 * "gone"; `answered(place)` when the screen of a seek is there; `timeline`, `status`, `writer`, `exit`, `error`.
 */
export class TerminalConnection {
  constructor(pod, events = {}, { rate = null, cache = true } = {}) {
    this.pod = pod;
    this.events = events;
    this.rate = rate;
    this.screen = emptyScreen();
    this.position = null;
    this.state = "connecting";
    this.attempts = 0;
    /** Where to be after a reconnect: null is live. */
    this.place = null;
    this.wish = null;
    this.underWay = null;
    /** Seeks in a row that the server could not answer. */
    this.refusals = 0;
    /** Whether secrets of the past are shown: for admins, and noted in the audit log. */
    this.reveals = false;
    this.cache = cache ? new ScreenCache() : null;
    this.lag = Infinity;
    // A page kept for the back button keeps no socket; it comes back with a new one.
    this.leave = () => this.socket?.close();
    addEventListener("pagehide", this.leave);
  }

  open(place = null) {
    this.place = place;
    this.connect();
    return this;
  }

  connect() {
    clearTimeout(this.retry);
    const asked = new URLSearchParams([...(this.rate ? [["rate", this.rate]] : []), ...(this.reveals ? [["reveal", 1]] : [])]);
    const query = asked.size ? `?${asked}` : "";
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/pods/${encodeURIComponent(this.pod)}/terminal${query}`);
    this.socket?.close();
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.attempts = 0;
      this.underWay = null;
      this.lag = Infinity;
      // What a new socket begins with is the present; who is in the past sees nothing of it.
      this.isReturning = this.place != null;
      if (this.isReturning) this.seek(this.place);
    };
    socket.onmessage = event => {
      if (this.socket !== socket) return;
      this.receive(JSON.parse(typeof event.data === "string" ? event.data : decoder.decode(event.data)));
    };
    socket.onclose = event => {
      if (this.socket !== socket || this.isClosed) return;
      this.underWay = null;
      if (event.code === 4404) return this.become("gone", event.reason);
      if (event.code === 4403) return this.become("denied", event.reason);
      if (this.attempts > 0 || this.state !== "connecting") this.become("offline");
      const pause = Math.min(8000, 250 * 2 ** Math.min(this.attempts++, 5)) * (0.75 + Math.random() / 2);
      this.retry = setTimeout(() => this.connect(), pause);
    };
  }

  /** Shows or hides secrets from here on: a new socket, at the same place. What was kept of the other kind is forgotten. */
  reveal(reveals, place) {
    this.reveals = reveals;
    if (this.cache) this.cache = new ScreenCache();
    this.wish = null;
    this.open(place);
  }

  close() {
    this.isClosed = true;
    removeEventListener("pagehide", this.leave);
    clearTimeout(this.retry);
    clearTimeout(this.patience);
    this.socket?.close();
  }

  become(state, reason) {
    if (this.state === state) return;
    this.state = state;
    this.events.state?.(state, reason);
  }

  get isOpen() { return this.socket?.readyState === WebSocket.OPEN; }

  send(message) {
    if (!this.isOpen) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  // --- From the server

  receive(message) {
    switch (message.type) {
      case "keyframe":
      case "delta": {
        const next = applied(this.screen, message);
        if (!next) return this.send({ type: "keyframe" });
        this.screen = next;
        this.notice(message);
        if (message.writer) this.events.writer?.({ author: message.writer, you: null });
        if (!this.isReturning) this.events.screen?.(next);
        break;
      }
      case "position": this.moved(message); break;
      case "error":
        // What could not be had just now is asked for again, unless somebody wants something else meanwhile.
        if (this.underWay != null && this.wish == null && ["unavailable", "timed_out"].includes(message.error.code) && this.refusals++ < 8) {
          const place = this.underWay;
          clearTimeout(this.patience);
          this.patience = setTimeout(() => { if (this.underWay === place) { this.underWay = null; this.wish ??= place; this.flush(); } }, 500);
          this.events.error?.(message.error);
          break;
        }
        this.underWay = null;
        if (this.isReturning) {
          this.isReturning = false;
          this.events.screen?.(this.screen);
          // The moment cannot be had, and nothing was ever shown: better the newest than nothing.
          if (this.position == null && this.wish == null) this.live();
        }
        this.events.error?.(message.error);
        this.flush();
        break;
      default: this.events[message.type]?.(message);
    }
  }

  moved(position) {
    if (position.mode === "live" && this.underWay != null) return;
    if (this.isReturning) { this.isReturning = false; this.events.screen?.(this.screen); }
    this.position = position;
    if (position.mode === "live") this.place = null;
    else if (position.mode === "playing") this.place = position.time;
    if (position.mode === "paused" && this.screen.seq === position.seq) this.cache?.put(this.screen, position);
    if (this.underWay != null) {
      clearTimeout(this.patience);
      const place = this.underWay;
      this.underWay = null;
      this.refusals = 0;
      this.events.answered?.(place);
    }
    this.become("open");
    this.events.position?.(position);
    this.flush();
  }

  /** Behind is: what comes live is much older when it comes than what came before. Clocks need not agree. */
  notice(message) {
    if (this.position?.mode !== "live") return this.state !== "open" && this.underWay == null && this.become("open");
    const lag = Date.now() - Date.parse(message.time);
    this.lag = Math.min(this.lag, lag);
    this.become(lag > this.lag + 2000 && message.type === "delta" ? "behind" : "open");
  }

  // --- Moving

  live() {
    this.wish = null;
    this.place = null;
    this.underWay = null;
    this.isReturning = false;
    return this.send({ type: "live" });
  }

  /** Goes to a time (milliseconds or RFC 3339). Only the newest wish counts while one is under way. */
  seek(time) {
    const ms = typeof time === "number" ? time : Date.parse(time);
    this.place = typeof time === "number" ? new Date(ms).toISOString() : time;
    const known = this.cache?.at(ms);
    if (known) {
      // The server is told as well, so that playing goes on from here; its answer changes nothing.
      this.events.screen?.(known.screen);
      this.events.position?.({ ...known.position, time: this.place, isCached: true });
      this.events.answered?.(this.place);
    }
    this.wish = this.place;
    this.flush();
    return known != null;
  }

  flush() {
    if (this.wish == null || this.underWay != null || !this.isOpen) return;
    this.underWay = this.wish;
    this.wish = null;
    this.send({ type: "seek", time: this.underWay });
    clearTimeout(this.patience);
    this.patience = setTimeout(() => {
      if (this.underWay == null) return;
      this.become("behind");
      this.patience = setTimeout(() => {
        this.wish ??= this.underWay;
        this.underWay = null;
        this.flush();
      }, 3000);
    }, 700);
  }

  play(rate, idleLimit) { this.wish = null; return this.send({ type: "play", rate, ...(idleLimit ? { idle_limit: idleLimit } : {}) }); }
  pause() { return this.send({ type: "pause" }); }
  step(frames) { this.wish = null; return this.send({ type: "step", frames }); }

  // --- Writing

  input(text, options = {}) { return this.send({ type: "input", text, ...options }); }
  take() { return this.send({ type: "take" }); }
  resize(columns, rows) { return this.send({ type: "resize", columns, rows }); }
}
