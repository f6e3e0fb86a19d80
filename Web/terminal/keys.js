// What keys and the mouse send, as xterm's tables say (https://invisible-island.net/xterm/ctlseqs/ctlseqs.html), and kitty's
// protocol as far as programs need it to tell keys apart (https://sw.kovidgoyal.net/kitty/keyboard-protocol/). No DOM.

const cursorKeys = { ArrowUp: "A", ArrowDown: "B", ArrowRight: "C", ArrowLeft: "D", Home: "H", End: "F" };
const tilde = { Insert: 2, Delete: 3, PageUp: 5, PageDown: 6, F5: 15, F6: 17, F7: 18, F8: 19, F9: 20, F10: 21, F11: 23, F12: 24 };
const plain = { Enter: "\r", Backspace: "\x7f", Tab: "\t", Escape: "\x1b" };
const codes = { Enter: 13, Backspace: 127, Tab: 9, Escape: 27, " ": 32 };
const functions = { F1: "P", F2: "Q", F3: "R", F4: "S" };

/** What a key sends; null when it is none of the terminal's. */
export function keyText(event, modes = {}) {
  if (event.metaKey || event.isComposing || event.key === "Dead" || event.key === "Unidentified" || event.key === "Process") return null;
  const modifier = 1 + event.shiftKey + 2 * event.altKey + 4 * event.ctrlKey;
  const { key } = event;
  if (modes.kitty_keyboard & 1) {
    const text = kitty(event, key, modifier);
    if (text != null) return text;
  }
  if (key === "Tab" && event.shiftKey) return "\x1b[Z";
  if (cursorKeys[key]) return modifier > 1 ? `\x1b[1;${modifier}${cursorKeys[key]}` : (modes.application_cursor_keys ? "\x1bO" : "\x1b[") + cursorKeys[key];
  if (functions[key]) return modifier > 1 ? `\x1b[1;${modifier}${functions[key]}` : "\x1bO" + functions[key];
  if (tilde[key]) return modifier > 1 ? `\x1b[${tilde[key]};${modifier}~` : `\x1b[${tilde[key]}~`;
  let text = plain[key];
  if (text == null && [...key].length === 1) {
    text = key;
    if (event.ctrlKey) {
      // AltGr is Control and Alt to some keyboards; what it writes is text.
      if (event.altKey && !/[a-zA-Z]/.test(key)) return key;
      const code = key.toUpperCase().charCodeAt(0);
      if (code >= 0x40 && code <= 0x5f) text = String.fromCharCode(code & 0x1f);
      else if (key === " " || key === "2") text = "\0";
      else if (key === "/") text = "\x1f";
      else if (key === "?") text = "\x7f";
      else return null;
    }
  }
  if (text == null) return null;
  if (key === "Backspace" && event.ctrlKey) text = "\b";
  return event.altKey ? "\x1b" + text : text;
}

/** Keys that look alike otherwise, told apart. */
function kitty(event, key, modifier) {
  if (key === "Escape") return modifier > 1 ? `\x1b[27;${modifier}u` : "\x1b[27u";
  if (codes[key] && key !== " ") return modifier > 1 ? `\x1b[${codes[key]};${modifier}u` : null;
  if ([...key].length === 1 && (event.ctrlKey || event.altKey)) return `\x1b[${key.toLowerCase().codePointAt(0)};${modifier}u`;
  return null;
}

const OFF = 0, X10 = 1, BUTTON = 3, ANY = 4;
const SGR = 2, URXVT = 3, SGR_PIXELS = 4;

/**
 * What the mouse sends; null when the program does not ask for it.
 * @param kind "down", "up", "move", "wheel"
 * @param event `{ button, buttons, row, column, x, y, shift, alt, ctrl }`; button: 0 left, 1 middle, 2 right; wheel: 64 up, 65 down
 */
export function mouseText(kind, event, modes = {}) {
  const tracking = modes.mouse ?? OFF, encoding = modes.mouse_encoding ?? 0;
  if (tracking === OFF) return null;
  if (tracking === X10 && kind !== "down") return null;
  if (kind === "move" && !(tracking === ANY || (tracking === BUTTON && event.buttons))) return null;
  let button = event.button;
  if (kind === "move") button = 32 + (event.buttons & 1 ? 0 : event.buttons & 4 ? 1 : event.buttons & 2 ? 2 : 3);
  if (tracking !== X10) button += (event.shift ? 4 : 0) + (event.alt ? 8 : 0) + (event.ctrl ? 16 : 0);
  const [column, row] = encoding === SGR_PIXELS ? [event.x + 1, event.y + 1] : [event.column + 1, event.row + 1];
  if (encoding === SGR || encoding === SGR_PIXELS) return `\x1b[<${button};${column};${row}${kind === "up" ? "m" : "M"}`;
  if (kind === "up") button = (button & ~3) | 3;
  if (encoding === URXVT) return `\x1b[${button + 32};${column};${row}M`;
  // Places beyond 95 would not be one byte of UTF-8; the old encoding cannot say them.
  if (column > 94 || row > 94) return null;
  return "\x1b[M" + String.fromCharCode(button + 32, column + 32, row + 32);
}
