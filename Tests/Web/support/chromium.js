// Drives Chromium over its own pipe (the DevTools protocol), without any package.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

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
      "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions", "--hide-scrollbars=false", "--force-color-profile=srgb",
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

export class Page {
  constructor(browser, session, context) {
    this.browser = browser;
    this.session = session;
    this.context = context;
    /** What the page complained about: errors in the console, exceptions, policies violated. */
    this.complaints = [];
  }

  send(method, params) { return this.browser.send(method, params, this.session); }

  async begin({ width, height, ratio, scheme, mobile }) {
    this.browser.listeners.set(this.session, message => this.hear(message));
    await Promise.all([this.send("Page.enable"), this.send("Runtime.enable"), this.send("Log.enable"), this.send("Network.enable")]);
    await this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: ratio, mobile });
    await this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
    await this.send("Browser.grantPermissions", { permissions: ["clipboardReadWrite", "clipboardSanitizedWrite"], browserContextId: this.context }).catch(() => {});
  }

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
    const text = typeof expression === "function" ? `(${expression})(${values.map(value => JSON.stringify(value)).join(",")})` : expression;
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression: text, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Waits until an expression is true. */
  async until(expression, words = "", limit = 30_000) {
    const end = Date.now() + limit;
    for (;;) {
      const value = await this.value(`Promise.resolve(${expression}).then(value => value instanceof Node ? true : value)`).catch(error => { if (/context|navigat/i.test(error.message)) return null; throw error; });
      if (value) return value;
      if (Date.now() > end) throw new Error(`waited in vain${words ? ` for ${words}` : ""}: ${expression}\ncomplaints: ${this.complaints.join("; ")}\nscreen: ${(await this.value(() => document.querySelector(".terminal")?.terminal?.text() ?? document.body.innerText)).slice(0, 1500)}`);
      await new Promise(resolve => setTimeout(resolve, 25));
    }
  }

  async key(name, { ctrl = false, shift = false, alt = false } = {}) {
    const [code, physical, text] = keys[name] ?? [name.toUpperCase().charCodeAt(0), /[a-z]/i.test(name) ? "Key" + name.toUpperCase() : "Digit" + name, name];
    const event = { key: name, code: physical, windowsVirtualKeyCode: code, modifiers: (alt ? 1 : 0) + (ctrl ? 2 : 0) + (shift ? 8 : 0) };
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", ...event, ...(text && !ctrl && !alt ? { text } : {}) });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }

  async type(text) { for (const letter of text) await this.key(letter); }

  async box(selector) {
    return this.value(selector => { const box = document.querySelector(selector)?.getBoundingClientRect(); return box && { x: box.x, y: box.y, width: box.width, height: box.height }; }, selector);
  }

  mouse(type, x, y, more = {}) { return this.send("Input.dispatchMouseEvent", { type, x, y, button: type === "mouseMoved" && !more.buttons ? "none" : "left", clickCount: 1, ...more }); }

  async click(selector) {
    const box = await this.until(`(() => { const element = document.querySelector(${JSON.stringify(selector)}); if (!element) return null; element.scrollIntoView({ block: "nearest" }); const box = element.getBoundingClientRect(); return box.width ? { x: box.x + box.width / 2, y: box.y + box.height / 2 } : null; })()`, selector);
    await this.mouse("mousePressed", box.x, box.y);
    await this.mouse("mouseReleased", box.x, box.y);
  }

  async screenshot(path = null, clip = null) {
    const { data } = await this.send("Page.captureScreenshot", { format: "png", ...(clip ? { clip: { ...clip, scale: 1 } } : {}) });
    const bytes = Buffer.from(data, "base64");
    if (path) writeFileSync(path, bytes);
    return bytes;
  }

  async close() {
    this.browser.listeners.delete(this.session);
    await this.browser.send("Target.disposeBrowserContext", { browserContextId: this.context });
  }
}
