"""SAM_V frames, statuses and records: the bytes of the document, from the driver's side and from the twin's."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import BadReply
from drivers.idcard_sam import (
    AnswerSearch,
    Command,
    Reply,
    decode_newest_address,
    decode_record,
    decode_sam_id,
    encode_request,
    fits,
    take_frame,
)
from sim.idcard_module import SamModule, answer_frame, request_frame
from tests.contract.idcard_goldens import CITIZEN, NEWEST_ADDRESS, NEWEST_ADDRESS_REPLY, SAM_REQUESTS, frame, sha256

REPLIES = [
    (0x90, "", "00 04 00 00 90 94"),
    (0x60, "", "00 04 00 00 60 64"),
    (0x66, "", "00 04 00 00 66 62"),
    (0x9F, "00 00 00 00", "00 08 00 00 9F 00 00 00 00 97"),
    (0x80, "", "00 04 00 00 80 84"),
    (0x90, "00 00 00 00 00 00 00 00", "00 0C 00 00 90 00 00 00 00 00 00 00 00 9C"),
    (0x81, "", "00 04 00 00 81 85"),
    (0x41, "", "00 04 00 00 41 45"),
    (0x31, "", "00 04 00 00 31 35"),
    (0x32, "", "00 04 00 00 32 36"),
    (0x91, "", "00 04 00 00 91 95"),
    (0x10, "", "00 04 00 00 10 14"),
    (0x11, "", "00 04 00 00 11 15"),
    (0x21, "", "00 04 00 00 21 25"),
]
SAM_ID_REPLY = "00 14 00 00 90 05 00 03 00 65 9E 33 01 39 30 00 00 15 CD 5B 07 C6"


@pytest.mark.parametrize("command", SAM_REQUESTS)
def test_requests_are_those_of_the_document(command: Command) -> None:
    assert encode_request(command) == frame(SAM_REQUESTS[command])
    assert request_frame(command.value) == frame(SAM_REQUESTS[command])


@pytest.mark.parametrize(("status", "data", "golden"), REPLIES)
def test_replies_are_those_of_the_document(status: int, data: str, golden: str) -> None:
    assert answer_frame(status, bytes.fromhex(data)) == frame(golden)
    assert take_frame(frame(golden)) == (Reply(status=status, data=bytes.fromhex(data)), b"")


def test_module_number_is_written_as_on_its_papers() -> None:
    module = SamModule()
    assert module.answer(frame(SAM_REQUESTS[Command.SAM_ID])) == frame(SAM_ID_REPLY)
    reply, _ = take_frame(frame(SAM_ID_REPLY))
    assert reply is not None
    assert decode_sam_id(reply.data, "IDR-01") == "05.03-20160101-0000012345-0123456789"
    with pytest.raises(BadReply, match=r"^IDR-01: "):
        decode_sam_id(b"", "IDR-01")


def module_with_citizen(fingerprints: int = 0) -> SamModule:
    module = SamModule()
    module.put(CITIZEN if not fingerprints else type(CITIZEN)(**{**vars(CITIZEN), "fingerprints": fingerprints}))
    module.answer(frame(SAM_REQUESTS[Command.FIND]))
    module.answer(frame(SAM_REQUESTS[Command.SELECT]))
    return module


def test_record_is_that_of_the_document() -> None:
    reply = module_with_citizen().answer(frame(SAM_REQUESTS[Command.READ]))
    assert (len(reply), reply[-1]) == (1295, 0x6A)
    assert sha256(reply) == "760c8a9606802a943da4e57c605b5d1a57b1bd58c1b4cc700babe7ee042a7b3f"
    taken, rest = take_frame(reply)
    assert taken is not None
    assert (taken.status, rest) == (0x90, b"")
    assert decode_record(taken.data, "IDR-01") == CITIZEN.text_block()


@pytest.mark.parametrize(
    ("fingerprints", "length", "last", "digest"),
    [
        (2, 2321, 0x60, "dc64ab421857a51fe5ef1d5eb7a2ddd8e5326d63dbb8a13be9481c7061a260cf"),
        (1, 1809, None, ""),  # of one finger the document gives the length only
        (0, 1297, 0x68, "1297b6518819836019d7facf2a0c624c1bc9be5bf73125c5f97b9e4b2cd484ec"),
    ],
)
def test_twin_has_the_records_with_fingerprints_that_no_driver_asks_for(
    fingerprints: int, length: int, last: int | None, digest: str
) -> None:
    reply = module_with_citizen(fingerprints).answer(frame("00 03 30 10 23"))
    assert len(reply) == length
    assert digest in ("", sha256(reply))
    assert last in (None, reply[-1])
    assert reply[14:16] == (fingerprints * 512).to_bytes(2, "big")


def test_twin_has_the_additional_address_of_the_document() -> None:
    module = SamModule()
    module.put(type(CITIZEN)(**{**vars(CITIZEN), "extra_address": "北京市西城区示例路8号"}))
    reply = module.answer(frame("00 03 30 03 30"))
    assert reply == frame(NEWEST_ADDRESS_REPLY)


def test_newest_address_of_the_document_is_read() -> None:
    reply, _ = take_frame(frame(NEWEST_ADDRESS_REPLY))
    assert reply is not None
    assert fits(Command.NEWEST_ADDRESS, reply)
    assert decode_newest_address(reply.data, "IDR-01") == NEWEST_ADDRESS


def test_newest_address_that_is_no_text_is_a_bad_reply_without_its_bytes() -> None:
    with pytest.raises(BadReply, match=r"^IDR-01: the newest address is no text$") as caught:
        decode_newest_address(b"\x20\x5f\x00\xd8" + b"\x20\x5f" * 33, "IDR-01")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_twin_answers_wrong_requests_as_the_document_says() -> None:
    module = SamModule()
    assert module.answer(frame("00 03 20 01 23")) == frame("00 04 00 00 10 14")
    assert module.answer(frame("00 04 20 01 00 25")) == frame("00 04 00 00 11 15")
    assert module.answer(frame("00 03 77 01 75")) == frame("00 04 00 00 21 25")
    assert module.commands == [b"\x77\x01"]


@pytest.mark.parametrize(
    ("request_", "speed"),
    [
        ("00 03 60 00 63", 115200), ("00 03 60 01 62", 57600), ("00 03 60 02 61", 38400), ("00 03 60 03 60", 19200),
        ("00 03 60 04 67", 9600),
    ],
)  # fmt: skip
def test_twin_is_set_to_each_speed_of_the_document(request_: str, speed: int) -> None:
    module = SamModule()
    assert module.answer(frame(request_)) == frame("00 04 00 00 90 94")
    assert module.new_speed == speed


@pytest.mark.parametrize("variant", ["00 03 30 02 31", "00 03 30 05 36"])
def test_twin_knows_no_reading_of_the_card_number_that_only_some_lists_have(variant: str) -> None:
    assert SamModule().answer(frame(variant)) == frame("00 04 00 00 21 25")


def test_frame_ends_where_its_length_says_whatever_stands_inside() -> None:
    inside = answer_frame(0x90, answer_frame(0x90) + b"\xaa\xaa\xaa\x96\x69")
    reply, rest = take_frame(inside + b"\xaa\xaa")
    assert reply == Reply(status=0x90, data=answer_frame(0x90) + b"\xaa\xaa\xaa\x96\x69")
    assert rest == b"\xaa\xaa"


@pytest.mark.parametrize(
    "noise",
    [
        b"\x00",
        b"\xaa\xaa",
        b"\xaa\xaa\xaa\x96\x69",
        frame("FF FF 00 00"),
        frame("00 04 00 00 90 95"),
        frame("00 02 90"),
    ],
)
def test_noise_before_a_frame_is_skipped(noise: bytes) -> None:
    reply, rest = take_frame(noise + answer_frame(0x80))
    assert (reply, rest) == (Reply(status=0x80), b"")


RECORD = b"\x01\x00\x04\x00" + CITIZEN.text_block() + bytes(1024)
SUCCESSES = {
    Command.RESET: (0x90, b""),
    Command.STATUS: (0x90, b""),
    Command.SAM_ID: (0x90, bytes(16)),
    Command.FIND: (0x9F, bytes(4)),
    Command.SELECT: (0x90, bytes(8)),
    Command.READ: (0x90, RECORD),
    Command.NEWEST_ADDRESS: (0x90, bytes(70)),
}


def searched(command: Command, received: bytes) -> Reply | None:
    """What is taken for the answer when this arrives and then nothing."""
    search = AnswerSearch(command)
    return search.take(received) or search.give_up()


@pytest.mark.parametrize("asked", Command)
@pytest.mark.parametrize("answered", Command)
def test_success_of_another_command_is_no_answer(asked: Command, answered: Command) -> None:
    status, data = SUCCESSES[answered]
    same_shape = SUCCESSES[asked] == SUCCESSES[answered]
    assert fits(asked, Reply(status=status, data=data)) == same_shape


@pytest.mark.parametrize("command", Command)
def test_late_answer_before_the_right_one_is_left_out(command: Command) -> None:
    status, data = SUCCESSES[command]
    late = answer_frame(0x90, bytes(5))
    search = AnswerSearch(command)
    assert search.take(late + answer_frame(status, data)) == Reply(status=status, data=data)


def test_answer_of_a_module_that_fills_it_otherwise_counts_after_a_silence() -> None:
    search = AnswerSearch(Command.SELECT)
    assert search.take(answer_frame(0x90, bytes(2))) is None
    assert search.give_up() == Reply(status=0x90, data=bytes(2))


def test_frame_inside_a_longer_one_that_never_came_is_found_after_silence() -> None:
    begun = answer_frame(0x90, bytes(1284))[:300]
    assert AnswerSearch(Command.FIND).take(begun + answer_frame(0x80)) is None
    assert searched(Command.FIND, begun + answer_frame(0x80)) == Reply(status=0x80)
    assert searched(Command.FIND, begun) is None


@pytest.mark.parametrize("sw3", [0x41, 0x31, 0x60])
def test_status_inside_a_record_that_came_broken_is_not_the_answer(sw3: int) -> None:
    photo = (bytes(100) + answer_frame(sw3) + bytes(1024))[:1024]
    whole = answer_frame(0x90, RECORD[:260] + photo)
    assert searched(Command.READ, whole) == Reply(status=0x90, data=RECORD[:260] + photo)
    assert searched(Command.READ, whole[:200] + b"\x7f" + whole[201:]) is None
    assert searched(Command.READ, whole[:200] + whole[201:]) is None
    assert searched(Command.READ, bytes(20) + answer_frame(sw3)) == Reply(status=sw3)


@given(st.binary(max_size=200), st.lists(st.integers(0, 215), max_size=6))
def test_frame_is_found_behind_anything_in_any_pieces(noise: bytes, cuts: list[int]) -> None:
    received, search = noise + answer_frame(0x9F, bytes(4)), AnswerSearch(Command.FIND)
    edges = [0, *sorted(cuts), len(received)]
    found = [search.take(received[a:b]) for a, b in itertools.pairwise(edges)]
    assert [reply for reply in found if reply] or search.give_up()


@given(st.binary(max_size=400))
def test_any_bytes_are_taken_apart_and_never_lost_before_a_preamble(received: bytes) -> None:
    reply, rest = take_frame(received)
    assert received.endswith(rest)
    assert reply is None or len(rest) <= len(received) - 11


@pytest.mark.parametrize(
    "data", [b"", b"\x01\x00\x04\x00", b"\x01\x00\x02\x00" + bytes(1280), b"\x01\x00\x04\x00" + bytes(999)]
)
def test_record_of_another_shape_is_a_bad_reply(data: bytes) -> None:
    with pytest.raises(BadReply, match=r"^IDR-01: "):
        decode_record(data, "IDR-01")
