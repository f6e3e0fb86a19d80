// A terminal in the page: canvas, keyboard, mouse, selection, links, and its text for screen readers.
import { EasedFrames } from "../app/motion.js";
import { Painter, cellMetrics } from "./paint.js";
import { emptyScreen, lineText, screenText } from "./state.js";
import { terminalTheme } from "./colours.js";
import { keyText, mouseText } from "./keys.js";
import { lineAt, linkAt, matches, selectedColumns, selectedText, wordAt } from "./selection.js";
import { h } from "../app/dom.js";
import { showLink } from "./link.js";
import { listenTouch } from "./touch.js";

const largest = 40, smallest = 4;

/**
 * `options`: `type(text, { paste })` sends what is typed; `canType()` says whether typing is possible now;
 * `typingChanged(isTyping)`; `key(event)` gets keys while the terminal does not hold the keyboard.
 */
export class TerminalView {
  constructor(options = {}) {
    this.options = options;
    this.screen = emptyScreen();
    this.selection = null;
    this.query = "";
    this.found = [];
    this.current = -1;
    this.zoom = 1;
    this.isTyping = false;
    this.hoverLink = null;
    this.canvas = h("canvas", { class: "terminal-canvas", "aria-hidden": "true" });
    this.keyboard = h("textarea", {
      class: "terminal-keyboard", tabindex: "-1", autocapitalize: "off", autocomplete: "off", autocorrect: "off", spellcheck: "false",
      "aria-label": "Type into the terminal. Control Shift Up leaves it.", rows: "1",
    });
    this.reader = h("div", { class: "sr-only", role: "log", "aria-live": "polite", "aria-label": "Text on the screen", tabindex: "-1" });
    this.page = h("div", { class: "terminal-page" }, this.canvas, this.keyboard);
    this.element = h("div", { class: "terminal", tabindex: "0", role: "group", "aria-label": "Terminal" }, this.page, this.reader);
    // For tests and for people at the console.
    this.element.terminal = this;
    this.painter = new Painter(this.canvas);
    this.frames = new EasedFrames(() => this.paint());
    this.listen();
    this.touch = listenTouch(this);
    this.observer = new ResizeObserver(() => this.layout());
    this.observer.observe(this.element);
    this.ratioChanged = () => { this.layout(); this.watchRatio(); };
    this.watchRatio();
  }

  close() {
    this.observer.disconnect();
    document.removeEventListener("copy", this.copied);
    this.ratioQuery?.removeEventListener("change", this.ratioChanged);
    this.frames.close();
    clearTimeout(this.reading);
    this.touch.cancel();
    this.isClosed = true;
  }

  watchRatio() {
    this.ratioQuery?.removeEventListener("change", this.ratioChanged);
    this.ratioQuery = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    this.ratioQuery.addEventListener("change", this.ratioChanged);
  }

  /** What the painted model says, as `switchback screen` prints it. */
  text() { return screenText(this.screen); }

  // --- Showing

  show(screen) {
    if (screen.columns !== this.screen.columns || screen.rows !== this.screen.rows) this.needsLayout = true;
    this.screen = screen;
    this.schedule();
    this.reading ??= setTimeout(() => this.read(), 500);
  }

  schedule() { this.frames.ask(); }

  /** The font follows the room: a terminal fits as a whole, and the zoom goes from there. */
  layout() {
    this.needsLayout = false;
    const { columns, rows } = this.screen;
    if (!rows || !this.element.clientWidth) return;
    const ratio = devicePixelRatio || 1;
    const room = { width: this.element.clientWidth - 24, height: this.element.clientHeight - 24 };
    const probe = cellMetrics(20, 1);
    const perWidth = room.width / (columns * probe.advance) * 20, perHeight = room.height / (rows * probe.height) * 20;
    // A phone fits the width and scrolls; a desk fits both, down to a size one can still read.
    const fit = room.width < 600 ? perWidth : Math.min(perWidth, Math.max(perHeight, 9));
    this.fontSize = Math.max(smallest, Math.min(largest, Math.min(fit, 18) * this.zoom));
    let size = Math.floor(this.fontSize * ratio * 2) / 2 / ratio;
    let metrics = cellMetrics(size, ratio);
    // Whole pixels per cell may be too wide by a little.
    while (this.zoom <= 1 && size > smallest && metrics.width * columns / ratio > room.width) metrics = cellMetrics(size -= 0.5 / ratio, ratio);
    this.metrics = metrics;
    if (this.painter.fit(this.screen, metrics)) {
      this.canvas.style.width = this.canvas.width / ratio + "px";
      this.canvas.style.height = this.canvas.height / ratio + "px";
    }
    this.paint();
  }

  zoomBy(factor) {
    this.zoom = factor === 0 ? 1 : Math.max(0.4, Math.min(4, this.zoom * factor));
    this.layout();
  }

  paint() {
    if (this.needsLayout || !this.metrics) return this.layout();
    const screen = this.screen;
    if (this.query) this.found = matches(screen, this.query);
    const marksOf = row => {
      const marks = [];
      this.found.forEach((match, index) => {
        if (match.row === row) marks.push([match.from, match.to, index === this.current ? terminalTheme.matchNow : terminalTheme.match]);
      });
      const selected = selectedColumns(this.selection, row, screen.columns);
      if (selected) marks.push([...selected, terminalTheme.selection]);
      return marks;
    };
    this.painter.paint(screen, { marksOf, cursor: this.isTyping ? "typing" : "looking", hoverLink: this.hoverLink });
    this.placeKeyboard();
    this.touch.update();
    this.options.painted?.(screen);
  }

  /** Where an input method shows what is being written. */
  placeKeyboard() {
    const ratio = devicePixelRatio || 1, { row, column } = this.screen.cursor;
    this.keyboard.style.left = column * this.metrics.width / ratio + "px";
    this.keyboard.style.top = row * this.metrics.height / ratio + "px";
    this.keyboard.style.height = this.metrics.height / ratio + "px";
    this.keyboard.style.fontSize = this.metrics.size / ratio + "px";
  }

  /** Only lines that changed are touched, so only they are read out. */
  read() {
    this.reading = null;
    const lines = this.screen.lines.map(lineText);
    while (this.reader.childElementCount > lines.length) this.reader.lastElementChild.remove();
    while (this.reader.childElementCount < lines.length) this.reader.append(h("div"));
    lines.forEach((line, index) => {
      const element = this.reader.children[index];
      if (element.textContent !== line) element.textContent = line;
    });
  }

  // --- Searching on the screen

  find(query) {
    this.query = query;
    this.found = query ? matches(this.screen, query) : [];
    this.current = this.found.length ? 0 : -1;
    this.schedule();
    return this.found.length;
  }

  findNext(step = 1) {
    if (!this.found.length) return 0;
    this.current = (this.current + step + this.found.length) % this.found.length;
    this.schedule();
    return this.current + 1;
  }

  // --- Keyboard

  type() {
    if (!this.options.canType?.()) return false;
    this.keyboard.focus({ preventScroll: true });
    return true;
  }

  leave() { this.element.focus({ preventScroll: true }); }

  listen() {
    const { keyboard, element } = this;
    keyboard.addEventListener("focus", () => this.setTyping(true));
    keyboard.addEventListener("blur", () => this.setTyping(false));
    keyboard.addEventListener("keydown", event => this.typed(event));
    // Input methods, dead keys and phones' keyboards say what was written, not which keys were pressed.
    let composing = false;
    keyboard.addEventListener("compositionstart", () => { composing = true; keyboard.classList.add("composing"); });
    keyboard.addEventListener("compositionend", event => {
      composing = false;
      keyboard.classList.remove("composing");
      if (event.data) this.options.type?.(event.data);
      keyboard.value = "";
    });
    keyboard.addEventListener("input", event => {
      if (composing || event.isComposing) return;
      if (event.inputType === "deleteContentBackward") this.options.type?.("\x7f");
      else if (event.inputType === "insertLineBreak") this.options.type?.("\r");
      else if (keyboard.value) this.options.type?.(keyboard.value);
      keyboard.value = "";
    });
    keyboard.addEventListener("paste", event => {
      event.preventDefault();
      const text = event.clipboardData?.getData("text/plain");
      if (text) this.options.type?.(text, { paste: true });
    });
    element.addEventListener("keydown", event => { if (event.target === element) this.options.key?.(event); });
    // Wherever the focus is: Firefox tells the page's body of it, and after a drag the focus is where it was before.
    this.copied = event => this.copy(event);
    document.addEventListener("copy", this.copied);
    this.listenMouse();
  }

  copy(event) {
    // What the page has selected itself goes first.
    if (String(getSelection()) || event.target !== this.keyboard && event.target.closest?.("input, textarea")) return;
    const text = selectedText(this.screen, this.selection);
    if (!text) return;
    event.preventDefault();
    event.clipboardData.setData("text/plain", text);
  }

  typed(event) {
    if (event.ctrlKey && event.shiftKey && !event.altKey) {
      if (event.code === "ArrowUp") { event.preventDefault(); event.stopPropagation(); return this.leave(); }
      if (event.code === "KeyC") { event.preventDefault(); document.execCommand("copy"); return; }
      if (event.code === "KeyV" || event.code === "ArrowLeft" || event.code === "ArrowRight") {
        if (event.code !== "KeyV") { event.preventDefault(); event.stopPropagation(); this.leave(); this.options.key?.(event); }
        return;
      }
    }
    const text = keyText(event, this.screen.modes);
    if (text == null) return;
    event.preventDefault();
    event.stopPropagation();
    this.selection = null;
    this.options.type?.(text);
  }

  setTyping(isTyping) {
    this.isTyping = isTyping;
    this.element.classList.toggle("typing", isTyping);
    if (this.screen.modes.focus_events) this.options.type?.(isTyping ? "\x1b[I" : "\x1b[O");
    this.schedule();
    this.options.typingChanged?.(isTyping);
  }

  // --- Mouse

  placeOf(event, rounds = false) {
    const box = this.canvas.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * this.screen.columns, y = (event.clientY - box.top) / box.height * this.screen.rows;
    const clamp = (value, most) => Math.max(0, Math.min(most, value));
    return {
      row: clamp(Math.floor(y), this.screen.rows - 1), column: clamp(rounds ? Math.round(x) : Math.floor(x), this.screen.columns - (rounds ? 0 : 1)),
      x: Math.round(event.clientX - box.left), y: Math.round(event.clientY - box.top),
    };
  }

  /** Tells the program, if it asked for the mouse and the keyboard is here. Shift keeps the mouse for selecting. */
  report(kind, event, button) {
    if (!this.isTyping || event.shiftKey) return false;
    const text = mouseText(
      kind, { button, buttons: event.buttons, ...this.placeOf(event), shift: event.shiftKey, alt: event.altKey, ctrl: event.ctrlKey }, this.screen.modes);
    if (text == null) return (this.screen.modes.mouse ?? 0) > 0;
    this.options.type?.(text);
    return true;
  }

  listenMouse() {
    const { page } = this;
    let from = null, isSelecting = false, held = false, lastCell = "";
    const buttons = [0, 1, 2];
    page.addEventListener("mousedown", event => {
      if (event.target === this.keyboard || event.target.closest("button")) return;
      event.preventDefault();
      if (this.isTyping && this.report("down", event, buttons[event.button])) { held = true; return; }
      if (event.button !== 0) return;
      getSelection().removeAllRanges();
      const place = this.placeOf(event);
      if (event.detail === 2) this.selection = wordAt(this.screen, place);
      else if (event.detail >= 3) this.selection = lineAt(this.screen, place);
      else {
        this.selection = null;
        from = this.placeOf(event, true);
        isSelecting = true;
      }
      this.schedule();
    });
    const move = event => {
      if (this.isClosed) return removeEventListener("mousemove", move);
      if (isSelecting && event.buttons & 1) {
        const head = this.placeOf(event, true);
        this.selection = head.row === from.row && head.column === from.column ? null : { anchor: from, head };
        return this.schedule();
      }
      if (!page.contains(event.target)) return;
      const place = this.placeOf(event), cell = `${place.row},${place.column}`;
      if (cell === lastCell) return;
      lastCell = cell;
      const link = linkAt(this.screen, place);
      page.classList.toggle("on-link", link != null);
      if (link !== this.hoverLink) { this.hoverLink = link; this.schedule(); }
      this.report("move", event, 0);
    };
    const up = event => {
      if (this.isClosed) return removeEventListener("mouseup", up);
      if (held) { held = false; this.report("up", event, buttons[event.button]); return; }
      if (!isSelecting) return;
      isSelecting = false;
      if (this.selection) return;
      const link = linkAt(this.screen, this.placeOf(event));
      if (link) return showLink(link, event.clientX, event.clientY);
      if (!this.type()) this.element.focus({ preventScroll: true });
    };
    addEventListener("mousemove", move);
    addEventListener("mouseup", up);
    page.addEventListener("contextmenu", event => { if (this.isTyping && this.screen.modes.mouse && !event.shiftKey) event.preventDefault(); });
    page.addEventListener("wheel", event => {
      if (event.ctrlKey) { event.preventDefault(); return this.zoomBy(event.deltaY < 0 ? 1.1 : 1 / 1.1); }
      // Wheels that turn sideways, and Shift in Chromium, give the other axis.
      if (!this.isTyping || event.deltaY === 0) return;
      if (this.report("wheel", event, event.deltaY < 0 ? 64 : 65)) return event.preventDefault();
      // Full-screen programs without a mouse get arrows, as in other terminals.
      if (this.screen.alternate) {
        event.preventDefault();
        this.options.type?.((this.screen.modes.application_cursor_keys ? "\x1bO" : "\x1b[") + (event.deltaY < 0 ? "A" : "B"));
      }
    }, { passive: false });
  }
}
