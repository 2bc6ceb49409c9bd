// The page behind the QR code of a slip: place, expected wait and call of one ticket. Keeps nothing, asks every 10 s.
(() => {
  const EVERY_MS = 10000;
  const OLD_MS = 40000;
  const main = document.getElementById("ticket");
  let view = null;
  let heardAt = 0;
  let problem = "";
  let chosen = 0;
  let sending = false;
  let unsent = false;

  const LEVELS = [
    [5, "非常满意", "Very satisfied"],
    [4, "满意", "Satisfied"],
    [3, "基本满意", "Fairly satisfied"],
    [2, "不满意", "Dissatisfied"],
    [1, "非常不满意", "Very dissatisfied"],
  ];

  function h(kind, ...children) {
    const [tag, ...classes] = kind.split(".");
    const element = document.createElement(tag);
    if (classes.length) element.className = classes.join(" ");
    element.append(...children.filter((child) => child !== null && child !== ""));
    return element;
  }

  function english(words) {
    const element = h("small", words);
    element.lang = "en";
    return element;
  }

  const both = (zh, en) => [zh, english(en)];
  const box = (kind, large, zh, en) => h(`section${kind}`, h("b", large), ...both(zh, en));

  function wait() {
    if (view.high_minutes === null) return ["—", "暂无估计", "no estimate yet"];
    if (view.high_minutes === 0) return ["不用等", "马上就到", "no wait"];
    return [`${view.low_minutes}–${view.high_minutes}`, "大约要等（分钟）", "minutes to wait"];
  }

  function place() {
    const where = h("section", h("b", view.zone.zh), ...both(`窗口 ${view.windows.join("、")}`, `${view.zone.en} · windows ${view.windows.join(", ")}`));
    return [
      h("div.two", box("", String(view.ahead), "前面还有（人）", "ahead of you"), box("", ...wait())),
      where,
      h("p", ...both("请不要走远，留意大屏和广播。", "Please stay near, and watch the board.")),
    ];
  }

  const STATES = {
    waiting: place,
    called: () => [box(".call", `${view.window} 号窗口`, "正在叫您，请到窗口", `Please go to window ${view.window}`)],
    serving: () => [h("section", h("b", "正在办理"), english("Being served"))],
    missed: () => [h("section", h("b", "已过号"), ...both("请到原窗口告诉工作人员，不用重新取号。", "You missed your call. Tell the same window; no new ticket is needed."))],
    over: () => [h("section", h("b", "已结束"), english("This ticket is finished")), ...rating()],
  };

  function button(kind, press, ...children) {
    const element = h(`button${kind}`, ...children);
    element.type = "button";
    element.addEventListener("click", press);
    return element;
  }

  // Chosen first and sent by a second press: a visit is rated once, and nothing is chosen beforehand.
  function rating() {
    if (view.rating === "given") return [h("p", ...both("已评价，谢谢。", "Rated. Thank you."))];
    if (view.rating !== "open") return [];
    const levels = LEVELS.map(([level, zh, en]) => {
      const element = button(".level", () => { chosen = level; draw(); }, ...both(zh, en));
      element.id = `level-${level}`;
      element.setAttribute("aria-pressed", String(level === chosen));
      return element;
    });
    const send = button(".send", rate, ...both("提交评价", "Send"));
    send.disabled = chosen === 0 || sending;
    return [
      h("h2", ...both("请您评价这次服务", "Please rate our service")),
      h("div.levels", ...levels),
      unsent ? h("p.old", ...both("没有送出，请再按一次。", "Not sent. Please press again.")) : "",
      send,
    ];
  }

  async function rate() {
    sending = true;
    draw();
    try {
      const answer = await fetch(`${location.pathname.replace(/\/$/, "")}/rating`, {
        method: "POST", cache: "no-store", referrerPolicy: "no-referrer",
        headers: { "content-type": "application/json" }, body: JSON.stringify({ level: chosen }),
      });
      unsent = !answer.ok && answer.status !== 409;
      if (answer.ok) heard(await answer.json());
      else if (answer.status === 409) void ask();
    } catch {
      unsent = true;
    }
    sending = false;
    draw();
  }

  const PROBLEMS = {
    gone: ["没有这张号", "号票当天有效。请看大屏，或问工作人员。", "Tickets are valid on their day only."],
    away: ["暂时查不到", "正在重试。请看大屏和窗口屏，听广播。", "Trying again. Please watch the board."],
  };

  function draw() {
    if (view === null) {
      if (problem) main.replaceChildren(box("", ...PROBLEMS[problem]));
      return;
    }
    const old = view.state !== "over" && Date.now() - heardAt > OLD_MS;
    const focus = document.activeElement?.id;
    main.replaceChildren(
      h("header", h("span", view.hall.zh), h("span", view.clock)),
      h("h1", view.number),
      old ? h("p.old", ...both(`连不上大厅，这是 ${view.clock} 的情况。请看大屏。`, `Not connected: this is how it was at ${view.clock}.`)) : "",
      ...STATES[view.state](),
    );
    if (focus?.startsWith("level-")) document.getElementById(focus)?.focus();
    document.title = view.state === "called" ? `请到 ${view.window} 号窗口` : `${view.number} 排队进度`;
  }

  function heard(next) {
    // Only a phone that was touched may shake; the others show it.
    if (next.state === "called" && (view?.state !== "called" || view.window !== next.window)) navigator.vibrate?.([400, 200, 400]);
    view = next;
    heardAt = Date.now();
  }

  async function ask() {
    let wait = EVERY_MS;
    try {
      const answer = await fetch(`${location.pathname.replace(/\/$/, "")}/view`, { cache: "no-store", referrerPolicy: "no-referrer" });
      if (answer.status === 404) {
        problem = "gone";
        view = null;
      } else if (answer.status === 429) {
        problem = "away";
        wait = 1000 * Number(answer.headers.get("retry-after") ?? 60);
      } else if (answer.ok) {
        heard(await answer.json());
      } else {
        problem = "away";
      }
    } catch {
      problem = "away";
    }
    draw();
    if (problem !== "gone" && view?.state !== "over") setTimeout(ask, wait * (0.8 + 0.4 * Math.random()));
  }

  void ask();
})();
