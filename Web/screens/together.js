// Any set of pods on one clock, with who waits on whom as of the same moment.
import { h, fill, onKeys } from "../app/dom.js";
import { ask } from "../app/api.js";
import { store } from "../app/store.js";
import { links, rename, stamp } from "../app/router.js";
import { arrival, moment } from "../app/time.js";
import { says, standing, standings, statusShape } from "../app/status.js";
import { TerminalConnection } from "../terminal/connection.js";
import { paintPicture, Timeline } from "../replay/timeline.js";
import { Player } from "../replay/player.js";
import { joined, story } from "../replay/story.js";
import { Graph } from "../graph/graph.js";
import { perFrame } from "../app/dom.js";

export function open(address, shell) { return new TogetherScreen(address, shell); }

const most = 9;

class TogetherScreen {
  constructor(address, shell) {
    this.shell = shell;
    this.abort = new AbortController();
    this.panes = new Map();
    this.summary = h("p", { class: "quiet" });
    this.picker = h("details", { class: "picker" }, h("summary", { class: "button" }, "Choose pods"), this.choices = h("ul", { class: "picker-list card" }));
    this.grid = h("div", { class: "together-grid" });
    this.graph = new Graph({ compact: true, link: pod => links.pod(pod, this.player.isPast ? this.player.time : null) });
    this.side = h("aside", { class: "together-side", "aria-label": "Topology at this moment", hidden: true }, this.graph.element);
    this.timeline = new Timeline({ seek: time => this.player.seek(time) });
    this.player = new Player(this.host());
    this.element = h("section", { class: "together" },
      h("header", { class: "head" }, h("div", { class: "head-text" }, h("h1", {}, "Together"), this.summary), h("div", { class: "head-tools" }, this.picker)),
      h("div", { class: "together-body" }, this.grid, this.side), this.player.element, this.timeline.element);
    shell.title("Together");
    const pods = (address.query.get("pods") ?? "").split(",").filter(Boolean);
    this.chosen = pods.map(reference => store.pod(reference)?.pod).filter(Boolean);
    if (!pods.length) this.chosen = this.suggested();
    onKeys(event => this.player.key(event), this.abort.signal);
    const place = address.query.get("t");
    if (place) { this.player.mode = "paused"; this.player.time = this.player.sought = arrival(place); }
    store.on("pods", () => { if (!this.chosen.length && !this.hasChosen) { this.chosen = this.suggested(); this.arrange(); } this.fillChoices(); for (const pane of this.panes.values()) pane.label(); }, this.abort.signal);
    store.on("event", event => { if (["binding", "wait"].includes(event.area) && !this.player.isPast) this.loadTopology(); }, this.abort.signal);
    store.on("offers", () => this.loadTopology(), this.abort.signal);
    this.arrange();
    this.timer = setInterval(() => this.tick(), 250);
    this.reload = setInterval(() => { if (!document.hidden) this.loadStories(); }, 8000);
  }

  close() {
    this.abort.abort();
    clearInterval(this.timer);
    clearInterval(this.reload);
    cancelAnimationFrame(this.frame);
    for (const pane of this.panes.values()) pane.close();
    this.timeline.close();
  }

  update(address) {
    const pods = (address.query.get("pods") ?? "").split(",").filter(Boolean).map(reference => store.pod(reference)?.pod).filter(Boolean);
    if (pods.length && pods.join() !== this.chosen.join()) { this.chosen = pods; this.arrange(); }
    const place = address.query.get("t");
    if (place) this.player.seek(arrival(place)); else this.player.perform({ do: "live" });
    return true;
  }

  /** Without a choice: what runs, those that need somebody first; then what ended last. */
  suggested() {
    return [...store.pods.values()].sort((a, b) => standings[standing(a)].order - standings[standing(b)].order || Date.parse(b.created) - Date.parse(a.created)).slice(0, 4).map(pod => pod.pod);
  }

  host() {
    const screen = this;
    return {
      get story() { return screen.story; }, get timeline() { return screen.timeline; },
      seek: time => { screen.stop(); screen.player.position({ mode: "paused", time: stamp(time) }); screen.at(time); },
      live: () => { screen.stop(); screen.player.position({ mode: "live", time: stamp(Date.now()) }); for (const pane of screen.panes.values()) pane.live(); screen.loadTopology(); },
      pause: () => { const time = screen.player.time ?? Date.now(); screen.stop(); screen.player.position({ mode: "paused", time: stamp(time) }); screen.at(time); },
      step: frames => screen.player.seek((screen.player.time ?? Date.now()) + frames * 500),
      play: (rate, idle) => screen.play(rate, idle),
      moved: time => screen.name(time), foldsChanged: folds => { screen.timeline.folds = folds; screen.timeline.scale = null; screen.timeline.redraw(); },
    };
  }

  name(time) {
    clearTimeout(this.naming);
    this.naming = setTimeout(() => { if (!this.abort.signal.aborted) rename(links.together(this.chosen, time)); }, 150);
  }

  // --- The clock: one for all. A pod is asked again only when something in it changes.

  play(rate, idle) {
    this.stop();
    let time = this.player.time ?? this.story?.first ?? Date.now(), last = performance.now();
    const step = () => {
      const now = performance.now(), before = time;
      time += (now - last) * rate;
      last = now;
      if (idle && rate > 0) {
        // Where nothing happens to any of them, the clock goes on to what comes next.
        const fold = this.story?.idle.find(span => time > span.from + idle * 1000 && time < span.to - 300);
        if (fold) time = fold.to - 300;
      }
      if (rate > 0 && time >= (this.story?.last ?? Infinity)) return this.story.live ? this.player.perform({ do: "live" }) : this.player.seek(this.story.last);
      if (rate < 0 && time <= (this.story?.first ?? -Infinity)) return this.player.seek(this.story.first);
      this.player.position({ mode: "playing", time: stamp(time) });
      this.at(time, time < before);
      this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  stop() { cancelAnimationFrame(this.frame); }

  at(time) {
    for (const pane of this.panes.values()) pane.at(time);
    this.soonTopology();
  }

  tick() {
    if (this.player.mode !== "live" || !this.story?.live) return;
    this.story.last = Date.now();
    this.timeline.extend(this.story.last);
    this.timeline.scale = null;
    this.player.update();
  }

  // --- The pods

  fillChoices() {
    const pods = [...store.pods.values()].sort((a, b) => standings[standing(a)].order - standings[standing(b)].order || a.name.localeCompare(b.name));
    const key = pods.map(pod => pod.pod + standing(pod)).join() + this.chosen.join();
    if (key === this.choicesKey) return;
    this.choicesKey = key;
    fill(this.choices, pods.map(pod => {
      const isChosen = this.chosen.includes(pod.pod);
      return h("li", {}, h("label", { class: "check" }, h("input", { type: "checkbox", checked: isChosen, disabled: !isChosen && this.chosen.length >= most, onchange: event => this.choose(pod.pod, event.target.checked) }), statusShape(standing(pod), { label: null }), pod.name));
    }));
  }

  choose(pod, isChosen) {
    this.hasChosen = true;
    this.chosen = isChosen ? [...this.chosen, pod] : this.chosen.filter(other => other !== pod);
    this.arrange();
  }

  arrange() {
    for (const [id, pane] of this.panes) if (!this.chosen.includes(id)) { pane.close(); pane.element.remove(); this.panes.delete(id); }
    for (const child of [...this.grid.children]) if (!child.pane) child.remove();
    if (!this.chosen.length) {
      fill(this.grid, h("div", { class: "empty" }, h("h2", {}, "Choose pods to watch together"), h("p", {}, "Their screens move on one clock: press play and watch one hand over to the other.")));
      this.summary.textContent = "";
      return this.fillChoices();
    }
    for (const id of this.chosen) {
      if (!this.panes.has(id)) this.panes.set(id, new Pane(id, this.player.isPast ? this.player.time : null));
      this.grid.append(this.panes.get(id).element);
    }
    this.grid.dataset.count = String(this.chosen.length);
    this.summary.textContent = `${this.chosen.length} ${this.chosen.length === 1 ? "pod" : "pods"} on one clock`;
    this.fillChoices();
    this.name(this.player.isPast ? this.player.time : null);
    this.loadStories();
    this.loadTopology();
  }

  async loadStories() {
    const chosen = this.chosen.slice();
    const stories = (await Promise.all(chosen.map(async id => {
      try {
        const [timeline, history] = await Promise.all([ask(`/v1/pods/${id}/timeline`, { query: { buckets: 400 }, signal: this.abort.signal }), ask(`/v1/pods/${id}/history`, { signal: this.abort.signal }).catch(() => null)]);
        return [id, story(timeline, history, store.pods.get(id))];
      } catch { return null; }
    }))).filter(Boolean);
    if (!stories.length || this.abort.signal.aborted || chosen.join() !== this.chosen.join()) return;
    this.story = together(stories);
    for (const [id, one] of stories) { const pane = this.panes.get(id); if (pane) pane.story = one; }
    this.timeline.load(this.story);
    this.player.update();
    if (this.player.isPast) for (const pane of this.panes.values()) pane.at(this.player.time);
  }

  soonTopology() {
    if (this.topologyTimer) return;
    this.topologyTimer = setTimeout(() => { this.topologyTimer = null; this.loadTopology(); }, 150);
  }

  async loadTopology() {
    this.side.hidden = !store.offers("/v1/topology");
    if (this.side.hidden || this.loadingTopology) return;
    this.loadingTopology = true;
    const at = this.player.isPast ? this.player.time : null;
    try {
      const topology = await ask("/v1/topology", { query: { at: at == null ? null : stamp(at) }, signal: this.abort.signal });
      const chosen = new Set(this.chosen);
      this.graph.show({ ...topology, nodes: topology.nodes.filter(node => chosen.has(node.pod)), edges: topology.edges.filter(edge => (chosen.has(edge.from) && chosen.has(edge.to)) || [edge.from, edge.to].some(end => end?.startsWith?.("person:"))), roots: (topology.roots ?? []).filter(root => root.person || chosen.has(root.pod)) }, at ?? Date.now());
    } catch { /* The next change asks again. */ }
    this.loadingTopology = false;
  }
}

/** One story of several: the whole time, idle where all are, a band for each. */
export function together(stories) {
  const all = stories.map(([, one]) => one);
  const first = Math.min(...all.map(one => one.first)), last = Math.max(...all.map(one => one.last));
  // Idle is what is idle, or not there, in every one.
  const busy = joined(all.flatMap(one => {
    const spans = [];
    let at = one.first;
    for (const span of one.idle) { if (span.from > at) spans.push({ from: at, to: span.from }); at = Math.max(at, span.to); }
    if (one.last > at) spans.push({ from: at, to: one.last });
    return spans;
  }));
  const idle = [];
  let at = first;
  for (const span of busy) { if (span.from > at) idle.push({ from: at, to: span.from }); at = Math.max(at, span.to); }
  if (last > at) idle.push({ from: at, to: last });
  const buckets = 400, density = new Array(buckets).fill(0);
  for (const one of all) {
    one.density.forEach((value, index) => {
      const time = one.densityFrom + (index + 0.5) / one.density.length * (one.densityTo - one.densityFrom);
      density[Math.max(0, Math.min(buckets - 1, Math.floor((time - first) / (last - first) * buckets)))] += value;
    });
  }
  return {
    first, last, live: all.some(one => one.live), recorded: last, idle, density, densityFrom: first, densityTo: last,
    entries: stories.flatMap(([pod, one]) => one.entries.map(entry => ({ ...entry, pod }))).sort((a, b) => a.ms - b.ms),
    bands: [], rows: stories.map(([pod, one]) => ({ name: store.name(pod), bands: one.bands })),
  };
}

/** One pod's screen. */
class Pane {
  constructor(id, time) {
    this.id = id;
    this.time = time;
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.heading = h("a", { class: "pane-name" });
    this.words = h("span", { class: "words quiet" });
    this.mark = h("span", { class: "tile-mark" });
    this.frame = h("div", { class: "pane-frame" }, this.canvas);
    this.element = h("article", { class: "pane" }, h("header", { class: "pane-head" }, this.mark, this.heading, this.words), this.frame);
    this.element.pane = this;
    this.paint = perFrame(() => this.draw());
    this.connection = new TerminalConnection(id, { screen: screen => { this.screen = screen; this.paint(); }, position: position => { this.position = position; this.next(); } }).open(time == null ? null : stamp(time));
    this.observer = new ResizeObserver(() => this.paint());
    this.observer.observe(this.frame);
    this.label();
  }

  close() { this.observer.disconnect(); this.connection.close(); }

  label() {
    const pod = store.pods.get(this.id);
    this.heading.textContent = pod?.name ?? this.id;
    this.heading.href = links.pod(this.id, this.time);
    const band = this.time == null ? null : this.story?.bands.findLast(band => band.from <= this.time);
    const isBefore = this.time != null && this.story && this.time < this.story.first, isAfter = this.time != null && this.story && !this.story.live && this.time > this.story.last;
    const kind = isBefore ? "starting" : isAfter ? "ended" : band ? band.kind : pod ? standing(pod) : "unknown";
    if (this.kind !== kind) { this.kind = kind; fill(this.mark, statusShape(kind, { label: null })); }
    this.words.textContent = isBefore ? `begins at ${moment(this.story.first)}` : isAfter ? "has ended" : band ? standings[kind].label.toLowerCase() : pod ? says(pod) : "";
    this.element.classList.toggle("is-away", isBefore || isAfter);
    this.canvas.hidden = isBefore;
  }

  live() {
    this.time = null;
    this.connection.live();
    this.label();
  }

  at(time) {
    this.time = time;
    this.label();
    this.next();
  }

  /** Asks for the screen of its time unless the shown one still holds. */
  next() {
    if (this.time == null || (this.story && this.time < this.story.first)) return;
    const { position } = this;
    if (position && position.mode === "paused" && !this.connection.underWay) {
      const from = Date.parse(this.connection.position?.time ?? position.time), to = position.next ? Date.parse(position.next) : this.story && !this.story.live && this.time >= this.story.last && from >= this.story.last ? Infinity : from;
      if (this.time >= from && this.time < to) return;
    }
    if (this.asked === this.time) return;
    this.asked = this.time;
    this.connection.seek(this.time);
  }

  draw() {
    if (!this.screen?.rows || !this.frame.clientWidth) return;
    const { clientWidth: w, clientHeight: tall } = this.frame, { screen } = this;
    paintPicture(this.canvas, screen, w - 16, tall - 16);
  }
}
