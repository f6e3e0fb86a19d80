// The screen of one pod, as the view protocol tells it (docs/view-protocol.md). Values in, values out; no DOM.

/** A screen nobody has told anything about yet. */
export function emptyScreen() {
  return {
    seq: null, time: null, columns: 80, rows: 0, lines: [], cursor: { row: 0, column: 0, visible: false, shape: 0, blinks: false },
    title: "", alternate: false, modes: {}, bells: 0,
  };
}

/**
 * The screen after a keyframe or a delta.
 * Lines that did not change keep their identity, so that a painter can tell. Null: the delta does not follow; ask for a keyframe.
 */
export function applied(screen, message) {
  if (message.type === "keyframe") {
    const lines = new Array(message.rows);
    for (let row = 0; row < message.rows; row++) lines[row] = message.lines[row] ?? [];
    return { ...screen, ...rest(screen, message), title: message.title ?? "", columns: message.columns, rows: message.rows, lines };
  }
  if (message.base !== screen.seq) return null;
  if (message.columns == null) return { ...screen, seq: message.seq, time: message.time };
  let lines;
  if (message.columns !== screen.columns || message.rows !== screen.rows) {
    lines = Array.from({ length: message.rows }, () => []);
  } else {
    lines = screen.lines.slice();
  }
  const scroll = Math.min(message.scroll ?? 0, lines.length);
  if (scroll > 0) {
    lines.splice(0, scroll);
    for (let i = 0; i < scroll; i++) lines.push([]);
  }
  for (const [row, runs] of message.lines ?? []) if (row >= 0 && row < lines.length) lines[row] = runs;
  return { ...screen, ...rest(screen, message), columns: message.columns, rows: message.rows, lines };
}

function rest(screen, message) {
  return {
    seq: message.seq, time: message.time, cursor: message.cursor ?? screen.cursor, title: message.title ?? screen.title,
    alternate: message.alternate ?? screen.alternate, modes: message.modes ?? {}, bells: message.bells ?? 0,
  };
}

/** A screen from `GET /v1/pods/{pod}/screen?format=json`. */
export function screenFromDump(dump) {
  return {
    ...emptyScreen(), seq: dump.seq, time: dump.time, columns: dump.columns, rows: dump.cells.length, lines: dump.cells, title: dump.title,
    alternate: dump.alternate, cursor: { row: dump.cursor[0], column: dump.cursor[1], visible: dump.visible, shape: 0, blinks: false },
  };
}

/** The text of a line as `switchback screen` prints it: without blanks at its end. */
export function lineText(runs) {
  let text = "";
  for (const run of runs) text += run[0];
  return text.replace(/ +$/, "");
}

/** The text of a screen, one row a line. */
export const screenText = screen => screen.lines.map(lineText).join("\n");

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/**
 * The cells of a run: `[text, cells]` in order. A run is all narrow, all wide, or one character of several scalars.
 */
export function cellsOf([text, width]) {
  const characters = [...text];
  if (characters.length === width) {
    // Two regional indicators make one flag two cells wide, and as many scalars.
    if (characters.length > 1 && text.charCodeAt(0) > 0x2ff && isOne(text)) return [[text, width]];
    return characters.map(character => [character, 1]);
  }
  if (characters.length * 2 === width && !(characters.length > 1 && isOne(text))) return characters.map(character => [character, 2]);
  return [[text, width]];
}

function isOne(text) {
  const graphemes = segmenter.segment(text)[Symbol.iterator]();
  graphemes.next();
  return graphemes.next().done;
}
