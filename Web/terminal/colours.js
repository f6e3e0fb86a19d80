// Colours of terminals: the palette of 256, and what an attribute does to them. No DOM.

/** Terminals stay dark in both themes: that is what the programs in them were told. */
export const terminalTheme = {
  background: "#0b0e13", foreground: "#d7dbe2", cursor: "#e8ebf0", cursorText: "#0b0e13", selection: "#2f4468", match: "#5a4a12",
  matchNow: "#a97f12", link: "#8fb8f5",
};

const base = [
  "#2a2f38", "#e5736b", "#7dbb78", "#d8a657", "#6ea3ea", "#c38add", "#62b5c0", "#c4c9d1",
  "#6b7483", "#f4938b", "#9bd395", "#ecc27a", "#92bff6", "#d9a9ee", "#85d0d9", "#f3f5f8",
];

export const palette = (() => {
  const all = base.slice(), steps = [0, 95, 135, 175, 215, 255];
  for (let i = 0; i < 216; i++) all.push(hex(steps[(i / 36) | 0], steps[((i / 6) | 0) % 6], steps[i % 6]));
  for (let i = 0; i < 24; i++) all.push(hex(8 + i * 10, 8 + i * 10, 8 + i * 10));
  return all;
})();

function hex(...parts) {
  return "#" + parts.map(part => Math.round(part).toString(16).padStart(2, "0")).join("");
}

/** A colour as the view protocol writes it (null, palette index, "#rrggbb"), or `standard`. */
export function colour(value, standard) {
  if (value == null) return standard;
  return typeof value === "number" ? palette[value] ?? standard : value;
}

/** So much of `a` over `b`, both "#rrggbb". */
export function mix(a, b, part) {
  const x = parse(a), y = parse(b);
  return hex(...x.map((value, index) => value * part + y[index] * (1 - part)));
}

const parse = text => [1, 3, 5].map(at => parseInt(text.slice(at, at + 2), 16) || 0);

export const BOLD = 1, DIM = 2, ITALIC = 4, BLINK = 8, INVERSE = 16, HIDDEN = 32, STRIKE = 64, OVERLINE = 128;
/** 0 none, 1 single, 2 double, 3 curly, 4 dotted, 5 dashed. */
export const underlineOf = flags => (flags >> 8) & 7;

/** The colours a run is painted with: `{ text, ground }`; `ground` is null where it is the terminal's own. */
export function runColours(run, theme, reverseScreen = false) {
  const flags = run[4] ?? 0;
  let text = colour(run[2], reverseScreen ? theme.background : theme.foreground);
  let ground = colour(run[3], reverseScreen ? theme.foreground : null);
  if (flags & INVERSE) [text, ground] = [ground ?? theme.background, text];
  if (flags & DIM) text = mix(text, ground ?? theme.background, 0.6);
  return { text, ground };
}
