"""Sentences of the rules: refusals of calling and numbers, reasons of an order, by code in Chinese and English."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    "hall.recall_first": (
        "{number} 已呼叫 {calls} 次，呼满 {needed} 次才能过号；{left_s} 秒后再呼。确知不来，请写明原因再过号。",
        "{number} was called {calls} times of {needed}; call again in {left_s} s. If you know better, give a reason.",
    ),
    "hall.recall_now": (
        "{number} 已呼叫 {calls} 次，呼满 {needed} 次才能过号；请再呼一次。确知不来，请写明原因再过号。",
        "{number} was called {calls} times of {needed}; call again now. If you know better, give a reason.",
    ),
    "hall.too_early": (
        "您预约的时间是 {slot}，请在 {from_time} 以后签到取号。",
        "Your appointment is at {slot}. Please check in from {from_time} on.",
    ),
    "hall.number_exists": ("{number} 已经补录过了。", "{number} has been keyed in already."),
    "hall.not_a_pad_number": (
        "{number} 不是本厅应急号条的号码（如 XA001）。",
        "{number} is no number of an emergency pad of this queue (like XA001).",
    ),
    "hall.pad_needs_window": (
        "{number} 已在窗口办过，请填写窗口号。",
        "{number} was served on paper: say at which window.",
    ),
    "hall.nothing_to_undo": ("没有可以撤销的操作。", "There is nothing to undo."),
    "hall.needs_reason": ("请先写明原因。", "Give a reason first."),
    # what a clerk should see to
    "notice.unfinished": (
        "{number} 已办理超过 {minutes} 分钟，办完请按结束。",
        "{number} has been at this window for over {minutes} min: finish it when the resident has left.",
    ),
    "notice.used_up": (
        "{queue} 今日号已取完，请引导到导办台。",
        "{queue}: no more numbers today; send people to the information desk.",
    ),
    "notice.jumped": ("今天的号码不连续，属正常。", "Today's numbers are not consecutive; nothing is wrong."),
    # why one went before another
    "why.head": ("{number}：{at} 取号，现在{state}。", "{number}: taken at {at}, now {state}."),
    "why.bound": (
        "{until} 以后来的人，不会按规则排到 {number} 前面；以前来的优先号、预约号还可能。"
        "现在可能在它前面的有 {before} 个号，{windows} 个窗口在叫；"
        "每人都按今天最长的 {longest} 分钟算，最晚 {minutes} 分钟后叫到。",
        "Whoever comes after {until} is not called before {number} by the rules; priority and appointment numbers may "
        "be until then. {before} numbers may be before it now, and {windows} windows call; if each took the {longest} "
        "min of today's longest visit, it is called within {minutes} min.",
    ),
    "why.no_window": (
        "现在没有窗口在叫 {number} 的业务，请告诉值班经理。",
        "No window is calling for {number} now: tell the manager.",
    ),
    "why.nobody": ("没有人在 {number} 之前被叫。", "Nobody was called before {number}."),
    "why.arrival": (
        "{first} 先到：{at} 叫到 {window} 号窗口。{first} {came} 取号，本号 {mine}。",
        "{first} came first: called at {at} to window {window}; it was taken at {came}, this one at {mine}.",
    ),
    "why.bonus": (
        "{first} 优先（{priority}）：{at} 叫到 {window} 号窗口。"
        "它 {came} 取号，按规则提前 {bonus} 分钟排队；本号 {mine} 取号。",
        "{first} has priority ({priority}): called at {at} to window {window}. Taken at {came}, it counts as "
        "{bonus} minutes earlier; this one was taken at {mine}.",
    ),
    "why.put_back": (
        "{first} 在本号过号重排之后排在前面：{at} 叫到 {window} 号窗口。",
        "{first} stood before this one after it had missed its call: called at {at} to window {window}.",
    ),
    "why.slot_not_begun": (
        "本号的预约时段还没到，{at} 先叫了 {first} 到 {window} 号窗口。",
        "The slot of this appointment had not begun: {first} was called at {at} to window {window}.",
    ),
    "why.pinned": (
        "{first} 由工作人员置顶，原因：{reason}。{at} 叫到 {window} 号窗口。",
        "{first} was pinned by staff, reason: {reason}. Called at {at} to window {window}.",
    ),
    "why.sent_to_window": (
        "{first} 是转到 {window} 号窗口的，{at} 由该窗口叫号。",
        "{first} had been sent to window {window}, which called it at {at}.",
    ),
    "why.select": (
        "{first} 由工作人员选呼，原因：{reason}。{at} 叫到 {window} 号窗口。",
        "{first} was chosen by the clerk, reason: {reason}. Called at {at} to window {window}.",
    ),
    "why.walk_in": (
        "{first} 是窗口直接受理的：{at}，{window} 号窗口。",
        "{first} was taken in at the counter: {at}, window {window}.",
    ),
    "why.weight": (
        "{window} 号窗口优先办 {first} 那一类业务，{at} 先叫了它。",
        "Window {window} gives more weight to the queue of {first}, and called it at {at}.",
    ),
    "why.order": (
        "{first} 与本号同一分钟取号，{window} 号窗口先办那一类业务，{at} 先叫了它。",
        "{first} came in the same minute; window {window} takes its queue first, and called it at {at}.",
    ),
    "priority.normal": ("普通", "ordinary"),
    "priority.appointment": ("预约", "appointment"),
    "priority.elder": ("老年人", "senior citizen"),
    "priority.disabled": ("残疾人", "disabled"),
    "priority.pregnant": ("孕妇", "pregnant"),
    "priority.serviceman": ("军人", "service personnel"),
    "priority.green": ("绿色通道", "green lane"),
    "hall.still_away": (
        "{number} 还在等待：{stage}。",
        "{number} still waits for: {stage}.",
    ),
}
