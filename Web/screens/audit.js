// Who did what: every change and every refusal, the newest first, and whether that log is as it was written. For admins.
import { h, fill, keyed } from "../app/dom.js";
import { ask } from "../app/api.js";
import { store } from "../app/store.js";
import { links, rename } from "../app/router.js";
import { moment } from "../app/time.js";
import { onlyAdmins, whenOffered } from "../app/offered.js";

export function open(address, shell) {
  shell.title("Audit log");
  return onlyAdmins("The audit log") ?? whenOffered("/v1/audit", { title: "No audit log", text: "This server does not write down who did what." }, () => new AuditScreen(address, shell));
}

const perPage = 100;
const periods = [["", "Ever"], ["-15m", "Last 15 minutes"], ["-1h", "Last hour"], ["-24h", "Last day"], ["-168h", "Last week"]];
const outcomes = [["", "Every outcome"], ["done", "Done"], ["denied", "Denied"], ["failed", "Failed"]];

/** "createCredential" as "create credential". Pure. */
export const actionWords = action => action.replace(/([a-z])([A-Z])/g, (_, before, capital) => `${before} ${capital.toLowerCase()}`);

/** What a verification found, in words, and whether it is good. Pure. */
export function verdict(answer) {
  if (!answer.intact) return { isGood: false, text: answer.seq != null ? `The log was changed: entry ${answer.seq}: ${answer.problem ?? "it does not fit the entry before"}.` : `The log was changed: ${answer.problem ?? "its chain is broken"}.` };
  return { isGood: true, text: answer.entries ? `The log is as it was written: ${answer.entries} ${answer.entries === 1 ? "entry" : "entries"} in one chain.` : "The log is empty, and nothing is missing." };
}

class AuditScreen {
  constructor(address, shell) {
    this.shell = shell;
    this.abort = new AbortController();
    const soon = () => { clearTimeout(this.typing); this.typing = setTimeout(() => this.changed(), 250); };
    this.actor = h("input", { type: "search", "aria-label": "Who", placeholder: "Who: person:olive, pod:…, nobody", autocomplete: "off", spellcheck: "false", oninput: soon });
    this.action = h("input", { type: "search", "aria-label": "What", placeholder: "What: approve", autocomplete: "off", spellcheck: "false", oninput: soon });
    const select = (label, options) => h("select", { "aria-label": label, onchange: () => this.changed() }, options.map(([value, text]) => h("option", { value }, text)));
    this.outcome = select("Outcome", outcomes);
    this.since = select("When", periods);
    this.summary = h("p", { class: "quiet", role: "status" });
    this.verified = h("p", { class: "verified", role: "status", hidden: true });
    this.verifyButton = h("button", { type: "button", onclick: () => this.verify() }, "Verify");
    this.list = h("ol", { class: "entries", "aria-label": "Entries, the newest first" });
    this.rest = h("div");
    this.more = h("button", { type: "button", class: "more", hidden: true, onclick: () => this.load(true) }, "Older");
    this.element = h("section", { class: "audit" },
      h("header", { class: "head" }, h("div", { class: "head-text" }, h("h1", {}, "Audit log"), this.summary), h("div", { class: "head-tools" }, this.verifyButton)),
      h("form", { class: "search-form", role: "search", "aria-label": "Filter the audit log", onsubmit: event => { event.preventDefault(); this.changed(); } }, this.actor, this.action, this.outcome, this.since),
      h("div", { class: "audit-body" }, this.verified, this.list, this.rest, this.more));
    this.take(address);
    this.timer = setInterval(() => { if (!document.hidden && !this.isPaged) this.load(); }, 5000);
  }

  close() { this.abort.abort(); this.request?.abort(); clearInterval(this.timer); clearTimeout(this.typing); }

  update(address) { this.take(address); return true; }

  take({ query }) {
    this.actor.value = query.get("actor") ?? "";
    this.action.value = query.get("action") ?? "";
    this.outcome.value = query.get("outcome") ?? "";
    this.since.value = query.get("since") ?? "";
    this.load();
  }

  asked() {
    // "Approve pod" and "approvePod" are the same; a name alone is a person's.
    const who = this.actor.value.trim(), actor = who && who !== "nobody" && !who.includes(":") ? `person:${who}` : who;
    const action = this.action.value.trim().replace(/\s+(\w)/g, (_, letter) => letter.toUpperCase());
    return { actor, action, outcome: this.outcome.value, since: this.since.value };
  }

  changed() {
    rename(links.audit(this.asked()));
    this.load();
  }

  async load(isOlder = false) {
    this.request?.abort();
    const request = this.request = new AbortController();
    try {
      const page = await ask("/v1/audit", { query: { ...this.asked(), limit: perPage, before: isOlder ? this.next : null }, signal: request.signal });
      this.isPaged = isOlder;
      this.records = isOlder ? [...this.records, ...page.records] : page.records;
      this.next = page.next;
      this.show();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.summary.textContent = "";
      fill(this.list);
      this.more.hidden = true;
      fill(this.rest, h("div", { class: "empty" }, h("h2", {}, "Not shown"), h("p", {}, error.message)));
    }
  }

  show() {
    const { records } = this;
    this.summary.textContent = records.length ? `${this.next ? "The newest " : ""}${records.length} ${records.length === 1 ? "entry" : "entries"}` : "";
    fill(this.rest, !records.length && h("div", { class: "empty" }, h("h2", {}, "No such entry"), h("p", {}, "Changes and refusals are written down here as they happen. What was only looked at is not, except behind redactions.")));
    keyed(this.list, records, record => record.seq, record => this.entry(record));
    this.list.hidden = !records.length;
    this.more.hidden = this.next == null;
  }

  entry({ seq, entry, digest }) {
    const [kind, ...rest] = entry.actor.split(":"), who = rest.join(":");
    const actor = kind === "pod" ? h("a", { href: links.pod(who) }, store.name(who)) : h("strong", {}, who || entry.actor);
    const target = entry.target && (store.pods.has(entry.target) ? h("a", { href: links.pod(entry.target, entry.time) }, store.name(entry.target)) : h("span", { class: "mono" }, entry.target));
    const more = [entry.detail, entry.code && entry.outcome !== "done" && entry.code.replaceAll("_", " "), entry.repeats && `and ${entry.repeats} more of the same`].filter(Boolean).join(", ");
    return h("li", { class: `entry is-${entry.outcome}` },
      h("span", { class: "entry-when tabular quiet", title: entry.time }, moment(Date.parse(entry.time))),
      h("span", { class: "entry-what" }, actor, " ", h("span", {}, actionWords(entry.action)), target && " ", target, more && h("span", { class: "quiet" }, ` (${more})`)),
      h("span", { class: `outcome is-${entry.outcome}` }, outcomeShape(entry.outcome), entry.outcome),
      h("span", { class: "entry-from tabular quiet", title: [entry.credential && `token ${entry.credential}`, digest].filter(Boolean).join(" · ") }, `#${seq} · ${entry.address}`));
  }

  async verify() {
    this.verifyButton.disabled = true;
    this.verified.hidden = false;
    this.verified.className = "verified";
    this.verified.textContent = "Walking the chain …";
    try {
      const answer = await ask("/v1/audit/verify"), { isGood, text } = verdict(answer), head = `${answer.entries}:${answer.head}`;
      this.verified.className = `verified ${isGood ? "is-good" : "is-bad"}`;
      fill(this.verified, h("strong", {}, text), isGood && answer.entries > 0 && h("span", { class: "quiet" }, " Note its head elsewhere; it proves later that nothing up to here was changed: "), isGood && answer.entries > 0 && h("code", {}, head));
    } catch (error) {
      this.verified.className = "verified is-bad";
      this.verified.textContent = error.message;
    }
    this.verifyButton.disabled = false;
  }
}

const outcomeShape = outcome => h("svg", { class: "shape", width: 10, height: 10, viewBox: "0 0 12 12", "aria-hidden": "true" },
  outcome === "done" ? h("path", { d: "M2 6.500 5 9.500 10.500 2.500", class: "hollow" }) : outcome === "denied" ? h("path", { d: "M2 2 10 10M10 2 2 10", class: "hollow heavy" }) : h("path", { d: "M6 1.2 11.3 10.6H.7Z", class: "hollow" }));
