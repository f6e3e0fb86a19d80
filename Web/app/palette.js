// The palette (Ctrl K or /): every pod, every place, a moment, and a search, by a few letters.
import { h, fill, dialog } from "./dom.js";
import { store } from "./store.js";
import { go, links } from "./router.js";
import { parseMoment, moment } from "./time.js";
import { standing, statusShape, says, standings } from "./status.js";
import { icon } from "./icons.js";

/** How well letters fit a name: smaller is better, null is not at all. */
export function fitness(query, name) {
  const wanted = query.toLowerCase(), text = name.toLowerCase();
  const at = text.indexOf(wanted);
  if (at >= 0) return at;
  let place = -1, score = 100;
  for (const letter of wanted) {
    const next = text.indexOf(letter, place + 1);
    if (next < 0) return null;
    score += next - place;
    place = next;
  }
  return score;
}

let actions = [];
/** What the shown screen adds: `[{ name, run, hint }]`. */
export function setActions(list) { actions = list; }

export function openPalette(initial = "") {
  if (document.querySelector("dialog.palette")) return;
  const list = h("ul", { class: "palette-list", role: "listbox", id: "palette-list", "aria-label": "Results" });
  const input = h("input", {
    type: "text", placeholder: "Pod, place, moment or text", "aria-label": "Go to", role: "combobox", "aria-expanded": "true", "aria-controls": "palette-list",
    autocomplete: "off", spellcheck: "false", value: initial,
  });
  const shown = dialog("palette", "Go to", input, list, h("p", { class: "hint quiet" }, "↑ ↓ choose · Enter opens · Esc closes"));
  let entries = [], chosen = 0;
  const choose = index => {
    chosen = Math.max(0, Math.min(entries.length - 1, index));
    [...list.children].forEach((item, i) => { item.setAttribute("aria-selected", String(i === chosen)); if (i === chosen) item.scrollIntoView({ block: "nearest" }); });
    input.setAttribute("aria-activedescendant", list.children[chosen]?.id ?? "");
  };
  const open = index => { const entry = entries[index]; if (!entry) return; shown.close(); entry.run(); };
  const update = () => {
    entries = found(input.value.trim());
    fill(list, entries.map((entry, index) => h("li", { role: "option", id: `palette-${index}`, onclick: () => open(index), onpointermove: () => { if (chosen !== index) choose(index); } },
      entry.mark, h("span", { class: "palette-name" }, entry.name), h("span", { class: "quiet" }, entry.hint ?? ""))));
    choose(0);
  };
  input.addEventListener("input", update);
  input.addEventListener("keydown", event => {
    if (event.key === "ArrowDown") choose(chosen + 1); else if (event.key === "ArrowUp") choose(chosen - 1); else if (event.key === "Enter") open(chosen); else return;
    event.preventDefault();
  });
  update();
  input.focus();
}

function found(query) {
  const places = [["Fleet", "/", "fleet"], ["Attention", "/attention", "attention"], ["Together", "/together", "together"], ["Topology", "/topology", "topology"], ["Search", "/search", "search"], ["Channels", "/channels", "channels"], ...(store.person?.role === "admin" ? [["People", "/people", "people"], ["Audit log", "/audit", "audit"]] : [])]
    .map(([name, address, mark]) => ({ name, hint: "place", mark: icon(mark), run: () => go(address) }));
  const pods = [...store.pods.values()].sort((a, b) => standings[standing(a)].order - standings[standing(b)].order)
    .map(pod => ({ name: pod.name, hint: says(pod), mark: statusShape(standing(pod)), run: () => go(links.pod(pod.pod)) }));
  const extra = actions.map(action => ({ ...action, mark: icon("forward") }));
  if (!query) return [...extra, ...pods.slice(0, 8), ...places];
  const entries = [...extra, ...pods, ...places].map(entry => ({ entry, score: fitness(query, entry.name) })).filter(({ score }) => score != null)
    .sort((a, b) => a.score - b.score).slice(0, 12).map(({ entry }) => entry);
  const time = parseMoment(query);
  if (time != null) entries.unshift({ name: `Everything as of ${moment(time)}`, hint: "on one clock", mark: icon("together"), run: () => go(links.together([], time)) });
  entries.push({ name: `Search every screen for “${query}”`, hint: "search", mark: icon("search"), run: () => go(links.search(query)) });
  return entries;
}
