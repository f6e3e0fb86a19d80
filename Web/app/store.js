// What the page knows of the fleet, kept up by events; screens listen.
import { ask, followEvents } from "./api.js";
import { isLive } from "./status.js";

/** `pods` by id, `person`, and whether the server is there. Events: "pods", "link", "event". */
class Store extends EventTarget {
  pods = new Map();
  person = null;
  link = "connecting";
  hasLoaded = false;
  attention = null;

  /** Paths that the server has (`GET /openapi.json`): what it does not have yet is not asked for. */
  offered = new Set();

  offers(path) { return this.offered.has(path); }

  async learn() {
    const description = await ask("/openapi.json", { patience: 8000 }).catch(() => null);
    if (!description?.paths) return;
    const now = new Set(Object.keys(description.paths)), isNew = [...now].some(path => !this.offered.has(path));
    this.offered = now;
    if (isNew) this.tell("offers");
  }

  async start() {
    await this.learn();
    this.person = await ask("/v1/session", { patience: 8000 }).catch(error => { if (error.missing) return { name: "you", role: "operator" }; throw error; });
    this.events?.close();
    this.events = followEvents({
      state: state => this.setLink(state === "open" ? "open" : "offline"),
      gap: () => this.load(),
      // Another server may offer more.
      hello: () => { this.learn(); this.load(); },
      event: event => this.hear(event),
    });
    clearInterval(this.timer);
    // A look now and then rights whatever was missed.
    this.timer = setInterval(() => { if (!document.hidden) this.load(); }, 4000);
    if (!this.watchesPage) this.watchPage();
    await this.load();
  }

  /** A page that nobody sees holds no connection. */
  watchPage() {
    this.watchesPage = true;
    let leaving = null;
    const away = () => this.events?.pause(), back = () => { clearTimeout(leaving); this.events?.resume(); if (this.person) this.load(); };
    document.addEventListener("visibilitychange", () => {
      clearTimeout(leaving);
      if (document.hidden) leaving = setTimeout(away, 20_000); else back();
    });
    // A page kept for the back button would keep its connection as well.
    addEventListener("pagehide", away);
    addEventListener("pageshow", event => { if (event.persisted) back(); });
  }

  stop() {
    this.events?.close();
    clearInterval(this.timer);
  }

  setLink(link) {
    if (this.link === link) return;
    this.link = link;
    this.tell("link");
  }

  tell(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }

  /** Listens until `signal` aborts. */
  on(name, action, signal) { this.addEventListener(name, event => action(event.detail), { signal }); }

  async load() {
    if (this.loading) { this.loadAgain = true; return this.loading; }
    this.loading = (async () => {
      try {
        const all = new Map();
        let cursor = null;
        do {
          const page = await ask("/v1/pods", { query: { limit: 1000, cursor }, patience: 8000 });
          for (const pod of page.pods) all.set(pod.pod, pod);
          cursor = page.next ?? null;
        } while (cursor && all.size < 5000);
        this.pods = all;
        this.hasLoaded = true;
        this.error = null;
        this.setLink("open");
      } catch (error) {
        this.error = error;
        if (error.code === "offline" || error.status >= 500) this.setLink("offline");
      }
      this.tell("pods");
      this.loadAttention();
    })();
    await this.loading;
    this.loading = null;
    if (this.loadAgain) { this.loadAgain = false; return this.load(); }
  }

  /** What needs a person; null while the server has no such list. */
  async loadAttention() {
    if (!this.offers("/v1/attention")) return;
    try {
      this.attention = await ask("/v1/attention");
      this.tell("attention");
    } catch { /* The next look tells. */ }
  }

  hear(event) {
    if (event.area === "pod" && event.data?.pod?.pod) {
      const known = this.pods.get(event.id);
      this.pods.set(event.id, { ...event.data.pod, status: event.data.pod.status ?? known?.status });
      this.tell("pods");
    }
    if (event.area === "status" && event.data?.status && this.pods.has(event.id)) {
      const pod = this.pods.get(event.id);
      if (!pod.status || Date.parse(event.data.since) >= Date.parse(pod.status.since)) {
        this.pods.set(event.id, { ...pod, status: event.data });
        this.tell("pods");
      }
    }
    if (["attention", "binding", "wait"].includes(event.area)) {
      clearTimeout(this.attentionTimer);
      this.attentionTimer = setTimeout(() => this.loadAttention(), 100);
    }
    this.tell("event", event);
  }

  pod(reference) {
    if (this.pods.has(reference)) return this.pods.get(reference);
    let found = null;
    for (const pod of this.pods.values()) {
      if (pod.name !== reference) continue;
      if (!found || isLive(pod)) found = pod;
      if (isLive(pod)) break;
    }
    return found;
  }

  name(id) { return this.pods.get(id)?.name ?? id; }
  get mayWrite() { return this.person != null && this.person.role !== "viewer"; }
}

export const store = new Store();
