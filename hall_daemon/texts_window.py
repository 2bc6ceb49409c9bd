"""What window displays show, by code: Chinese, English; exactly ux.md §4.3. `_long` is for 16 characters."""

TEXTS: dict[str, tuple[str, str]] = {
    "window.closed": ("{window}号 未开放", "Window {window} closed"),
    "window.closed_long": ("{window}号窗口  未开放", "Window {window}  closed"),
    "window.closed_least": ("--", "--"),
    "window.idle": ("{window}号窗口", "Window {window}"),
    "window.idle_long": ("{window}号窗口  空闲  请等叫号", "Window {window}  free  please wait"),
    "call.display": ("请{number}到{window}号窗口", "{number} to window {window}"),
    "call.display_plain": ("{number}到{window}号窗口", "{number} window {window}"),
    "call.display_short": ("请{number}到本窗口", "{number} here"),
    "call.display_long": (
        "请 {number} 号  到 {window}号窗口办理",
        "Number {number}  to window {window}",
    ),
    "window.serving": ("{number} 办理中", "{number} serving"),
    "window.serving_long": ("{window}号窗口  {number} 正在办理", "Window {window}  serving {number}"),
    "window.paused": ("暂停服务", "Service paused"),
    "window.paused_long": ("{window}号窗口  暂停服务", "Window {window}  paused"),
    "window.paused_until_long": (
        "{window}号窗口  暂停  {until}恢复",
        "Window {window}  paused  back at {until}",
    ),
    "window.until": ("{until}恢复", "Back at {until}"),
    "window.other": ("请到{other}号窗口", "Go to window {other}"),
    "window.other_long": ("请到 {other}号窗口  不用重新取号", "Go to window {other}  same ticket"),
    "window.rating": ("请您评价 谢谢", "Please rate, thank you"),
    "window.rating_long": ("请在评价器上评价  谢谢", "Please rate on the device  thank you"),
}
