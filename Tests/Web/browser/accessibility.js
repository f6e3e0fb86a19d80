// What a checker for accessibility asks, as far as this page can go wrong: contrast, names, roles, focus, labels, order of headings.

/** Findings in the shown page, each a sentence; none is what is wanted. */
export async function checkAccessibility(page) {
  const found = await page.value(() => {
    const findings = [], describe = element => element.outerHTML.replace(/\s+/g, " ").slice(0, 110);
    const visible = element => { const box = element.getBoundingClientRect(), style = getComputedStyle(element); return box.width > 0 && box.height > 0 && style.visibility !== "hidden" && style.display !== "none" && !element.closest(".sr-only, [aria-hidden=true], .skip"); };
    const parse = text => { const parts = text.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0]; return { rgb: parts.slice(0, 3), alpha: parts[3] ?? 1 }; };
    const over = (top, alpha, below) => top.map((value, index) => value * alpha + below[index] * (1 - alpha));
    const ground = element => {
      const layers = [];
      for (let at = element; at; at = at.parentElement) { const colour = parse(getComputedStyle(at).backgroundColor); if (colour.alpha > 0) { layers.push(colour); if (colour.alpha === 1) break; } }
      return layers.reverse().reduce((below, { rgb, alpha }) => over(rgb, alpha, below), [255, 255, 255]);
    };
    const luminance = rgb => { const [r, g, b] = rgb.map(value => { value /= 255; return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((a, b) => b - a); return (x + 0.05) / (y + 0.05); };
    for (const element of document.querySelectorAll("body *")) {
      if (!visible(element) || ![...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) continue;
      if (element.closest("svg")) continue;
      const style = getComputedStyle(element), size = parseFloat(style.fontSize), below = ground(element), colour = parse(style.color);
      let opacity = 1;
      for (let at = element; at; at = at.parentElement) opacity *= parseFloat(getComputedStyle(at).opacity);
      const ratio = contrast(over(colour.rgb, colour.alpha * opacity, below), below), wanted = size >= 24 || (size >= 18.66 && style.fontWeight >= 600) ? 3 : 4.5;
      if (ratio < wanted) findings.push(`contrast ${ratio.toFixed(2)}: ${describe(element)}`);
    }
    const nameOf = element => (element.getAttribute("aria-label") ?? (element.getAttribute("aria-labelledby") ? document.getElementById(element.getAttribute("aria-labelledby"))?.textContent : null) ?? ((element.labels?.length ? element.labels[0].textContent : null) ?? element.textContent ?? "")).trim() || element.querySelector("[aria-label], img[alt]:not([alt=''])")?.getAttribute("aria-label") || "";
    for (const element of document.querySelectorAll("a[href], button, input, select, textarea, summary, [role=slider], [tabindex='0'], dialog, [role=listbox], nav, section[aria-label], aside")) {
      if (!visible(element) && !element.matches("textarea")) continue;
      if (!nameOf(element)) findings.push(`no name: ${describe(element)}`);
    }
    for (const image of document.querySelectorAll("img")) if (!image.hasAttribute("alt")) findings.push(`no alt: ${describe(image)}`);
    const ids = [...document.querySelectorAll("[id]")].map(element => element.id);
    for (const id of new Set(ids.filter((id, index) => ids.indexOf(id) !== index))) findings.push(`id ${id} twice`);
    for (const element of document.querySelectorAll("[aria-controls], [aria-labelledby], [aria-describedby]")) for (const name of ["aria-controls", "aria-labelledby", "aria-describedby"]) { const id = element.getAttribute(name); if (id && !document.getElementById(id)) findings.push(`${name}=${id} points nowhere`); }
    if (document.querySelectorAll("main").length !== 1) findings.push("not one main");
    if (!document.documentElement.lang) findings.push("no language");
    if (!document.title) findings.push("no title");
    const headings = [...document.querySelectorAll("h1, h2, h3")].filter(visible).map(heading => Number(heading.tagName[1]));
    headings.forEach((level, index) => { if (index > 0 && level > headings[index - 1] + 1) findings.push(`heading ${level} after ${headings[index - 1]}`); });
    for (const element of document.querySelectorAll("[tabindex]")) if (element.tabIndex > 0) findings.push(`tabindex ${element.tabIndex}: ${describe(element)}`);
    for (const element of document.querySelectorAll("[aria-hidden=true]")) if ([...element.querySelectorAll("a[href], button, input")].some(inner => inner.tabIndex >= 0) && visible(element)) findings.push(`can be focused though hidden: ${describe(element)}`);
    for (const list of document.querySelectorAll("ul, ol")) for (const child of list.children) if (child.tagName !== "LI") findings.push(`a list with <${child.tagName.toLowerCase()}>`);
    for (const element of document.querySelectorAll("button, a[href], input, select")) {
      if (!visible(element) || innerWidth > 720) continue;
      const box = element.getBoundingClientRect();
      if (box.width < 24 || box.height < 24) if (!element.matches("input[type=checkbox], .hit-picture, p a, h2 a")) findings.push(`too small to hit: ${describe(element)}`);
    }
    return findings;
  });
  // Everything that Tab reaches shows that it is there.
  const seen = new Set();
  for (let step = 0; step < 60; step++) {
    await page.key("Tab");
    const at = await page.value(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const style = getComputedStyle(element), shows = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
      return { key: [...document.querySelectorAll("*")].indexOf(element), shows, about: element.outerHTML.slice(0, 100), inside: element.matches(".terminal-keyboard") };
    });
    if (!at || seen.has(at.key)) break;
    seen.add(at.key);
    if (!at.shows) found.push(`focus cannot be seen: ${at.about}`);
    if (at.inside) { found.push("Tab falls into the terminal's keyboard"); break; }
  }
  if (seen.size < 4) found.push(`Tab reaches ${seen.size} things only`);
  return found;
}
