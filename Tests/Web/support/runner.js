// A small runner: tests are sentences; its lines read as Swift Testing's do, so that `scripts/test` counts them too.

const tests = [];

/** Adds a test. `skip` gives the reason why it cannot run here. */
export function test(name, run, { skip = null, limit = null } = {}) { tests.push({ name, run, skip, limit }); }

/** Thrown by a test that finds that it cannot run here. */
export class Skip extends Error {}

/** Whether FILTER leaves anything to run. */
export const hasWanted = (filter = process.env.FILTER) => !filter || tests.some(({ name }) => new RegExp(filter).test(name));

export async function runAll({ filter = process.env.FILTER, limit: usual = 120_000 } = {}) {
  let failed = 0;
  const wanted = filter ? new RegExp(filter) : null;
  for (const { name, run, skip, limit: own } of tests) {
    if (wanted && !wanted.test(name)) continue;
    if (skip) { console.log(`➜ Test "${name}" skipped: "${skip}"`); continue; }
    const began = performance.now(), limit = own ?? usual;
    const seconds = () => ((performance.now() - began) / 1000).toFixed(3);
    let timer;
    try {
      await Promise.race([run(), new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`not done after ${limit / 1000} s`)), limit); })]);
      console.log(`✔ Test "${name}" passed after ${seconds()} seconds.`);
    } catch (error) {
      if (error instanceof Skip) { console.log(`➜ Test "${name}" skipped: "${error.message}"`); continue; }
      failed++;
      console.log(`✘ Test "${name}" failed after ${seconds()} seconds: ${error.stack ?? error}`);
    } finally { clearTimeout(timer); }
  }
  return failed;
}

export function equal(actual, wanted, about = "") {
  const a = JSON.stringify(actual), b = JSON.stringify(wanted);
  if (a !== b) throw new Error(`${about ? about + ": " : ""}got ${a}\n  wanted ${b}`);
}

export function ok(value, about = "it is not so") { if (!value) throw new Error(about); }
