// The only page that the daemon cannot send: it is not there. Every other word comes with the view.
export const LOST = {
  title: { zh: "这台机器正在维护", en: "This kiosk is out of service" },
  line: {
    zh: "请用旁边的取号机，或到导办台取号。已取的号全部有效",
    en: "Use another kiosk or the information desk. Tickets already taken stay valid",
  },
};
