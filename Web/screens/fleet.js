// Every pod as a small picture of its real screen. Only pictures in sight have a socket, at two changes a second; while the page is
// scrolled fast nothing is asked for, nothing painted and nothing laid out anew.
import { h, fill, keepingFocus, keyed, onKeys, perFrame } from "../app/dom.js";
import { Motion, SharedFrames } from "../app/motion.js";
import { ask } from "../app/api.js";
import { store } from "../app/store.js";
import { go, links, rename } from "../app/router.js";
import { askedOf, isLive, says, sinceOf, standing, standings, statusShape } from "../app/status.js";
import { tickSince } from "../app/live.js";
import { fitness } from "../app/palette.js";
import { TerminalConnection } from "../terminal/connection.js";
import { screenFromDump } from "../terminal/state.js";
import { paintPicture } from "../replay/timeline.js";

export function open(address, shell) { return new FleetScreen(address, shell); }

const endedShown = 24;

class FleetScreen {
  constructor(address, shell) {
    this.shell = shell;
    shell.title("Fleet");
    this.abort = new AbortController();
    this.group = address.query.get("group") ?? "status";
    this.showsAllEnded = false;
    this.filter = h("input", { type: "search", placeholder: "Filter", "aria-label": "Filter pods by name, agent, runner or status", value: address.query.get("q") ?? "", oninput: () => this.changed(), autocomplete: "off", spellcheck: "false" });
    this.grouping = h("select", { "aria-label": "Group by", onchange: () => { this.group = this.grouping.value; this.changed(); } },
      [["status", "By status"], ["runner", "By runner"], ["agent", "By agent"]].map(([value, label]) => h("option", { value, selected: value === this.group }, label)));
    this.summary = h("p", { class: "fleet-summary quiet", role: "status" });
    this.groups = h("div", { class: "fleet-groups" });
    this.element = h("section", { class: "fleet" },
      h("header", { class: "head" }, h("div", { class: "head-text" }, h("h1", {}, "Fleet"), this.summary), h("div", { class: "head-tools" }, this.filter, this.grouping)), this.groups);
    this.tiles = new Map();
    this.filter.addEventListener("keydown", event => this.filterKey(event));
    onKeys(event => this.key(event), this.abort.signal);
    this.element.fleet = this;
    this.motion = new Motion();
    const isHeld = () => this.motion.isFast(performance.now());
    this.frames = new SharedFrames({ isHeld });
    this.observer = new IntersectionObserver(entries => { for (const entry of entries) entry.target.tile?.seen(entry.isIntersecting); }, { root: null, rootMargin: "160px" });
    // The page scrolls in the element around this screen.
    document.addEventListener("scroll", event => this.scrolled(event.target), { capture: true, passive: true, signal: this.abort.signal });
    this.sizes = new ResizeObserver(() => this.resized());
    this.sizes.observe(this.groups);
    this.render = perFrame(() => { if (isHeld()) this.isOld = true; else this.draw(); }, 200);
    store.on("pods", this.render, this.abort.signal);
    store.on("topology", this.render, this.abort.signal);
    this.draw();
    this.loadBlocks();
    store.on("event", event => { if (["wait", "binding", "attention"].includes(event.area)) this.loadBlocks(); }, this.abort.signal);
  }

  close() {
    this.abort.abort();
    this.observer.disconnect();
    this.sizes.disconnect();
    clearTimeout(this.settling);
    clearTimeout(this.leaving);
    for (const tile of this.tiles.values()) tile.close();
  }

  update() { return false; }

  // --- Scrolling

  scrolled(target) {
    const now = performance.now();
    this.motion.moved(target.scrollTop ?? 0, now);
    const isFast = this.motion.isFast(now);
    this.element.classList.toggle("is-flying", isFast);
    clearTimeout(this.settling);
    if (isFast) this.settling = setTimeout(() => this.settled(), this.motion.memory + 1); else this.settled();
  }

  settled() {
    this.element.classList.remove("is-flying");
    if (this.isOld) this.render();
    this.frames.ask();
  }

  /** All pictures have one size, so that no painting has to ask for a layout. */
  resized() {
    const tile = this.element.querySelector(".tile");
    if (!tile?.clientWidth) return;
    const picture = tile.querySelector(".tile-picture");
    const size = `${tile.clientWidth} ${picture.clientHeight} ${devicePixelRatio}`;
    if (size === this.pictureKey) return;
    this.pictureKey = size;
    this.picture = { width: Math.max(120, tile.clientWidth - 2), height: Math.max(80, picture.clientHeight) };
    for (const tile of this.tiles.values()) if (tile.isSeen) tile.paint();
  }

  /** Scrolling by and back should not cost a socket each time. */
  letGo() {
    this.leaving ??= setTimeout(() => {
      this.leaving = null;
      const now = performance.now();
      let isSomeLeft = false;
      for (const tile of this.tiles.values()) {
        if (tile.isSeen || !tile.connection) continue;
        if (now - tile.left < 1500 || this.motion.isFast(now)) isSomeLeft = true; else tile.disconnect();
      }
      if (isSomeLeft) this.letGo();
    }, 500);
  }

  changed() {
    const query = new URLSearchParams();
    if (this.filter.value) query.set("q", this.filter.value);
    if (this.group !== "status") query.set("group", this.group);
    rename("/" + (query.size ? "?" + query : ""));
    this.draw();
  }

  /** Who blocks whom, where the server knows. */
  async loadBlocks() {
    if (this.loadingBlocks) { this.loadsAgain = true; return; }
    if (!store.offers("/v1/topology")) return;
    this.loadingBlocks = true;
    try {
      const topology = await ask("/v1/topology", { signal: this.abort.signal });
      this.blocks = new Map(topology.nodes.filter(node => node.pod).map(node => [node.pod, node]));
      this.render();
    } catch { this.blocks = null; }
    this.loadingBlocks = false;
    if (this.loadsAgain) { this.loadsAgain = false; this.loadBlocks(); }
  }

  matches(pod) {
    const query = this.filter.value.trim();
    if (!query) return true;
    return query.split(/\s+/).every(word => [pod.name, pod.agent, pod.runner, standings[standing(pod)].label, pod.status?.reason, pod.spec.command.join(" ")].some(text => text && (text.toLowerCase().includes(word.toLowerCase()))) || (word.length > 1 && fitness(word, pod.name) != null));
  }

  draw() {
    this.isOld = false;
    const all = [...store.pods.values()];
    if (store.hasLoaded && all.length === 0) {
      this.summary.textContent = "";
      fill(this.groups, h("div", { class: "empty" }, h("h2", {}, "Nothing runs yet"), h("p", {}, "Start something, and its terminal appears here by itself:"), h("pre", {}, "switchback run -- bash\nswitchback run --name builder -- claude")));
      return;
    }
    if (!store.hasLoaded) { fill(this.groups, h("div", { class: "empty" }, h("p", { role: "status" }, "Looking for pods …"))); return; }
    const shown = all.filter(pod => this.matches(pod));
    const counts = new Map();
    for (const pod of all) counts.set(standing(pod), (counts.get(standing(pod)) ?? 0) + 1);
    const running = all.filter(isLive).length, waiting = counts.get("waiting") ?? 0;
    this.summary.textContent = [`${running} running`, waiting && `${waiting} waiting for a person`, counts.get("executing") && `${counts.get("executing")} executing`, all.length - running && `${all.length - running} ended`].filter(Boolean).join(" · ");
    if (shown.length === 0) { fill(this.groups, h("div", { class: "empty" }, h("h2", {}, "No pod matches"), h("button", { onclick: () => { this.filter.value = ""; this.changed(); } }, "Show all"))); return; }
    const groups = this.grouped(shown);
    this.drawn = new Set();
    for (const child of [...this.groups.children]) if (!child.dataset.key) child.remove();
    // From group to group a picture goes as well.
    keepingFocus(this.groups, () => keyed(this.groups, groups, group => group.key, group => this.makeGroup(group), (element, group) => this.updateGroup(element, group)));
    // Not by what is in the document: this screen is drawn before it is put there.
    for (const [id, tile] of this.tiles) if (!this.drawn.has(id)) { tile.close(); this.tiles.delete(id); }
  }

  grouped(pods) {
    const groups = new Map();
    const add = (key, label, order, pod) => { if (!groups.has(key)) groups.set(key, { key, label, order, pods: [] }); groups.get(key).pods.push(pod); };
    for (const pod of pods) {
      const kind = standing(pod);
      if (!isLive(pod)) add("ended", "Ended", 1e6, pod);
      else if (this.group === "runner") add("runner " + pod.runner, pod.runner ?? "no runner", pod.runner ?? "", pod);
      else if (this.group === "agent") add("agent " + pod.agent, pod.agent ?? "other programs", pod.agent ?? "~", pod);
      else add(kind, standings[kind].label, standings[kind].order, pod);
    }
    const time = pod => isLive(pod) ? sinceOf(pod) : -sinceOf(pod);
    const blocked = pod => -(this.blocks?.get(pod.pod)?.blocks ?? 0);
    for (const group of groups.values()) group.pods.sort((a, b) => blocked(a) - blocked(b) || (group.key === "waiting" || group.key === "ended" ? time(a) - time(b) : a.name.localeCompare(b.name)) || a.pod.localeCompare(b.pod));
    return [...groups.values()].sort((a, b) => a.order < b.order ? -1 : a.order > b.order ? 1 : 0);
  }

  makeGroup(group) {
    const element = h("section", { class: "fleet-group" }, h("h2", { class: "fleet-group-title" }, h("span", {}), h("span", { class: "quiet tabular" })), h("ul", { class: "tiles", "aria-label": group.label }), h("button", { type: "button", class: "more", hidden: true, onclick: () => { this.showsAllEnded = true; this.draw(); } }));
    return element;
  }

  updateGroup(element, group) {
    const [title, list, more] = element.children;
    title.children[0].textContent = group.label;
    title.children[1].textContent = String(group.pods.length);
    const shown = group.key === "ended" && !this.showsAllEnded ? group.pods.slice(0, endedShown) : group.pods;
    for (const pod of shown) this.drawn.add(pod.pod);
    more.hidden = shown.length === group.pods.length;
    more.textContent = `Show ${group.pods.length - shown.length} more`;
    keyed(list, shown, pod => pod.pod, pod => this.tile(pod).element, (_, pod) => this.tile(pod).update(pod, this.blocks?.get(pod.pod)));
  }

  tile(pod) {
    let tile = this.tiles.get(pod.pod);
    if (!tile) {
      tile = new Tile(pod, this);
      this.tiles.set(pod.pod, tile);
      this.observer.observe(tile.element);
    }
    return tile;
  }

  // --- Keys: arrows go from picture to picture, Enter opens.

  filterKey(event) {
    if (event.key === "ArrowDown" || event.key === "Enter") { event.preventDefault(); this.element.querySelector(".tile a")?.focus(); }
    if (event.key === "Escape" && this.filter.value) { event.preventDefault(); this.filter.value = ""; this.changed(); }
  }

  key(event) {
    const links = [...this.element.querySelectorAll(".tile a")];
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "f") { event.preventDefault(); return this.filter.focus(); }
    const index = links.indexOf(document.activeElement);
    if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    if (index < 0) return links[0]?.focus();
    let next = null;
    if (event.key === "ArrowRight") next = links[index + 1];
    else if (event.key === "ArrowLeft") next = links[index - 1];
    else {
      // The picture above or below: the nearest in the next row that way.
      const box = links[index].getBoundingClientRect(), down = event.key === "ArrowDown";
      let best = Infinity;
      for (const link of links) {
        const other = link.getBoundingClientRect(), distance = (other.top - box.top) * (down ? 1 : -1);
        if (distance < 8) continue;
        const score = distance * 10 + Math.abs(other.left - box.left);
        if (score < best) { best = score; next = link; }
      }
    }
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }
}

/** A pod's name, or a person's; the one who looks is "you". */
const who = id => !id.startsWith("person:") ? store.name(id) : id === `person:${store.person?.name}` ? "you" : id.slice("person:".length);

/** One pod's picture. */
class Tile {
  constructor(pod, fleet) {
    this.pod = pod;
    this.fleet = fleet;
    this.canvas = h("canvas", { class: "tile-canvas is-away", "aria-hidden": "true" });
    this.words = h("span", { class: "words" });
    this.since = h("span", { class: "quiet" });
    this.name = h("span", { class: "tile-name" });
    this.chain = h("p", { class: "tile-chain quiet", hidden: true });
    this.mark = h("span", { class: "tile-mark" });
    this.link = h("a", { href: links.pod(pod.pod) }, h("div", { class: "tile-picture" }, this.canvas),
      h("div", { class: "tile-text" }, h("p", { class: "tile-line" }, this.mark, this.name, this.since), h("p", { class: "tile-line" }, this.words), this.chain));
    this.element = h("li", { class: "tile" }, this.link);
    this.element.tile = this;
    this.paint = () => fleet.frames.add(this);
  }

  update(pod, block) {
    const before = this.pod;
    this.pod = pod;
    const kind = standing(pod), key = [pod.name, kind, says(pod), sinceOf(pod), block?.blocks, block?.blocked_by?.join()].join("|");
    if (key === this.key) return;
    this.key = key;
    this.element.className = `tile is-${kind}`;
    this.name.textContent = pod.name;
    fill(this.mark, statusShape(kind, { label: null }));
    this.words.className = `words ${kind}`;
    this.words.textContent = askedOf(pod.status) ? `${says(pod)}: ${askedOf(pod.status)}` : says(pod);
    this.showSince();
    const chain = [block?.blocks > 0 && `holds up ${block.blocks} ${block.blocks === 1 ? "agent" : "agents"}`, block?.blocked_by?.length && `waits for ${block.blocked_by.map(who).join(", ")}`].filter(Boolean).join(" · ");
    this.chain.hidden = !chain;
    this.chain.textContent = chain;
    this.link.setAttribute("aria-label", `${pod.name}, ${standings[kind].label}, ${says(pod)}${chain ? ", " + chain : ""}`);
    if (this.isSeen && isLive(before) !== isLive(pod)) this.paint();
  }

  /** In sight: a socket for what runs, one picture for what has ended. */
  seen(isSeen) {
    if (this.isSeen === isSeen) return;
    this.isSeen = isSeen;
    this.canvas.classList.toggle("is-away", !isSeen);
    this.showSince();
    if (isSeen) return this.paint();
    this.left = performance.now();
    this.fleet.frames.remove(this);
    if (this.connection) this.fleet.letGo();
  }

  /** Hundreds of numbers that grow out of sight would have the page laid out anew each second. */
  showSince() { if (this.isSeen) tickSince(this.since, sinceOf(this.pod)); else this.since.dataset.since = ""; }

  /** What a frame has time for: what only flies by is not asked for. */
  work() {
    if (!this.isSeen) return;
    if (isLive(this.pod)) this.connection ??= new TerminalConnection(this.pod.pod, { screen: screen => { this.screen = screen; if (this.isSeen) this.paint(); } }, { rate: 2, cache: false }).open();
    else {
      this.disconnect();
      if (!this.isFinal) this.fetch();
    }
    this.draw();
  }

  async fetch() {
    if (this.isFetching) return;
    this.isFetching = true;
    try {
      this.screen = screenFromDump(await ask(`/v1/pods/${this.pod.pod}/screen`, { query: { format: "json" } }));
      this.isFinal = !isLive(this.pod);
      this.paint();
    } catch { /* Without a picture the words remain. */ }
    this.isFetching = false;
  }

  draw() {
    if (!this.screen?.rows) return;
    if (!this.fleet.picture) this.fleet.resized();
    if (this.fleet.picture) paintPicture(this.canvas, this.screen, this.fleet.picture.width, this.fleet.picture.height);
  }

  disconnect() {
    this.connection?.close();
    this.connection = null;
  }

  close() {
    this.fleet.frames.remove(this);
    this.isSeen = false;
    this.disconnect();
  }
}
