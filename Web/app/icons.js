// The few line drawings of the rail and of buttons: 20 by 20, one stroke.
import { h } from "./dom.js";

const paths = {
  fleet: "M3 4.5h6v5H3zM11 4.5h6v5h-6zM3 11.5h6v5H3zM11 11.5h6v5h-6z",
  attention: "M10 3.2 17.4 16H2.6zM10 8v3.6M10 13.6v.2",
  together: "M3 5h14M3 10h14M3 15h14M12.5 2.5v15",
  topology: "M5 5.8a2 2 0 1 0 0-.1M15 10.1a2 2 0 1 0 0-.1M5 14.3a2 2 0 1 0 0-.1M9 6.6l4.4 2.4M9 13.6l4.4-2.6",
  search: "M9 3.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11ZM13.2 13.2 17 17",
  channels: "M3.5 4.5h13v9H9l-3.5 3v-3h-2z",
  people: "M7.500 9.500a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2.500 16.500c0-3 2-5 5-5s5 2 5 5M13 4a2.800 2.800 0 0 1 0 5.500M14.500 11.800c2 .6 3 2.300 3 4.700",
  audit: "M5 2.500h10v15H5zM7.500 6.500h5M7.500 10h5M7.500 13.500h3", eye: "M1.800 10S4.800 4.500 10 4.500 18.200 10 18.200 10 15.200 15.500 10 15.500 1.800 10 1.800 10ZM10 7.600a2.400 2.400 0 1 0 0 4.800 2.400 2.400 0 0 0 0-4.800Z",
  play: "M6 4.2 15.6 10 6 15.8z", pause: "M6.5 4.5v11M13.5 4.5v11", back: "M12.5 4.5 7 10l5.5 5.5", forward: "M7.5 4.5 13 10l-5.5 5.5",
  link: "M8.2 11.8a3 3 0 0 0 4.2 0l2.6-2.6a3 3 0 0 0-4.2-4.2l-.8.8M11.8 8.2a3 3 0 0 0-4.2 0L5 10.8A3 3 0 0 0 9.200 15l.8-.8",
  theme: "M10 3.5a6.5 6.5 0 1 0 0 13zM10 3.5a6.500 6.500 0 0 1 0 13z", close: "M5 5l10 10M15 5 5 15", check: "M4 10.500 8.200 15 16 6", more: "M4.500 10h.1M10 10h.1M15.500 10h.1",
  keyboard: "M2.500 5.500h15v9h-15zM5 8.500h.1M8 8.500h.1M11 8.500h.1M14.500 8.500h.1M6 11.700h8", plus: "M10 4v12M4 10h12", minus: "M4 10h12", fit: "M3.500 7V3.500H7M13 3.500h3.500V7M16.500 13v3.500H13M7 16.500H3.500V13",
};

export function icon(name, label = null) {
  return h("svg", { class: `icon icon-${name}`, width: 20, height: 20, viewBox: "0 0 20 20", role: label ? "img" : null, "aria-label": label, "aria-hidden": label ? null : "true" },
    h("path", { d: paths[name] }));
}
