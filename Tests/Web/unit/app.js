import { test, equal, ok } from "../support/runner.js";
import { gathered, timeScale, densityColumns } from "../../../Web/replay/scale.js";
import { ScreenCache } from "../../../Web/replay/cache.js";
import { arrival, parseMoment, since, span } from "../../../Web/app/time.js";
import { links, read } from "../../../Web/app/router.js";
import { messageEntries } from "../../../Web/replay/records.js";
import { components, layout } from "../../../Web/graph/layout.js";
import { rowsNear, straightCrossings } from "../../../Web/graph/order.js";
import { tokenWords } from "../../../Web/screens/people.js";
import { actionWords, verdict } from "../../../Web/screens/audit.js";
import { holdsUp } from "../../../Web/screens/topology.js";
import { heldWords } from "../../../Web/app/status.js";
import { EventParser } from "../../../Web/app/api.js";

test("the time scale goes there and back, folded or not", () => {
  const idle = [{ from: 20_000, to: 3_000_000 }, { from: 3_100_000, to: 3_200_000 }];
  for (const scale of [timeScale(0, 3_600_000, 1000), timeScale(0, 3_600_000, 1000, { idle })]) {
    equal([scale.x(0), Math.round(scale.x(3_600_000))], [0, 1000]);
    let before = -1;
    for (let time = 0; time <= 3_600_000; time += 7919) {
      const x = scale.x(time);
      ok(x > before, "time runs on");
      ok(Math.abs(scale.time(x) - time) < 1, `${time} came back as ${scale.time(x)}`);
      before = x;
    }
    equal([scale.time(-5), scale.time(5000), scale.x(-1), Math.round(scale.x(9e9))], [0, 3_600_000, 0, 1000]);
  }
  const folded = timeScale(0, 3_600_000, 1000, { idle });
  equal(folded.pieces.filter(piece => piece.folded).map(piece => Math.round(piece.x1 - piece.x0)), [36, 36]);
});

test("a recording that is all idle, or empty, has a scale too", () => {
  const idle = timeScale(0, 60_000, 500, { idle: [{ from: 0, to: 60_000 }] });
  equal([idle.x(30_000), Math.round(idle.time(250))], [250, 30_000]);
  const empty = timeScale(5, 5, 100);
  ok(Number.isFinite(empty.x(5)) && Number.isFinite(empty.time(50)));
  equal(densityColumns([], 0, 1, empty).length, 50);
});

test("entries at one place become one tick", () => {
  const scale = timeScale(0, 1000, 1000);
  equal(gathered([{ ms: 10 }, { ms: 15 }, { ms: 200 }], scale).map(group => group.entries.length), [2, 1]);
});

test("a screen holds until the next frame, and no longer", () => {
  const cache = new ScreenCache(3), put = (from, to) => cache.put({ from }, { time: new Date(from).toISOString(), next: to == null ? undefined : new Date(to).toISOString() });
  put(1000, 2000); put(5000, 6000); put(3000, 4000); put(7000);
  equal([cache.at(999), cache.at(1000)?.screen.from, cache.at(1999)?.screen.from, cache.at(2000), cache.at(3500)?.screen.from, cache.at(7000)], [null, 1000, 1000, null, 3000, null]);
  put(8000, 9000);
  equal(cache.entries.length, 3);
});

test("people write times as they like", () => {
  const now = Date.parse("2026-11-21T14:03:07.000Z");
  equal(parseMoment("-5m", { now }), now - 300_000);
  equal([parseMoment("+90s", { now, start: 1000 }), parseMoment("+1:30", { now, start: 1000 }), parseMoment("+90s", { now })], [91_000, 91_000, null]);
  equal(parseMoment("2026-11-21T14:00:00Z", { now }), now - 187_000);
  equal([parseMoment("soon", { now }), parseMoment("", { now }), parseMoment("12", { now })], [null, null, null]);
  ok(parseMoment("23:59:59", { now }) <= now + 1000, "a time to come was yesterday's");
  equal([span(400), span(65_000), span(3_600_000), span(5_400_000), span(90_000_000)], ["0 s", "1 min", "1 h", "1 h 30 min", "1 d 1 h"]);
  equal(since(3_723_000), "+1:02:03");
});

test("a moment in milliseconds is not before what came at its microsecond", () => {
  const base = Date.parse("2026-11-21T14:03:07.123Z");
  equal(["07.123Z", "07.123000Z", "07.123001Z", "07.123456Z", "07.123400Z", "07Z"].map(end => arrival(`2026-11-21T14:03:${end}`) - base), [0, 0, 1, 1, 1, -123]);
});

test("messages are ticks of the pod that said them, and of the pod that got them when it did", () => {
  const message = { author: "pod:pa", author_name: "a", channel_name: "ops", text: "@b look\nhere", created: "2026-11-21T14:00:00Z", deliveries: [{ member: "pod:pb", state: "read", delivered: "2026-11-21T14:00:05Z" }] };
  const queued = { ...message, deliveries: [{ member: "pod:pb", state: "queued" }] };
  const ticks = (messages, pod) => messageEntries(messages, pod).map(entry => [entry.what, entry.ms - Date.parse(message.created), entry.text]);
  equal(ticks([message], "pa"), [["message", 0, "a in #ops: @b look here"]]);
  equal(ticks([message], "pb"), [["message", 0, "a in #ops: @b look here"], ["message", 5000, "got a in #ops: @b look here"]]);
  equal(ticks([queued], "pb").length, 1);
});

test("addresses name screens, pods and moments, and read as they were written", () => {
  const at = text => { const address = read(new URL("http://x" + text)); return [address.screen, Object.values(address.path)[0] ?? null, address.query.get("t")]; };
  const time = Date.parse("2026-11-21T14:03:07.123Z");
  equal(at(links.pod("p2mjr4kd6cped", time)), ["terminal", "p2mjr4kd6cped", "2026-11-21T14:03:07.123Z"]);
  equal([at("/"), at("/attention"), at(links.topology(time)), at("/channels/ops")].map(address => address[0]), ["fleet", "attention", "topology", "channels"]);
  equal(at("/no/where")[0], "nowhere");
  equal(read(new URL("http://x" + links.together(["a", "b"], time))).query.get("pods"), "a,b");
});

test("who holds up the others stands at the right, and who waits stands left of it", () => {
  const { places, columns, loose } = layout(["a", "b", "c", "d", "x"], [["a", "b"], ["b", "c"], ["d", "c"]]);
  equal([columns, loose], [3, ["x"]]);
  equal(["a", "b", "d", "c"].map(id => places.get(id).column), [0, 1, 1, 2]);
  equal(new Set([...places.values()].map(at => `${at.column}/${at.row}`)).size, 4);
});

test("a layout keeps what stays where it is when something is added or goes", () => {
  const nodes = ["a", "b", "c", "d", "e"], waits = [["a", "c"], ["b", "c"], ["d", "e"]];
  const first = layout(nodes, waits), more = layout([...nodes, "f"], [...waits, ["f", "c"]], [], first.places);
  for (const id of nodes) equal([more.places.get(id).fromRight, more.places.get(id).row], [first.places.get(id).fromRight, first.places.get(id).row], id);
  const less = layout(["b", "c", "d", "e"], waits.slice(1), [], more.places);
  for (const id of ["b", "c", "d", "e"]) equal(less.places.get(id).row, first.places.get(id).row, id);
});

/** Who waits on whom at random, and some bindings; the same for one seed. */
function fleet(count, seed) {
  let state = seed * 7919;
  const random = () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648, any = () => Math.floor(random() * count);
  const nodes = Array.from({ length: count }, (_, index) => "n" + String(index).padStart(3, "0")), waits = [], ties = [];
  for (let i = 0; i < count * 1.2; i++) { const a = any(), b = any(); if (a !== b) waits.push([nodes[Math.min(a, b)], nodes[Math.max(a, b)]]); }
  for (let i = 0; i < count * 0.7; i++) ties.push([nodes[any()], nodes[any()]]);
  return { nodes, waits, ties };
}

test("few edges cross: on seeded fleets at most half of those that crossed when rows were taken in the order of ids", () => {
  // Counted with the layout of before (each near the middle of its neighbours, in the order of ids).
  const before = { 8: 50, 12: 152, 20: 494, 40: 1902 };
  let all = 0;
  for (const count of [8, 12, 20, 40]) {
    let sum = 0;
    for (let seed = 1; seed <= 8; seed++) {
      const { nodes, waits, ties } = fleet(count, seed), { places } = layout(nodes, waits, ties);
      sum += straightCrossings([...waits, ...ties], places);
      equal(new Set([...places.values()].map(at => `${at.column}/${at.row}`)).size, places.size, "two at one place");
      ok([...places.values()].every(({ row }) => Number.isInteger(row) && row >= 0), "a row that is none");
    }
    all += sum / before[count];
    ok(sum < before[count], `${count} nodes: ${sum} crossings, ${before[count]} before`);
  }
  ok(all / 4 <= 0.5, `${(all / 4).toFixed(2)} of the crossings of before`);
});

test("a tree needs no crossing at all, nor do two that stand beside one another", () => {
  const waits = [["b", "a"], ["c", "a"], ["d", "b"], ["e", "c"], ["f", "c"], ["y", "x"], ["z", "y"], ["g", "e"], ["h", "d"]];
  for (let turn = 0; turn < 6; turn++) {
    const names = "abcdefghxyz".split(""), other = Object.fromEntries(names.map((name, index) => [name, names[(index * 7 + turn) % names.length]]));
    const edges = waits.map(pair => pair.map(name => other[name]));
    equal(straightCrossings(edges, layout(names, edges).places), 0, `turn ${turn}`);
  }
});

test("who comes back to a layer stands where it stood there", () => {
  const before = new Map([["x", { fromRight: 2, row: 0, rows: { 1: 4, 2: 0 } }], ["y", { fromRight: 0, row: 0, rows: { 0: 0 } }]]);
  const { places } = layout(["x", "y"], [["x", "y"]], [], before);
  equal([places.get("x").fromRight, places.get("x").row, places.get("y").row], [1, 4, 0]);
  equal(places.get("x").rows, { 1: 4, 2: 0 });
});

test("in a fleet that changes, nobody who stays in a layer moves, whatever comes and goes", () => {
  for (let seed = 1; seed <= 5; seed++) {
    const { nodes, waits, ties } = fleet(30, seed);
    let before = layout(nodes, waits, ties).places;
    for (let step = 0; step < 20; step++) {
      const some = waits.filter((_, index) => (index * 13 + step * 7 + seed) % 5 !== 0), now = layout(nodes, some, ties, before).places;
      for (const [id, at] of now) if (before.get(id)?.fromRight === at.fromRight) equal(at.row, before.get(id).row, `${id} moved`);
      before = now;
    }
  }
});

test("rows keep their order and are as near as can be to where each wants to be", () => {
  equal(rowsNear([0, 5, 6]), [0, 5, 6]);
  equal(rowsNear([5, 5, 5]), [4, 5, 6]);
  equal(rowsNear([null, null, 3]), [0, 1, 3]);
  equal(rowsNear([9, 0]), [4, 5]);
  equal(rowsNear([]), []);
});

test("a token's line says what it is good for, and how it ended", () => {
  const now = Date.parse("2026-11-21T14:00:00Z"), token = { source: "registry", state: "active", pods: null, created: "2026-11-21T13:00:00Z", created_by: "person:ada", expires: "2026-11-21T18:00:00Z" };
  const at = text => `${String(new Date(text).getHours()).padStart(2, "0")}:00:00`;
  equal(tokenWords(token, now), { until: "good for another 4 h", pods: "every pod", made: `made ${at(token.created)} by ada` });
  equal(tokenWords({ ...token, state: "revoked", revoked: "2026-11-21T13:30:00Z", revoked_by: "person:bo", pods: ["a", "b-*"] }, now).until.endsWith("by bo"), true);
  equal(tokenWords({ ...token, pods: ["a", "b-*"] }, now).pods, "only a, b-*");
  equal(tokenWords({ ...token, expires: null }, now).until, "good until it is revoked");
  equal(tokenWords({ source: "file", state: "active" }, now), { until: "from the file of tokens", pods: "every pod", made: "ends when its line is taken out of that file" });
});

test("a broken audit log is never called whole", () => {
  equal([verdict({ intact: true, entries: 2, head: "ab" }).isGood, verdict({ intact: true, entries: 0, head: "" }).isGood], [true, true]);
  equal(verdict({ intact: false, entries: 9, seq: 4, problem: "its digest is another" }), { isGood: false, text: "The log was changed: entry 4: its digest is another." });
  equal(verdict({ intact: false, entries: 9 }), { isGood: false, text: "The log was changed: its chain is broken." });
  equal(actionWords("revokeCredential"), "revoke credential");
});

test("cycles are found, laid out, and long chains need no recursion", () => {
  const out = new Map([["a", ["b"]], ["b", ["c"]], ["c", ["a"]], ["d", ["a"]]]);
  equal(components([...out.keys()], out).groups.map(group => group.sort().join("")).sort(), ["abc", "d"]);
  const { places } = layout(["a", "b", "c", "d"], [["a", "b"], ["b", "c"], ["c", "a"], ["d", "a"]]);
  equal(["a", "b", "c", "d"].map(id => places.get(id).fromRight), [0, 0, 0, 1]);
  const many = Array.from({ length: 5000 }, (_, index) => "n" + index);
  equal(layout(many, many.slice(1).map((id, index) => [many[index], id])).columns, 5000);
});

test("who holds up whom is not who is freed by one answer", () => {
  equal(holdsUp({ blocks: 3, frees: 3 }), "holds up 3 agents");
  equal(holdsUp({ blocks: 1, frees: 1 }), "holds up 1 agent");
  equal(holdsUp({ blocks: 3, frees: 2 }), "holds up 3 agents; an answer frees 2");
  equal(holdsUp({ blocks: 1, frees: 0 }), "holds up 1 agent, not alone");
});

test("whoever asks is not among those it holds up", () => {
  const item = (blocks, frees, pod = "pa") => heldWords({ pod, blocks, frees });
  equal([item(1, 1), item(2, 2), item(4, 4), item(4, 2), item(3, 1)], ["", "It holds up 1 other agent.", "It holds up 3 other agents.", "It holds up 3 other agents; an answer frees 1 of them.", "It holds up 2 other agents; an answer frees none of them."]);
  equal([item(3, 3, null), item(undefined, undefined)], ["It holds up 3 agents.", ""]);
});

test("an event stream is understood in whatever pieces it comes", () => {
  const text = "event: hello\ndata: {\"boot\":\"x\"}\n\n: still here\n\nid: 7\nevent: pod.created\ndata: {\"a\":\ndata: 1}\n\n";
  for (let size = 1; size < 20; size++) {
    const heard = [], parser = new EventParser(event => heard.push(event));
    for (let at = 0; at < text.length; at += size) parser.take(text.slice(at, at + size));
    equal(heard, [{ name: "hello", id: null, data: ["{\"boot\":\"x\"}"].join("\n") }, { name: "pod.created", id: "7", data: "{\"a\":\n1}" }]);
  }
});
