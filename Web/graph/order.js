// In which order nodes stand within their layers, so that few edges cross. Values in, values out; the same input gives the same order.

/**
 * @param layers lists of ids; layer 0 is one end
 * @param edges pairs of ids; those within one layer only draw their ends together
 * @returns the layers, ordered
 */
export function ordered(layers, edges) {
  const layerOf = new Map();
  layers.forEach((ids, layer) => { for (const id of ids) layerOf.set(id, layer); });
  // An edge over several layers goes through places of its own in those between.
  const full = layers.map(ids => [...ids]), up = new Map(), down = new Map(), beside = new Map();
  const tie = (map, from, to) => { if (map.has(from)) map.get(from).push(to); else map.set(from, [to]); };
  const known = new Set();
  for (const [one, other] of edges) {
    const [from, to] = layerOf.get(one) <= layerOf.get(other) ? [one, other] : [other, one], key = `${from} ${to}`;
    if (known.has(key)) continue;
    known.add(key);
    const first = layerOf.get(from), last = layerOf.get(to);
    if (first === last) { tie(beside, from, to); tie(beside, to, from); continue; }
    let before = from;
    for (let layer = first + 1; layer <= last; layer++) {
      const here = layer === last ? to : `${key} ${layer}`;
      if (layer < last) full[layer].push(here);
      tie(up, before, here);
      tie(down, here, before);
      before = here;
    }
  }
  let best = full.map(ids => [...ids]), least = crossings(best, up);
  let present = best.map(ids => [...ids]);
  for (let sweep = 0; sweep < 12 && least > 0; sweep++) {
    const goesUp = sweep % 2 === 0;
    for (let step = 0; step < present.length; step++) {
      const layer = goesUp ? step : present.length - 1 - step;
      present[layer] = byMiddle(present[layer], place(present[layer + (goesUp ? -1 : 1)]), goesUp ? down : up, beside);
    }
    transpose(present, up, down);
    const count = crossings(present, up);
    if (count < least) { least = count; best = present.map(ids => [...ids]); }
  }
  return best.map(ids => ids.filter(id => layerOf.has(id)));
}

const place = ids => new Map((ids ?? []).map((id, index) => [id, index]));

/** A layer by the middle of each one's neighbours in the layer that stands; who has none stays about where it is. */
function byMiddle(ids, fixed, neighbours, beside) {
  const own = place(ids);
  const middle = id => {
    const rows = (neighbours.get(id) ?? []).map(other => fixed.get(other)).filter(row => row != null);
    const near = (beside.get(id) ?? []).map(other => own.get(other) * Math.max(1, fixed.size) / Math.max(1, ids.length));
    const all = rows.length ? rows : near;
    return all.length ? all.reduce((a, b) => a + b, 0) / all.length : own.get(id) * Math.max(1, fixed.size) / Math.max(1, ids.length);
  };
  const middles = new Map(ids.map(id => [id, middle(id)]));
  return [...ids].sort((a, b) => middles.get(a) - middles.get(b) || own.get(a) - own.get(b));
}

/** Neighbours change places where that makes fewer crossings. */
function transpose(layers, up, down) {
  for (let round = 0, better = true; better && round < 6; round++) {
    better = false;
    layers.forEach((ids, layer) => {
      const above = place(layers[layer + 1]), below = place(layers[layer - 1]);
      for (let i = 0; i + 1 < ids.length; i++) {
        const [a, b] = [ids[i], ids[i + 1]];
        const now = pairCrossings(up.get(a), up.get(b), above) + pairCrossings(down.get(a), down.get(b), below);
        const then = pairCrossings(up.get(b), up.get(a), above) + pairCrossings(down.get(b), down.get(a), below);
        if (then < now) { ids[i] = b; ids[i + 1] = a; better = true; }
      }
    });
  }
}

/** How many edges of `first` and of `second`, which stands after it, cross. */
function pairCrossings(first = [], second = [], rows) {
  let count = 0;
  for (const a of first) for (const b of second) if (rows.get(a) > rows.get(b)) count++;
  return count;
}

/** Crossings between neighbouring layers. */
function crossings(layers, up) {
  let count = 0;
  layers.forEach((ids, layer) => {
    const rows = place(layers[layer + 1]), ends = ids.flatMap(id => (up.get(id) ?? []).map(other => rows.get(other)).filter(row => row != null).sort((a, b) => a - b));
    // Pairs in the wrong order: inserted one by one into a sorted list.
    const sorted = [];
    for (const end of ends) {
      let low = 0, high = sorted.length;
      while (low < high) { const middle = (low + high) >> 1; if (sorted[middle] <= end) low = middle + 1; else high = middle; }
      count += sorted.length - low;
      sorted.splice(low, 0, end);
    }
  });
  return count;
}

/**
 * Whole rows for a layer in its order, as near as can be to where each wants to be (least squares, by pooling neighbours that want
 * to pass one another).
 * @param wanted a row for each, or null where one does not mind
 */
export function rowsNear(wanted) {
  const pools = [];
  let last = 0;
  wanted.forEach((row, index) => {
    const want = (row ?? last) - index;
    last = (row ?? last + 1);
    pools.push({ sum: want, count: 1 });
    while (pools.length > 1 && pools.at(-2).sum / pools.at(-2).count > pools.at(-1).sum / pools.at(-1).count) {
      const { sum, count } = pools.pop();
      pools.at(-1).sum += sum;
      pools.at(-1).count += count;
    }
  });
  const rows = [];
  for (const { sum, count } of pools) for (let i = 0; i < count; i++) rows.push(Math.round(sum / count) + rows.length);
  return rows;
}

/**
 * A small picture made better by hand, as it were: one node at a time goes to the row, or changes with the one there, where fewest lines
 * cross and they are shortest. `places` is changed.
 */
export function improve(places, edges) {
  const ids = [...places.keys()], at = new Map(), key = (column, row) => `${column}/${row}`;
  for (const [id, { column, row }] of places) at.set(key(column, row), id);
  const lowest = Math.max(...[...places.values()].map(({ row }) => row));
  const cost = (...moved) => {
    const mine = edges.filter(([a, b]) => moved.includes(a) || moved.includes(b)), others = edges.filter(([a, b]) => !moved.includes(a) && !moved.includes(b));
    return crossingsBetween(mine, others, places) + straightCrossings(mine, places) + 0.1 * mine.reduce((sum, [a, b]) => sum + Math.abs((places.get(a)?.row ?? 0) - (places.get(b)?.row ?? 0)), 0);
  };
  const put = (id, row) => { const was = places.get(id); places.set(id, { ...was, row }); at.set(key(was.column, row), id); };
  for (let round = 0, better = true; better && round < 4; round++) {
    better = false;
    for (const id of ids) {
      for (let row = 0; row <= lowest; row++) {
        const { column, row: own } = places.get(id);
        if (row === own) continue;
        const there = at.get(key(column, row)), moved = there ? [id, there] : [id], before = cost(...moved);
        at.delete(key(column, own));
        put(id, row);
        if (there) put(there, own);
        if (cost(...moved) < before - 1e-9) { better = true; continue; }
        at.delete(key(column, row));
        put(id, own);
        if (there) put(there, row);
      }
    }
  }
}

/** How many pairs of edges cross when each is a straight line between places `{ column, row }`; edges with a common end do not. */
export function straightCrossings(edges, places) {
  const lines = edges.map(([from, to]) => ({ from, to, a: places.get(from), b: places.get(to) })).filter(({ a, b }) => a && b);
  let count = 0;
  for (let i = 0; i < lines.length; i++) for (let j = i + 1; j < lines.length; j++) if (cross(lines[i], lines[j])) count++;
  return count;
}

/** How many of `some` cross one of `others`. */
export function crossingsBetween(some, others, places) {
  const line = ([from, to]) => ({ from, to, a: places.get(from), b: places.get(to) }), isPlaced = ({ a, b }) => a && b;
  const lines = others.map(line).filter(isPlaced);
  return some.map(line).filter(isPlaced).reduce((count, one) => count + lines.filter(other => cross(one, other)).length, 0);
}

function cross(one, other) {
  if (one.from === other.from || one.from === other.to || one.to === other.from || one.to === other.to) return false;
  const side = (p, q, r) => Math.sign((q.column - p.column) * (r.row - p.row) - (q.row - p.row) * (r.column - p.column));
  return side(one.a, one.b, other.a) * side(one.a, one.b, other.b) < 0 && side(other.a, other.b, one.a) * side(other.a, other.b, one.b) < 0;
}
