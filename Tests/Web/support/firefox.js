// Drives Firefox over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/), which it speaks itself: without geckodriver and without any package.
// What BiDi has no word for (colour schemes, input methods) is said to the browser's own window, as Firefox's own tests do.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AnyPage, textOf } from "./page.js";
import { connect } from "./websocket.js";

/** Where Firefox is; null where there is none. `SWITCHBACK_FIREFOX` names another. */
export function findFirefox() {
  for (const name of [process.env.SWITCHBACK_FIREFOX, "firefox-esr", "firefox"]) {
    if (name && spawnSync("sh", ["-c", `command -v "${name}"`]).status === 0) return name;
  }
  return null;
}

// https://www.w3.org/TR/webdriver2/#keyboard-actions
const keys = {
  Enter: "\uE006", Escape: "\uE00C", Tab: "\uE004", Backspace: "\uE003", ArrowLeft: "\uE012", ArrowUp: "\uE013", ArrowRight: "\uE014", ArrowDown: "\uE015", End: "\uE010", Home: "\uE011",
};
const shiftKey = "\uE008", controlKey = "\uE009", altKey = "\uE00A";

const settings = {
  // Fingers, on a machine without a touch screen.
  "dom.w3c_touch_events.enabled": 1,
  // Nothing is fetched, offered or asked besides the page.
  "app.normandy.enabled": false, "browser.aboutwelcome.enabled": false, "browser.startup.page": 0, "browser.shell.checkDefaultBrowser": false,
  "messaging-system.rsexperimentloader.enabled": false, "datareporting.policy.dataSubmissionEnabled": false, "network.dns.disablePrefetch": true,
  // Windows behind others are in use as well.
  "dom.timeout.enable_budget_timer_throttling": false, "dom.min_background_timeout_value": 4,
};

export class Browser {
  static async start() {
    const browser = new Browser();
    browser.profile = mkdtempSync(join(tmpdir(), "switchback-firefox-"));
    writeFileSync(join(browser.profile, "user.js"), Object.entries(settings).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`).join(""));
    browser.process = spawn(findFirefox(), ["--headless", "--no-remote", "--remote-debugging-port", "0", "--remote-allow-system-access", "--profile", browser.profile, "about:blank"], { stdio: ["ignore", "ignore", "pipe"] });
    const address = await new Promise((resolve, reject) => {
      let said = "";
      browser.process.stderr.on("data", chunk => {
        // What it says later is about itself, not about pages.
        if (said == null) return;
        said += chunk;
        const match = /WebDriver BiDi listening on (ws:\/\/\S+)/.exec(said);
        if (match) { said = null; resolve(match[1]); }
      });
      browser.process.on("exit", code => reject(new Error(`Firefox has ended with ${code}: ${said}`)));
      browser.process.on("error", reject);
    });
    browser.replies = new Map();
    browser.listeners = new Map();
    browser.next = 0;
    browser.socket = await connect(`${address}/session`, { heard: text => browser.take(JSON.parse(text)), ended: () => { for (const { reject } of browser.replies.values()) reject(new Error("Firefox has ended")); } });
    await browser.send("session.new", { capabilities: {} });
    await browser.send("session.subscribe", { events: ["log.entryAdded", "network.responseCompleted", "network.fetchError"] });
    const { contexts } = await browser.send("browsingContext.getTree", { "moz:scope": "chrome", maxDepth: 0 });
    browser.chrome = contexts[0].context;
    return browser;
  }

  take({ type, id, result, error, message, method, params }) {
    if (type === "event") return this.listeners.get(params.source?.context ?? params.context)?.(method, params);
    const reply = this.replies.get(id);
    this.replies.delete(id);
    if (type === "error") reply?.reject(new Error(`${reply.method}: ${error}: ${message}`)); else reply?.resolve(result);
  }

  send(method, params = {}) {
    const id = ++this.next;
    return new Promise((resolve, reject) => {
      this.replies.set(id, { resolve, reject, method });
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }

  /** The value of a function in the browser's own window, where all of Firefox can be reached. `page`: what BiDi calls it is made its first argument. */
  async inChrome(action, page, ...values) {
    const find = `ChromeUtils.importESModule("chrome://remote/content/shared/NavigableManager.sys.mjs").NavigableManager.getBrowsingContextById(${JSON.stringify(page)})`;
    return evaluated(await this.send("script.evaluate", {
      expression: `(${action})(${[find, ...values.map(value => JSON.stringify(value))].join(",")})`, awaitPromise: true, target: { context: this.chrome },
    }));
  }

  /** A page with cookies of its own, in a window of its own: one in the background would neither paint nor have the focus. */
  async page({ width = 1280, height = 800, ratio = 1, scheme = "dark", mobile = false } = {}) {
    const { userContext } = await this.send("browser.createUserContext");
    const { context } = await this.send("browsingContext.create", { type: "window", userContext });
    const page = this.front = new Page(this, context, userContext);
    await page.viewport({ width, height, ratio, mobile });
    await page.media({ scheme });
    return page;
  }

  async close() {
    this.send("browser.close").catch(() => {});
    if (this.process.exitCode == null) await new Promise(resolve => { this.process.once("exit", resolve); setTimeout(() => this.process.kill("SIGKILL"), 5000).unref(); });
    this.socket.close();
    rmSync(this.profile, { recursive: true, force: true });
  }
}

export class Page extends AnyPage {
  constructor(browser, context, userContext) {
    super();
    this.browser = browser;
    this.context = context;
    this.userContext = userContext;
    this.browser.listeners.set(context, (method, params) => this.hear(method, params));
  }

  send(method, params) { return this.browser.send(method, { context: this.context, ...params }); }
  inChrome(action, ...values) { return this.browser.inChrome(action, this.context, ...values); }

  hear(method, params) {
    if (method === "log.entryAdded" && params.level === "error") this.complaints.push(params.text);
    if (method === "network.responseCompleted" && params.response.status >= 400) this.complaints.push(`Failed to load resource: the server answered ${params.response.status} ${params.request.url}`);
    // Requests of a page that is left are ended by the browser itself.
    if (method === "network.fetchError" && !/ABORT|CANCEL/i.test(params.errorText)) this.complaints.push(`Failed to load resource: ${params.errorText} ${params.request.url}`);
  }

  /** A phone's own way to lay a page out (`mobile`) is Chromium's alone; the width and the pixels are those of one. */
  async viewport({ width, height, ratio = 1 }) { await this.send("browsingContext.setViewport", { viewport: { width, height }, devicePixelRatio: ratio }); }

  /** For all pages at once: what one page alone is told, it forgets when it goes to another site. */
  async media({ scheme, isMotionReduced = false }) {
    await this.inChrome((context, scheme, motion) => {
      Services.prefs.setIntPref("layout.css.prefers-color-scheme.content-override", scheme);
      Services.prefs.setIntPref("ui.prefersReducedMotion", motion);
    }, scheme === "dark" ? 0 : 1, isMotionReduced ? 1 : 0);
    await this.until(`matchMedia("(prefers-color-scheme: ${scheme})").matches && matchMedia("(prefers-reduced-motion)").matches === ${isMotionReduced}`, `${scheme}, motion reduced: ${isMotionReduced}`);
  }

  goOffline() { return this.browser.send("emulation.setNetworkConditions", { networkConditions: { type: "offline" }, contexts: [this.context] }); }

  async open(url) { await this.send("browsingContext.navigate", { url, wait: "complete" }); }

  /** The value of an expression, or of a function with arguments, in the page. */
  async value(expression, ...values) {
    const answer = this.browser.send("script.evaluate", { expression: textOf(expression, values), awaitPromise: true, target: { context: this.context }, serializationOptions: { maxDomDepth: 0 } });
    return evaluated(await answer.catch(error => { throw /no such frame|AbortError|destroyed/.test(error.message) ? new Error(`the context is gone: ${error.message}`) : error; }));
  }

  /** Keys and input methods go to the window in front, as a person's do. */
  async activate() {
    if (this.browser.front === this) return;
    await this.send("browsingContext.activate");
    this.browser.front = this;
  }

  async perform(id, type, actions, parameters) {
    await this.activate();
    await this.send("input.performActions", { actions: [{ id, type, actions, ...(parameters ? { parameters } : {}) }] });
  }

  key(name, { ctrl = false, shift = false, alt = false } = {}) {
    const held = [ctrl && controlKey, shift && shiftKey, alt && altKey].filter(Boolean), value = keys[name] ?? name;
    const down = value => ({ type: "keyDown", value }), up = value => ({ type: "keyUp", value });
    return this.perform("keyboard", "key", [...held.map(down), down(value), up(value), ...held.reverse().map(up)]);
  }

  /** What an input method shows of a word that is being written; `insert` ends it. */
  compose(text) { return this.inputMethod(text, false); }
  insert(text) { return this.inputMethod(text, true); }

  async inputMethod(text, isDone) {
    await this.activate();
    return this.inChrome((context, text, isDone) => {
      const window = context.topChromeWindow;
      window.testProcessor ??= Cc["@mozilla.org/text-input-processor;1"].createInstance(Ci.nsITextInputProcessor);
      const processor = window.testProcessor;
      if (!processor.beginInputTransactionForTests(window)) throw new Error("no input method can be had");
      if (isDone) return processor.commitCompositionWith(text);
      processor.setPendingCompositionString(text);
      processor.appendClauseToPendingComposition(text.length, processor.ATTR_RAW_CLAUSE);
      processor.setCaretInPendingComposition(text.length);
      return processor.flushPendingComposition();
    }, text, isDone);
  }

  mouse(...actions) { return this.perform("mouse", "pointer", actions, { pointerType: "mouse" }); }
  move(x, y) { return this.mouse({ type: "pointerMove", x, y }); }
  press(x, y) { return this.mouse({ type: "pointerMove", x, y }, { type: "pointerDown", button: 0 }); }
  release(x, y) { return this.mouse({ type: "pointerMove", x, y }, { type: "pointerUp", button: 0 }); }
  wheel(x, y, deltaX, deltaY) { return this.perform("wheel", "wheel", [{ type: "scroll", x: Math.round(x), y: Math.round(y), deltaX, deltaY }]); }

  touch(kind, place) {
    const move = place ? [{ type: "pointerMove", x: place.x, y: place.y }] : [];
    const more = { start: [{ type: "pointerDown", button: 0 }], move: [], end: [{ type: "pointerUp", button: 0 }] }[kind];
    return this.perform("finger", "pointer", [...move, ...more], { pointerType: "touch" });
  }

  copy() { return this.key("c", { ctrl: true }); }
  paste() { return this.key("V", { ctrl: true, shift: true }); }

  clipboard() {
    return this.inChrome(() => {
      const transfer = Cc["@mozilla.org/widget/transferable;1"].createInstance(Ci.nsITransferable), data = {};
      transfer.init(null);
      transfer.addDataFlavor("text/plain");
      Services.clipboard.getData(transfer, Services.clipboard.kGlobalClipboard);
      transfer.getTransferData("text/plain", data);
      return data.value.QueryInterface(Ci.nsISupportsString).data;
    });
  }

  setClipboard(text) { return this.inChrome((context, text) => { Cc["@mozilla.org/widget/clipboardhelper;1"].getService(Ci.nsIClipboardHelper).copyString(text); }, text); }

  async picture(clip) { return (await this.send("browsingContext.captureScreenshot", clip ? { clip: { type: "box", ...clip } } : {})).data; }

  async close() {
    this.browser.listeners.delete(this.context);
    if (this.browser.front === this) this.browser.front = null;
    await this.send("browsingContext.close");
    await this.browser.send("browser.removeUserContext", { userContext: this.userContext });
  }
}

function evaluated({ type, result, exceptionDetails }) {
  if (type === "exception") throw new Error(`${exceptionDetails.text}\n${exceptionDetails.stackTrace.callFrames.map(({ functionName, lineNumber }) => `    at ${functionName}:${lineNumber}`).join("\n")}`);
  return plain(result);
}

/** A value out of BiDi's description of it, as JSON would have it. */
function plain({ type, value }) {
  switch (type) {
    case "undefined": return undefined;
    case "null": return null;
    case "number": return typeof value === "string" ? Number(value) : value;
    case "array": return (value ?? []).map(plain);
    case "object": return Object.fromEntries((value ?? []).map(([key, inner]) => [key, plain(inner)]));
    case "string": case "boolean": return value;
    default: return {};
  }
}
