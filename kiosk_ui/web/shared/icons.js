// Stroke icons on a 24 x 24 grid, drawn by name.
const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  card: ["M4.5 5h15a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2h-15a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2z", "M6 11a2 2 0 1 0 4 0 2 2 0 1 0-4 0", "M5 16c.6-1.7 1.7-2.5 3-2.5s2.4.8 3 2.5M14 10h5M14 14h5"],
  back: ["M10 6l-6 6 6 6M4 12h16"],
  next: ["M14 6l6 6-6 6M20 12H4"],
  help: ["M3 12a9 9 0 1 0 18 0 9 9 0 1 0-18 0", "M9.3 9.5a2.8 2.8 0 1 1 4 2.5c-.9.5-1.3 1-1.3 2M12 17.2v.1"],
  voice: ["M4 9.5v5h3.5L12 19V5L7.5 9.5zM15.5 9a4.5 4.5 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11"],
  globe: ["M3 12a9 9 0 1 0 18 0 9 9 0 1 0-18 0", "M3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18"],
  people: ["M5.8 8a3.2 3.2 0 1 0 6.4 0 3.2 3.2 0 1 0-6.4 0", "M3 20c.5-4 3-6 6-6s5.5 2 6 6M15.5 5.2a3.2 3.2 0 0 1 0 5.8M17 14.3c2.2.7 3.6 2.6 4 5.7"],
  clock: ["M3 12a9 9 0 1 0 18 0 9 9 0 1 0-18 0", "M12 7v5.5l3.5 2"],
  window: ["M3 4h18v16H3z", "M3 15h18M9 20v-5M15 20v-5"],
  pin: ["M12 21s7-6.5 7-11.5a7 7 0 0 0-14 0C5 14.5 12 21 12 21z", "M9.5 9.5a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0"],
  check: ["M4 12.5l5.5 5.5L20 6.5"],
  alert: ["M12 3.5L22 20.5H2z", "M12 10v5M12 17.7v.1"],
  stop: ["M3 12a9 9 0 1 0 18 0 9 9 0 1 0-18 0", "M8 8l8 8M16 8l-8 8"],
  phone: ["M8.5 2.5h7a2 2 0 0 1 2 2v15a2 2 0 0 1-2 2h-7a2 2 0 0 1-2-2v-15a2 2 0 0 1 2-2z", "M11 18.5h2"],
  print: ["M6.5 8V3h11v5M6.500 17H4a1 1 0 0 1-1-1v-6a2 2 0 0 1 2-2h14a2 2 0 0 1 2 2v6a1 1 0 0 1-1 1h-2.500", "M6.5 14h11v7h-11z"],
  calendar: ["M4 6h16v15H4z", "M4 10.5h16M8.5 3v5M15.5 3v5"],
  passport: ["M5 3h14v18H5z", "M8.5 10a3.5 3.5 0 1 0 7 0 3.5 3.5 0 1 0-7 0M8.5 17h7"],
  return: ["M9 7L4 12l5 5M4 12h11a5 5 0 0 1 5 5v2"],
  search: ["M4 10.5a6.5 6.5 0 1 0 13 0 6.5 6.5 0 1 0-13 0M15.5 15.5L21 21"],
  text: ["M3 19L8 5l5 14M4.7 14.5h6.6M14 19l3.5-9 3.5 9M15 16.2h5"],
  contrast: ["M3 12a9 9 0 1 0 18 0 9 9 0 1 0-18 0", "M12 3v18M15 5v14M18 7.5v9"],
  mute: ["M4 9.5v5h3.5L12 19V5L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5"],
  low: ["M4 4h16M12 7v9M8 12.5l4 4 4-4M4 20h16"],
  book: ["M5 4h11a3 3 0 0 1 3 3v14H8a3 3 0 0 1-3-3zM5 18a3 3 0 0 1 3-3h11M9 8h6"],
};

/** One path as a picture, of which something else tells what it is. */
export function picture(viewBox, d) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", viewBox);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", d);
  svg.append(path);
  return svg;
}

/** An icon as an SVG element; decoration only, the words beside it carry the meaning. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  for (const d of PATHS[name] ?? []) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}
