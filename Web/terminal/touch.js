// Selecting with a finger: a long press takes the word, moving on takes more, and a button copies it.
import { h } from "../app/dom.js";
import { extended, selectedText, wordAt } from "./selection.js";

const long = 450, still = 10;

/** Listens on a `TerminalView`; `update()` is told when it painted. */
export function listenTouch(view) {
  const { page } = view;
  let timer = null, start = null, word = null, isOffered = false;
  const copy = h("button", { type: "button", class: "copy-selection primary", hidden: true, onclick: async () => {
    const text = selectedText(view.screen, view.selection);
    try { await navigator.clipboard.writeText(text); } catch { view.element.focus({ preventScroll: true }); document.execCommand("copy"); }
    view.selection = null;
    view.schedule();
  } }, "Copy");
  page.append(copy);
  const cancel = () => { clearTimeout(timer); timer = null; };
  const take = () => {
    cancel();
    word = view.selection = wordAt(view.screen, view.placeOf(start));
    view.schedule();
  };
  const update = () => {
    isOffered &&= view.selection != null;
    copy.hidden = !isOffered;
  };
  page.addEventListener("touchstart", event => {
    if (event.target === copy) return;
    cancel();
    word = null;
    if (event.touches.length !== 1) return;
    start = event.touches[0];
    timer = setTimeout(take, long);
  }, { passive: true });
  page.addEventListener("touchmove", event => {
    const touch = event.touches[0];
    // A finger that moves at once scrolls.
    if (!word) { if (timer && Math.hypot(touch.clientX - start.clientX, touch.clientY - start.clientY) > still) cancel(); return; }
    event.preventDefault();
    view.selection = extended(word, view.placeOf(touch));
    view.schedule();
  }, { passive: false });
  page.addEventListener("touchend", event => {
    cancel();
    if (!word) return;
    // No click follows, which would type or take the selection away.
    event.preventDefault();
    word = null;
    isOffered = view.selection != null;
    const box = page.getBoundingClientRect(), touch = event.changedTouches[0];
    copy.style.left = Math.max(0, Math.min(touch.clientX - box.left - 32, box.width - 80)) + "px";
    copy.style.top = Math.max(0, touch.clientY - box.top - 64) + "px";
    update();
  });
  page.addEventListener("touchcancel", () => { cancel(); word = null; });
  page.addEventListener("contextmenu", event => {
    // The browser's own long press may come first.
    if (timer) take();
    if (word) event.preventDefault();
  });
  return { update, cancel };
}
