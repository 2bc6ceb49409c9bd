"""Every sentence a person in the hall reads or hears, by code, in Chinese and English.

The tables of the larger screens stand in files of their own; a code exists once.
"""

from __future__ import annotations

from typing import Literal

from hall_daemon import (
    texts_cases,
    texts_cases_counter,
    texts_clerks,
    texts_counter,
    texts_day,
    texts_kiosk,
    texts_manager,
    texts_province,
    texts_rules,
    texts_slips,
    texts_staff,
    texts_technician,
    texts_voice,
    texts_window,
)  # fmt: skip
from hall_daemon.protocol import Text

_HALL: dict[str, tuple[str, str]] = {
    # refusals of hall verbs
    "hall.illegal_step": (
        "{number} 现在不能这样操作（状态：{state}）。",
        "{number} is {state}: this step is not possible now.",
    ),
    "hall.nothing_waiting": ("现在没有人在等候。", "Nobody is waiting."),
    "hall.screen_out_of_date": (
        "屏幕已更新，请看清号码再按一次。",
        "The screen has changed. Look at the number and press again.",
    ),
    "hall.not_found": ("没有找到 {what}。", "{what} was not found."),
    "hall.already_waiting": (
        "您已取过 {number}，前面 {ahead} 人。",
        "You already have {number}; {ahead} ahead of you.",
    ),
    "hall.no_window": (
        "您选择的业务暂无对应办事窗口，请前往人工导引台咨询。",
        "No window for this service now. Please ask at the desk.",
    ),
    "hall.closed": ("现在不办公，暂停取号。", "The hall is closed; no numbers are issued."),
    "hall.day_is_open": ("{bizdate} 已经开厅。", "{bizdate} is open already."),
    "hall.day_is_over": (
        "{bizdate} 已经日结，要到下一个营业日才能开厅。",
        "{bizdate} has been closed: the next service day can be opened when it comes.",
    ),
    "hall.item_suspended": ("这项业务暂停办理。", "This service is suspended."),
    "hall.no_more_numbers": ("今日号已取完，请到导办台。", "No more numbers today. Please ask at the desk."),
    "hall.not_signed_in": ("请先在 {window} 号窗口上岗。", "Sign in to window {window} first."),
    "hall.window_taken": ("{window} 号窗口已有人上岗。", "Somebody else is signed in to window {window}."),
    "hall.must_finish_first": (
        "{number} 还在办理，请先办结或挂起。",
        "{number} is being served: finish or park it first.",
    ),
    "hall.must_decide_call": (
        "{number} 还在叫号中：到了请开始办理，没来请过号。",
        "{number} is being called: serve it, or mark it no-show.",
    ),
    "hall.storage_failed": (
        "存储故障，号码未发出，请到导办台。",
        "Storage fault: nothing was issued. Please ask at the desk.",
    ),
    "request.invalid": ("请求格式不对：{where}：{why}", "The request is malformed: {where}: {why}"),
    "request.unknown_path": ("没有这个地址。", "There is no such address."),
    "request.not_allowed": ("没有权限。", "Not allowed."),
    "request.internal": ("内部错误，已记录。", "Internal error; it has been logged."),
    # states of a ticket
    "state.waiting": ("等候", "waiting"),
    "state.called": ("叫号中", "being called"),
    "state.serving": ("办理中", "being served"),
    "state.parked": ("已挂起", "parked"),
    "state.no_show": ("已过号", "a no-show"),
    "state.finished": ("已办结", "finished"),
    "state.cancelled": ("已弃号", "cancelled"),
    "state.expired": ("已失效", "expired"),
    # calls
    "call.spoken": ("请 {number} 号到 {window} 号窗口办理。", "Number {number}, window {window}."),
    "call.announced": ("{zone}，请{number}号到{window}号窗口。", "Number {number}, window {window}."),
    "call.announced_short": ("{number}号，{window}号窗口。", "{number}, window {window}."),
    # what the hall board says in turn
    "board.goes_on": ("{time} 继续叫号", "Calling goes on at {time}"),
    "board.valid_until": ("已取的号 {time} 前有效", "Tickets are valid until {time}"),
    "board.notice.missed": ("过号请到原窗口告诉工作人员，不用重新取号", "Missed your call? Tell the same window"),
    "board.notice.look": ("请留意窗口屏和广播", "Watch the window signs and listen"),
    "board.notice.help": (
        "行动不便可按取号机“求助”，工作人员会来帮您",
        "Press Help on a ticket machine: staff will come",
    ),
    # notices at a window
    "notice.display_offline": ("窗口屏离线，请口头叫号。", "The window display is offline: call aloud."),
    "notice.display_fault": ("窗口屏没有显示这次叫号，请口头叫号。", "The display did not show this call: call aloud."),
    "notice.announcer_silent": ("语音没有播出，请口头叫号。", "The voice did not call: call aloud."),
    "evaluation.asked": ("等候评价", "Evaluation asked"),
    "evaluation.given": ("已评价", "Evaluated"),
    "evaluation.none": ("未评价", "Not evaluated"),
    "notice.scanner_offline": ("扫描仪离线，请到其他窗口扫描或留复印件。", "The scanner is offline: use another one."),
    "notice.card_expired": ("证件已过期，请核对。", "The ID card has expired: please check."),
    "notice.slip_unknown": (
        "打印结果不明，号码有效，没拿到票可到取号机补打。",
        "Nobody knows whether the slip came out; the number is valid, and a kiosk prints it again.",
    ),
    "notice.slip_not_printed": ("这张号没有打印出来，号码有效。", "The slip was not printed; the number is valid."),
    # documents other than the resident ID card (GA/T 2000.156)
    "document.511": ("台湾居民居住证", "Residence permit for Taiwan residents"),
    "document.516": ("港澳居民居住证", "Residence permit for Hong Kong and Macau residents"),
    "document.553": ("外国人永久居留身份证", "Foreign permanent resident ID card"),
    # scanning
    "scan.feeder_empty": ("进纸器里没有纸，请放好原件再扫。", "The feeder is empty. Insert the papers and scan again."),
    "scan.feeder_jam": ("扫描仪卡纸，请取出后从第 {page} 页继续。", "Paper jam. Clear it and go on from page {page}."),
    "scan.double_feed": (
        "第 {page} 页双张，请把第 {page} 页起的原件重放，按 F7 接着扫。",
        "Page {page}: two sheets at once. Put the papers back from page {page} on; F7 goes on.",
    ),
    "scan.count_pages": (
        "共 {pages} 页，对吗？请数一数原件；少了就按 F7 接着扫。",
        "{pages} pages in all: is that right? Count the papers; if some are missing, F7 goes on.",
    ),
    "scan.restarted": (
        "扫描仪没有反应，已重启扫描，请从第 {page} 页接着扫。",
        "The scanner did not react and was started anew. Go on from page {page}.",
    ),
    "scan.stopped": (
        "扫描已停止，可从第 {page} 页接着扫。",
        "Scanning was stopped. It can go on from page {page}.",
    ),
    "scan.lens_dark": (
        "高拍仪画面是黑的，请拿开遮挡、打开灯再拍。",
        "The camera sees nothing. Uncover the lens, switch its lamp on, and try again.",
    ),
    "scan.cover_open": ("扫描仪盖子开着，请盖好再扫。", "The scanner's cover is open. Close it and scan again."),
    "scan.busy": ("扫描仪正忙，请稍候再扫。", "The scanner is busy. Try again in a moment."),
    "scan.profile_unsuitable": (
        "这台扫描仪不能这样扫（没有进纸器、玻璃台或这种清晰度），请换一种方式。",
        "This scanner cannot scan like that (no feeder, glass or resolution). Choose another way.",
    ),
    "scan.broke_off": (
        "扫描中断，请把第 {page} 页起的原件按顺序重放，按 F7 接着扫。",
        "Scanning broke off. Put the papers back from page {page} on, in order; F7 goes on.",
    ),
    "scan.no_answer": (
        "扫描仪没有回答，已保存的页不受影响，请重扫第 {page} 页。",
        "The scanner gave no answer. Rescan page {page}.",
    ),
    "scan.bad_page": ("第 {page} 页图像损坏，请重扫。", "Page {page} is damaged. Scan it again."),
    "scan.no_space": ("磁盘空间不足，暂停扫描。", "Not enough disk space; scanning is paused."),
    "scan.no_scanner": ("这个窗口没有扫描仪。", "This window has no scanner."),
}


def _merge(*tables: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    merged: dict[str, tuple[str, str]] = {}
    for table in tables:
        twice = merged.keys() & table.keys()
        if twice:
            raise ValueError(f"sentence codes defined twice: {', '.join(sorted(twice))}")
        merged.update(table)
    return merged


TEXTS = _merge(
    texts_day.TEXTS,
    _HALL, texts_cases.TEXTS, texts_cases_counter.TEXTS, texts_clerks.TEXTS,
    texts_kiosk.TEXTS, texts_counter.TEXTS, texts_province.TEXTS,
    texts_technician.TEXTS, texts_slips.TEXTS, texts_staff.TEXTS, texts_voice.TEXTS, texts_window.TEXTS,
    texts_manager.TEXTS, texts_rules.TEXTS,
)  # fmt: skip


def say(code: str, /, **facts: object) -> Text:
    """A sentence whose facts may themselves differ by language."""
    zh = {name: fact.zh if isinstance(fact, Text) else fact for name, fact in facts.items()}
    en = {name: (fact.en or fact.zh) if isinstance(fact, Text) else fact for name, fact in facts.items()}
    return Text(zh=text(code, **zh).zh, en=text(code, **en).en)


def text(code: str, /, **facts: object) -> Text:
    """The sentence of a code with its facts filled in. Raises KeyError for an unknown code or a missing fact."""
    zh, en = TEXTS[code]
    return Text(zh=zh.format(**facts), en=en.format(**facts))


_SPOKEN = str.maketrans("0123456789", "零一二三四五六七八九")


def spoken_number(number: str, one: Literal["yi", "yao"] = "yi") -> str:
    """A number as it is said aloud: digit by digit ("A零一七"), so that no voice makes a quantity of it."""
    return number.replace("1", "幺" if one == "yao" else "一").translate(_SPOKEN)
