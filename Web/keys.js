// What a key sends, as terminals do (xterm's tables).

const cursor = { ArrowUp: "A", ArrowDown: "B", ArrowRight: "C", ArrowLeft: "D", Home: "H", End: "F" };
const tilde = { Insert: 2, Delete: 3, PageUp: 5, PageDown: 6, F5: 15, F6: 17, F7: 18, F8: 19, F9: 20, F10: 21, F11: 23, F12: 24 };
const plain = { Enter: "\r", Backspace: "\x7f", Tab: "\t", Escape: "\x1b" };
const functions = { F1: "P", F2: "Q", F3: "R", F4: "S" };

export function bytesOf(event, modes = {}) {
  if (event.metaKey || event.isComposing) return null;
  const modifier = 1 + event.shiftKey + 2 * event.altKey + 4 * event.ctrlKey;
  const { key } = event;
  if (key === "Tab" && event.shiftKey) return "\x1b[Z";
  if (cursor[key]) return modifier > 1 ? `\x1b[1;${modifier}${cursor[key]}` : (modes.application_cursor_keys ? "\x1bO" : "\x1b[") + cursor[key];
  if (functions[key]) return modifier > 1 ? `\x1b[1;${modifier}${functions[key]}` : "\x1bO" + functions[key];
  if (tilde[key]) return modifier > 1 ? `\x1b[${tilde[key]};${modifier}~` : `\x1b[${tilde[key]}~`;
  let text = plain[key];
  if (text == null && [...key].length === 1) {
    text = key;
    if (event.ctrlKey) {
      const code = key.toUpperCase().charCodeAt(0);
      if (code >= 0x40 && code <= 0x5f) text = String.fromCharCode(code & 0x1f);
      else if (key === " " || key === "2") text = "\0";
      else if (key === "?") text = "\x7f";
      else return null;
    }
  }
  if (text == null) return null;
  return event.altKey ? "\x1b" + text : text;
}
