"""SAM_V frames, statuses and records: the bytes of the document, from the driver's side and from the twin's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import BadReply
from drivers.idcard_sam import (
    Command,
    Reply,
    decode_record,
    decode_sam_id,
    encode_request,
    take_frame,
    take_frame_after_silence,
)
from sim.idcard_module import SamModule, answer_frame, request_frame
from tests.contract.idcard_goldens import CITIZEN, SAM_REQUESTS, frame, sha256

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
        (0, 1297, 0x68, "1297b6518819836019d7facf2a0c624c1bc9be5bf73125c5f97b9e4b2cd484ec"),
    ],
)
def test_twin_has_the_records_with_fingerprints_that_no_driver_asks_for(
    fingerprints: int, length: int, last: int, digest: str
) -> None:
    reply = module_with_citizen(fingerprints).answer(frame("00 03 30 10 23"))
    assert (len(reply), reply[-1], sha256(reply)) == (length, last, digest)


def test_twin_has_the_additional_address_of_the_document() -> None:
    module = SamModule()
    module.put(type(CITIZEN)(**{**vars(CITIZEN), "extra_address": "北京市西城区示例路8号"}))
    reply = module.answer(frame("00 03 30 03 30"))
    head = "00 4A 00 00 90 17 53 AC 4E 02 5E 7F 89 CE 57 3A 53 3A 79 8B 4F EF 8D 38 00 F7 53"
    assert reply == frame(head + "20 00" * 24 + "5F")


def test_twin_answers_wrong_requests_as_the_document_says() -> None:
    module = SamModule()
    assert module.answer(frame("00 03 20 01 23")) == frame("00 04 00 00 10 14")
    assert module.answer(frame("00 04 20 01 00 25")) == frame("00 04 00 00 11 15")
    assert module.answer(frame("00 03 77 01 75")) == frame("00 04 00 00 21 25")
    assert module.commands == [b"\x77\x01"]


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


def test_frame_inside_a_longer_one_that_never_came_is_found_after_silence() -> None:
    received = answer_frame(0x90, bytes(1284))[:300] + answer_frame(0x80)
    assert take_frame(received) == (None, received)
    assert take_frame_after_silence(received) == Reply(status=0x80)
    assert take_frame_after_silence(received[:300]) is None


@given(st.binary(max_size=200), st.integers(0, 200))
def test_frame_is_found_behind_anything_in_any_two_pieces(noise: bytes, cut: int) -> None:
    received = noise + answer_frame(0x9F, bytes(4))
    first, waiting = take_frame(received[:cut])
    reply, rest = (first, waiting) if first is not None else take_frame(waiting + received[cut:])
    reply = reply or take_frame_after_silence(rest)
    assert reply is not None


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
