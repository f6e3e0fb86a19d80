// axe-core (https://github.com/dequelabs/axe-core) in the shown page. It is not ours and not in the repository: `SWITCHBACK_AXE` names the file,
// or `scripts/setup test` has put it into `.build/axe`.
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Skip } from "./runner.js";

const root = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../../..");

/** The file with axe; null where there is none. */
export function findAxe() {
  const named = process.env.SWITCHBACK_AXE;
  if (named && !existsSync(named)) throw new Error(`SWITCHBACK_AXE names ${named}, which is not there`);
  return [named, join(root, ".build/axe/axe.min.js")].find(path => path && existsSync(path)) ?? null;
}

/** What axe finds in the shown page, each a sentence. Skips the test where there is no axe. */
export async function axeFindings(page) {
  const path = findAxe();
  if (!path) throw new Skip("there is no axe here: scripts/setup test fetches it where it can, or name axe.min.js in SWITCHBACK_AXE");
  // Evaluated by the debugger, which the page's own policy does not bind.
  await page.value(`{ const module = undefined, define = undefined; ${readFileSync(path, "utf8")}\n }; true`);
  return page.value(async () => {
    // A colour on its way to another is none that anybody has to read.
    await Promise.allSettled(document.getAnimations().filter(animation => Number.isFinite(animation.effect.getComputedTiming().endTime)).map(animation => animation.finished));
    const { violations, passes } = await window.axe.run(document, { resultTypes: ["violations"], runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] } });
    if (!passes.length) throw new Error("axe looked at nothing");
    return violations.flatMap(({ id, help, nodes }) => nodes.map(node => `axe ${id}: ${help}: ${node.html.slice(0, 140)} ${(node.any[0] ?? node.all[0] ?? node.none[0])?.message ?? ""}`));
  });
}
