// What must hold of every screen: 390 pixels, light and dark, everybody.
import { equal, ok, test } from "../support/runner.js";
import { tools } from "../support/pages.js";
import { axeFindings } from "../support/axe.js";
import { checkAccessibility } from "./accessibility.js";

const all = [
  ["fleet", "/", ".tile"], ["terminal", "/pods/POD", ".timeline"], ["together", "/together", ".pane"], ["search", "/search?q=line", ".hit"], ["attention", "/attention", ".attention-card"],
  ["topology", "/topology", ".node"], ["channels", "/channels", ".rooms"], ["people", "/people", ".token"], ["audit", "/audit", ".entry"],
];

export function screens(stage) {
  const { story, go } = tools(stage);
  /** Something asks for a person, so that the screen about it is not empty. */
  const asks = async action => {
    const { stack, pods } = stage;
    const binding = await stack.ask("/v1/bindings", { method: "POST", body: { from: pods.sly, to: pods.still, scopes: ["terminal:read"], note: "to look" } });
    try { await action(); } finally { await stack.ask(`/v1/bindings/${binding.id}/reject`, { method: "POST", body: {} }); }
  };
  const shown = async (page, path, selector, action) => {
    const look = async () => {
      await go(page, path.replace("POD", stage.pods.counter));
      await page.until(`document.querySelector('${selector}')`, selector);
      await page.value("new Promise(done => setTimeout(done, 400))");
      await action();
    };
    if (path === "/attention") await asks(look); else await look();
  };

  for (const [name, path, selector] of all) {
    story(`${name} fits 390 pixels`, page => shown(page, path, selector, async () => {
      const wide = await page.value(() => [...document.querySelectorAll("body *")].filter(element => { const box = element.getBoundingClientRect(); return box.width > 0 && box.right > innerWidth + 1 && getComputedStyle(element).visibility !== "hidden" && !element.closest(".head-tools, .graph-frame, .terminal, .sr-only, .timeline-canvas, .playhead, .together-side, .skip") && !overflowHidden(element); function overflowHidden(element) { for (let parent = element.parentElement; parent; parent = parent.parentElement) if (["hidden", "auto", "scroll"].includes(getComputedStyle(parent).overflowX) && parent !== document.body && parent.getBoundingClientRect().right <= innerWidth + 1) return true; return false; } }).slice(0, 5).map(element => element.outerHTML.slice(0, 120)));
      equal(wide, []);
      equal(await page.value("(main => main.scrollWidth - main.clientWidth)(document.querySelector('main'))"), 0, "the content scrolls sideways");
      ok(await page.value("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways");
      if (["/attention", "/search?q=line"].includes(path)) await page.until("document.querySelector('.content canvas')?.painter != null", "a picture");
      equal(await page.value(() => [...document.querySelectorAll(".content canvas")].filter(canvas => canvas.painter).map(canvas => { const box = canvas.getBoundingClientRect(); return box.width / box.height / (canvas.width / canvas.height); }).filter(share => Math.abs(share - 1) > 0.03)), [], "pictures are squeezed");
    }), { width: 390, height: 800, ratio: 2, mobile: true });
    for (const scheme of ["dark", "light"]) {
      story(`${name} can be read and used by everybody (${scheme})`, page => shown(page, path, selector, async () => equal(await checkAccessibility(page), [])), { scheme });
    }
    story(`axe finds nothing on ${name}, light and dark, wide and at 390 pixels`, page => shown(page, path, selector, () => everyWay(page)));
  }

  story("axe finds nothing on the palette, in a terminal somebody types into, and while secrets are shown", async page => {
    await go(page, `/pods/${stage.pods.shell}`);
    await page.until("document.querySelector('.terminal')?.terminal.screen.seq != null");
    await page.key("Enter");
    await page.until("document.querySelector('.holder.you, .holder.other')");
    equal(await axeFindings(page), []);
    await page.key("ArrowUp", { ctrl: true, shift: true });
    await page.click("[aria-label='Show secrets of the past']");
    await page.until("document.querySelector('.banner.revealing')");
    equal(await axeFindings(page), []);
    await page.key("k", { ctrl: true });
    await page.until("document.querySelector('dialog.palette li')");
    equal(await axeFindings(page), []);
  });

  test("axe finds nothing on the sign-in, light and dark, wide and at 390 pixels", async () => {
    const page = await stage.browser.page();
    try {
      await page.open(stage.stack.address + "/sign-in");
      await page.until("document.querySelector('.sign-in')");
      await everyWay(page);
    } finally { await page.close(); }
  });

  async function everyWay(page) {
    const found = [];
    for (const [width, height, mobile] of [[1280, 800, false], [390, 800, true]]) {
      await page.viewport({ width, height, mobile });
      for (const scheme of ["dark", "light"]) {
        await page.media({ scheme, isMotionReduced: true });
        await page.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))");
        found.push(...(await axeFindings(page)).map(text => `${scheme}, ${width} px: ${text}`));
      }
    }
    equal(found, []);
  }
}
