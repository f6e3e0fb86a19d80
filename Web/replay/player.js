// Moving through one pod's time: the keys of players, the buttons, and what the address says.
import { h, fill, dialog } from "../app/dom.js";
import { icon } from "../app/icons.js";
import { arrival, clock, moment, parseMoment, since } from "../app/time.js";
import { neighbour } from "./story.js";

export const rates = [-16, -4, -1, 0.25, 0.5, 1, 2, 4, 8, 16, 64];

/**
 * What a key means to a player; null when nothing. Pure.
 * `{ do: "toggle" | "live" | "frame" | "by" | "to" | "next" | "rate" | "ask" | "find", … }`
 */
export function playerKey(event) {
  if (event.altKey || event.metaKey) return null;
  const { key, shiftKey } = event;
  if (event.ctrlKey && !(shiftKey && key.startsWith("Arrow"))) return null;
  switch (key) {
    case " ": case "k": return { do: "toggle" };
    case "ArrowLeft": return { do: "by", ms: shiftKey && !event.ctrlKey ? -60_000 : -5000 };
    case "ArrowRight": return { do: "by", ms: shiftKey && !event.ctrlKey ? 60_000 : 5000 };
    case ",": return { do: "frame", frames: -1 };
    case ".": return { do: "frame", frames: 1 };
    case "[": return { do: "next", step: -1 };
    case "]": return { do: "next", step: 1 };
    case "<": return { do: "rate", step: -1 };
    case ">": return { do: "rate", step: 1 };
    case "t": return { do: "ask" };
    case "/": return { do: "find" };
    case "l": case "L": case "End": return { do: "live" };
    case "Home": return { do: "to", part: 0 };
  }
  if (/^[0-9]$/.test(key)) return { do: "to", part: Number(key) / 10 };
  return null;
}

/** `host`: `seek(ms)`, `live()`, `play(rate)`, `pause()`, `step(frames)`, `find()`, `moved(ms | null)`, `skipsIdle: false` where nothing is skipped; and `story`, `timeline` once known. */
export class Player {
  constructor(host) {
    this.host = host;
    this.mode = "live";
    this.time = null;
    this.rate = 1;
    this.skipsIdle = host.skipsIdle ?? true;
    this.playButton = h("button", { type: "button", class: "round", onclick: () => this.perform({ do: "toggle" }) });
    this.rateSelect = h("select", { "aria-label": "Speed", onchange: () => { this.rate = Number(this.rateSelect.value); if (this.mode === "playing") this.play(); } },
      rates.map(rate => h("option", { value: String(rate), selected: rate === 1 }, `${String(rate).replace("-", "−")}×`)));
    this.clock = h("button", { type: "button", class: "clock tabular", onclick: () => this.perform({ do: "ask" }) });
    this.clock.title = "Go to a time (t)";
    this.skip = h("label", { class: "check", hidden: host.skipsIdle === false }, this.skipBox = h("input", { type: "checkbox", checked: true, onchange: () => { this.skipsIdle = this.skipBox.checked; host.foldsChanged?.(this.skipsIdle); if (this.mode === "playing") this.play(); } }), "Skip idle");
    this.liveButton = h("button", { type: "button", class: "live-button", onclick: () => this.perform({ do: "live" }) }, "Live");
    const small = (name, label, action) => { const button = h("button", { type: "button", class: "round", "aria-label": label, onclick: () => this.perform(action) }, icon(name)); button.title = label; return button; };
    this.element = h("div", { class: "transport", role: "toolbar", "aria-label": "Playback" },
      this.playButton, small("back", "One frame back (,)", { do: "frame", frames: -1 }), small("forward", "One frame on (.)", { do: "frame", frames: 1 }),
      this.rateSelect, this.skip, this.clock, this.liveButton);
    this.update();
  }

  get isPast() { return this.mode !== "live"; }

  /** The server's word on where the viewer is. */
  position(position) {
    const was = this.mode;
    this.mode = position.mode;
    // A seek shows the moment that was asked for, not that of the last change before it.
    if (position.mode === "live") this.time = null;
    else if (this.sought == null || position.mode === "playing") this.time = arrival(position.time);
    if (position.mode === "playing") this.sought = null;
    if (was !== this.mode || position.mode !== "playing") this.host.moved?.(this.mode === "live" ? null : this.time);
    this.update();
  }

  seek(ms) {
    const time = this.within(ms);
    this.sought = time;
    this.time = time;
    this.mode = "paused";
    this.host.seek(time);
    this.update();
  }

  /** The nearest moment that is recorded, as far as the story is known. */
  within(ms) {
    const story = this.host.story;
    return story ? Math.max(story.first, Math.min(ms, Math.max(story.last, story.live ? Date.now() : 0))) : ms;
  }

  play() {
    this.sought = null;
    this.mode = "playing";
    this.host.play(this.rate, this.skipsIdle ? 1.5 : null);
    this.update();
  }

  perform(action) {
    const now = this.time ?? this.host.story?.last ?? Date.now(), story = this.host.story;
    switch (action.do) {
      case "toggle":
        if (this.mode === "paused") this.play();
        else { this.sought = null; this.host.pause(); }
        break;
      case "by": this.seek(now + action.ms); break;
      case "frame": this.sought = null; this.host.step(action.frames); break;
      case "next": if (story) this.seek(neighbour(story, now, action.step)); break;
      case "to": if (story) this.seek(story.first + (story.last - story.first) * action.part); break;
      case "rate": {
        const index = rates.indexOf(this.rate), next = rates[Math.max(0, Math.min(rates.length - 1, index + action.step))];
        this.rate = next;
        this.rateSelect.value = String(next);
        if (this.mode === "playing") this.play();
        break;
      }
      case "live": this.sought = null; this.host.live(); break;
      case "ask": this.ask(); break;
      case "find": this.host.find?.(); break;
    }
  }

  key(event) {
    const action = playerKey(event);
    if (!action) return false;
    event.preventDefault();
    event.stopPropagation();
    this.perform(action);
    return true;
  }

  ask() {
    const input = h("input", { type: "text", "aria-label": "Time", placeholder: "14:03:07, -5m, +90s", autocomplete: "off" });
    const message = h("p", { class: "message", role: "alert" });
    const shown = dialog("ask-time", "Go to a time", h("form", {
      onsubmit: event => {
        event.preventDefault();
        const time = parseMoment(input.value, { start: this.host.story?.first });
        if (time == null) { message.textContent = "Write a time as 14:03:07, -5m (ago), +90s (from the start) or 2026-11-21T14:03:07Z."; return; }
        shown.close();
        this.seek(time);
      },
    }, h("h2", {}, "Go to a time"), input, message, h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Go"), h("button", { type: "button", onclick: () => shown.close() }, "Cancel"))));
    input.focus();
  }

  update() {
    const playing = this.mode !== "paused";
    const label = this.mode === "live" ? "Hold here (space)" : playing ? "Pause (space)" : "Play (space)";
    if (this.label !== label) {
      this.label = label;
      fill(this.playButton, icon(playing ? "pause" : "play"));
      this.playButton.setAttribute("aria-label", label);
      this.playButton.title = label;
    }
    const story = this.host.story;
    // A link may name a moment before or behind the recording.
    const nearest = this.sought == null ? null : this.within(this.sought);
    if (nearest !== this.sought) this.sought = this.time = nearest;
    this.liveButton.hidden = story != null && !story.live;
    this.liveButton.setAttribute("aria-pressed", String(this.mode === "live"));
    if (this.mode === "live") this.clock.textContent = story && !story.live ? "the end" : clock(Date.now());
    else if (this.time != null) this.clock.textContent = `${moment(this.time)} ${story ? since(this.time - story.first) : ""}`;
    this.clock.setAttribute("aria-label", `Go to a time; now ${this.clock.textContent}`);
    this.host.timeline?.move(this.mode === "live" ? story?.last ?? null : this.time, this.mode === "live" && story?.live !== false);
  }
}
