// A local stack of its own for tests, screenshots and measures.
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../../..");

export class Stack {
  /** `SWITCHBACK_BIN` names the folder of the programs; else `.build/debug`. */
  static async start() {
    const stack = new Stack();
    stack.bin = process.env.SWITCHBACK_BIN ?? join(root, ".build/debug");
    stack.home = mkdtempSync(join(tmpdir(), "switchback-web-"));
    stack.environment = { ...process.env, SWITCHBACK_HOME: stack.home, SWITCHBACK_WEB: process.env.SWITCHBACK_WEB ?? join(root, "Web"), NO_COLOR: "1" };
    delete stack.environment.SWITCHBACK_POD;
    // Whoever breaks a run off leaves no servers behind.
    for (const [signal, number] of [["SIGINT", 2], ["SIGTERM", 15], ["SIGHUP", 1]]) {
      process.once(signal, () => {
        spawnSync(join(stack.bin, "switchback"), ["down"], { env: stack.environment, stdio: "ignore" });
        rmSync(stack.home, { recursive: true, force: true });
        process.exit(128 + number);
      });
    }
    const up = JSON.parse(await stack.command("up", "--json"));
    stack.link = up.link;
    stack.address = up.address;
    stack.token = new URL(up.link).searchParams.get("token");
    return stack;
  }

  async command(...words) {
    const { stdout } = await run(join(this.bin, "switchback"), words, { env: this.environment, maxBuffer: 64 << 20, cwd: root });
    return stdout;
  }

  /** Starts a pod; its id. */
  async run(name, command, options = []) {
    const out = JSON.parse(await this.command("run", "--json", "--name", name, ...options, "--", ...command));
    return out.pod;
  }

  async ask(path, { method = "GET", body } = {}) {
    const response = await fetch(this.address + path, { method, headers: { Authorization: `Bearer ${this.token}`, ...(body ? { "Content-Type": "application/json" } : {}) }, body: body ? JSON.stringify(body) : undefined });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    try { return JSON.parse(text); } catch { return text; }
  }

  /** The screen as `switchback screen --at` prints it, without the blank rows at its end. */
  async screenAt(pod, time) { return trimmed(await this.command("screen", pod, ...(time ? ["--at", time] : []))); }

  /** What the supervisor says of servers that ended by a signal. */
  crashes() { return readFileSync(join(this.home, "logs/supervisor.log"), "utf8").split("\n").filter(line => / ended: signal /.test(line)); }

  async until(check, about, limit = 20_000) {
    const end = Date.now() + limit;
    for (;;) {
      const value = await check().catch(() => null);
      if (value) return value;
      if (Date.now() > end) throw new Error(`waited in vain for ${about}`);
      await new Promise(resolve => setTimeout(resolve, 50));
    }
  }

  async stop() {
    await this.command("down").catch(error => console.error(`the stack did not stop: ${error.message}`));
    rmSync(this.home, { recursive: true, force: true });
  }
}

export const trimmed = text => text.split("\n").map(line => line.trimEnd()).join("\n").replace(/\n+$/, "");
