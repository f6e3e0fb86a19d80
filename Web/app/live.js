// Numbers in the page that grow by themselves ("4 min"): one timer for all of them.
import { span } from "./time.js";

/** An element's text is the time since `ms`, kept up. */
export function tickSince(element, ms, before = "", after = "") {
  element.dataset.since = String(ms);
  element.dataset.before = before;
  element.dataset.after = after;
  element.classList.add("tabular");
  write(element);
  return element;
}

function write(element) {
  const text = element.dataset.before + span(Date.now() - Number(element.dataset.since)) + element.dataset.after;
  if (element.textContent !== text) element.textContent = text;
}

setInterval(() => {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("[data-since]")) if (element.dataset.since) write(element);
}, 1000);
