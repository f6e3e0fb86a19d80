// What a timeline shows of one pod, from the record's timeline and the registry's history. Values in, values out.
import { standing } from "../app/status.js";

const shownEntries = new Set(["input", "marker", "signal", "gap", "held", "released", "message", "binding", "wait", "exit"]);

/**
 * @param timeline `GET /v1/pods/{pod}/timeline`; @param history `GET …/history` or null; @param records entries from elsewhere (`records.js`)
 */
export function story(timeline, history, pod, now = Date.now(), records = []) {
  const first = Date.parse(timeline.first), live = timeline.live === true;
  const recorded = Math.max(first + 1, Date.parse(timeline.last));
  const last = live ? Math.max(recorded, now) : recorded;
  const idle = (timeline.idle ?? []).map(span => ({ from: Date.parse(span.from), to: Date.parse(span.to) }));
  // Idle until the last frame (a spinner is), or nothing since: it is idle still.
  const newest = idle.at(-1);
  if (live && newest && recorded - newest.to < 1500) newest.to = last;
  else if (live && now - recorded > 10_000) idle.push({ from: recorded, to: last });
  return {
    first, last, live, recorded, idle: joined(idle), density: timeline.density ?? [], densityFrom: first, densityTo: recorded,
    entries: timeline.entries.filter(entry => shownEntries.has(entry.what)).map(entry => ({ ...entry, ms: Date.parse(entry.time) })).concat(records.filter(entry => entry.ms >= first && entry.ms <= last)).sort((a, b) => a.ms - b.ms),
    bands: bands(history, pod, first, last),
  };
}

/** Spans that touch or overlap as one. */
export function joined(spans) {
  const result = [];
  for (const span of [...spans].sort((a, b) => a.from - b.from)) {
    const last = result.at(-1);
    if (last && span.from <= last.to) last.to = Math.max(last.to, span.to);
    else result.push({ ...span });
  }
  return result;
}

function bands(history, pod, first, last) {
  const entries = history?.entries ?? [];
  const statuses = entries.filter(entry => entry.what === "status");
  const end = entry => Math.min(last, entry.to ? Date.parse(entry.to) : last);
  if (statuses.length) {
    return statuses.map(entry => ({ from: Date.parse(entry.from), to: end(entry), isOpen: !entry.to, kind: standing({ lifecycle: "running", status: { status: entry.value, reason: entry.reason } }) }))
      .filter(band => band.to >= first && band.to >= band.from);
  }
  return [{ from: first, to: last, isOpen: true, kind: pod ? standing(pod) === "ended" ? "ended" : "unknown" : "unknown" }];
}

/** The next or the previous thing worth a look: inputs, markers, changes of status. */
export function neighbour(story, time, step) {
  const times = [...story.entries.map(entry => entry.ms), ...story.bands.map(band => band.from), story.first, story.last].sort((a, b) => a - b);
  return step > 0 ? times.find(other => other > time + 20) ?? story.last : times.findLast(other => other < time - 20) ?? story.first;
}
