// Programs for screenshots: they paint what agents at work paint, so that pictures of the app need no real agent and no network.
// `node scene.js NAME [seconds]`
const [, , name, tempo = "1"] = process.argv;
const out = text => process.stdout.write(text);
const sleep = seconds => new Promise(resolve => setTimeout(resolve, seconds * 1000 * Number(tempo)));
/** What somebody presses next. */
const pressed = () => new Promise(resolve => { process.stdin.setRawMode?.(true); process.stdin.resume(); process.stdin.once("data", data => resolve(data.toString())); });
const forever = () => new Promise(() => setInterval(() => {}, 1 << 30));
const dim = text => `\x1b[2m${text}\x1b[22m`, bold = text => `\x1b[1m${text}\x1b[22m`, colour = (n, text) => `\x1b[38;5;${n}m${text}\x1b[39m`;
const title = text => out(`\x1b]0;${text}\x07`);
const head = place => out(`\x1b[2J\x1b[H${colour(173, "╭──────────────────────────────────────────────────────────╮")}\r\n${colour(173, "│")} ${bold("✻ Welcome back!")}${" ".repeat(42)}${colour(173, "│")}\r\n${colour(173, "│")} ${dim(place.padEnd(56))} ${colour(173, "│")}\r\n${colour(173, "╰──────────────────────────────────────────────────────────╯")}\r\n\r\n`);
const said = text => out(`${bold("●")} ${text}\r\n\r\n`);
const tool = (call, ...lines) => out(`${colour(114, "●")} ${bold(call)}\r\n${lines.map((line, index) => `${index ? "    " : `  ${dim("⎿")} `}${line}\r\n`).join("")}\r\n`);
const composer = (hint = "") => out(`${dim("─".repeat(80))}\r\n❯ ${dim(hint)}\r\n${dim("─".repeat(80))}\r\n${dim("  ? for shortcuts")}\x1b[3A\x1b[3G`);

/** A turn under way: a verb, a star that turns, seconds. */
async function spin(verb, seconds) {
  const stars = "·✢✳∗✻✽", braille = "⠂⠐";
  out("\x1b7");
  for (let i = 0; seconds === Infinity || i < seconds * 5; i++) {
    if (i % 5 === 0) title(`${braille[i / 5 % 2]} ${verb}`);
    out(`\x1b8\x1b[J${colour(173, `${stars[i % 6]} ${verb}…`)} ${dim(`(${Math.floor(i / 5) + 3}s · ↓ ${(i * 13 / 100 + 0.4).toFixed(1)}k tokens · esc to interrupt)`)}\r\n\r\n${dim("─".repeat(80))}\r\n❯ \r\n${dim("─".repeat(80))}\r\n${dim("  esc to interrupt")}`);
    await sleep(0.2);
  }
  out("\x1b8\x1b[J");
}

function ask(question, about, options) {
  title("✳ Claude Code");
  out(`${colour(111, "─".repeat(80))}\r\n ${colour(111, bold(about))}\r\n\r\n   ${question.replaceAll("\n", "\r\n   ")}\r\n\r\n Do you want to proceed?\r\n`);
  options.forEach((option, index) => out(`${index === 0 ? colour(111, ` ❯ ${index + 1}. ${option}`) : `   ${index + 1}. ${option}`}\r\n`));
  out(`\r\n${dim(" Esc to cancel · Tab to amend")}`);
}

const scenes = {
  async builder() {
    head("~/harbour · main");
    out(`❯ ${bold("build the release and push it when the tests are green")}\r\n\r\n`);
    said("I'll build first, then wait for the tests.");
    await spin("Building", 4);
    tool("Bash(make release)", "Compiling 214 modules", colour(114, "Build complete") + " (38.2 s)", "dist/harbour-2.4.0.tar.gz  11.8 MB");
    await spin("Reading", 2);
    said("The build is done and 412 tests passed. Pushing the tag now.");
    ask("git push origin v2.4.0\n" + dim("Push the release tag"), "Bash command", ["Yes", "Yes, and don't ask again for git push commands", "No, and tell Claude what to do differently (esc)"]);
    const key = await pressed();
    out("\x1b[9A\x1b[G\x1b[J");
    if (key.startsWith("\x1b") || key.startsWith("3")) out(`${dim("  ⎿")}  Interrupted · What should Claude do instead?\r\n\r\n`);
    else tool("Bash(git push origin v2.4.0)", "To harbour.example:harbour.git", colour(114, " * [new tag]") + "  v2.4.0 -> v2.4.0");
    await spin("Wrapping up", 2);
    said("Done: v2.4.0 is built and pushed.");
    title("✳ Claude Code");
    composer();
    await forever();
  },
  async reviewer() {
    head("~/harbour · review/rate-limit");
    out(`❯ ${bold("review the rate limiter before it is merged")}\r\n\r\n`);
    tool("Read(Sources/Limits/TokenBucket.swift)", "Read 142 lines");
    tool("Update(Sources/Limits/TokenBucket.swift)", "Added 3 lines, removed 1 line", `${dim("41")}     let now = clock.now`, `\x1b[48;5;52m${dim("42")} -   tokens += rate * elapsed\x1b[49m`, `\x1b[48;5;22m${dim("42")} +   tokens = min(capacity, tokens + rate * elapsed)\x1b[49m`, `\x1b[48;5;22m${dim("43")} +   last = now\x1b[49m`);
    await spin("Checking the edge cases", Infinity);
  },
  async tests() {
    const suites = ["Parser", "Router", "TokenBucket", "Sessions", "Storage", "Webhooks", "Retries", "Clock", "Migrations", "Export"];
    for (let round = 1; ; round++) {
      out(`\x1b[2J\x1b[H${bold("harbour tests")} ${dim("round " + round)}\r\n\r\n`);
      for (let i = 0; i < suites.length; i++) {
        const done = 12 + (i * 7) % 40;
        for (let n = 0; n <= done; n += 4) {
          const width = Math.round(n / done * 30);
          out(`\r${suites[i].padEnd(14)} ${colour(114, "█".repeat(width))}${dim("░".repeat(30 - width))} ${String(Math.min(n, done)).padStart(3)}/${done}`);
          await sleep(0.09);
        }
        out(`\r${suites[i].padEnd(14)} ${colour(114, "█".repeat(30))} ${done}/${done} ${colour(114, "✔")} ${dim((0.2 + i * 0.13).toFixed(2) + " s")}\x1b[K\r\n`);
      }
      out(`\r\n${colour(114, bold("412 passed"))}, 0 failed\r\n`);
      await sleep(3);
    }
  },
  async planner() {
    head("~/harbour · main");
    out(`❯ ${bold("what is left before 2.4?")}\r\n\r\n`);
    await spin("Thinking", 3);
    said("Three things are left before 2.4:\r\n\r\n  1. the rate limiter's review (with reviewer)\r\n  2. the migration of session keys\r\n  3. release notes, once builder has pushed the tag");
    title("✳ Claude Code");
    composer();
    await forever();
  },
  async migrator() {
    head("~/harbour · sessions");
    out(`❯ ${bold("migrate the session keys without signing anybody out")}\r\n\r\n`);
    tool("Bash(./scripts/migrate --dry-run)", "18 402 keys to move", colour(179, "31 keys have no owner"));
    await spin("Thinking", 2);
    title("✳ Claude Code");
    out(`${colour(111, "─".repeat(80))}\r\n ${colour(111, "☐ Keys without owner")}\r\n\r\n 31 keys have no owner. What should happen to them?\r\n\r\n${colour(111, " ❯ 1. Keep them for 30 days")}\r\n   2. Delete them now\r\n   3. Type something.\r\n${dim("─".repeat(80))}\r\n   4. Chat about this\r\n\r\n${dim("Enter to select · ↑/↓ to navigate · Esc to cancel")}`);
    await forever();
  },
  async monitor() {
    for (let step = 0; ; step++) {
      const bar = (share, n) => colour(share > 0.8 ? 203 : share > 0.6 ? 179 : 114, "▇".repeat(Math.round(share * n))) + dim("·".repeat(n - Math.round(share * n)));
      const wave = Array.from({ length: 46 }, (_, i) => "▁▂▃▄▅▆▇█"[Math.floor(3.5 + 3.4 * Math.sin((i + step) / 4) * Math.cos((i + step) / 11))]).join("");
      const box = (label, inner) => `┌─ ${bold(label)} ${"─".repeat(inner - label.length - 3)}┐`, end = inner => `└${"─".repeat(inner)}┘`;
      const hosts = ["fra-1", "fra-2", "lon-1"].map((host, i) => ` ${host}  ${bar(0.35 + 0.3 * Math.abs(Math.sin(step / 9 + i)), 14)} `);
      const left = [` ${wave.slice(0, 46)} `, ` ${dim("p50")} 12 ms   ${dim("p99")} ${40 + step % 9} ms   ${dim("errors")} 0.02 %`.padEnd(48 + 3 * 9), " ".repeat(48)];
      out(`\x1b[?25l\x1b[H${box("requests", 48)} ${box("hosts", 23)}\r\n`);
      left.forEach((text, i) => out(`│${text}\x1b[50G│ │${hosts[i]}\x1b[76G│\r\n`));
      out(`${end(48)} ${end(23)}\r\n\r\n${box("queues", 74)}\r\n`);
      ["ingest", "index", "thumbnails", "webhooks", "mail"].forEach((queue, i) => out(`│ ${queue.padEnd(12)} ${bar(0.2 + 0.7 * Math.abs(Math.sin(step / 13 + i * 1.7)), 42)} ${String(Math.round(900 * Math.abs(Math.sin(step / 13 + i * 1.7)))).padStart(6)} waiting\x1b[76G│\r\n`));
      out(`${end(74)}\r\n\r\n${dim("q quits   r resets   h hosts   ? help")}`);
      await sleep(0.5);
    }
  },
  async deploy() {
    out(`${bold("deploy")} harbour 2.3.9 → fra-1, fra-2, lon-1\r\n\r\n`);
    for (const host of ["fra-1", "fra-2"]) { await sleep(0.6); out(`  ${colour(114, "✔")} ${host}  ${dim("healthy after 4 s")}\r\n`); }
    await sleep(1);
    out(`  ${colour(203, "✘")} lon-1  ${colour(203, "connection refused: 10.4.0.7:22")}\r\n\r\n${colour(203, bold("deploy failed"))}, rolled back to 2.3.8\r\n`);
    await sleep(0.3);
    process.exit(1);
  },
};

/** With SCENE_WAITS=pod this pod waits for another until that is idle, as an agent would: with its own credential. */
async function waitForOther() {
  const { SCENE_WAITS: other, SWITCHBACK_URL: address, SWITCHBACK_TOKEN: token } = process.env;
  if (!other || !address || !token) return;
  for (let attempt = 0; attempt < 40; attempt++) {
    const response = await fetch(`${address}/v1/waits`, { method: "POST", headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" }, body: JSON.stringify({ pods: [other], until: "idle", timeout_ms: 3_600_000 }) }).catch(() => null);
    if (response?.ok) return;
    await new Promise(resolve => setTimeout(resolve, 500));
  }
}

/** With SCENE_SAYS=text this pod says something in the channel "release" as soon as it is a member: with its own credential. */
async function speak() {
  const { SCENE_SAYS: text, SWITCHBACK_URL: address, SWITCHBACK_TOKEN: token } = process.env;
  if (!text || !address || !token) return;
  for (let attempt = 0; attempt < 40; attempt++) {
    const response = await fetch(`${address}/v1/channels/release/messages`, { method: "POST", headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" }, body: JSON.stringify({ text, asks: text.endsWith("?") }) }).catch(() => null);
    if (response?.ok) return;
    await new Promise(resolve => setTimeout(resolve, 500));
  }
}

waitForOther();
speak();
await (scenes[name] ?? (() => { console.error(`scenes: ${Object.keys(scenes).join(", ")}`); process.exit(2); }))();
