"""PC/SC card reader: through the real pcscd with a virtual reader; where that cannot run, only bytes are tested."""

import contextlib
import os
import socket
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import CardDoubt, CardGone, CardKind, Condition, DeviceError, Identity, LinkError, Refused
from drivers.idcard_pcsc import PcscOptions, PcscReader, Route, decode_wrapped, encode_read_binary, encode_wrapped
from drivers.idcard_sam import Reply
from drivers.pcsc_helper import PcscHelper
from drivers.transport_pcsc import CardSlot, HeldByAnother
from sim.idcard_module import answer_frame
from sim.idcard_records import RESIDENTS, CitizenCard
from sim.pcsc import InsertedCard, available
from sim.stopwatch import Stopwatch
from tests.contract.contract import MARKERS, DriverContract, Rig, until
from tests.contract.idcard_goldens import CITIZEN, NEWEST_ADDRESS, frame
from tests.contract.idcard_room import card_of, heard, helpers_of, pcsc_rig, poll_until_news, refusal

system = [
    pytest.mark.system,
    pytest.mark.skipif(available() is not None, reason=f"no virtual PC/SC reader: {available()}"),
]
FLAT_FILE = {"debounce_s": 0.5}
WRAPPED = {"debounce_s": 0.5, "route": "wrapped"}
SERIAL_ONLY = {"debounce_s": 0.5, "route": "serial_only"}


# --- bytes ------------------------------------------------------------------------------------------------------------


def test_flat_file_is_read_by_the_commands_of_the_document() -> None:
    assert [encode_read_binary(at).hex(" ") for at in (0, 0x100, 0x500)] == [
        "ff b0 00 00 00",
        "ff b0 01 00 00",
        "ff b0 05 00 00",
    ]


class OneSlot:
    """A virtual reader without its service: what the card says comes out of the other end of a socket."""

    def __init__(self) -> None:
        self.pulled_at: dict[int, float] = {}
        with socket.create_server(("127.0.0.1", 0)) as service:
            self._card_side = socket.create_connection(service.getsockname())
            self.service_side, _ = service.accept()
        self.service_side.settimeout(20)

    def connect(self, place: int) -> socket.socket:
        assert place == 0
        return self._card_side

    def reader(self, place: int) -> str:
        return f"slot {place}"

    def asks(self, message: str, answer: str) -> None:
        """Send this, and get exactly that."""
        self.service_side.sendall(bytes.fromhex(message))
        awaited = bytes.fromhex(answer)
        assert self.service_side.recv(len(awaited), socket.MSG_WAITALL) == awaited


@pytest.mark.parametrize(
    "atr", ["3B 88 80 01 D1 03 86 0C 00 80 80 00 51", "3B 88 80 01 D1 03 86 07 00 80 90 00 4A"], ids=["80", "90"]
)
def test_a_card_in_the_virtual_reader_speaks_as_the_document_writes_it(atr: str) -> None:
    slot = OneSlot()
    serial = bytes.fromhex("11 22 33 44 55 66 77 88 90 00")
    service: Any = slot  # a card needs no more of the service than this
    card = InsertedCard(service, bytes.fromhex(atr), {b"\x00\x36\x00\x00\x08": serial}.get)
    try:
        slot.service_side.sendall(bytes.fromhex("00 01 01 00 01 02 00 01 00"))  # power and reset get no answer
        slot.asks("00 01 04", f"00 0D {atr}")
        slot.asks("00 05 00 36 00 00 08", "00 0A 11 22 33 44 55 66 77 88 90 00")
    finally:
        card.pull()
        slot.service_side.close()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"route": "wrapped"}, "FF 00 00 00 0A AA AA AA 96 69 00 03 20 01 22"),
        ({"route": "wrapped", "template": "{frame}"}, "AA AA AA 96 69 00 03 20 01 22"),
        ({"route": "wrapped", "template": "FF C2 {length} {frame} 00"}, "FF C2 0A AA AA AA 96 69 00 03 20 01 22 00"),
        (
            {"route": "wrapped", "template": "ff c2 01 {length2} {frame}"},
            "FF C2 01 00 0A AA AA AA 96 69 00 03 20 01 22",
        ),
        ({"route": "escape"}, "AA AA AA 96 69 00 03 20 01 22"),
    ],
)
def test_request_is_wrapped_as_the_options_say(options: dict[str, Any], expected: str) -> None:
    assert encode_wrapped(frame("00 03 20 01 22"), PcscOptions(**options).frame_template) == bytes.fromhex(expected)


@pytest.mark.parametrize("around", [(b"", b"\x90\x00"), (b"", b""), (b"\x00\x0b", b"\x90\x00")])
def test_reply_is_found_whatever_stands_around_it(around: tuple[bytes, bytes]) -> None:
    assert decode_wrapped(around[0] + answer_frame(0x80) + around[1]) == Reply(status=0x80)
    assert decode_wrapped(b"\x6d\x00") is None


@pytest.mark.parametrize(
    ("key", "value", "legal"),
    [
        ("route", "usb", "flat_file, wrapped, escape, serial_only"),
        ("template", "FF 0 {frame}", "hex bytes around one"),
        ("template", "FF {length}", "hex bytes around one"),
        ("template", "{frame} {frame}", "hex bytes around one"),
        ("template", "{size} {frame}", "hex bytes around one"),
        ("control_code", 0, "from 1 to 4294967295"),
        ("newest_address", True, "cannot be asked for it"),
        ("debounce_s", 0.0, "from 0.5 to 10"),
    ],
)
def test_options_outside_their_range_name_the_key_and_the_range(key: str, value: object, legal: str) -> None:
    with pytest.raises(ValueError, match=f"^{key}: .*{legal}"):
        PcscOptions(**{key: value})  # type: ignore[arg-type]  # wrong on purpose


class ScriptedSlot:
    """A slot in memory in which a card lies and everything is answered by the next scripted bytes."""

    port = "pcsc:scripted"
    reader = "scripted"
    changes = 1

    def __init__(self, answers: list[bytes]) -> None:
        self.answers = answers

    def card_atr(self, limit_s: float) -> bytes | None:
        return b"\x3b"

    def connect(self, limit_s: float = 3.0) -> None:
        """The card is powered."""

    connect_reader = connect

    def disconnect(self) -> None:
        """The card is let go."""

    @contextlib.contextmanager
    def private(self) -> Iterator[None]:
        yield

    def transmit(self, apdu: bytes, limit_s: float = 3.0) -> bytes:
        return self.answers.pop(0) if self.answers else b""

    def control(self, code: int, data: bytes, limit_s: float = 3.0) -> bytes:
        return self.transmit(data)


RECORD = b"\x01\x00\x04\x00" + CITIZEN.text_block() + bytes(1024)
GENUINE = [
    *[RECORD[at : at + 256] + b"\x90\x00" for at in range(0, len(RECORD), 256)],
    *[answer_frame(*one) + b"\x90\x00" for one in ((0x9F, bytes(4)), (0x90, bytes(8)), (0x90, RECORD), (0x90, b""))],
    b"\x61\x00",
    b"\x6d\x00",
]


@settings(max_examples=150, deadline=None)
@given(
    route=st.sampled_from(list(Route)),
    answers=st.lists(st.one_of(st.binary(max_size=40), st.sampled_from(GENUINE)), max_size=14),
    at=st.integers(0, 4000),
    value=st.integers(0, 255),
)
def test_any_answers_of_a_card_or_reader_raise_only_device_errors(
    route: Route, answers: list[bytes], at: int, value: int
) -> None:
    if answers and (last := bytearray(answers[-1])):
        last[at % len(last)] = value
        answers[-1] = bytes(last)
    slot: Any = ScriptedSlot(answers)  # Any: stands for a CardSlot
    driver = PcscReader("TST-01", slot, PcscOptions(route=route))
    for deed in (driver.hello, driver.conditions, lambda: driver.poll_card(0.0), lambda: driver.poll_card(0.0)):
        try:
            deed()
        except DeviceError as exc:
            assert str(exc)


# --- the real service -------------------------------------------------------------------------------------------------


class SlotContract(DriverContract):
    """The contract where it fits a card slot; bytes on a line are none of its business."""

    driver_module = "idcard_pcsc"
    twin_module = "idcard_pcsc"
    no_conditions = "the module is reached through a card only: without one nothing can be asked"

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        with pcsc_rig(self.options) as rig:
            yield rig

    def job(self, driver: Any, rig: Rig) -> None:
        rig.twin.put("zhang")
        assert card_of(driver).id_no == "990000199909090053"
        rig.twin.lift()
        assert poll_until_news(driver) == CardGone()

    def personal_job(self, driver: Any, rig: Rig) -> None:
        rig.twin.put("zhang")
        for _ in range(3):
            driver.poll_card(0.3)
        rig.twin.lift()

    def spoils(self, rig: Rig) -> Sequence[Callable[[], object]]:
        return (rig.twin.lift_during_read, lambda: rig.twin.fail_authentication(sw3=0x31))

    def test_mute_device_gives_no_reply_in_time(self, rig: Rig) -> None:
        """The slot itself always answers; a mute card is refused, and nobody waits for it longer than for a job."""
        driver = rig.open()
        rig.twin.go_mute()
        rig.twin.put("zhang")
        until(lambda: driver.link.card_atr(0.2), what="a card in the slot")
        watch = Stopwatch()
        with pytest.raises(Refused) as caught:
            driver.poll_card(0.2)
        assert watch.s < driver.job_limit_s
        assert caught.value.condition is Condition.CARD_UNREADABLE
        assert heard(driver, 0.5) == []
        rig.twin.lift()
        rig.twin.recover()
        self.job(driver, rig)

    test_reply_in_single_bytes_is_the_same_reply = None  # type: ignore[assignment]  # a slot has whole answers
    test_leftovers_of_an_earlier_answer_are_ignored = None  # type: ignore[assignment]  # and none left over
    test_damaged_replies_raise_only_device_errors = None  # type: ignore[assignment]  # the service would have to break


class TestFlatFileContract(SlotContract):
    pytestmark = system
    options: ClassVar[dict[str, Any]] = FLAT_FILE


class TestWrappedContract(SlotContract):
    pytestmark = system
    options: ClassVar[dict[str, Any]] = WRAPPED


@pytest.fixture
def rig(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    with pcsc_rig(getattr(request, "param", FLAT_FILE)) as rig:
        for key, value in rig.twin.environment().items():
            monkeypatch.setenv(key, value)
        yield rig


both_routes = pytest.mark.parametrize("rig", [FLAT_FILE, WRAPPED], indirect=True, ids=["flat_file", "wrapped"])


class TestRealService:
    pytestmark = system

    def test_hello_names_the_reader(self, rig: Rig) -> None:
        assert rig.open().hello() == Identity(model="Hall Card 00 00")

    @both_routes
    def test_every_kind_of_card_is_read_one_after_the_other(self, rig: Rig) -> None:
        driver = rig.open()
        for name in ("zhang", "hongkong", "foreign2017", "foreign2023"):
            rig.twin.put(name)
            assert card_of(driver).id_no == RESIDENTS[name].number  # type: ignore[attr-defined]  # every kind has one

    def test_flat_file_is_read_whole_in_six_commands(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.put(CITIZEN)
        assert card_of(driver).id_no == "110101199003070011"
        assert [apdu.hex(" ") for apdu in rig.twin.apdus] == [f"ff b0 {block:02x} 00 00" for block in range(6)]

    @pytest.mark.parametrize("rig", [WRAPPED], indirect=True)
    def test_card_of_the_next_resident_is_not_suspect_for_the_one_before(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.fail_authentication(times=2)
        rig.twin.put("zhang")
        assert refusal(driver).condition is Condition.CARD_UNREADABLE
        rig.twin.lift()
        assert isinstance(poll_until_news(driver), CardGone)
        rig.twin.put("li")
        assert refusal(driver).condition is Condition.CARD_UNREADABLE

    @pytest.mark.parametrize("rig", [WRAPPED], indirect=True)
    def test_wrapped_frames_go_through_in_full_order(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.put(CITIZEN)
        assert card_of(driver).id_no == "110101199003070011"
        assert rig.twin.sam.commands == [b"\x20\x01", b"\x20\x02", b"\x30\x01"]

    @pytest.mark.parametrize("rig", [{**WRAPPED, "template": "{frame}"}], indirect=True)
    def test_bare_frames_go_through(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.put("li")
        assert card_of(driver).id_no == "99000019900909004X"

    @pytest.mark.parametrize("rig", [SERIAL_ONLY], indirect=True)
    def test_reader_without_a_module_yields_the_serial_number_only(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.put("zhang")
        card = card_of(driver)
        assert (card.kind, card.serial, card.id_no, card.name) == (CardKind.SERIAL_ONLY, "1122334455667788", "", "")
        assert driver.link.card_atr(0.2) == bytes.fromhex("3B 88 80 01 D1 03 86 0C 00 80 80 00 51")
        seen = b"".join(data for _, data in rig.traced)
        assert bytes.fromhex("1122334455667788") not in seen

    @both_routes
    def test_card_that_is_left_lying_is_one_visit(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.put("zhang")
        assert card_of(driver).name == "张测试"
        asked = len(rig.twin.apdus)
        assert heard(driver, 1.0) == []
        assert len(rig.twin.apdus) == asked
        rig.twin.lift()
        assert poll_until_news(driver) == CardGone()
        assert heard(driver, 0.5) == []

    def test_cards_exchanged_while_nobody_looked_are_told_apart(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.put("zhang")
        assert card_of(driver).name == "张测试"
        rig.twin.put("li")
        watcher = CardSlot(rig.line.port)
        try:
            left_and_came = driver.link.changes + 2
            until(lambda: watcher.card_atr(0.2) and watcher.changes == left_and_came, what="the second card")
        finally:
            watcher.close()
        assert card_of(driver).name == "李示例"

    @both_routes
    def test_card_pulled_in_the_middle_of_a_command_is_told_so_and_nothing_of_it_is_kept(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.lift_during_read()
        rig.twin.put("zhang")
        assert refusal(driver).condition is Condition.CARD_REMOVED_EARLY
        assert not rig.twin.card_in_slot
        rig.twin.put("zhang")
        assert card_of(driver).name == "张测试"

    @both_routes
    @pytest.mark.parametrize("says", ["6D 00", "6A 82", "DE AD BE EF 90 00"])
    def test_card_of_another_kind_is_unknown_once_per_placing(self, says: str, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.put_wrong_card(bytes.fromhex(says))
        refused = refusal(driver)
        assert heard(driver, 0.5) == []
        # Only a status can tell "no such command here" from "went wrong".
        wrapped_garbage = driver.options.route == "wrapped" and len(says) > 5
        expected = Condition.CARD_UNREADABLE if wrapped_garbage else Condition.CARD_UNKNOWN
        assert refused.condition is expected
        rig.twin.put("zhang")
        assert card_of(driver).name == "张测试"

    @both_routes
    def test_card_without_authentication_is_unreadable(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.fail_authentication(sw3=0x31)
        rig.twin.put("zhang")
        assert refusal(driver).condition is Condition.CARD_UNREADABLE

    @pytest.mark.parametrize("rig", [WRAPPED], indirect=True)
    def test_card_that_the_module_does_not_find_is_no_id_card(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.refuse(b"\x20\x01", 0x80)
        rig.twin.put("zhang")
        assert refusal(driver).condition is Condition.CARD_UNKNOWN

    @both_routes
    def test_wrong_check_digit_is_a_doubt_with_the_data(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.put(RESIDENTS["zhang"].with_wrong_check_digit())
        card = card_of(driver)
        assert (card.name, card.doubts) == ("张测试", frozenset({CardDoubt.CHECK_DIGIT}))

    @pytest.mark.parametrize("rig", [WRAPPED], indirect=True)
    def test_faults_of_the_module_behind_the_reader_are_told_as_on_a_serial_line(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.put("zhang")
        rig.twin.spoil_check_digit()
        assert card_of(driver).doubts == {CardDoubt.CHECK_DIGIT}
        rig.twin.lift()
        assert isinstance(poll_until_news(driver), CardGone)
        rig.twin.put_preamble_in_photo()
        rig.twin.put("li")
        assert card_of(driver).name == "李示例"
        rig.twin.lift()
        assert isinstance(poll_until_news(driver), CardGone)
        rig.twin.lift_before_select()
        rig.twin.put("zhang")
        assert refusal(driver).condition is Condition.CARD_REMOVED_EARLY

    def test_service_that_dies_is_a_lost_link_and_a_new_one_works(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.put("zhang")
        card_of(driver)
        rig.twin.unplug()
        with pytest.raises(LinkError, match="pcsc:Hall Card 00 00"):
            heard(driver, 2.0)
        driver.link.close()
        with pytest.raises(LinkError, match="could not reach the PC/SC service"):
            rig.open()
        rig.twin.replug()
        again = rig.open()
        assert again.hello().model == "Hall Card 00 00"
        assert card_of(again).name == "张测试"

    def test_service_that_dies_while_a_card_is_read_is_a_lost_link(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.kill_service_during_read()
        rig.twin.put("zhang")
        with pytest.raises(LinkError):
            card_of(driver)

    def test_reader_that_is_not_there_is_a_lost_link_with_its_name(self, rig: Rig) -> None:
        with pytest.raises(LinkError, match="pcsc:Other Reader 00 00: could not watch the slot: Unknown reader"):
            CardSlot("pcsc:Other Reader 00 00")

    @both_routes
    def test_no_error_and_no_trace_says_anything_of_the_card(self, rig: Rig) -> None:
        driver = rig.open()
        told = []
        for fault in (rig.twin.lift_during_read, rig.twin.fail_authentication):
            fault()
            rig.twin.put("zhang")
            with pytest.raises(Refused) as caught:
                card_of(driver)
            told.append("".join(traceback.format_exception(caught.value)))
        rig.twin.put("zhang")
        card_of(driver)
        seen = b"".join(data for _, data in rig.traced)
        for marker in MARKERS:
            assert marker not in "".join(told)
            for encoding in ("utf-8", "utf-16-le", "gb18030"):
                assert marker.encode(encoding) not in seen
        assert rig.hidden

    def test_slot_leaves_no_process_behind(self, rig: Rig) -> None:
        rig.twin.go_mute()
        rig.twin.put("zhang")
        driver = rig.open()
        with pytest.raises(Refused):
            card_of(driver)
        assert helpers_of(os.getpid())
        driver.link.close()
        assert not helpers_of(os.getpid())

    @pytest.mark.parametrize("rig", [WRAPPED], indirect=True)
    def test_answer_that_must_be_fetched_in_parts_is_put_together(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.answer_in_parts(size=250)
        rig.twin.put("zhang")
        assert card_of(driver).name == "张测试"
        assert [apdu.hex(" ") for apdu in rig.twin.apdus].count("00 c0 00 00 fa") == 4

    @pytest.mark.parametrize("rig", [{**WRAPPED, "newest_address": True}], indirect=True)
    def test_newest_address_is_read_behind_the_record(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.put(CitizenCard(**{**vars(CITIZEN), "extra_address": NEWEST_ADDRESS}))
        card = card_of(driver)
        assert (card.newest_address, card.doubts) == (NEWEST_ADDRESS, frozenset())
        seen = b"".join(data for _, data in rig.traced)
        assert NEWEST_ADDRESS[:4].encode("utf-16-le") not in seen

    @both_routes
    def test_expired_card_is_read_with_a_doubt(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.put("expired")
        assert card_of(driver).doubts == {CardDoubt.EXPIRED}

    @both_routes
    def test_card_of_a_layout_that_nobody_knows_is_unknown(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.put_strange_layout()
        assert refusal(driver).condition is Condition.CARD_UNKNOWN
        rig.twin.put("foreign2023")
        assert card_of(driver).name_en.startswith("SAMPLE, ALEXANDRA")

    @pytest.mark.parametrize("rig", [{"debounce_s": 10.0}], indirect=True)
    def test_card_put_back_within_the_debounce_is_the_same_visit(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.put("zhang")
        assert card_of(driver).name == "张测试"
        rig.twin.lift()
        until(lambda: driver.poll_card(0.2) is None and not driver.link.card_atr(0.0), what="an empty slot")
        rig.twin.put("zhang")
        until(lambda: driver.poll_card(0.2) is None and driver.link.card_atr(0.0), what="the card is back")
        assert heard(driver, 0.5) == []

    def test_card_that_another_program_holds_is_waited_for_and_refused_to_nobody(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.put("zhang")
        other = PcscHelper()
        try:
            context = other.call("SCardEstablishContext", 0, limit_s=3)[1]
            until(lambda: driver.link.card_atr(0.2), what="the card")
            exclusive, any_protocol = 1, 3
            code, card, _ = other.call(
                "SCardConnect", context, rig.twin.service.reader(), exclusive, any_protocol, limit_s=3
            )
            assert code == 0
            with pytest.raises(HeldByAnother, match="Sharing violation"):
                driver.poll_card(0.2)
            other.call("SCardDisconnect", card, 0, limit_s=3)
            assert card_of(driver).name == "张测试"
        finally:
            other.end()
