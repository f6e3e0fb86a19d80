// Characters that must join with their neighbours, as vectors: box drawing (U+2500–257F), blocks (2580–259F), braille
// (2800–28FF), sextants (1FB00–1FB3B), the triangles of status lines (E0B0–E0B3), and the few signs of agents that common
// monospace fonts lack (23BF, 23F5, 23F8–23FA). No DOM.
//
// Shapes in whole device pixels within one cell: { fill: [x, y, w, h, alpha?] }, { line: [thickness, x, y, x, y, …], arc? }, { area: [x, y, …] }.

// Arms of U+2500…257F: left, right, up, down; 0 none, 1 light, 2 heavy, 3 double; letters stand for shapes of their own.
const arms = (
  "1100 2200 0011 0022 h13 h23 v13 v23 h14 h24 v14 v24 0101 0201 0102 0202 1001 2001 1002 2002 0110 0210 0120 0220 1010 2010 1020 2020 " +
  "0111 0211 0121 0112 0122 0221 0212 0222 1011 2011 1021 1012 1022 2021 2012 2022 1101 2101 1201 2201 1102 2102 1202 2202 " +
  "1110 2110 1210 2210 1120 2120 1220 2220 1111 2111 1211 2211 1121 1112 1122 2121 1221 2112 1212 2221 2212 2122 1222 2222 " +
  "h12 h22 v12 v22 3300 0033 0301 0103 0303 3001 1003 3003 0310 0130 0330 3010 1030 3030 0311 0133 0333 3011 1033 3033 " +
  "3301 1103 3303 3310 1130 3330 3311 1133 3333 cRD cLD cLU cRU d/ d\\ dx 1000 0010 0100 0001 2000 0020 0200 0002 1200 0012 2100 0021"
).split(" ");

/** The shapes of a character in a cell of `w` by `h` pixels with lines `thin` pixels thick; null for characters that a font draws. */
export function boxShapes(character, w, h, thin) {
  const code = character.codePointAt(0);
  if (code >= 0x2500 && code <= 0x257f) return boxDrawing(arms[code - 0x2500], w, h, thin);
  if (code >= 0x2580 && code <= 0x259f) return block(code, w, h);
  if (code >= 0x2800 && code <= 0x28ff) return braille(code - 0x2800, w, h);
  if (code >= 0x1fb00 && code <= 0x1fb3b) return sextant(code - 0x1fb00, w, h);
  if (code === 0x23bf || (code >= 0x23f5 && code <= 0x23fa)) return sign(code, w, h, thin);
  if (code >= 0xe0b0 && code <= 0xe0b3) return triangle(code, w, h, thin);
  return null;
}

function boxDrawing(arms, w, h, thin) {
  const middleX = Math.floor((w - thin) / 2), middleY = Math.floor((h - thin) / 2);
  const kind = arms[0];
  if (kind === "h" || kind === "v") {
    const thick = arms[1] === "2" ? thin * 2 : thin, count = Number(arms[2]), shapes = [];
    const length = kind === "h" ? w : h;
    for (let i = 0; i < count; i++) {
      const from = Math.round(length * i / count), to = Math.round(length * (i + 1) / count);
      const gap = Math.max(1, Math.round((to - from) * 0.3));
      const at = Math.floor(((kind === "h" ? h : w) - thick) / 2), start = from + (gap >> 1), size = Math.max(1, to - from - gap);
      shapes.push({ fill: kind === "h" ? [start, at, size, thick] : [at, start, thick, size] });
    }
    return shapes;
  }
  if (kind === "c") {
    const x = middleX + thin / 2, y = middleY + thin / 2, radius = Math.min(w, h) / 2;
    const dx = arms[1] === "R" ? 1 : -1, dy = arms[2] === "D" ? 1 : -1;
    const edgeX = dx > 0 ? w : 0, edgeY = dy > 0 ? h : 0;
    return [{ arc: [thin, edgeX, y, x + dx * radius, y, x, y, x, y + dy * radius, x, edgeY] }];
  }
  if (kind === "d") {
    const shapes = [];
    if (arms[1] !== "\\") shapes.push({ line: [thin, w, 0, 0, h] });
    if (arms[1] !== "/") shapes.push({ line: [thin, 0, 0, w, h] });
    return shapes;
  }
  const [left, right, up, down] = [...arms].map(Number);
  return [
    ...arm(left, right, up, down, middleX, middleY, w, h, thin, false, false), ...arm(right, left, up, down, middleX, middleY, w, h, thin, true, false),
    ...arm(up, down, left, right, middleY, middleX, h, w, thin, false, true), ...arm(down, up, left, right, middleY, middleX, h, w, thin, true, true),
  ];
}

/**
 * One arm, as if it lay along x: from the cell's edge to where it meets the others.
 * `along` and `across` are where a light line would begin in either direction; `far` arms come from the far edge.
 */
function arm(style, opposite, before, after, along, across, length, breadth, thin, far, turned) {
  if (style === 0) return [];
  const thickness = kind => kind === 2 ? thin * 2 : thin;
  const startOf = kind => kind === 2 ? Math.floor((length - thin * 2) / 2) : along;
  // Where the arm ends, in pixels along it, by what it meets on one side and on the other.
  const end = (near, other) => {
    const meets = near !== 0 ? near : other;
    if (near === 3) return far ? along + thin : along;
    if (near === 0 && other === 3) return far ? along - thin : along + thin * 2;
    if (meets === 0) return far ? along : along + (opposite === 0 ? thin : 0);
    return far ? startOf(meets) : startOf(meets) + thickness(meets);
  };
  const rectangle = (at, thick, to) => {
    const from = far ? Math.max(0, to) : 0, size = far ? length - from : Math.min(length, to);
    return { fill: turned ? [at, from, thick, size] : [from, at, size, thick] };
  };
  if (style === 3) {
    return [rectangle(across - thin, thin, end(before, after)), rectangle(across + thin, thin, end(after, before))];
  }
  const thick = thickness(style), at = style === 2 ? Math.floor((breadth - thick) / 2) : across;
  let to;
  if (before === 3 && after === 3) to = opposite ? (far ? along : along + thin) : far ? along + thin : along;
  else if (before === 3 || after === 3) to = opposite ? (far ? along : along + thin) : far ? along - thin : along + thin * 2;
  else {
    const most = Math.max(before, after);
    to = most === 0 ? (far ? along : along + thin) : far ? startOf(most) : startOf(most) + thickness(most);
  }
  return [rectangle(at, thick, to)];
}

function block(code, w, h) {
  const eighth = (size, count) => Math.round(size * count / 8);
  const halfW = Math.round(w / 2), halfH = Math.round(h / 2);
  if (code === 0x2580) return [{ fill: [0, 0, w, halfH] }];
  if (code <= 0x2588) { const size = code === 0x2588 ? h : code === 0x2584 ? h - halfH : eighth(h, code - 0x2580); return [{ fill: [0, h - size, w, size] }]; }
  if (code <= 0x258f) return [{ fill: [0, 0, code === 0x258c ? halfW : Math.max(1, eighth(w, 0x2590 - code)), h] }];
  if (code === 0x2590) return [{ fill: [halfW, 0, w - halfW, h] }];
  if (code <= 0x2593) return [{ fill: [0, 0, w, h, (code - 0x2590) / 4] }];
  if (code === 0x2594) return [{ fill: [0, 0, w, Math.max(1, eighth(h, 1))] }];
  if (code === 0x2595) { const size = Math.max(1, eighth(w, 1)); return [{ fill: [w - size, 0, size, h] }]; }
  // Upper left, upper right, lower left, lower right.
  const quarters = [4, 8, 1, 13, 9, 7, 11, 2, 6, 14][code - 0x2596];
  return grid(quarters, 2, [0, halfW, w], [0, halfH, h]);
}

function grid(bits, columns, xs, ys) {
  const shapes = [];
  for (let row = 0; row + 1 < ys.length; row++) {
    for (let column = 0; column < columns; column++) {
      if (bits & (1 << (row * columns + column))) shapes.push({ fill: [xs[column], ys[row], xs[column + 1] - xs[column], ys[row + 1] - ys[row]] });
    }
  }
  return shapes;
}

function sextant(index, w, h) {
  let bits = index + 1;
  if (bits >= 21) bits++;
  if (bits >= 42) bits++;
  return grid(bits, 2, [0, Math.round(w / 2), w], [0, Math.round(h / 3), Math.round(h * 2 / 3), h]);
}

function braille(bits, w, h) {
  const places = [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2], [0, 3], [1, 3]];
  const size = Math.max(1, Math.round(Math.min(w / 4, h / 8)));
  return places.flatMap(([x, y], bit) => bits & (1 << bit)
    ? [{ fill: [Math.round(w * (x * 2 + 1) / 4 - size / 2), Math.round(h * (y * 2 + 1) / 8 - size / 2), size, size] }] : []);
}

/** ⎿ the corner before a result; ⏵ ⏸ ⏹ ⏺ as on a recorder. */
function sign(code, w, h, thin) {
  const x = Math.floor((w - thin) / 2), size = Math.min(w, h) * 0.84, left = (w - size) / 2, top = (h - size) / 2;
  switch (code) {
    case 0x23bf: return [{ fill: [x, 0, thin, Math.floor(h / 2) + thin] }, { fill: [x, Math.floor(h / 2), w - x, thin] }];
    case 0x23f5: return [{ area: [left, top, left + size, h / 2, left, top + size] }];
    case 0x23f8: return [{ fill: [Math.round(left), Math.round(top), Math.max(1, Math.round(size * 0.34)), Math.round(size)] }, { fill: [Math.round(left + size * 0.66), Math.round(top), Math.max(1, Math.round(size * 0.34)), Math.round(size)] }];
    case 0x23f9: return [{ fill: [Math.round(left), Math.round(top), Math.round(size), Math.round(size)] }];
    case 0x23fa: return [{ area: Array.from({ length: 24 }, (_, i) => [w / 2 + Math.cos(i / 12 * Math.PI) * size / 2, h / 2 + Math.sin(i / 12 * Math.PI) * size / 2]).flat() }];
    default: return null;
  }
}

function triangle(code, w, h, thin) {
  const right = code === 0xe0b0 || code === 0xe0b1, points = right ? [0, 0, w, h / 2, 0, h] : [w, 0, 0, h / 2, w, h];
  return code === 0xe0b0 || code === 0xe0b2 ? [{ area: points }] : [{ line: [thin, ...points] }];
}
