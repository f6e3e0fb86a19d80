// Elements, built from values: text is always text, never markup.

const svgNames = new Set(["svg", "path", "circle", "rect", "line", "polygon", "polyline", "g", "text", "title", "marker", "defs"]);

/**
 * An element. Properties: `class`, `on…` listeners, `data` (an object), anything else as an attribute; null, undefined and false
 * leave it out. Children: nodes, texts, lists of them; null and false are left out.
 */
export function h(name, properties = {}, ...children) {
  const element = svgNames.has(name) ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (value == null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.setAttribute("class", value);
    else if (key === "data") Object.assign(element.dataset, value);
    else if (key === "value" && "value" in element) element.value = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children.flat(Infinity).filter(child => child != null && child !== false && child !== "");
}

export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

/** Makes a list's elements those of `items` in order, keeping the elements of items that stay. */
export function keyed(parent, items, keyOf, make, update) {
  keepingFocus(parent, () => arrange(parent, items, keyOf, make, update));
}

/** An element that is moved loses the focus; whoever writes there or goes from one to the next by keys keeps it. */
export function keepingFocus(parent, action) {
  const focused = document.activeElement;
  action();
  if (focused !== document.activeElement && parent.contains(focused)) focused.focus({ preventScroll: true });
}

function arrange(parent, items, keyOf, make, update) {
  const had = new Map([...parent.children].map(child => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let element = had.get(key);
    if (element) had.delete(key);
    else { element = make(item); element.dataset.key = key; }
    update?.(element, item);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const element of had.values()) { element.onremoved?.(); element.remove(); }
}

/** A dialog over the page; it has `close()` and `at(x, y)`. Focus goes in and comes back. */
export function dialog(className, label, ...children) {
  const before = document.activeElement;
  const element = h("dialog", { class: `card ${className}`, "aria-label": label }, ...children);
  element.addEventListener("close", () => { element.remove(); before?.focus?.({ preventScroll: true }); });
  element.addEventListener("click", event => { if (event.target === element) element.close(); });
  element.at = (x, y) => {
    const box = element.getBoundingClientRect();
    element.style.margin = "0";
    element.style.left = Math.max(8, Math.min(x, innerWidth - box.width - 8)) + "px";
    element.style.top = Math.max(8, Math.min(y + 8, innerHeight - box.height - 8)) + "px";
  };
  document.body.append(element);
  element.showModal();
  return element;
}

/** Keys of a screen, wherever the focus is, except where somebody writes. */
export function onKeys(action, signal) {
  document.addEventListener("keydown", event => {
    if (event.defaultPrevented || event.target.closest?.("dialog, .terminal, input:not([type=checkbox]), select, textarea")) return;
    // Enter and space belong to a button or a link that has the focus.
    if ((event.key === "Enter" || event.key === " ") && event.target.closest?.("button, a, summary, input")) return;
    action(event);
  }, { signal });
}

/** Runs at most once a frame, and not again within `pause` milliseconds. */
export function perFrame(action, pause = 0) {
  let asked = null, last = -Infinity;
  const run = () => { asked = null; last = performance.now(); action(); };
  return () => {
    if (asked != null) return;
    const rest = last + pause - performance.now();
    asked = rest > 0 ? setTimeout(() => { asked = requestAnimationFrame(run); }, rest) : requestAnimationFrame(run);
  };
}
