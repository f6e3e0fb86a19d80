// What a canvas shows, by pixels, on fonts that every Debian has with Chromium.
import { test, ok } from "../support/runner.js";

export function pixels(stage) {
  test("by pixels: lines join, blocks fill, colours are exact, wide characters end where two cells end", async () => {
    const page = await stage.browser.page({ width: 400, height: 200 });
    try {
      await page.open(stage.stack.address + "/sign-in");
      await page.until("document.querySelector('.sign-in')");
      const findings = await page.value(async () => {
        const { Painter, cellMetrics } = await import("/web/terminal/paint.js"), { emptyScreen } = await import("/web/terminal/state.js");
        const findings = [];
        for (const [size, ratio] of [[13, 1], [16, 1], [11, 2], [15, 1.5]]) {
          const canvas = document.createElement("canvas"), painter = new Painter(canvas), metrics = cellMetrics(size, ratio, '"DejaVu Sans Mono", "Liberation Mono", monospace');
          const lines = [[["┌──┐", 4], ["█▄", 2, "#00ff00"]], [["│", 1], ["ab", 2], ["│", 1], ["x", 1, null, "#123456"]], [["└──┘", 4], ["日", 2, null, "#405060"], ["y", 1]]];
          const screen = { ...emptyScreen(), columns: 8, rows: 3, lines };
          painter.fit(screen, metrics);
          painter.paint(screen);
          const { width: w, height: h, thin } = metrics, context = canvas.getContext("2d");
          const at = (x, y) => [...context.getImageData(Math.floor(x), Math.floor(y), 1, 1).data].slice(0, 3).join();
          const where = `${size} px at ${ratio}`;
          const middleX = Math.floor((w - thin) / 2), middleY = Math.floor((h - thin) / 2), line = "215,219,226";
          for (let x = middleX; x < 3 * w + middleX; x++) if (at(x, middleY) !== line) findings.push(`${where}: the upper line has a gap at ${x}: ${at(x, middleY)}`);
          for (let y = middleY; y < 2 * h + middleY; y++) if (at(middleX, y) !== line) findings.push(`${where}: the left line has a gap at ${y}: ${at(middleX, y)}`);
          for (const [x, y] of [[4 * w, 0], [5 * w - 1, h - 1], [5 * w, h - 1], [6 * w - 1, h - 1]]) if (at(x, y) !== "0,255,0") findings.push(`${where}: the block does not fill (${x}, ${y}): ${at(x, y)}`);
          if (at(5 * w, 1) === "0,255,0") findings.push(`${where}: a half block fills more than a half`);
          if (at(4 * w, h) !== "18,52,86" || at(5 * w - 1, 2 * h - 1) !== "18,52,86") findings.push(`${where}: a ground is not exact: ${at(4 * w, h)}`);
          if (at(5 * w, h) !== "11,14,19") findings.push(`${where}: a ground is wider than its cell`);
          if (at(6 * w - 1, 2 * h) !== "64,80,96" || at(6 * w, 2 * h) !== "11,14,19") findings.push(`${where}: a wide character's ground does not end after two cells`);
          const letter = [...context.getImageData(6 * w, 2 * h, w, h).data].some((value, index) => index % 4 === 0 && value > 150);
          if (!letter) findings.push(`${where}: the letter after a wide character is not in its cell`);
          // Painting the same again paints nothing; another row paints that row only.
          if (painter.paint(screen) !== 0) findings.push("the same screen was painted again");
          if (painter.paint({ ...screen, lines: [lines[0], [["z", 1]], lines[2].slice()] }) !== 1) findings.push("more was painted than had changed");
        }
        return findings;
      });
      ok(findings.length === 0, findings.slice(0, 5).join("\n"));
    } finally { await page.close(); }
  });
}
