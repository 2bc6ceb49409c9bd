// Words of the frame, the same on every page. All else comes with the view.
export const WORDS = {
  steps: [
    { zh: "刷证", en: "ID card" },
    { zh: "手机号", en: "Phone" },
    { zh: "选事项", en: "Service" },
    { zh: "核对", en: "Check" },
    { zh: "取号", en: "Ticket" },
  ],
  waitingNow: { zh: "现在各区等候人数", en: "People waiting now" },
  bring: { zh: "办这件事要带", en: "You will need" },
  yourNumber: { zh: "您的号码", en: "Your number" },
  goTo: { zh: "请到", en: "Go to" },
  window: { zh: "号窗口", en: "window" },
  ahead: { zh: "前面还有", en: "Ahead of you" },
  people: { zh: "人", en: "waiting" },
  page: { zh: "页", en: "page" },
  seconds: { zh: "秒后回首页", en: "s, then back to start" },
  next: { zh: "下一步", en: "Next" },
  correct: { zh: "更正", en: "Correct" },
  helpHint: { zh: "有困难请按求助", en: "For help or English press Help" },
  // The only page that the daemon cannot send: it is not there.
  lostTitle: { zh: "这台机器正在维护", en: "This kiosk is out of service" },
  lostLine: {
    zh: "请用旁边的取号机，或到导办台取号。已取的号全部有效",
    en: "Use another kiosk or the information desk. Tickets already taken stay valid",
  },
};
