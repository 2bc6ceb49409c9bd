"""Strip card window display: worked frames in both directions, faults of the card, and cards that never answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import QUESTION_LIMIT_S, BadReply, CallText, Condition, Identity, NoReply, Refused
from drivers.display_strip import (
    CallPage,
    Card,
    Reply,
    StripDisplay,
    StripOptions,
    check,
    encode_call,
    encode_command,
    encode_text,
    find_reply,
    number_and_window,
)
from sim.display_strip import StripTwin
from sim.stopwatch import Stopwatch
from tests.contract.contract import DriverContract, Rig, ScriptedStream
from tests.contract.display_contract import AnsweringDisplayContract, Ear

SAMPLE = "请A001号到3号窗口"
SCREEN: dict[str, Any] = {"address": 3, "columns": 20}
RECEIPT = bytes.fromhex("A0 03 14 03 50 06 FF")
VERSION_REPLY = bytes.fromhex("A0 05 98 03 50 A1 03 30 FF")

PAGES = {
    "call 1234 to window 3": "A0 06 28 03 01 0C 22 03 63 FF",
    "call B1234 to window 3": "A0 07 28 03 01 0C 22 03 42 42 FF",
    "welcome": "A0 03 28 03 00 2E FF",
    "pause": "A0 03 28 03 02 30 FF",
    "serving 1234": "A0 06 28 03 04 0C 22 03 02 FF",
    "ASCII call A001, window 3": "A0 08 2B 03 01 41 30 30 31 03 0C FF",
    "online check": "A0 02 29 03 2E FF",
    "version query": "A0 03 98 03 50 26 FF",
    "radio channel 5": "A0 04 99 03 50 35 25 FF",
}
TEXTS = {
    "请A001号": "AA 03 BB 51 54 FF 01 00 99 00 63 C7 EB 41 30 30 31 BA C5 FF",
    "欢迎光临": "AA 03 BB 51 54 22 01 00 99 00 63 BB B6 D3 AD B9 E2 C1 D9 FF",
}


class TestStripDisplay(AnsweringDisplayContract):
    driver_module = twin_module = "display_strip"
    no_conditions = "a card confirms, and tells nothing about itself"
    options = {**SCREEN, "confirms": True}  # noqa: RUF012 - read only

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
        return [RECEIPT, VERSION_REPLY]

    def test_what_is_sent_and_heard_is_the_worked_frame(self, rig: Rig) -> None:
        driver = rig.open()
        assert driver.hello() == Identity(vendor="A0/AA strip card", model="16-dot strip", firmware="V3")
        driver.conditions()
        sent = b"".join(data for direction, data in rig.traced if direction == ">")
        heard = b"".join(data for direction, data in rig.traced if direction == "<")
        assert sent == bytes.fromhex(PAGES["version query"] + PAGES["online check"])
        assert heard == VERSION_REPLY + RECEIPT

    # How a text looks

    def test_a_text_stands_and_a_call_flashes_where_the_card_says_what_it_is(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        driver.show(CallText(text=SAMPLE, attention=True))
        driver.show(CallText(text="A001 办理中"))
        assert [(s.mode, s.attention) for s in rig.twin.shown] == [("flash", True), ("at_once", False)]

    @pytest.mark.parametrize("card", ["A2", "A3"])
    def test_the_modes_of_a_larger_card_are_others(self, rig: Rig, card: str) -> None:
        rig.twin.card = card
        driver = rig.open()
        driver.hello()
        driver.show(CallText(text=SAMPLE, attention=True))
        driver.show(CallText(text=SAMPLE))
        assert [s.mode for s in rig.twin.shown] == ["flash", "at_once"]

    def test_a_card_of_an_unknown_type_gets_the_mode_that_all_have(self, rig: Rig) -> None:
        rig.twin.card = "A9"
        driver = rig.open()
        assert driver.hello().model == ""
        driver.show(CallText(text=SAMPLE, attention=True))
        assert rig.twin.shown[-1].mode == "left"

    def test_the_table_knows_better_than_the_card(self, rig: Rig) -> None:
        rig.options = {**SCREEN, "card": Card.INSTANT}
        driver = rig.open()
        assert driver.hello().model == "24/32-dot instant"

    def test_an_integrated_card_gets_its_whole_screen(self, rig: Rig) -> None:
        rig.twin.card = "A4"
        driver = rig.open()
        driver.hello()
        self.job(driver, rig)
        assert (rig.twin.shown[-1].whole_screen, rig.twin.shown[-1].mode) == (True, "up_then_left")

    def test_attention_is_red_where_there_are_colours(self, rig: Rig) -> None:
        rig.options = {**SCREEN, "colors": 2}
        driver = rig.open()
        driver.show(CallText(text=SAMPLE, attention=True))
        driver.show(CallText(text=SAMPLE))
        assert [s.color for s in rig.twin.shown] == ["red", "green"]

    @pytest.mark.parametrize(("text", "seen"), [("一\n二", "一 二"), ("", " "), ("𠮷龑é😀\u0e01\\", "〓〓é〓?＼")])
    def test_odd_texts_show_no_blank(self, rig: Rig, text: str, seen: str) -> None:
        rig.open().show(CallText(text=text))
        assert rig.twin.text == seen

    def test_text_that_does_not_fit_is_refused_and_nothing_is_sent(self, rig: Rig) -> None:
        driver = rig.open()
        with pytest.raises(Refused) as caught:
            driver.show(CallText(text="请A001号到103号窗口办理"))
        assert caught.value.condition is Condition.TEXT_UNSUITABLE
        assert str(caught.value) == "TST-01: a text does not fit: 23 columns, the display has 20"
        assert rig.line.sent_to_twins() == b""

    # Pages of the card

    @pytest.mark.parametrize(
        ("page", "card", "text", "frame", "seen"),
        [
            ("number", "A1", "请B1234到3号窗口", PAGES["call B1234 to window 3"], "请B1234号到3号窗口"),
            ("number", "A1", "请1234到3号窗口", PAGES["call 1234 to window 3"], "请1234号到3号窗口"),
            ("ascii", "A1", "请A001到3号窗口", PAGES["ASCII call A001, window 3"], "请A001号到3号窗口"),
            ("ascii", "A4", "请A001到3号窗口", "A0 08 2D 03 01 41 30 30 31 03 0E FF", "请A001号到3号窗口"),
            ("number", "A4", "请B1234到3号窗口", "A0 07 2A 03 00 0C 22 03 42 43 FF", "请B1234号到3号窗口"),
        ],
    )
    def test_a_call_on_the_cards_own_page(
        self, rig: Rig, page: str, card: str, text: str, frame: str, seen: str
    ) -> None:
        rig.options = {**SCREEN, "call_page": CallPage(page), "card": Card(card)}
        rig.twin.card = card
        rig.open().show(CallText(text=text, attention=True))
        assert rig.line.sent_to_twins() == bytes.fromhex(frame)
        assert (rig.twin.shown[-1].page, rig.twin.text, rig.twin.complaints) == ("call", seen, [])

    @pytest.mark.parametrize(
        "text",
        [CallText(text="请A001到本窗口", attention=True), CallText(text="A001 办理中"), CallText(text="3号窗口")],
    )
    def test_what_is_no_call_with_a_window_stays_a_text(self, rig: Rig, text: CallText) -> None:
        rig.options = {**SCREEN, "call_page": CallPage.ASCII}
        rig.open().show(text)
        assert (rig.twin.shown[-1].page, rig.twin.text) == ("", text.text)

    # Faults of the card

    def test_a_silent_card_gives_no_reply_with_what_was_done(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.go_mute()
        watch = Stopwatch()
        with pytest.raises(NoReply) as caught:
            driver.show(CallText(text=SAMPLE))
        assert watch.s < driver.job_limit_s / 2
        assert str(caught.value) == (
            f"TST-01: sent a text twice, no answer from card 3 within 0.5 s on {rig.line.port} (0 other bytes came)"
        )

    def test_a_receipt_that_says_something_else_is_no_confirmation(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.confirm_with(0x4E)
        with pytest.raises(BadReply, match="TST-01: sent a text twice, answered 4e, 50 expected first on "):
            driver.show(CallText(text=SAMPLE))

    def test_a_damaged_check_is_named(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.corrupt_replies()
        with pytest.raises(BadReply, match=r"TST-01: checked, check is 07, should be 06, in: a0 03 14 03 50 07 ff on "):
            driver.conditions()

    def test_a_card_that_lost_its_power_for_long_is_missed_and_one_that_restarts_gets_its_text_again(
        self, rig: Rig
    ) -> None:
        driver = rig.open()
        driver.show(CallText(text=SAMPLE))
        rig.twin.restart()
        rig.twin.go_mute()
        with pytest.raises(NoReply):
            driver.conditions()
        rig.twin.recover()
        driver.hello()
        driver.show(CallText(text=SAMPLE))
        assert rig.twin.text == SAMPLE

    def test_a_late_receipt_is_no_version(self) -> None:
        driver = StripDisplay("TST-01", ScriptedStream([RECEIPT + VERSION_REPLY]), StripOptions(**SCREEN))
        assert driver.hello().firmware == "V3"

    @pytest.mark.parametrize("card_takes_low_byte", [True, False])
    @pytest.mark.parametrize("driver_takes_low_byte", [True, False])
    def test_the_two_check_rules(self, rig: Rig, card_takes_low_byte: bool, driver_takes_low_byte: bool) -> None:
        rig.twin.address = 250
        rig.twin.options = {"low_byte_first": card_takes_low_byte}
        rig.options = {**SCREEN, "address": 250, "confirms": True, "low_byte_first": driver_takes_low_byte}
        driver = rig.open()
        if card_takes_low_byte == driver_takes_low_byte:
            driver.hello()
            assert driver.conditions() == frozenset()
            return
        with pytest.raises(NoReply):
            driver.conditions()
        assert rig.twin.complaints == [
            f"check is {'25' if driver_takes_low_byte else '5d'} in " + rig.traced[0][1].hex(" ")
        ]


class TestCardThatNeverAnswers(DriverContract):
    """A card from before V2.1 on a line where it is not demanded that it answers."""

    driver_module = twin_module = "display_strip"
    no_conditions = "a card confirms, and tells nothing about itself"
    options = SCREEN

    @pytest.fixture(autouse=True)
    def _old_card(self, rig: Rig) -> None:
        rig.twin.predate_receipts()

    jobs = 0
    job = TestStripDisplay.job  # type: ignore[assignment]
    job_blind = TestStripDisplay.job_blind  # type: ignore[assignment]

    def test_mute_device_gives_no_reply_in_time(self, rig: Rig) -> None:
        """Overridden: silence is all that this card ever says, so it is no failure; each deed ends in time."""
        driver = rig.open()
        rig.line.mangle = lambda _: b""
        for deed in (driver.hello, driver.conditions, lambda: self.job(driver, rig)):
            watch = Stopwatch()
            deed()
            assert watch.wall_s > 0.4
            assert watch.s < QUESTION_LIMIT_S
        assert rig.twin.collisions == []

    def test_it_is_held_to_nothing_until_it_has_answered_once(self, rig: Rig) -> None:
        driver = rig.open()
        assert driver.hello().firmware == ""
        rig.twin.go_mute()
        driver.show(CallText(text=SAMPLE))
        assert rig.twin.text == ""
        rig.twin.recover()
        driver.show(CallText(text=SAMPLE))
        rig.twin.go_mute()
        with pytest.raises(NoReply):
            driver.show(CallText(text=SAMPLE))

    def test_a_card_that_only_answers_checks_is_held_to_checks_only(self, rig: Rig) -> None:
        rig.twin.answer_only_checks()
        driver = rig.open()
        driver.hello()
        driver.conditions()
        self.job(driver, rig)
        assert len(rig.twin.shown) == 1
        rig.twin.predate_receipts()
        with pytest.raises(NoReply, match="TST-01: checked, no answer from card 3"):
            driver.conditions()

    test_damaged_replies_raise_only_device_errors = None  # type: ignore[assignment]  # it hears none


# Worked frames, driver


@pytest.mark.parametrize(
    ("name", "command", "data"),
    [
        ("call 1234 to window 3", *encode_call(CallPage.NUMBER, ("", "1234"), 3, integrated=False)),
        ("call B1234 to window 3", *encode_call(CallPage.NUMBER, ("B", "1234"), 3, integrated=False)),
        ("ASCII call A001, window 3", *encode_call(CallPage.ASCII, ("A", "001"), 3, integrated=False)),
        ("welcome", 0x28, b"\x00"),
        ("pause", 0x28, b"\x02"),
        ("serving 1234", 0x28, b"\x04\x0c\x22\x03"),
        ("online check", 0x29, b""),
        ("version query", 0x98, b"\x50"),
        ("radio channel 5", 0x99, b"\x505"),
    ],
)
def test_driver_encodes_the_worked_frames(name: str, command: int, data: bytes) -> None:
    assert encode_command(command, 3, data).hex(" ") == bytes.fromhex(PAGES[name]).hex(" ")


@pytest.mark.parametrize("text", TEXTS)
def test_driver_encodes_the_worked_texts(text: str) -> None:
    assert encode_text(3, text.encode("gb2312")).hex(" ") == bytes.fromhex(TEXTS[text]).hex(" ")


def test_driver_decodes_the_worked_answers() -> None:
    assert find_reply(RECEIPT, 3) == (Reply(command=0x14, address=3, data=b"\x50"), b"")
    assert find_reply(VERSION_REPLY + b"\xa0", 3) == (Reply(command=0x98, address=3, data=b"\x50\xa1\x03"), b"\xa0")
    assert find_reply(RECEIPT, 4)[0] is None


def test_the_two_check_rules_agree_below_256_and_differ_above() -> None:
    assert check(b"\x64\x37") == check(b"\x64\x37", low_byte_first=False) == 55
    assert (check(b"\xff\x0a"), check(b"\xff\x0a", low_byte_first=False)) == (9, 65)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("请A001到3号窗口", (("A", "001"), 3)),
        ("A017 to window 12", (("A", "017"), 12)),
        ("请1234号到3号窗口", (("", "1234"), 3)),
        ("A001", None),
        ("A001 10:30 3", None),
        ("请A001到103号窗口", None),
    ],
)
def test_number_and_window(text: str, found: object) -> None:
    assert number_and_window(text) == found


# Worked frames, twin


def test_twin_obeys_the_worked_pages() -> None:
    twin = StripTwin("TST-01", SCREEN)
    ear = Ear(twin)
    seen = {}
    for name, frame in PAGES.items():
        answer = ear.hear(bytes.fromhex(frame))
        assert answer == (VERSION_REPLY if name == "version query" else RECEIPT), name
        seen[name] = (twin.shown[-1].page, twin.text)
    assert seen["call 1234 to window 3"] == ("call", "请1234号到3号窗口")
    assert seen["call B1234 to window 3"] == ("call", "请B1234号到3号窗口")
    assert seen["welcome"] == ("welcome", "欢迎光临")
    assert seen["pause"] == ("pause", "暂停服务")
    assert seen["serving 1234"] == ("serving", "3号窗口正在办理1234")
    assert seen["ASCII call A001, window 3"] == ("call", "请A001号到3号窗口")
    assert (twin.channel, twin.complaints, twin.collisions) == ("5", [], [])


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("cut", [0, 1, 5, 6, 11])
def test_twin_obeys_the_worked_texts_in_any_pieces(text: str, cut: int) -> None:
    twin = StripTwin("TST-01", SCREEN)
    ear = Ear(twin)
    frame = bytes.fromhex(TEXTS[text])
    if cut:
        assert ear.hear(frame[:cut]) == b""
    assert ear.hear(frame[cut:], after_s=0.01) == RECEIPT
    shown = twin.shown[-1]
    assert (twin.text, shown.mode, shown.stay, shown.color, shown.life) == (text, "left", 0x99, "red", 99)
    assert twin.collisions == []


def test_twin_says_nothing_to_a_damaged_frame_or_to_another_address() -> None:
    twin = StripTwin("TST-01", SCREEN)
    ear = Ear(twin)
    assert ear.hear(bytes.fromhex(PAGES["welcome"].replace("2E FF", "2F FF"))) == b""
    assert ear.hear(bytes.fromhex(TEXTS["请A001号"].replace("54 FF", "54 FE"))) == b""
    assert len(twin.complaints) == 2
    assert ear.hear(encode_command(0x29, 4, b"")) == b""
    assert (twin.text, len(twin.complaints)) == ("", 2)


def test_twin_notes_a_collision_when_a_frame_follows_too_soon() -> None:
    one, two = StripTwin("DSP-01", {"address": 1}), StripTwin("DSP-02", {"address": 2})
    ear = Ear(one, two)
    ear.hear(encode_command(0x29, 1, b""))
    ear.hear(encode_command(0x29, 2, b""), after_s=0.1)
    assert (one.collisions, two.collisions) == ([], [])
    ear.hear(encode_command(0x29, 1, b""), after_s=0.05)
    assert (len(one.collisions), len(two.collisions)) == (1, 1)


@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([*PAGES.values(), *TEXTS.values()])), max_size=6))
def test_twin_survives_any_bytes(pieces: list[bytes | str]) -> None:
    ear = Ear(StripTwin("TST-01", SCREEN), StripTwin("TST-02", {"address": 0, "card": "A4"}))
    for piece in pieces:
        ear.hear(bytes.fromhex(piece) if isinstance(piece, str) else piece, after_s=0.01)


@given(st.sampled_from([0x28, 0x2A, 0x2B, 0x2D, 0x98, 0x99]), st.binary(max_size=8))
def test_twin_survives_any_page(command: int, data: bytes) -> None:
    for card in ("A1", "A4"):
        Ear(StripTwin("TST-01", {**SCREEN, "card": card})).hear(encode_command(command, 3, data))


# Anything


@given(st.binary(max_size=60), st.integers(0, 254))
def test_any_bytes_are_no_reply_or_a_bad_one(received: bytes, address: int) -> None:
    try:
        reply, rest = find_reply(received, address)
    except BadReply as exc:
        assert "should be" in str(exc)
        return
    assert received.endswith(rest)
    assert reply is None or reply.address == address


@given(st.text(max_size=24), st.booleans(), st.integers(0, 254), st.sampled_from(list(Card)), st.integers(1, 2))
def test_what_the_driver_accepts_the_twin_shows(
    text: str, attention: bool, address: int, card: Card, colors: int
) -> None:
    table = {"address": address, "columns": 40, "card": card, "colors": colors, "gap_s": 0.0}
    link = ScriptedStream([])
    sent: list[bytes] = []
    link.write = lambda data, limit_s=2.0: sent.append(data)  # type: ignore[method-assign]
    try:
        StripDisplay("TST-01", link, StripOptions(**table)).show(CallText(text=text, attention=attention))
    except Refused:
        return
    twin = StripTwin("TST-01", {**table, "card": card.value})
    Ear(twin).hear(sent[0])
    assert len(twin.shown) == 1
    assert "\ufffd" not in twin.text
    assert twin.complaints == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"baud": 19200}, "baud = 19200, legal: 9600"),
        ({"address": 255}, "address = 255, legal: 0 to 254"),
        ({"columns": 2}, "columns = 2, legal: 4 to 128"),
        ({"colors": 4}, "colors = 4, legal: 1, 2 or 3"),
        ({"reply_limit_s": 2.0}, "reply_limit_s = 2.0, legal: 0.1 to 1 seconds"),
        ({"gap_s": 1.0}, "gap_s = 1.0, legal: 0 to 0.5 seconds"),
    ],
)
def test_option_errors_name_the_key_and_what_is_legal(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        StripOptions(**{**SCREEN, **options})
