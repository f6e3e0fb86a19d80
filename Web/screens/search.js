// When was a text on any screen, ever: hits by pod, each with the screen of its moment, one click from the replay.
import { h, fill } from "../app/dom.js";
import { ask } from "../app/api.js";
import { store } from "../app/store.js";
import { links, rename } from "../app/router.js";
import { moment, span } from "../app/time.js";
import { standing, statusShape } from "../app/status.js";
import { screenFromDump } from "../terminal/state.js";
import { matches } from "../terminal/selection.js";
import { paintPicture } from "../replay/timeline.js";

export function open(address, shell) { return new SearchScreen(address, shell); }

const perPage = 120, perGroup = 6;

class SearchScreen {
  constructor(address, shell) {
    this.shell = shell;
    this.abort = new AbortController();
    this.input = h("input", { type: "search", placeholder: "What was on a screen", "aria-label": "Search everything that was ever on a screen", autocomplete: "off", spellcheck: "false", oninput: () => { clearTimeout(this.timer); this.timer = setTimeout(() => this.search(), 250); } });
    this.pod = h("select", { "aria-label": "Pod", onchange: () => this.search() });
    this.when = h("select", { "aria-label": "When", onchange: () => this.search() }, [["", "Ever"], ["-15m", "Last 15 minutes"], ["-1h", "Last hour"], ["-24h", "Last day"], ["-168h", "Last week"]].map(([value, label]) => h("option", { value }, label)));
    this.regex = h("input", { type: "checkbox", onchange: () => this.search() });
    // For admins; not in the address, so that no link shows secrets.
    this.reveals = h("input", { type: "checkbox", onchange: () => this.search() });
    this.summary = h("p", { class: "quiet search-summary", role: "status" });
    this.results = h("div", { class: "search-results" });
    this.element = h("section", { class: "search", onkeydown: event => this.key(event) },
      h("header", { class: "head" }, h("div", { class: "head-text" }, h("h1", {}, "Search"), this.summary)),
      h("form", { class: "search-form", role: "search", onsubmit: event => { event.preventDefault(); this.search(); } }, this.input, this.pod, this.when, h("label", { class: "check" }, this.regex, "Regular expression"),
        store.person?.role === "admin" && h("label", { class: "check" }, this.reveals, "Secrets too")), this.results);
    this.take(address);
    store.on("pods", () => this.fillPods(), this.abort.signal);
  }

  shown() { this.input.focus(); }
  close() { this.abort.abort(); clearTimeout(this.timer); this.request?.abort(); }
  update(address) { this.take(address); return true; }

  take({ query }) {
    this.input.value = query.get("q") ?? "";
    this.fillPods(query.get("pod") ?? "");
    this.when.value = query.get("from") ?? "";
    this.regex.checked = query.get("regex") === "true";
    this.search();
  }

  fillPods(chosen = this.pod.value) {
    const pods = [...store.pods.values()].sort((a, b) => a.name.localeCompare(b.name));
    const key = pods.map(pod => pod.pod).join();
    if (key === this.podsKey && chosen === this.pod.value) return;
    this.podsKey = key;
    fill(this.pod, h("option", { value: "" }, "Every pod"), pods.map(pod => h("option", { value: pod.pod, selected: pod.pod === chosen }, pod.name)));
    this.pod.value = chosen;
  }

  async search(cursor = null) {
    const query = this.input.value.trim();
    const asked = { q: query, pod: this.pod.value, from: this.when.value, regex: this.regex.checked ? "true" : "" };
    this.shell.title(query ? `“${query}”` : "Search");
    rename("/search" + (query ? "?" + new URLSearchParams(Object.entries(asked).filter(([, value]) => value)) : ""));
    this.request?.abort();
    if (!query) { this.summary.textContent = ""; return fill(this.results, h("div", { class: "empty" }, h("h2", {}, "Everything that was ever on a screen"), h("p", {}, "Write a few words of it: an error, a file's name, what an agent said. Also what was cleared or scrolled away is found."))); }
    this.request = new AbortController();
    this.summary.textContent = "Searching …";
    try {
      const page = await ask("/v1/search", { query: { ...asked, ...this.shownToo(), ignore_case: query === query.toLowerCase() ? "true" : "", limit: perPage, cursor }, signal: this.request.signal });
      if (!cursor) this.hits = [];
      this.hits.push(...page.hits);
      this.next = page.next;
      this.query = query;
      this.show();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.summary.textContent = "";
      fill(this.results, h("div", { class: "empty" }, h("h2", {}, "Not searched"), h("p", {}, error.message)));
    }
  }

  /** What asks for secrets as well. */
  shownToo() { return this.reveals.checked ? { reveal: "true" } : {}; }

  show() {
    const groups = new Map();
    for (const hit of this.hits) { if (!groups.has(hit.pod)) groups.set(hit.pod, []); groups.get(hit.pod).push(hit); }
    this.summary.textContent = this.hits.length === 0 ? "" : `${this.next ? "The first " : ""}${this.hits.length} ${this.hits.length === 1 ? "place" : "places"} in ${groups.size} ${groups.size === 1 ? "pod" : "pods"}`;
    if (this.reveals.checked) this.summary.textContent += `${this.summary.textContent ? ". " : ""}Secrets are shown. The audit log says that you looked.`;
    if (this.hits.length === 0) return fill(this.results, h("div", { class: "empty" }, h("h2", {}, "Never on a screen"), h("p", {}, `“${this.query}” was not found${this.when.value || this.pod.value ? " there. Look everywhere?" : "."}`), (this.when.value || this.pod.value) && h("button", { onclick: () => { this.when.value = ""; this.pod.value = ""; this.search(); } }, "Every pod, ever")));
    fill(this.results, [...groups].map(([pod, hits]) => this.group(pod, hits)), this.next && h("button", { class: "more", onclick: () => this.search(this.next) }, "More"));
  }

  group(id, hits) {
    const pod = store.pods.get(id), canvas = h("canvas", { "aria-hidden": "true" });
    const picture = h("a", { class: "hit-picture", href: this.address(hits[0]), tabindex: "-1", "aria-hidden": "true" }, canvas);
    let shownHit = null;
    const show = async hit => {
      if (shownHit === hit) return;
      shownHit = hit;
      picture.href = this.address(hit);
      try {
        const screen = screenFromDump(await ask(`/v1/pods/${id}/screen`, { query: { seq: hit.seq, format: "json", ...this.shownToo() }, signal: this.abort.signal }));
        if (shownHit !== hit) return;
        paintPicture(canvas, screen, 390);
        this.mark(canvas, screen);
      } catch { /* The line itself is still there. */ }
    };
    const list = h("ol", { class: "hits" });
    const fillList = count => fill(list, hits.slice(0, count).map(hit => h("li", {}, h("a", { class: "hit", href: this.address(hit), onpointerenter: () => show(hit), onfocus: () => show(hit) },
      h("span", { class: "hit-line mono" }, this.highlighted(hit.line)), h("span", { class: "hit-when quiet tabular" }, moment(Date.parse(hit.from)), hit.to ? `, for ${span(Date.parse(hit.to) - Date.parse(hit.from))}` : ", still there")))),
      count < hits.length && h("li", {}, h("button", { class: "plain", onclick: () => fillList(hits.length) }, `${hits.length - count} more in ${pod?.name ?? id}`)));
    fillList(perGroup);
    const observer = new IntersectionObserver(entries => { if (entries.some(entry => entry.isIntersecting)) { observer.disconnect(); show(hits[0]); } });
    const element = h("section", { class: "hit-group" }, h("h2", {}, pod && statusShape(standing(pod), { label: null }), " ", pod?.name ?? id, h("span", { class: "quiet" }, ` ${hits.length}`)), h("div", { class: "hit-body" }, list, picture));
    observer.observe(element);
    return element;
  }

  /** Where on the picture it is. */
  mark(canvas, screen) {
    const { metrics, context } = canvas.painter;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.strokeStyle = "#f4b740";
    context.lineWidth = Math.max(1, devicePixelRatio);
    for (const match of matches(screen, this.query)) context.strokeRect(match.from * metrics.width - 1, match.row * metrics.height - 1, (match.to - match.from) * metrics.width + 2, metrics.height + 2);
  }

  address(hit) { return links.pod(hit.pod, hit.from); }

  highlighted(line) {
    if (this.regex.checked) return [line];
    const at = line.toLowerCase().indexOf(this.query.toLowerCase());
    if (at < 0) return [line];
    // A hit far to the right would be cut off.
    const from = Math.max(0, at - 40);
    return [(from > 0 ? "…" : "") + line.slice(from, at), h("mark", {}, line.slice(at, at + this.query.length)), line.slice(at + this.query.length)];
  }

  key(event) {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const all = [...this.results.querySelectorAll("a.hit")], index = all.indexOf(document.activeElement);
    if (event.target.matches("select")) return;
    event.preventDefault();
    if (event.key === "ArrowUp" && index <= 0) return this.input.focus();
    all[event.key === "ArrowDown" ? index + 1 : index - 1]?.focus();
  }
}
