"""What is fuzzed: the decoders of every driver, every driver on a line of its own, and every twin.

Drivers, their options, a job and genuine replies are taken from the contract tests, golden bytes from the sources of
those tests; a new driver is fuzzed the moment it exists. Only DECODERS is kept by hand. What a driver may raise is
DeviceError, what a decoder may raise stands beside it, a twin raises nothing. Nothing may run on without an end.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import Any

from drivers import (
    announcer_sound,
    announcer_syn6288,
    caller_line,
    caller_rs485,
    camera_helper,
    camera_uvc,
    code_messages,
    codereader_serial,
    display_onbon,
    display_strip,
    display_two_colour,
    escpos_status,
    escpos_words,
    evaluator_caller,
    idcard_pcsc,
    idcard_sam,
    idcard_text,
    input_keys,
    keypad_evdev,
    keypad_matrix,
    keypad_psbc,
    keypad_serial,
    scanner_escl,
    scanner_sane,
    speech,
    transport_evdev,
    transport_rfc2217,
)  # fmt: skip
from drivers.base import QUESTION_LIMIT_S, Announcement, CardReader, DeviceError
from drivers.transport import ByteStream
from drivers.transport_camera import Camera
from drivers.transport_evdev import InputDevice
from drivers.transport_pcsc import CardSlot
from drivers.transport_sane import SaneDevice
from drivers.transport_sound import SoundCard
from drivers.transport_web import WebDevice, WebReply
from sim.carriers import ByteTwin, HttpRequest, HttpTwin
from tests.contract.contract import DriverContract
from tests.contract.test_every_driver import DRIVERS
from tests.fuzz.lines import (
    FuzzCamera,
    FuzzEvents,
    FuzzLine,
    FuzzSane,
    FuzzSlot,
    FuzzSound,
    FuzzStream,
    FuzzWeb,
    Input,
    pack,
    pieces,
)
from tests.fuzz.still_time import CLOCK, Hang

CONTRACTS = Path(__file__).parents[1] / "contract"
_BEEP = Announcement(text="A001", sound=speech.wav([speech.silence(0.02)]))
LATE_S = 1.0
"""A deed of a driver may end so much later than its limit before it counts as one that hangs."""
CUTS = 4
"""An input of so many bytes or more is cut at three places only."""
LINKS: dict[type, Callable[[Input], Any]] = {  # Any: stand-ins for links of several kinds
    ByteStream: FuzzStream, CardSlot: FuzzSlot, InputDevice: FuzzEvents, WebDevice: FuzzWeb, Camera: FuzzCamera,
    SoundCard: FuzzSound, SaneDevice: FuzzSane,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Target:
    """Something that takes any bytes; `run` raises where it should not have."""

    driver: str
    what: str
    """decoders, driver or twin."""
    run: Callable[[bytes], None] = field(repr=False)
    seeds: Callable[[], list[bytes]] = field(repr=False)

    @property
    def name(self) -> str:
        """As it is told, and as a folder."""
        return f"{self.driver}-{self.what}"


# --- decoders ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """A pure function of bytes; what it may raise besides DeviceError is what its docstring says."""

    run: Callable[[bytes], object]
    raises: tuple[type[Exception], ...] = ()


def _all_pieces_same(feed: Callable[[Iterator[bytes]], object], data: bytes) -> None:
    """Whatever the place at which the bytes are cut, the same is found."""
    whole = feed(iter([data]))
    # Places are chosen by the content, so over many inputs each is; a test cuts the golden bytes at every place.
    somewhere = int.from_bytes(hashlib.sha256(data).digest()[:4], "big") % max(1, len(data))
    places = range(1, len(data)) if len(data) < CUTS else {1, somewhere, len(data) - 1}
    cuts = [iter([data[:at], data[at:]]) for at in places if 0 < at < len(data)]
    for cut in (*cuts, pieces(data, _small(data))):
        assert feed(cut) == whole, "cut elsewhere, something else is found"


def _small(data: bytes) -> int:
    """Single bytes; of a long input somewhat more, for a half frame is looked at anew with each piece."""
    return 1 + len(data) // 16


def _stream(split: Callable[[bytes], tuple[Any, bytes]]) -> Decoder:  # Any: frames of several kinds
    """A function that gives what it found and the beginning of what is to come."""

    def feed(parts: Iterator[bytes]) -> object:
        found, rest = [], b""
        for part in parts:
            more, rest = split(rest + part)
            found += more
        return found

    return Decoder(run=partial(_all_pieces_same, feed))


def _one_by_one(take: Callable[[bytes], tuple[Any, bytes]]) -> Decoder:  # Any: replies of several kinds
    """A function that gives the first thing it finds."""

    def split(received: bytes) -> tuple[list[Any], bytes]:
        found = []
        while True:
            one, received = take(received)
            if one is None:
                return found, received
            found.append(one)

    def feed(parts: Iterator[bytes]) -> object:
        found, rest = [], b""
        for part in parts:
            try:
                more, rest = split(rest + part)
            except DeviceError:
                return None  # what follows a damaged reply is dropped by whoever asked
            found += more
        return found

    def run(data: bytes) -> None:
        feed(iter([data]))
        feed(pieces(data, _small(data)))

    return Decoder(run=run)


def _replies(parts: Iterator[bytes], *, full_status: bool) -> object:
    replies = escpos_status.Replies(full_status=full_status)
    for part in parts:
        replies.feed(part)
    for frame in replies.automatic:
        escpos_status.decode_automatic(frame)
    for answer in replies.full:
        escpos_status.decode_full(answer)
    return replies


def _telnet(parts: Iterator[bytes]) -> object:
    sorter, line, words = transport_rfc2217.TelnetSorter(), b"", []
    for part in parts:
        more, said = sorter.sort(part)
        line, words = line + more, words + said
    return line, words


def _unframed(parts: Iterator[bytes]) -> object:
    unframer = keypad_matrix.Unframer(b"\xa5\x5a", b"\x0d")
    return b"".join(unframer.key_bytes(part, 0.0) for part in parts)


def _pad_answers(parts: Iterator[bytes]) -> object:
    sorter = keypad_serial.StreamSorter()
    sorted_ = [sorter.sort(part, 0.0) for part in parts]
    return b"".join(rest for rest, _ in sorted_), sum(count for _, count in sorted_)


def _codes(suffix: bytes, parts: Iterator[bytes]) -> object:
    buffer, found = code_messages.CodeBuffer(suffix, 0.1), []
    for part in parts:
        buffer.add(part, 0.0)
    while (cut := buffer.take(9.0)) is not None:
        found.append(cut)
    return found if sum(len(cut.data) for cut in found) < 7000 else None  # what is too long is cut where it was heard


def _decoded_codes(data: bytes) -> None:
    for encoding in ("auto", "utf-8", "gb18030"):
        try:
            code_messages.split_symbology(code_messages.decode_text(data, encoding))  # type: ignore[arg-type]
        except ValueError:
            continue


def _presses(data: bytes) -> None:
    tracker, table = input_keys.KeyTracker(), keypad_evdev.key_table({})
    events, _rest = transport_evdev.split_records(data)
    for press in tracker.presses(events, 1.0):
        if press is not input_keys.HOLE:
            keypad_evdev.decode_press(press, table)
    tracker.held_s(2.0)


def _sam_answers(data: bytes) -> None:
    command = list(idcard_sam.Command)[data[0] % len(idcard_sam.Command)] if data else idcard_sam.Command.FIND
    for parts in (iter([data[1:]]), pieces(data[1:], 1 if len(data) < 200 else 97)):
        search = idcard_sam.AnswerSearch(command)
        reply = next((found for part in parts if (found := search.take(part))), None) or search.give_up()
        if reply is not None:
            idcard_sam.fits(command, reply)


def _card_text(data: bytes) -> None:
    # As long as it should be, so that it is not only the length that is judged.
    idcard_text.decode_text(data[:256].ljust(256, b"\x20"), today=date(2026, 3, 1), source="X")


def _callers(data: bytes) -> None:
    frames, _rest = caller_line.split_frames(data)
    table = caller_rs485.key_table({})
    for frame in frames:
        if frame.command in table:  # the inbox gives no others
            caller_rs485.decode_press(frame, table)
        evaluator_caller.decode_grade(frame, 5)


def _page_answers(data: bytes) -> None:
    types = ("image/jpeg", "application/pdf", "")
    headers = {"content-type": types[data[0] % 3] if data else ""}
    scanner_escl.check_page(WebReply(status=200, headers=headers, body=data[1:]))


def _stand_in(make: Callable[[bytes], bytes]) -> Decoder:
    def run(data: bytes) -> None:
        assert len(make(data)) == len(data), "a stand-in has another length"

    return Decoder(run=run)


def _explained(module: Any) -> Decoder:  # Any: a driver's module
    def run(data: bytes) -> None:
        for direction in "<>":
            assert isinstance(module.explain(direction, data), str)

    return Decoder(run=run)


DECODERS: dict[str, list[Decoder]] = {
    "announcer_sound": [Decoder(run=lambda data: announcer_sound.decode_mixer(data.decode("utf-8", "replace")))],
    "announcer_syn6288": [_explained(announcer_syn6288)],
    "caller_rs485": [_stream(caller_line.split_frames), Decoder(run=_callers), _explained(caller_line)],
    "camera_uvc": [Decoder(run=camera_helper.decode_line, raises=(ValueError,)), _explained(camera_uvc)],
    "codereader_serial": [
        Decoder(run=partial(_all_pieces_same, partial(_codes, b"\r"))),
        Decoder(run=partial(_all_pieces_same, partial(_codes, b"\r\n"))),
        Decoder(run=_decoded_codes),
        _stand_in(codereader_serial.stand_in),
    ],
    "display_onbon": [
        _stream(display_onbon.split_frames),
        Decoder(run=display_onbon.decode_frame),
        Decoder(run=display_onbon.decode_reply),
        Decoder(run=display_onbon.decode_status),
        _explained(display_onbon),
    ],
    "display_strip": [_one_by_one(partial(display_strip.find_reply, address=3))],
    "display_two_colour": [_one_by_one(partial(display_two_colour.find_reply, address=3))],
    "idcard_pcsc": [Decoder(run=idcard_pcsc.decode_wrapped), _explained(idcard_pcsc)],
    "idcard_samv": [
        _one_by_one(idcard_sam.take_frame),
        Decoder(run=_sam_answers),
        Decoder(run=partial(idcard_sam.decode_sam_id, source="X")),
        Decoder(run=partial(idcard_sam.decode_record, source="X")),
        Decoder(run=partial(idcard_sam.decode_newest_address, source="X")),
        Decoder(run=_card_text),
        _stand_in(idcard_sam.stand_in),
        _explained(idcard_sam),
    ],
    "keypad_evdev": [_stream(transport_evdev.split_records), Decoder(run=_presses)],
    "keypad_matrix": [Decoder(run=partial(_all_pieces_same, _unframed))],
    "keypad_psbc": [
        Decoder(run=lambda data: keypad_psbc.split_reply(data[1:], data[:1])),
        Decoder(run=keypad_psbc.serial_text),
        _explained(keypad_psbc),
    ],
    "keypad_serial": [Decoder(run=partial(_all_pieces_same, _pad_answers)), _explained(keypad_serial)],
    "printer_escpos": [
        Decoder(run=partial(_all_pieces_same, partial(_replies, full_status=False))),
        Decoder(run=partial(_all_pieces_same, partial(_replies, full_status=True))),
        Decoder(run=escpos_status.decode_real_time),
        Decoder(run=escpos_status.decode_status),
        _explained(escpos_words),
    ],
    "scanner_escl": [
        Decoder(run=scanner_escl.decode_capabilities),
        Decoder(run=scanner_escl.decode_status),
        Decoder(run=_page_answers),
        Decoder(run=lambda data: scanner_escl.job_path("http://192.0.2.1/eSCL/ScanJobs", data.decode("latin-1"))),
    ],
    "scanner_sane": [
        Decoder(run=lambda data: scanner_sane.decode_options(data.decode("utf-8", "replace"))),
        Decoder(run=scanner_sane.check_page),
    ],
    "serial_server": [Decoder(run=partial(_all_pieces_same, _telnet))],
}


def _run_decoders(decoders: list[Decoder], data: bytes) -> None:
    """The first byte says which one; the others never see this input, so that each is steered by its own coverage."""
    decoder = decoders[data[0] % len(decoders)] if data else decoders[0]
    try:
        decoder.run(data[1:])
    except (DeviceError, *decoder.raises):
        return


# --- drivers ----------------------------------------------------------------------------------------------------------


@cache
def contracts(driver: str) -> list[type[DriverContract]]:
    """Contract tests of a driver, each with options of its own."""
    module = importlib.import_module(f"tests.contract.test_{driver}")
    found = [
        test for test in vars(module).values()
        if inspect.isclass(test) and issubclass(test, DriverContract) and test is not DriverContract
        and getattr(test, "driver_module", "") == driver and test.__name__.startswith("Test")
    ]  # fmt: skip
    if driver == "idcard_pcsc":
        found += contracts("idcard_pcsc_readers")
    return found


def _run_driver(driver: str, data: bytes) -> None:
    source = Input(data)
    choices = contracts(driver)
    contract = choices[source.byte() % len(choices)]
    driver_type = importlib.import_module(f"drivers.{driver}").DRIVER
    link = LINKS[driver_type.Transport](source)
    made = driver_type("TST-01", link, driver_type.Options(**contract.options))
    job = _job(made, contract)
    for deed, limit_s in (
        (made.hello, QUESTION_LIMIT_S),
        (made.conditions, QUESTION_LIMIT_S),
        (job, made.job_limit_s),
        (made.conditions, QUESTION_LIMIT_S),
    ):
        began_s = CLOCK.now_s
        try:
            deed()
        except DeviceError as exc:
            assert str(exc)
        if CLOCK.now_s - began_s > limit_s + LATE_S:
            raise Hang(f"took {CLOCK.now_s - began_s:.1f} s, its limit is {limit_s} s")


def _job(made: Any, contract: type[DriverContract]) -> Callable[[], object]:  # Any: a driver of any kind
    """What it is there for, without anything that costs time and hears no byte."""
    if isinstance(made, CardReader):
        return partial(made.poll_card, 0.5)
    if isinstance(made, announcer_sound.SoundAnnouncer):
        return partial(made.speak, _BEEP)
    return partial(contract().job_blind, made)


def _driver_seeds(driver: str) -> list[bytes]:
    seeds = []
    for number, contract in enumerate(contracts(driver)):
        replies = contract().sample_replies()
        for order in (replies, replies[::-1], [r for r in replies for _ in (0, 1)], replies * 4):
            seeds += [bytes([number, step]) + pack(*order) for step in (0, 1)]
        seeds += [bytes([number, 0]) + pack(*goldens(driver)[:12])]
    return seeds


# --- twins ------------------------------------------------------------------------------------------------------------


def _twin(driver: str, options: dict[str, Any]) -> Any:  # Any: each twin has its own verbs
    return importlib.import_module(f"sim.{driver}").TWIN("TST-01", options)


def _run_twin(driver: str, data: bytes) -> None:
    source = Input(data)
    choices = contracts(driver)
    twin = _twin(driver, choices[source.byte() % len(choices)].options)
    if isinstance(twin, ByteTwin):
        _say_to(twin, source)
    elif isinstance(twin, HttpTwin):
        _ask(twin, source)
    else:
        twin.put("zhang")
        while source.rest:
            chunk = source.chunk()
            twin._answer(chunk)
            twin.control(0x42000001, chunk)


def _say_to(twin: ByteTwin, source: Input) -> None:
    line = FuzzLine()
    line.attach(twin)
    twin.plugged()
    step = source.byte() % 8
    while source.rest:
        for piece in pieces(source.chunk(), step):
            line.deliver(piece)
        CLOCK.wait(0.02)
    twin.unplugged()


_PATHS = ("/eSCL/ScannerCapabilities", "/eSCL/ScannerStatus", "/eSCL/ScanJobs", "/eSCL/ScanJobs/1/NextDocument")


def _ask(twin: HttpTwin, source: Input) -> None:
    while source.rest:
        how = source.byte()
        path = _PATHS[how % 4] if how & 0x80 else source.chunk().decode("latin-1")
        method = ("GET", "POST", "DELETE", "PUT")[how >> 2 & 3]
        answer = twin.handle(HttpRequest(method=method, path=path, query="", headers={}, body=source.chunk()))
        if answer is not None and answer.stream is not None:
            next(answer.stream, None)


def _twin_seeds(driver: str) -> list[bytes]:
    found = goldens(driver)
    one_each = [bytes([0, step]) + pack(golden) for golden in found for step in (0, 1)]
    return [*one_each, b"\0\0" + pack(*found[:20])]


# --- seeds ------------------------------------------------------------------------------------------------------------

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}\s*){2,}")


@cache
def goldens(driver: str) -> list[bytes]:
    """Bytes that stand in the tests of a driver, as bytes or in hex."""
    stem = "idcard" if driver.startswith("idcard") else driver
    found: dict[bytes, None] = {}
    files = [*CONTRACTS.glob(f"test_{stem}*.py"), *CONTRACTS.glob(f"{driver.partition('_')[2]}_goldens.py")]
    for file in [*files, *(CONTRACTS.glob("idcard_goldens.py") if stem == "idcard" else ())]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, bytes) and value:
                found[value] = None
            elif isinstance(value, str) and _HEX.fullmatch(value.strip()):
                with_bytes = "".join(value.split())
                found[bytes.fromhex(with_bytes)] = None
            elif isinstance(value, str) and 3 <= len(value) <= 2000 and driver.startswith("scanner"):
                found[value.encode()] = None
    return list(found)


def _decoder_seeds(driver: str) -> list[bytes]:
    samples = [r for c in (contracts(driver) if driver in DRIVERS else []) for r in c().sample_replies()]
    known = [*samples, *(goldens(driver) if driver in DRIVERS else goldens("serial_servers"))]
    return [bytes([number]) + seed for number in range(len(DECODERS[driver])) for seed in known] or [b"\0"]


@cache
def targets() -> list[Target]:
    """All of them. Nothing is ever sent to a twin of an input device, so none of those is here."""
    found = [
        Target(driver=d, what="decoders", run=partial(_run_decoders, DECODERS[d]), seeds=partial(_decoder_seeds, d))
        for d in DECODERS
    ]
    for driver in DRIVERS:
        driver_type = importlib.import_module(f"drivers.{driver}").DRIVER
        twin_type = importlib.import_module(f"sim.{driver}").TWIN
        if driver_type.Transport in LINKS:
            found.append(Target(driver=driver, what="driver", run=partial(_run_driver, driver),
                                seeds=partial(_driver_seeds, driver)))  # fmt: skip
        hears = driver_type.Transport is not InputDevice
        if (issubclass(twin_type, ByteTwin | HttpTwin) and hears) or driver == "idcard_pcsc":
            found.append(Target(driver=driver, what="twin", run=partial(_run_twin, driver),
                                seeds=partial(_twin_seeds, driver)))  # fmt: skip
    return sorted(found, key=lambda target: target.name)


def mutated(seeds: list[bytes], random_: random.Random) -> bytes:
    """One input made of a seed: bytes changed, cut, doubled, put in, or nothing of it at all."""
    data = bytearray(random_.choice(seeds)[:3000])
    if random_.random() < 0.1:
        return random_.randbytes(random_.randrange(80))
    for _ in range(random_.choice((0, 1, 1, 2, 4, 8))):
        at = random_.randrange(len(data) + 1)
        match random_.randrange(5):
            case 0 if data:
                data[at % len(data)] = random_.randrange(256)
            case 1:
                del data[at : at + random_.randrange(1, 9)]
            case 2:
                data[at:at] = random_.randbytes(random_.randrange(1, 9))
            case 3:
                data[at:at] = data[at : at + random_.randrange(1, 40)]
            case _:
                other = random_.choice(seeds)
                data[at:] = other[random_.randrange(len(other) + 1) :][:2000]
    return bytes(data)
