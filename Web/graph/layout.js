// Where the nodes of the topology stand: layers from left to right by who waits on whom, so that whoever holds up the others is
// at the right edge. Values in, values out; positions of before are kept.
import { crossingsBetween, improve, ordered, rowsNear } from "./order.js";

/**
 * @param nodes ids; @param waits `[from, to]`: from waits on to; @param ties other pairs that belong together (bindings)
 * @param before positions of the last layout, `Map` of id → `{ fromRight, row, rows }`
 * @returns `{ places: Map of id → { column, row }, columns, rows, loose: ids without any tie }`; columns count from the left
 */
export function layout(nodes, waits, ties = [], before = new Map()) {
  const known = new Set(nodes);
  const edges = waits.filter(([from, to]) => known.has(from) && known.has(to) && from !== to);
  const pairs = ties.filter(([from, to]) => known.has(from) && known.has(to) && from !== to);
  const tied = new Set([...edges, ...pairs].flat());
  const loose = nodes.filter(id => !tied.has(id));
  const depth = depths(nodes.filter(id => tied.has(id)), edges, pairs);
  const deepest = Math.max(0, ...depth.values());
  const places = new Map(), taken = new Set();
  const place = (id, column, row) => { places.set(id, { column, row }); taken.add(`${column}/${row}`); };
  const columnOf = id => deepest - depth.get(id);
  // Who stays in its column keeps its row; who comes back to one takes the row it had there, if that is free.
  let rest = [];
  const keep = (ids, rowOf) => {
    for (const id of ids) {
      const row = rowOf(before.get(id), depth.get(id));
      if (row != null && !taken.has(`${columnOf(id)}/${row}`)) place(id, columnOf(id), row); else rest.push(id);
    }
  };
  keep(depth.keys(), (was, layer) => was?.fromRight === layer ? was.row : null);
  const moved = rest;
  rest = [];
  keep(moved, (was, layer) => was?.rows?.[layer]);
  const all = [...edges, ...pairs];
  if (places.size === 0) {
    // Nothing stands yet: all of it in the order that crosses least, and each near those it is tied to.
    const layers = Array.from({ length: deepest + 1 }, () => []);
    for (const id of [...depth.keys()].sort()) layers[depth.get(id)].push(id);
    const neighbours = neighboursOf(all), rows = new Map(), order = ordered(layers, all);
    for (const from of [0, 1, 2]) {
      (from === 1 ? [...order].reverse() : order).forEach(ids => {
        const wanted = ids.map(id => middle((neighbours.get(id) ?? []).filter(other => depth.get(other) !== depth.get(id)).map(other => rows.get(other)).filter(row => row != null)));
        rowsNear(wanted).forEach((row, index) => rows.set(ids[index], row));
      });
    }
    const low = Math.min(...rows.values());
    for (const [id, row] of rows) place(id, columnOf(id), row - low);
    if (all.length <= 50 && places.size) improve(places, all);
  } else {
    // The others go where they cross least and are near those they are tied to, from the right to the left.
    const neighbours = neighboursOf(all);
    rest.sort((a, b) => columnOf(b) - columnOf(a) || a.localeCompare(b));
    for (const id of rest) {
      const column = columnOf(id), mine = all.filter(edge => edge.includes(id)), others = all.filter(edge => !edge.includes(id));
      const wanted = before.get(id)?.row ?? middle((neighbours.get(id) ?? []).map(other => places.get(other)?.row).filter(row => row != null)) ?? 0;
      const lowest = Math.max(0, ...[...places.values()].map(at => at.row)) + 1;
      let best = null;
      for (let row = 0; row <= lowest; row++) {
        if (taken.has(`${column}/${row}`)) continue;
        const trial = new Map(places).set(id, { column, row });
        const cost = crossingsBetween(mine, others, trial) + Math.abs(row - wanted) * 0.4;
        if (best == null || cost < best.cost) best = { row, cost };
      }
      place(id, column, best.row);
    }
  }
  for (const [id, at] of places) { at.fromRight = depth.get(id); at.rows = { ...before.get(id)?.rows, [at.fromRight]: at.row }; }
  return { places, columns: deepest + (depth.size ? 1 : 0), rows: Math.max(0, ...[...places.values()].map(at => at.row + 1)), loose };
}

const middle = rows => rows.length ? rows.reduce((a, b) => a + b, 0) / rows.length : null;

function neighboursOf(edges) {
  const neighbours = new Map();
  for (const [a, b] of edges) for (const [one, other] of [[a, b], [b, a]]) { if (neighbours.has(one)) neighbours.get(one).push(other); else neighbours.set(one, [other]); }
  return neighbours;
}

/** How far each node is from those that wait on nobody; members of a cycle stand beside one another. */
function depths(nodes, edges, pairs) {
  const out = new Map(nodes.map(id => [id, []]));
  for (const [from, to] of edges) out.get(from).push(to);
  const { group } = components(nodes, out);
  const memo = new Map();
  const groupOut = new Map();
  for (const [from, to] of edges) {
    if (group.get(from) === group.get(to)) continue;
    groupOut.set(group.get(from), [...(groupOut.get(group.get(from)) ?? []), group.get(to)]);
  }
  const depthOf = start => {
    // Without recursion: chains may be long.
    const stack = [start];
    while (stack.length) {
      const id = stack.at(-1), targets = groupOut.get(id) ?? [], missing = targets.filter(target => !memo.has(target));
      if (missing.length) { stack.push(...missing); continue; }
      memo.set(id, targets.length ? 1 + Math.max(...targets.map(target => memo.get(target))) : 0);
      stack.pop();
    }
    return memo.get(start);
  };
  const result = new Map();
  const inGroup = new Map();
  for (const id of nodes) inGroup.set(group.get(id), [...(inGroup.get(group.get(id)) ?? []), id]);
  for (const id of nodes) result.set(id, depthOf(group.get(id)));
  // Waiting on nobody and waited on by nobody: one step left of what it is bound to.
  const waiting = new Set(edges.flat());
  for (const [from, to] of pairs) if (!waiting.has(from) && result.get(from) <= result.get(to)) result.set(from, result.get(to) + 1);
  return result;
}

/** Strongly connected components (Tarjan), without recursion. */
export function components(nodes, out) {
  const index = new Map(), low = new Map(), onStack = new Set(), stack = [], group = new Map(), groups = [];
  let counter = 0;
  for (const root of nodes) {
    if (index.has(root)) continue;
    const work = [[root, 0]];
    while (work.length) {
      const frame = work.at(-1), [id] = frame;
      if (frame[1] === 0) { index.set(id, counter); low.set(id, counter++); stack.push(id); onStack.add(id); }
      const targets = out.get(id) ?? [];
      let went = false;
      while (frame[1] < targets.length) {
        const target = targets[frame[1]++];
        if (!index.has(target)) { work.push([target, 0]); went = true; break; }
        if (onStack.has(target)) low.set(id, Math.min(low.get(id), index.get(target)));
      }
      if (went) continue;
      if (frame[1] === 0) frame[1] = 1;
      if (low.get(id) === index.get(id)) {
        const members = [];
        let member;
        do { member = stack.pop(); onStack.delete(member); group.set(member, groups.length); members.push(member); } while (member !== id);
        groups.push(members);
      }
      work.pop();
      const parent = work.at(-1);
      if (parent) low.set(parent[0], Math.min(low.get(parent[0]), low.get(id)));
    }
  }
  return { group, groups };
}
