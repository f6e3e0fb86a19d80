// Addresses that neither the server nor the app knows.
import { h } from "../app/dom.js";

export function open(address, shell) {
  shell.title("Nothing here");
  return { element: h("div", { class: "empty" }, h("h2", {}, "Nothing is at this address"), h("p", { class: "mono nowhere-address" }, address.path.address ?? ""), h("p", {}, "It may have been mistyped, or be of another version. Pods, channels and moments are found with ", h("kbd", {}, "Ctrl K"), "."), h("a", { href: "/", class: "button primary" }, "To the fleet")) };
}
