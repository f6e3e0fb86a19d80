// Pictures of every screen, light and dark, from a seeded stack: `SWITCHBACK_BIN=.build/release node Tests/Web/screenshots.js FOLDER`.
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { wantedBrowser } from "./support/browsers.js";
import { Stack } from "./support/stack.js";

const { name: browserName, find, hint, Browser } = wantedBrowser();
if (!find()) { console.error(`${browserName} is missing: ${hint}`); process.exit(1); }
const folder = resolve(process.argv[2] ?? "docs/screenshots"), only = process.argv[3] ? new RegExp(process.argv[3]) : null;
mkdirSync(folder, { recursive: true });
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));
const stack = await Stack.start();
let browser = null;
try {
  const run = (name, agent = null, options = []) => stack.run(name, ["node", "scene.js", name], ["--cwd", new URL("support", import.meta.url).pathname, ...(agent ? ["--agent", agent] : []), ...options]);
  const pods = {};
  const first = await stack.ask("/openapi.json"), offers = path => first.paths[path] != null;
  const waits = { planner: "builder", reviewer: "builder", builder: "migrator" };
  const says = { builder: "@planner the build is green, v2.4.0 is tagged once somebody lets me push it", reviewer: "@builder is the limiter's new clock in your build?" };
  for (const [name, agent] of [["deploy"], ["monitor"], ["tests"], ["planner", "claude"], ["reviewer", "claude"], ["migrator", "claude"], ["builder", "claude"]]) pods[name] = await run(name, agent, [...(waits[name] ? ["--env", `SCENE_WAITS=${waits[name]}`] : []), ...(says[name] ? ["--env", `SCENE_SAYS=${says[name]}`] : [])]);
  if (offers("/v1/channels")) {
    await stack.ask("/v1/channels", { method: "POST", body: { name: "release", members: ["planner", "builder", "reviewer", "migrator"] } });
    await stack.ask("/v1/channels", { method: "POST", body: { name: "sessions", members: ["migrator"] } });
    await stack.ask("/v1/channels/release/messages", { method: "POST", body: { text: "@planner 2.4 goes out today. What is left?" } });
  }
  pods.shell = await stack.run("shell", ["bash", "--norc", "--noprofile"], ["--env", "PS1=$ "]);
  await sleep(2000);
  await stack.command("send", "shell", "git log --oneline | head -3", "--submit");
  await sleep(2500);
  await stack.command("send", "shell", "ls --color docs", "--submit");
  await stack.ask(`/v1/pods/${pods.builder}/marker`, { method: "POST", body: { text: "release 2.4.0 begins" } });
  // Who waits on whom, if this server knows.
  if (offers("/v1/bindings")) {
    const bind = (from, to, scopes) => stack.ask("/v1/bindings", { method: "POST", body: { from: pods[from], to: pods[to], scopes } });
    const accept = (binding, scopes) => stack.ask(`/v1/bindings/${binding.id}/accept`, { method: "POST", body: { scopes } });
    await accept(await bind("planner", "builder", ["terminal:read"]), ["terminal:read"]);
    await accept(await bind("builder", "migrator", ["terminal:read"]), ["terminal:read"]);
    await accept(await bind("reviewer", "builder", ["terminal:read", "terminal:write"]), ["terminal:read"]);
  }
  await sleep(14_000);
  browser = await Browser.start();
  const at = new Date(Date.now() - 9000).toISOString();
  const terminal = "document.querySelector('.terminal')?.terminal.screen.seq != null && document.querySelector('.timeline-ends span').textContent !== ''";
  const shots = [
    ["fleet", "/", "document.querySelectorAll('.tile').length > 5"], ["attention", "/attention", "document.querySelector('.attention')"],
    ["terminal", `/pods/${pods.builder}`, terminal], ["replay", `/pods/${pods.monitor}?t=${at}`, terminal],
    ["together", `/together?pods=${pods.builder},${pods.reviewer},${pods.tests},${pods.migrator}&t=${at}`, "document.querySelectorAll('.pane').length === 4"],
    ["topology", "/topology", "document.querySelector('.content > *')"], ["search", "/search?q=tests", "document.querySelectorAll('.hit').length > 0"], ["channels", "/channels/release", "document.querySelectorAll('.channel-message').length > 1"],
    ["people", "/people", "document.querySelectorAll('.token').length > 3"], ["audit", "/audit", "document.querySelectorAll('.entry').length > 8"],
  ];
  for (const [name, role, note, more] of [["olive", "operator", "night shift", { expires_in: 2_592_000 }], ["vera", "viewer", "the wall in the office", { pods: ["monitor", "deploy*"], expires_in: 31_536_000 }], ["ci", "operator", "starts pods for releases", { pods: ["release-*"] }], ["ada", "admin", "", { expires_in: 86_400 }]]) {
    const { token } = await stack.ask("/v1/credentials", { method: "POST", body: { name, role, ...(note ? { note } : {}), ...more } });
    // She tries what she may not.
    if (name === "vera") await fetch(`${stack.address}/v1/audit`, { headers: { Authorization: `Bearer ${token}` } });
  }
  for (const scheme of ["dark", "light"]) {
    const page = await browser.page({ width: 1440, height: 900, ratio: 1, scheme });
    await page.open(stack.link);
    await page.until("document.querySelector('.fleet')");
    for (const [name, path, ready] of shots) {
      if (only && !only.test(name)) continue;
      await page.open(stack.address + path);
      await page.until(ready, name);
      await sleep(1800);
      if (name === "replay") {
        const track = await page.box(".timeline-track");
        await page.move(track.x + track.width * 0.36, track.y + 30);
        await sleep(900);
      }
      await page.screenshot(join(folder, `${name}-${scheme}.png`));
      if (name === "replay") await page.move(5, 5);
    }
    if (!only || only.test("palette")) { await page.open(stack.address + "/"); await page.until("document.querySelectorAll('.tile').length > 5"); await sleep(1200); await page.key("k", { ctrl: true }); await page.type("b"); await sleep(300); await page.screenshot(join(folder, `palette-${scheme}.png`)); }
    await page.close();
    const phone = await browser.page({ width: 390, height: 844, ratio: 2, scheme, mobile: true });
    await phone.open(stack.link);
    await phone.until("document.querySelectorAll('.tile').length > 5");
    for (const [name, path, ready] of shots.filter(([name]) => ["fleet", "attention", "terminal", "topology", "people", "audit"].includes(name))) {
      if (only && !only.test("phone")) continue;
      await phone.open(stack.address + path);
      await phone.until(ready, name);
      await sleep(1500);
      await phone.screenshot(join(folder, `phone-${name}-${scheme}.png`));
    }
    await phone.close();
    if (!only || only.test("sign-in")) {
      const nobody = await browser.page({ width: 1440, height: 900, scheme });
      await nobody.open(stack.address + "/");
      await nobody.until("document.querySelector('.sign-in') && [...document.images].every(image => image.complete)");
      await nobody.screenshot(join(folder, `sign-in-${scheme}.png`));
      await nobody.close();
    }
  }
  // Designed states that no seeded stack is in.
  if (!only || only.test("states")) {
    for (const scheme of ["dark", "light"]) {
      const page = await browser.page({ width: 1440, height: 900, scheme });
      await page.open(stack.link);
      await page.until("document.querySelector('.fleet')");
      await page.open(stack.address + "/search?q=no-such-words-anywhere");
      await page.until("document.querySelector('.empty')");
      await page.screenshot(join(folder, `state-nothing-${scheme}.png`));
      await page.open(stack.address + `/pods/${pods.builder}`);
      await page.until(terminal);
      await page.goOffline();
      await page.value("document.querySelector('.terminal').terminal.connection.socket.close()");
      await page.until("document.querySelector('.banner:not([hidden])')");
      await page.screenshot(join(folder, `state-offline-${scheme}.png`));
      await page.close();
    }
  }
  console.log(`Screenshots are in ${folder}.`);
} finally {
  await browser?.close();
  await stack.stop();
}
