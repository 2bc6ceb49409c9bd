// Small charts as SVG elements. Numbers in, pictures out; whoever cannot see them has the label.
const SVG = "http://www.w3.org/2000/svg";

/** An SVG element with attributes and children; numbers and strings only. */
export function s(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes ?? {})) element.setAttribute(name, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** The last values as a line that ends in a dot. */
export function spark(values) {
  const width = 92, height = 24, most = Math.max(4, ...values);
  if (values.length < 2) return s("svg", { class: "spark", width, height, "aria-hidden": "true" });
  const place = (value, i) => [4 + (i * (width - 12)) / (values.length - 1), height - 3 - (value / most) * (height - 6)];
  const places = values.map(place);
  const [x, y] = places.at(-1);
  return s("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" },
    s("polyline", { points: places.map((p) => p.join()).join(" ") }), s("circle", { cx: x, cy: y, r: 3 }));
}

/** A value against its target. */
export function bar(value, target) {
  const width = 128, most = target * 2.25, share = Math.min(1, value / most);
  return s("svg", { class: "bar", viewBox: `0 0 ${width} 16`, width, height: 16, "aria-hidden": "true" },
    s("rect", { class: "of", x: 0, y: 2, width, height: 12, rx: 3 }),
    s("rect", { class: value > target ? "hot" : "is", x: 0, y: 2, width: share * width, height: 12, rx: 3 }),
    s("line", { class: "mark", x1: (target / most) * width, x2: (target / most) * width, y1: 0, y2: 16 }));
}

/** Numbers taken and visits finished by ten minutes; the lines carry their names. */
export function flowChart(points) {
  const W = 360, H = 225, L = 34, R = 66, T = 10, B = 22;
  const most = niceTop(Math.max(4, ...points.flatMap((p) => [p.issued, p.finished])));
  const x = (i) => L + (i * (W - L - R)) / Math.max(1, points.length - 1);
  const y = (value) => H - B - (value / most) * (H - T - B);
  const label = `每 10 分钟取号与办结，最近：取号 ${points.at(-1)?.issued ?? 0}，办结 ${points.at(-1)?.finished ?? 0}`;
  const drawn = [0, most / 2, most].flatMap((value) => [
    s("line", { class: "grid", x1: L, x2: W - R, y1: y(value), y2: y(value) }),
    s("text", { class: "axis", x: L - 8, y: y(value) + 4, "text-anchor": "end" }, String(value)),
  ]);
  const every = Math.max(1, Math.ceil(points.length / 5));
  points.forEach((point, i) => {
    if (i % every === 0) drawn.push(s("text", { class: "axis", x: x(i), y: H - 5, "text-anchor": "middle" }, point.clock));
  });
  if (points.length) drawn.push(...line(points.map((p) => p.issued), "taken", "取号", x, y), ...line(points.map((p) => p.finished), "done", "办结", x, y));
  if (points.length > 1) spreadLabels(drawn);
  return s("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": label }, drawn);
}

function line(values, kind, name, x, y) {
  const last = values.length - 1;
  return [
    s("polyline", { class: kind, points: values.map((v, i) => `${x(i)},${y(v)}`).join(" ") }),
    s("circle", { class: kind, cx: x(last), cy: y(values[last]), r: 4 }),
    s("text", { class: `label ${kind}`, x: x(last) + 9, y: y(values[last]) + 4 }, `${name} ${values[last]}`),
  ];
}

function spreadLabels(drawn) {
  const labels = drawn.filter((e) => e.getAttribute("class")?.startsWith("label"));
  const [a, b] = labels.sort((p, q) => p.getAttribute("y") - q.getAttribute("y"));
  const gap = b.getAttribute("y") - a.getAttribute("y");
  if (gap < 15) {
    a.setAttribute("y", Number(a.getAttribute("y")) - (15 - gap) / 2);
    b.setAttribute("y", Number(b.getAttribute("y")) + (15 - gap) / 2);
  }
}

function niceTop(value) {
  const step = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].map((n) => n * step).find((top) => top >= value) ?? value;
}

const BARS = ["0–10", "10–20", "20–30", "30–40", "40+"];

/** How long those who wait have waited. */
export function waitBars(counts, targetMin) {
  const W = 340, H = 150, L = 8, B = 22, T = 22, width = 50, most = Math.max(1, ...counts);
  const gap = (W - 2 * L - width * BARS.length) / (BARS.length - 1);
  const label = BARS.map((name, i) => `${name} 分钟 ${counts[i]} 人`).join("，");
  const drawn = [s("line", { class: "grid", x1: L, x2: W - L, y1: H - B, y2: H - B })];
  counts.forEach((count, i) => {
    const height = (count / most) * (H - T - B), x = L + i * (width + gap);
    drawn.push(
      s("rect", { class: i * 10 >= targetMin ? "late" : "short", x, y: H - B - height, width, height, rx: 3 }),
      s("text", { class: "value", x: x + width / 2, y: H - B - height - 6, "text-anchor": "middle" }, `${count} 人`),
      s("text", { class: "axis", x: x + width / 2, y: H - 5, "text-anchor": "middle" }, BARS[i]),
    );
  });
  return s("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `正在等的人已等多久：${label}` }, drawn);
}
