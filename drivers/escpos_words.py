"""What passes between the hall and an ESC/POS printer, in words for a technician.

Source: protocol notes "Ticket printers (ESC/POS)" §2 and §3. For the live trace only: nothing is decided by it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from drivers.base import BadReply
from drivers.escpos_status import Replies, decode_status
from drivers.wire_words import two_languages

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
    replies = Replies()
    replies.feed(data)
    if len(replies.statuses) == 4:
        yield _conditions(bytes(replies.statuses))
    elif replies.statuses:
        yield f"状态 {replies.statuses.hex(' ')}", f"status {replies.statuses.hex(' ')}"
    if replies.queued:
        yield "排在前面的已处理完", "what was queued before is worked off"
    for name in replies.texts:
        yield f"自报 {name}", f"calls itself {name}"
    if replies.strays:
        yield f"杂乱 {len(replies.strays)} 字节", f"{len(replies.strays)} stray bytes"


def _conditions(answers: bytes) -> tuple[str, str]:
    try:
        found = sorted(decode_status(answers))
    except BadReply:
        return "状态看不懂", "status that cannot be read"
    if not found:
        return "状态：正常", "status: well"
    zh = "、".join(_ANSWERS.get(condition, condition) for condition in found)
    return f"状态：{zh}", "status: " + ", ".join(found)
