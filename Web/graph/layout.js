// Where the nodes of the topology stand: layers from left to right by who waits on whom, so that whoever holds up the others is
// at the right edge. Values in, values out; positions of before are kept.

/**
 * @param nodes ids; @param waits `[from, to]`: from waits on to; @param ties other pairs that belong together (bindings)
 * @param before positions of the last layout, `Map` of id → `{ column, row }`
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
  // Who stays in its column keeps its row.
  const rest = [];
  for (const id of depth.keys()) {
    const was = before.get(id), column = columnOf(id);
    if (was && was.fromRight === deepest - column && !taken.has(`${column}/${was.row}`)) place(id, column, was.row); else rest.push(id);
  }
  // The others go near the middle of those they are tied to, from the right to the left.
  const neighbours = new Map();
  for (const [a, b] of [...edges, ...pairs]) for (const [one, other] of [[a, b], [b, a]]) neighbours.set(one, [...(neighbours.get(one) ?? []), other]);
  rest.sort((a, b) => columnOf(b) - columnOf(a) || a.localeCompare(b));
  for (const id of rest) {
    const column = columnOf(id), rows = (neighbours.get(id) ?? []).map(other => places.get(other)?.row).filter(row => row != null);
    const wanted = before.get(id)?.row ?? (rows.length ? Math.round(rows.reduce((a, b) => a + b, 0) / rows.length) : 0);
    for (let step = 0; ; step++) {
      const row = wanted + (step % 2 ? (step + 1) / 2 : -step / 2);
      if (row >= 0 && !taken.has(`${column}/${row}`)) { place(id, column, row); break; }
    }
  }
  for (const [id, at] of places) at.fromRight = depth.get(id);
  const all = [...places.values()];
  return { places, columns: deepest + (depth.size ? 1 : 0), rows: Math.max(0, ...all.map(at => at.row + 1)), loose };
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
