// Signing in with a token. The link that `switchback up` prints does it without this page.
import { h } from "../app/dom.js";
import { ask } from "../app/api.js";

export function signIn(address, done) {
  const message = h("p", { class: "message", role: "alert" },
    address.query.has("refused") ? "That link's token is not known here. It may be from another server." : address.query.has("expired") ? "You are signed out: your token is no longer known here." : "");
  const input = h("input", { type: "password", name: "token", autocomplete: "current-password", required: true, id: "token", spellcheck: "false" });
  const form = h("form", {
    class: "card sign-in", onsubmit: async event => {
      event.preventDefault();
      message.textContent = "";
      try {
        await ask("/v1/session", { method: "POST", body: { token: input.value.trim() } });
        done();
      } catch (error) {
        message.textContent = error.message;
        input.select();
      }
    },
  },
  h("img", { src: "/web/icon.svg", alt: "", width: "40", height: "40" }), h("h1", {}, "Sign in to Switchback"),
  h("p", { class: "quiet" }, "Open the link that ", h("code", {}, "switchback up"), " prints, or enter a token."),
  h("label", { for: "token" }, "Token"), input, message, h("button", { class: "primary", type: "submit" }, "Sign in"));
  queueMicrotask(() => input.focus());
  return h("main", { class: "alone" }, form);
}
