// Scrolling, work that waits while it is fast, and painting that makes room when the machine is late.

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

/**
 * Frames for one painter, as many as the screen shows, and fewer while the machine is late with them: the next one then waits before it is asked for,
 * so that whoever needs the processor gets it, and what is painted is the newest.
 */
export class EasedFrames {
  /**
   * @param work paints
   * @param options `late`: milliseconds from asking to the painted frame beyond which it was late; `rest`: the wait after two late frames, doubled by
   * a third
   */
  constructor(work, { late = 40, rest = 33, request = action => requestAnimationFrame(action), wait = (action, ms) => setTimeout(action, ms), now = () => performance.now() } = {}) {
    Object.assign(this, { work, late, rest, request, wait, now });
    this.isAsked = false;
    this.isClosed = false;
    /** Late frames lately: each one on time makes up for one. */
    this.debt = 0;
  }

  ask() {
    if (this.isAsked || this.isClosed) return;
    this.isAsked = true;
    if (this.debt < 2) this.begin(); else this.wait(() => this.begin(), this.rest * (this.debt - 1));
  }

  begin() {
    const asked = this.now();
    this.request(() => {
      this.isAsked = false;
      if (this.isClosed) return;
      this.work();
      this.debt = this.now() - asked > this.late ? Math.min(3, this.debt + 1) : Math.max(0, this.debt - 1);
    });
  }

  close() { this.isClosed = true; }
}
