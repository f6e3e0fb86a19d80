// Bindings and waits as ticks of a timeline, where the server keeps them.
import { ask } from "../app/api.js";
import { store } from "../app/store.js";

/** Entries `{ ms, what, text }` of one pod, or of all; none where the server has no such records. */
export async function recordEntries(pod, signal) {
  const get = async (path, name) => {
    if (!store.offers(path)) return [];
    try {
      return (await ask(path, { query: { all: "true", pod }, signal }))[name] ?? [];
    } catch (error) {
      if (error.name === "AbortError") throw error;
      return [];
    }
  };
  const [bindings, waits] = await Promise.all([get("/v1/bindings", "bindings"), get("/v1/waits", "waits")]);
  return bindingEntries(bindings, id => store.name(id)).concat(waitEntries(waits, id => store.name(id))).sort((a, b) => a.ms - b.ms);
}

const last = author => author.split(":").at(-1);
const scopes = list => (list ?? []).map(scope => scope.replace("terminal:", "")).join(", ");

/** Pure. */
export function bindingEntries(bindings, name) {
  return bindings.flatMap(binding => {
    const pair = `${name(binding.from)} → ${name(binding.to)}`;
    const asked = { ms: Date.parse(binding.created), what: "binding", text: `${name(binding.from)} asks for ${scopes(binding.requested)} of ${name(binding.to)}` };
    if (binding.state === "pending") return [asked];
    return [asked, { ms: Date.parse(binding.since), what: "binding", text: binding.state === "active" ? `${pair}: ${scopes(binding.granted)} granted` : `${pair}: ${(binding.reason ?? "ended").replace("_", " ")}` }];
  });
}

/** Pure. */
export function waitEntries(waits, name) {
  return waits.flatMap(wait => {
    const who = name(last(wait.waiter)), on = wait.targets.map(target => name(target.pod)).join(", ");
    const began = { ms: Date.parse(wait.created), what: "wait", text: `${who} waits until ${on} is ${wait.until}` };
    return wait.ended ? [began, { ms: Date.parse(wait.ended), what: "wait", text: `${who} no longer waits for ${on}: ${(wait.outcome ?? "ended").replace("_", " ")}` }] : [began];
  });
}
