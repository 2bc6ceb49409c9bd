"""Faults of displays, voice and evaluation, and a device that is there twice (faults.md A18 to A20, A25, A26)."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest

from sim.announcer_sound import unavailable
from sim.visits import Clerk
from tests.journeys.conftest import Hall
from tests.journeys.fault_hall import Operator, Resident, first_line, words
from tests.waiting import until

pytestmark = pytest.mark.timeout(120)


def evaluation(hall: Hall, window: str) -> str:
    """What a clerk may know of the last question."""
    told = first_line(hall, f"/windows/{window}/views")["evaluation"]
    return str(told["zh"]) if told else ""


def served(hall: Hall, clerk: Clerk) -> str:
    """A resident is called, served, and leaves."""
    number = hall.issue()
    assert clerk.say("next", seen=None).json()["number"] == number
    assert clerk.say("serve", seen=number).status_code == 200
    assert clerk.say("finish", seen=number).status_code == 200
    return number


@pytest.mark.fault("A18")
def test_without_its_display_a_window_calls_by_voice_and_board_and_catches_up_with_what_is(faulty: Hall) -> None:
    operator, clerk, other = Operator(faulty), faulty.clerk("1", "c001"), faulty.clerk("2", "c002")
    until(lambda: faulty["DSP-01"].text == "1号窗口", what="the display is idle")
    line = faulty.bench.lines["DSP-01"]
    line.unplug()
    operator.hears("1", "窗口屏离线，请口头叫号。")
    operator.sees("DSP-01", "warn", "断线")
    operator.is_told("DSP-01", ("failed", "offline"))
    missed, called, elsewhere = faulty.issue(), faulty.issue(), faulty.issue()
    clerk.say("next", seen=None)
    until(lambda: faulty["ANN-01"].spoken, what="the first is called by voice")  # who has come is not called any more
    clerk.say("serve", seen=missed)
    clerk.say("finish", seen=missed)
    clerk.say("next", seen=None)
    other.say("next", seen=None)
    until(lambda: elsewhere in faulty["DSP-02"].text, what="other displays go on")
    assert set(operator.board()) == {(missed, "1"), (called, "1"), (elsewhere, "2")}
    until(lambda: len({s.text for s in faulty["ANN-01"].spoken}) == 3, 20, "each is called by voice")

    shown = len(faulty["DSP-01"].shown)
    line.replug()
    until(lambda: called in faulty["DSP-01"].text, 30, "the display shows what is")
    assert not [s.text for s in faulty["DSP-01"].shown[shown:] if missed in s.text], "and not what was"
    until(lambda: not operator.notices("1"), what="the clerk's notice is gone")
    operator.is_told("DSP-01", ("failed", "offline"), ("ok", "online"))


@pytest.mark.fault("A19")
def test_two_calls_in_the_same_second_are_both_heard_twice_and_stand_on_the_board(faulty: Hall) -> None:
    operator, voice = Operator(faulty), faulty["ANN-01"]
    first, second = faulty.issue(), faulty.issue()
    clerks = [faulty.clerk("1", "c001"), faulty.clerk("2", "c002")]
    together = threading.Barrier(2)

    def press(clerk: Clerk) -> None:
        together.wait(40)
        clerk.say("next", seen=None)

    presses = [threading.Thread(target=press, args=(clerk,)) for clerk in clerks]
    for thread in presses:
        thread.start()
    for thread in presses:
        thread.join()
    until(lambda: len(voice.spoken) == 4, 20, "all is said")
    said = [s.text for s in voice.spoken]
    assert said[0] == said[1] != said[2] == said[3]
    assert all(any(spoken in text for text in said) for spoken in (f"A零零{'一二'[n]}号" for n in range(2)))
    assert voice.cut == [], "no call was overwritten by another"
    assert {number for number, _ in operator.board()} == {first, second}
    assert (operator.notices("1"), operator.notices("2")) == ([], [])


@pytest.mark.fault("A19")
def test_of_more_than_six_waiting_calls_the_first_are_said_short_and_none_is_dropped(
    start_faulty: Callable[..., Hall],
) -> None:
    hall = start_faulty(windows=9)
    operator, voice = Operator(hall), hall["ANN-01"]
    clerks = [hall.clerk(str(n), f"c{n:03}") for n in (1, 2, 4, 5, 6, 7, 8, 9)]
    numbers = [hall.issue() for _ in clerks]
    voice.play_for_ever()
    assert clerks[0].say("next", seen=None).status_code == 200
    until(lambda: voice.playing, what="the first is being said")
    for clerk in clerks[1:]:
        assert clerk.say("next", seen=None).status_code == 200
    until(lambda: {number for number, _ in operator.board()} == set(numbers), what="all of them on the board")
    voice.recover()
    voice.power_cycle()

    windows = dict(operator.board())
    first, *later = [(f"A零零{'一二三四五六七八'[n]}号", windows[number]) for n, number in enumerate(numbers)]
    whole = [f"注册登记区，请{number}到{window}号窗口。" for number, window in (first, *later)]
    short = [f"{number}，{window}号窗口。" for number, window in later[:2]]
    then = short + whole[3:5] + [text for text in whole[5:] for _ in range(2)]
    until(lambda: [spoken.text for spoken in voice.spoken][1:][-len(then) :] == then, 60, "all is said")
    assert {spoken.text for spoken in voice.spoken[: -len(then)]} == {whole[0]}
    assert voice.cut == [], "no call was overwritten by another"
    until(lambda: not any(operator.notices(clerk.window) for clerk in clerks), what="no clerk has to call aloud")


@pytest.mark.fault("A20")
@pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
def test_without_a_sound_card_the_display_flashes_and_the_clerk_calls_aloud(
    start_faulty: Callable[..., Hall],
) -> None:
    hall = start_faulty(sound_card=True)
    operator, clerk, card = Operator(hall), hall.clerk("3", "c003"), hall["ANN-02"]
    card.vanish()
    number = hall.issue("H")
    assert clerk.say("next", seen=None).json()["number"] == number
    operator.hears("3", "语音没有播出，请口头叫号。")
    operator.sees("ANN-02", "warn", "断线", 40)
    operator.is_told("ANN-02", ("failed", "offline"))
    until(lambda: number in hall["DSP-03"].text, what="the call over the window")
    assert hall["DSP-03"].shown[-1].attention, "it flashes"
    assert operator.board() == [(number, "3")]
    assert hall.tickets()[number]["state"] == "called"

    card.recover()
    operator.sees("ANN-02", "ok", "正常", 60)
    clerk.say("recall", seen=number)
    until(lambda: card.heard, 20, "the recall is heard")
    until(lambda: not operator.notices("3"), what="the clerk's notice is gone")

    card.turn_down()
    operator.sees("ANN-02", "bad", "没有声音", 40)
    operator.hears("3", "语音没有播出，请口头叫号。")
    heard = len(card.heard)
    clerk.say("recall", seen=number)
    until(lambda: hall["DSP-03"].shown[-1].attention, what="it flashes")
    assert len(card.heard) == heard, "nothing is played to nobody"
    card.recover()
    until(lambda: len(card.heard) > heard, 40, "it is said when the volume is up again")
    until(lambda: not operator.notices("3"), 40, "the clerk's notice is gone")


@pytest.mark.fault("A25")
def test_a_dead_pad_and_a_resident_who_does_not_rate_are_both_no_rating(start_faulty: Callable[..., Hall]) -> None:
    hall = start_faulty(hurried=True)
    operator, clerk, pad = Operator(hall), hall.clerk("1", "c001"), hall["EVA-01"]
    served(hall, clerk)
    until(lambda: evaluation(hall, "1") == "等候评价", what="asked")
    until(lambda: evaluation(hall, "1") == "未评价", what="nobody answered")

    hall.bench.lines["EVA-01"].unplug()
    operator.sees("EVA-01", "warn", "断线")
    served(hall, clerk)
    until(lambda: len(hall.events("evaluation.submitted")) == 2, 40, "recorded")
    assert evaluation(hall, "1") == "未评价"
    told: list[dict[str, Any]] = hall.events("evaluation.submitted")
    assert [(e["timeout"], e.get("level")) for e in told] == [(True, None), (True, None)], "nothing is invented"

    hall.bench.lines["EVA-01"].replug()
    operator.sees("EVA-01", "ok", "正常")
    operator.is_told("EVA-01", ("failed", "offline"), ("ok", "online"))
    served(hall, clerk)
    until(lambda: evaluation(hall, "1") == "等候评价", what="asked")

    def answered() -> bool:
        pad.press("1")  # a person presses until the pad thanks
        return evaluation(hall, "1") == "已评价"

    until(answered, what="the clerk learns that, not what")
    assert hall.events("evaluation.submitted")[-1]["level"] == 5


@pytest.mark.fault("A25")
def test_who_did_not_rate_at_the_window_rates_later_by_the_code_on_the_slip(start_faulty: Callable[..., Hall]) -> None:
    hall = start_faulty(phone=True)
    operator, resident, clerk = Operator(hall), Resident(hall), hall.clerk("1", "c001")
    hall.bench.lines["EVA-01"].unplug()
    operator.sees("EVA-01", "warn", "断线")
    number = resident.take()["ticket"]["number"]
    [slip] = hall["PRN-01"].whole_slips
    [code] = slip.qr
    page = code.removeprefix("https://hall.example")
    assert re.fullmatch(r"/t/[\w-]{22}", page), "what a phone reads from the paper is an address, and nothing else"
    assert any("扫码" in line for line in slip.lines), slip.lines

    assert hall.get(f"{page}/view")["rating"] == "", "not before the visit is over"
    for verb in ("next", "serve", "finish"):
        assert clerk.say(verb, seen=None if verb == "next" else number).status_code == 200
    until(lambda: evaluation(hall, "1") == "未评价", 40, "nobody was asked at the window")
    told: list[dict[str, Any]] = hall.events("evaluation.submitted")
    assert [(e["timeout"], e.get("level")) for e in told] == [(True, None)]

    frame = hall.http.get(page)
    assert (frame.status_code, "default-src 'self'" in frame.headers["content-security-policy"]) == (200, True)
    assert hall.get(f"{page}/view")["rating"] == "open", "the code stays valid"
    given = hall.http.post(f"{page}/rating", json={"level": 2})
    assert (given.status_code, given.json()["rating"]) == (200, "given")
    later = hall.events("evaluation.submitted")[-1]
    assert (later["timeout"], later["level"], later["eval_channel"]) == (False, 2, 3)
    assert later["evaluation_id"] == told[0]["evaluation_id"], "one visit, one rating"
    assert evaluation(hall, "1") == "未评价", "how, is nobody's business at the window"
    assert hall.http.post(f"{page}/rating", json={"level": 5}).status_code == 409, "once"


@pytest.mark.fault("A26")
def test_of_two_devices_that_say_they_are_the_same_the_second_is_refused(faulty: Hall) -> None:
    operator, resident, line = Operator(faulty), Resident(faulty, "k2"), faulty.bench.lines["IDR-02"]
    line.unplug()
    resident.shows("reader")
    faulty["IDR-02"].say_the_number_of(faulty["IDR-01"])
    line.replug()
    said = until(
        lambda: [s["value"]["zh"] for s in operator.detail("IDR-02")["signals"] if "IDR-01" in s["value"]["zh"]]
    )
    assert said[0].endswith("which is IDR-01 already: one of the two is wrong")
    assert operator.device("IDR-02") == ("bad", "设备重复")
    assert operator.device("IDR-01") == ("ok", "正常")
    operator.is_told("IDR-02", ("failed", "offline"))
    assert "1号取号机可以刷证" in words(resident.view)
    first = Resident(faulty)
    assert first.take()["screen"] == "done"
