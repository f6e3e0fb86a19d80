import { test, equal, ok } from "../support/runner.js";
import { applied, cellsOf, emptyScreen, screenText } from "../../../Web/terminal/state.js";
import { cursorOperations, rowOperations } from "../../../Web/terminal/drawlist.js";
import { terminalTheme as theme } from "../../../Web/terminal/colours.js";
import { boxShapes } from "../../../Web/terminal/boxes.js";
import { keyText, mouseText } from "../../../Web/terminal/keys.js";
import { linkAt, matches, selectedText, wordAt } from "../../../Web/terminal/selection.js";

const metrics = { width: 10, height: 20, baseline: 15, thin: 1, size: 16, advance: 9.6 };
const rowOf = (runs, options) => rowOperations(runs, metrics, theme, options);
const keyframe = (lines, more = {}) => ({ type: "keyframe", seq: 1, time: "2026-01-01T00:00:00Z", columns: 20, rows: lines.length, lines, cursor: { row: 0, column: 0, visible: true, shape: 0, blinks: false }, alternate: false, modes: {}, ...more });

test("a keyframe and its deltas give the screen that a later keyframe gives", () => {
  let screen = applied(emptyScreen(), keyframe([[["one", 3]], [["two", 3]], [["three", 5]]]));
  screen = applied(screen, { type: "delta", base: 1, seq: 2, time: "2026-01-01T00:00:01Z", columns: 20, rows: 3, scroll: 1, lines: [[2, [["four", 4, 2]]]], cursor: { row: 2, column: 4, visible: true, shape: 0, blinks: false }, alternate: false, modes: { bracketed_paste: true } });
  equal(screenText(screen), "two\nthree\nfour");
  equal([screen.seq, screen.modes, screen.cursor.column], [2, { bracketed_paste: true }, 4]);
  screen = applied(screen, { type: "delta", base: 2, seq: 5, time: "2026-01-01T00:00:02Z" });
  equal([screen.seq, screenText(screen)], [5, "two\nthree\nfour"]);
});

test("a delta that does not follow is refused, and changes nothing", () => {
  const screen = applied(emptyScreen(), keyframe([[["one", 3]]]));
  equal(applied(screen, { type: "delta", base: 7, seq: 8, columns: 20, rows: 1, lines: [[0, []]] }), null);
  equal(screenText(screen), "one");
});

test("another size empties the screen first", () => {
  const screen = applied(applied(emptyScreen(), keyframe([[["one", 3]], [["two", 3]]])), { type: "delta", base: 1, seq: 2, columns: 30, rows: 3, lines: [[1, [["x", 1]]]] });
  equal([screenText(screen), screen.columns], ["\nx\n", 30]);
});

test("rows outside the screen, and scrolls beyond it, are taken without harm", () => {
  const screen = applied(applied(emptyScreen(), keyframe([[["one", 3]]])), { type: "delta", base: 1, seq: 2, columns: 20, rows: 1, scroll: 99, lines: [[5, [["x", 1]]], [-1, []]] });
  equal(screenText(screen), "");
});

test("characters know their cells: narrow, wide, and one of several scalars", () => {
  equal(cellsOf(["ab", 2]), [["a", 1], ["b", 1]]);
  equal(cellsOf(["日本", 4]), [["日", 2], ["本", 2]]);
  equal(cellsOf(["é", 1]), [["é", 1]]);
  equal(cellsOf(["👩‍👩‍👧", 2]), [["👩‍👩‍👧", 2]]);
  equal(cellsOf(["🇩🇪", 2]), [["🇩🇪", 2]]);
  equal(cellsOf(["👍🏽", 2]), [["👍🏽", 2]]);
});

test("golden: plain text is one word for each stretch without wide gaps", () => {
  equal(rowOf([["ls -la   total", 14]]), [["text", "#d7dbe2", 0, 0, 15, "ls -la", 6, 60], ["text", "#d7dbe2", 0, 90, 15, "total", 5, 50]]);
});

test("golden: colours of the palette, of the cube, of the ramp, and true colour", () => {
  equal(rowOf([["a", 1, 1], ["b", 1, 196], ["c", 1, 244], ["d", 1, "#102030", "#405060"]]), [
    ["fill", "#405060", 30, 0, 10, 20],
    ["text", "#e5736b", 0, 0, 15, "a", 1, 10], ["text", "#ff0000", 0, 10, 15, "b", 1, 10], ["text", "#808080", 0, 20, 15, "c", 1, 10], ["text", "#102030", 0, 30, 15, "d", 1, 10],
  ]);
});

test("golden: inverse swaps, dim mixes, hidden paints only its ground, bold and italic choose the font", () => {
  equal(rowOf([["a", 1, null, null, 16]]), [["fill", "#d7dbe2", 0, 0, 10, 20], ["text", "#0b0e13", 0, 0, 15, "a", 1, 10]]);
  equal(rowOf([["a", 1, null, null, 2]]), [["text", "#85898f", 0, 0, 15, "a", 1, 10]]);
  equal(rowOf([["a", 1, 1, 4, 32]]), [["fill", "#6ea3ea", 0, 0, 10, 20]]);
  equal(rowOf([["a", 1, null, null, 1], ["b", 1, null, null, 4], ["c", 1, null, null, 5]]).map(operation => operation[2]), [1, 2, 3]);
});

test("golden: five underlines, their colour, strike and overline", () => {
  const kinds = [1, 2, 3, 4, 5].map(style => rowOf([["ab", 2, null, null, style << 8, null, "#ff0000"]]).slice(1));
  equal(kinds[0], [["fill", "#ff0000", 0, 17, 20, 1]]);
  equal(kinds[1], [["fill", "#ff0000", 0, 17, 20, 1], ["fill", "#ff0000", 0, 19, 20, 1]]);
  equal(kinds[2], [["line", "#ff0000", 1, [0, 17, 3, 19, 6, 17, 9, 19, 12, 17, 15, 19, 18, 17]]]);
  equal(kinds[3], [["line", "#ff0000", 1, [0, 17.5, 20, 17.5], [1, 2]]]);
  equal(kinds[4], [["line", "#ff0000", 1, [0, 17.5, 20, 17.5], [4, 2]]]);
  equal(rowOf([["a", 1, null, null, 64 | 128]]).slice(1), [["fill", "#d7dbe2", 0, 10, 10, 1], ["fill", "#d7dbe2", 0, 0, 10, 1]]);
});

test("golden: wide characters get two cells, clusters are painted whole", () => {
  equal(rowOf([["日本", 4], ["é", 1], ["x", 1]]), [
    ["text", "#d7dbe2", 0, 0, 15, "日", 2, 20], ["text", "#d7dbe2", 0, 20, 15, "本", 2, 20], ["text", "#d7dbe2", 0, 40, 15, "é", 1, 10], ["text", "#d7dbe2", 0, 50, 15, "x", 1, 10],
  ]);
});

test("golden: box drawing is vectors that reach the cell's edges", () => {
  equal(rowOf([["─│┼", 3]]), [
    ["fill", "#d7dbe2", 0, 9, 5, 1], ["fill", "#d7dbe2", 4, 9, 6, 1],
    ["fill", "#d7dbe2", 14, 0, 1, 10], ["fill", "#d7dbe2", 14, 9, 1, 11],
    ["fill", "#d7dbe2", 20, 9, 5, 1], ["fill", "#d7dbe2", 24, 9, 6, 1], ["fill", "#d7dbe2", 24, 0, 1, 10], ["fill", "#d7dbe2", 24, 9, 1, 11],
  ]);
});

test("golden: blocks and shades", () => {
  equal(boxShapes("█", 10, 20, 1), [{ fill: [0, 0, 10, 20] }]);
  equal(boxShapes("▄", 10, 20, 1), [{ fill: [0, 10, 10, 10] }]);
  equal(boxShapes("▌", 10, 20, 1), [{ fill: [0, 0, 5, 20] }]);
  equal(boxShapes("▒", 10, 20, 1), [{ fill: [0, 0, 10, 20, 0.5] }]);
  equal(boxShapes("▚", 10, 20, 1), [{ fill: [0, 0, 5, 10] }, { fill: [5, 10, 5, 10] }]);
  equal(boxShapes("⡁", 10, 20, 1).length, 2);
  equal(boxShapes("a", 10, 20, 1), null);
});

/** Which pixels of a cell's edge a character covers. */
function edge(character, side, w, h, thin) {
  const covered = new Set();
  for (const { fill } of boxShapes(character, w, h, thin)) {
    if (!fill) continue;
    const [x, y, width, height] = fill;
    if (side === "left" && x <= 0) for (let i = y; i < y + height; i++) covered.add(i);
    if (side === "right" && x + width >= w) for (let i = y; i < y + height; i++) covered.add(i);
    if (side === "top" && y <= 0) for (let i = x; i < x + width; i++) covered.add(i);
    if (side === "bottom" && y + height >= h) for (let i = x; i < x + width; i++) covered.add(i);
  }
  return [...covered].sort((a, b) => a - b);
}

test("every box-drawing character joins its neighbours pixel for pixel, at every size", () => {
  const straight = { "─": "left right", "━": "left right", "│": "top bottom", "┃": "top bottom", "═": "left right", "║": "top bottom" };
  for (const [w, h, thin] of [[7, 15, 1], [8, 16, 1], [10, 21, 1], [13, 27, 2], [19, 41, 3]]) {
    const wanted = {};
    for (const [character, sides] of Object.entries(straight)) for (const side of sides.split(" ")) (wanted[side] ??= []).push(edge(character, side, w, h, thin).join());
    for (let code = 0x2500; code <= 0x257f; code++) {
      const character = String.fromCodePoint(code);
      if ((code >= 0x2504 && code <= 0x250b) || (code >= 0x254c && code <= 0x254f) || (code >= 0x256d && code <= 0x2573)) continue;
      for (const side of ["left", "right", "top", "bottom"]) {
        const pixels = edge(character, side, w, h, thin).join();
        ok(pixels === "" || wanted[side].includes(pixels), `${character} at ${side} of ${w}×${h}: ${pixels}, but straight lines have ${wanted[side].join(" or ")}`);
      }
    }
  }
});

test("no box-drawing character has a hole where its arms meet", () => {
  for (const [w, h, thin] of [[8, 16, 1], [11, 22, 2]]) {
    for (const character of "┌┐└┘├┤┬┴┼┏┓┗┛┣┫┳┻╋╔╗╚╝╠╣╦╩╬╒╓╕╖╘╙╛╜╞╟╡╢╤╥╧╨╪╫┍┎┑┒╀╂╼╽") {
      const pixels = new Set();
      for (const { fill: [x, y, width, height] } of boxShapes(character, w, h, thin)) for (let i = x; i < x + width; i++) for (let j = y; j < y + height; j++) if (i >= 0 && j >= 0 && i < w && j < h) pixels.add(i + j * w);
      // All pixels that are lit hang together, except the two lines of doubles.
      const parts = () => { const left = new Set(pixels); let count = 0; while (left.size) { count++; const stack = [left.values().next().value]; left.delete(stack[0]); while (stack.length) { const at = stack.pop(), x = at % w; for (const next of [x > 0 ? at - 1 : -1, x < w - 1 ? at + 1 : -1, at - w, at + w]) if (left.delete(next)) stack.push(next); } } return count; };
      const most = "╔╗╚╝".includes(character) ? 2 : "╠╣╦╩".includes(character) ? 3 : character === "╬" ? 4 : "╒╓╕╖╘╙╛╜╞╟╡╢╤╥╧╨╪╫".includes(character) ? 2 : 1;
      ok(parts() <= most, `${character} falls into ${parts()} parts at ${w}×${h}`);
    }
  }
});

test("golden: cursors: block with its character, underline, bar, and a frame while the keyboard is elsewhere", () => {
  const screen = shape => applied(emptyScreen(), keyframe([[["日x", 3]]], { cursor: { row: 0, column: 2, visible: true, shape, blinks: true } }));
  const of = (shape, focus) => cursorOperations({ ...screen(shape), lines: [[["日", 2], ["x", 1]]] }, metrics, theme, focus);
  equal(of(0, "typing"), [["fill", "#e8ebf0", 20, 0, 10, 20], ["text", "#0b0e13", 0, 20, 15, "x", 1, 10]]);
  equal(of(1, "typing"), [["fill", "#e8ebf0", 20, 18, 10, 2]]);
  equal(of(2, "typing"), [["fill", "#e8ebf0", 20, 0, 2, 20]]);
  equal(of(0, "looking").length, 4);
  const wide = cursorOperations({ ...screen(0), lines: [[["日", 2]]], cursor: { row: 0, column: 0, visible: true, shape: 0 } }, metrics, theme, "typing");
  equal(wide[0], ["fill", "#e8ebf0", 0, 0, 20, 20]);
  equal(cursorOperations({ ...screen(0), cursor: { row: 9, column: 0, visible: true, shape: 0 } }, metrics, theme, "typing"), []);
});

test("golden: marks lie over grounds and under text", () => {
  equal(rowOf([["abc", 3, null, 4]], { marks: [[1, 2, "#111111"]] }), [["fill", "#6ea3ea", 0, 0, 30, 20], ["fill", "#111111", 10, 0, 10, 20], ["text", "#d7dbe2", 0, 0, 15, "abc", 3, 30]]);
});

test("golden: a link is underlined by dots", () => {
  equal(rowOf([["go", 2, null, null, 0, "https://example.com"]]).at(-1), ["line", "#8fb8f5", 1, [0, 17.5, 20, 17.5], [1, 2]]);
});

test("keys send what xterm's tables say", () => {
  const key = (name, more = {}, modes = {}) => keyText({ key: name, shiftKey: false, altKey: false, ctrlKey: false, metaKey: false, ...more }, modes);
  equal([key("a"), key("é"), key("Enter"), key("Backspace"), key("Tab"), key("Escape")], ["a", "é", "\r", "\x7f", "\t", "\x1b"]);
  equal([key("Tab", { shiftKey: true }), key("c", { ctrlKey: true }), key(" ", { ctrlKey: true }), key("x", { altKey: true })], ["\x1b[Z", "\x03", "\0", "\x1bx"]);
  equal([key("ArrowUp"), key("ArrowUp", {}, { application_cursor_keys: true }), key("ArrowLeft", { ctrlKey: true })], ["\x1b[A", "\x1bOA", "\x1b[1;5D"]);
  equal([key("F1"), key("F5"), key("PageUp"), key("Delete", { shiftKey: true }), key("Home")], ["\x1bOP", "\x1b[15~", "\x1b[5~", "\x1b[3;2~", "\x1b[H"]);
  equal([key("v", { metaKey: true }), key("Shift"), key("Dead"), key("a", { isComposing: true })], [null, null, null, null]);
  equal([key("@", { ctrlKey: true, altKey: true })], ["@"]);
  equal([key("Escape", {}, { kitty_keyboard: 1 }), key("Enter", { shiftKey: true }, { kitty_keyboard: 1 }), key("i", { ctrlKey: true }, { kitty_keyboard: 1 })], ["\x1b[27u", "\x1b[13;2u", "\x1b[105;5u"]);
});

test("the mouse says only what the program asked for", () => {
  const at = { button: 0, buttons: 1, row: 4, column: 9, x: 95, y: 88, shift: false, alt: false, ctrl: false };
  equal(mouseText("down", at, {}), null);
  equal([mouseText("down", at, { mouse: 2, mouse_encoding: 2 }), mouseText("up", at, { mouse: 2, mouse_encoding: 2 })], ["\x1b[<0;10;5M", "\x1b[<0;10;5m"]);
  equal([mouseText("move", at, { mouse: 2, mouse_encoding: 2 }), mouseText("move", at, { mouse: 3, mouse_encoding: 2 }), mouseText("move", { ...at, buttons: 0 }, { mouse: 3 }), mouseText("move", { ...at, buttons: 0 }, { mouse: 4, mouse_encoding: 2 })], [null, "\x1b[<32;10;5M", null, "\x1b[<35;10;5M"]);
  equal([mouseText("down", at, { mouse: 2 }), mouseText("up", at, { mouse: 2 }), mouseText("down", { ...at, column: 200 }, { mouse: 2 })], ["\x1b[M *%", "\x1b[M#*%", null]);
  equal([mouseText("wheel", { ...at, button: 64 }, { mouse: 2, mouse_encoding: 2 }), mouseText("up", at, { mouse: 1 }), mouseText("down", { ...at, ctrl: true }, { mouse: 2, mouse_encoding: 4 })], ["\x1b[<64;10;5M", null, "\x1b[<16;96;89M"]);
});

test("a selection is text by cells: wide characters whole, blanks at the end gone", () => {
  const screen = applied(emptyScreen(), keyframe([[["one  ", 5]], [["日本", 4], ["x", 1]], [["end", 3]]]));
  equal(selectedText(screen, { anchor: { row: 0, column: 1 }, head: { row: 2, column: 2 } }), "ne\n日本x\nen");
  equal(selectedText(screen, { anchor: { row: 1, column: 5 }, head: { row: 1, column: 3 } }), "本x");
  equal(selectedText(screen, null), "");
  const words = applied(emptyScreen(), keyframe([[["cd /usr/local-x (y)", 19]]]));
  equal(selectedText(words, wordAt(words, { row: 0, column: 6 })), "/usr/local-x");
});

test("finding on the screen knows columns, and capitals only when asked", () => {
  const screen = applied(emptyScreen(), keyframe([[["日本 Error error", 0]], [["an ERROR", 8]]].map(([[text, width]]) => text.startsWith("日") ? [["日本", 4], [" Error error", 12]] : [[text, width]])));
  equal(matches(screen, "error"), [{ row: 0, from: 5, to: 10 }, { row: 0, from: 11, to: 16 }, { row: 1, from: 3, to: 8 }]);
  equal(matches(screen, "Error"), [{ row: 0, from: 5, to: 10 }]);
  equal(matches(screen, "本"), [{ row: 0, from: 2, to: 4 }]);
  equal(matches(screen, ""), []);
});

test("links are found, also where they are only written", () => {
  const screen = applied(emptyScreen(), keyframe([[["see https://example.com/x, or ", 30], ["here", 4, null, null, 0, "https://other.example"]]], { columns: 40 }));
  equal([linkAt(screen, { row: 0, column: 6 }), linkAt(screen, { row: 0, column: 25 }), linkAt(screen, { row: 0, column: 31 }), linkAt(screen, { row: 0, column: 0 })], ["https://example.com/x", null, "https://other.example", null]);
});
