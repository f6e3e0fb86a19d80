// A terminal's socket, against one that tells what was sent.
import { test, equal } from "../support/runner.js";
import { TerminalConnection } from "../../../Web/terminal/connection.js";

/** Runs with a browser's globals as far as a connection needs them; timers run when told. */
function connected(body) {
  const kept = {}, timers = [], sockets = [];
  class Socket {
    static OPEN = 1;
    constructor() { this.readyState = 1; this.sent = []; sockets.push(this); }
    send(text) { this.sent.push(JSON.parse(text)); }
    close() { this.readyState = 3; }
  }
  const globals = {
    WebSocket: Socket, location: { protocol: "http:", host: "here" }, addEventListener() {}, removeEventListener() {},
    setTimeout: action => timers.push(action), clearTimeout: id => { if (id) timers[id - 1] = null; },
  };
  for (const [name, value] of Object.entries(globals)) { kept[name] = Object.getOwnPropertyDescriptor(globalThis, name); Object.defineProperty(globalThis, name, { value, configurable: true, writable: true }); }
  try {
    const said = [], connection = new TerminalConnection("p1", { error: error => said.push(error.code), answered: place => said.push(place) }, { cache: false }).open("2026-01-01T00:00:00Z");
    const socket = sockets[0], receive = message => socket.onmessage({ data: JSON.stringify(message) });
    socket.onopen();
    body({ connection, socket, said, receive, seeks: () => socket.sent.filter(message => message.type === "seek").map(message => message.time), later: () => { const action = timers.findLast(Boolean); timers[timers.indexOf(action)] = null; action(); } });
  } finally {
    for (const [name, descriptor] of Object.entries(kept)) if (descriptor) Object.defineProperty(globalThis, name, descriptor); else delete globalThis[name];
  }
}

const first = "2026-01-01T00:00:00Z", other = "2026-01-01T00:00:09Z";

test("a moment that could not be had just now is asked for again, so many times; one that is refused is not", () => {
  connected(({ connection, socket, seeks, said, receive, later }) => {
    receive({ type: "error", error: { code: "unavailable", message: "later" } });
    equal(seeks(), [first]);
    later();
    equal(seeks(), [first, first], "once more");
    receive({ type: "error", error: { code: "before_start", message: "no" } });
    equal([seeks().length, said], [2, ["unavailable", "before_start"]], "a refusal is the answer");
    equal(socket.sent.at(-1).type, "live", "the newest instead of nothing");
    receive({ type: "position", mode: "live", seq: 1, time: first });
    connection.seek(other);
    receive({ type: "error", error: { code: "bad_request", message: "no" } });
    equal(socket.sent.at(-1).type, "seek", "what is shown stays");
  });
  connected(({ seeks, receive, later }) => {
    for (let i = 0; i < 8; i++) { receive({ type: "error", error: { code: "timed_out", message: "later" } }); later(); }
    receive({ type: "error", error: { code: "timed_out", message: "later" } });
    later();
    equal(seeks().length, 9, "not for ever");
  });
});

test("whoever wants another moment meanwhile gets that one; a seek without an answer is sent again", () => {
  connected(({ connection, seeks, receive, later }) => {
    connection.seek(other);
    receive({ type: "error", error: { code: "unavailable", message: "later" } });
    equal(seeks(), [first, other], "the newer wish");
    later();
    equal(connection.state, "behind");
    later();
    equal(seeks(), [first, other, other], "nobody answered");
  });
});
