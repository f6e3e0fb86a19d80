// Time along a line: where a moment stands, with idle spans folded to a fixed width. Values in, values out.

/**
 * @param idle `{ from, to }` in milliseconds, in order
 * @returns `{ pieces: [{ from, to, x0, x1, folded }], x(time), time(x) }`
 */
export function timeScale(first, last, width, { idle = [], foldedWidth = 36 } = {}) {
  const end = Math.max(last, first + 1);
  const spans = idle.map(({ from, to }) => ({ from: Math.max(first, from), to: Math.min(end, to) })).filter(span => span.to > span.from);
  // The longest spans are worth folding; together they take at most two fifths of the width, and each saves more than it costs.
  const total = end - first, most = Math.floor(width * 0.4 / foldedWidth);
  // What is left gets wider with each fold, so shorter spans may then be worth one too.
  const longest = new Set();
  let left = total;
  for (const span of [...spans].sort((a, b) => (b.to - b.from) - (a.to - a.from))) {
    const length = span.to - span.from;
    if (longest.size >= most || length / left * (width - longest.size * foldedWidth) <= foldedWidth * 1.25) break;
    longest.add(span);
    left -= length;
  }
  const folds = spans.filter(span => longest.has(span));
  const awake = total - folds.reduce((sum, span) => sum + span.to - span.from, 0);
  const room = Math.max(1, width - folds.length * foldedWidth);
  // Nothing but idleness: then it is the line.
  const perMs = awake > 0 ? room / awake : 0;
  const pieces = [];
  let at = first, x = 0;
  const add = (to, folded) => {
    if (to <= at) return;
    const size = folded ? (awake > 0 ? foldedWidth : width / folds.length) : (to - at) * perMs;
    pieces.push({ from: at, to, x0: x, x1: x + size, folded });
    at = to;
    x += size;
  };
  for (const span of folds) { add(span.from, false); add(span.to, true); }
  add(end, false);
  const within = (list, value, low, high) => {
    let from = 0, to = list.length - 1;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (value > list[middle][high]) from = middle + 1; else to = middle;
    }
    return list[from];
  };
  return {
    first, last: end, width, pieces,
    x(time) {
      const clamped = Math.max(first, Math.min(end, time)), piece = within(pieces, clamped, "from", "to");
      return piece.x0 + (clamped - piece.from) / (piece.to - piece.from) * (piece.x1 - piece.x0);
    },
    time(x) {
      const clamped = Math.max(0, Math.min(width, x)), piece = within(pieces, clamped, "x0", "x1");
      return piece.from + (clamped - piece.x0) / Math.max(1e-9, piece.x1 - piece.x0) * (piece.to - piece.from);
    },
  };
}

/** Entries that would stand on one another become one: `{ x, entries }`. */
export function gathered(entries, scale, gap = 12) {
  const groups = [];
  for (const entry of entries) {
    const x = scale.x(entry.ms), last = groups.at(-1);
    if (last && x - last.x < gap) last.entries.push(entry);
    else groups.push({ x, entries: [entry] });
  }
  return groups;
}

/** Heights 0…1 for each pixel column of a density, made of buckets of equal time over `from`…`to`. */
export function densityColumns(density, from, to, scale, step = 2) {
  const columns = new Float64Array(Math.ceil(scale.width / step));
  const most = Math.max(1, ...density.map(Math.log1p));
  for (let i = 0; i < columns.length; i++) {
    const a = scale.time(i * step), b = scale.time((i + 1) * step);
    const first = Math.floor((a - from) / (to - from) * density.length), last = Math.floor((b - from) / (to - from) * density.length);
    let value = 0;
    for (let j = Math.max(0, first); j <= Math.min(density.length - 1, last); j++) value = Math.max(value, density[j]);
    columns[i] = Math.log1p(value) / most;
  }
  return columns;
}
