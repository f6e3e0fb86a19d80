import { h } from "../app/dom.js";

export function open(address, shell) {
  shell.title("Nothing here");
  return { element: h("div", { class: "empty" }, h("h2", {}, "Nothing is at this address"), h("p", {}, address.path.address ?? ""), h("a", { href: "/", class: "button primary" }, "To the fleet")) };
}
