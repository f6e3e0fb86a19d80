// Screens of moments with their secrets, for hover cards: over a socket of its own, so that the audit log has one entry for all of
// them, as for the terminal, and not one for each moment under the pointer.
import { TerminalConnection } from "../terminal/connection.js";

export class Peek {
  constructor(pod) {
    this.connection = new TerminalConnection(pod, {
      answered: () => this.settle(this.connection.screen), error: () => this.settle(null), state: state => { if (state === "gone" || state === "denied") this.settle(null); },
    }, { cache: false });
    this.connection.reveals = true;
  }

  /** The screen at a time in milliseconds; null where there is none. One at a time: whoever asks again gets the newer. */
  at(ms) {
    this.settle(null);
    return new Promise(resolve => {
      this.resolve = resolve;
      const time = new Date(ms).toISOString();
      if (this.connection.socket) this.connection.seek(time); else this.connection.open(time);
    });
  }

  settle(screen) {
    this.resolve?.(screen);
    this.resolve = null;
  }

  close() {
    this.settle(null);
    this.connection.close();
  }
}
