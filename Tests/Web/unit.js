// The tests that need no browser: `node Tests/Web/unit.js`.
import "./unit/terminal.js";
import "./unit/motion.js";
import "./unit/connection.js";
import "./unit/app.js";
import { runAll } from "./support/runner.js";

process.exitCode = await runAll() ? 1 : 0;
