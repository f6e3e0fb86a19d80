// Places on a screen, what lies between two of them as text, and where a text stands. No DOM.
import { cellsOf, lineText } from "./state.js";

/** The smaller place first. A place is `{ row, column }`; the end is not part of what is selected. */
export function ordered(a, b) {
  return a.row < b.row || (a.row === b.row && a.column <= b.column) ? [a, b] : [b, a];
}

/** The columns of a row that are selected, `[from, to]`, or null. */
export function selectedColumns(selection, row, columns) {
  if (!selection) return null;
  const [start, end] = ordered(selection.anchor, selection.head);
  if (row < start.row || row > end.row) return null;
  const from = row === start.row ? start.column : 0, to = row === end.row ? end.column : columns;
  return to > from ? [from, to] : null;
}

/** The text that is selected. Lines lose the blanks at their end, as in terminals. */
export function selectedText(screen, selection) {
  if (!selection) return "";
  const [start, end] = ordered(selection.anchor, selection.head), lines = [];
  for (let row = Math.max(0, start.row); row <= Math.min(end.row, screen.rows - 1); row++) {
    const columns = selectedColumns(selection, row, screen.columns);
    lines.push(columns ? textBetween(screen.lines[row], ...columns) : "");
  }
  return lines.join("\n");
}

function textBetween(runs, from, to) {
  let at = 0, text = "";
  for (const run of runs) {
    for (const [character, cells] of cellsOf(run)) {
      if (at + cells > from && at < to) text += character;
      at += cells;
    }
  }
  return text.replace(/ +$/, "");
}

/** Text and column of every cell of a row, blanks where nothing is. */
function rowCells(runs, columns) {
  const cells = [];
  for (const run of runs) for (const [character, width] of cellsOf(run)) { cells.push(character); for (let i = 1; i < width; i++) cells.push(""); }
  while (cells.length < columns) cells.push(" ");
  return cells;
}

/** The word around a place, as a selection. */
export function wordAt(screen, { row, column }) {
  const cells = rowCells(screen.lines[row] ?? [], screen.columns);
  const kind = character => /^\s?$/.test(character) && character !== "" ? 0 : /[\p{L}\p{N}_\-./~:@%+#?&=]/u.test(character) || character === "" ? 1 : 2;
  const wanted = kind(cells[column] ?? " ");
  let from = column, to = column + 1;
  while (from > 0 && kind(cells[from - 1]) === wanted) from--;
  while (to < cells.length && kind(cells[to]) === wanted) to++;
  return { anchor: { row, column: from }, head: { row, column: to } };
}

/** The selection of a word, drawn on to a place: all of the word stays in it. */
export function extended(word, { row, column }) {
  const isBefore = row < word.anchor.row || (row === word.anchor.row && column < word.anchor.column);
  const isInside = row === word.anchor.row && column >= word.anchor.column && column < word.head.column;
  return isInside ? word : isBefore ? { anchor: word.head, head: { row, column } } : { anchor: word.anchor, head: { row, column: column + 1 } };
}

export const lineAt = (screen, { row }) => ({ anchor: { row, column: 0 }, head: { row, column: screen.columns } });

/** Where a text stands on the screen: `{ row, from, to }` in columns, from the top. Capitals count only if the text has some. */
export function matches(screen, query) {
  if (!query) return [];
  const folds = query === query.toLowerCase(), found = [];
  const wanted = folds ? query.toLowerCase() : query;
  screen.lines.forEach((runs, row) => {
    if (!lineText(runs)) return;
    // Columns by the place in the text, since characters may take none, one or two cells.
    const cells = rowCells(runs, 0), columns = [];
    let text = "";
    cells.forEach((character, column) => { for (let i = 0; i < character.length; i++) columns.push(column); text += character; });
    if (folds) text = text.toLowerCase().length === text.length ? text.toLowerCase() : text;
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
      const last = columns[at + wanted.length - 1];
      found.push({ row, from: columns[at], to: last + 1 + (cells[last + 1] === "" ? 1 : 0) });
    }
  });
  return found;
}

/** The link at a place, if there is one. */
export function linkAt(screen, { row, column }) {
  let at = 0;
  for (const run of screen.lines[row] ?? []) {
    if (column < at + run[1]) return run[5] ?? plainLink(screen.lines[row], column);
    at += run[1];
  }
  return null;
}

/** An address written as plain text. */
function plainLink(runs, column) {
  const cells = rowCells(runs, 0);
  const text = cells.map(cell => cell === "" ? "\u200b" : [...cell].length === 1 ? cell[0] : "\u200b").join("");
  for (const match of text.matchAll(/https?:\/\/[^\s"'<>`]+[^\s"'<>`.,;:!?)\]}]/g)) {
    if (column >= match.index && column < match.index + match[0].length) return match[0].replaceAll("\u200b", "");
  }
  return null;
}
