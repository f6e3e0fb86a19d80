// Bindings, waits and channel messages as ticks of a timeline, where the server keeps them.
import { ask } from "../app/api.js";
import { store } from "../app/store.js";

/** Entries `{ ms, what, text }` of one pod, or of all; none where the server has no such records. */
export async function recordEntries(pod, signal) {
  const get = async (path, name, query = { all: "true" }) => {
    if (!store.offers(path)) return [];
    try {
      return (await ask(path, { query: { ...query, pod }, signal }))[name] ?? [];
    } catch (error) {
      if (error.name === "AbortError") throw error;
      return [];
    }
  };
  const name = id => store.name(id);
  const [bindings, waits, messages] = await Promise.all([get("/v1/bindings", "bindings"), get("/v1/waits", "waits"), get("/v1/messages", "messages", { limit: 1000 })]);
  return bindingEntries(bindings, name).concat(waitEntries(waits, name), messageEntries(messages, pod)).sort((a, b) => a.ms - b.ms);
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
    const who = name(last(wait.waiter)), on = wait.targets.map(target => target.pod ? name(target.pod) : target.person ?? target.message ?? "").join(", ");
    const began = { ms: Date.parse(wait.created), what: "wait", text: `${who} waits until ${on} is ${wait.until}` };
    return wait.ended ? [began, { ms: Date.parse(wait.ended), what: "wait", text: `${who} no longer waits for ${on}: ${(wait.outcome ?? "ended").replace("_", " ")}` }] : [began];
  });
}

/** What was said, and when `pod` got it; of all pods only what was said. Pure. */
export function messageEntries(messages, pod) {
  return messages.flatMap(message => {
    const said = `${message.author_name} in #${message.channel_name}: ${message.text.replace(/\s+/g, " ").slice(0, 80)}`;
    const own = message.deliveries.find(delivery => last(delivery.member) === pod);
    const entries = [{ ms: Date.parse(message.created), what: "message", text: said }];
    if (own?.delivered) entries.push({ ms: Date.parse(own.delivered), what: "message", text: `got ${said}` });
    return entries;
  });
}
