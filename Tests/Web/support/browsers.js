// The browser that tests use: Chromium, or the one that `SWITCHBACK_BROWSER` names. Every driver has the same words (`page.js`).
import * as chromium from "./chromium.js";
import * as firefox from "./firefox.js";

const drivers = {
  chromium: { name: "Chromium", find: chromium.findChromium, hint: "apt-get install chromium, or name one in SWITCHBACK_CHROMIUM", Browser: chromium.Browser },
  firefox: { name: "Firefox", find: firefox.findFirefox, hint: "apt-get install firefox-esr, or name one in SWITCHBACK_FIREFOX", Browser: firefox.Browser,
    lacks: "a phone's own layout and coarse pointer; stories about phones see a window as narrow, with as many pixels, and fingers" },
};

/** `{ name, find(), hint, Browser, lacks }` of the wanted one; `lacks` says what it cannot be made to do. */
export function wantedBrowser(name = process.env.SWITCHBACK_BROWSER || "chromium") {
  const driver = drivers[name];
  if (!driver) throw new Error(`SWITCHBACK_BROWSER is ${name}; it can be ${Object.keys(drivers).join(" or ")}`);
  return driver;
}
