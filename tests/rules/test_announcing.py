"""A call becomes audible: one after the other, none lost, never two voices at once, and told when it was not said."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.transport_sound import SoundCard
from hall_daemon import announcing as announcing_room
from hall_daemon import voice_clips
from hall_daemon.announcing import Announcing
from hall_daemon.devices import Devices
from hall_daemon.texts import spoken_number
from hall_daemon.voice import Voice
from sim.announcer_sound import SoundTwin, unavailable
from sim.announcer_syn6288 import SpeechModule
from sim.carriers import PtyLine
from tests.background import at_work
from tests.rules.hall_room import PENSION, PLACES, START_UP, HallRoom, hall_room, write_hall
from tests.rules.test_voice import built
from tests.waiting import until_async


class Loud:
    """A hall whose zones A and D share one speech module."""

    def __init__(self, room: HallRoom, line: PtyLine) -> None:
        self.room, self.line = room, line
        self.module: Any = line.twins[0]
        self.devices = Devices(dict(room.config.devices), room.clock)
        self.emergency = False
        self.announcing = Announcing(room.hall, self.devices, silent=lambda: self.emergency)

    def said(self) -> list[str]:
        return [spoken.text for spoken in self.module.spoken]

    async def says(self, *texts: str) -> None:
        await until_async(lambda: self.said() == list(texts), 20, f"{texts}, not {self.said()}")


@asynccontextmanager
async def loud(folder: Path, more: str = "") -> AsyncIterator[Loud]:
    line = PtyLine(folder / "line")
    line.attach(SpeechModule("ANN-01", {}))
    places = PLACES
    for zone in ("A", "D"):
        places = places.replace(f"[zone.{zone}]", f'[zone.{zone}]\nannouncer = "ANN-01"')
    table = f'\n[device.ANN-01]\ndriver = "announcer_syn6288"\nport = "{line.port}"\n'
    write_hall(folder / "hall", places + table + more)
    line.start()
    async with hall_room(folder / "hall") as room:
        found = Loud(room, line)
        found.devices.start()
        try:
            async with at_work(found.announcing.run()):
                await until_async(lambda: found.devices.view("ANN-01").link == "online", what="online")
                await room.sign_in(w1="c001", w2="c002")
                yield found
        finally:
            await found.devices.stop()
            await asyncio.to_thread(line.stop)


A001 = "注册登记区，请A零零一号到1号窗口。"
H001 = "社会民生区，请H零零一号到2号窗口。"


def test_a_number_is_said_digit_by_digit() -> None:
    assert (spoken_number("A017"), spoken_number("VH1000")) == ("A零一七", "VH一零零零")


async def test_a_call_is_said_twice_with_its_zone(tmp_path: Path) -> None:
    async with loud(tmp_path) as hall:
        await hall.room.issue()
        await hall.room.call("1")
        await hall.says(A001, A001)
        assert hall.announcing.notices("1") == ()


async def test_two_calls_in_the_same_second_are_each_said_whole(tmp_path: Path) -> None:
    async with loud(tmp_path) as hall:
        hall.module.second_per_character = 0.03
        await hall.room.issue()
        await hall.room.issue(PENSION)
        await asyncio.gather(hall.room.call("1"), hall.room.call("2"))
        await hall.says(A001, A001, H001, H001) if await _first(hall) == A001 else await hall.says(
            H001, H001, A001, A001
        )
        assert hall.module.cut == []


async def _first(hall: Loud) -> str:
    await until_async(hall.said, what="something is said")
    return hall.said()[0]


WINDOWS = "".join(
    f'\n[window.{n}]\nzone = "A"\ncounter_kind = "general"\nqueues = ["A"]\n\n[clerk.c1{n}]\nname = "样例"\n'
    for n in range(11, 19)
)


@pytest.mark.fault("A19")
async def test_eight_calls_at_once_are_each_said_the_first_of_them_short(tmp_path: Path) -> None:
    async with loud(tmp_path, WINDOWS) as hall:
        hall.module.play_for_ever()
        await hall.room.sign_in(**{f"w{n}": f"c1{n}" for n in range(11, 19)})
        numbers = await hall.room.numbers(9)
        await hall.room.call("1")
        await until_async(lambda: bool(hall.module.playing), what="the first is being said")
        await asyncio.gather(*(hall.room.call(str(n)) for n in range(11, 19)))
        waiting = [(call.number, call.window) for call in hall.announcing._lines["ANN-01"]]
        assert sorted(number for number, _ in waiting) == numbers[1:]
        hall.module.recover()
        hall.module.power_cycle()  # the endless text was not said: it is said first, then those behind it
        short = [f"{spoken_number(n)}号，{w}号窗口。" for n, w in waiting]
        long = [f"注册登记区，请{spoken_number(n)}号到{w}号窗口。" for n, w in waiting]
        twice = [text for text in long[5:] for _ in range(2)]
        await hall.says(A001, A001, *short[:3], *long[3:5], *twice)
        assert hall.module.cut == []


async def test_who_is_gone_is_not_called_any_more(tmp_path: Path) -> None:
    async with loud(tmp_path) as hall:
        hall.module.play_for_ever()
        for item in (PENSION, START_UP, START_UP):
            await hall.room.issue(item)
        await hall.room.call("2")
        await until_async(lambda: bool(hall.module.playing), what="the first is being said")
        await hall.room.call("1")
        await hall.room.hall.no_show("1", "A001")
        await hall.room.call("1")
        hall.module.recover()
        hall.module.power_cycle()
        await hall.says(H001, H001, *["注册登记区，请A零零二号到1号窗口。"] * 2)


async def test_in_an_emergency_nobody_is_called_to_a_window(tmp_path: Path) -> None:
    async with loud(tmp_path) as hall:
        hall.emergency = True
        await hall.room.issue()
        await hall.room.call("1")
        await until_async(lambda: not hall.announcing._lines["ANN-01"], what="the call is passed over")
        hall.emergency = False
        await hall.room.issue(PENSION)
        await hall.room.call("2")
        await hall.says(H001, H001)


@pytest.mark.parametrize("why", ["emergency", "missed"])
async def test_what_is_being_said_is_not_repeated_when_it_no_longer_counts(tmp_path: Path, why: str) -> None:
    async with loud(tmp_path) as hall:
        hall.module.play_for_ever()
        await hall.room.issue()
        await hall.room.issue(PENSION)
        await hall.room.call("1")
        await until_async(lambda: bool(hall.module.playing), what="the call is being said")
        if why == "missed":
            await hall.room.hall.no_show("1", "A001")
        hall.emergency = why == "emergency"
        hall.module.recover()
        hall.module.power_cycle()
        await until_async(lambda: not hall.announcing._said_now, what="the call is given up")
        hall.emergency = False
        await hall.room.call("2")
        await hall.says(H001, H001)


async def test_who_is_called_again_goes_first_and_is_not_doubled(tmp_path: Path) -> None:
    async with loud(tmp_path) as hall:
        hall.module.play_for_ever()
        await hall.room.issue()
        await hall.room.issue(PENSION)
        await hall.room.issue(PENSION)
        await hall.room.call("2")
        await until_async(lambda: bool(hall.module.playing), what="the first is being said")
        await hall.room.call("1")
        await hall.room.hall.recall("2", "H001")
        await hall.room.hall.recall("2", "H001")
        hall.module.recover()
        hall.module.power_cycle()
        await hall.says(H001, H001, H001, H001, A001, A001)


async def test_a_call_that_was_not_taken_is_said_when_it_is(tmp_path: Path) -> None:
    async with loud(tmp_path) as hall:
        hall.module.refuse_frames()
        await hall.room.issue()
        await hall.room.call("1")
        await until_async(lambda: hall.announcing.notices("1") != (), what="the clerk is told")
        hall.module.recover()
        await hall.says(A001, A001)
        await until_async(lambda: hall.announcing.notices("1") == (), what="and told that it works again")


async def test_a_call_whose_announcer_is_back_soon_is_said_and_keeps_its_place(tmp_path: Path) -> None:
    async with loud(tmp_path) as hall:
        await asyncio.to_thread(hall.line.unplug)
        await until_async(lambda: hall.devices.view("ANN-01").link == "offline", what="offline")
        await hall.room.issue()
        await hall.room.issue(PENSION)
        await hall.room.call("1")
        await until_async(lambda: hall.announcing.notices("1") != (), what="the clerk is told")
        await hall.room.call("2")
        await asyncio.to_thread(hall.line.replug)
        await hall.says(A001, A001, H001, H001)


async def test_a_call_that_could_not_be_said_in_time_is_left_to_the_clerk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcing_room, "TRY_FOR_S", 0.0)
    async with loud(tmp_path) as hall:
        await asyncio.to_thread(hall.line.unplug)
        await until_async(lambda: hall.devices.view("ANN-01").link == "offline", what="offline")
        await hall.room.issue()
        await hall.room.issue(PENSION)
        assert await hall.room.call("1") == "A001", "a silent announcer takes no call back"
        await until_async(lambda: hall.announcing.notices("1") != (), what="the clerk is told")
        assert [n.zh for n in hall.announcing.notices("1")] == ["语音没有播出，请口头叫号。"]
        assert hall.announcing.notices("2") != (), "the same voice calls for window 2"
        await asyncio.to_thread(hall.line.replug)
        await until_async(lambda: hall.devices.view("ANN-01").link == "online", 20, what="online")
        await hall.room.call("2")
        await hall.says(H001, H001)
        await until_async(lambda: hall.announcing.notices("1") == (), what="the clerk sees that it works again")


# --- the daemon's own sound card --------------------------------------------------------------------------------------

LONGEST_TEST_SOUND = 4000
"""Bytes; a card is asked by playing a moment of silence."""


class Watched:
    """What the card's player is given: nothing leaves before `go_on`, and how many sounds play at once is counted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on = threading.Event()
        self.waiting = 0
        self.most = self._now = 0
        play = SoundCard.play

        def watched(card: SoundCard, wav: bytes, limit_s: float) -> None:
            if len(wav) > LONGEST_TEST_SOUND:
                self.waiting += 1
                assert self.go_on.wait(25)
            self._now += 1
            self.most = max(self.most, self._now)
            try:
                play(card, wav, limit_s)
            finally:
                self._now -= 1

        monkeypatch.setattr(SoundCard, "play", watched)


@pytest.mark.system
@pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
@pytest.mark.fault("A19")
async def test_eight_calls_at_once_come_out_of_the_sound_card_each_whole_and_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = SoundTwin("ANN-01", {})
    await asyncio.to_thread(twin.start)
    for name, value in twin.environment().items():
        monkeypatch.setenv(name, value)
    places = PLACES.replace("[zone.A]", '[zone.A]\nannouncer = "ANN-01"') + WINDOWS
    card = Watched(monkeypatch)
    monkeypatch.setattr(voice_clips, "GROUPS", 20)
    write_hall(tmp_path / "hall", places + f'\n[device.ANN-01]\ndriver = "announcer_sound"\nport = "{twin.port}"\n')
    async with hall_room(tmp_path / "hall") as room:
        built(room.config)
        voice = Voice(room.config.voice_folder, lambda: room.config.profile, room.config.public.voice)
        devices = Devices(dict(room.config.devices), room.clock)
        announcing = Announcing(room.hall, devices, voice)
        devices.start()
        try:
            async with at_work(announcing.run()):
                await until_async(lambda: devices.view("ANN-01").link == "online", what="online")
                await room.sign_in(w1="c001", **{f"w{n}": f"c1{n}" for n in range(11, 19)})
                await room.numbers(9)
                assert await room.call("1") == "A001"
                await until_async(lambda: card.waiting == 1, what="the first is at the card")
                await asyncio.gather(*(room.call(str(n)) for n in range(11, 19)))
                line = [(call.number, call.window) for call in announcing._lines["ANN-01"]]
                card.go_on.set()
                short = [voice.call(number, window, "A", short=True) for number, window in line[:3]]
                long = [voice.call(number, window, "A") for number, window in line[3:]]
                first = voice.call("A001", "1", "A")
                wanted = [first, first, *short, *long[:2], *(sound for sound in long[2:] for _ in range(2))]
                await until_async(lambda: len(twin.heard) == len(wanted), 60, lambda: f"{len(twin.heard)} sounds")
                for heard, made in zip(twin.heard, wanted, strict=True):
                    assert heard.samples.startswith(made[44:-LONGEST_TEST_SOUND]), "whole, and in its place"
                assert card.most == 1, "never two voices at once"
                assert announcing.notices("1") == ()
        finally:
            await devices.stop()
            await asyncio.to_thread(twin.stop)
