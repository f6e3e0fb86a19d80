// What moves by itself: numbers that grow ("4 min") have one timer for all of them, and shapes one breath.
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

// What breathes does so in unison, however late it came: calmer to look at, and the page changes in fewer moments.
document.addEventListener("animationstart", event => {
  if (event.animationName !== "breath") return;
  for (const animation of event.target.getAnimations()) animation.startTime = 0;
});
