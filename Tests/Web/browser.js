// The tests in a browser, against a stack of their own: `node Tests/Web/browser.js`. FILTER=regex runs some; SWITCHBACK_BROWSER=firefox runs
// them in Firefox.
import { readFileSync, readdirSync } from "node:fs";
import { wantedBrowser } from "./support/browsers.js";
import { Stack } from "./support/stack.js";
import { equal, hasWanted, runAll, test } from "./support/runner.js";
import { stories } from "./browser/stories.js";
import { details } from "./browser/details.js";
import { screens } from "./browser/screens.js";
import { admins } from "./browser/admins.js";
import { fleet } from "./browser/fleet.js";
import { graph } from "./browser/graph.js";
import { pixels } from "./browser/pixels.js";

const { name, find, hint, Browser, lacks } = wantedBrowser();
if (!find()) {
  console.log(`➜ Test "the web app in a browser" skipped: "there is no ${name} here; ${hint}"`);
  process.exit(0);
}

const stage = { pods: {} };
stories(stage);
admins(stage);
fleet(stage);
graph(stage);
details(stage);
screens(stage);
pixels(stage);
if (!hasWanted()) process.exit(0);
if (lacks) console.error(`${name} lacks ${lacks}`);
const began = Date.now();
stage.stack = await Stack.start();
try {
  const { stack } = stage;
  stage.browser = await Browser.start();
  stage.pods.counter = await stack.run("counter", ["bash", "-c", "for i in $(seq 1 100000); do echo \"line $i\"; [ $((i % 50)) = 0 ] && printf '\\e[2J\\e[H'; sleep 0.2; done"]);
  const counterBegan = Date.now();
  stage.pods.still = await stack.run("still", ["bash", "-c", "printf 'alpha beta\\ngamma\\n\\e[1;35mcolour\\e[m 日本 ┌──┐\\n'; exec sleep 100000"]);
  stage.pods.sly = await stack.run("sly", ["bash", "-c", "printf '\\e]0;<img src=/nowhere onerror=wasRun=1>\\a<img src=/nowhere onerror=\"wasRun=1\"> <b>bold</b>\\n\\e]8;;https://example.com/real-target\\e\\\\click me\\e]8;;\\e\\\\\\n'; exec sleep 100000"]);
  stage.pods.shell = await stack.run("shell", ["bash", "--norc", "--noprofile"], ["--env", "PS1=$ "]);
  // Never anybody's: made of one letter, in the form that a rule knows.
  stage.secret = `ghp_${"A".repeat(20)}${"b".repeat(16)}`;
  stage.pods.leaky = await stack.run("leaky", ["bash", "-c", `printf 'token: ${stage.secret} end\\n'; sleep 2; echo more; exec sleep 100000`]);
  stage.pods.gone = await stack.run("gone", ["bash", "-c", "echo vanished-words; sleep 0.3; clear; echo empty now; sleep 0.3"]);
  /** So many seconds of the counter are recorded. */
  stage.settled = async seconds => { const rest = counterBegan + seconds * 1000 - Date.now(); if (rest > 0) await new Promise(resolve => setTimeout(resolve, rest)); };
  /** Ends the API's process; the supervisor starts it again. */
  stage.restartAPI = async () => {
    for (const pid of readdirSync("/proc").filter(name => /^\d+$/.test(name))) {
      try {
        if (!readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("switchback-api")) continue;
        if (!readFileSync(`/proc/${pid}/environ`, "utf8").includes(`${stack.home}/`)) continue;
        return process.kill(Number(pid), "SIGTERM");
      } catch { /* It has ended meanwhile, or is another's. */ }
    }
    throw new Error("the API's process was not found");
  };
  test("whatever the pages did, no server crashed", async () => equal(stack.crashes(), []));
  process.exitCode = await runAll() ? 1 : 0;
} finally {
  await stage.browser?.close();
  await stage.stack.stop();
  console.error(`browser tests: ${((Date.now() - began) / 1000).toFixed(0)} s`);
}
