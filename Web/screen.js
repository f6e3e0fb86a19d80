// A terminal's screen as rows of runs, painted into the DOM; only rows that changed are built anew.

const palette = (() => {
  const base = ["#21252b", "#d0564c", "#4f9a5b", "#b8892f", "#3f7fd6", "#a360c4", "#2f97a3", "#c8ccd2",
    "#6b7280", "#ef7a70", "#72c080", "#dcae55", "#6ba4f2", "#c58be0", "#58bcc8", "#f2f4f6"];
  const steps = [0, 95, 135, 175, 215, 255];
  for (let i = 0; i < 216; i++) base.push(`rgb(${steps[(i / 36) | 0]},${steps[((i / 6) | 0) % 6]},${steps[i % 6]})`);
  for (let i = 0; i < 24; i++) base.push(`rgb(${8 + i * 10},${8 + i * 10},${8 + i * 10})`);
  return base;
})();
const colour = value => value == null ? null : typeof value === "number" ? palette[value] : value;

const BOLD = 1, DIM = 2, ITALIC = 4, INVERSE = 16, HIDDEN = 32, STRIKE = 64, OVERLINE = 128;
const underlines = ["", "underline", "underline double", "underline wavy", "underline dotted", "underline dashed"];

export class Screen {
  constructor(element) {
    this.element = element;
    this.seq = null;
    this.lines = [];
  }

  /** Takes a keyframe or a delta. False: it does not follow what is here; ask for a keyframe. */
  apply(message) {
    if (message.type === "keyframe") {
      this.columns = message.columns;
      this.resize(message.rows);
      message.lines.forEach((runs, row) => this.set(row, runs));
      this.title = message.title ?? "";
    } else {
      if (message.base !== this.seq) return false;
      if (message.lines) {
        if (message.rows !== this.lines.length || message.columns !== this.columns) {
          this.columns = message.columns;
          this.resize(0);
          this.resize(message.rows);
        }
        if (message.scroll) this.scroll(message.scroll);
        for (const [row, runs] of message.lines) this.set(row, runs);
      }
      if (message.title != null) this.title = message.title;
    }
    this.seq = message.seq;
    if (message.cursor) this.cursor(message.cursor);
    if (message.modes) this.modes = message.modes;
    this.element.setAttribute("aria-label", this.lines.map(line => line.textContent).join("\n"));
    return true;
  }

  clear() {
    this.seq = null;
    this.resize(0);
  }

  resize(rows) {
    while (this.lines.length > rows) this.lines.pop().remove();
    while (this.lines.length < rows) {
      const line = document.createElement("div");
      line.className = "row";
      this.element.append(line);
      this.lines.push(line);
    }
    this.element.style.minWidth = rows ? `calc(${this.columns}ch + 18px)` : "";
  }

  scroll(count) {
    for (let i = 0; i < Math.min(count, this.lines.length); i++) {
      const line = this.lines.shift();
      line.replaceChildren();
      this.element.append(line);
      this.lines.push(line);
    }
  }

  set(row, runs) {
    const line = this.lines[row];
    if (!line) return;
    line.replaceChildren(...runs.map(run => this.run(run)));
  }

  run([text, width, fg, bg, flags = 0, link, underlineColour]) {
    const span = document.createElement(link && /^https?:/.test(link) ? "a" : "span");
    if (span.tagName === "A") { span.href = link; span.rel = "noreferrer"; span.target = "_blank"; }
    span.className = "run";
    span.style.width = width + "ch";
    span.textContent = text;
    let front = colour(fg), back = colour(bg);
    if (flags & INVERSE) [front, back] = [back ?? "var(--terminal)", front ?? "var(--terminal-text)"];
    span.style.color = front ?? "inherit";
    if (back) span.style.background = back;
    if (flags & BOLD) span.style.fontWeight = "600";
    if (flags & DIM) span.style.opacity = ".6";
    if (flags & ITALIC) span.style.fontStyle = "italic";
    if (flags & HIDDEN) span.style.visibility = "hidden";
    const lines = [underlines[(flags >> 8) & 7], flags & STRIKE ? "line-through" : "", flags & OVERLINE ? "overline" : ""].filter(Boolean);
    span.style.textDecoration = lines.join(" ") || "none";
    if (underlineColour != null) span.style.textDecorationColor = colour(underlineColour);
    return span;
  }

  cursor({ row, column, visible, shape }) {
    this.mark ??= document.createElement("span");
    const line = this.lines[row];
    if (!visible || !line) return this.mark.remove();
    this.mark.className = "cursor " + (["", "underline", "bar"][shape] ?? "");
    this.mark.style.left = column + "ch";
    line.append(this.mark);
  }
}
