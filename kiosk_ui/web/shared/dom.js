// Building elements without strings of markup: what the daemon sends can never become markup.

/** `h("p.lead", {}, "text", child)`: an element with classes, attributes and children; null children are left out. */
export function h(kind, attributes, ...children) {
  const [tag, ...classes] = kind.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

/** Which of the two languages stands large; the other one stands beside it. */
export class Speech {
  constructor(language = "zh", alone = false) {
    this.language = language;
    this.alone = alone; // large letters have no room for the other one
  }

  large(text) {
    return this.language === "en" ? text.en || text.zh : text.zh;
  }

  small(text) {
    if (this.alone) return "";
    const other = this.language === "en" ? text.zh : text.en;
    return other && other !== this.large(text) ? other : "";
  }

  /** Large words with the other language under them. */
  both(text, tag = "b") {
    const small = this.small(text);
    return h("span.words", {}, h(tag, {}, this.large(text)), small ? h("small", { lang: this.other }, small) : null);
  }

  /** What the smaller language is called. */
  get other() {
    return this.language === "en" ? "zh-CN" : "en";
  }
}

/** The letter of a zone on its colour. */
export function zoneChip(zone, big = false) {
  const known = "ABCDE".includes(zone) ? zone : "other";
  return h(`i.zone.zone-${known}${big ? ".big" : ""}`, { "aria-hidden": "true" }, zone);
}
