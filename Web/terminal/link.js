// A link in a terminal opens only after its target was shown and a person said so.
import { h, dialog } from "../app/dom.js";

export function showLink(target, x, y) {
  let url = null;
  try { url = new URL(target); } catch { /* Shown as it is; it cannot be opened. */ }
  const canOpen = url && ["http:", "https:", "mailto:"].includes(url.protocol);
  const shown = dialog("link-card", "Link in the terminal",
    h("p", { class: "quiet" }, canOpen ? "This terminal links to" : "This cannot be opened from here:"),
    h("p", { class: "link-target mono" }, target),
    h("div", { class: "actions" },
      canOpen && h("button", { class: "primary", type: "button", onclick: () => { open(url.href, "_blank", "noopener,noreferrer"); shown.close(); } }, `Open ${url.host}`),
      h("button", { type: "button", onclick: () => { navigator.clipboard?.writeText(target); shown.close(); } }, "Copy"),
      h("button", { type: "button", onclick: () => shown.close() }, "Close")));
  shown.at(x, y);
}
