// Times as people read and write them. Values in, values out.

const two = number => String(number).padStart(2, "0");

/** "14:03:07", with tenths if asked. */
export function clock(ms, tenths = false) {
  const date = new Date(ms);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}` + (tenths ? "." + Math.floor(date.getMilliseconds() / 100) : "");
}

/** "21 Nov, 14:03:07"; only the clock for today. */
export function moment(ms, now = Date.now()) {
  const date = new Date(ms), today = new Date(now);
  if (date.toDateString() === today.toDateString()) return clock(ms);
  const day = date.toLocaleDateString("en-GB", { day: "numeric", month: "short", ...(date.getFullYear() === today.getFullYear() ? {} : { year: "numeric" }) });
  return `${day}, ${clock(ms)}`;
}

/** Milliseconds of an RFC 3339 time, rounded up: the server counts microseconds, and what came at one is there by then. */
export const arrival = text => Date.parse(text) + (/\.\d{3}\d*[1-9]/.test(text) ? 1 : 0);

/** "4 min", "3 h 20 min", "12 s". */
export function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
}

/** "+1:02:03" since the start. */
export function since(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `+${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/**
 * A moment a person typed: RFC 3339, `14:03:07`, `14:03`, `-5m`, `+90s` (from the start). Milliseconds, or null.
 */
export function parseMoment(text, { now = Date.now(), start = null } = {}) {
  const trimmed = text.trim();
  const relative = /^([+-])(?:(\d+(?:\.\d+)?)\s*(s|m|min|h|d)|(?:(\d+):)?(\d+):(\d\d))$/.exec(trimmed);
  if (relative) {
    const unit = { s: 1, m: 60, min: 60, h: 3600, d: 86400 }[relative[3]];
    const seconds = unit ? Number(relative[2]) * unit : Number(relative[4] ?? 0) * 3600 + Number(relative[5]) * 60 + Number(relative[6]);
    if (relative[1] === "-") return now - seconds * 1000;
    return start == null ? null : start + seconds * 1000;
  }
  const time = /^(\d{1,2}):(\d\d)(?::(\d\d)(?:\.(\d+))?)?$/.exec(trimmed);
  if (time) {
    const date = new Date(now);
    date.setHours(Number(time[1]), Number(time[2]), Number(time[3] ?? 0), Math.floor(Number("0." + (time[4] ?? 0)) * 1000));
    // A time that has not come yet today was yesterday's.
    return date.getTime() > now + 1000 ? date.getTime() - 86_400_000 : date.getTime();
  }
  const full = /^\d{4}-\d\d-\d\dT/.test(trimmed) ? Date.parse(trimmed) : NaN;
  return Number.isNaN(full) ? null : full;
}
