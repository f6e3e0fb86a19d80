// The frame around every screen: the rail, the notice that the server is away, short messages.
import { h, fill } from "./dom.js";
import { icon } from "./icons.js";
import { store } from "./store.js";
import { standing } from "./status.js";

const places = [
  ["fleet", "Fleet", "/"], ["attention", "Attention", "/attention"], ["together", "Together", "/together"], ["topology", "Topology", "/topology"],
  ["search", "Search", "/search"], ["channels", "Channels", "/channels"],
];
/** On a phone they are reached through the palette. */
export const adminPlaces = [["people", "People", "/people"], ["audit", "Audit log", "/audit"]];

export class Shell {
  constructor({ openPalette, signOut }) {
    const isAdmin = store.person?.role === "admin";
    this.entries = new Map([...places, ...(isAdmin ? adminPlaces : [])].map(([name, label, href]) => [
      name, h("a", { class: adminPlaces.some(place => place[0] === name) ? "place for-admins" : "place", href, "aria-label": label }, icon(name), h("span", { class: "place-name" }, label), name === "attention" && (this.count = h("span", { class: "count", hidden: true }))),
    ]));
    this.notice = h("p", { class: "notice", role: "status", hidden: true });
    this.content = h("main", { class: "content", id: "content", tabindex: "-1" });
    this.toasts = h("div", { class: "toasts", role: "status", "aria-live": "polite" });
    this.themeButton = h("button", { class: "place", type: "button", onclick: () => this.toggleTheme(), "aria-label": "Light or dark" }, icon("theme"), h("span", { class: "place-name" }, "Light or dark"));
    this.element = h("div", { class: "shell" },
      h("a", { class: "skip", href: "#content", onclick: event => { event.preventDefault(); this.content.focus(); } }, "To the content"),
      h("nav", { class: "rail", "aria-label": "Places" },
        h("a", { class: "brand", href: "/", "aria-label": "Switchback, to the fleet" }, h("img", { src: "/web/icon.svg", alt: "", width: "24", height: "24" }), h("span", { class: "place-name" }, "Switchback")),
        h("div", { class: "places" }, ...this.entries.values()),
        h("div", { class: "rail-end" },
          h("button", { class: "place", type: "button", onclick: openPalette, "aria-label": "Go to anything" }, icon("more"), h("span", { class: "place-name" }, "Go to …"), h("kbd", {}, "Ctrl K")),
          this.themeButton,
          this.person = h("button", { class: "place person", type: "button", onclick: signOut, "aria-label": "Sign out" }))),
      h("div", { class: "stage" }, this.notice, this.content), this.toasts);
    store.on("link", () => this.showLink());
    store.on("attention", () => this.showCount());
    store.on("pods", () => this.showCount());
    this.showLink();
    this.showCount();
    const name = store.person?.name ?? "";
    fill(this.person, h("span", { class: "initial", "aria-hidden": "true" }, name.slice(0, 1).toUpperCase()), h("span", { class: "place-name" }, `${name} · sign out`));
  }

  toggleTheme() {
    const root = document.documentElement;
    const isLight = root.dataset.theme ? root.dataset.theme === "light" : matchMedia("(prefers-color-scheme: light)").matches;
    root.dataset.theme = isLight ? "dark" : "light";
    localStorage.setItem("theme", root.dataset.theme);
    dispatchEvent(new Event("themechange"));
  }

  select(address) {
    for (const [name, entry] of this.entries) {
      if (name === address.screen || (address.screen === "terminal" && name === "fleet")) entry.setAttribute("aria-current", "page");
      else entry.removeAttribute("aria-current");
    }
  }

  show(element) {
    fill(this.content, element);
    this.content.scrollTop = 0;
  }

  title(text) { document.title = text ? `${text} · Switchback` : "Switchback"; }

  showLink() {
    const texts = { offline: "The server does not answer. What you see may be old; trying again by itself.", connecting: "" };
    const text = texts[store.link] ?? "";
    this.notice.hidden = !text;
    this.notice.textContent = text;
    this.element.classList.toggle("is-offline", store.link === "offline");
  }

  /** What needs a person: the server's list, or, while it has none, the pods that wait for one. */
  showCount() {
    const count = store.attention ? (store.attention.items ?? store.attention.attention ?? []).length : [...store.pods.values()].filter(pod => standing(pod) === "waiting").length;
    this.count.hidden = count === 0;
    this.count.textContent = count > 99 ? "99+" : String(count);
    this.entries.get("attention").setAttribute("aria-label", count ? `Attention, ${count} ${count === 1 ? "thing needs" : "things need"} a person` : "Attention");
  }

  say(text, isBad = false) {
    const toast = h("p", { class: isBad ? "toast bad" : "toast" }, text);
    this.toasts.append(toast);
    setTimeout(() => toast.remove(), isBad ? 8000 : 3000);
  }
}
