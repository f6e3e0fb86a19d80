// Drives Chromium over its own pipe (the DevTools protocol), without any package.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AnyPage, textOf } from "./page.js";

/** Where Chromium is; null where there is none. `SWITCHBACK_CHROMIUM` names another. */
export function findChromium() {
  for (const name of [process.env.SWITCHBACK_CHROMIUM, "chromium", "chromium-browser", "google-chrome"]) {
    if (name && spawnSync("sh", ["-c", `command -v "${name}"`]).status === 0) return name;
  }
  return null;
}

const keys = {
  Enter: [13, "Enter", "\r"], Escape: [27, "Escape"], Tab: [9, "Tab"], Backspace: [8, "Backspace"], " ": [32, "Space", " "], ArrowLeft: [37, "ArrowLeft"], ArrowUp: [38, "ArrowUp"],
  ArrowRight: [39, "ArrowRight"], ArrowDown: [40, "ArrowDown"], End: [35, "End"], Home: [36, "Home"], ",": [188, "Comma", ","], ".": [190, "Period", "."], "[": [219, "BracketLeft", "["],
  "]": [221, "BracketRight", "]"], "/": [191, "Slash", "/"], "<": [188, "Comma", "<"], ">": [190, "Period", ">"],
};

export class Browser {
  static async start() {
    const browser = new Browser();
    browser.profile = mkdtempSync(join(tmpdir(), "switchback-chromium-"));
    browser.process = spawn(findChromium(), [
      "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup", "--disable-extensions", "--hide-scrollbars=false", "--force-color-profile=srgb",
      "--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--font-render-hinting=none", `--user-data-dir=${browser.profile}`, "--remote-debugging-pipe", "about:blank",
    ], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    browser.replies = new Map();
    browser.listeners = new Map();
    browser.next = 0;
    let rest = [];
    browser.process.stdio[4].on("data", chunk => {
      let from = 0;
      for (let at = chunk.indexOf(0); at >= 0; at = chunk.indexOf(0, from)) {
        rest.push(chunk.subarray(from, at));
        browser.take(JSON.parse(Buffer.concat(rest).toString()));
        rest = [];
        from = at + 1;
      }
      rest.push(chunk.subarray(from));
    });
    browser.process.on("exit", () => { for (const { reject } of browser.replies.values()) reject(new Error("Chromium has ended")); });
    return browser;
  }

  take(message) {
    if (message.id) {
      const reply = this.replies.get(message.id);
      this.replies.delete(message.id);
      if (message.error) reply?.reject(new Error(`${reply.method}: ${message.error.message}`)); else reply?.resolve(message.result);
    } else this.listeners.get(message.sessionId)?.(message);
  }

  send(method, params = {}, sessionId) {
    const id = ++this.next;
    return new Promise((resolve, reject) => {
      this.replies.set(id, { resolve, reject, method });
      this.process.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
    });
  }

  /** A page with cookies of its own. */
  async page({ width = 1280, height = 800, ratio = 1, scheme = "dark", mobile = false } = {}) {
    const { browserContextId } = await this.send("Target.createBrowserContext");
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank", browserContextId, width, height });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId, browserContextId);
    await page.begin({ width, height, ratio, scheme, mobile });
    return page;
  }

  async close() {
    await this.send("Browser.close").catch(() => {});
    if (this.process.exitCode == null) await new Promise(resolve => { this.process.once("exit", resolve); setTimeout(() => this.process.kill("SIGKILL"), 3000).unref(); });
    rmSync(this.profile, { recursive: true, force: true });
  }
}

export class Page extends AnyPage {
  constructor(browser, session, context) {
    super();
    this.browser = browser;
    this.session = session;
    this.context = context;
    this.held = 0;
  }

  send(method, params) { return this.browser.send(method, params, this.session); }

  async begin(options) {
    this.browser.listeners.set(this.session, message => this.hear(message));
    await Promise.all([this.send("Page.enable"), this.send("Runtime.enable"), this.send("Log.enable"), this.send("Network.enable")]);
    await this.viewport(options);
    await this.media(options);
    await this.send("Browser.grantPermissions", { permissions: ["clipboardReadWrite", "clipboardSanitizedWrite"], browserContextId: this.context }).catch(() => {});
  }

  async viewport({ width, height, ratio = 1, mobile = false }) {
    await this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: ratio, mobile });
    // A real change of screens tells the page so; the emulated one does not.
    await this.value(() => document.querySelector(".terminal")?.terminal?.ratioQuery.dispatchEvent(new Event("change")));
  }

  media({ scheme, isMotionReduced = false }) {
    return this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }, { name: "prefers-reduced-motion", value: isMotionReduced ? "reduce" : "" }] });
  }

  goOffline() { return this.send("Network.emulateNetworkConditions", { offline: true, latency: 0, downloadThroughput: -1, uploadThroughput: -1 }); }

  hear({ method, params }) {
    if (method === "Runtime.exceptionThrown") this.complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === "Runtime.consoleAPICalled" && ["error", "assert"].includes(params.type)) this.complaints.push(params.args.map(value => value.value ?? value.description).join(" "));
    if (method === "Log.entryAdded" && params.entry.level === "error") this.complaints.push(`${params.entry.text} ${params.entry.url ?? ""}`);
    if (method === "Page.loadEventFired") this.loaded?.();
  }

  async open(url) {
    for (let attempt = 1; ; attempt++) {
      const loaded = new Promise(resolve => { this.loaded = resolve; });
      const { errorText } = await this.send("Page.navigate", { url });
      if (!errorText) await loaded;
      // On a slow machine a new page's own about:blank may arrive after the navigation, and take its place.
      const at = await this.value("location.href").catch(() => null);
      if (!errorText && at !== "about:blank") return;
      if (attempt === 5) throw new Error(`${url} was not opened: ${errorText ?? `the page is at ${at}`}`);
      await new Promise(resolve => setTimeout(resolve, 200 * attempt));
    }
  }

  /** The value of an expression, or of a function with arguments, in the page. */
  async value(expression, ...values) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression: textOf(expression, values), awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  async key(name, { ctrl = false, shift = false, alt = false, commands = [] } = {}) {
    const [code, physical, text] = keys[name] ?? [name.toUpperCase().charCodeAt(0), /[a-z]/i.test(name) ? "Key" + name.toUpperCase() : "Digit" + name, name];
    const event = { key: name, code: physical, windowsVirtualKeyCode: code, modifiers: (alt ? 1 : 0) + (ctrl ? 2 : 0) + (shift ? 8 : 0) };
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", ...event, commands, ...(text && !ctrl && !alt ? { text } : {}) });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }

  /** What an input method shows of a word that is being written; `insert` ends it. */
  compose(text) { return this.send("Input.imeSetComposition", { text, selectionStart: text.length, selectionEnd: text.length }); }
  insert(text) { return this.send("Input.insertText", { text }); }

  mouse(type, x, y) { return this.send("Input.dispatchMouseEvent", { type, x, y, button: type === "mouseMoved" && !this.held ? "none" : "left", buttons: this.held, clickCount: 1 }); }
  move(x, y) { return this.mouse("mouseMoved", x, y); }
  press(x, y) { this.held = 1; return this.mouse("mousePressed", x, y); }
  release(x, y) { this.held = 0; return this.mouse("mouseReleased", x, y); }
  wheel(x, y, deltaX, deltaY) { return this.send("Input.dispatchMouseEvent", { type: "mouseWheel", x, y, deltaX, deltaY }); }

  touch(kind, place) { return this.send("Input.dispatchTouchEvent", { type: { start: "touchStart", move: "touchMove", end: "touchEnd" }[kind], touchPoints: place ? [place] : [] }); }

  // What keys mean to an editor, the window of a desktop would say; here is none.
  copy() { return this.key("c", { ctrl: true, commands: ["copy"] }); }
  paste() { return this.key("V", { ctrl: true, shift: true, commands: ["paste"] }); }

  clipboard() { return this.value("navigator.clipboard.readText()"); }
  setClipboard(text) { return this.value(text => navigator.clipboard.writeText(text), text); }

  async picture(clip) { return (await this.send("Page.captureScreenshot", { format: "png", ...(clip ? { clip: { ...clip, scale: 1 } } : {}) })).data; }

  async close() {
    this.browser.listeners.delete(this.session);
    await this.browser.send("Target.disposeBrowserContext", { browserContextId: this.context });
  }
}
