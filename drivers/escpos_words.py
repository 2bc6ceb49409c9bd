"""What passes between the hall and an ESC/POS printer, in words for a technician.

Source: protocol notes "Ticket printers (ESC/POS)" §2 and §3. For the live trace only: nothing is decided by it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterator

from drivers.base import BadReply
from drivers.escpos_status import CLEARED, JOB_DONE, Replies, decode_automatic, decode_full, decode_status
from drivers.wire_words import Words, set_bits, two_languages

_ASKED = {
    1: ("问打印机状态", "ask printer status"),
    2: ("问停机原因", "ask why offline"),
    3: ("问错误", "ask errors"),
    4: ("问纸传感器", "ask paper sensors"),
}
_LAYOUT = ("版式", "layout")
"""Between pieces of text, and not worth a word."""
_COMMANDS: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), zh, en)
    for pattern, zh, en in (
        (rb"\x10\x05\x02", "清除没打完的内容", "clear the buffer"),
        (rb"\x1b@", "初始化", "initialise"),
        (rb"\x1dV[\x00\x01]|\x1dV[AB].", "切纸", "cut"),
        (rb"\x1b[Jd].", "走纸", "feed"),
        (rb"\x1dr.|\x1bv", "问是否打完", "ask whether it is worked off"),
        (rb"\x1dI.", "问型号", "ask for its name"),
        (rb"\x1b=.", "选打印机或客显", "choose printer or display"),
        (rb"\x1bc5.", "锁面板按键", "lock the panel button"),
        (rb"\x1c[&.]|\x1b[aEMt23!R].?|\x1d[!BLW].?", *_LAYOUT),
    )
)
_REAL_TIME_BITS: tuple[tuple[Words, dict[int, Words]], ...] = (
    (("1 打印机", "1 printer"), {
        0x04: ("钱箱脚为高", "drawer pin high"), 0x08: ("停机", "offline"), 0x20: ("等恢复", "waits for recovery"),
        0x40: ("按着走纸键", "feed button held"),
    }),
    (("2 停机原因", "2 why offline"), {
        0x04: ("上盖打开", "cover open"), 0x08: ("按键走纸", "fed by the button"), 0x20: ("缺纸停机", "paper end"),
        0x40: ("有错误", "error"),
    }),
    (("3 错误", "3 error"), {
        0x04: ("机械错误", "mechanical"), 0x08: ("切刀错误", "cutter"), 0x20: ("不可恢复", "unrecoverable"),
        0x40: ("打印头过热", "head too hot"),
    }),
    (("4 纸", "4 paper"), {0x0C: ("近端纸少", "near end"), 0x60: ("末端无纸", "paper end")}),
)  # fmt: skip
_AUTOMATIC_BITS: tuple[tuple[Words, dict[int, Words]], ...] = (
    (("1 打印机", "1 printer"), {
        0x04: ("钱箱脚为高", "drawer pin high"), 0x08: ("停机", "offline"), 0x20: ("上盖打开", "cover open"),
        0x40: ("按键走纸", "fed by the button"),
    }),
    (("2 错误", "2 error"), {
        0x01: ("等恢复", "waits for recovery"), 0x02: ("按着走纸键", "feed button held"),
        0x04: ("机械错误", "mechanical"), 0x08: ("切刀错误", "cutter"), 0x20: ("不可恢复", "unrecoverable"),
        0x40: ("打印头过热", "head too hot"),
    }),
    (("3 纸", "3 paper"), {0x03: ("近端纸少", "near end"), 0x0C: ("末端无纸", "paper end")}),
    (("4 保留", "4 reserved"), {}),
)  # fmt: skip
_FULL_BITS: tuple[tuple[Words, dict[int, Words]], ...] = (
    (("帧头", "head"), {}),
    (("帧头", "head"), {}),
    (("纸", "paper"), {
        0x01: ("无纸", "no paper"), 0x04: ("纸少", "near end"), 0x20: ("出纸口有票", "slip in the mouth"),
        0x40: ("计数将尽", "virtual end"), 0x80: ("找到黑标", "mark found"),
    }),
    (("操作", "user"), {
        0x01: ("打印头抬起", "head up"), 0x02: ("上盖打开", "cover open"), 0x04: ("正在走纸", "spooling"),
        0x08: ("电机转动", "motor on"), 0x20: ("按着换行键", "LF key"), 0x40: ("按着走纸键", "FF key"),
    }),
    (("可恢复错误", "recoverable"), {
        0x01: ("打印头温度", "head temperature"), 0x02: ("通信错误", "line error"), 0x08: ("电压", "supply voltage"),
        0x20: ("命令不认识", "unknown command"), 0x40: ("卡纸", "jam"), 0x80: ("找不到黑标", "mark not found"),
    }),
    (("不可恢复错误", "unrecoverable"), {
        0x01: ("切刀", "cutter"), 0x02: ("切刀盖", "cutter cover"), 0x04: ("内存", "RAM"), 0x08: ("存储", "EEPROM"),
    }),
)  # fmt: skip
_PICTURE = re.compile(rb"\x1dv0.(..)(..)", re.DOTALL)
_BLOCK = re.compile(rb"\x1d\([A-Za-z](..)", re.DOTALL)
_ANSWERS = {
    "cover_open": "上盖打开",
    "paper_out": "缺纸",
    "paper_low": "纸少",
    "paper_jam": "卡纸",
    "cutter_error": "切刀错误",
    "head_hot": "打印头过热",
    "device_fault": "故障",
    "busy": "正按走纸键",
    "switched_offline": "停机",
}


def explain(direction: str, data: bytes) -> str:
    """Meaning of some bytes, `Chinese | English`; "" where nothing is known of them."""
    return two_languages(_sent(data) if direction == ">" else _heard(data))


def explain_bytes(direction: str, data: bytes) -> tuple[str, ...]:
    """What each byte of a status says, `Chinese | English`; nothing where it is none, or the line is ours."""
    if direction == ">":
        return ()
    if len(data) == 4 and all(byte & 0x93 == 0x12 for byte in data):
        names = _REAL_TIME_BITS
    elif len(data) == 4 and data[0] & 0x93 == 0x10 and not any(byte & 0x90 for byte in data[1:]):
        names = _AUTOMATIC_BITS
    elif len(data) == 6 and data.startswith(b"\x10\x0f"):
        names = _FULL_BITS
    else:
        return ()
    return tuple(set_bits(byte, *name) for byte, name in zip(data, names, strict=True))


def _sent(data: bytes) -> Iterator[tuple[str, str]]:
    at = text = 0
    while at < len(data):
        taken, words = _command(data, at)
        if not taken:
            text += 1
            at += 1
            continue
        at += taken
        if words == _LAYOUT:
            continue
        if text:
            yield f"文字 {text} 字节", f"{text} bytes of text"
            text = 0
        yield words
    if text:
        yield f"文字 {text} 字节", f"{text} bytes of text"


def _command(data: bytes, at: int) -> tuple[int, tuple[str, str]]:
    """Length of the command that begins here and what it is; 0 for plain text."""
    if data[at : at + 2] == b"\x10\x04" and data[at + 2 : at + 3]:
        return 3, _ASKED.get(data[at + 2], ("问状态", "ask status"))
    picture = _PICTURE.match(data, at)
    if picture:
        (across,), (rows,) = struct.unpack("<H", picture[1]), struct.unpack("<H", picture[2])
        return 8 + across * rows, (f"图像 {across * 8}×{rows} 点", f"picture of {across * 8}×{rows} dots")
    block = _BLOCK.match(data, at)
    if block:
        (length,) = struct.unpack("<H", block[1])
        return 5 + length, ("二维码或图形", "code or graphics")
    for pattern, zh, en in _COMMANDS:
        found = pattern.match(data, at)
        if found:
            return len(found[0]), (zh, en)
    return 0, ("", "")


def _heard(data: bytes) -> Iterator[tuple[str, str]]:
    # Only those whose full status begins with 10 0F send one; no automatic status has both in front.
    replies = Replies(full_status=data.startswith(b"\x10\x0f") or b"\x10\x0f" in data[4:])
    replies.feed(data)
    if len(replies.statuses) == 4:
        yield _conditions(bytes(replies.statuses))
    elif replies.statuses:
        yield f"状态 {replies.statuses.hex(' ')}", f"status {replies.statuses.hex(' ')}"
    yield from _unasked(replies)
    if replies.queued:
        yield "排在前面的已处理完", "what was queued before is worked off"
    for name in replies.texts:
        yield f"自报 {name}", f"calls itself {name}"
    if replies.strays:
        yield f"杂乱 {len(replies.strays)} 字节", f"{len(replies.strays)} stray bytes"


def _unasked(replies: Replies) -> Iterator[Words]:
    for frame in replies.automatic:
        yield _told("自动状态", "automatic status", decode_automatic(frame).conditions())
    for answer in replies.full:
        if answer.startswith(b"\x10\x0f"):
            yield _told("全部状态", "full status", decode_full(answer).conditions)
    for kind, mark in replies.blocks:
        if kind == JOB_DONE:
            yield f"{mark} 已打完", f"{mark} is printed"
        elif kind == CLEARED:
            yield "缓冲已清除", "the buffer is cleared"


def _conditions(answers: bytes) -> tuple[str, str]:
    try:
        found = sorted(decode_status(answers))
    except BadReply:
        return "状态看不懂", "status that cannot be read"
    return _told("状态", "status", found)


def _told(name_zh: str, name_en: str, found: Collection[str]) -> tuple[str, str]:
    zh = "、".join(_ANSWERS.get(condition, condition) for condition in sorted(found)) or "正常"
    return f"{name_zh}：{zh}", f"{name_en}: {', '.join(sorted(found)) or 'well'}"
