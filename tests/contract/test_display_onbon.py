"""Onbon window display: the driver with its twin on a line, faults of the card, and several screens on one line."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from drivers.base import QUESTION_LIMIT_S, BadReply, CallText, Condition, DeviceError, NoReply, Refused
from drivers.display_onbon import DRIVER, OnbonDisplay, OnbonOptions
from drivers.transport import Link, open_link
from sim.carriers import PtyLine
from sim.display_onbon import OnbonTwin
from sim.stopwatch import Stopwatch
from tests.contract.contract import DriverContract, Rig, ScriptedStream, until
from tests.contract.onbon_goldens import ACK_1, GOLDEN, SAMPLE, SCREEN, STATUS_ONE_AREA, encode_reply, frame


class TestOnbonDisplay(DriverContract):
    driver_module = twin_module = "display_onbon"
    options = SCREEN
    causes = {Condition.SWITCHED_OFFLINE: lambda twin: twin.switch_off()}  # noqa: RUF012 - read only

    jobs = 0

    def job(self, driver: Any, rig: Rig) -> None:
        self.jobs += 1
        text = f"请A{self.jobs:03}号到3号窗口"
        driver.show(CallText(text=text))
        assert rig.twin.text == text
        assert rig.twin.collisions == []
        assert rig.twin.complaints == []

    def job_blind(self, driver: Any) -> None:
        driver.show(CallText(text=SAMPLE))

    def sample_replies(self) -> list[bytes]:
        status = encode_reply(b"\xa1\x02\0\0\0" + STATUS_ONE_AREA)
        return [frame(ACK_1), frame(ACK_1, run=1), status, encode_reply(b"\xa0\x01\x05\0\0")]

    def test_a_lost_text_is_reported_until_one_is_shown_again(self, rig: Rig) -> None:
        """The one condition that `recover` cannot end: its text has to be written again."""
        driver = rig.open()
        driver.hello()
        self.job(driver, rig)
        rig.twin.restart()
        assert Condition.TEXT_LOST in driver.conditions()
        self.job(driver, rig)
        assert Condition.TEXT_LOST not in driver.conditions()

    def test_what_is_sent_and_heard_is_the_worked_frame(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        driver.show(CallText(text=SAMPLE))
        sent = b"".join(data for direction, data in rig.traced if direction == ">")
        heard = b"".join(data for direction, data in rig.traced if direction == "<")
        assert sent == frame(GOLDEN["ping 1"]) + frame(GOLDEN["sample text"])
        assert heard == frame(ACK_1) * 2
        shown = rig.twin.shown[-1]
        assert (shown.text, shown.attention, shown.effect, shown.stay_s) == (SAMPLE, False, 1, 5.0)
        assert (shown.x, shown.y, shown.w, shown.h, shown.fits) == (0, 0, 128, 32, True)

    def test_attention_moves_the_text_into_place_once(self, rig: Rig) -> None:
        driver = rig.open()
        driver.show(CallText(text=SAMPLE, attention=True))
        driver.show(CallText(text="A001 办理中"))
        calling, serving = rig.twin.shown
        assert (calling.attention, calling.effect, calling.run_mode, calling.fits) == (True, 5, 1, True)
        assert (serving.attention, serving.effect, serving.run_mode) == (False, 1, 0)

    def test_attention_is_red_where_there_are_colours(self, rig: Rig) -> None:
        rig.options = {**SCREEN, "colors": 2}
        driver = rig.open()
        driver.show(CallText(text=SAMPLE, attention=True))
        driver.show(CallText(text=SAMPLE))
        assert [(s.color, s.text, s.fits) for s in rig.twin.shown] == [("red", SAMPLE, True), ("green", SAMPLE, True)]

    @pytest.mark.parametrize(("font_px", "size"), [(24, (200, 48)), (32, (288, 32))])
    def test_larger_fonts_are_chosen_and_fit(self, rig: Rig, font_px: int, size: tuple[int, int]) -> None:
        rig.options = {"width_px": size[0], "height_px": size[1], "font_px": font_px}
        rig.open().show(CallText(text=SAMPLE))
        shown = rig.twin.shown[-1]
        assert (shown.text, shown.font, shown.fits) == (SAMPLE, font_px, True)

    def test_lines_of_its_own_stay_lines(self, rig: Rig) -> None:
        rig.open().show(CallText(text="暂停服务\n10:45恢复"))
        assert (rig.twin.text, rig.twin.shown[-1].fits) == ("暂停服务\n10:45恢复", True)

    def test_an_empty_text_is_a_blank_screen(self, rig: Rig) -> None:
        driver = rig.open()
        driver.show(CallText(text=""))
        assert rig.twin.text == " "
        assert driver.conditions() == frozenset()

    # Refusals

    @pytest.mark.parametrize("text", ["请A001号到3号窗口请A001号到3号窗口", "一\n二\n三", "x" * 33, "啊" * 400])
    def test_text_that_does_not_fit_is_refused_and_nothing_is_sent(self, rig: Rig, text: str) -> None:
        driver = rig.open()
        driver.hello()
        sent = rig.line.sent_to_twins()
        with pytest.raises(Refused) as caught:
            driver.show(CallText(text=text))
        assert caught.value.condition is Condition.TEXT_UNSUITABLE
        assert "TST-01: a text does not fit: " in str(caught.value)
        assert rig.line.sent_to_twins() == sent

    def test_characters_that_the_fonts_lack_are_replaced(self, rig: Rig) -> None:
        rig.open().show(CallText(text="\U00020bb7𠮷龑é😀\u0e01\\C1\x07"))
        assert rig.twin.text == "〓〓〓é〓?＼C1?"
        assert "\ufffd" not in rig.twin.text

    @pytest.mark.parametrize(
        ("error", "condition", "words"),
        [
            (1, Condition.DEVICE_FAULT, "error 1 (command group error)"),
            (4, Condition.DEVICE_FAULT, "error 4 (out of memory)"),
            (13, Condition.DEVICE_FAULT, "error 13 (firmware type error)"),
            (99, Condition.DEVICE_FAULT, "error 99 (unknown error)"),
            (12, Condition.DEVICE_FAULT, "error 12 (font does not exist)"),
            (3, Condition.BUSY, "error 3 (controller is busy)"),
        ],
    )
    def test_a_nack_is_a_refusal_with_the_makers_words(
        self, rig: Rig, error: int, condition: Condition, words: str
    ) -> None:
        driver = rig.open()
        rig.twin.refuse_with(error)
        with pytest.raises(Refused) as caught:
            driver.show(CallText(text=SAMPLE))
        assert caught.value.condition is condition
        assert str(caught.value) == f"TST-01: asked to show a text, declined with {words}"
        rig.twin.recover()
        driver.show(CallText(text=SAMPLE))
        assert rig.twin.text == SAMPLE

    def test_a_busy_card_gets_the_text_again_after_a_second(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.refuse_with(3, times=1)
        watch = Stopwatch()
        driver.show(CallText(text=SAMPLE))
        assert watch.wall_s >= 1.0
        assert rig.twin.text == SAMPLE
        assert rig.twin.collisions == []

    def test_a_busy_card_is_there(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.refuse_with(3)
        driver.hello()
        assert driver.conditions() == frozenset()

    def test_a_frame_that_arrived_damaged_is_sent_again(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.refuse_with(5, times=1)
        driver.show(CallText(text=SAMPLE))
        assert rig.twin.commands == [(0xA3, 0x06)] * 2
        rig.twin.refuse_with(5)
        with pytest.raises(BadReply, match="it arrived damaged"):
            driver.hello()

    def test_a_missing_font_is_done_without_also_later(self, rig: Rig) -> None:
        rig.options = {"width_px": 200, "height_px": 48, "font_px": 24}
        driver = rig.open()
        rig.twin.lose_fonts()
        for text in (SAMPLE, "A001 办理中"):
            driver.show(CallText(text=text))
            assert (rig.twin.text, rig.twin.shown[-1].font) == (text, 16)
        assert len(rig.twin.commands) == 3

    def test_a_card_without_the_status_command_is_well(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.refuse_with(2)
        assert driver.conditions() == frozenset()

    def test_a_card_that_declines_its_status_otherwise_is_faulty(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.refuse_with(7)
        assert driver.conditions() == {Condition.DEVICE_FAULT}
        with pytest.raises(Refused, match=r"error 7 \(flash access error\)"):
            driver.hello()

    # Restart

    def test_a_restart_shows_as_lost_text_until_a_text_is_shown_again(self, rig: Rig) -> None:
        driver = rig.open()
        assert driver.conditions() == frozenset()
        driver.show(CallText(text=SAMPLE))
        assert driver.conditions() == frozenset()
        rig.twin.restart()
        assert rig.twin.text == ""
        assert driver.conditions() == {Condition.TEXT_LOST}
        assert not Condition.TEXT_LOST.blocks
        driver.show(CallText(text=SAMPLE))
        assert rig.twin.text == SAMPLE
        assert driver.conditions() == frozenset()

    def test_a_5k1_whose_status_is_shorter_is_understood(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.device_type = 0x51
        assert driver.hello().model == "BX-5K1"
        driver.show(CallText(text=SAMPLE))
        assert driver.conditions() == frozenset()
        rig.twin.restart()
        assert driver.conditions() == {Condition.TEXT_LOST}

    # Line faults

    def test_a_lost_answer_costs_one_repetition(self, rig: Rig) -> None:
        driver = rig.open()

        def lose_one(_: bytes) -> bytes:
            rig.line.mangle = None
            return b""

        rig.line.mangle = lose_one
        driver.show(CallText(text=SAMPLE))
        assert [s.text for s in rig.twin.shown] == [SAMPLE] * 2
        assert rig.twin.collisions == []

    def test_a_silent_screen_gives_no_reply_with_what_was_done(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.go_mute()
        watch = Stopwatch()
        with pytest.raises(NoReply) as caught:
            driver.show(CallText(text=SAMPLE))
        assert watch.s < driver.job_limit_s / 2
        assert str(caught.value) == (
            f"TST-01: sent a text twice, no answer from screen 1 within 0.7 s on {rig.line.port} (0 other bytes came)"
        )

    def test_a_spoilt_answer_to_a_text_is_asked_for_again(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.corrupt_replies(times=1)
        driver.show(CallText(text=SAMPLE))
        rig.twin.corrupt_replies()
        with pytest.raises(BadReply, match=r"TST-01: sent a text twice, CRC is \w{4}, should be dc64, in: 00 80 01 00"):
            driver.show(CallText(text=SAMPLE))
        with pytest.raises(BadReply, match="TST-01: pinged, CRC is"):
            driver.hello()

    def test_an_answer_after_the_limit_is_not_taken_for_the_next_one(self, rig: Rig) -> None:
        rig.options = {**SCREEN, "reply_limit_s": 0.15}
        driver = rig.open()
        driver.hello()
        rig.twin.answer_late(0.3)
        with pytest.raises(NoReply):
            driver.hello()
        until(lambda: len([p for p in rig.line.transcript if p.direction == "<"]) == 2, what="the late answer")
        rig.twin.go_mute()
        with pytest.raises(NoReply):
            driver.hello()

    def test_an_answer_under_another_number_is_passed_over(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.answer_as(7)
        with pytest.raises(NoReply):
            driver.hello()

    @pytest.mark.parametrize("run", [1, 9])
    def test_a_run_of_one_or_nine_and_noise_before_an_answer_do_no_harm(self, rig: Rig, run: int) -> None:
        driver = rig.open()
        rig.twin.begin_replies_with(run)
        rig.twin.precede_replies_with(b"\x00\xff\x5a\xa5\x13")
        driver.hello()
        assert driver.conditions() == frozenset()
        self.job(driver, rig)

    def test_an_adapter_that_echoes_does_no_harm(self, rig: Rig) -> None:
        driver = rig.open()
        rig.line.mangle = lambda data: rig.line.transcript[-1].data + data
        driver.hello()
        self.job(driver, rig)

    def test_a_line_that_is_never_silent_ends_each_deed_in_time(self) -> None:
        class Babble(ScriptedStream):
            def _read_some(self, most: int, limit_s: float) -> bytes:
                time.sleep(min(limit_s, 0.03))
                return b"\xa5" if limit_s >= 0.03 else b""

        driver = DRIVER("TST-01", Babble([]), OnbonOptions(**SCREEN))
        driver.link.last_traffic = time.monotonic()
        for deed, limit_s in ((driver.hello, QUESTION_LIMIT_S), (driver.conditions, QUESTION_LIMIT_S)):
            watch = Stopwatch()
            with pytest.raises(BadReply, match=r"TST-01: scripted is never silent for 0.1 s"):
                deed()
            assert watch.s < limit_s
        watch = Stopwatch()
        with pytest.raises(BadReply):
            driver.show(CallText(text=SAMPLE))
        assert watch.s < driver.job_limit_s

    def test_an_answer_that_dribbles_for_ever_ends_each_deed_in_time(self) -> None:
        class Dribble(ScriptedStream):
            def _read_some(self, most: int, limit_s: float) -> bytes:
                time.sleep(min(limit_s, 0.4))
                return b"\x01" if limit_s >= 0.4 else b""

        driver = DRIVER("TST-01", Dribble([]), OnbonOptions(**SCREEN))
        for deed in (driver.hello, driver.conditions, lambda: self.job_blind(driver)):
            watch = Stopwatch()
            with pytest.raises(NoReply, match="other bytes came"):
                deed()
            assert watch.s < QUESTION_LIMIT_S

    def test_a_late_answer_to_another_question_is_passed_over(self) -> None:
        status = encode_reply(b"\xa1\x02\0\0\0" + STATUS_ONE_AREA)
        driver = DRIVER(
            "TST-01", ScriptedStream([frame(ACK_1) + status, status + frame(ACK_1)]), OnbonOptions(**SCREEN)
        )
        assert driver.conditions() == frozenset()
        driver.show(CallText(text=SAMPLE))

    def test_a_nack_without_an_error_is_no_answer(self) -> None:
        driver = DRIVER("TST-01", ScriptedStream([encode_reply(b"\xa0\x01\0\0\0")]), OnbonOptions(**SCREEN))
        with pytest.raises(BadReply, match="TST-01: pinged, a NACK without an error number came on scripted"):
            driver.hello()

    def test_an_idle_line_costs_no_wait_and_a_busy_one_costs_the_gap(self, rig: Rig) -> None:
        waits: list[float] = []

        class Watched(ScriptedStream):
            def _read_some(self, most: int, limit_s: float) -> bytes:
                waits.append(limit_s)
                return super()._read_some(most, limit_s)

        link = Watched([frame(ACK_1), frame(ACK_1)])
        driver = DRIVER("TST-01", link, OnbonOptions(**SCREEN))
        link.last_traffic -= 0.1
        driver.hello()
        assert waits[0] == 0.0
        waits.clear()
        driver.hello()
        assert 0.0 < waits[0] <= 0.1

    def test_the_broadcast_number_serves_a_screen_that_is_alone(self, rig: Rig) -> None:
        rig.options = {**SCREEN, "address": 0xFFFE}
        driver = rig.open()
        assert driver.hello().vendor == "Onbon"
        assert driver.conditions() == frozenset()
        driver.show(CallText(text=SAMPLE))
        assert rig.twin.text == SAMPLE
        assert (0xA1, 0x02) not in rig.twin.commands

    def test_57600_baud(self, fast: Rig) -> None:
        driver = fast.open()
        driver.hello()
        driver.link.close()
        fast.options = SCREEN
        with pytest.raises(NoReply):
            fast.open().hello()

    def test_a_screen_alone_on_its_line_is_searched_for_at_the_other_speed(self, fast: Rig) -> None:
        fast.options = {**SCREEN, "search_baud": True, "reply_limit_s": 0.2}
        driver = fast.open()
        assert driver.hello().model == "BX-5K/6K at 57600"
        driver.show(CallText(text=SAMPLE))
        assert fast.twin.text == SAMPLE
        fast.twin.go_mute()
        with pytest.raises(NoReply, match="TST-01: pinged at 9600 and 57600 baud, no answer from screen 1"):
            driver.hello()
        fast.twin.recover()
        driver.hello()

    # Brightness and clock

    def test_hello_sets_the_brightness_and_the_clock_where_the_table_says_so(self, rig: Rig) -> None:
        rig.options = {**SCREEN, "brightness": 3, "set_clock": True}
        rig.open().hello()
        assert rig.twin.brightness == 3
        now = datetime.now(UTC) + timedelta(hours=8)
        century, year, month, day = (f"{part:02}" for part in (now.year // 100, now.year % 100, now.month, now.day))
        assert rig.twin.clock.hex()[:8] == year + century + month + day
        assert rig.twin.clock[-1] == now.isoweekday()
        assert rig.twin.collisions == []

    def test_hello_leaves_brightness_and_clock_alone_otherwise(self, rig: Rig) -> None:
        rig.open().hello()
        assert rig.twin.commands == [(0xA2, 0x00)]

    def test_a_card_that_declines_its_brightness_says_so(self, rig: Rig) -> None:
        rig.options = {**SCREEN, "brightness": 3}
        driver = rig.open()
        rig.twin.decline(0xA3, 0x02)
        with pytest.raises(Refused, match=r"TST-01: asked to set its brightness, declined with error 2 \(command not"):
            driver.hello()


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Rig]:
    """A screen that listens at 57600."""
    options = {**SCREEN, "baud": 57600}
    line = PtyLine(tmp_path / "fast")
    twin = OnbonTwin("TST-01", options)
    line.attach(twin)
    line.start()
    rig = Rig(driver_type=DRIVER, options=options, twin=twin, line=line)
    yield rig
    rig.close()


# Several screens on one line


class Bus:
    """Three screens, one line, one link, three drivers: as one port's thread has them."""

    def __init__(self, line: PtyLine) -> None:
        self.line = line
        tables = [{**SCREEN, "address": n, "reply_limit_s": 0.3} for n in (1, 2, 3)]
        self.twins = [OnbonTwin(f"DSP-0{t['address']}", t) for t in tables]
        for twin in self.twins:
            line.attach(twin)
        line.start()
        self.link: Link = open_link(line.port)
        self.drivers: list[OnbonDisplay] = [
            DRIVER(twin.device, self.link, OnbonOptions(**table))  # type: ignore[arg-type]  # a pty is a ByteStream
            for twin, table in zip(self.twins, tables, strict=True)
        ]

    def collisions(self) -> list[float]:
        return [at for twin in self.twins for at in twin.collisions]


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    bus = Bus(PtyLine(tmp_path / "bus"))
    yield bus
    bus.link.close()
    bus.line.stop()


def test_each_screen_on_a_bus_shows_its_own_text_without_a_collision(bus: Bus) -> None:
    for driver in bus.drivers:
        driver.hello()
    for round_ in (1, 2):
        for n, driver in enumerate(bus.drivers, 1):
            driver.show(CallText(text=f"请A{round_}0{n}号到{n}号窗口"))
    assert [twin.text for twin in bus.twins] == ["请A201号到1号窗口", "请A202号到2号窗口", "请A203号到3号窗口"]
    assert [len(twin.shown) for twin in bus.twins] == [2, 2, 2]
    assert bus.collisions() == []


def test_a_dead_screen_is_told_twice_and_holds_the_line_no_longer(bus: Bus) -> None:
    bus.twins[0].go_mute()
    watch = Stopwatch()
    with pytest.raises(NoReply, match="DSP-01: sent a text twice, no answer from screen 1"):
        bus.drivers[0].show(CallText(text=SAMPLE))
    assert watch.s < bus.drivers[0].job_limit_s
    until(lambda: bus.line.sent_to_twins().count(b"\x5a") == 2)  # a frame ends with 5A, which stands nowhere else
    bus.drivers[1].show(CallText(text=SAMPLE))
    assert [twin.text for twin in bus.twins] == ["", SAMPLE, ""]
    assert bus.collisions() == []


def test_a_late_answer_of_one_screen_is_not_taken_for_that_of_another(bus: Bus) -> None:
    bus.twins[0].answer_late(0.45)
    with pytest.raises(NoReply):
        bus.drivers[0].hello()
    bus.twins[1].go_mute()
    with pytest.raises(NoReply, match=r"DSP-02: pinged, no answer from screen 2 .*\((30|0) other bytes came\)"):
        bus.drivers[1].hello()
    bus.drivers[2].hello()


def test_a_screen_that_answers_under_a_neighbours_number_disturbs_only_itself(bus: Bus) -> None:
    bus.twins[0].answer_as(2)
    with pytest.raises(NoReply):
        bus.drivers[0].show(CallText(text=SAMPLE))
    bus.drivers[1].show(CallText(text="A001 办理中"))
    assert [twin.text for twin in bus.twins] == [SAMPLE, "A001 办理中", ""]


def test_a_restart_is_noticed_for_the_screen_that_restarted(bus: Bus) -> None:
    for driver in bus.drivers:
        driver.show(CallText(text=SAMPLE))
    bus.twins[1].restart()
    assert [driver.conditions() for driver in bus.drivers] == [frozenset(), {Condition.TEXT_LOST}, frozenset()]


def test_an_unplugged_line_takes_all_its_screens_and_gives_them_back(bus: Bus) -> None:
    bus.drivers[0].show(CallText(text=SAMPLE))
    bus.line.unplug()
    for driver in bus.drivers:
        with pytest.raises(DeviceError):
            driver.conditions()
    bus.link.close()
    bus.line.replug()
    bus.link = open_link(bus.line.port)
    for driver in bus.drivers:
        driver.link = bus.link  # type: ignore[assignment]  # a pty is a ByteStream
        driver.hello()
        driver.show(CallText(text=SAMPLE))
    assert [twin.text for twin in bus.twins] == [SAMPLE] * 3
