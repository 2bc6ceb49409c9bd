"""What people read about waits, and what a manager reads: overview, alarms, figures of the day."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    # waits: never to the minute, and nothing where nothing is known
    "wait.none": ("不用等", "no wait"),
    "wait.range": ("{low}–{high} 分钟", "{low}–{high} min"),
    "wait.about": ("约 {n} 分钟", "about {n} min"),
    "wait.unknown": ("暂无估计", "no estimate"),
    "wait.label": ("大约要等", "Estimated wait"),
    "slip.wait": ("大约要等 {wait}", "Estimated wait {wait}"),
}
