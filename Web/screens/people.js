// Who may come in: tokens of people. Made here, shown once, ended at any time. For admins.
import { h, fill, keyed } from "../app/dom.js";
import { ask } from "../app/api.js";
import { links } from "../app/router.js";
import { moment, span } from "../app/time.js";
import { onlyAdmins, whenOffered } from "../app/offered.js";

export function open(address, shell) {
  shell.title("People");
  return onlyAdmins("People and their tokens") ?? whenOffered("/v1/credentials", { title: "No tokens to manage", text: "This server does not tell who may come in." }, () => new PeopleScreen(shell));
}

const terms = [["3600", "for an hour"], ["86400", "for a day"], ["604800", "for a week"], ["2592000", "for 30 days"], ["31536000", "for a year"], ["", "until it is revoked"]];
const roles = [["viewer", "Viewer: looks"], ["operator", "Operator: types, approves"], ["admin", "Admin: people, too"]];
const last = author => (author ?? "").split(":").at(-1);

/** What a token is in words: what it is good for, until when, who made it. Pure. */
export function tokenWords(token, now = Date.now()) {
  const until = token.state === "revoked" ? `revoked ${moment(Date.parse(token.revoked), now)}${token.revoked_by ? ` by ${last(token.revoked_by)}` : ""}`
    : token.state === "expired" ? `ran out ${moment(Date.parse(token.expires), now)}`
    : token.expires ? `good for another ${span(Date.parse(token.expires) - now)}` : token.source === "file" ? "from the file of tokens" : "good until it is revoked";
  return {
    until, pods: token.pods ? `only ${token.pods.join(", ")}` : "every pod",
    made: token.created ? `made ${moment(Date.parse(token.created), now)}${token.created_by ? ` by ${last(token.created_by)}` : ""}` : "ends when its line is taken out of that file",
  };
}

class PeopleScreen {
  constructor(shell) {
    this.shell = shell;
    this.abort = new AbortController();
    this.summary = h("p", { class: "quiet", role: "status" });
    const field = (label, element, className = "field") => h("label", { class: className }, h("span", {}, label), element);
    this.name = h("input", { type: "text", required: true, autocomplete: "off", spellcheck: "false", maxlength: "100", placeholder: "olive" });
    this.role = h("select", {}, roles.map(([value, label]) => h("option", { value, selected: value === "operator" }, label)));
    this.term = h("select", {}, terms.map(([value, label]) => h("option", { value, selected: value === "2592000" }, label)));
    this.pods = h("input", { type: "text", autocomplete: "off", spellcheck: "false", placeholder: "all, or builder, test-*" });
    this.note = h("input", { type: "text", autocomplete: "off", maxlength: "400", placeholder: "what it is for" });
    this.message = h("p", { class: "message", role: "alert" });
    this.issued = h("div", { class: "issued", role: "status", hidden: true });
    this.form = h("form", { class: "new-token card", "aria-labelledby": "new-token", onsubmit: event => { event.preventDefault(); this.create(); } },
      h("h2", { id: "new-token" }, "A new token"), h("div", { class: "fields" }, field("Name", this.name), field("Role", this.role), field("Good", this.term), field("Pods", this.pods), field("Note", this.note)),
      h("div", { class: "form-end" }, this.message, h("button", { type: "submit", class: "primary" }, "Make a token")));
    this.all = h("input", { type: "checkbox", onchange: () => this.load() });
    this.list = h("ul", { class: "tokens", "aria-label": "Tokens" });
    this.element = h("section", { class: "people" },
      h("header", { class: "head" }, h("div", { class: "head-text" }, h("h1", {}, "People"), this.summary), h("div", { class: "head-tools" }, h("label", { class: "check" }, this.all, "Those that are over, too"))),
      h("div", { class: "people-body" }, this.issued, this.form, this.list));
    this.timer = setInterval(() => { if (!document.hidden) this.load(); }, 5000);
    this.load();
  }

  close() { this.abort.abort(); clearInterval(this.timer); }

  async load() {
    try {
      const [{ credentials }, me] = await Promise.all([
        ask("/v1/credentials", { query: { all: this.all.checked ? "true" : null }, signal: this.abort.signal }), this.me ?? ask("/v1/me", { signal: this.abort.signal }),
      ]);
      this.me = me;
      const good = credentials.filter(token => token.state === "active"), soon = good.filter(token => token.expires && Date.parse(token.expires) - Date.now() < 604_800_000);
      this.summary.textContent = `${good.length} ${good.length === 1 ? "token is" : "tokens are"} good${soon.length ? `, ${soon.length} of them for less than a week` : ""}`;
      const order = token => (token.state === "active" ? 0 : 1);
      const sorted = [...credentials].sort((a, b) => order(a) - order(b) || a.name.localeCompare(b.name) || a.id.localeCompare(b.id));
      keyed(this.list, sorted, token => `${token.source} ${token.id} ${token.name}`, () => h("li", { class: "token" }), (element, token) => this.show(element, token));
    } catch (error) {
      if (error.name !== "AbortError") this.summary.textContent = error.message;
    }
  }

  show(element, token) {
    const words = tokenWords(token), isMine = this.me.credential === token.id && this.me.name === token.name;
    // What somebody is about to confirm stays where it is.
    const key = JSON.stringify([token, words, isMine]);
    if (element.shownAs === key || element.querySelector(".confirm")) return;
    element.shownAs = key;
    element.className = `token is-${token.state}`;
    const ending = token.state === "active" && token.source === "registry" && h("button", { type: "button", "aria-label": `Revoke the token of ${token.name}`, onclick: () => this.confirm(element, token, isMine) }, "Revoke");
    fill(element, h("span", { class: "initial", "aria-hidden": "true" }, token.name.slice(0, 1).toUpperCase()),
      h("div", { class: "token-text" }, h("p", {}, h("strong", {}, token.name), " ", h("span", { class: "tag" }, token.role), isMine && h("span", { class: "tag" }, "you, now")),
        h("p", { class: "quiet" }, [words.until, words.pods, words.made].join(" · ")), token.note && h("p", {}, token.note), token.id && h("p", { class: "mono quiet" }, token.id)),
      h("div", { class: "token-end" }, h("a", { class: "button", href: links.audit({ actor: `person:${token.name}` }), "aria-label": `What ${token.name} did` }, "What they did"), ending));
  }

  confirm(element, token, isMine) {
    const end = element.querySelector(".token-end");
    const back = () => { element.shownAs = null; end.classList.remove("confirm"); this.load(); };
    end.classList.add("confirm");
    fill(end, h("span", {}, isMine ? "This signs you out here." : `What ${token.name} has open closes at once.`),
      h("button", { type: "button", class: "danger", "aria-label": `Yes, revoke the token of ${token.name}`, onclick: async () => {
        try { await ask(`/v1/credentials/${encodeURIComponent(token.id)}`, { method: "DELETE" }); this.shell.say(`The token of ${token.name} is over.`); } catch (error) { this.shell.say(error.message, true); }
        back();
      } }, "Revoke it"), h("button", { type: "button", onclick: back }, "Keep it"));
    end.querySelector("button").focus();
  }

  async create() {
    this.message.textContent = "";
    const pods = this.pods.value.split(/[\s,]+/).filter(Boolean);
    try {
      const { token, credential } = await ask("/v1/credentials", {
        method: "POST", body: { name: this.name.value.trim(), role: this.role.value, ...(pods.length ? { pods } : {}), ...(this.note.value.trim() ? { note: this.note.value.trim() } : {}), ...(this.term.value ? { expires_in: Number(this.term.value) } : {}) },
      });
      this.form.reset();
      this.showIssued(token, credential);
      this.load();
    } catch (error) { this.message.textContent = error.message; }
  }

  /** The only time that it can be seen: it stands here until it is put away, and nowhere else. */
  showIssued(token, credential) {
    const shown = h("input", { type: "text", class: "mono", readonly: true, value: token, "aria-label": `Token of ${credential.name}`, onfocus: () => shown.select() });
    const copy = () => (navigator.clipboard?.writeText(token) ?? Promise.reject(new Error())).then(() => this.shell.say("Copied."), () => { shown.focus(); this.shell.say("Copy it from the field: this browser does not let pages copy."); });
    fill(this.issued, h("h2", {}, `The token of ${credential.name}`), h("p", {}, "It is shown now and never again: the server keeps its digest only. Whoever has it signs in as ", h("strong", {}, credential.name), "."),
      h("div", { class: "issued-token" }, shown, h("button", { type: "button", class: "primary", onclick: copy }, "Copy"), h("button", { type: "button", onclick: () => { fill(this.issued); this.issued.hidden = true; this.name.focus(); } }, "Put away")));
    this.issued.hidden = false;
    shown.focus();
  }
}
