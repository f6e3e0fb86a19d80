// What pages have in common, whichever browser shows them.
import { writeFileSync } from "node:fs";

/**
 * A page of a driver (`chromium.js`, `firefox.js`). A driver's own: `open(url)`, `value(expression, …)`, `close()`;
 * `key(name, { ctrl, shift, alt })`, `compose(text)` and `insert(text)` as input methods do, `copy()` and `paste()` as keys do, `clipboard()`, `setClipboard(text)`;
 * `press(x, y)`, `move(x, y)`, `release(x, y)`, `wheel(x, y, deltaX, deltaY)`, `touch("start" | "move" | "end", place?)`;
 * `viewport({ width, height, ratio, mobile })`, `media({ scheme, isMotionReduced })`, `goOffline()`, `picture(clip)`.
 */
export class AnyPage {
  /** What the page complained about: errors in the console, exceptions, policies violated, answers that are errors. */
  complaints = [];

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

  async type(text) { for (const letter of text) await this.key(letter); }

  async box(selector) {
    return this.value(selector => { const box = document.querySelector(selector)?.getBoundingClientRect(); return box && { x: box.x, y: box.y, width: box.width, height: box.height }; }, selector);
  }

  async click(selector) {
    const box = await this.until(`(() => { const element = document.querySelector(${JSON.stringify(selector)}); if (!element) return null; element.scrollIntoView({ block: "nearest" }); const box = element.getBoundingClientRect(); return box.width ? { x: box.x + box.width / 2, y: box.y + box.height / 2 } : null; })()`, selector);
    await this.press(box.x, box.y);
    await this.release(box.x, box.y);
  }

  async screenshot(path = null, clip = null) {
    const bytes = Buffer.from(await this.picture(clip), "base64");
    if (path) writeFileSync(path, bytes);
    return bytes;
  }
}

/** What `value` evaluates: an expression, or a function with arguments, as text. */
export const textOf = (expression, values) => typeof expression === "function" ? `(${expression})(${values.map(value => JSON.stringify(value)).join(",")})` : expression;
