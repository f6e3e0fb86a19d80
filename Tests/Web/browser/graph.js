// The topology's picture of a large fleet.
import { ok, equal } from "../support/runner.js";
import { tools } from "../support/pages.js";

export function graph(stage) {
  const { story, go } = tools(stage);

  story("200 nodes can be read: none covers another, no name is cut, and looking at one shows what it is tied to", async page => {
    await go(page, "/topology");
    await page.until("document.querySelector('.graph-frame')");
    const findings = await page.value(async () => {
      const { Graph } = await import("/web/graph/graph.js"), findings = [], frame = document.querySelector(".graph-frame");
      let state = 11;
      const random = () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648, any = () => Math.floor(random() * 200);
      const nodes = Array.from({ length: 200 }, (_, index) => ({ pod: "p" + String(index).padStart(12, "a"), name: `builder-${index}`, lifecycle: "running", status: "waiting", reason: "agent", since: new Date().toISOString() }));
      const edges = [];
      for (let i = 0; i < 150; i++) { const a = any(), b = any(); if (a !== b) edges.push({ kind: i % 3 ? "wait" : "binding", id: "e" + i, from: nodes[Math.min(a, b)].pod, to: nodes[Math.max(a, b)].pod, why: "until it is idle", granted: ["terminal:read"] }); }
      const graph = new Graph();
      graph.element.id = "large";
      frame.replaceChildren(graph.element);
      graph.show({ nodes, edges, roots: [], cycles: [] });
      await new Promise(done => setTimeout(done, 300));
      const boxes = [...graph.nodes.children].map(node => { const box = node.getBoundingClientRect(); return { name: node.textContent, left: box.left, top: box.top, right: box.right, bottom: box.bottom }; });
      if (boxes.length !== 200) findings.push(`${boxes.length} nodes`);
      boxes.forEach((a, i) => boxes.slice(i + 1).forEach(b => { if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) findings.push(`${a.name} covers ${b.name}`); }));
      for (const name of graph.nodes.querySelectorAll(".node-name")) {
        if (name.scrollWidth > name.clientWidth) findings.push(`cut: ${name.textContent}`);
        if (parseFloat(getComputedStyle(name).fontSize) < 12) findings.push("too small");
      }
      const labels = () => [...graph.edges.querySelectorAll("text")].filter(text => getComputedStyle(text).display !== "none").length;
      if (labels() !== 0) findings.push(`${labels()} names of edges, all at once`);
      const [from] = edges, tied = edges.filter(edge => edge.from === from.from || edge.to === from.from);
      const node = [...graph.nodes.children].find(element => element.dataset.key === from.from);
      node.querySelector("a").focus();
      const merged = new Set(tied.map(edge => `${edge.kind} ${edge.from} ${edge.to}`)).size;
      if (labels() !== merged) findings.push(`${labels()} names of edges instead of ${merged}`);
      const far = [...graph.nodes.children].find(element => !tied.some(edge => edge.from === element.dataset.key || edge.to === element.dataset.key));
      if (!(getComputedStyle(far).opacity < 1) || getComputedStyle(node).opacity !== "1") findings.push("the rest does not recede");
      const places = JSON.stringify([...graph.places].map(([id, { fromRight, row }]) => [id, fromRight, row]).sort());
      graph.show({ nodes, edges: edges.filter((_, index) => index !== 5), roots: [], cycles: [] });
      graph.show({ nodes, edges, roots: [], cycles: [] });
      if (JSON.stringify([...graph.places].map(([id, { fromRight, row }]) => [id, fromRight, row]).sort()) !== places) findings.push("who came back stands elsewhere");
      graph.show({ nodes: nodes.slice(0, 4), edges: [[0, 1], [1, 2], [2, 0], [3, 0]].map(([from, to]) => ({ kind: "wait", id: `${from}${to}`, from: nodes[from].pod, to: nodes[to].pod, why: "idle" })), cycles: [nodes.slice(0, 3).map(node => node.pod)], roots: [{ pod: nodes[0].pod, frees: 3 }] });
      const circle = graph.nodes.querySelectorAll(".node.in-cycle").length, red = graph.edges.querySelectorAll(".edge.cycle").length, roots = [...graph.nodes.querySelectorAll(".node.is-root")].map(root => root.textContent);
      if (circle !== 3 || red !== 3) findings.push(`${circle} nodes and ${red} edges of a circle of 3`);
      if (roots.length !== 1 || !roots[0].includes("builder-0") || !roots[0].includes("frees 3")) findings.push(`roots: ${roots}`);
      graph.show({ nodes, edges, roots: [], cycles: [] });
      node.querySelector("a").blur();
      if (labels() !== 0) findings.push("looking away leaves names");
      return findings.slice(0, 5);
    });
    equal(findings, []);
    ok(await page.value("document.querySelector('.graph-frame').scrollHeight >= document.querySelector('.graph-frame').clientHeight"));
  });

  story("on a phone what is tied to nothing stands below those who wait, however many these are", async page => {
    await go(page, "/topology");
    await page.until("document.querySelector('.graph-frame')");
    const [wide, below] = await page.value(async () => {
      const { Graph } = await import("/web/graph/graph.js"), frame = document.querySelector(".graph-frame");
      const nodes = Array.from({ length: 30 }, (_, index) => ({ pod: "p" + String(index).padStart(12, "a"), name: `builder-${index}`, lifecycle: "running", status: "waiting", reason: "approval", since: new Date().toISOString() }));
      const edges = nodes.slice(0, 10).map((node, index) => ({ kind: "wait", id: "e" + index, from: node.pod, to: "person:olive", why: "approval" }));
      const graph = new Graph();
      frame.replaceChildren(graph.element);
      graph.show({ nodes, edges, roots: [{ person: "olive", frees: 10, blocks: 10 }], cycles: [] });
      await new Promise(done => setTimeout(done, 300));
      const right = element => element.getBoundingClientRect().right, isTied = element => edges.some(edge => [edge.from, edge.to].includes(element.dataset.key));
      const all = [...graph.nodes.children];
      return [all.filter(isTied), all.filter(element => !isTied(element))].map(elements => Math.max(...elements.map(right)));
    });
    ok(wide > 800 && below > wide - 200, `they end at ${below}, and those who wait at ${wide}`);
  }, { width: 390, height: 800, mobile: true });

  story("the topology offers no idle time to skip, and recordings from elsewhere do not stretch its time", async page => {
    await go(page, "/topology");
    await page.until("document.querySelector('.transport')");
    ok(!await page.value("document.querySelector('.transport .check').checkVisibility()"));
    await page.until("document.querySelectorAll('.node').length >= 3 && document.querySelector('.timeline-ends span').textContent !== ''", "the timeline");
    const first = await page.value(`import("/web/app/store.js").then(async ({ store }) => {
      store.pods.set("paaaaaaaaaaaa", { ...store.pod("still"), pod: "paaaaaaaaaaaa", name: "old", imported: true, lifecycle: "ended", created: "2020-01-01T00:00:00.000000Z" });
      store.tell("pods");
      await new Promise(done => setTimeout(done, 200));
      return document.querySelector(".timeline-ends span").textContent;
    })`);
    ok(!first.includes("2020"), `it begins at ${first}`);
  });
}
