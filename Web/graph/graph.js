// The topology as a picture: pods and people, bindings and waits between them. Elements stay, so that what changes moves.
import { h, fill, keyed } from "../app/dom.js";
import { links } from "../app/router.js";
import { span } from "../app/time.js";
import { says, standing, standings, statusShape } from "../app/status.js";
import { layout } from "./layout.js";

/** Layers run to the right; in the narrow picture beside other things, down. */
const sizes = { wide: { width: 188, height: 52, between: 72, most: 220, beside: 24, margin: 24 }, dense: { width: 150, height: 34, between: 72, most: 160, beside: 8, margin: 16 }, narrow: { width: 122, height: 34, between: 44, most: 44, beside: 12, margin: 12 } };

const name = "http://www.w3.org/2000/svg";

/** `show(topology, { at, link })` paints what `GET /v1/topology` says. */
export class Graph {
  constructor({ link = pod => links.pod(pod), compact = false } = {}) {
    this.link = link;
    this.compact = compact;
    this.size = compact ? sizes.narrow : sizes.wide;
    this.places = new Map();
    this.known = new Map();
    this.edges = h("g", { class: "edges" });
    this.svg = h("svg", { class: "graph-lines", "aria-hidden": "true" }, this.edges);
    this.nodes = h("ul", { class: "graph-nodes", "aria-label": "Pods and people" });
    this.element = h("div", { class: compact ? "graph compact" : "graph" }, h("div", { class: "graph-page" }, this.svg, this.nodes));
  }

  show(topology, at = Date.now()) {
    this.at = at;
    const nodes = topology.nodes.map(node => ({ ...node, id: node.pod }));
    // People appear where an edge or a root names them.
    const people = new Set(), personId = person => person.startsWith("person:") ? person : `person:${person}`;
    for (const edge of topology.edges) for (const end of [edge.from, edge.to]) if (isPerson(end, nodes)) people.add(end);
    for (const root of topology.roots ?? []) if (root.person) people.add(personId(root.person));
    for (const person of people) nodes.push({ id: person, person: true, name: person.replace(/^person:/, "") });
    const alive = nodes.filter(node => node.person || !["ended", "exited"].includes(node.lifecycle) || topology.edges.some(edge => edge.kind !== "resume" && (edge.from === node.id || edge.to === node.id)));
    const waits = topology.edges.filter(edge => edge.kind === "wait").map(edge => [edge.from, edge.to]);
    const ties = topology.edges.filter(edge => edge.kind !== "wait").map(edge => [edge.from, edge.to]);
    const roots = new Map((topology.roots ?? []).map(root => [root.pod ?? personId(root.person), root.frees]));
    const cycles = new Set((topology.cycles ?? []).flat());
    const { places, columns, rows, loose } = layout(alive.map(node => node.id), waits, ties, this.known);
    this.places = places;
    // Who comes back, or is seen in the past, stands where it stood.
    if (this.known.size > 2000) this.known.clear();
    for (const [id, at] of places) this.known.set(id, at);
    this.fit(places.size);
    const position = this.positions(places, columns, rows, loose);
    keyed(this.nodes, alive, node => node.id, node => this.makeNode(node), (element, node) => this.updateNode(element, node, position.get(node.id), roots.get(node.id), cycles.has(node.id)));
    this.drawEdges(merged(topology.edges.filter(edge => position.has(edge.from) && position.has(edge.to))), position, cycles);
    // Firefox tells nobody that what had the focus is gone.
    if (!position.has(this.looked)) this.looked = null;
    this.mark();
    return { nodes: alive.length };
  }

  /** Many are drawn smaller, without the words under their names; names of edges appear with the node one looks at. */
  fit(count) {
    // Where there is little room beside one another, layers run down.
    this.isDown = this.compact || (this.element.clientWidth || 900) < 600;
    this.isDense = count > (this.isDense ? 40 : 60);
    this.size = this.isDown ? sizes.narrow : this.isDense ? sizes.dense : sizes.wide;
    this.element.classList.toggle("compact", this.isDown);
    this.element.classList.toggle("dense", this.isDense && !this.isDown);
  }

  /** The node one looks at, with its edges and who is at their other ends; the rest recedes. */
  look(id) {
    if (this.looked === id) return;
    this.looked = id;
    this.mark();
  }

  mark() {
    const near = new Set([this.looked]);
    for (const edge of this.edges.children) {
      const isNear = this.looked != null && edge.ends?.includes(this.looked);
      edge.classList.toggle("near", isNear);
      if (isNear) for (const end of edge.ends) near.add(end);
    }
    for (const node of this.nodes.children) node.classList.toggle("near", this.looked != null && near.has(node.dataset.key));
    this.element.classList.toggle("looks", this.looked != null && [...this.edges.children].some(edge => edge.ends?.includes(this.looked)));
  }

  /** Columns and rows as pixels; what is tied to nothing stands below, in rows. */
  positions(places, columns, rows, loose) {
    const position = new Map(), { width, height, between, most, beside, margin } = this.size;
    const page = Math.max(280, (this.element.clientWidth || 900) - 2);
    if (this.isDown) {
      for (const [id, { column, row }] of places) position.set(id, { x: margin + row * (width + beside), y: margin + column * (height + between) });
    } else {
      // Those who hold up others stand at the right edge, whatever the width.
      const gap = Math.max(between, Math.min(most, (page - margin * 2 - width * columns) / Math.max(1, columns - 1)));
      const right = Math.max(page - margin - width, margin + (columns - 1) * (width + gap));
      for (const [id, { fromRight, row }] of places) position.set(id, { x: right - fromRight * (width + gap), y: margin + row * (height + beside) });
    }
    // As wide as the rest, so that some of them are in sight wherever one looks.
    const reach = Math.max(page, ...[...position.values()].map(at => at.x + width + margin));
    const perRow = Math.max(1, Math.floor((reach - margin * 2 + 12) / (width + 12)));
    const top = !rows ? margin : this.isDown ? margin * 2 + columns * (height + between) : margin * 2 + rows * (height + beside);
    loose.forEach((id, index) => position.set(id, { x: margin + index % perRow * (width + 12), y: top + Math.floor(index / perRow) * (height + 12) }));
    const all = [...position.values()];
    const w = Math.max(page, ...all.map(at => at.x + width + margin)), tall = Math.max(0, ...all.map(at => at.y + height + margin));
    this.svg.setAttribute("width", w);
    this.svg.setAttribute("height", tall);
    this.nodes.style.width = w + "px";
    this.nodes.style.height = tall + "px";
    return position;
  }

  makeNode(node) {
    const here = () => this.look(node.id), away = () => { if (this.looked === node.id) this.look(null); };
    return h("li", { class: node.person ? "node person" : "node", onpointerenter: here, onpointerleave: away, onfocusin: here, onfocusout: away }, h(node.person ? "div" : "a", node.person ? { class: "node-body" } : { class: "node-body", href: this.link(node.id) },
      h("span", { class: "node-mark" }), h("span", { class: "node-text" }, h("span", { class: "node-name" }), h("span", { class: "node-words quiet" })), h("span", { class: "node-frees", hidden: true })));
  }

  updateNode(element, node, at, frees, isInCycle) {
    element.style.transform = `translate(${at.x}px, ${at.y}px)`;
    const body = element.firstElementChild, [mark, text, badge] = body.children;
    if (!node.person) body.setAttribute("href", this.link(node.id));
    const pod = { lifecycle: node.lifecycle, exit: node.exit, status: node.status ? typeof node.status === "string" ? { status: node.status, reason: node.reason, since: node.since } : node.status : null };
    const kind = node.person ? "person" : standing(pod);
    const words = node.person ? "person" : says(pod) + (node.since ? `, ${span(this.at - Date.parse(node.since))}` : "");
    const key = [kind, words, node.name, frees, isInCycle].join("|");
    if (element.shownKey === key) return;
    element.shownKey = key;
    element.className = `node is-${kind}${node.person ? " person" : ""}${isInCycle ? " in-cycle" : ""}${frees ? " is-root" : ""}`;
    fill(mark, node.person ? node.name.slice(0, 1).toUpperCase() : statusShape(kind, { label: null }));
    text.children[0].textContent = node.name;
    text.children[1].textContent = words;
    badge.hidden = !frees;
    badge.textContent = frees ? `frees ${frees}` : "";
    body.setAttribute("aria-label", [node.name, standings[kind]?.label ?? "person", words, frees && `answering frees ${frees}`, isInCycle && "part of a deadlock"].filter(Boolean).join(", "));
  }

  drawEdges(edges, position, cycles) {
    // A wait and a binding between the same two lie beside one another.
    const between = new Map();
    keyed(this.edges, edges, edge => `${edge.kind} ${edge.from} ${edge.to}`, () => {
      const group = document.createElementNS(name, "g");
      group.append(document.createElementNS(name, "path"), document.createElementNS(name, "path"), document.createElementNS(name, "text"));
      return group;
    }, (group, edge) => {
      const pair = [edge.from, edge.to].sort().join(" "), nth = between.get(pair) ?? 0;
      between.set(pair, nth + 1);
      const a = position.get(edge.from), b = position.get(edge.to), curve = bent(a, b, nth * 10 - (nth ? 5 : 0), this.size, this.isDown);
      const isPending = edge.kind === "binding" && (edge.state === "pending" || edge.pending?.length > 0);
      const inCycle = edge.kind === "wait" && cycles.has(edge.from) && cycles.has(edge.to);
      group.ends = [edge.from, edge.to];
      group.setAttribute("class", `edge ${edge.kind}${isPending ? " pending" : ""}${inCycle ? " cycle" : ""}`);
      const [line, head, label] = group.children;
      line.setAttribute("d", curve.path);
      head.setAttribute("class", "arrow");
      head.setAttribute("d", curve.arrow);
      const words = this.isDown ? "" : edge.kind === "wait" ? (edge.why ?? "waits") + (edge.count > 1 ? ` (${edge.count})` : "") : edge.kind === "binding" ? (isPending ? (edge.pending ?? []).map(short).join(", ") + "?" : (edge.granted ?? []).map(short).join(", ")) : "resumed";
      // A name stands in the gap between two layers, and is cut where that is too narrow for it.
      const room = curve.room, shown = room && words.length * letter > room ? words.slice(0, Math.max(3, Math.floor(room / letter) - 1)) + "…" : words;
      const half = shown.length * letter / 2, x = room ? Math.max(curve.left + half, Math.min(curve.left + room - half, curve.middle.x)) : curve.middle.x;
      label.setAttribute("x", x);
      label.setAttribute("y", curve.middle.y + (nth ? 15 : -6));
      label.textContent = shown;
    });
  }
}

/** Several waits of one on another are one line. */
function merged(edges) {
  const all = new Map();
  for (const edge of edges) {
    const key = `${edge.kind} ${edge.from} ${edge.to}`, known = all.get(key);
    if (known) known.count++; else all.set(key, { ...edge, count: 1 });
  }
  return [...all.values()];
}

/** A letter of an edge's name is about so wide. */
const letter = 6.4;
const short = scope => scope.replace("terminal:", "");
const isPerson = (id, nodes) => id?.startsWith("person:") || (id != null && !nodes.some(node => node.id === id) && !/^p[a-z2-7]{12}$/.test(id));

/** A curve from one box's side to another's, with an arrow at its end. */
function bent(a, b, shift, size, down) {
  if (down) {
    const turn = point => ({ x: point.y, y: point.x }), curve = bent(turn(a), turn(b), shift, { width: size.height, height: size.width }, false);
    // The same picture, mirrored at the diagonal.
    const swap = path => path.replace(/(-?[\d.]+) (-?[\d.]+)/g, "$2 $1");
    return { path: swap(curve.path), arrow: swap(curve.arrow), middle: turn(curve.middle) };
  }
  const { width, height } = size;
  const ac = { x: a.x + width / 2, y: a.y + height / 2 + shift }, bc = { x: b.x + width / 2, y: b.y + height / 2 + shift };
  let from, to, c1, c2;
  if (b.x > a.x + width / 2) { from = { x: a.x + width, y: ac.y }; to = { x: b.x - 2, y: bc.y }; }
  else if (b.x < a.x - width / 2) { from = { x: a.x, y: ac.y }; to = { x: b.x + width + 2, y: bc.y }; }
  else {
    // One above the other: around the right side.
    from = { x: a.x + width, y: ac.y };
    to = { x: b.x + width + 2, y: bc.y };
    const out = 34 + Math.abs(ac.y - bc.y) * 0.15;
    c1 = { x: from.x + out, y: from.y }; c2 = { x: to.x + out, y: to.y };
  }
  const half = (to.x - from.x) / 2;
  // Over more than one layer it goes around what stands between.
  const bow = Math.abs(to.x - from.x) > width * 1.6 ? (Math.min(a.y, b.y) > height ? -1 : 1) * (height + 14) : 0;
  c1 ??= { x: from.x + half, y: from.y + bow };
  c2 ??= { x: to.x - half, y: to.y + bow };
  const way = Math.sign(to.x - c2.x) || 1;
  // Labels stand nearer to where the edge begins: in the middle, edges cross.
  const t = 0.36, at = (p, q, r, s) => (1 - t) ** 3 * p + 3 * (1 - t) ** 2 * t * q + 3 * (1 - t) * t * t * r + t ** 3 * s;
  const middle = { x: at(from.x, c1.x, c2.x, to.x), y: at(from.y, c1.y, c2.y, to.y) };
  // Between neighbouring layers: where the gap begins, and how wide it is.
  const gap = bow === 0 && Math.abs(to.x - from.x) > 40 ? { left: Math.min(from.x, to.x) + 4, room: Math.abs(to.x - from.x) - 12 } : {};
  return {
    ...gap, path: `M${from.x} ${from.y}C${c1.x} ${c1.y} ${c2.x} ${c2.y} ${to.x} ${to.y}`,
    arrow: `M${to.x - 7 * way} ${to.y - 4}L${to.x} ${to.y}L${to.x - 7 * way} ${to.y + 4}`, middle,
  };
}
