// Who waits on whom, now and as of any moment.
import { h, fill, onKeys } from "../app/dom.js";
import { ask } from "../app/api.js";
import { store } from "../app/store.js";
import { links, rename, stamp } from "../app/router.js";
import { arrival, moment, span } from "../app/time.js";
import { whenOffered } from "../app/offered.js";
import { Graph } from "../graph/graph.js";
import { Timeline } from "../replay/timeline.js";
import { Player } from "../replay/player.js";
import { recordEntries } from "../replay/records.js";

export function open(address, shell) {
  shell.title("Topology");
  return whenOffered("/v1/topology", { title: "No topology yet", text: "This server does not tell who waits on whom." }, () => new TopologyScreen(address, shell));
}

class TopologyScreen {
  constructor(address, shell) {
    this.shell = shell;
    this.abort = new AbortController();
    this.graph = new Graph({ link: pod => links.pod(pod, this.player?.isPast ? this.player.time : null) });
    this.summary = h("p", { class: "quiet", role: "status" });
    this.roots = h("div", { class: "roots" });
    this.timeline = new Timeline({ seek: time => this.player.seek(time) });
    this.story = null;
    this.player = new Player(this.host());
    this.element = h("section", { class: "topology" },
      h("header", { class: "head" }, h("div", { class: "head-text" }, h("h1", {}, "Topology"), this.summary)), this.roots,
      h("div", { class: "graph-frame" }, this.graph.element), h("div", { class: "legend quiet" },
        legend("wait", "waits on"), legend("binding", "may act on"), legend("binding pending", "asks to"), legend("wait cycle", "deadlock")),
      this.player.element, this.timeline.element);
    onKeys(event => this.player.key(event), this.abort.signal);
    const place = address.query.get("t");
    if (place) { this.player.mode = "paused"; this.player.sought = this.player.time = arrival(place); }
    store.on("event", event => { if (["binding", "wait", "pod", "attention", "channel"].includes(event.area)) this.soon(); if (["binding", "wait", "channel"].includes(event.area)) this.loadEntries(); }, this.abort.signal);
    store.on("pods", () => { this.soon(400); this.tellStory(); }, this.abort.signal);
    this.tellStory();
    this.loadEntries();
    this.load();
    this.timer = setInterval(() => this.tick(), 1000);
  }

  shown() { this.load(); }
  close() { this.abort.abort(); clearInterval(this.timer); clearInterval(this.playing); clearTimeout(this.waiting); this.timeline.close(); }

  update(address) {
    const place = address.query.get("t");
    if (place) this.player.seek(arrival(place)); else this.player.perform({ do: "live" });
    return true;
  }

  host() {
    const screen = this;
    return {
      get story() { return screen.story; }, get timeline() { return screen.timeline; },
      skipsIdle: false,
      seek: () => { clearInterval(screen.playing); screen.player.position({ mode: "paused", time: stamp(screen.player.time) }); screen.load(); },
      live: () => { clearInterval(screen.playing); screen.player.position({ mode: "live", time: stamp(Date.now()) }); screen.load(); },
      pause: () => { clearInterval(screen.playing); screen.player.position({ mode: "paused", time: stamp(screen.player.time ?? Date.now()) }); screen.load(); },
      step: frames => screen.player.seek((screen.player.time ?? Date.now()) + frames * 1000),
      play: rate => {
        clearInterval(screen.playing);
        let last = performance.now(), time = screen.player.time ?? Date.now();
        screen.playing = setInterval(() => {
          const now = performance.now();
          time += (now - last) * rate;
          last = now;
          if (time >= Date.now()) return screen.player.perform({ do: "live" });
          if (time <= screen.story.first) { time = screen.story.first; clearInterval(screen.playing); }
          screen.player.position({ mode: "playing", time: stamp(time) });
          screen.load();
        }, 120);
      },
      moved: time => rename(links.topology(time)),
    };
  }

  soon(pause = 60) {
    if (this.player.isPast) return;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.load(), pause);
  }

  tick() {
    if (this.story && this.player.mode === "live") { this.story.last = Date.now(); this.timeline.extend(this.story.last); this.player.update(); }
  }

  tellStory() {
    // A recording from elsewhere never was in this picture, and may be years old.
    const pods = [...store.pods.values()].filter(pod => !pod.imported), begins = pods.map(pod => Date.parse(pod.created));
    const first = begins.length ? Math.min(...begins) : Date.now() - 60_000, last = Date.now();
    const entries = pods.flatMap(pod => [{ ms: Date.parse(pod.created), what: "start", text: pod.name }, pod.exited && { ms: Date.parse(pod.exited), what: "exit", text: pod.name }]).filter(Boolean);
    this.story = { first, last, live: true, recorded: last, idle: [], density: [], bands: [], entries: [...entries, ...(this.records ?? [])].sort((a, b) => a.ms - b.ms) };
    this.timeline.load(this.story);
    this.player.update();
  }

  /** Bindings and waits that began or ended, as ticks. */
  async loadEntries() {
    this.records = await recordEntries(null, this.abort.signal).catch(() => []);
    this.tellStory();
  }

  async load() {
    if (this.loading) { this.again = true; return; }
    this.loading = true;
    const at = this.player.isPast ? this.player.time : null;
    try {
      this.show(await ask("/v1/topology", { query: { at: at == null ? null : stamp(at) }, signal: this.abort.signal }), at ?? Date.now());
    } catch (error) {
      if (error.name !== "AbortError") this.summary.textContent = error.message;
    }
    this.loading = false;
    if (this.again) { this.again = false; this.load(); }
  }

  /** Where not all has room, those who hold up the others are looked at first: they stand at the right edge, on a phone below. */
  lookAtRoots(frame) {
    const root = this.graph.isDown && this.graph.nodes.querySelector(".is-root")?.getBoundingClientRect(), box = frame.getBoundingClientRect();
    if (root) frame.scrollLeft += root.left + root.width / 2 - box.left - box.width / 2;
    else frame.scrollLeft = frame.scrollWidth;
  }

  show(topology, at) {
    const { nodes } = this.graph.show(topology, at), frame = this.graph.element.parentElement;
    if (!this.hasLooked && frame?.clientWidth) { this.hasLooked = true; this.lookAtRoots(frame); }
    const waits = topology.edges.filter(edge => edge.kind === "wait").length, bindings = topology.edges.filter(edge => edge.kind === "binding").length;
    this.summary.textContent = `${nodes} pods and people, ${waits} ${waits === 1 ? "wait" : "waits"}, ${bindings} ${bindings === 1 ? "binding" : "bindings"}${this.player.isPast ? `, as of ${moment(at)}` : ""}`;
    const name = id => topology.nodes.find(node => node.pod === id)?.name ?? id.replace(/^person:/, "");
    fill(this.roots,
      (topology.cycles ?? []).map(cycle => h("p", { class: "root cycle" }, "Deadlock: ", [...cycle, cycle[0]].map(name).join(" waits on "), ". None of them can go on by itself.")),
      (topology.roots ?? []).slice(0, 3).map(root => h("p", { class: "root" }, root.pod ? h("a", { href: links.pod(root.pod) }, name(root.pod)) : h("strong", {}, name(root.person)), ` ${holdsUp(root)}.`)));
    this.element.classList.toggle("past", this.player.isPast);
  }
}

/** What follows a root's name: whom it holds up, and whom one answer lets go on. */
export function holdsUp({ blocks, frees }) {
  const agents = count => `${count} ${count === 1 ? "agent" : "agents"}`;
  return `holds up ${agents(blocks ?? frees)}` + (blocks == null || frees === blocks ? "" : frees ? `; an answer frees ${frees}` : ", not alone");
}

function legend(kind, words) {
  return h("span", {}, h("svg", { width: 34, height: 10, viewBox: "0 0 34 10", "aria-hidden": "true" }, h("g", { class: `edge ${kind}` }, h("path", { d: "M1 5H30" }), h("path", { class: "arrow", d: "M25 1L31 5L25 9" }))), words);
}
