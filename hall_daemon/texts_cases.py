"""What the counter and the papers of a case say."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    # why a paper is still wanted, and how it does
    "case.why.missing": ("缺", "Missing"),
    "case.why.poor": ("{fault}", "{fault}"),
    "case.why.wrong_kind": ("带来的形式不符合要求", "Not in the form that is asked for"),
    "case.how.original": ("原件 1 份", "The original"),
    "case.how.copy": ("复印件 1 份", "A copy"),
    "case.how.electronic": ("出示电子证照，或带原件", "The electronic licence, or the original"),
    "case.instead.e_license": ("出示电子证照也可以", "An electronic licence will do"),
    "case.instead.commitment": ("签告知承诺书也可以", "A letter of commitment will do"),
    "case.line": ("{name}：{why}；{how}", "{name}: {why}; {how}"),
    # refusals
    "hall.case_incomplete": (
        "还缺 {missing} 项材料，不能受理；请一次性告知。",
        "{missing} papers are missing: give one complete notice.",
    ),
    "hall.case_complete": ("材料齐全，不用告知，请受理。", "Nothing is missing: accept it."),
    "hall.case_step": (
        "这个办件现在不能这样操作（{state}）。",
        "This step is not possible now: the case is {state}.",
    ),
    "hall.case_not_yours": (
        "综合窗口只收件，请首席代表决定。",
        "This window takes in; a chief representative decides.",
    ),
    "hall.case_no_item": (
        "这个号没有事项，不能收件；请先选事项。",
        "This number is for no service: choose one first.",
    ),
    "hall.case_nothing": ("还没有收到材料，请先打勾或扫描。", "Nothing has been received yet: tick or scan it."),
    "hall.no_paper": (
        "现在没有可用的打印机；告知有效，请稍后补打或手写。",
        "No printer can be used now. The notice stands; print it later.",
    ),
    "hall.no_more_cases": ("今天的编号已用完。", "The numbers of this day are used up."),
    "case.state.received": ("已收件", "received"),
    "case.state.supplement": ("待补正", "awaiting papers"),
    "case.state.accepted": ("已受理", "accepted"),
    "case.state.decided": ("已办结", "decided"),
    "case.state.returned": ("已退回", "returned"),
    # where a paper lies
    "case.printed_here": ("已在本窗口打印", "Printed at this window"),
    "case.printed_at": ("已在 {kiosk} 打印", "Printed at {kiosk}"),
}
