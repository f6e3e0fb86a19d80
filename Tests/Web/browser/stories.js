// Every screen in a real browser against a real stack.
import { test, equal, ok, Skip } from "../support/runner.js";
import { terminal, tools } from "../support/pages.js";
import { trimmed } from "../support/stack.js";

/** `stage`: `{ stack, browser }`. */
export function stories(stage) {
  const { story, go, text, openPod } = tools(stage);

  test("the one-time link signs in and leaves no token in the address; a wrong one is told so", async () => {
    const page = await stage.browser.page();
    await page.open(stage.stack.address + "/?token=not-a-token-of-anybody");
    await page.until("document.querySelector('.sign-in .message')?.textContent.includes('not known')", "a word about the link");
    await page.value(token => { document.querySelector("#token").value = token; }, stage.stack.token);
    await page.key("Enter");
    await page.until("document.querySelector('.fleet')", "the fleet");
    await page.open(stage.stack.link);
    await page.until("document.querySelector('.fleet')", "the fleet");
    equal(await page.value("location.pathname + location.search"), "/");
    equal(await page.value("document.cookie"), "", "the cookie is the server's alone");
    await page.close();
  });

  story("the fleet shows every pod's real screen, filters, opens by keyboard, and shows a new pod by itself", async page => {
    await page.until("document.querySelectorAll('.tile').length >= 3", "three pods");
    await page.until("[...document.querySelectorAll('.tile')].filter(tile => tile.tile.screen?.rows > 0).length >= 3", "three pictures");
    const [shown, real] = [await page.until(`(() => { const tile = [...document.querySelectorAll('.tile')].find(tile => tile.tile.pod.name === 'still'); return tile?.tile.screen?.lines.map(line => line.map(run => run[0]).join('')).join('\\n'); })()`), await stage.stack.screenAt(stage.pods.still)];
    equal(trimmed(shown), real);
    ok(await page.value("[...document.querySelectorAll('.tile-canvas')].some(canvas => { const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data; for (let i = 0; i < data.length; i += 4) if (data[i] > 120) return true; })"), "nothing is painted");
    await page.key("f");
    await page.type("still");
    await page.until("document.querySelectorAll('.tile').length === 1", "one pod");
    equal(await page.value("new URL(location.href).searchParams.get('q')"), "still");
    await page.key("Escape");
    await page.until("document.querySelectorAll('.tile').length >= 3", "all pods again");
    const fresh = await stage.stack.run("fresh", ["sh", "-c", "echo here I am; exec sleep 1000"]);
    await page.until("[...document.querySelectorAll('.tile-name')].some(name => name.textContent === 'fresh')", "the new pod");
    await stage.stack.command("stop", fresh);
    await page.until("[...document.querySelectorAll('.fleet-group')].find(group => group.dataset.key === 'ended')?.textContent.includes('fresh')", "its end");
    await page.type("counter");
    await page.until("document.querySelectorAll('.tile').length === 1");
    await page.key("ArrowDown");
    await page.key("Enter");
    await page.until("location.pathname.startsWith('/pods/')", "the pod's page");
  });

  story("what is typed comes back on the screen, pasted text is marked as pasted, and who types is shown", async page => {
    await openPod(page, stage.pods.shell);
    await page.until(`${terminal}.text().includes('$')`, "a prompt");
    await page.key("x");
    await page.key("Enter");
    await page.until("document.querySelector('.holder.you')", "the sign that one types");
    await page.type("echo round-$((40+2))-trip");
    await page.key("Enter");
    await page.until(`${terminal}.text().includes('round-42-trip')`, "the answer");
    ok(!(await text(page)).includes("xecho"), "a key typed before Enter went to the pod");
    // Keys that come before the shell has let go of the terminal would be read apart.
    await page.type("echo rea''dy; cat -v");
    await page.key("Enter");
    await page.until(`${terminal}.text().includes('ready')`, "cat");
    await page.key("ArrowUp");
    await page.key("c", { alt: true });
    await page.key("Enter");
    await page.until(`${terminal}.text().includes('^[[A^[c')`, "keys as the terminal sends them");
    await page.setClipboard("pasted text");
    await page.paste();
    await page.until(`${terminal}.text().includes('pasted text')`, "the paste");
    await page.insert("日本");
    await page.until(`${terminal}.text().includes('日本')`, "what an input method wrote");
    await page.key("c", { ctrl: true });
    await page.key("ArrowUp", { ctrl: true, shift: true });
    await page.until("document.querySelector('.holder:not(.you)')", "the keyboard's release");
    equal(await page.value("document.activeElement.className.includes('terminal')"), true, "focus stays at the terminal");
  });

  story("two viewers: the second is told who writes, and takes over", async page => {
    await openPod(page, stage.pods.shell);
    await page.key("Enter");
    await page.type("# first");
    await page.until(`${terminal}.text().includes('# first')`);
    const other = await stage.browser.page();
    await other.open(stage.stack.link);
    await openPod(other, stage.pods.shell);
    await other.key("Enter");
    await other.type("z");
    await other.until("document.querySelector('.holder.other')", "the other writer's name");
    await other.click(".holder");
    await other.until("document.querySelector('.holder.you')", "the take-over");
    await other.type(" second");
    await other.until(`${terminal}.text().includes('# first second')`);
    await other.key("u", { ctrl: true });
    equal(other.complaints, []);
    await other.close();
  });

  story("a running pod is rewound and returned to live by keys, and the address names the moment", async page => {
    await openPod(page, stage.pods.counter);
    await page.until("document.querySelector('.transport') && document.querySelector('.live-button[aria-pressed=true]')");
    await stage.settled(8);
    const live = await text(page);
    await page.key("ArrowLeft");
    await page.until("document.querySelector('.pod-screen.past')", "the past");
    await page.until("new URL(location.href).searchParams.get('t')", "the moment in the address");
    await page.until(`${terminal}.text() !== ${JSON.stringify(live)}`);
    const then = await text(page);
    const at = await page.value("new URL(location.href).searchParams.get('t')");
    equal(then, await stage.stack.screenAt(stage.pods.counter, at));
    await page.key(",");
    await page.until(`${terminal}.text().trimEnd() !== ${JSON.stringify(then)}`, "a frame back");
    await page.key(" ");
    await page.until("document.querySelector('.live-button[aria-pressed=false]')");
    await page.key("End");
    await page.until("!document.querySelector('.pod-screen.past')", "the present");
    await page.until("!new URL(location.href).searchParams.get('t')", "an address without a moment");
    const before = await text(page);
    await page.until(`${terminal}.text().trimEnd() !== ${JSON.stringify(before)}`, "new output");
  });

  story("dragging the timeline shows exactly what the record says, both ways, and a link opens it", async page => {
    await openPod(page, stage.pods.counter);
    await stage.settled(10);
    await page.until("document.querySelector('.timeline-track').clientWidth > 200 && document.querySelector('.pod-screen')", "the timeline");
    await page.until("document.querySelector('.timeline-ends span').textContent !== ''", "its data");
    const track = await page.box(".timeline-track");
    let pressed = false;
    for (const part of [0.9, 0.6, 0.3, 0.35, 0.7, 0.5]) {
      const x = track.x + track.width * part, y = track.y + 30;
      if (!pressed) { await page.press(x, y); pressed = true; } else await page.move(x, y);
      if (part === 0.5) await page.release(x, y);
    }
    for (const part of [0.85, 0.2, 0.55]) {
      await page.press(track.x + track.width * part, track.y + 30);
      await page.release(track.x + track.width * part, track.y + 30);
      await page.value("new Promise(done => setTimeout(done, 260))");
      const at = await page.until("new URL(location.href).searchParams.get('t')", "the moment");
      const real = await stage.stack.screenAt(stage.pods.counter, at);
      await page.until(`${terminal}.text().split('\\n').map(line => line.trimEnd()).join('\\n').trimEnd() === ${JSON.stringify(real)}`, `the screen of ${at}, which is\n${real}`);
    }
    const address = await page.value("location.pathname + location.search"), shown = await text(page);
    const other = await stage.browser.page();
    await other.open(stage.stack.link);
    await other.open(stage.stack.address + address);
    await other.until("document.querySelector('.terminal')?.terminal.screen.seq != null");
    await other.until(`${terminal}.text().trimEnd() === ${JSON.stringify(shown)}`, "the linked moment");
    equal(await other.value("location.pathname + location.search"), address);
    await other.close();
  });

  story("playing runs on by itself, forwards and backwards", async page => {
    await openPod(page, stage.pods.counter);
    await stage.settled(10);
    await page.until("document.querySelector('.timeline-ends span').textContent !== ''");
    const number = () => page.value(`Number((${terminal}.text().match(/line (\\d+)\\s*$/) ?? [])[1] ?? -1)`);
    await page.key("5");
    await page.until("document.querySelector('.pod-screen.past')");
    await page.value("new Promise(done => setTimeout(done, 300))");
    const start = await number();
    ok(start > 0, "nothing is there");
    await page.key(" ");
    await page.until(`Number((${terminal}.text().match(/line (\\d+)\\s*$/) ?? [])[1]) > ${start + 2}`, "it to go on");
    await page.value("(() => { const select = document.querySelector('.transport select'); select.value = '-4'; select.dispatchEvent(new Event('change')); })()");
    await page.until(`Number((${terminal}.text().match(/line (\\d+)\\s*$/) ?? [0, 0])[1]) < ${start}`, "it to run back");
    await page.key(" ");
  });

  story("a search finds what was cleared, shows its screen, and one click is the replay there", async page => {
    await go(page, "/search");
    await page.until("document.activeElement.type === 'search'");
    await page.type("vanished-words");
    await page.until("document.querySelectorAll('.hit').length > 0", "a hit");
    await page.until("document.querySelector('.hit-picture canvas').painter != null", "its picture");
    await page.until("new URL(location.href).searchParams.get('q') === 'vanished-words'", "all of it in the address");
    await page.click(".hit");
    await page.until(`document.querySelector('.pod-screen') && ${terminal}.text().includes('vanished-words')`, "the replay");
    // The page names the moment in milliseconds; whoever is sent that address sees the same.
    const at = await page.until("(at => at?.length === '2026-11-21T14:03:07.123Z'.length && at)(new URL(location.href).searchParams.get('t'))", "the moment in the address");
    await go(page, `/pods/${stage.pods.gone}?t=${at}`);
    await page.until(`document.querySelector('.pod-screen') && ${terminal}.text().includes('vanished-words')`, "the replay at that address");
    // Behind its end nothing is recorded: the clock shows the nearest moment that is.
    await go(page, `/pods/${stage.pods.gone}?t=${new Date(Date.parse(at) + 3_600_000).toISOString()}`);
    await page.until(`document.querySelector('.pod-screen') && ${terminal}.text().includes('empty now')`, "its end");
    await page.until("/\\+0:00:\\d\\d$/.test(document.querySelector('.transport .clock').textContent)", "the time of its end on the clock");
  });

  story("the page reconnects after the API was restarted, says so meanwhile, and types again", async page => {
    await openPod(page, stage.pods.shell);
    await page.key("Enter");
    await page.type("true");
    await page.until("document.querySelector('.holder.you')");
    // Both say so, however briefly: the terminal, whose screen may be old, and the page, whose lists may be.
    await page.value(() => {
      window.said = {};
      for (const name of ["banner", "notice"]) {
        const element = document.querySelector(`.${name}`), look = () => { if (!element.hidden) window.said[name] = element.textContent; };
        new MutationObserver(look).observe(element, { attributes: true, childList: true, characterData: true, subtree: true });
      }
    });
    await stage.restartAPI();
    await page.until("window.said.banner?.includes('The connection broke') && window.said.notice?.includes('does not answer')", "both notices", 60_000);
    await page.until("!document.querySelector('.banner:not([hidden])') && !document.querySelector('.notice:not([hidden])')", "the connection", 60_000);
    await page.type(";echo again-$((1+1))");
    await page.key("Enter");
    await page.until(`${terminal}.text().includes('again-2')`, "typing after the restart");
  }, { allows: /Failed to load resource|ERR_|WebSocket|ws:|502|503/ });

  story("titles and text from terminals stay text, and a link opens only after its target was shown", async page => {
    await openPod(page, stage.pods.sly);
    await page.until(`${terminal}.text().includes('<img')`, "its text");
    await page.value("new Promise(done => setTimeout(done, 600))");
    equal(await page.value("document.querySelectorAll('img[src*=nowhere], .terminal script, .terminal b').length"), 0);
    equal(await page.value("window.wasRun === undefined"), true);
    const place = await page.value(() => {
      const view = document.querySelector(".terminal").terminal, row = view.screen.lines.findIndex(line => line.some(run => run[5]));
      const box = view.canvas.getBoundingClientRect();
      return { x: box.x + box.width / view.screen.columns * 1.5, y: box.y + box.height / view.screen.rows * (row + 0.5) };
    });
    await page.move(place.x, place.y);
    await page.press(place.x, place.y);
    await page.release(place.x, place.y);
    await page.until("document.querySelector('dialog.link-card')?.textContent.includes('https://example.com/real-target')", "the target");
    await page.key("Escape");
    await page.until("!document.querySelector('dialog')");
    // Code that somebody got into the page would not run.
    await page.value(() => { const script = document.createElement("script"); script.textContent = "window.wasRun = true"; document.body.append(script); script.remove(); });
    equal(await page.value("window.wasRun === undefined"), true, "inline code ran");
  }, { allows: /Content Security Policy|inline script/ });

  story("selecting copies exactly the text, and finding on the screen counts", async page => {
    await openPod(page, stage.pods.still);
    await page.until(`${terminal}.text().includes('alpha beta')`);
    // Until all of the page is there, it moves.
    await page.until("document.querySelector('.timeline-ends span').textContent !== ''");
    const at = (row, column) => page.value((row, column) => { const view = document.querySelector(".terminal").terminal, box = view.canvas.getBoundingClientRect(); return { x: box.x + box.width / view.screen.columns * (column + 0.1), y: box.y + box.height / view.screen.rows * (row + 0.5) }; }, row, column);
    const from = await at(0, 6), to = await at(1, 5);
    await page.press(from.x, from.y);
    await page.move(to.x, to.y);
    await page.release(to.x, to.y);
    for (const place of [".terminal", ".live-button"]) {
      await page.setClipboard("nothing");
      await page.value(`document.querySelector('${place}').focus()`);
      await page.copy();
      equal(await page.clipboard(), "beta\ngamma", `with the focus on ${place}`);
    }
    await page.value("document.querySelector('.terminal').focus()");
    await page.key("/");
    await page.type("a");
    await page.until("/^1 of \\d+$/.test(document.querySelector('.find span').textContent)", "the count");
  });

  story("a long press takes a word, the finger takes more, and a button copies it", async page => {
    await openPod(page, stage.pods.still);
    await page.until(`${terminal}.text().includes('alpha beta')`);
    const at = (row, column) => page.value((row, column) => { const view = document.querySelector(".terminal").terminal, box = view.canvas.getBoundingClientRect(); return { x: box.x + box.width / view.screen.columns * (column + 0.5), y: box.y + box.height / view.screen.rows * (row + 0.5) }; }, row, column);
    // Until all of the page is there, it moves.
    await page.until("document.querySelector('.timeline-ends span').textContent !== ''");
    await page.touch("start", await at(0, 7));
    await page.until(`JSON.stringify(${terminal}.selection) === '{"anchor":{"row":0,"column":6},"head":{"row":0,"column":10}}'`, "the word");
    await page.touch("move", await at(1, 4));
    await page.until(`${terminal}.selection.head.row === 1`, "more");
    await page.touch("end");
    await page.until("document.querySelector('.copy-selection:not([hidden])')", "the button");
    equal(await page.value("document.activeElement.classList.contains('terminal-keyboard')"), false, "the finger typed");
    const box = await page.box(".copy-selection");
    await page.touch("start", { x: box.x + 10, y: box.y + 10 });
    await page.touch("end");
    await page.until("document.querySelector('.copy-selection').hidden", "the copy");
    equal(await page.clipboard(), "beta\ngamma");
    // A finger that moves at once scrolls; a tap types.
    await page.touch("start", await at(0, 7));
    await page.touch("move", await at(3, 7));
    await page.value("new Promise(done => setTimeout(done, 700))");
    await page.touch("end");
    equal(await page.value(`${terminal}.selection`), null);
    await page.touch("start", await at(0, 7));
    await page.touch("end");
    await page.until("document.activeElement.classList.contains('terminal-keyboard')", "the keyboard");
  }, { width: 390, height: 800, ratio: 2, mobile: true });

  story("pods together move on one clock, each exactly as it was", async page => {
    await go(page, `/together?pods=${stage.pods.counter},${stage.pods.still}`);
    await page.until("document.querySelectorAll('.pane').length === 2 && [...document.querySelectorAll('.pane')].every(pane => pane.pane.screen?.rows)", "two screens");
    await page.until("document.querySelector('.timeline-ends span').textContent !== ''");
    await stage.settled(6);
    await page.value("document.querySelector('.timeline-track').focus()");
    await page.key("ArrowLeft");
    const at = await page.until("new URL(location.href).searchParams.get('t')", "the moment");
    for (const name of ["counter", "still"]) {
      const real = await stage.stack.screenAt(stage.pods[name], at);
      await page.until(`(() => { const pane = [...document.querySelectorAll('.pane')].find(pane => pane.pane.id === '${stage.pods[name]}'); return pane.pane.screen.lines.map(line => line.map(run => run[0]).join('').trimEnd()).join('\\n').trimEnd() === ${JSON.stringify(real)}; })()`, `${name} at ${at}:\n${real}`);
    }
    await page.key(" ");
    const before = await page.value("document.querySelector('.clock').textContent");
    await page.until(`document.querySelector('.clock').textContent !== ${JSON.stringify(before)}`, "the clock to run");
  });

  const offered = async path => { if ((await stage.stack.ask("/openapi.json")).paths[path] == null) throw new Skip(`the server has no ${path} yet`); };

  story("a request for access appears by itself, with its screen, and is accepted in place", async page => {
    await offered("/v1/attention");
    await go(page, "/attention");
    await page.until("document.querySelector('.attention')");
    const binding = await stage.stack.ask("/v1/bindings", { method: "POST", body: { from: stage.pods.still, to: stage.pods.counter, scopes: ["terminal:read"], note: "to watch" } });
    await page.until("[...document.querySelectorAll('.attention-card')].some(card => card.textContent.includes('still') && card.textContent.includes('counter'))", "the request");
    await page.until("document.querySelector('.attention-picture canvas').painter != null", "its screen");
    await page.until("!document.querySelector('.rail .count').hidden", "the count in the rail");
    await page.key("j");
    await page.until("document.activeElement.textContent === 'Accept'", "focus on the first answer");
    await page.key("Enter");
    await page.until("document.querySelectorAll('.attention-card').length === 0", "the end of it");
    equal((await stage.stack.ask(`/v1/bindings/${binding.id}`)).state, "active");
  });

  story("an agent's question for leave is answered in place, and the agent goes on", async page => {
    await offered("/v1/pods/{pod}/approve");
    const scene = new URL("../support/scene.js", import.meta.url).pathname;
    const pod = await stage.stack.run("asker", [process.execPath, scene, "builder", "0.1"], ["--agent", "claude"]);
    const status = await stage.stack.until(async () => { const { status } = await stage.stack.ask(`/v1/pods/${pod}`); return status?.status === "waiting" && status; }, "a status", 15_000).catch(() => { throw new Skip("no detector says what pods do"); });
    equal(status.reason, "approval");
    await page.until("[...document.querySelectorAll('.tile.is-waiting')].some(tile => tile.textContent.includes('asker'))", "the fleet to say that it waits");
    await go(page, "/attention");
    await page.until("[...document.querySelectorAll('.attention-card')].some(card => card.textContent.includes('asker'))", "the question");
    equal(await page.value("['.attention-summary', '.attention-about'].map(part => [...document.querySelectorAll('.attention-card')].find(card => card.textContent.includes('asker')).querySelector(part).textContent)"),
      ["Do you want to proceed?", "Bash command\ngit push origin v2.4.0\nPush the release tag"], "what it asks, and about what");
    await page.value("[...document.querySelectorAll('.attention-card')].find(card => card.textContent.includes('asker')).querySelector('.actions button').click()");
    await page.until("![...document.querySelectorAll('.attention-card')].some(card => card.textContent.includes('asker'))", "the question to go");
    await stage.stack.until(async () => (await stage.stack.screenAt(pod)).includes("v2.4.0 is built and pushed"), "the agent to go on");
    await stage.stack.command("stop", pod);
  });

  story("a question at the end of a tall screen is in its picture, and says what it is about", async page => {
    await offered("/v1/attention");
    const pod = await stage.stack.run("tall", ["bash", "-c", "seq 1 60; echo; echo 'rm -rf build'; printf 'Run it? (y/n) '; read -r answer"], ["--size", "80x70"]);
    try {
      await go(page, "/attention");
      const card = "[...document.querySelectorAll('.attention-card')].find(card => card.textContent.includes('tall'))";
      await page.until(`${card}?.querySelector('.attention-about').textContent === 'rm -rf build'`, "what it is about");
      equal(await page.value(`${card}.querySelector('.attention-summary').textContent`), "Run it? (y/n)");
      await page.until(`${card}.querySelector('canvas').painter != null && parseFloat(${card}.querySelector('canvas').style.top) < -50`, "the picture's end");
      const ends = await page.value(`(card => { const canvas = card.querySelector("canvas").getBoundingClientRect(), picture = card.querySelector(".attention-picture").getBoundingClientRect(); return { row: canvas.top + canvas.height * 63 / 70, top: picture.top, bottom: picture.bottom }; })(${card})`);
      ok(ends.row > ends.top && ends.row <= ends.bottom, `row 63 of 70 is in sight: ${JSON.stringify(ends)}`);
    } finally { await stage.stack.command("stop", pod); }
  });

  story("the topology shows a new binding without a reload, nodes stay where they are, and the past has it not", async page => {
    await offered("/v1/topology");
    if (!(await stage.stack.ask("/v1/bindings")).bindings.some(binding => binding.state === "active")) {
      const { id } = await stage.stack.ask("/v1/bindings", { method: "POST", body: { from: stage.pods.still, to: stage.pods.counter, scopes: ["terminal:read"] } });
      await stage.stack.ask(`/v1/bindings/${id}/accept`, { method: "POST", body: {} });
    }
    await go(page, "/topology");
    await page.until("document.querySelectorAll('.node').length >= 3", "nodes");
    const before = new Date().toISOString();
    await page.until("document.querySelector('.graph-lines .edge.binding')", "the binding of before");
    const places = () => page.value("Object.fromEntries([...document.querySelectorAll('.node')].map(node => [node.dataset.key, node.style.transform]))"), was = await places();
    const asked = await stage.stack.ask("/v1/bindings", { method: "POST", body: { from: stage.pods.sly, to: stage.pods.counter, scopes: ["terminal:read", "terminal:write"] } });
    await page.until("document.querySelector('.graph-lines .edge.binding.pending')", "the request as an edge");
    const now = await places();
    for (const name of ["counter", "still"]) equal(now[stage.pods[name]], was[stage.pods[name]], `${name} moved`);
    await stage.stack.ask(`/v1/bindings/${asked.id}/accept`, { method: "POST", body: { scopes: ["terminal:read"] } });
    await page.until("[...document.querySelectorAll('.graph-lines .edge.binding.pending text')].some(text => text.textContent === 'write?')", "what is left to be granted");
    await go(page, `/topology?t=${before}`);
    await page.until("document.querySelectorAll('.node').length >= 3 && document.querySelector('.topology.past')", "the past");
    equal(await page.value("document.querySelectorAll('.graph-lines .edge.binding.pending').length"), 0);
    await page.key("End");
    await page.until("document.querySelector('.graph-lines .edge.binding.pending')", "the present");
    await stage.stack.ask(`/v1/bindings/${asked.id}/revoke`, { method: "POST", body: {} });
    await page.until("!document.querySelector('.graph-lines .edge.binding.pending')", "its end");
  });

  story("a channel: made, joined, a message typed into a pod that rests and not into one at work, its receipts, its past, its ticks", async page => {
    const { stack, pods } = stage;
    await go(page, "/channels");
    await page.until("document.querySelector('.rooms-new input')", "the form");
    await page.value("document.querySelector('.rooms-new input').focus()");
    await page.type("ops");
    await page.key("Enter");
    await page.until("document.querySelector('.room h2')?.textContent === '# ops' && location.pathname === '/channels/ops'", "the new channel");
    for (const pod of [pods.shell, pods.counter]) {
      await page.until(`[...document.querySelectorAll('.room-tools option')].some(option => option.value === '${pod}')`, "the pod in the list");
      await page.value(pod => { const select = document.querySelector(".room-tools select"); select.value = pod; select.dispatchEvent(new Event("change")); }, pod);
      await page.until(`document.querySelector('.room-members a[href^="/pods/${pod}"]')`, "the new member");
    }
    await page.value("document.querySelector('.post textarea').focus()");
    await page.type("@shell @counter the <b>schema</b> is final");
    await page.key("Enter", { ctrl: true });
    await page.until("document.querySelector('.message-text')?.textContent === '@shell @counter the <b>schema</b> is final'", "the message as it was written");
    await page.until("[...document.querySelectorAll('.receipt')].some(receipt => receipt.textContent.startsWith('shell delivered'))", "the receipt of the pod that rests");
    ok(await page.value("[...document.querySelectorAll('.receipt')].some(receipt => receipt.textContent.startsWith('counter waits'))"), "one at work is not told");
    const { messages } = await stack.ask("/v1/channels/ops/messages");
    equal(messages.length, 1);
    await stack.until(async () => (await stack.screenAt(pods.shell)).replaceAll("\n", "").includes(`[#ops ${messages[0].id}, from`), "the words in the pod");
    ok(!(await stack.screenAt(pods.counter)).includes(messages[0].id), "typed into a pod at work");
    // The pod answers, as by its own credential a person does here; the page shows it by itself.
    await stack.ask("/v1/channels/ops/messages", { method: "POST", body: { text: "@shell thanks", reply_to: messages[0].id } });
    await page.until("document.querySelectorAll('.channel-message').length === 2", "the answer");
    await page.value("document.querySelector('.room-tools input').focus()");
    await page.type("SCHEMA");
    await page.until("document.querySelectorAll('.channel-message').length === 1", "what was searched for");
    // As it was then: not delivered yet.
    await go(page, `/channels/ops?t=${encodeURIComponent(messages[0].created)}`);
    await page.until("[...document.querySelectorAll('.receipt')].some(receipt => receipt.textContent.startsWith('shell waits')) && !document.querySelector('.room-past').hidden", "the past");
    ok(await page.value("document.querySelector('.post').hidden"), "nobody posts in the past");
    // What was it doing then: the pod at that moment, with the message on its timeline.
    await page.click(".receipt a");
    await page.until(`location.pathname === '/pods/${pods.shell}' && new URL(location.href).searchParams.get('t')`, "the pod at that moment");
    await page.until("document.querySelector('.timeline')?.timeline.data?.entries.filter(entry => entry.what === 'message' && entry.text.includes('schema')).length === 2", "its messages: said, and got");
  });

  story("pages left behind hold no connection: ten addresses one after another all answer", async page => {
    for (let i = 0; i < 10; i++) {
      await go(page, i % 2 ? "/search" : "/");
      await page.until(i % 2 ? "document.querySelector('.search')" : "document.querySelector('.fleet')", `page ${i + 1}`);
    }
    await page.value("history.back()");
    await page.until("document.querySelector('.fleet')", "the page before");
    await page.until("document.querySelectorAll('.tile').length > 0", "its pods");
    // The browser says so itself where a page was left while its socket was still opening.
  }, { allows: /Page entered Back-Forward Cache/ });

  story("an address that nobody knows says so, and leads back", async page => {
    for (const address of ["/nowhere/at-all", "/pods/a/b/c", "/%E0%A4%A"]) {
      await go(page, address);
      await page.until("document.querySelector('.empty h2')?.textContent === 'Nothing is at this address'", `the word about ${address}`);
      equal(await page.value("document.querySelector('.nowhere-address').textContent"), address);
    }
    await page.click(".empty a.primary");
    await page.until("document.querySelector('.fleet .tile') && location.pathname === '/'", "the fleet");
  }, { allows: /404/ });

  story("the palette reaches a pod by a few letters", async page => {
    await page.key("k", { ctrl: true });
    await page.until("document.querySelector('dialog.palette input') === document.activeElement");
    await page.type("cntr");
    await page.until("document.querySelector('.palette-list li[aria-selected=true]')?.textContent.includes('counter')", "the pod");
    await page.key("Enter");
    await page.until("document.querySelector('.pod-screen h1')?.textContent === 'counter'");
  });
}
