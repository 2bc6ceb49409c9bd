// Words whose contrast to what lies behind them is less than asked for. Colours are solid; a picture behind words would
// need more, and there is none. `least` is a ratio as WCAG counts it.
(least) => {
  const channel = (value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  };
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const read = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, alpha = 1] = read(getComputedStyle(at).backgroundColor);
      if (alpha === 1) return [r, g, b];
      if (alpha > 0) return null;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.getElementById("app") ?? document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const words = walker.currentNode.textContent.trim();
    const box = element.getBoundingClientRect();
    if (!words || !box.width || element.closest(".absent, [aria-hidden=true].rest")) continue;
    const ground = behind(element);
    const ink = light(read(getComputedStyle(element).color));
    const ratio = ground ? (Math.max(ink, light(ground)) + 0.05) / (Math.min(ink, light(ground)) + 0.05) : 0;
    if (ratio < least) found.push(`${ratio.toFixed(2)} ${element.className || element.tagName}: ${words.slice(0, 16)}`);
  }
  return found;
};
