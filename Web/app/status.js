// A pod's status as shape, hue and words. Values in, values out; `statusShape` makes an element.
import { h } from "./dom.js";

/**
 * One word for how a pod stands: `executing`, `waiting`, `agent` (waiting for an agent), `idle`, `unknown`, `crashed`, `lost`,
 * `ended`, `starting`.
 */
export function standing(pod) {
  switch (pod?.lifecycle) {
    case "crashed": case "lost": case "starting": return pod.lifecycle;
    case "exited": case "ended": return endedBadly(pod) ? "crashed" : "ended";
  }
  const status = pod?.status?.status ?? "unknown";
  if (status === "waiting") return pod.status.reason === "agent" ? "agent" : "waiting";
  return ["executing", "idle"].includes(status) ? status : "unknown";
}

/** A signal ended it; codes other than 0 are the program's own business, and said. */
const endedBadly = pod => pod.exit?.signal != null && ![1, 2, 9, 15].includes(pod.exit.signal);

export const standings = {
  waiting: { order: 0, label: "Waiting for a person" }, crashed: { order: 1, label: "Crashed" }, lost: { order: 2, label: "Lost" },
  agent: { order: 3, label: "Waiting for an agent" }, executing: { order: 4, label: "Executing" }, starting: { order: 5, label: "Starting" },
  idle: { order: 6, label: "Idle" }, unknown: { order: 7, label: "Status unknown" }, ended: { order: 8, label: "Ended" },
};

const reasons = {
  approval: "waits for an approval", question: "asks a question", plan: "waits for its plan to be approved", trust: "asks whether to trust a folder",
  login: "waits for a login", password: "waits for a password", input: "waits for input", quota: "is out of quota", agent: "waits for an agent",
  turn_done: "finished its turn", prompt: "at its prompt", draft: "a draft is in its prompt", asked_in_prose: "asked something in its answer",
  interrupted: "was interrupted", new: "has not begun", thinking: "is thinking", tool: "runs a tool", background: "works in the background",
  retrying: "retries",
};

/** What a person is asked, and about what; nothing where nobody is. */
export const askedOf = status => status?.question && (status.about ? `${status.question} ${status.about.replaceAll("\n", " · ")}` : status.question);

/** "waits for an approval", "is thinking", "exit 1": what follows the pod's name. */
export function says(pod) {
  const kind = standing(pod), status = pod?.status;
  if (pod?.exit && ["exited", "crashed", "ended", "lost"].includes(pod.lifecycle)) {
    if (pod.exit.signal != null) return `ended by signal ${pod.exit.signal}`;
    if (pod.exit.code != null) return pod.exit.code === 0 ? "ended well" : `ended with exit code ${pod.exit.code}`;
  }
  if (kind === "lost") return "was lost: " + (pod.reason ?? "its end was not seen");
  if (kind === "starting") return "is starting";
  if (kind === "ended") return pod?.imported ? "imported recording" : "ended";
  if (kind === "unknown") return status?.reason ? `status unknown: ${status.reason}` : "running, status unknown";
  return reasons[status?.reason] ?? { executing: "works", waiting: "waits for a person", agent: "waits for an agent", idle: "is idle" }[kind] ?? kind;
}

/** Whether it runs, or is about to. */
export const isLive = pod => ["running", "starting"].includes(pod.lifecycle);

/** Since when it stands so, in milliseconds. */
export function sinceOf(pod) {
  return Date.parse(isLive(pod) ? pod.status?.since ?? pod.started ?? pod.created : pod.exited ?? pod.ended ?? pod.created);
}

/** The shape of a standing; what it means is said for those who do not see it. */
export function statusShape(kind, { size = 12, label = standings[kind]?.label ?? kind } = {}) {
  const shape = {
    executing: () => h("circle", { cx: 6, cy: 6, r: 4.5, class: "breath" }),
    waiting: () => h("path", { d: "M6 1.2 11.3 10.6H.7Z" }),
    agent: () => h("path", { d: "M6 2 10.6 10H1.4Z", class: "hollow" }),
    idle: () => h("circle", { cx: 6, cy: 6, r: 4, class: "hollow" }),
    unknown: () => h("path", { d: "M6 1 11 6 6 11 1 6Z", class: "hollow dashed" }),
    starting: () => h("circle", { cx: 6, cy: 6, r: 4, class: "hollow dashed" }),
    crashed: () => h("path", { d: "M2 2 10 10M10 2 2 10", class: "hollow heavy" }),
    lost: () => h("path", { d: "M2 2 10 10M10 2 2 10", class: "hollow heavy" }),
    ended: () => h("rect", { x: 3, y: 3, width: 6, height: 6 }),
  }[kind] ?? (() => h("circle", { cx: 6, cy: 6, r: 2 }));
  return h("svg", { class: `shape ${kind}`, width: size, height: size, viewBox: "0 0 12 12", role: label ? "img" : null, "aria-label": label || null, "aria-hidden": label ? null : "true" }, shape());
}

/** How many an item of attention holds up besides the one that asks: the server counts that one as well. */
export const othersHeld = item => Math.max(0, (item.blocks ?? 0) - (item.pod ? 1 : 0));

/** "It holds up 2 other agents; an answer frees 1 of them.", or nothing. */
export function heldWords(item) {
  const held = othersHeld(item), freed = Math.max(0, (item.frees ?? 0) - (item.pod ? 1 : 0));
  if (!held) return "";
  return `It holds up ${held} ${item.pod ? "other " : ""}${held === 1 ? "agent" : "agents"}${item.frees && freed !== held ? `; an answer frees ${freed || "none"} of them` : ""}.`;
}
