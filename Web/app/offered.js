// A screen about something that this server may not offer (yet): says so plainly, and appears by itself once it does.
import { h } from "./dom.js";
import { store } from "./store.js";

/** What stands in the place of a screen that is for admins, for others; null for admins. */
export function onlyAdmins(what) {
  if (store.person?.role === "admin") return null;
  return { element: h("div", { class: "empty" }, h("h2", {}, "For admins"), h("p", {}, `${what} are shown to admins only; your role is ${store.person?.role ?? "viewer"}.`.replace(/^The audit log are/, "The audit log is")), h("a", { href: "/", class: "button primary" }, "To the fleet")) };
}

/** The screen `make` builds, once the server has `path`. `make` returns `{ element, update?, close?, shown? }`. */
export function whenOffered(path, words, make) {
  if (store.offers(path)) return make();
  const abort = new AbortController();
  let screen = null;
  const element = h("div", { class: "offered" }, h("div", { class: "empty" }, h("h2", {}, words.title), h("p", {}, words.text), h("p", { class: "quiet" }, "This screen appears by itself as soon as the server offers it.")));
  const look = setInterval(() => store.learn(), 10_000);
  const appear = () => {
    if (!store.offers(path) || screen) return;
    abort.abort();
    clearInterval(look);
    screen = make();
    element.replaceWith(screen.element);
    screen.shown?.();
  };
  store.on("offers", appear, abort.signal);
  return { element, update: address => screen?.update?.(address) ?? false, close: () => { abort.abort(); clearInterval(look); screen?.close?.(); } };
}
