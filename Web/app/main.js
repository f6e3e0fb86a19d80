// Starts the page: who is here, the rail, and the screen that the address names.
import { h, fill } from "./dom.js";
import { ask, whenSignedOut } from "./api.js";
import { store } from "./store.js";
import { start as startRouter, go, read } from "./router.js";
import { Shell } from "./shell.js";
import { openPalette } from "./palette.js";
import { signIn } from "../screens/sign-in.js";

const screens = {
  fleet: () => import("../screens/fleet.js"), attention: () => import("../screens/attention.js"), terminal: () => import("../screens/terminal.js"),
  together: () => import("../screens/together.js"), topology: () => import("../screens/topology.js"), search: () => import("../screens/search.js"),
  channels: () => import("../screens/channels.js"), people: () => import("../screens/people.js"), audit: () => import("../screens/audit.js"),
};

const theme = localStorage.getItem("theme");
if (theme) document.documentElement.dataset.theme = theme;

let shell = null, shown = null, turn = 0;

async function show(address) {
  if (address.screen === "sign-in") return askToSignIn(address);
  if (!shell) return;
  const mine = ++turn;
  // The same screen about the same thing moves by itself; anything else begins anew.
  if (shown?.name === address.screen && shown.screen.update?.(address)) return;
  shown?.screen.close?.();
  shown = null;
  shell.select(address);
  let screen;
  try {
    const module = await (screens[address.screen] ?? (() => import("../screens/nowhere.js")))();
    if (mine !== turn) return;
    screen = module.open(address, shell);
  } catch (error) {
    if (mine !== turn) return;
    console.error(error);
    screen = { element: h("div", { class: "empty" }, h("h2", {}, "This screen could not be loaded"), h("p", {}, "The server may have been restarted with another version."),
      h("button", { class: "primary", onclick: () => location.reload() }, "Load it again")) };
  }
  shown = { name: address.screen, screen };
  shell.show(screen.element);
  screen.shown?.();
}

function askToSignIn(address) {
  store.stop();
  shown?.screen.close?.();
  shown = shell = null;
  fill(document.body, signIn(address, () => { history.replaceState(null, "", "/"); begin(); }));
}

async function begin() {
  try {
    await store.start();
  } catch (error) {
    if (error.status === 401) return askToSignIn({ query: new URLSearchParams() });
    fill(document.body, h("main", { class: "alone" }, h("h1", {}, "Switchback"), h("p", { role: "status" }, "The server does not answer yet. Trying again …")));
    return setTimeout(begin, 1000);
  }
  shell = new Shell({ openPalette: () => openPalette(), signOut: async () => { await ask("/v1/session", { method: "DELETE" }).catch(() => {}); go("/sign-in"); } });
  fill(document.body, shell.element);
  startOnce();
  show(read(new URL(location.href)));
}

let hasStarted = false;
function startOnce() {
  if (hasStarted) return;
  hasStarted = true;
  startRouter(address => show(address));
  addEventListener("keydown", event => {
    const isWriting = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key.toLowerCase() === "k" && event.ctrlKey && !event.shiftKey && !event.altKey && !event.target.closest?.(".terminal-keyboard")) {
      event.preventDefault();
      openPalette();
    } else if (event.key === "/" && !isWriting && !event.defaultPrevented && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      openPalette();
    }
  });
}

whenSignedOut(() => { if (shell) askToSignIn({ query: new URLSearchParams("expired") }); });
if (location.pathname === "/sign-in") askToSignIn({ query: new URL(location.href).searchParams });
else begin();
