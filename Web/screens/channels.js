// Channels: rooms with messages that stay; who has got, read and acknowledged each, and what everybody was doing then.
import { h, fill, keyed } from "../app/dom.js";
import { ask } from "../app/api.js";
import { store } from "../app/store.js";
import { links, rename, stamp } from "../app/router.js";
import { moment } from "../app/time.js";
import { whenOffered } from "../app/offered.js";
import { isLive } from "../app/status.js";

export function open(address, shell) {
  shell.title("Channels");
  return whenOffered("/v1/channels", { title: "No channels yet", text: "This server has no rooms in which agents and people leave messages for one another." }, () => new ChannelsScreen(address, shell));
}

const idOf = author => author.split(":").at(-1), isPod = author => author.startsWith("pod:");
const path = (channel, rest = "") => `/v1/channels/${encodeURIComponent(channel)}${rest}`;
const words = { queued: "waits", delivered: "delivered", read: "read", acknowledged: "acknowledged", dead: "not delivered" };

class ChannelsScreen {
  constructor(address, shell) {
    this.shell = shell;
    this.abort = new AbortController();
    this.rooms = h("ul", { class: "rooms-list", "aria-label": "Channels" });
    this.newName = h("input", { type: "text", "aria-label": "Name of a new channel", placeholder: "New channel", autocomplete: "off", disabled: !store.mayWrite });
    const make = h("form", { class: "rooms-new", onsubmit: event => { event.preventDefault(); this.create(); } }, this.newName, h("button", { type: "submit", disabled: !store.mayWrite }, "Make"));
    this.messages = h("ol", { class: "messages", "aria-label": "Messages", tabindex: "0" });
    this.title = h("h2", {});
    this.members = h("p", { class: "room-members quiet" });
    this.joining = h("select", { "aria-label": "Add a pod to this channel", onchange: () => this.join() });
    this.search = h("input", { type: "search", "aria-label": "Search the messages", placeholder: "Search", oninput: () => this.soon() });
    this.past = h("p", { class: "room-past", hidden: true });
    this.input = h("textarea", { rows: "2", "aria-label": "Message", placeholder: "Message; @name tells a pod or a person. Ctrl+Enter posts.", onkeydown: event => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); this.post(); } } });
    this.asks = h("input", { type: "checkbox" });
    this.replying = h("p", { class: "replying quiet", hidden: true });
    this.note = h("p", { class: "message", role: "alert" });
    this.form = h("form", { class: "post", hidden: true, onsubmit: event => { event.preventDefault(); this.post(); } }, this.replying, this.input,
      h("div", { class: "post-tools" }, h("label", { class: "check" }, this.asks, "It needs an answer"), h("button", { type: "submit", class: "primary", disabled: !store.mayWrite }, "Post")), this.note);
    this.head = h("header", { class: "room-head", hidden: true }, h("div", {}, this.title, this.members), h("div", { class: "room-tools" }, this.search, this.joining));
    this.element = h("section", { class: "channels" }, h("header", { class: "head" }, h("div", { class: "head-text" }, h("h1", {}, "Channels"))),
      h("div", { class: "channels-body" }, h("nav", { class: "rooms", "aria-label": "Channels" }, this.rooms, make), h("div", { class: "room" }, this.head, this.past, this.messages, this.form)));
    store.on("event", event => { if (event.area === "channel" && !this.at) this.soon(); }, this.abort.signal);
    store.on("pods", () => this.showMembers(), this.abort.signal);
    this.read(address);
    this.load();
  }

  close() { this.abort.abort(); clearTimeout(this.timer); }

  read(address) {
    const channel = address.path.channel, isOther = channel !== this.channel;
    this.channel = channel;
    this.at = address.query.get("t");
    if (isOther) { this.reply(null); this.wasAtEnd = true; this.search.value = ""; }
  }

  update(address) {
    this.read(address);
    this.load();
    return true;
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), 60);
  }

  async load() {
    const round = this.round = (this.round ?? 0) + 1, signal = this.abort.signal;
    try {
      const { channels } = await ask("/v1/channels", { query: { at: this.at }, signal });
      if (round !== this.round) return;
      if (!this.channel && channels[0]) { this.channel = channels[0].name; rename(`/channels/${encodeURIComponent(this.channel)}`); }
      this.room = channels.find(channel => channel.name === this.channel || channel.id === this.channel) ?? null;
      keyed(this.rooms, channels, channel => channel.id, channel => h("li", {}, h("a", { href: `/channels/${encodeURIComponent(channel.name)}` }, h("span", {}, `# ${channel.name}`), h("span", { class: "quiet tabular" }))), (element, channel) => {
        element.firstChild.lastChild.textContent = String(channel.members.length);
        element.firstChild.lastChild.setAttribute("title", `${channel.members.length} members`);
        if (channel === this.room) element.firstChild.setAttribute("aria-current", "page"); else element.firstChild.removeAttribute("aria-current");
      });
      this.form.hidden = !this.room || this.at != null;
      this.head.hidden = !this.room;
      if (!this.room) return this.showNothing();
      this.title.textContent = `# ${this.room.name}`;
      this.showMembers();
      this.past.hidden = this.at == null;
      if (this.at != null) fill(this.past, `As it was at ${moment(Date.parse(this.at))}. `, h("a", { href: `/channels/${encodeURIComponent(this.room.name)}` }, "Now"));
      const page = await ask(path(this.room.id, "/messages"), { query: { at: this.at, q: this.search.value.trim(), limit: 300 }, signal });
      if (round !== this.round) return;
      this.show(page);
      this.markRead(page);
    } catch (error) {
      if (error.name !== "AbortError") this.shell.say(error.message, true);
    }
  }

  showNothing() {
    this.past.hidden = true;
    const isUnknown = this.channel != null;
    fill(this.messages, h("li", { class: "empty" }, h("h2", {}, isUnknown ? `There is no channel “${this.channel}”` : "No channel yet"), h("pre", {}, "switchback channel create design --member builder --member reviewer\nswitchback channel post design '@builder the schema is final'")));
  }

  showMembers() {
    if (!this.room) return;
    fill(this.members, this.room.members.length ? this.room.members.flatMap((member, index) => [index ? ", " : "", this.member(member.who, member.name)]) : "Nobody is a member.");
    const inside = new Set(this.room.members.map(member => idOf(member.who)));
    const others = [...store.pods.values()].filter(pod => isLive(pod) && !inside.has(pod.pod)).sort((a, b) => a.name.localeCompare(b.name));
    const key = others.map(pod => pod.pod + pod.name).join();
    this.joining.hidden = this.at != null || !store.mayWrite || !others.length;
    // A list that somebody has open is not taken from them.
    if (key === this.othersKey || document.activeElement === this.joining) return;
    this.othersKey = key;
    fill(this.joining, h("option", { value: "" }, "Add a pod…"), others.map(pod => h("option", { value: pod.pod }, pod.name)));
  }

  /** A member as a link to what it is doing, or was doing then. */
  member(author, name, time = null) {
    const text = name ?? (isPod(author) ? store.name(idOf(author)) : idOf(author));
    return isPod(author) ? h("a", { href: links.pod(idOf(author), time), title: time ? `What ${text} was doing then` : null }, text) : h("strong", {}, text);
  }

  show(page) {
    const list = this.messages;
    const atEnd = this.wasAtEnd !== false || list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    if (list.querySelector(".empty")) list.replaceChildren();
    keyed(list, page.messages, message => message.id, () => h("li", { class: "channel-message" }), (element, message) => {
      const key = JSON.stringify([message, store.name(idOf(message.author))]);
      if (element.shownAs === key) return;
      element.shownAs = key;
      fill(element, this.parts(message));
    });
    if (!page.messages.length) fill(list, h("li", { class: "empty" }, h("p", {}, this.search.value.trim() ? "No message holds this." : "Nothing was said here yet.")));
    if (atEnd) list.scrollTop = list.scrollHeight;
    this.wasAtEnd = false;
  }

  parts(message) {
    const first = message.reply_to && [...this.messages.children].find(element => element.dataset.key === message.reply_to);
    const open = message.asks && !message.closed ? message.mentions.filter(who => !message.answers.some(answer => answer.by === who) && !message.deliveries.find(delivery => delivery.member === who)?.reason) : [];
    return [
      h("p", { class: "message-head" }, this.member(message.author, message.author_name, message.created), h("a", { class: "quiet tabular", href: `/channels/${encodeURIComponent(message.channel_name)}?t=${stamp(message.created)}`, title: "The channel as it was then" }, moment(Date.parse(message.created))),
        message.reply_to && h("span", { class: "quiet" }, first ? `answers ${first.querySelector(".message-head")?.firstChild.textContent ?? ""}` : "answers another message"),
        message.asks && h("span", { class: open.length ? "asks is-open" : "asks" }, open.length ? `waits for ${open.map(who => message.deliveries.find(delivery => delivery.member === who)?.name ?? idOf(who)).join(", ")}` : message.closed ? "question withdrawn" : "answered"),
        store.mayWrite && this.at == null && message.author !== "system:switchback" && h("button", { type: "button", class: "small", onclick: () => this.reply(message) }, "Reply")),
      h("p", { class: "message-text" }, message.text.split(/(@[\w.-]+)/).map(part => part.startsWith("@") ? h("strong", {}, part) : part)),
      (message.deliveries.length || message.readers || message.unknown) && h("p", { class: "quiet receipts" },
        message.deliveries.map(delivery => h("span", { class: `receipt is-${delivery.state}`, title: [delivery.note, moment(Date.parse(delivery.since))].filter(Boolean).join(" · ") },
          this.member(delivery.member, delivery.name, delivery.delivered ?? delivery.since), ` ${words[delivery.state] ?? delivery.state}${delivery.reason ? ` (${delivery.reason.replace("_", " ")})` : ""}`)),
        message.readers && h("span", {}, `read by ${message.readers.map(who => isPod(who) ? store.name(idOf(who)) : idOf(who)).join(", ")}`),
        message.unknown && h("span", {}, `no member: ${message.unknown.join(", ")}`)),
    ];
  }

  /** What a member sees counts as read. */
  async markRead(page) {
    const me = this.room.members.find(member => member.who === `person:${store.person?.name}`), newest = page.messages.at(-1)?.number ?? 0;
    if (!me || !store.mayWrite || this.at != null || this.search.value.trim() || document.hidden || newest <= me.read) return;
    await ask(path(this.room.id, "/read"), { method: "POST", body: { through: newest }, signal: this.abort.signal }).catch(error => { if (error.name !== "AbortError") console.warn("reading:", error.message); });
  }

  reply(message) {
    this.replyTo = message?.id ?? null;
    this.replying.hidden = !message;
    if (!message) return;
    fill(this.replying, `Answers ${message.author_name}: ${message.text.slice(0, 80)} `, h("button", { type: "button", class: "small", onclick: () => this.reply(null) }, "Cancel"));
    this.input.focus();
  }

  async act(action) {
    this.note.textContent = "";
    try { await action(); } catch (error) { this.note.textContent = error.message; if (this.form.hidden) this.shell.say(error.message, true); }
  }

  create() {
    const name = this.newName.value.trim().replace(/^#\s*/, "");
    if (!name) return;
    return this.act(async () => {
      const made = await ask("/v1/channels", { method: "POST", body: { name } });
      this.newName.value = "";
      this.channel = made.name;
      this.at = null;
      rename(`/channels/${encodeURIComponent(made.name)}`);
      await this.load();
    });
  }

  join() {
    const pod = this.joining.value;
    this.joining.blur();
    if (pod) return this.act(async () => { await ask(path(this.room.id, "/join"), { method: "POST", body: { member: pod } }); await this.load(); });
  }

  post() {
    const text = this.input.value.trim();
    if (!text || !this.room) return;
    return this.act(async () => {
      await ask(path(this.room.id, "/messages"), { method: "POST", body: { text, asks: this.asks.checked || undefined, reply_to: this.replyTo ?? undefined } });
      this.input.value = "";
      this.asks.checked = false;
      this.reply(null);
      this.wasAtEnd = true;
      await this.load();
    });
  }
}
