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
    "hall.nothing_to_undo": ("没有可以撤销的操作。", "There is nothing to undo."),
    "hall.needs_reason": ("请先写明原因。", "Give a reason first."),
    "hall.still_away": (
        "{number} 还在等待：{stage}。",
        "{number} still waits for: {stage}.",
    ),
}
