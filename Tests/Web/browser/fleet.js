// The fleet when there is more of it than fits.
import { equal, ok } from "../support/runner.js";
import { tools } from "../support/pages.js";

/** `stage`: `{ stack, browser }`. */
export function fleet(stage) {
  const { story } = tools(stage);

  story("what flies by is neither asked for nor painted; what rests in sight is; what was left is let go", async page => {
    const live = "[...document.querySelectorAll('.tile')].filter(tile => ['running', 'starting'].includes(tile.tile.pod.lifecycle))";
    await page.until(`${live}.length >= 5 && ${live}[0].tile.connection != null && ${live}[0].tile.canvas.painter != null`, "the first picture");
    equal(await page.value(`${live}.at(-1).tile.connection == null && getComputedStyle(${live}.at(-1).tile.canvas).visibility`), "hidden", "the last is far below, and its canvas no layer");
    // As fast as it may be, however slow this machine is: the fleet's own clock says that it never rests.
    await page.value(`(() => {
      const { fleet } = document.querySelector(".fleet");
      window.wasFast = fleet.motion.isFast;
      fleet.motion.isFast = () => true;
      window.drawn = 0;
      document.addEventListener("scroll", () => { window.hasFlown ||= fleet.element.classList.contains("is-flying"); }, true);
      const draw = fleet.draw.bind(fleet);
      fleet.draw = () => { window.drawn++; draw(); };
      ${live}.at(-1).scrollIntoView();
    })()`);
    await page.until(`${live}.at(-1).tile.isSeen`, "it to be in sight");
    await page.value("document.querySelector('.fleet').fleet.render()");
    await page.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done))))");
    equal(await page.value(`[${live}.at(-1).tile.connection == null, ${live}.at(-1).tile.canvas.painter == null, window.drawn]`), [true, true, 0], "asked for, painted, or the fleet laid out anew while it flies");
    ok(await page.value("window.hasFlown"), "what breathes has a layer of its own");
    await page.value("(() => { document.querySelector('.fleet').fleet.motion.isFast = window.wasFast; document.querySelector('.content').scrollTop -= 2; })()");
    await page.until(`${live}.at(-1).tile.connection != null && ${live}.at(-1).tile.canvas.painter?.shown.length > 0`, "its picture");
    await page.until("window.drawn > 0 && !document.querySelector('.fleet').classList.contains('is-flying')", "what changed meanwhile");
    await page.until(`${live}[0].tile.connection == null`, "the end of the first one's socket");
    await page.value(`${live}[0].scrollIntoView()`);
    await page.until(`${live}[0].tile.connection != null && getComputedStyle(${live}[0].tile.canvas).visibility === 'visible'`, "its return");
  }, { width: 390, height: 420 });

  story("whoever goes through the fleet by keys stays at a pod whose status changes", async page => {
    await page.until("document.querySelectorAll('.tile').length >= 5", "pods");
    await page.value("[...document.querySelectorAll('.tile')].find(tile => tile.tile.pod.name === 'still').querySelector('a').focus()");
    const [group, name] = await page.value(`import("/web/app/store.js").then(async ({ store }) => {
      const pod = store.pod("still");
      store.pods.set(pod.pod, { ...pod, status: { status: "waiting", reason: "approval", since: new Date().toISOString(), seq: 9 } });
      store.tell("pods");
      await new Promise(done => setTimeout(done, 600));
      const { activeElement } = document;
      return [activeElement.closest(".fleet-group")?.dataset.key ?? null, activeElement.closest(".tile")?.tile.pod.name ?? null];
    })`);
    equal([group, name], ["waiting", "still"]);
  });
}
