// What is for admins: tokens of people, the audit log, and a look behind redactions.
import { equal, ok } from "../support/runner.js";
import { terminal, tools } from "../support/pages.js";

export function admins(stage) {
  const { story, go, openPod } = tools(stage);
  const fill = (page, label, value) => page.value((label, value) => {
    const field = [...document.querySelectorAll(".field")].find(field => field.firstChild.textContent === label).lastChild;
    field.value = value;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }, label, value);
  const row = name => `[...document.querySelectorAll('.token')].find(token => token.querySelector('strong').textContent === '${name}')`;

  story("a token is made and shown once, signs its person in with its role, and is over once it is revoked", async page => {
    await page.click(".place[href='/people']");
    await page.until("document.querySelector('.new-token') && document.querySelector('.token')", "the tokens");
    await page.value("document.querySelector('.field input').focus()");
    await page.type("vera");
    await fill(page, "Role", "viewer");
    await fill(page, "Good", "3600");
    await fill(page, "Pods", "counter, st*");
    await page.key("Enter");
    const token = await page.until("document.querySelector('.issued input')?.value", "the token");
    ok(/^sbt_\w+_[0-9a-f]{64}$/.test(token), `that is no token: ${token.slice(0, 8)}…`);
    ok(await page.value("document.activeElement === document.querySelector('.issued input')"), "the token has not the focus");
    await page.until(row("vera"), "its line in the list");
    const words = await page.value(`${row("vera")}.textContent`);
    ok(/viewer/.test(words) && /only counter, st\*/.test(words) && /good for another (59 min|1 h)/.test(words), words);
    // Shown once: neither the page after a reload nor its address, storage and list have it.
    const secret = token.slice(-64);
    ok(!(await page.value("location.href + JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.cookie")).includes(secret), "the token was kept");
    await go(page, "/people");
    await page.until(row("vera"), "the list");
    ok(!(await page.value("document.documentElement.outerHTML + [...document.querySelectorAll('input')].map(input => input.value).join()")).includes(secret), "the token is shown again");

    const other = await stage.browser.page();
    try {
      await other.open(stage.stack.address + "/sign-in");
      await other.until("document.querySelector('#token')");
      await other.value(token => { document.querySelector("#token").value = token; }, token);
      await other.value("document.querySelector('#token').focus()");
      await other.key("Enter");
      await other.until("document.querySelectorAll('.tile').length > 0", "vera's fleet");
      equal(await other.value("[...new Set([...document.querySelectorAll('.tile-name')].map(name => name.textContent))].sort()"), ["counter", "still"], "pods that she may not see");
      equal(await other.value("document.querySelectorAll('.place[href=\"/people\"], .place[href=\"/audit\"]').length"), 0, "places for admins");
      for (const path of ["/people", "/audit"]) {
        await other.open(stage.stack.address + path);
        await other.until("document.querySelector('.empty h2')?.textContent === 'For admins'", "a word about admins");
      }
      equal(await other.value("fetch('/v1/audit').then(answer => answer.status)"), 403, "the server lets her in");
      await openPod(other, stage.pods.still);
      await other.until("document.querySelector('.holder.off')?.textContent.includes('You look only')", "that she only looks");
      equal(await other.value("document.querySelectorAll('[aria-label=\"Show secrets of the past\"]').length"), 0, "a look behind redactions");

      // Two steps, by the keyboard; the second says what it does.
      await page.value(`${row("vera")}.querySelector("[aria-label='Revoke the token of vera']").focus()`);
      await page.key("Enter");
      await page.until("document.activeElement.textContent === 'Revoke it' && document.querySelector('.token-end.confirm').textContent.includes('What vera has open closes at once')", "a second question");
      await page.key("Enter");
      await page.until(`!(${row("vera")})`, "its end");
      await other.until("document.querySelector('.sign-in') || document.querySelector('.banner:not([hidden])')", "the end of what vera has open");
      equal((await fetch(`${stage.stack.address}/v1/pods`, { headers: { Authorization: `Bearer ${token}` } })).status, 401);
      await page.click(".head-tools .check input");
      await page.until(`(${row("vera")})?.textContent.includes('revoked')`, "that it was revoked, and by whom");
    } finally { await other.close(); }

    // Who did all this stands in the log, and what she was refused.
    await page.click(".place[href='/audit']");
    await page.until("[...document.querySelectorAll('.entry')].some(entry => entry.textContent.includes('revoke credential'))", "the revocation");
    ok(!(await page.value("document.body.textContent")).includes(secret), "the token stands in the log");
    await page.value("document.querySelector('.search-form input').focus()");
    await page.type("vera");
    await page.until("document.querySelectorAll('.entry').length > 0 && [...document.querySelectorAll('.entry strong')].every(who => who.textContent === 'vera')", "what vera did");
    await page.value("(() => { const select = document.querySelector('.search-form select'); select.value = 'denied'; select.dispatchEvent(new Event('change')); })()");
    await page.until("[...document.querySelectorAll('.entry')].some(entry => entry.textContent.includes('list audit')) && [...document.querySelectorAll('.outcome')].every(outcome => outcome.classList.contains('is-denied'))", "what she was refused");
    equal(await page.value("location.search"), "?actor=person%3Avera&outcome=denied");
    await page.click(".head-tools button");
    await page.until("document.querySelector('.verified.is-good')?.textContent.includes('as it was written')", "the verdict");
    const { entries, head } = await stage.stack.ask("/v1/audit/verify");
    ok(Number((await page.value("document.querySelector('.verified code').textContent")).split(":")[0]) <= entries && head.length === 64, "the head");
  }, { allows: /401|403/ });

  story("a token that cannot be made says why, and nothing is lost", async page => {
    await go(page, "/people");
    await page.until("document.querySelector('.field input')");
    await page.value("document.querySelector('.field input').focus()");
    await page.type("a b");
    await page.key("Enter");
    await page.until("document.querySelector('.form-end .message').textContent.length > 5", "a reason");
    equal(await page.value("document.querySelector('.field input').value"), "a b");
    equal(await page.value("document.querySelector('.issued').hidden"), true);
  }, { allows: /400/ });

  story("secrets of the past are hidden until an admin looks behind, which the audit log says", async page => {
    const { stack, pods, secret } = stage, looks = async () => (await stack.ask("/v1/audit?action=revealTerminal")).records.filter(record => record.entry.target === pods.leaky).length;
    const hit = await stack.until(async () => (await stack.ask(`/v1/search?q=more&pod=${pods.leaky}`)).hits[0], "its output in the record", 60_000), before = await looks();
    // A moment that another follows: such screens are kept by the page.
    const then = new Date(Date.parse(hit.from) - 1000).toISOString();
    await openPod(page, pods.leaky, `?t=${encodeURIComponent(then)}`);
    await page.until(`${terminal}.text().includes('token:') && !${terminal}.text().includes('more') && document.querySelector('.pod-screen.past')`, "the past");
    await page.until(`${terminal}.text().includes('••••')`, "the secret hidden");
    ok(!(await page.value(`${terminal}.text()`)).includes(secret), "the secret is shown");
    equal(await looks(), before, "looking at what is hidden is no look behind");
    await page.click("[aria-label='Show secrets of the past']");
    await page.until(`${terminal}.text().includes(${JSON.stringify(secret)})`, "the secret");
    await page.until("document.querySelector('.banner.revealing')?.textContent.includes('Secrets are shown')", "a word about it");
    ok(await page.value("document.querySelector('.pod-screen.past') != null"), "the moment was left");
    await stack.until(async () => await looks() === before + 1, "an entry in the audit log", 30_000);
    ok(!(await page.value("location.href")).includes("reveal"), "a link would show secrets");
    // Hover cards follow, and are one look behind, however many.
    const cards = () => page.value(async () => {
      const line = document.querySelector(".timeline").timeline, texts = [];
      for (const share of [0.3, 0.35, 0.4]) texts.push((await line.options.preview(line.data.first + (line.data.last - line.data.first) * share))?.lines.map(row => row.map(run => run[0]).join("")).join("\n") ?? null);
      return texts;
    });
    const shown = await cards();
    ok(shown.every(text => text?.includes(secret)), `hover cards hide it: ${JSON.stringify(shown)}`);
    await stack.until(async () => await looks() === before + 2, "one entry for all cards", 60_000);
    await page.value(secret => {
      const view = document.querySelector(".terminal").terminal, show = view.show.bind(view);
      window.leaks = 0;
      view.show = screen => { if (screen.lines.some(line => line.map(run => run[0]).join("").includes(secret))) window.leaks++; show(screen); };
    }, secret);
    await page.click("[aria-label='Hide secrets again']");
    await page.until(`!${terminal}.text().includes(${JSON.stringify(secret)}) && ${terminal}.text().includes('••••')`, "the secret hidden again");
    ok((await cards()).every(text => text?.includes("••••") && !text.includes(secret)), "hover cards still show it");
    // Neither by a screen that was kept nor by the present, with which a new socket begins.
    equal(await page.value("window.leaks"), 0, "the secret was shown once more");
  });

  story("a search finds and shows secrets only when an admin asks for them, which the audit log says", async page => {
    const { stack, pods, secret } = stage, looks = async () => (await stack.ask("/v1/audit?action=search")).records.filter(record => record.entry.detail === "reveal").length;
    await stack.until(async () => (await stack.ask(`/v1/search?q=token&pod=${pods.leaky}`)).hits.length > 0, "its output in the record", 60_000);
    const before = await looks();
    await go(page, `/search?q=${encodeURIComponent(secret)}`);
    await page.until("document.querySelector('.search-results h2')?.textContent === 'Never on a screen'", "that nothing is found");
    equal(await looks(), before, "a search that hides is no look behind");
    await page.click(".search-form .check:last-child input");
    await page.until(`[...document.querySelectorAll('.hit-line')].some(line => line.textContent.includes(${JSON.stringify(secret)}))`, "the line with the secret");
    await page.until("document.querySelector('.search-summary').textContent.includes('Secrets are shown')", "a word about it");
    ok(!(await page.value("location.href")).includes("reveal"), "a link would show secrets");
    await stack.until(async () => await looks() > before, "an entry in the audit log", 30_000);
    // The picture shows what the line says.
    await page.until("document.querySelector('.hit-picture canvas').painter != null", "the picture");
    ok((await page.value("document.querySelector('.hit-picture canvas').painter.shown.map(row => row.runs.map(run => run[0]).join('')).join('\\n')")).includes(secret), "the picture hides it");
    await page.click(".search-form .check:last-child input");
    await page.until("document.querySelector('.search-results h2')?.textContent === 'Never on a screen'", "that it is hidden again");
  });
}
