// What tests in a browser begin with: a signed-in page that may not complain.
import { test, equal } from "./runner.js";
import { trimmed } from "./stack.js";

/** The terminal of the shown page, for expressions. */
export const terminal = "document.querySelector('.terminal').terminal";

/** `stage`: `{ stack, browser }`. */
export function tools(stage) {
  /** A signed-in page; it may complain about nothing unless `allows` names it. */
  const withPage = (options, action) => async () => {
    const page = await stage.browser.page(options);
    try {
      const begin = async () => { await page.open(stage.stack.link); await page.until("document.querySelector('.fleet')", "the fleet"); };
      try { await begin(); } catch (error) {
        // Browsers drop requests when a network comes or goes on their machine, and a page without one of its modules stays empty.
        if ((await page.value("document.body.innerText")).trim() !== "") throw error;
        console.error(`a page stayed empty and is opened again: ${page.complaints.join("; ") || "it complained about nothing"}`);
        page.complaints.length = 0;
        await begin();
      }
      await action(page);
      equal(page.complaints.filter(text => !(options.allows ?? /^$/).test(text)), [], "the console");
    } finally { await page.close(); }
  };
  const go = async (page, address) => { await page.open(stage.stack.address + address); };
  return {
    story: (name, action, options = {}) => test(name, withPage(options, action), { limit: options.limit }),
    go,
    text: async page => trimmed(await page.value(`${terminal}.text()`)),
    openPod: async (page, pod, query = "") => {
      await go(page, `/pods/${pod}${query}`);
      await page.until(`document.querySelector('.terminal') && ${terminal}.screen.seq != null`, "a screen");
    },
  };
}
