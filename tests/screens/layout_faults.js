// What a person would complain about: keys too small, outside or over each other; words cut off, covered or tiny.
([leastPx, leastTextPx]) => {
  const WORDS = "h1, p, b, span, small, dd, dt, li, time, strong, .number, .check, .loads, .keypad";
  const overlap = (a, b, by) =>
    a.left < b.right - by && b.left < a.right - by && a.top < b.bottom - by && b.top < a.bottom - by;
  const outside = (box) =>
    box.left < -0.5 || box.top < -0.5 || box.right > innerWidth + 0.5 || box.bottom > innerHeight + 0.5;

  const found = [];
  const controls = [...document.querySelectorAll("[data-key]")].map((control) => ({
    box: control.getBoundingClientRect(),
    name: `${control.dataset.key} ${control.textContent.slice(0, 12)}`,
  }));
  controls.forEach(({ box, name }, index) => {
    const size = `${box.width.toFixed(0)} x ${box.height.toFixed(0)}`;
    if (Math.min(box.width, box.height) < leastPx - 0.5) found.push(`small ${name}: ${size}`);
    if (outside(box)) found.push(`outside ${name}`);
    for (const other of controls.slice(0, index)) if (overlap(box, other.box, 0.6)) found.push(`${name} over ${other.name}`);
  });

  // Down to where what an element says is seen: something between it and its control may hide the rest.
  const lowestSeen = (element, control) => {
    let lowest = Infinity;
    for (let at = element; at !== control; at = at.parentElement)
      if (getComputedStyle(at).overflowY !== "visible") lowest = Math.min(lowest, at.getBoundingClientRect().bottom);
    return lowest;
  };

  // What a control says lies within it; a range knows how far the letters go, an element only how far its box does.
  const letters = document.createRange();
  for (const control of document.querySelectorAll("[data-key], .nav")) {
    const box = control.getBoundingClientRect();
    for (const element of control.querySelectorAll("b, small, span, em, mark")) {
      if (element.children.length || !element.textContent.trim()) continue;
      letters.selectNodeContents(element);
      const said = letters.getBoundingClientRect();
      const blank = 0.15 * parseFloat(getComputedStyle(element).fontSize); // above and below the characters of a font
      const high = Math.max(box.top - said.top, said.bottom - box.bottom) - blank;
      const out = Math.max(box.left - said.left, said.right - box.right, high);
      if (said.width && out > 1) found.push(`${out.toFixed(0)} px out of its key: ${element.textContent.slice(0, 16)}`);
      const cut = said.bottom - blank - lowestSeen(element, control);
      if (said.width && cut > 1) found.push(`${cut.toFixed(0)} px cut off: ${element.textContent.slice(0, 16)}`);
    }
  }

  const words = document.createTreeWalker(document.querySelector("main") ?? document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const element = words.currentNode.parentElement;
    if (!words.currentNode.data.trim() || !element.getClientRects().length || element.closest("[aria-hidden]")) continue;
    const size = parseFloat(getComputedStyle(element).fontSize);
    if (size < leastTextPx - 0.1) found.push(`${size.toFixed(1)} px small: ${words.currentNode.data.slice(0, 16)}`);
  }

  for (const element of document.querySelectorAll(WORDS)) {
    const box = element.getBoundingClientRect();
    if (!box.width || !element.textContent.trim()) continue;
    const main = element.closest("main")?.getBoundingClientRect();
    const name = `${element.tagName} ${element.textContent.slice(0, 16)}`;
    if (outside(box)) found.push(`outside ${name}`);
    else if (main && (box.bottom > main.bottom + 0.5 || box.top < main.top - 0.5)) found.push(`cut ${name}`);
    if (element.children.length || element.closest("[data-key]")) continue;
    for (const control of controls) if (overlap(box, control.box, 1)) found.push(`${name} under ${control.name}`);
  }
  return found;
}
