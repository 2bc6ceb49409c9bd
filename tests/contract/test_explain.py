"""What passes on a line, in words for a technician: golden bytes of the protocol notes, and never an exception."""

from __future__ import annotations

import importlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import display_alpha, display_onbon, keypad_psbc, keypad_serial, printer_escpos
from drivers.base import CallText, Slip, SlipFeed, SlipQr, SlipText
from drivers.display_onbon import OnbonOptions, encode_frame, encode_text
from drivers.transport_evdev import EV_KEY, EV_SYN, RECORD, SYN_REPORT
from tests.contract.onbon_goldens import ACK_1, GOLDEN, frame
from tests.contract.test_every_driver import DRIVERS

ALPHA = bytes.fromhex("00 00 00 00 00 01 5A 30 30 02 41 41 1B 20 62 41 30 30 31 03 30 31 46 36 04")
KEY_5 = RECORD.pack(1, 2, EV_KEY, 6, 1) + RECORD.pack(1, 2, EV_SYN, SYN_REPORT, 0) + RECORD.pack(1, 3, EV_KEY, 6, 0)
PICTURE_ASKED = b"picture 2592 x 1944 of /dev/video0".hex()
GOLDENS = [
    ("announcer_sound", ">", "52 49 46 46 24 00 00 00 57 41 56 45 66 6d 74 20", "播放声音", "play a sound"),
    (
        "announcer_sound",
        "<",
        "46 72 6f 6e 74 3a 20 5b 30 25 5d 20 5b 6f 66 66 5d",
        "音量 0%，静音",
        "volume 0 %, muted",
    ),
    ("announcer_syn6288", ">", "fd 00 0b 01 00 d3 ee d2 f4 cc ec cf c2 c1", "播报", "speak"),
    ("announcer_syn6288", ">", "fd 00 02 21 de fd 00 02 02 fd", "问状态，停止播报", "ask its state, stop"),
    ("announcer_syn6288", "<", "41 4f", "已收到，已静", "taken, silent"),
    ("caller_rs485", "<", "01 03 00 73 73 ff", "3 号呼叫器 下一位", "caller 3: next"),
    ("camera_uvc", ">", PICTURE_ASKED, "拍照 2592×1944", "take a picture of 2592 x 1944"),
    ("camera_uvc", "<", b"ok 2592 x 1944, 812345 bytes".hex(), "图像 2592×1944", "picture 2592×1944"),
    ("camera_uvc", "<", b"dark 0 x 0, 0 bytes".hex(), "画面全黑", "black picture"),
    ("codereader_hid", "<", KEY_5.hex(), "按下 1 次（内容不显示）", "1 presses, not shown"),
    ("codereader_serial", "<", "45 45 31 32 0d", "条码 5 字节（内容不显示）", "5 bytes of a code, not shown"),
    ("display_alpha", ">", ALPHA.hex(), "所有屏 显示内容", "every screen: show a text"),
    ("display_alpha", ">", ALPHA.replace(b"A001", b"A002").hex(), "帧损坏", "damaged frame"),
    (
        "display_customer",
        ">",
        "1b 3d 02 1b 40 0c 1f 24 01 02 41 30 30 31 1f 58 04 1b 3d 01",
        "选客显，初始化，清屏，写下行，亮度，选打印机",
        "choose the display, initialise, clear, write the lower row, brightness, choose the printer",
    ),
    (
        "display_customer",
        ">",
        "1b 51 41 41 30 30 31 0d 1b 51 42 33 0d",
        "写上行，写下行",
        "the upper row, write the lower",
    ),
    (
        "display_strip",
        ">",
        "a0 06 28 03 01 0c 22 03 63 ff a0 02 29 03 2e ff",
        "3 号屏 叫号页，3 号屏 查询是否在线",
        "screen 3: page of a call, screen 3: are you there?",
    ),
    (
        "display_strip",
        ">",
        "aa 03 bb 51 54 ff 01 00 99 00 63 c7 eb 41 30 30 31 ba c5 ff",
        "3 号屏 显示内容",
        "screen 3: show a text",
    ),
    ("display_strip", ">", "a0 03 28 03 00 2f ff", "帧损坏", "damaged frame"),
    ("display_strip", "<", "a0 03 14 03 50 06 ff", "3 号屏 已收到", "screen 3: taken"),
    ("display_onbon", ">", frame(GOLDEN["ping 1"]).hex(), "1 号屏 查询是否在线", "screen 1: are you there?"),
    ("display_onbon", ">", frame(GOLDEN["clock"]).hex(), "1 号屏 校时", "screen 1: set its clock"),
    ("display_onbon", "<", frame(ACK_1).hex(), "1 号屏 已收到", "screen 1: acknowledged"),
    ("display_strip", "<", "a0 05 98 03 50 a1 03 30 ff", "3 号屏 版本", "screen 3: version"),
    ("display_two_colour", ">", "a0 90 01 a5 00 05 c7 eb 00 38 01 b4", "1 号屏 显示内容", "screen 1: show a text"),
    ("display_two_colour", ">", "a0 90 01 a5 00 05 c7 eb 00 38 01 b5", "帧损坏", "damaged frame"),
    (
        "display_two_colour",
        "<",
        "a0 90 03 a5 aa a0 90 04 a5 55",
        "3 号屏 已显示，4 号屏 显示失败",
        "screen 3: shown, screen 4: failed",
    ),
    ("evaluator_bytes", "<", "32", "评价按键 1 字节（内容不显示）", "not shown"),
    ("evaluator_bytes", ">", "1b 59", "配置里的命令", "a command of its table"),
    ("evaluator_caller", ">", "03 01 59 00 01 ff", "3 号呼叫器 请评价", "caller 3: ask for an evaluation"),
    ("evaluator_caller", ">", "03 01 59 00 00 ff", "3 号呼叫器 停止评价", "caller 3: stop asking"),
    ("evaluator_caller", "<", "01 03 59 00 05 ff", "3 号呼叫器 已评价（内容不显示）", "caller 3: evaluated, not shown"),
    ("evaluator_caller", "<", "01 03 59 00 00 ff", "3 号呼叫器 无人评价", "caller 3: nobody evaluated"),
    ("keypad_evdev", "<", (KEY_5 * 2).hex(), "按下 2 次（内容不显示）", "2 presses, not shown"),
    ("keypad_matrix", "<", "31 33 39", "按键 3 字节（内容不显示）", "3 bytes of keys, not shown"),
    ("scanner_escl", ">", b"GET http://10.0.3.20/eSCL/ScannerStatus 0 bytes".hex(), "问状态", "ask its status"),
    ("scanner_escl", ">", b"POST http://10.0.3.20/eSCL/ScanJobs 934 bytes".hex(), "下达扫描任务", "order a scan job"),
    ("scanner_escl", ">", b"DELETE http://10.0.3.20/eSCL/ScanJobs/7 0 bytes".hex(), "删除任务", "delete the job"),
    (
        "scanner_escl",
        "<",
        b"200 text/xml; charset=utf-8 812 bytes".hex(),
        "200 好，资料 812 字节",
        "document of 812 bytes",
    ),
    ("scanner_escl", "<", b"200 image/jpeg 81234 bytes".hex(), "图像 81234 字节", "200 well, picture of 81234 bytes"),
    ("scanner_escl", "<", b"201  0 bytes503  0 bytes".hex(), "201 任务已建立，503 还没准备好", "503 not ready yet"),
    ("scanner_sane", "<", b"exit -9 ".hex(), "扫描程序被结束", "the helper was killed"),
    ("scanner_sane", ">", b"/usr/bin/scanimage -d test:0 -A".hex(), "问能做什么", "ask what it can do"),
    ("scanner_sane", ">", b"/usr/bin/scanimage -d test:0 --source=ADF --batch-prompt".hex(), "开始扫描", "scan"),
    ("scanner_sane", "<", b"page 1: 8123 bytesexit 6 scanimage: jammed | x".hex(), "第 1 页 8123 字节，卡纸", "jammed"),
    ("printer_escpos", ">", "10 04 04", "问纸传感器", "ask paper sensors"),
    ("printer_escpos", "<", "12 12 12 12", "状态：正常", "status: well"),
    ("printer_escpos", "<", "1a 32 12 72", "状态：缺纸", "status: paper_out"),
    ("printer_escpos", ">", "1b 40 1d 56 42 00 1d 72 01", "初始化，切纸，问是否打完", "initialise, cut"),
    ("printer_escpos", ">", "1d 76 30 00 02 00 01 00 10 04 1b 40", "图像 16×1 点，初始化", "picture of 16×1 dots"),
    ("printer_escpos", "<", "00", "排在前面的已处理完", "worked off"),
    ("printer_escpos", "<", "5f 54 4d 38 38 00", "自报 TM88", "calls itself TM88"),
    ("idcard_samv", ">", "aa aa aa 96 69 00 03 20 01 22", "找卡", "find a card"),
    ("idcard_samv", "<", "aa aa aa 96 69 00 08 00 00 9f 00 00 00 00 97", "找到卡", "a card is there"),
    ("idcard_samv", "<", "aa aa aa 96 69 00 04 00 00 80 84", "没有卡", "no card"),
    ("idcard_pcsc", ">", "ff 00 00 00 0a aa aa aa 96 69 00 03 20 01 22", "找卡", "find a card"),
    ("idcard_pcsc", "<", "aa aa aa 96 69 00 04 00 00 80 84 90 00", "没有卡", "no card"),
    ("idcard_pcsc", ">", "ff b0 01 00 00", "读卡文件，从第 256 字节", "file from byte 256"),
    ("idcard_pcsc", ">", "00 36 00 00 08", "读芯片号", "number of the chip"),
    ("idcard_pcsc", ">", "00 c0 00 00 fa", "取其余回答", "fetch the rest"),
    ("idcard_pcsc", "<", "6d 00", "状态字 6d 00", "status 6d 00"),
    ("keypad_serial", ">", "89", "在吗？", "are you there?"),
    ("keypad_serial", ">", "1b 53 30 41", "写显示行", "write a display line"),
    ("keypad_serial", ">", "1b 43 31", "写显示行", "write a display line"),
    ("keypad_serial", ">", "8b", "关闭按键", "keys off"),
    ("keypad_serial", ">", "81", "请重新输入", "try again"),
    ("keypad_psbc", ">", "1b 57", "问序列号", "ask the serial number"),
    ("keypad_psbc", ">", "83 1b 47 53 00", "取消，请评价", "cancel, ask for an evaluation"),
    ("keypad_psbc", ">", "1b 47 49 01 00", "开始按键输入", "begin key input"),
    ("keypad_psbc", ">", "83", "取消", "cancel"),
]
"""Driver, direction, bytes in hex, and what both halves must say."""


def explain(driver: str, direction: str, data: bytes) -> str:
    told: str = importlib.import_module(f"drivers.{driver}").explain(direction, data)
    return told


def test_every_driver_has_a_golden() -> None:
    assert {driver for driver, *_ in GOLDENS} == set(DRIVERS)


@pytest.mark.parametrize(("driver", "direction", "sent", "zh", "en"), GOLDENS)
def test_golden_bytes_have_their_meaning(driver: str, direction: str, sent: str, zh: str, en: str) -> None:
    chinese, _, english = explain(driver, direction, bytes.fromhex(sent)).partition(" | ")
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


@pytest.mark.parametrize(
    ("sent", "chinese", "english"),
    [
        ("18 00 0f 0f", "自动状态：缺纸", "automatic status: paper_out"),
        ("10 00 00 0f", "自动状态：正常", "automatic status: well"),
        ("10 0f 21 02 00 00", "全部状态：上盖打开、缺纸", "full status: cover_open, paper_out"),
        ("37 22 30 30 33 37 00", "0037 已打完", "0037 is printed"),
        ("37 25 00", "缓冲已清除", "the buffer is cleared"),
    ],
)
def test_what_a_printer_says_unasked_is_explained_too(sent: str, chinese: str, english: str) -> None:
    assert printer_escpos.explain("<", bytes.fromhex(sent)) == f"{chinese} | {english}"


@pytest.mark.parametrize(
    ("driver", "direction", "sent", "told"),
    [
        ("printer_escpos", "<", "1a 32 12 7e", {
            0: "1 打印机：停机 | 1 printer: offline", 1: "2 停机原因：缺纸停机 | 2 why offline: paper end",
            2: "3 错误：无 | 3 error: none", 3: "4 纸：近端纸少、末端无纸 | 4 paper: near end, paper end",
        }),
        ("printer_escpos", "<", "38 08 00 0f", {
            0: "1 打印机：停机、上盖打开 | 1 printer: offline, cover open", 1: "2 错误：切刀错误 | 2 error: cutter",
        }),
        ("printer_escpos", "<", "10 0f 20 00 40 01", {
            2: "纸：出纸口有票 | paper: slip in the mouth", 4: "可恢复错误：卡纸 | recoverable: jam",
            5: "不可恢复错误：切刀 | unrecoverable: cutter",
        }),
        ("idcard_samv", ">", "aa aa aa 96 69 00 03 20 01 22", {7: "命令 | command", 9: "校验，对 | check, right"}),
        ("idcard_samv", "<", "aa aa aa 96 69 00 04 00 00 80 85", {
            9: "SW3 80 没有卡 | SW3 80 no card", 10: "校验，错 | check, wrong",
        }),
    ],
)  # fmt: skip
def test_each_byte_of_a_status_has_its_words(driver: str, direction: str, sent: str, told: dict[int, str]) -> None:
    data = bytes.fromhex(sent)
    words = importlib.import_module(f"drivers.{driver}").explain_bytes(direction, data)
    assert len(words) == len(data)
    assert {n: words[n] for n in told} == told


@given(st.sampled_from(["printer_escpos", "idcard_samv"]), st.sampled_from("<>"), st.binary(max_size=40))
def test_any_bytes_have_words_for_each_of_them_or_none(driver: str, direction: str, data: bytes) -> None:
    words = importlib.import_module(f"drivers.{driver}").explain_bytes(direction, data)
    assert len(words) in (0, len(data))
    assert all(re.fullmatch("[^|]+ [|] [^|]+", told) for told in words)


def test_keys_that_people_press_are_never_explained() -> None:
    assert keypad_serial.explain("<", b"13900000000\r") == ""
    assert keypad_psbc.explain("<", b"13900000000\r") == ""


def test_a_text_is_explained_with_the_parity_of_old_signs_and_with_its_flash() -> None:
    shown = display_alpha.encode_text(7, b"A001", mode=display_alpha.FLASH)
    meaning = "7 号屏 显示内容，闪烁 | screen 7: show a text, flashing"
    assert (
        display_alpha.explain(">", shown)
        == display_alpha.explain(">", display_alpha.with_even_parity(shown))
        == meaning
    )


@pytest.mark.parametrize(
    "driver", ["codereader_hid", "codereader_serial", "keypad_evdev", "keypad_matrix", "evaluator_bytes"]
)
@given(typed=st.text("0123456789X", min_size=5, max_size=18))
def test_nothing_typed_or_read_is_quoted(driver: str, typed: str) -> None:
    """A trace that has no meaning for bytes shows them as characters, so these always have one."""
    told = explain(driver, "<", typed.encode() if driver in BYTES_OF_PEOPLE else KEY_5 * len(typed))
    assert "not shown" in told
    assert typed not in told


BYTES_OF_PEOPLE = ("codereader_serial", "keypad_matrix", "evaluator_bytes")
BEGINNINGS = [
    b"\x1dv0", b"\x10\x04", b"\x1b", b"\xa0\x90\x03\xa5", b"\xaa\x03\xbb\x51", b"\xa0\x06", b"\xfd\x00", b"RIFF",
    b"\x1f$\x01", b"\x01Z00\x02AA", b"page 1: ", b"exit -9", b"200 image/jpeg ", b"GET /ScannerStatus ", b"ok 1 x ",
    b"\xaa\xaa\xaa\x96\x69\x00", b"\x01\x03\x59\x00\x05\xff",
]  # fmt: skip


@pytest.mark.parametrize("driver", DRIVERS)
@given(
    direction=st.sampled_from("<>"),
    data=st.lists(st.binary(max_size=40) | st.sampled_from(BEGINNINGS), max_size=4).map(b"".join),
)
def test_any_bytes_are_explained_in_two_languages_or_passed_over(driver: str, direction: str, data: bytes) -> None:
    told = explain(driver, direction, data)
    if told:
        chinese, english = told.split(" | ")
        assert re.search("[\u4e00-\u9fff]|PDF", chinese)
        assert english.isascii() or not re.search("[\u4e00-\u9fff]", english)
