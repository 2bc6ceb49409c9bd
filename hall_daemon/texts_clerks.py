"""Sentences about the people at the windows, by code: Chinese, English."""

TEXTS: dict[str, tuple[str, str]] = {
    "hall.wrong_pin": (
        "工号或 PIN 不对，再错 {left} 次就要锁 15 分钟。",
        "Staff number or PIN is wrong; {left} more tries before a lock of 15 minutes.",
    ),
    "hall.account_locked": (
        "PIN 错得太多，{minutes} 分钟后再试，或请管理员解锁。",
        "Too many wrong PINs. Try again in {minutes} minutes, or ask for it to be unlocked.",
    ),
    "hall.account_shut": ("这个工号已停用，请找管理员。", "This account is locked. Ask the manager."),
    "hall.no_pin": (
        "{number} 还没有设 PIN，请管理员运行 hall-daemon account pin {number}。",
        "{number} has no PIN yet: hall-daemon account pin {number}",
    ),
    "hall.pin_form": ("PIN 要 6 到 12 位数字。", "A PIN has 6 to 12 digits."),
    "hall.pin_weak": ("这个 PIN 太容易猜，请换一个。", "This PIN is too easy to guess. Choose another."),
    "hall.account_exists": ("工号 {number} 已经有了。", "There is an account {number} already."),
    "hall.not_your_role": ("您的岗位不能这样操作，请找首席代表或值班长。", "Your role may not do that."),
    "hall.session_over": (
        "这个窗口已在别处上岗，或您已被下岗，请重新上岗。",
        "This session is over. Sign in again.",
    ),
    "hall.window_paused": ("窗口暂停服务，先按 F12 恢复。", "The window is paused; F12 goes on."),
    "hall.not_paused": ("窗口没有暂停。", "The window is not paused."),
    "hall.words_personal": (
        "里面有证件号或手机号，请去掉再记。",
        "There is an ID or telephone number in it. Leave it out.",
    ),
    "message.guard": ("请保安到窗口来", "Security, please come to the window"),
    "message.manager": ("请值班长到窗口来", "Duty manager, please come to the window"),
    "message.adviser": ("请业务咨询员到窗口来", "An adviser, please come to the window"),
    "message.technician": ("设备有问题，请技术员来", "Trouble with a device, technician please"),
    "message.to.guard": ("保安", "security"),
    "message.to.manager": ("值班长", "duty manager"),
    "message.to.adviser": ("咨询员", "adviser"),
    "message.to.technician": ("技术员", "technician"),
    "message.window": ("{window} 号窗口", "Window {window}"),
    "message.role.technician": ("技术员", "Technician"),
    "message.role.manager": ("值班长", "Duty manager"),
    "message.role.guide": ("导办台", "Guide desk"),
    "message.role.counter": ("窗口", "Counter"),
}
