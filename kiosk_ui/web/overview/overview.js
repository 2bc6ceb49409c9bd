// The manager's page: draws what the daemon says, every two seconds. Reads only; knows no person and no clerk.
import { h, zoneChip } from "/ui/shared/dom.js";
import { icon } from "/ui/shared/icons.js";
import { credentials, follow } from "/ui/shared/stream.js";
import { bar, flowChart, spark, waitBars } from "/ui/overview/charts.js";

const STALE_MS = 10_000;
const STATES = { serving: "办理中", called: "叫号中", idle: "空闲", paused: "暂停", fault: "设备故障", closed: "未开" };
const MARKS = { serving: "", called: "▸", idle: "", paused: "‖", fault: "✕", closed: "" };
const LEVEL_ICONS = { urgent: "stop", warn: "alert", info: "help" };
const WEEKDAYS = "日一二三四五六";

let view = null;
let heardAt = 0;
let scrolled = {};

const number = (value) => h("b.num", {}, value === null || value === undefined ? "—" : String(value));

function figure(name, value, unit, note, { bad = false, change = "" } = {}) {
  return h(bad ? "article.bad" : "article", {},
    h("h2", {}, bad ? icon("alert") : null, name),
    h("p", {}, number(value), h("span", {}, unit), change ? h("i", {}, change) : null),
    h("small", { title: note }, note));
}

function figures() {
  const change = view.waiting - view.waiting_an_hour_ago;
  const late = view.longest_min > 30;
  const slow = (view.mean_wait_min ?? 0) > view.target_min;
  return h("section.kpis", { "aria-label": "要点 Key figures" },
    figure("现在等候", view.waiting, "人", `一小时前 ${view.waiting_an_hour_ago} 人`, { change: change ? `${change > 0 ? "↑" : "↓"} ${Math.abs(change)}` : "" }),
    figure("平均等候", view.mean_wait_min, "分钟", `近一小时 · 目标 ${view.target_min} 分钟`, { bad: slow }),
    figure("最久在等", view.longest_number ? view.longest_min : 0, "分钟", view.longest_number ? `${view.longest_number} · ${view.longest_zone.zh}` : "没有人在等", { bad: late }),
    figure("今天取号 / 办结", view.issued, `/ ${view.finished}`, `过号 ${view.missed}（${view.missed_percent ?? 0}%）· 转窗 ${view.transferred}`),
    figure("开放窗口", view.windows_open, `/ ${view.windows}`, `空闲 ${view.windows_idle} · 暂停 ${view.windows_paused}`),
    figure("当场办结", view.on_the_spot_percent, view.on_the_spot_percent === null ? "" : "%", "占办结与受理之和"),
    figure("满意率", view.satisfied_percent, view.satisfied_percent === null ? "" : "%", `评价 ${view.rated} · 不满意 ${view.dissatisfied}`));
}

function zones() {
  const row = (zone) => h(zone.over_target ? "tr.hot" : "tr", {},
    h("th", { scope: "row" }, zoneChip(zone.zone), zone.name.zh),
    h("td.right.num.big", {}, String(zone.waiting)),
    h("td", {}, bar(zone.mean_min ?? 0, view.target_min), number(zone.mean_min), zone.mean_min === null ? "" : " 分钟", zone.over_target ? h("span.over", {}, "▲ 超目标") : null),
    h("td.right.num", {}, `${zone.longest_min} 分`),
    h("td.right.num", {}, String(zone.windows_open), h("small", {}, ` / ${zone.windows}`)),
    h("td", {}, spark(zone.trend)));
  return h("section.panel.zones", {}, h("h2", {}, "各区现况"),
    h("table", {}, h("thead", {}, h("tr", {}, ...["区", "等候", `近一小时平均等候（目标 ${view.target_min} 分钟）`, "最久", "窗口", "近 2 小时人数"].map(
      (name, i) => h([1, 3, 4].includes(i) ? "th.right" : "th", { scope: "col" }, name)))), h("tbody", {}, view.zones.map(row))));
}

function alarms() {
  const one = (alarm) => h(`li.${alarm.level}`, {}, icon(LEVEL_ICONS[alarm.level]),
    h("div", {}, h("b", {}, alarm.what.zh), h("p", {}, alarm.advice.zh), h("small", {}, `${alarm.level_name.zh} · ${alarm.age.zh}`)));
  const count = view.alarms.length;
  return h("aside.panel.alarms", { "aria-label": "需要处理 Needs action" }, h("h2", {}, "需要处理", h(count ? "span.count" : "span.count.none", {}, String(count))),
    count ? h("ol", { id: "alarms", tabindex: "0" }, view.alarms.map(one)) : h("p", {}, "现在没有需要处理的事。"));
}

function windows() {
  const count = (state) => view.window_map.filter((w) => w.state === state).length;
  const words = (w) => `${w.window} 号窗口 ${STATES[w.state]}${w.number ? ` ${w.number} ${w.minutes} 分钟` : ""}${w.long ? "，时间过长" : ""}`;
  const one = (w) => h(`span.w.${w.state}`, { role: "img", title: words(w), "aria-label": words(w) }, MARKS[w.state], h("span.num", {}, w.window), w.long ? h("u", {}, "!") : null);
  const legend = Object.keys(STATES).map((state) => h("li", {}, h(`span.w.${state}`, { "aria-hidden": "true" }, MARKS[state]), STATES[state], number(count(state))));
  return h("section.panel.map", {}, h("h2", {}, `${view.windows} 个窗口`, h("ul.legend", {}, legend)),
    h("div.places", {}, view.zones.map((zone) => h("div", {}, zoneChip(zone.zone), h("div.ws", {}, view.window_map.filter((w) => w.zone === zone.zone).map(one))))));
}

function queues() {
  const row = (queue) => h("tr", {}, h("th", { scope: "row" }, `${queue.queue} ${queue.name.zh}`), h("td.right.num", {}, String(queue.waiting)),
    h("td.right.num", {}, String(queue.windows_open)), h("td.right", {}, queue.expected.zh));
  return table("queues", "各队列", ["队列", "在等", "窗口", "现在来约等"], view.queues.map(row));
}

function departments() {
  const row = (part) => h("tr", {}, h("th", { scope: "row", title: part.name.zh }, part.name.zh), h("td.right.num", {}, String(part.issued)), h("td.right.num", {}, String(part.finished)),
    h("td.right.num", {}, part.mean_wait_min === null ? "—" : `${part.mean_wait_min} 分`), h("td.right.num", {}, part.on_the_spot_percent === null ? "—" : `${part.on_the_spot_percent}%`));
  return table("departments", "部门今天", ["部门", "取号", "办结", "平均等候", "当场办结"], view.departments.map(row));
}

function table(id, name, heads, rows) {
  return h("section.panel", {}, h("h2", {}, name), h("div.scroll", { id, tabindex: "0", role: "region", "aria-label": name },
    h("table", {}, h("thead", {}, h("tr", {}, heads.map((head, i) => h(i ? "th.right" : "th", { scope: "col" }, head)))), h("tbody", {}, rows))));
}

function devices() {
  const one = (kind) => h(kind.well < kind.all ? "li.warn" : "li", {}, icon(kind.well < kind.all ? "alert" : "check"), h("span", {}, kind.name.zh),
    h("b.num", {}, String(kind.well), h("small", {}, ` / ${kind.all}`)));
  return view.devices.length ? h("div.devices", {}, h("h2", {}, "设备在线"), h("ul", {}, view.devices.map(one))) : null;
}

function head() {
  const [, month, day] = view.date.split("-").map(Number);
  const weekday = view.date ? WEEKDAYS[new Date(`${view.date}T00:00:00`).getDay()] : "";
  const late = view.oldest_to_province_min >= 2;
  const stale = Date.now() - heardAt > STALE_MS;
  return h("header", {}, h("h1", {}, view.hall.zh, h("small", {}, "运行概览 Live overview")),
    h("span", { class: stale ? "pill warn" : "pill", role: "status" }, icon(stale ? "alert" : "check"), stale ? "数据更新中断" : "数据实时"),
    h("span", { class: late ? "pill warn" : "pill" }, icon(late ? "alert" : "check"), `省平台 待传 ${view.to_province}`),
    download("csv", "下载 CSV"), download("xlsx", "下载 XLSX"),
    h("time.num", {}, view.date ? `${month}月${day}日 星期${weekday}　${view.clock}` : view.clock));
}

function download(kind, words) {
  const link = h("a.pill.plain", { href: `/overview/figures.${kind}` }, words);
  link.addEventListener("click", async (event) => {
    event.preventDefault(); // the token travels in a header, which a link cannot send
    const answer = await fetch(link.href, { headers: credentials() });
    if (!answer.ok) return;
    const file = h("a", { href: URL.createObjectURL(await answer.blob()), download: `hall-${view.date}.${kind}` });
    file.click();
    URL.revokeObjectURL(file.href);
  });
  return link;
}

function draw() {
  if (!view) return;
  for (const id of ["alarms", "queues", "departments"]) scrolled[id] = document.getElementById(id)?.scrollTop ?? 0;
  const focused = document.activeElement?.id;
  document.body.classList.toggle("stale", Date.now() - heardAt > STALE_MS);
  document.getElementById("app").replaceChildren(head(), figures(), h("main", {}, zones(), alarms(), windows(),
    h("div.bottom", {}, h("section.panel.chart", {}, h("h2", {}, "每 10 分钟取号与办结"), flowChart(view.flow)),
      h("section.panel.chart", {}, h("h2", {}, "正在等的人已等多久（分钟）"), waitBars(view.waited, view.target_min), devices()),
      departments(), queues())));
  for (const [id, top] of Object.entries(scrolled)) {
    const element = document.getElementById(id);
    if (element) element.scrollTop = top;
  }
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

setInterval(() => { if (view && Date.now() - heardAt > STALE_MS) draw(); }, 1000);
follow("/overview/views", { hear: (news) => { view = news; draw(); }, pulse: () => { heardAt = Date.now(); } });
