// Addresses: each names a screen and, where there is one, the moment it shows. `Page.addresses` in the API must know them.

/** `{ screen, path: {…}, query: URLSearchParams }` of an address. */
export function read(url) {
  const query = url.searchParams, nowhere = { screen: "nowhere", path: { address: url.pathname }, query };
  let parts;
  try { parts = url.pathname.split("/").filter(Boolean).map(decodeURIComponent); } catch { return nowhere; }
  const isOf = (...counts) => counts.includes(parts.length);
  if (isOf(0) || (parts[0] === "fleet" && isOf(1))) return { screen: "fleet", path: {}, query };
  if (parts[0] === "pods" && isOf(2)) return { screen: "terminal", path: { pod: parts[1] }, query };
  if (parts[0] === "channels" && isOf(1, 2)) return { screen: "channels", path: { channel: parts[1] ?? null }, query };
  if (["attention", "together", "topology", "search", "people", "audit", "sign-in"].includes(parts[0]) && isOf(1)) return { screen: parts[0], path: {}, query };
  return nowhere;
}

export const links = {
  fleet: () => "/",
  pod: (pod, time = null) => `/pods/${encodeURIComponent(pod)}${time != null ? `?t=${stamp(time)}` : ""}`,
  together: (pods, time = null) => `/together${pods.length ? `?pods=${pods.map(encodeURIComponent).join(",")}` : ""}${time != null ? `${pods.length ? "&" : "?"}t=${stamp(time)}` : ""}`,
  topology: (time = null) => `/topology${time != null ? `?t=${stamp(time)}` : ""}`,
  audit: (query = {}) => { const given = Object.entries(query).filter(([, value]) => value); return `/audit${given.length ? `?${new URLSearchParams(given)}` : ""}`; },
  search: query => `/search${query ? `?q=${encodeURIComponent(query)}` : ""}`,
};

/** RFC 3339 of milliseconds, or of a text that already is. */
export const stamp = time => typeof time === "number" ? new Date(time).toISOString() : time;

let onChange = () => {};

export function start(action) {
  onChange = action;
  addEventListener("popstate", () => onChange(read(new URL(location.href))));
  document.addEventListener("click", event => {
    const link = event.target.closest?.("a[href^='/']");
    if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || link.target) return;
    event.preventDefault();
    go(link.getAttribute("href"));
  });
  onChange(read(new URL(location.href)));
}

export function go(address) {
  if (address !== location.pathname + location.search) history.pushState(null, "", address);
  onChange(read(new URL(location.href)));
}

/** Changes the address of what is shown, without going anywhere. */
export function rename(address) {
  if (address !== location.pathname + location.search) history.replaceState(null, "", address);
}
