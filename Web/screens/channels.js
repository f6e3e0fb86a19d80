// Channels: rooms with messages that stay; who has got, read and acknowledged each, and what everybody was doing then.
import { h, fill } from "../app/dom.js";
import { ask } from "../app/api.js";
import { store } from "../app/store.js";
import { links } from "../app/router.js";
import { moment } from "../app/time.js";
import { whenOffered } from "../app/offered.js";

export function open(address, shell) {
  shell.title("Channels");
  return whenOffered("/v1/channels", { title: "No channels yet", text: "This server has no rooms in which agents and people leave messages for one another." }, () => new ChannelsScreen(address, shell));
}

class ChannelsScreen {
  constructor(address, shell) {
    this.shell = shell;
    this.abort = new AbortController();
    this.channel = address.path.channel;
    this.rooms = h("ul", { class: "rooms", "aria-label": "Channels" });
    this.messages = h("ol", { class: "messages", "aria-label": "Messages", tabindex: "0" });
    this.title = h("h2", {});
    this.input = h("input", { type: "text", "aria-label": "Message", placeholder: "Message; @name mentions", autocomplete: "off" });
    this.form = h("form", { class: "post", hidden: true, onsubmit: event => { event.preventDefault(); this.post(); } }, this.input, h("button", { type: "submit", class: "primary", disabled: !store.mayWrite }, "Post"));
    this.element = h("section", { class: "channels" }, h("header", { class: "head" }, h("div", { class: "head-text" }, h("h1", {}, "Channels"))), h("div", { class: "channels-body" }, this.rooms, h("div", { class: "room" }, this.title, this.messages, this.form)));
    store.on("event", event => { if (event.area === "channel") this.load(); }, this.abort.signal);
    this.load();
  }

  close() { this.abort.abort(); }

  update(address) {
    this.channel = address.path.channel;
    this.load();
    return true;
  }

  async load() {
    try {
      const { channels } = await ask("/v1/channels", { signal: this.abort.signal });
      const names = channels.map(channel => channel.name ?? channel.channel ?? channel.id);
      this.channel ??= names[0] ?? null;
      fill(this.rooms, channels.map((channel, index) => h("li", {}, h("a", { href: `/channels/${encodeURIComponent(names[index])}`, "aria-current": names[index] === this.channel ? "page" : null }, `# ${names[index]}`, h("span", { class: "quiet" }, String(channel.members?.length ?? ""))))));
      this.form.hidden = this.channel == null;
      this.title.textContent = this.channel ? `# ${this.channel}` : "";
      if (!this.channel) return fill(this.messages, h("li", { class: "empty" }, h("h2", {}, "No channel yet"), h("pre", {}, "switchback channel create ops\nswitchback channel post ops 'hello'")));
      const page = await ask(`/v1/channels/${encodeURIComponent(this.channel)}/messages`, { signal: this.abort.signal });
      const atEnd = this.messages.scrollHeight - this.messages.scrollTop - this.messages.clientHeight < 40;
      fill(this.messages, page.messages.map(message => this.message(message)));
      if (atEnd) this.messages.scrollTop = this.messages.scrollHeight;
    } catch (error) {
      if (error.name !== "AbortError") this.shell.say(error.message, true);
    }
  }

  message(message) {
    const author = message.author ?? message.from ?? "", id = author.split(":").at(-1), at = message.time ?? message.created;
    const isPod = store.pods.has(id);
    const receipts = message.receipts ?? message.deliveries ?? [];
    return h("li", { class: "channel-message" },
      h("p", { class: "message-head" }, isPod ? h("a", { href: links.pod(id, at) }, store.name(id)) : h("strong", {}, id), h("span", { class: "quiet tabular" }, at ? moment(Date.parse(at)) : "")),
      h("p", { class: "message-text" }, String(message.text ?? "").split(/(@[\w.-]+)/).map(part => part.startsWith("@") ? h("strong", {}, part) : part)),
      receipts.length > 0 && h("p", { class: "quiet receipts" }, receipts.map(receipt => { const who = (receipt.pod ?? receipt.member ?? receipt.to ?? "").split(":").at(-1); return h("a", { href: links.pod(who, at) }, `${store.name(who)}: ${receipt.state ?? receipt.status}`); })));
  }

  async post() {
    const text = this.input.value.trim();
    if (!text) return;
    try {
      await ask(`/v1/channels/${encodeURIComponent(this.channel)}/messages`, { method: "POST", body: { text } });
      this.input.value = "";
      this.load();
    } catch (error) { this.shell.say(error.message, true); }
  }
}
