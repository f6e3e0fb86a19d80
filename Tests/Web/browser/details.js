// What the other stories pass by: keys of players, what a timeline tells, the terminal's finer modes, answers, groups, who holds up whom.
import { equal, ok } from "../support/runner.js";
import { terminal, tools } from "../support/pages.js";

export function details(stage) {
  const { story, go, openPod, text } = tools(stage);
  const entries = what => `document.querySelector('.timeline').timeline.data?.entries.filter(entry => entry.what === '${what}')`;
  const choose = (page, selector, value) => page.value((selector, value) => { const select = document.querySelector(selector); select.value = value; select.dispatchEvent(new Event("change")); }, selector, value);

  story("keys move as in players: by spans, to events, to a time, slower and faster, to the beginning and to live", async page => {
    const { stack, pods } = stage;
    await stage.settled(8);
    await stack.ask(`/v1/pods/${pods.counter}/marker`, { method: "POST", body: { text: "halfway" } });
    await openPod(page, pods.counter);
    await page.until(`${entries("marker")}?.some(entry => entry.text === 'halfway')`, "the marker", 60_000);
    const marker = await page.value(`${entries("marker")}.find(entry => entry.text === 'halfway').ms`), first = await page.value("document.querySelector('.timeline').timeline.data.first");
    const at = wanted => page.until(`Math.abs(Date.parse(new URL(location.href).searchParams.get('t')) - ${wanted}) < 2`, `the address of ${new Date(wanted).toISOString()}`);
    await page.key("ArrowLeft", { shift: true });
    await page.until("document.querySelector('.pod-screen.past')", "the past");
    const back = await page.until("Date.parse(new URL(location.href).searchParams.get('t'))", "the moment");
    await page.key("t");
    await page.until("document.querySelector('dialog.ask-time input') === document.activeElement", "the question for a time");
    await page.type("soon");
    await page.key("Enter");
    await page.until("document.querySelector('dialog.ask-time .message').textContent.includes('14:03:07')", "what one can write");
    await page.value("document.querySelector('dialog.ask-time input').value = ''");
    await page.type("+2s");
    await page.key("Enter");
    await at(first + 2000);
    ok(back >= first, "before the beginning");
    // There may be many events between.
    await page.key("t");
    await page.until("document.querySelector('dialog.ask-time input') === document.activeElement", "the question for a time");
    await page.type(new Date(marker - 300).toISOString());
    await page.key("Enter");
    await at(marker - 300);
    for (let i = 0; i < 20 && Math.abs(Date.parse(await page.value("new URL(location.href).searchParams.get('t')")) - marker) > 2; i++) {
      const was = await page.value("location.search");
      await page.key("]");
      await page.until(`location.search !== ${JSON.stringify(was)}`, "the next event");
    }
    await at(marker);
    await page.key("[");
    await page.until(`Date.parse(new URL(location.href).searchParams.get('t')) < ${marker} - 20`, "the event before");
    const speed = () => page.value("document.querySelector('.transport select').value");
    await page.key(">");
    equal(await speed(), "2");
    await page.key("<");
    await page.key("<");
    equal(await speed(), "0.5");
    await page.key("/");
    await page.until("document.activeElement === document.querySelector('.find input')", "the search on the screen");
    await page.key("Escape");
    await page.until("document.querySelector('.find').hidden");
    await page.key("Home");
    await at(first);
    await page.key("L");
    await page.until("!document.querySelector('.pod-screen.past') && !new URL(location.href).searchParams.get('t')", "the present");
  });

  story("the pointer over a timeline shows that moment's screen, and the timeline tells who typed, what was marked, bound and waited for", async page => {
    const { stack, pods } = stage;
    await openPod(page, pods.shell);
    await page.key("Enter");
    await page.until("document.querySelector('.terminal.typing')");
    await page.type("true");
    await page.key("Enter");
    await stack.ask(`/v1/pods/${pods.shell}/marker`, { method: "POST", body: { text: "here" } });
    const binding = await stack.ask("/v1/bindings", { method: "POST", body: { from: pods.still, to: pods.shell, scopes: ["terminal:read"] } });
    await stack.ask(`/v1/bindings/${binding.id}/reject`, { method: "POST", body: {} });
    await page.until(`${entries("input")}?.some(entry => entry.author === 'person:local')`, "what was typed, and by whom", 60_000);
    await page.until(`${entries("marker")}?.some(entry => entry.text === 'here')`, "the marker", 60_000);
    await page.until(`${entries("binding")}?.some(entry => entry.text === 'still asks for read of shell') && ${entries("binding")}.some(entry => entry.text === 'still → shell: rejected')`, "the binding", 60_000);
    await page.until("document.querySelector('.timeline').timeline.data.bands.length > 0 && document.querySelector('.timeline').timeline.data.density.some(value => value > 0)", "status and density", 60_000);
    const track = await page.box(".timeline-track");
    await page.move(track.x + track.width * 0.9, track.y + 30);
    await page.until("document.querySelector('.hover-card:not([hidden]) canvas')?.painter?.shown.length > 0", "the screen of that moment");
    ok(/\d\d:\d\d:\d\d\s+\+0:\d\d:\d\d/.test(await page.value("document.querySelector('.hover-card').textContent")), "no clock");
    await page.move(5, 5);
  });

  story("a terminal's finer modes: mouse, bracketed paste, input methods, zoom, sharp pixels, and its text for those who do not see it", async page => {
    const pod = await stage.stack.run("finer", [process.execPath, "-e", "process.stdin.setRawMode(true); process.stdout.write('\\x1b[?1002h\\x1b[?1006h\\x1b[?2004h\\x1b[6 qready\\r\\n'); process.stdin.on('data', data => process.stdout.write(JSON.stringify(String(data)) + '\\r\\n'))"]);
    try {
      await openPod(page, pod);
      await page.until(`${terminal}.text().includes('ready')`);
      equal(await page.value(`${terminal}.screen.cursor.shape`), 2, "a bar");
      await page.until("document.querySelector('.timeline-ends span').textContent !== ''");
      await page.key("Enter");
      await page.until("document.querySelector('.terminal.typing')");
      const place = await page.value(() => { const view = document.querySelector(".terminal").terminal, box = view.canvas.getBoundingClientRect(); return { x: box.x + box.width / view.screen.columns * 4.5, y: box.y + box.height / view.screen.rows * 6.5 }; });
      await page.press(place.x, place.y);
      await page.release(place.x, place.y);
      await page.until(`${terminal}.text().includes('[<0;5;7M') && ${terminal}.text().includes('[<0;5;7m')`, "the click");
      await page.wheel(place.x, place.y, 120, 0);
      await page.wheel(place.x, place.y, 0, -120);
      await page.until(`${terminal}.text().includes('[<64;5;7M')`, "the wheel");
      ok(!(await text(page)).includes("[<65;"), "a wheel turned sideways turned down");
      await page.setClipboard("two words");
      await page.paste();
      await page.until(`${terminal}.text().includes('[200~two words') && ${terminal}.text().includes('[201~')`, "a paste between its marks");
      // Written in steps, it is sent once, when it is done.
      await page.compose("に");
      await page.compose("にほ");
      await page.until("document.querySelector('.terminal-keyboard.composing')", "what is being written");
      ok(!(await text(page)).includes("に"), "half a word was sent");
      await page.insert("日本");
      await page.until(`${terminal}.text().includes('日本')`, "the word");
      equal((await text(page)).split("日本").length, 2, "sent more than once");
      ok(!(await text(page)).includes("に"), "half a word was sent before the word");
      await page.key("ArrowUp", { ctrl: true, shift: true });
      const size = () => page.value(() => { const view = document.querySelector(".terminal").terminal, box = view.canvas.getBoundingClientRect(); return { pixels: view.canvas.width, wide: box.width, whole: view.canvas.width % view.screen.columns === 0 && view.canvas.height % view.screen.rows === 0 }; });
      const before = await size();
      await page.key("=");
      await page.until(`${terminal}.canvas.width > ${before.pixels}`, "larger letters");
      await page.key("-");
      await page.until(`${terminal}.canvas.width === ${before.pixels}`, "the size of before");
      await page.viewport({ width: 1280, height: 800, ratio: 2 });
      await page.until(`${terminal}.canvas.width > ${before.pixels} * 1.5`, "twice the pixels");
      const sharp = await size();
      ok(sharp.whole && Math.abs(sharp.pixels - sharp.wide * 2) < 1.5, JSON.stringify(sharp));
      await page.until(`[...document.querySelectorAll('.terminal [role=log] div')].map(line => line.textContent).join('\\n') === ${terminal}.text()`, "the text for screen readers");
    } finally { await stage.stack.command("stop", pod); }
  });

  story("a socket that lags is told apart from one that is up to date", async page => {
    const states = await page.value(async () => {
      const { TerminalConnection } = await import("/web/terminal/connection.js"), states = [];
      const connection = new TerminalConnection("p000000000000", { state: state => states.push(state) });
      const frame = (seq, age, more = {}) => connection.receive({ type: "delta", base: seq - 1, seq, time: new Date(Date.now() - age).toISOString(), columns: 2, rows: 1, lines: [], ...more });
      connection.receive({ type: "position", mode: "live", seq: 1, time: new Date().toISOString() });
      frame(1, 20, { type: "keyframe", lines: [[["a", 1]]] });
      frame(2, 10);
      frame(3, 6000);
      frame(4, 30);
      connection.close();
      return states;
    });
    equal(states, ["open", "behind", "open"]);
  });

  story("whoever is in the past sees nothing of the present with which a new socket begins", async page => {
    const seen = await page.value(async () => {
      const { TerminalConnection } = await import("/web/terminal/connection.js"), seen = [], sent = [], Real = window.WebSocket;
      let socket;
      window.WebSocket = class { static OPEN = 1; readyState = 1; constructor() { socket = this; } send(text) { sent.push(JSON.parse(text).type); } close() {} };
      const connection = new TerminalConnection("p000000000000", { screen: screen => seen.push(screen.lines[0][0][0]), position: position => seen.push(position.mode) });
      const time = new Date().toISOString(), hear = message => socket.onmessage({ data: JSON.stringify(message) });
      const frame = text => hear({ type: "keyframe", seq: 1, time, columns: 4, rows: 1, lines: [[[text, 4]]] });
      connection.open("2026-11-21T14:00:00Z");
      socket.onopen();
      frame("live");
      hear({ type: "position", mode: "live", seq: 1, time });
      frame("then");
      hear({ type: "position", mode: "paused", seq: 1, time });
      connection.live();
      frame("live");
      connection.close();
      window.WebSocket = Real;
      return { seen, sent };
    });
    equal(seen, { seen: ["then", "paused", "live"], sent: ["seek", "live"] });
  });

  story("a question asked in a channel is answered in place, a request is rejected in place, and the order is the server's", async page => {
    const { stack, pods } = stage, cli = JSON.stringify(`${stack.bin}/switchback`);
    await stack.ask("/v1/channels", { method: "POST", body: { name: "ports", members: [pods.still, "person:local"] } });
    const curious = await stack.run("curious", ["bash", "-c", `until ${cli} channel post ports '@local which port?' --question; do sleep 0.3; done; exec sleep 100000`]);
    await stack.ask("/v1/channels/ports/join", { method: "POST", body: { member: curious } });
    const binding = await stack.ask("/v1/bindings", { method: "POST", body: { from: pods.sly, to: pods.shell, scopes: ["terminal:write"] } });
    try {
      await go(page, "/attention");
      const card = word => `[...document.querySelectorAll('.attention-card')].find(card => card.textContent.includes('${word}'))`;
      await page.until(`${card("which port?")} && ${card("sly")}`, "both", 60_000);
      const wanted = (await stack.ask("/v1/attention")).items.filter(item => !item.closed).map(item => item.id);
      equal(await page.value("[...document.querySelectorAll('.attention-card')].map(card => card.dataset.key)"), wanted);
      await page.value(`${card("which port?")}.querySelector('.answer input').focus()`);
      await page.type("42");
      // Meanwhile the order and the weights change.
      await page.value(`import("/web/app/store.js").then(({ store }) => {
        store.attention = { items: store.attention.items.map(item => ({ ...item, blocks: 7, frees: 1 })).reverse() };
        store.tell("attention");
      })`);
      equal(await page.value(`[document.activeElement === ${card("which port?")}.querySelector('.answer input'), document.activeElement.value]`), [true, "42"], "half an answer was taken away");
      await page.type("22");
      await page.key("Enter");
      await page.until(`!${card("which port?")}`, "the question's end");
      const { messages } = await stack.ask("/v1/channels/ports/messages");
      equal([messages.at(-1).text, messages.at(-1).reply_to], ["4222", messages[0].id]);
      await page.value(`[...${card("sly")}.querySelectorAll('.actions button')].find(button => button.textContent === 'Reject').focus()`);
      await page.key("Enter");
      await page.until(`!${card("sly")}`, "the request's end");
      const after = await stack.ask(`/v1/bindings/${binding.id}`);
      equal([after.state, after.reason], ["inactive", "rejected"]);
    } finally { await stack.command("stop", curious); }
  });

  story("who waits for whom stands on the fleet, in the topology and beside pods together, now and as of then", async page => {
    const { stack, pods } = stage, cli = JSON.stringify(`${stack.bin}/switchback`);
    const before = new Date().toISOString();
    const patient = await stack.run("patient", ["bash", "-c", `${cli} wait ${pods.still} --until ended --timeout 1h; exec sleep 100000`]);
    try {
      const wait = await stack.until(async () => (await stack.ask("/v1/waits")).waits.find(wait => wait.waiter === `pod:${patient}` && !wait.ended), "the wait", 60_000);
      ok(wait.targets.some(target => target.pod === pods.still));
      const tile = name => `[...document.querySelectorAll('.tile')].find(tile => tile.tile.pod.name === '${name}')`;
      await page.until(`${tile("patient")}?.textContent.includes('waits for still') && /holds up \\d+ agent/.test(${tile("still")}.textContent)`, "the fleet's words", 60_000);
      await choose(page, ".fleet select", "runner");
      const { runner } = await stack.ask(`/v1/pods/${pods.still}`);
      await page.until(`[...document.querySelectorAll('.fleet-group-title')].some(title => title.textContent.startsWith(${JSON.stringify(runner)}))`, "the runner's group");
      await page.open(stack.address + (await page.value("location.pathname + location.search")));
      await page.until(`[...document.querySelectorAll('.fleet-group-title')].some(title => title.textContent.startsWith(${JSON.stringify(runner)}))`, "the group after a reload");
      await go(page, "/topology");
      await page.until("document.querySelector('.graph-lines .edge.wait')", "the wait as an edge");
      await page.until("[...document.querySelectorAll('.roots .root')].some(root => /still holds up \\d+ agent/.test(root.textContent))", "who holds up others");
      const at = name => page.value(id => { const box = [...document.querySelectorAll(".node")].find(node => node.dataset.key === id).getBoundingClientRect(); return box.left; }, name);
      ok(await at(pods.still) > await at(patient), "who holds up stands left");
      await go(page, `/together?pods=${patient},${pods.still}`);
      await page.until("document.querySelector('.together-side:not([hidden]) .edge.wait')", "the topology beside them");
      await go(page, `/together?pods=${patient},${pods.still}&t=${encodeURIComponent(before)}`);
      await page.until("document.querySelectorAll('.pane').length === 2 && document.querySelector('.together-side .graph-nodes').children.length > 0 && !document.querySelector('.together-side .edge.wait')", "the topology of before");
    } finally { await stack.command("stop", patient); }
  });

  story("a pod that ended says how long ago, and one that nobody knows takes no keys", async page => {
    await go(page, `/pods/${stage.pods.gone}`);
    await page.until("/ended well\\s*\\d+ \\w+ ago/.test(document.querySelector('.pod-about')?.textContent)", "when it ended");
    await go(page, "/pods/nobody-is-called-so");
    await page.until("document.querySelector('.banner:not([hidden])')?.textContent.includes('no pod')", "a word about it");
    await page.until("document.querySelector('.holder').disabled && document.querySelector('.holder').textContent.startsWith('Nothing to type into')", "no keyboard");
    equal(await page.value("document.querySelector('.pod-about').textContent"), "", "said once");
  }, { allows: /404/ });
}
