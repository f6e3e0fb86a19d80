// Screens of the past that were seen, by the time for which they hold. No DOM.

/** Keeps the newest few hundred screens of one pod. A screen holds from its own time until the next frame's. */
export class ScreenCache {
  constructor(most = 400) {
    this.most = most;
    /** By time: `{ from, to, screen, position }`, no two of which overlap. */
    this.entries = [];
  }

  put(screen, position) {
    const from = Date.parse(position.time), to = position.next ? Date.parse(position.next) : null;
    // Without an end it holds for its own moment only, which is not worth keeping.
    if (to == null || !(to > from)) return;
    const index = this.find(from);
    if (this.entries[index]?.from === from) this.entries[index] = { from, to, screen, position };
    else this.entries.splice(index + 1, 0, { from, to, screen, position });
    if (this.entries.length > this.most) this.entries.splice(index > this.most / 2 ? 0 : this.entries.length - 1, 1);
  }

  at(time) {
    const entry = this.entries[this.find(time)];
    return entry && time < entry.to ? entry : null;
  }

  /** The last entry that begins at or before a time; -1 where none does. */
  find(time) {
    let low = 0, high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.entries[middle].from <= time) low = middle + 1; else high = middle;
    }
    return low - 1;
  }
}
