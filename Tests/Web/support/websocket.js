// A WebSocket client (RFC 6455) as far as a browser's own debugging server needs it: text, in pieces or whole. Node has none before version 22.
import { createHash, randomBytes } from "node:crypto";
import { request } from "node:http";

const text = 1, close = 8, ping = 9, pong = 10;

/** Resolves once it is open, to `{ send(text), close() }`. `heard` gets each whole message, `ended` is told once. */
export function connect(address, { heard, ended }) {
  return new Promise((resolve, reject) => {
    const key = randomBytes(16).toString("base64");
    const asked = request(address.replace(/^ws:/, "http:"), { headers: { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13" } });
    asked.on("error", reject);
    asked.on("response", answer => reject(new Error(`${address} answered ${answer.statusCode}`)));
    asked.on("upgrade", (answer, socket, head) => {
      const wanted = createHash("sha1").update(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");
      if (answer.headers["sec-websocket-accept"] !== wanted) { socket.destroy(); return reject(new Error(`${address} speaks no WebSocket`)); }
      socket.setNoDelay(true);
      let pieces = [];
      const take = frames(({ isLast, kind, content }) => {
        if (kind === ping) socket.write(frame(pong, content));
        else if (kind === close) socket.end();
        else if (kind !== pong) {
          pieces.push(content);
          if (!isLast) return;
          const whole = Buffer.concat(pieces).toString();
          pieces = [];
          heard(whole);
        }
      });
      socket.on("data", take);
      socket.on("error", () => {});
      socket.on("close", () => ended?.());
      resolve({ send: words => socket.write(frame(text, Buffer.from(words))), close: () => socket.end(frame(close, Buffer.alloc(0))) });
      if (head.length) take(head);
    });
    asked.end();
  });
}

/** A client's frame, masked as the standard wants it. */
function frame(kind, content) {
  const { length } = content, long = length > 0xffff ? 8 : length > 125 ? 2 : 0;
  const head = Buffer.alloc(2 + long + 4);
  head[0] = 0x80 | kind;
  head[1] = 0x80 | (long === 8 ? 127 : long === 2 ? 126 : length);
  if (long === 2) head.writeUInt16BE(length, 2);
  if (long === 8) head.writeBigUInt64BE(BigInt(length), 2);
  const mask = randomBytes(4);
  mask.copy(head, 2 + long);
  return Buffer.concat([head, content.map((byte, index) => byte ^ mask[index & 3])]);
}

/** Takes bytes as they come, gives a server's frames. */
function frames(give) {
  let parts = [], had = 0, wanted = 2;
  return chunk => {
    parts.push(chunk);
    had += chunk.length;
    // Large messages come in many chunks; they are put together once.
    if (had < wanted) return;
    let all = Buffer.concat(parts), from = 0;
    for (;;) {
      const rest = all.length - from;
      wanted = 2;
      if (rest < wanted) break;
      const short = all[from + 1] & 127, long = short === 127 ? 8 : short === 126 ? 2 : 0;
      wanted += long;
      if (rest < wanted) break;
      const length = long === 8 ? Number(all.readBigUInt64BE(from + 2)) : long === 2 ? all.readUInt16BE(from + 2) : short, start = wanted;
      wanted += length;
      if (rest < wanted) break;
      give({ isLast: (all[from] & 0x80) !== 0, kind: all[from] & 15, content: all.subarray(from + start, from + wanted) });
      from += wanted;
    }
    all = all.subarray(from);
    parts = all.length ? [all] : [];
    had = all.length;
  };
}
