// Puts draw lists on a canvas. Only rows that differ from what is there are painted.
import { rowOperations, cursorOperations } from "./drawlist.js";
import { terminalTheme } from "./colours.js";

export const fontStack = 'ui-monospace, "JetBrains Mono", "DejaVu Sans Mono", "Liberation Mono", Menlo, Consolas, monospace';
const styles = ["", "bold ", "italic ", "italic bold "];

const measured = new Map(), large = 1000;

/** A cell's size in device pixels for a font size in CSS pixels: `{ width, height, baseline, thin, size, advance }`. */
export function cellMetrics(fontSize, ratio = devicePixelRatio || 1, family = fontStack) {
  const key = `${fontSize} ${ratio} ${family}`;
  let metrics = measured.get(key);
  if (metrics) return metrics;
  const context = document.createElement("canvas").getContext("2d");
  const size = fontSize * ratio;
  context.font = `${size}px ${family}`;
  const advance = context.measureText("0".repeat(64)).width / 64;
  // Measured large: at small sizes browsers round these to whole pixels, Firefox up and Chromium down, and rows of pictures would be a fifth apart.
  context.font = `${large}px ${family}`;
  const box = context.measureText("Mg"), ascent = box.fontBoundingBoxAscent / large * size, descent = box.fontBoundingBoxDescent / large * size;
  const width = Math.max(1, Math.round(advance)), height = Math.max(2, Math.round((ascent + descent) * 1.04));
  metrics = {
    width, height, baseline: Math.round((height - ascent - descent) / 2 + ascent), thin: Math.max(1, Math.round(size / 15)), size, advance, family,
  };
  measured.set(key, metrics);
  return metrics;
}

/** Runs a draw list with its upper left corner at (x, y). */
export function run(context, operations, x, y, metrics) {
  context.setTransform(1, 0, 0, 1, x, y);
  let font = -1;
  for (const operation of operations) {
    switch (operation[0]) {
      case "fill": {
        const [, colour, left, top, w, h, alpha] = operation;
        context.fillStyle = colour;
        if (alpha != null) context.globalAlpha = alpha;
        context.fillRect(left, top, w, h);
        if (alpha != null) context.globalAlpha = 1;
        break;
      }
      case "text": {
        const [, colour, style, left, baseline, text, cells, room] = operation;
        if (font !== style) {
          context.font = `${styles[style]}${metrics.size}px ${metrics.family}`;
          font = style;
        }
        context.fillStyle = colour;
        if (text.length === cells && cells >= 1 && text.charCodeAt(0) < 0x7f) words(context, text, left, baseline, metrics);
        else context.fillText(text, left, baseline, room);
        break;
      }
      case "line": case "arc": case "area": stroke(context, operation); break;
    }
  }
}

let hasSpacing;

/** Text of one width, on the cells' grid and not on the font's own. */
function words(context, text, x, baseline, metrics) {
  const difference = metrics.width - metrics.advance;
  hasSpacing ??= "letterSpacing" in context;
  if (text.length === 1) return context.fillText(text, x, baseline);
  if (hasSpacing) {
    const spacing = difference.toFixed(4) + "px";
    if (context.letterSpacing !== spacing) { context.letterSpacing = spacing; context.fontKerning = "none"; }
    context.fillText(text, x, baseline);
  } else {
    for (let i = 0; i < text.length; i++) if (text[i] !== " ") context.fillText(text[i], x + i * metrics.width, baseline);
  }
}

function stroke(context, operation) {
  const kind = operation[0];
  context.beginPath();
  const points = kind === "area" ? operation[2] : operation[3];
  context.moveTo(points[0], points[1]);
  if (kind === "arc") {
    context.lineTo(points[2], points[3]);
    context.quadraticCurveTo(points[4], points[5], points[8], points[9]);
    context.lineTo(points[10], points[11]);
  } else {
    for (let i = 2; i < points.length; i += 2) context.lineTo(points[i], points[i + 1]);
  }
  if (kind === "area") {
    context.fillStyle = operation[1];
    context.fill();
    return;
  }
  context.strokeStyle = operation[1];
  context.lineWidth = operation[2];
  if (operation[4]) context.setLineDash(operation[4]);
  context.stroke();
  if (operation[4]) context.setLineDash([]);
}

/** A canvas that shows one terminal. */
export class Painter {
  /** `isPicture`: one of many small ones. A canvas of its own layer each would cost the page more than painting them. */
  constructor(canvas, theme = terminalTheme, { isPicture = false } = {}) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false, willReadFrequently: isPicture });
    this.theme = theme;
    this.metrics = null;
    /** What each row shows: its runs, its marks and its cursor. */
    this.shown = [];
    this.painted = 0;
  }

  /** Gives the canvas the size of a screen. True: everything has to be painted anew. */
  fit(screen, metrics) {
    const width = Math.max(1, screen.columns * metrics.width), height = Math.max(1, screen.rows * metrics.height);
    if (this.canvas.width === width && this.canvas.height === height && this.metrics === metrics) return false;
    this.metrics = metrics;
    this.canvas.width = width;
    this.canvas.height = height;
    this.forget();
    return true;
  }

  forget() { this.shown = []; }

  /**
   * Paints what differs from what is there.
   * @param marksOf row → `[from, to, colour]`s over the ground
   * @param cursor "typing", "looking" or "none"
   */
  paint(screen, { marksOf = null, cursor = "none", hoverLink = null } = {}) {
    const { metrics, theme } = this;
    const reverseScreen = screen.modes.reverse_screen === true;
    let count = 0;
    for (let row = 0; row < screen.rows; row++) {
      const marks = marksOf?.(row) ?? [];
      const hasCursor = cursor !== "none" && screen.cursor.row === row && screen.cursor.visible;
      const runs = screen.lines[row];
      const extra = `${marks.join()}|${hasCursor ? cursor + screen.cursor.column + "/" + screen.cursor.shape : ""}|${reverseScreen}|${hoverLink ?? ""}`;
      const was = this.shown[row];
      if (was && was.extra === extra && (was.runs === runs || (was.text ??= JSON.stringify(was.runs)) === JSON.stringify(runs))) {
        was.runs = runs;
        continue;
      }
      this.shown[row] = { runs, extra, text: undefined };
      const operations = [["fill", reverseScreen ? theme.foreground : theme.background, 0, 0, this.canvas.width, metrics.height]];
      operations.push(...rowOperations(runs, metrics, theme, { reverseScreen, marks, columns: screen.columns, hoverLink }));
      if (hasCursor) operations.push(...cursorOperations(screen, metrics, theme, cursor));
      this.context.save();
      this.context.setTransform(1, 0, 0, 1, 0, 0);
      this.context.beginPath();
      this.context.rect(0, row * metrics.height, this.canvas.width, metrics.height);
      this.context.clip();
      run(this.context, operations, 0, row * metrics.height, metrics);
      this.context.restore();
      count++;
    }
    this.shown.length = screen.rows;
    this.painted = count;
    return count;
  }
}
