// What to paint for a row of a terminal: a pure function from runs to a list of operations in device pixels.
//
//   ["fill", colour, x, y, w, h, alpha?]                 a rectangle
//   ["text", colour, font, x, baseline, text, cells, w]  font: 0 plain, 1 bold, 2 italic, 3 both; w: room for it
//   ["line", colour, thickness, [x, y, …], dash?]        a line through points
//   ["arc", colour, thickness, [x, y, …]]                a line, a quarter bend (control point in the middle), a line
//   ["area", colour, [x, y, …]]                          a filled polygon
import { BOLD, HIDDEN, ITALIC, OVERLINE, STRIKE, colour, runColours, underlineOf } from "./colours.js";
import { boxShapes } from "./boxes.js";
import { cellsOf } from "./state.js";

/**
 * Operations for one row whose upper left corner is at (0, 0).
 * @param metrics `{ width, height, baseline, thin }` of a cell, whole device pixels
 * @param marks `[from, to, colour]`: columns with another ground (selection, matches), in the order they are painted
 */
export function rowOperations(runs, metrics, theme, { reverseScreen = false, marks = [], columns = Infinity, hoverLink = null } = {}) {
  const { width: w, height: h } = metrics;
  const grounds = [], front = [];
  let column = 0;
  for (const run of runs) {
    const cells = Math.min(run[1], columns - column);
    if (cells <= 0) break;
    const colours = runColours(run, theme, reverseScreen), flags = run[4] ?? 0, link = run[5] ?? null;
    if (colours.ground) addGround(grounds, colours.ground, column * w, cells * w, h);
    if (!(flags & HIDDEN)) {
      text(front, run, column, colours.text, metrics);
      decorations(front, run, column * w, cells * w, colours.text, metrics, theme, link != null && link === hoverLink);
    }
    column += cells;
  }
  for (const [from, to, ground] of marks) {
    const start = Math.max(0, from), end = Math.min(to, columns);
    if (end > start) grounds.push(["fill", ground, start * w, 0, (end - start) * w, h]);
  }
  return grounds.concat(front);
}

/** Neighbours of one colour become one rectangle. */
function addGround(grounds, colour, x, w, h) {
  const last = grounds.at(-1);
  if (last && last[1] === colour && last[2] + last[4] === x) last[4] += w;
  else grounds.push(["fill", colour, x, 0, w, h]);
}

const isPlain = /^[\x20-\x7e]*$/;

function text(operations, run, column, colour, metrics) {
  const { width: w, height: h, baseline, thin } = metrics, flags = run[4] ?? 0;
  const font = (flags & BOLD ? 1 : 0) + (flags & ITALIC ? 2 : 0);
  if (isPlain.test(run[0])) {
    // Words with single blanks between stay together; wide blanks need no painting.
    for (const word of run[0].matchAll(/\S+(?: \S+)*/g)) {
      operations.push(["text", colour, font, (column + word.index) * w, baseline, word[0], word[0].length, word[0].length * w]);
    }
    return;
  }
  let at = column, word = "", start = at;
  const flush = () => {
    if (word) operations.push(["text", colour, font, start * w, baseline, word, word.length, word.length * w]);
    word = "";
  };
  for (const [character, cells] of cellsOf(run)) {
    const shapes = cells === 1 ? boxShapes(character, w, h, thin) : null;
    if (shapes) {
      flush();
      for (const shape of shapes) operations.push(placed(shape, colour, at * w, metrics));
    } else if (cells === 1 && character > " " && character <= "~") {
      if (!word) start = at;
      word += character;
    } else {
      flush();
      if (character !== " " && character !== "\u00a0") operations.push(["text", colour, font, at * w, baseline, character, cells, cells * w]);
    }
    at += cells;
  }
  flush();
}

function placed(shape, colour, x) {
  if (shape.fill) {
    const [left, top, w, h, alpha] = shape.fill;
    return alpha == null ? ["fill", colour, x + left, top, w, h] : ["fill", colour, x + left, top, w, h, alpha];
  }
  const moved = points => points.map((value, index) => index % 2 === 0 ? value + x : value);
  if (shape.area) return ["area", colour, moved(shape.area)];
  const [thickness, ...points] = shape.arc ?? shape.line;
  return [shape.arc ? "arc" : "line", colour, thickness, moved(points)];
}

function decorations(operations, run, x, w, textColour, metrics, theme, isHovered) {
  const flags = run[4] ?? 0, { height, baseline, thin } = metrics;
  const style = underlineOf(flags), own = colour(run[6], textColour);
  const low = Math.min(height - thin, baseline + Math.max(thin, Math.round(height * 0.08)));
  if (style === 1) operations.push(["fill", own, x, low, w, thin]);
  else if (style === 2) {
    const second = Math.min(height - thin, low + thin * 2);
    operations.push(["fill", own, x, second - thin * 2, w, thin], ["fill", own, x, second, w, thin]);
  } else if (style === 3) {
    const points = [], step = Math.max(2, Math.round(metrics.width / 4)), top = Math.max(thin, Math.min(low, height - thin * 3)), tall = thin * 2;
    for (let i = 0; i * step <= w; i++) points.push(x + i * step, top + (i % 2 ? tall : 0));
    operations.push(["line", own, thin, points]);
  } else if (style === 4) operations.push(["line", own, thin, [x, low + thin / 2, x + w, low + thin / 2], [thin, thin * 2]]);
  else if (style === 5) operations.push(["line", own, thin, [x, low + thin / 2, x + w, low + thin / 2], [thin * 4, thin * 2]]);
  if (style === 0 && run[5] != null) {
    operations.push(isHovered ? ["fill", theme.link, x, low, w, thin] : ["line", theme.link, thin, [x, low + thin / 2, x + w, low + thin / 2], [thin, thin * 2]]);
  }
  if (flags & STRIKE) operations.push(["fill", textColour, x, Math.round(baseline * 0.68), w, thin]);
  if (flags & OVERLINE) operations.push(["fill", textColour, x, 0, w, thin]);
}

/**
 * Operations for the cursor, to be painted over its row (coordinates as in `rowOperations`).
 * @param focus "typing": the keyboard is here; "looking": it is not (a frame instead of a block)
 */
export function cursorOperations(screen, metrics, theme, focus) {
  const { row, column, visible, shape } = screen.cursor;
  if (!visible || row < 0 || row >= screen.rows || column < 0) return [];
  const { width: w, height: h, thin } = metrics;
  const at = Math.min(column, screen.columns - 1);
  const [character, cells, run] = cellAt(screen.lines[row] ?? [], at);
  const x = at * w, wide = cells * w;
  if (focus !== "typing") {
    return [
      ["fill", theme.cursor, x, 0, wide, thin], ["fill", theme.cursor, x, h - thin, wide, thin], ["fill", theme.cursor, x, thin, thin, h - thin * 2],
      ["fill", theme.cursor, x + wide - thin, thin, thin, h - thin * 2],
    ];
  }
  if (shape === 1) return [["fill", theme.cursor, x, h - thin * 2, wide, thin * 2]];
  if (shape === 2) return [["fill", theme.cursor, x, 0, Math.max(2, thin * 2), h]];
  const operations = [["fill", theme.cursor, x, 0, wide, h]];
  if (run && character.trim()) text(operations, [character, cells, null, null, (run[4] ?? 0) & (BOLD | ITALIC)], at, theme.cursorText, metrics);
  return operations;
}

/** The character in a column: `[text, cells, run]`; a blank where nothing is. */
export function cellAt(runs, column) {
  let at = 0;
  for (const run of runs) {
    if (column < at + run[1]) {
      for (const [character, cells] of cellsOf(run)) {
        if (column < at + cells) return [character, cells, run];
        at += cells;
      }
      return [" ", 1, run];
    }
    at += run[1];
  }
  return [" ", 1, null];
}
