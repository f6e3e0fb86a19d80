// What needs a person, most blocking first; answered where it stands.
import { h, fill, keyed, onKeys } from "../app/dom.js";
import { ask } from "../app/api.js";
import { store } from "../app/store.js";
import { links } from "../app/router.js";
import { askedOf, heldWords, othersHeld, says, standing, statusShape } from "../app/status.js";
import { tickSince } from "../app/live.js";
import { TerminalConnection } from "../terminal/connection.js";
import { lineText } from "../terminal/state.js";
import { paintPicture } from "../replay/timeline.js";

export function open(address, shell) { return new AttentionScreen(address, shell); }

/** Open items, most blocking first, then oldest. From the server's list; while it has none, from the pods that say they wait. */
export function attentionItems(page, pods) {
  if (page) return page.items.filter(item => !item.closed).map((item, index) => ({ ...item, index }));
  return pods.filter(pod => standing(pod) === "waiting").map(pod => ({
    id: `${pod.pod} ${pod.status.since}`, kind: ["approval", "plan", "trust"].includes(pod.status.reason) ? "approval" : pod.status.reason === "quota" || pod.status.reason === "login" ? pod.status.reason : "question",
    subject: pod.pod, pod: pod.pod, summary: askedOf(pod.status) ?? pod.status.evidence ?? says(pod), status: pod.status, opened: pod.status.since,
  })).sort((a, b) => Date.parse(a.opened) - Date.parse(b.opened));
}

class AttentionScreen {
  constructor(address, shell) {
    this.shell = shell;
    this.abort = new AbortController();
    this.summary = h("p", { class: "quiet", role: "status" });
    this.list = h("ol", { class: "attention-list", "aria-label": "What needs a person" });
    this.rest = h("div");
    this.element = h("section", { class: "attention" }, h("header", { class: "head" }, h("div", { class: "head-text" }, h("h1", {}, "Attention"), this.summary)), this.list, this.rest);
    shell.title("Attention");
    for (const name of ["attention", "pods", "offers"]) store.on(name, () => this.show(), this.abort.signal);
    onKeys(event => this.key(event), this.abort.signal);
    this.show();
    store.loadAttention();
  }

  close() {
    this.abort.abort();
    for (const element of this.list.children) element.onremoved?.();
  }

  show() {
    const items = attentionItems(store.attention, [...store.pods.values()]);
    // Those held up by one thing may be held up by another as well.
    const held = Math.max(0, ...items.map(othersHeld));
    this.summary.textContent = items.length ? `${items.length} ${items.length === 1 ? "thing needs" : "things need"} a person${held ? `, and ${held === 1 ? "another agent is" : `${held} other agents are`} held up` : ""}` : "";
    keyed(this.list, items, item => item.id, item => this.make(item), (element, item) => element.card.update(item));
    this.list.hidden = items.length === 0;
    fill(this.rest, items.length === 0 && store.hasLoaded && h("div", { class: "empty" }, h("h2", {}, "Nobody waits for you"), h("p", {}, "When an agent asks something, needs an approval or runs out of quota, it appears here, the one that holds up the most first."),
      !store.offers("/v1/attention") && h("p", {}, "This server keeps no such list yet; pods that say they wait are shown all the same.")));
  }

  make(item) {
    const card = new Card(item, this.shell);
    card.element.card = card;
    card.element.onremoved = () => card.close();
    return card.element;
  }

  /** j and k, or the arrows, go from one to the next. */
  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const cards = [...this.list.children], index = cards.findIndex(card => card.contains(document.activeElement));
    cards[Math.max(0, Math.min(cards.length - 1, index + step))]?.querySelector("button, a, input")?.focus();
  }
}

const verbs = { approval: "waits for your approval", question: "asks you", login: "needs a login", quota: "is out of quota", binding: "asks for access", cycle: "Nobody here can go on", runner: "A host needs a look" };

class Card {
  constructor(item, shell) {
    this.shell = shell;
    this.item = item;
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.picture = h("a", { class: "attention-picture" }, this.canvas);
    this.title = h("h2", {});
    this.since = h("span", { class: "quiet" });
    this.summary = h("p", { class: "attention-summary" });
    this.about = h("p", { class: "attention-about mono" });
    this.blocks = h("p", { class: "attention-blocks" });
    this.actions = h("div", { class: "actions" });
    this.message = h("p", { class: "message", role: "alert" });
    this.element = h("li", { class: "attention-card" }, h("div", { class: "attention-text" }, h("header", { class: "attention-head" }, this.title, this.since), this.summary, this.about, this.blocks, this.actions, this.message), this.picture);
    if (item.pod) {
      this.connection = new TerminalConnection(item.pod, { screen: screen => this.showPicture(screen) }, { rate: 2, cache: false }).open();
      this.picture.href = links.pod(item.pod);
      this.picture.setAttribute("aria-label", `Open the terminal of ${store.name(item.pod)}`);
    } else this.picture.hidden = true;
  }

  close() { this.connection?.close(); }

  /** The screen, as much as there is room for: its last words, where a dialog stands. */
  showPicture(screen) {
    paintPicture(this.canvas, screen, Math.min(440, this.picture.clientWidth || 440));
    const height = this.canvas.height / (devicePixelRatio || 1), row = height / screen.rows;
    this.picture.style.minHeight = `${Math.min(280, Math.ceil(height))}px`;
    const written = (screen.lines.findLastIndex(line => lineText(line) !== "") + 2) * row;
    this.canvas.style.top = `${-Math.max(0, Math.min(written, height) - this.picture.clientHeight)}px`;
  }

  update(item) {
    this.item = item;
    const name = item.pod ? store.name(item.pod) : item.subject;
    const key = JSON.stringify([item.kind, name, item.summary, item.blocks, item.frees, item.status?.fingerprint, item.status?.options, item.status?.about, store.offered.size]);
    if (key === this.key) return;
    this.key = key;
    fill(this.title, statusShape("waiting", { size: 14, label: null }), item.pod ? h("span", {}, h("strong", {}, name), ` ${verbs[item.kind] ?? "needs you"}`) : h("span", {}, verbs[item.kind] ?? "Needs you"));
    tickSince(this.since, Date.parse(item.opened));
    // The status says apart what the dialog asks, and what about: a command, a change.
    const { question, about } = item.status?.fingerprint ? item.status : {};
    this.summary.textContent = named(question || item.summary);
    this.about.textContent = about ?? "";
    this.about.hidden = !about;
    const words = heldWords(item);
    this.blocks.hidden = !words;
    this.blocks.textContent = words;
    // Half an answer is not taken from who writes it because an agent more is held up.
    const asked = JSON.stringify([item.kind, item.subject, item.status?.fingerprint, item.status?.options, item.status?.reason, store.offered.size, store.mayWrite]);
    if (asked === this.asked) return;
    this.asked = asked;
    fill(this.actions, ...this.makeActions(item));
  }

  makeActions(item) {
    const name = item.pod ? store.name(item.pod) : item.subject;
    const button = (label, action, primary = false) => h("button", { type: "button", class: primary ? "primary" : null, onclick: () => this.act(action), disabled: !store.mayWrite }, label);
    const open = item.pod && h("a", { class: "button", href: links.pod(item.pod) }, "Open the terminal");
    if (item.kind === "binding" && store.offers("/v1/bindings/{binding}/accept")) {
      const at = what => () => ask(`/v1/bindings/${encodeURIComponent(item.subject)}/${what}`, { method: "POST", body: {} });
      return [button("Accept", at("accept"), true), button("Reject", at("reject")), open];
    }
    const fingerprint = item.status?.fingerprint;
    if (item.pod && fingerprint && ["approval", "question"].includes(item.kind) && store.offers("/v1/pods/{pod}/approve")) {
      // The answer is bound to the dialog that is shown here: if another is open by then, nothing is pressed.
      const approve = body => () => ask(`/v1/pods/${item.pod}/approve`, { method: "POST", body: { fingerprint, ...body } });
      const options = (item.status.options ?? []).slice(0, 9);
      const reject = !options.some(option => /^no\b/i.test(option)) && button(item.kind === "approval" ? "Reject" : "Dismiss", approve({ reject: true }));
      if (options.length) return [...options.map((option, index) => button(option, approve({ option: index + 1 }), index === 0)), reject, open];
      return [button("Approve", approve({}), true), reject, open];
    }
    if (item.kind === "question" && item.subject.startsWith("M-")) {
      // Asked in a channel, it is answered there.
      const input = h("input", { type: "text", "aria-label": `Answer to ${name}`, placeholder: "Answer", disabled: !store.mayWrite });
      const answer = async () => {
        const message = await ask(`/v1/messages/${encodeURIComponent(item.subject)}`);
        await ask(`/v1/channels/${encodeURIComponent(message.channel)}/messages`, { method: "POST", body: { text: input.value, reply_to: message.id } });
      };
      const form = h("form", { class: "answer", onsubmit: event => { event.preventDefault(); if (input.value) this.act(answer); } }, input, h("button", { type: "submit", class: "primary", disabled: !store.mayWrite }, "Answer"));
      return [form, h("a", { class: "button", href: "/channels" }, "Open the channels"), open];
    }
    if (item.kind === "question" && item.pod && item.status?.reason !== "password") {
      const input = h("input", { type: "text", "aria-label": `Answer to ${store.name(item.pod)}`, placeholder: "Answer", disabled: !store.mayWrite });
      const form = h("form", { class: "answer", onsubmit: event => { event.preventDefault(); if (input.value) this.act(() => ask(`/v1/pods/${item.pod}/input`, { method: "POST", body: { text: input.value, submit: true } })); } }, input, h("button", { type: "submit", class: "primary", disabled: !store.mayWrite }, "Answer"));
      return [form, open];
    }
    return [open];
  }

  async act(action) {
    this.message.textContent = "";
    for (const button of this.actions.querySelectorAll("button")) button.disabled = true;
    try {
      await action();
      this.shell.say("Done.");
      store.loadAttention();
      store.load();
    } catch (error) {
      this.message.textContent = error.code === "screen_changed" ? "The screen has changed since; look again." : error.message;
    }
    for (const button of this.actions.querySelectorAll("button")) button.disabled = !store.mayWrite;
  }
}

/** Ids of pods in a text as their names. */
export const named = text => (text ?? "").replace(/\bterminal:(?=read|write|approve)/g, "").replace(/\bp[a-z2-7]{12}\b/g, id => store.name(id));
