// Scrolling, and work that waits while it is fast.

/** How fast something is scrolled, told by its places. Times in milliseconds are given, so that nothing here needs a clock. */
export class Motion {
  /** Fast is more than `limit` pixels a millisecond; nothing told for `memory` milliseconds is rest. */
  constructor({ limit = 1.5, memory = 150 } = {}) {
    this.limit = limit;
    this.memory = memory;
    this.at = -Infinity;
    this.place = 0;
    this.wasFast = false;
  }

  moved(place, now) {
    const since = now - this.at;
    // After a rest there is no speed yet: a jump to another place is looked at right away.
    this.wasFast = since < this.memory && Math.abs(place - this.place) > this.limit * Math.max(1, since);
    this.place = place;
    this.at = now;
  }

  isFast(now) { return this.wasFast && now - this.at < this.memory; }
}

/**
 * Pieces of work (anything with `work()`) that share a few milliseconds of each frame, whoever waits longest first: many that
 * change at once never hold up a page that is scrolled. At least one is done in a frame, and none while `isHeld()`.
 */
export class SharedFrames {
  constructor({ budget = 6, isHeld = () => false, request = action => requestAnimationFrame(action), now = () => performance.now() } = {}) {
    Object.assign(this, { budget, isHeld, request, now });
    this.waiting = new Set();
    this.isAsked = false;
  }

  add(piece) {
    this.waiting.add(piece);
    this.ask();
  }

  remove(piece) { this.waiting.delete(piece); }

  /** Goes on after `isHeld` has become false: nothing looks for that by itself. */
  ask() {
    if (this.isAsked || this.waiting.size === 0 || this.isHeld()) return;
    this.isAsked = true;
    this.request(() => this.frame());
  }

  frame() {
    this.isAsked = false;
    if (this.isHeld()) return;
    const end = this.now() + this.budget;
    for (const piece of this.waiting) {
      this.waiting.delete(piece);
      piece.work();
      if (this.now() >= end) break;
    }
    this.ask();
  }
}
