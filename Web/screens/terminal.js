// One pod: its terminal, live and past, with the timeline under it.
import { h, fill, onKeys } from "../app/dom.js";
import { ask } from "../app/api.js";
import { store } from "../app/store.js";
import { go, links, rename, stamp } from "../app/router.js";
import { icon } from "../app/icons.js";
import { arrival, moment, span } from "../app/time.js";
import { isLive, says, sinceOf, standing, statusShape } from "../app/status.js";
import { tickSince } from "../app/live.js";
import { setActions } from "../app/palette.js";
import { TerminalConnection } from "../terminal/connection.js";
import { TerminalView } from "../terminal/view.js";
import { cellMetrics } from "../terminal/paint.js";
import { screenFromDump } from "../terminal/state.js";
import { Timeline } from "../replay/timeline.js";
import { Player } from "../replay/player.js";
import { story } from "../replay/story.js";
import { recordEntries } from "../replay/records.js";
import { Peek } from "../replay/peek.js";

export function open(address, shell) { return new TerminalScreen(address, shell); }

class TerminalScreen {
  constructor(address, shell) {
    this.shell = shell;
    this.reference = address.path.pod;
    this.abort = new AbortController();
    this.story = null;
    this.writer = null;
    this.previews = new Map();
    this.build();
    this.player = new Player(this.host());
    onKeys(event => this.key(event), this.abort.signal);
    this.element.append(this.player.element, this.timeline.element);
    store.on("pods", () => this.showPod(), this.abort.signal);
    this.showPod();
    const place = address.query.get("t");
    if (place) {
      const time = arrival(place);
      this.player.sought = this.player.time = time;
      this.player.mode = "paused";
    }
    this.connection = new TerminalConnection(this.reference, {
      screen: screen => { this.view.show(screen); this.showTitle(screen); },
      position: position => this.moved(position),
      state: (state, reason) => this.showState(state, reason),
      writer: message => this.showWriter(message.writer ?? message),
      exit: message => { this.ended = true; shell.say(`${this.name} has ended.`); this.loadStory(); store.load(); this.showHolder(); },
      error: error => this.refused(error),
    }).open(place);
    this.view.connection = this.connection;
    this.loadStory();
    this.storyTimer = setInterval(() => { if (!document.hidden) this.loadStory(); }, 5000);
    this.clockTimer = setInterval(() => this.tick(), 250);
    this.view.element.focus({ preventScroll: true });
    setActions([
      { name: "Copy a link to this moment", hint: "y", run: () => this.copyLink() }, { name: "Make the pod fit this window", run: () => this.fitPod() },
      { name: "Go to a time …", hint: "t", run: () => this.player.ask() }, { name: "Find on this screen", hint: "/", run: () => this.openFind() },
      { name: `Stop ${this.name}`, run: () => this.stop() }, ...(this.revealButton ? [{ name: "Show or hide secrets of the past", run: () => this.reveal() }] : []),
    ]);
  }

  shown() { this.view.layout(); this.view.element.focus({ preventScroll: true }); }

  close() {
    this.abort.abort();
    clearInterval(this.storyTimer);
    clearInterval(this.clockTimer);
    clearTimeout(this.naming);
    this.connection.close();
    this.peek?.close();
    this.view.close();
    this.timeline.close();
    setActions([]);
  }

  /** The same pod at another moment needs no new socket. */
  update(address) {
    if (address.path.pod !== this.reference) return false;
    const place = address.query.get("t");
    if (place) this.player.seek(arrival(place)); else this.player.perform({ do: "live" });
    return true;
  }

  get pod() { return store.pod(this.reference); }
  get name() { return this.pod?.name ?? this.reference; }
  get isLive() { return this.pod ? isLive(this.pod) && !this.ended : true; }

  // --- The page

  build() {
    const button = (name, label, action, extra = {}) => { const made = h("button", { type: "button", class: "round", "aria-label": label, onclick: action, ...extra }, icon(name)); made.title = label; return made; };
    this.view = new TerminalView({
      type: (text, options) => this.type(text, options), canType: () => this.canType(),
      typingChanged: () => this.showHolder(), key: event => this.key(event),
    });
    this.timeline = new Timeline({ seek: (time, isLast) => this.player.seek(time, isLast), preview: time => this.preview(time) });
    this.heading = h("h1", {});
    this.about = h("p", { class: "pod-about" });
    this.command = h("span", { class: "mono quiet pod-command" });
    this.holder = h("button", { type: "button", class: "holder", onclick: () => this.holderPressed() }, icon("keyboard"), this.holderText = h("span", {}), this.holderHint = h("kbd", {}));
    this.banner = h("div", { class: "banner", role: "status", hidden: true });
    this.findBox = h("form", { class: "find", hidden: true, role: "search", onsubmit: event => { event.preventDefault(); this.showFound(this.view.findNext(1)); } },
      this.findInput = h("input", {
        type: "search", "aria-label": "Find on this screen", placeholder: "Find on this screen", autocomplete: "off", spellcheck: "false",
        oninput: () => { const count = this.view.find(this.findInput.value); this.showFound(count ? 1 : 0); },
        onkeydown: event => {
          if (event.key === "Escape") { event.preventDefault(); this.closeFind(); }
          if (event.key === "Enter" && event.shiftKey) { event.preventDefault(); this.showFound(this.view.findNext(-1)); }
        },
      }), this.foundCount = h("span", { class: "quiet tabular", role: "status" }),
      h("button", { type: "button", onclick: () => go(links.search(this.findInput.value)) }, "Everywhere, ever"), button("close", "Close (Esc)", () => this.closeFind()));
    this.element = h("section", { class: "pod-screen" },
      h("header", { class: "head" },
        h("div", { class: "head-text" }, this.heading, this.about),
        h("div", { class: "head-tools" }, this.holder, store.person?.role === "admin" && (this.revealButton = button("eye", "Show secrets of the past", () => this.reveal(), { "aria-pressed": "false" })),
          button("minus", "Smaller (−)", () => this.view.zoomBy(1 / 1.15)), button("plus", "Larger (+)", () => this.view.zoomBy(1.15)), button("fit", "Make the pod fit this window", () => this.fitPod()),
          button("search", "Find on this screen (/)", () => this.openFind()), button("link", "Copy a link to this moment (y)", () => this.copyLink()),
          button("together", "Together with others", () => go(links.together([this.reference], this.player.isPast ? this.player.time : null))))),
      this.findBox, h("div", { class: "terminal-frame" }, this.view.element, this.banner));
  }

  host() {
    const screen = this;
    return {
      get story() { return screen.story; }, get timeline() { return screen.timeline; },
      seek: time => screen.connection.seek(time), live: () => screen.connection.live(), play: (rate, idle) => screen.connection.play(rate, idle),
      pause: () => screen.connection.pause(), step: frames => screen.connection.step(frames), find: () => screen.openFind(),
      moved: time => screen.nameMoment(time), foldsChanged: folds => { screen.timeline.folds = folds; screen.timeline.scale = null; screen.timeline.redraw(); },
    };
  }

  showPod() {
    const { pod } = this;
    this.heading.textContent = this.name;
    this.shell.title(this.name);
    if (pod) {
      const kind = standing(pod);
      fill(this.about, statusShape(kind, { label: null }), h("span", { class: `words ${kind}`, title: pod.status?.evidence ?? null }, says(pod)), tickSince(h("span", { class: "quiet" }), sinceOf(pod), ...(isLive(pod) ? ["for "] : ["", " ago"])),
        h("span", { class: "mono quiet pod-command" }, pod.spec.command.join(" ") || pod.agent || ""));
    } else if (store.hasLoaded && !this.isAway) fill(this.about, h("span", { class: "quiet" }, "not known here"));
    this.showHolder();
  }

  /** Looks behind redactions, or no longer. */
  reveal() {
    const reveals = !this.connection.reveals, label = reveals ? "Hide secrets again" : "Show secrets of the past";
    this.connection.reveal(reveals, this.player.isPast ? stamp(this.player.time) : null);
    this.peek?.close();
    this.peek = reveals ? new Peek(this.reference) : null;
    this.previews = new Map();
    this.timeline.hideCard();
    this.revealButton.setAttribute("aria-pressed", String(reveals));
    this.revealButton.setAttribute("aria-label", label);
    this.revealButton.title = label;
    this.element.classList.toggle("reveals", reveals);
    this.shell.say(reveals ? "Secrets are shown here until you hide them or leave. The audit log says so." : "Secrets are hidden again.");
    this.showBanner();
  }

  showTitle(screen) {
    if (this.screenTitle === screen.title) return;
    this.screenTitle = screen.title;
    this.view.element.setAttribute("aria-label", screen.title ? `Terminal of ${this.name}: ${screen.title}` : `Terminal of ${this.name}`);
  }

  showState(state, reason) {
    const texts = {
      offline: "The connection broke. What you see may be old; trying again by itself.", behind: "Behind: the server is slower than what happens. Catching up …",
      gone: reason || "This pod is not here (any more).", denied: reason || "You may not see this pod any more.",
    };
    this.stateText = texts[state] ?? "";
    this.showBanner();
    if (state !== "gone" && state !== "denied") return;
    // Nothing comes of asking again.
    this.isAway = true;
    if (!this.pod) fill(this.about);
    clearInterval(this.storyTimer);
    this.view.canvas.hidden = true;
    this.showHolder();
  }

  showBanner() {
    const text = this.stateText || (this.connection?.reveals ? "Secrets are shown. The audit log says that you looked." : "");
    this.banner.hidden = !text;
    this.banner.className = this.stateText ? "banner warning" : "banner revealing";
    this.banner.textContent = text;
  }

  // --- Where we are

  moved(position) {
    this.player.position(position);
    const isPast = position.mode !== "live";
    this.element.classList.toggle("past", isPast && this.isLive);
    this.showHolder();
    if (!isPast && this.view.isTyping) this.view.schedule();
    if (isPast && this.view.isTyping) this.view.leave();
  }

  /** The address says where we are; quickly changing places wait until they stand still. */
  nameMoment(time) {
    clearTimeout(this.naming);
    this.naming = setTimeout(() => {
      const atEnd = time == null || (this.story && !this.story.live && time >= this.story.last);
      if (!this.abort.signal.aborted) rename(links.pod(this.reference, atEnd ? null : time));
    }, 150);
  }

  tick() {
    if (!this.story || this.player.mode !== "live" || !this.story.live) return;
    const now = Date.now();
    this.story.last = now;
    if (now - (this.extended ?? 0) > 1000) {
      this.extended = now;
      this.timeline.extend(now);
      this.timeline.scale = null;
    }
    this.player.update();
  }

  async loadStory() {
    const reference = encodeURIComponent(this.reference);
    try {
      const [timeline, history, records] = await Promise.all([
        ask(`/v1/pods/${reference}/timeline`, { query: { buckets: 600 }, signal: this.abort.signal }),
        ask(`/v1/pods/${reference}/history`, { signal: this.abort.signal }).catch(error => { if (error.name === "AbortError") throw error; return null; }),
        recordEntries(this.pod?.pod ?? this.reference, this.abort.signal),
      ]);
      this.story = story(timeline, history, this.pod, Date.now(), records);
      this.timeline.load(this.story);
      this.player.update();
    } catch (error) {
      if (error.name !== "AbortError" && error.status !== 404) console.warn("timeline:", error.message);
    }
  }

  async preview(time) {
    const scale = this.timeline.currentScale(), key = Math.round(scale.x(time) / 2) + "/" + Math.round(scale.last / 5000);
    const { previews } = this;
    if (previews.has(key)) return previews.get(key);
    const at = Math.min(time, Date.now()), isMine = () => this.previews === previews;
    const screen = this.peek ? await this.peek.at(at)
      : screenFromDump(await ask(`/v1/pods/${encodeURIComponent(this.reference)}/screen`, { query: { at: stamp(at), format: "json" }, signal: this.abort.signal }));
    // Asked for before secrets were shown, or hidden again.
    if (!isMine() || !screen) return null;
    if (previews.size > 200) previews.clear();
    previews.set(key, screen);
    return screen;
  }

  copyLink() {
    const time = this.player.isPast ? this.player.time : Date.now();
    const link = location.origin + links.pod(this.pod?.pod ?? this.reference, time);
    const done = navigator.clipboard?.writeText(link) ?? Promise.reject(new Error());
    done.then(() => this.shell.say(`Copied: ${this.name} at ${moment(time)}`), () => this.shell.say(link));
  }

  // --- The keyboard

  key(event) {
    if (event.key === "Enter" && event.target === this.view.element && !this.player.isPast) { event.preventDefault(); return this.view.type() || undefined; }
    if (!event.ctrlKey && !event.altKey && !event.metaKey) {
      if (event.key === "y") { event.preventDefault(); return this.copyLink(); }
      if (event.key === "+" || event.key === "=") { event.preventDefault(); return this.view.zoomBy(1.15); }
      if (event.key === "-") { event.preventDefault(); return this.view.zoomBy(1 / 1.15); }
    }
    this.player.key(event);
  }

  canType() {
    if (this.isAway) return false;
    if (!this.isLive) { this.shell.say(`${this.name} has ended; nobody can type into it.`); return false; }
    if (!store.mayWrite) { this.shell.say("You may look, not type: your role is viewer."); return false; }
    if (this.player.isPast) { this.shell.say("This is the past. Press L to go live, then type."); return false; }
    return true;
  }

  type(text, options = {}) {
    if (this.player.isPast) return;
    if (!this.connection.input(text, options)) this.shell.say("Not sent: the connection is broken.", true);
  }

  showWriter(writer) {
    this.writer = writer.author ? { author: writer.author, you: writer.you ?? writer.author === `person:${store.person?.name}` } : null;
    this.showHolder();
  }

  /** Who holds the keyboard, always. */
  showHolder() {
    const { view, player } = this;
    const name = this.writer?.author.split(":").at(-1);
    let text, kind = "free", hint = "";
    if (this.isAway) { text = "Nothing to type into"; kind = "off"; }
    else if (!this.isLive) { text = "Ended"; kind = "off"; }
    else if (!store.mayWrite) { text = name ? `${name} writes` : "You look only"; kind = "off"; }
    else if (player?.isPast) { text = "Go live to type"; kind = "free"; hint = "L"; }
    else if (view.isTyping) { text = this.writer && !this.writer.you ? `${name} writes · take over` : "You are typing"; kind = this.writer && !this.writer.you ? "other" : "you"; hint = kind === "you" ? "Ctrl ⇧ ↑ leaves" : ""; }
    else if (this.writer && !this.writer.you) { text = `${name} writes`; kind = "other"; hint = "Enter"; }
    else { text = matchMedia("(pointer: coarse)").matches ? "Tap to type" : "Press Enter to type"; hint = ""; }
    const key = text + kind + hint;
    if (this.holderKey === key) return;
    this.holderKey = key;
    this.holder.className = `holder ${kind}`;
    this.holder.disabled = kind === "off";
    this.holderText.textContent = text;
    this.holderHint.textContent = hint;
    this.holderHint.hidden = !hint;
  }

  holderPressed() {
    if (this.player.isPast) { this.connection.live(); return this.view.element.focus(); }
    if (this.view.isTyping || this.holder.classList.contains("other")) this.connection.take();
    this.view.type();
  }

  refused(error) {
    if (error.code === "busy") {
      const author = /person:(\S+)|pod:(\S+)/.exec(error.message);
      this.shell.say(error.message, true);
      if (author) this.showWriter({ author: author[0].replace(/[.,;:]$/, ""), you: false });
      return;
    }
    this.shell.say(error.message, true);
  }

  // --- Tools

  openFind() {
    this.findBox.hidden = false;
    this.findInput.focus();
    this.findInput.select();
  }

  closeFind() {
    this.findBox.hidden = true;
    this.view.find("");
    this.view.element.focus({ preventScroll: true });
  }

  showFound(current) {
    const count = this.view.found.length;
    this.foundCount.textContent = this.findInput.value ? count ? `${current} of ${count}` : "Not on this screen" : "";
  }

  fitPod() {
    if (!this.canType()) return;
    const ratio = devicePixelRatio || 1, metrics = cellMetrics(Math.round(14 * ratio) / ratio, ratio);
    const columns = Math.max(20, Math.floor((this.view.element.clientWidth - 24) * ratio / metrics.width)), rows = Math.max(5, Math.floor((this.view.element.clientHeight - 24) * ratio / metrics.height));
    this.connection.resize(Math.min(columns, 500), Math.min(rows, 200));
    this.shell.say(`Asked for ${columns} × ${rows}.`);
  }

  async stop() {
    try {
      await ask(`/v1/pods/${encodeURIComponent(this.reference)}/stop`, { method: "POST", body: {} });
      this.shell.say(`${this.name} is being stopped.`);
    } catch (error) { this.shell.say(error.message, true); }
  }
}
