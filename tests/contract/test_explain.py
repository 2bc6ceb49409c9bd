"""What passes on a line, in words for a technician: golden bytes of the protocol notes, and never an exception."""

from __future__ import annotations

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import display_onbon, idcard_pcsc, idcard_samv, keypad_psbc, keypad_serial, printer_escpos
from drivers.base import CallText, Slip, SlipFeed, SlipQr, SlipText
from drivers.display_onbon import OnbonOptions, encode_frame, encode_text

EXPLAINED = (display_onbon, idcard_pcsc, idcard_samv, keypad_psbc, keypad_serial, printer_escpos)


@pytest.mark.parametrize(
    ("module", "direction", "sent", "zh", "en"),
    [
        (printer_escpos, ">", "10 04 04", "问纸传感器", "ask paper sensors"),
        (printer_escpos, "<", "12 12 12 12", "状态：正常", "status: well"),
        (printer_escpos, "<", "1a 32 12 72", "状态：缺纸", "status: paper_out"),
        (printer_escpos, ">", "1b 40 1d 56 42 00 1d 72 01", "初始化，切纸，问是否打完", "initialise, cut"),
        (printer_escpos, ">", "1d 76 30 00 02 00 01 00 10 04 1b 40", "图像 16×1 点，初始化", "picture of 16×1 dots"),
        (printer_escpos, "<", "00", "排在前面的已处理完", "worked off"),
        (printer_escpos, "<", "5f 54 4d 38 38 00", "自报 TM88", "calls itself TM88"),
        (idcard_samv, ">", "aa aa aa 96 69 00 03 20 01 22", "找卡", "find a card"),
        (idcard_samv, "<", "aa aa aa 96 69 00 08 00 00 9f 00 00 00 00 97", "找到卡", "a card is there"),
        (idcard_samv, "<", "aa aa aa 96 69 00 04 00 00 80 84", "没有卡", "no card"),
        (idcard_pcsc, ">", "ff 00 00 00 0a aa aa aa 96 69 00 03 20 01 22", "找卡", "find a card"),
        (idcard_pcsc, "<", "aa aa aa 96 69 00 04 00 00 80 84 90 00", "没有卡", "no card"),
        (idcard_pcsc, ">", "ff b0 01 00 00", "读卡文件，从第 256 字节", "file from byte 256"),
        (idcard_pcsc, ">", "00 36 00 00 08", "读芯片号", "number of the chip"),
        (idcard_pcsc, ">", "00 c0 00 00 fa", "取其余回答", "fetch the rest"),
        (idcard_pcsc, "<", "6d 00", "状态字 6d 00", "status 6d 00"),
        (keypad_serial, ">", "89", "在吗？", "are you there?"),
        (keypad_serial, ">", "1b 53 30 41", "写显示行", "write a display line"),
        (keypad_serial, ">", "1b 43 31", "写显示行", "write a display line"),
        (keypad_serial, ">", "8b", "关闭按键", "keys off"),
        (keypad_serial, ">", "81", "请重新输入", "try again"),
        (keypad_psbc, ">", "1b 57", "问序列号", "ask the serial number"),
        (keypad_psbc, ">", "83 1b 47 53 00", "取消，请评价", "cancel, ask for an evaluation"),
        (keypad_psbc, ">", "1b 47 49 01 00", "开始按键输入", "begin key input"),
        (keypad_psbc, ">", "83", "取消", "cancel"),
    ],
)
def test_golden_bytes_have_their_meaning(module: ModuleType, direction: str, sent: str, zh: str, en: str) -> None:
    chinese, _, english = module.explain(direction, bytes.fromhex(sent)).partition(" | ")
    assert zh in chinese
    assert en in english


def test_frames_for_a_screen_name_the_screen() -> None:
    options = OnbonOptions(width_px=128, height_px=32)
    shown = encode_frame(3, encode_text(CallText(text="请A017到3号窗口"), options))
    assert display_onbon.explain(">", shown) == "3 号屏 显示内容 | screen 3: show a text"
    damaged = bytearray(shown)
    damaged[20] ^= 1
    assert display_onbon.explain(">", bytes(damaged)) == "帧损坏 | damaged frame"
    assert display_onbon.explain(">", shown[:-1]) == "", "half a frame is none"


def test_whole_slip_is_told_by_its_parts_and_never_by_its_text() -> None:
    slip = Slip(parts=(SlipText(text="A017", scale=4), SlipText(text="社保医保"), SlipQr(data="A1"), SlipFeed(mm=3)))
    encoded = printer_escpos.encode_slip(slip, printer_escpos.EscposOptions())
    meaning = printer_escpos.explain(">", encoded.data)
    assert meaning.startswith("初始化，文字 14 字节，")
    assert "二维码" in meaning
    assert "A017" not in meaning


def test_keys_that_people_press_are_never_explained() -> None:
    assert keypad_serial.explain("<", b"13900000000\r") == ""
    assert keypad_psbc.explain("<", b"13900000000\r") == ""


@pytest.mark.parametrize("module", EXPLAINED, ids=lambda module: module.__name__)
@given(
    direction=st.sampled_from("<>"), data=st.binary(max_size=60) | st.sampled_from([b"\x1dv0", b"\x10\x04", b"\x1b"])
)
def test_any_bytes_are_explained_or_passed_over(module: ModuleType, direction: str, data: bytes) -> None:
    meaning = module.explain(direction, data)
    assert meaning == "" or len(meaning.split(" | ")) == 2
