// The timeline, one for every screen: density of change, status band, ticks, folded idleness, playhead, a card on hover.
import { h, fill, perFrame } from "../app/dom.js";
import { clock, moment, since, span } from "../app/time.js";
import { standings } from "../app/status.js";
import { Painter, cellMetrics } from "../terminal/paint.js";
import { densityColumns, gathered, timeScale } from "./scale.js";

const standard = 56, rowHeight = 9;

/**
 * `options`: `seek(ms, isLast)` while dragging and at its end; `preview(ms)` → a promise of a screen or null, for the card.
 * Data: `{ first, last, idle, density, densityFrom, densityTo, entries: [{ ms, what, author, text }], bands: [{ from, to, kind }] }`, milliseconds.
 */
export class Timeline {
  constructor(options = {}) {
    this.options = options;
    this.data = null;
    this.time = null;
    this.isLive = false;
    this.folds = true;
    this.height = standard;
    this.canvas = h("canvas", { class: "timeline-canvas", "aria-hidden": "true" });
    this.playhead = h("div", { class: "playhead", hidden: true }, this.flag = h("span", { class: "playhead-flag tabular" }));
    this.track = h("div", { class: "timeline-track", role: "slider", tabindex: "0", "aria-label": "Time", "aria-valuemin": "0", "aria-valuemax": "1000", "aria-valuenow": "0" }, this.canvas, this.playhead);
    this.card = h("div", { class: "hover-card", hidden: true, "aria-hidden": "true" });
    this.from = h("span", { class: "tabular" });
    this.to = h("span", { class: "tabular" });
    this.element = h("div", { class: "timeline" }, this.track, h("div", { class: "timeline-ends quiet" }, this.from, this.to), this.card);
    this.element.timeline = this;
    this.redraw = perFrame(() => this.draw());
    this.observer = new ResizeObserver(() => { this.scale = null; this.redraw(); });
    this.observer.observe(this.track);
    this.onTheme = () => { this.colours = null; this.redraw(); };
    addEventListener("themechange", this.onTheme);
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", this.onTheme);
    this.listen();
  }

  close() {
    this.observer.disconnect();
    removeEventListener("themechange", this.onTheme);
  }

  load(data) {
    this.data = data;
    this.shownLast = data?.last ?? null;
    this.scale = null;
    // One band fits; of several pods each gets its own.
    this.height = standard + Math.max(0, (data?.rows?.length ?? 1) - 1) * rowHeight;
    this.track.style.height = this.canvas.style.height = this.height + "px";
    this.redraw();
  }

  /** A recording that still grows. */
  extend(last) {
    if (!this.data) return;
    // Idle since the last change, it is idle still.
    const { idle } = this.data, still = idle?.at(-1);
    if (still && this.shownLast != null && still.to >= this.shownLast - 50) still.to = last;
    this.shownLast = last;
    this.data.last = last;
    this.scale = null;
  }

  move(time, isLive = false) {
    this.time = time;
    this.isLive = isLive;
    this.redraw();
  }

  /** Where a moment stands, made anew when something changed. */
  currentScale() {
    const width = this.track.clientWidth;
    if (!this.data || !width) return null;
    return this.scale ??= timeScale(this.data.first, this.data.last, width, { idle: this.folds ? this.data.idle : [] });
  }

  // --- Painting

  palette() {
    if (this.colours) return this.colours;
    const style = getComputedStyle(document.documentElement), get = name => style.getPropertyValue(name).trim();
    const status = Object.fromEntries(Object.keys(standings).map(kind => [kind, get(`--status-${kind}`)]));
    return this.colours = { line: get("--line"), quiet: get("--quiet"), text: get("--text"), raised: get("--raised"), fold: get("--fold"), density: get("--density"), status };
  }

  draw() {
    const scale = this.currentScale();
    if (!scale) return;
    const { height } = this;
    const ratio = devicePixelRatio || 1, width = Math.round(scale.width * ratio), tall = Math.round(height * ratio);
    const key = `${width} ${ratio}`;
    const isNew = this.drawn !== scale || this.drawnKey !== key || !this.drawnColours || this.drawnColours !== this.colours;
    if (isNew) {
      if (this.canvas.width !== width || this.canvas.height !== tall) { this.canvas.width = width; this.canvas.height = tall; }
      const context = this.canvas.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, scale.width, height);
      this.drawTrack(context, scale, this.palette());
      this.drawn = scale;
      this.drawnKey = key;
      this.drawnColours = this.colours;
      this.from.textContent = moment(this.data.first);
      this.to.textContent = this.data.live ? "now" : `${moment(this.data.last)}, ${span(this.data.last - this.data.first)}`;
    }
    this.drawPlayhead(scale);
  }

  drawTrack(context, scale, colours) {
    const { data, height } = this;
    // Density of change.
    if (data.density?.length) {
      const step = 2, columns = densityColumns(data.density, data.densityFrom ?? data.first, data.densityTo ?? data.last, scale, step);
      context.fillStyle = colours.density;
      columns.forEach((value, index) => {
        if (value <= 0) return;
        const size = Math.max(1, Math.round(value * value * 22));
        context.fillRect(index * step, 27 - size, step, size);
      });
    }
    // Folded idleness, with its length.
    for (const piece of scale.pieces) {
      if (!piece.folded) continue;
      context.fillStyle = colours.fold;
      context.fillRect(piece.x0, 0, piece.x1 - piece.x0, height);
      context.strokeStyle = colours.line;
      context.lineWidth = 1;
      context.beginPath();
      for (const x of [piece.x0, piece.x1]) {
        context.moveTo(Math.round(x) + 0.5, 4);
        context.lineTo(Math.round(x) + 0.5, height - 4);
      }
      context.stroke();
      context.fillStyle = colours.quiet;
      context.font = "11px system-ui, sans-serif";
      context.textAlign = "center";
      context.fillText(span(piece.to - piece.from).replace(/ (\S+)$/, "\u2009$1"), (piece.x0 + piece.x1) / 2, 20, piece.x1 - piece.x0 - 4);
    }
    // Status, or at least life.
    (data.rows ?? [{ bands: data.bands ?? [] }]).forEach(({ bands }, row) => {
      for (const band of bands) {
        const x0 = scale.x(band.from), x1 = Math.max(x0 + 1, scale.x(data.live && band.isOpen ? data.last : band.to));
        context.fillStyle = colours.status[band.kind] ?? colours.quiet;
        context.globalAlpha = band.kind === "waiting" ? 1 : ["executing", "agent", "crashed", "lost"].includes(band.kind) ? 0.75 : 0.3;
        context.fillRect(x0, 30 + row * rowHeight, x1 - x0, 6);
      }
    });
    context.globalAlpha = 1;
    this.drawTicks(context, scale, colours);
  }

  drawTicks(context, scale, colours) {
    context.textAlign = "center";
    const low = this.height - standard;
    context.translate(0, low);
    for (const { x, entries } of gathered(this.data.entries ?? [], scale)) {
      const kinds = new Set(entries.map(entry => entry.what));
      context.fillStyle = colours.text;
      if (kinds.has("marker")) {
        context.beginPath();
        context.moveTo(x - 4, 39); context.lineTo(x + 4, 39); context.lineTo(x + 4, 52); context.lineTo(x, 48); context.lineTo(x - 4, 52);
        context.fill();
      } else if (kinds.has("input")) {
        context.globalAlpha = 0.9;
        context.fillRect(x - 0.5, 38, 1, 4);
        context.font = "600 11px system-ui, sans-serif";
        context.fillText(initialOf(entries.find(entry => entry.what === "input").author), x, 52);
        context.globalAlpha = 1;
      } else {
        const kind = [...kinds][0];
        context.fillStyle = ["gap", "held"].includes(kind) ? colours.status.waiting : ["binding", "wait", "message"].includes(kind) ? colours.status.agent : colours.quiet;
        context.fillRect(x - 1, 42, 2, 8);
      }
    }
    context.translate(0, -low);
  }

  drawPlayhead(scale) {
    const { time } = this;
    this.playhead.hidden = time == null;
    if (time == null) return;
    const x = scale.x(time);
    this.playhead.style.transform = `translateX(${x}px)`;
    this.flag.textContent = this.isLive ? "live" : `${clock(time, true)}  ${since(time - this.data.first)}`;
    const half = this.flag.offsetWidth / 2;
    this.flag.style.transform = `translateX(${Math.max(-x, Math.min(-half, scale.width - x - half * 2))}px)`;
    this.playhead.classList.toggle("live", this.isLive);
    this.track.setAttribute("aria-valuenow", String(Math.round(x / scale.width * 1000)));
    this.track.setAttribute("aria-valuetext", this.isLive ? "live" : `${moment(time)}, ${since(time - this.data.first)} since the start`);
  }

  // --- Pointer

  listen() {
    const { track } = this;
    let dragging = false;
    const timeAt = event => {
      const scale = this.currentScale(), box = track.getBoundingClientRect();
      return scale ? scale.time(event.clientX - box.left) : null;
    };
    const seek = (event, isLast) => {
      const time = timeAt(event);
      if (time == null) return;
      this.move(time);
      this.options.seek?.(time, isLast);
    };
    track.addEventListener("pointerdown", event => {
      if (event.button !== 0) return;
      track.setPointerCapture(event.pointerId);
      dragging = true;
      this.hideCard();
      seek(event, false);
    });
    track.addEventListener("pointermove", event => {
      if (dragging) {
        // Every place the pointer was at, not only the last of a frame: the newest is what counts.
        seek(event, false);
      } else if (event.pointerType === "mouse") this.showCard(event, timeAt(event));
    });
    for (const end of ["pointerup", "pointercancel"]) {
      track.addEventListener(end, event => {
        if (!dragging) return;
        dragging = false;
        seek(event, true);
      });
    }
    track.addEventListener("pointerleave", () => this.hideCard());
  }

  hideCard() {
    this.card.hidden = true;
    this.wanted = null;
  }

  showCard(event, time) {
    if (time == null) return;
    const scale = this.currentScale(), x = scale.x(time), { data } = this;
    const near = (data.entries ?? []).filter(entry => Math.abs(scale.x(entry.ms) - x) < 7).slice(0, 4);
    this.picture ??= h("canvas", { class: "hover-picture" });
    const fold = scale.pieces.find(piece => piece.folded && x >= piece.x0 && x < piece.x1);
    fill(this.card, this.options.preview ? this.picture : null,
      h("p", { class: "tabular" }, `${moment(time)}  ${since(time - data.first)}`), fold && h("p", { class: "quiet" }, `Nothing changed for ${span(fold.to - fold.from)}.`),
      near.map(entry => h("p", { class: "quiet" }, describe(entry))));
    this.card.hidden = false;
    const half = this.card.offsetWidth / 2, left = this.track.offsetLeft + x;
    this.card.style.left = Math.max(0, Math.min(this.element.clientWidth - half * 2, left - half)) + "px";
    this.wanted = time;
    if (this.options.preview && !this.fetching) this.fetchPicture();
  }

  async fetchPicture() {
    this.fetching = true;
    while (this.wanted != null) {
      const time = this.wanted;
      this.wanted = null;
      const screen = await this.options.preview(time).catch(() => null);
      if (screen && !this.card.hidden) paintPicture(this.picture, screen, 288);
    }
    this.fetching = false;
  }
}

/** A small picture of a screen, at most so many CSS pixels wide and high: whole pixels a cell, so that it stays sharp. */
export function paintPicture(canvas, screen, width, height = Infinity) {
  const ratio = devicePixelRatio || 1, probe = cellMetrics(20, 1);
  const fits = metrics => metrics.width * screen.columns <= width * ratio + 1 && metrics.height * screen.rows <= height * ratio + 1;
  let size = Math.min(width / (screen.columns * probe.advance), height / (screen.rows * probe.height)) * 20 * 1.12;
  size = Math.max(2, Math.floor(size * ratio * 4) / 4 / ratio);
  while (size > 2 && !fits(cellMetrics(size, ratio))) size -= 0.25 / ratio;
  canvas.painter ??= new Painter(canvas, undefined, { isPicture: true });
  canvas.painter.fit(screen, cellMetrics(size, ratio));
  // Its height follows: where there is less room, letters become smaller and not narrower.
  canvas.style.width = canvas.width / ratio + "px";
  canvas.painter.paint(screen, { cursor: "looking" });
}

const initialOf = author => (author ?? "").split(":").at(-1).slice(0, 1).toUpperCase() || "·";

/** An entry in words. */
export function describe(entry) {
  const who = (entry.author ?? "").split(":").at(-1);
  const text = entry.text ? shown(entry.text) : "";
  switch (entry.what) {
    case "input": return `${who || "somebody"} typed ${text ? `“${text}”` : ""}`;
    case "marker": return `${who ? who + ": " : ""}${text}`;
    case "resize": return `resized to ${text}`;
    case "binding": case "wait": case "message": return entry.text;
    case "gap": return `a gap in the record: ${text}`;
    default: return [entry.what, text].filter(Boolean).join(" ");
  }
}

/** Typed text with its control characters as signs. */
export function shown(text) {
  return text.replace(/\x1b\[20[01]~/g, "").replace(/\r$/, " ⏎").replace(/\r/g, "⏎").replace(/\x1b/g, "⎋").replace(/\x7f/g, "⌫").replace(/[\x00-\x1f]/g, character => "^" + String.fromCharCode(character.charCodeAt(0) + 64)).slice(0, 60);
}
