"""Twin of a PC/SC ID card reader with its cards, behind a real pcscd with a virtual reader.

Source: protocols/idcard.md §5. `route` in the device's table says which reader this is. Where a real reader finds,
selects and reads by itself, so does this one with the module of idcard_module: its verbs work on every route.

On route `escape` no card is in the slot: the module is reached by escape commands, `control`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from sim.carriers import Twin
from sim.idcard_module import FIND, READ, SELECT, START, SamFaults, SamModule, SamVerbs, number_of, request_frame
from sim.idcard_records import PHOTO, IdCardRecord, record_of
from sim.pcsc import EscapeChannel, InsertedCard, VirtualPcsc

_TYPE_B_ATR = bytes.fromhex("3B 88 80 01 D1 03 86 0C 00 80 80 00 51")
_FLAT_FILE_ATR = bytes.fromhex("3B 8B 80 01 80 48 41 4C 4C 43 41 52 44 90 00 07")
"""Bytes 13 and 14 are 90 00, as the one known flat-file reader has it."""
_OTHER_ATR = bytes.fromhex("3B 68 00 00 4F 54 48 45 52 31 2E 30")
"""A contact card of another kind."""
_MUTE_S = 30.0
_DONE, _NO_SUCH_COMMAND, _NO_SUCH_PLACE, _FAILED = (bytes.fromhex(h) for h in ("90 00", "6D 00", "6B 00", "63 00"))


class PcscReader(SamVerbs, Twin):
    """A reader in which one card at a time can lie."""

    carrier = "card"

    def __init__(
        self, device: str, options: Mapping[str, object], service: VirtualPcsc | None = None, place: int = 0
    ) -> None:
        super().__init__(device, options)
        self.sam = SamModule()
        self.sam.number = number_of(device)
        self.service = service or VirtualPcsc(escape=self._route == "escape")
        """Its own, or one that it shares with other readers, in which it has a place."""
        self._place = place
        self._channel: EscapeChannel | None = None
        self._code = int(str(options.get("control_code", 0x42000001)))
        self.apdus: list[bytes] = []
        """Every command that a card was sent."""
        self._inserted: InsertedCard | None = None
        self._atr = b""
        self._file = b""
        self._pull_at_read = self._kill_at_read = self._mute = False
        self._says_always: bytes | None = None
        self._refuses = False
        self._awake = threading.Event()
        self._awake.set()
        self._part, self._rest = 0, b""

    # --- the carrier ----------------------------------------------------------------------------------------------

    @property
    def port(self) -> str:
        """What goes into `port` of the device's table."""
        return self.service.port_of(self._place)

    def environment(self) -> dict[str, str]:
        """What a program that knows no port needs in its environment, opensc-tool for one."""
        return self.service.environment()

    def start(self) -> None:
        """Start the PC/SC service; a card that lies on the reader is in the slot again."""
        self.service.start()
        if self._route == "escape" and self._channel is None:
            self._channel = self.service.answer_escapes(self.control, self._place)
        with self.lock:
            self._file = b""
            if self.sam.record is not None:
                self.sam.put(self.sam.record)
        if self._atr and self._inserted is None:
            self._insert()

    def stop(self) -> None:
        """End the service and leave nothing behind."""
        self._pull()
        self._awake.set()
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        self.service.stop()

    def unplug(self) -> None:
        """The PC/SC service dies and the reader with it; the card stays where it is."""
        self.service.kill()
        self._pull()

    replug = start

    def unplug_reader(self) -> None:
        """This reader's cable is pulled, the service stays; the card stays where it is."""
        self._pull()
        self.service.unplug_reader(self._place)

    def replug_reader(self) -> None:
        """The cable is back."""
        self.service.replug_reader(self._place)
        self.start()

    # --- what people do -------------------------------------------------------------------------------------------

    def put(self, resident: str | IdCardRecord) -> None:
        """Lay a card on the reader: a fictitious resident by name, or any record."""
        self.lift()
        record = record_of(resident)
        with self.lock:
            self.sam.put(record)
            self._atr = _FLAT_FILE_ATR if self._route == "flat_file" else _TYPE_B_ATR
        self._insert()

    def put_wrong_card(self, says_always: bytes = _NO_SUCH_COMMAND) -> None:
        """Lay a card of another kind on the reader; whatever it is asked, it says this."""
        self.lift()
        with self.lock:
            self._atr, self._says_always = _OTHER_ATR, says_always
        self._insert()

    def lift(self) -> None:
        """Take the card away."""
        self._pull()
        with self.lock:
            self._forget_card()

    def lift_during_read(self) -> None:
        """The card will be pulled in the middle of the next read, without an answer."""
        with self.lock:
            self._pull_at_read = True

    @property
    def card_in_slot(self) -> bool:
        """Whether a card lies on the reader."""
        return bool(self._atr)

    # --- what goes wrong ------------------------------------------------------------------------------------------

    def answer_in_parts(self, size: int = 250) -> None:
        """Answers longer than this must be fetched in parts, each with GET RESPONSE."""
        with self.lock:
            self._part = size

    def refuse_escapes(self) -> None:
        """The reader's driver lets no escape command through."""
        with self.lock:
            self._refuses = True

    def go_mute(self) -> None:
        """Cards swallow every command and say nothing; such a card must be put on again after `recover`."""
        with self.lock:
            self._mute = True
            self._awake.clear()

    def kill_service_during_read(self) -> None:
        """The PC/SC service will die in the middle of the next read."""
        with self.lock:
            self._kill_at_read = True

    def recover(self) -> None:
        """Everything works again; the card stays where it is."""
        with self.lock:
            self.sam.faults = SamFaults()
            self.sam.photo = PHOTO
            self._pull_at_read = self._kill_at_read = self._mute = self._refuses = False
            self._awake.set()
            self._part, self._rest = 0, b""

    # --- the slot -------------------------------------------------------------------------------------------------

    def _insert(self) -> None:
        if self.service.running and self._route != "escape":
            self._inserted = InsertedCard(self.service, self._atr, self._answer, self._place)

    def _pull(self) -> None:
        # Without the lock: the card's thread may be waiting for it.
        inserted, self._inserted = self._inserted, None
        if inserted is not None:
            inserted.pull()

    def _forget_card(self) -> None:
        self.sam.lift()
        self._atr, self._file, self._says_always = b"", b"", None

    @property
    def _route(self) -> str:
        return str(self.options.get("route", "flat_file"))

    def _answer(self, apdu: bytes) -> bytes | None:
        with self.lock:
            self.apdus.append(apdu)
            if self._mute:
                return b""
            if self._says_always is not None:
                return self._says_always
            if self._is_late_in_read(apdu) and not self._goes_on():
                return None
            routes = {"flat_file": self._read_binary, "wrapped": self._unwrap, "serial_only": self._give_serial}
            if self._part:
                return self._in_parts(routes[self._route], apdu)
            return routes[self._route](apdu)

    def _in_parts(self, answer: Callable[[bytes], bytes], apdu: bytes) -> bytes:
        """The first part of an answer, or the next one; 61 says how much more may be fetched at once."""
        if apdu[:4] == b"\x00\xc0\x00\x00":
            part, self._rest = self._rest[: apdu[4]], self._rest[apdu[4] :]
        else:
            whole = answer(apdu)
            if len(whole) <= self._part:
                return whole
            part, self._rest = whole[: self._part], whole[self._part : -2]
        return part + (bytes([0x61, min(self._part, len(self._rest))]) if self._rest else _DONE)

    def control(self, code: int, data: bytes) -> bytes | None:
        """What the reader answers to an escape command; None where its driver refuses it."""
        # Without the lock: whoever ends the silence needs it.
        self._awake.wait(_MUTE_S)
        with self.lock:
            if self._refuses or code != self._code:
                return None
            frame = self._frame_in(data)
            if frame is None:
                return b""
            if self._pull_at_read and request_frame(READ) in data:
                self._pull_at_read = False
                self._forget_card()
            return self.sam.answer(frame)

    def _goes_on(self) -> bool:
        """Whether the read may go on, or card or service go now."""
        if self._kill_at_read:
            self._kill_at_read = False
            self.service.kill()
            return False
        if self._pull_at_read:
            self._pull_at_read = False
            self._forget_card()
            return False
        return True

    def _is_late_in_read(self, apdu: bytes) -> bool:
        """Whether this command comes when part of the record is out already, where there are parts."""
        if self._route == "flat_file":
            return apdu[:4] == b"\xff\xb0\x02\x00"
        return self._route == "serial_only" or request_frame(READ) in apdu

    def _read_binary(self, apdu: bytes) -> bytes:
        if apdu[:2] != b"\xff\xb0" or len(apdu) != 5:
            return _NO_SUCH_COMMAND
        offset = int.from_bytes(apdu[2:4], "big")
        if offset == 0 and not self._file:
            self._file = self._read_by_itself()
        if not self._file:
            return _FAILED
        if offset >= len(self._file):
            return _NO_SUCH_PLACE
        return self._file[offset : offset + (apdu[4] or 256)] + _DONE

    def _read_by_itself(self) -> bytes:
        """What the reader does before it can offer a file: find, select, read."""
        reply = b""
        for command in (FIND, SELECT, READ):
            reply = self.sam.answer(request_frame(command))
            if reply[9] not in {0x90, 0x9F}:
                return b""
        return reply[10:-1]

    def _unwrap(self, apdu: bytes) -> bytes:
        """Pass the frame inside to the module, and its answer back."""
        frame = self._frame_in(apdu)
        return _NO_SUCH_COMMAND if frame is None else self.sam.answer(frame) + _DONE

    def _frame_in(self, data: bytes) -> bytes | None:
        """The SAM_V frame in a command that is wrapped as this reader wants it."""
        usual = "{frame}" if self._route == "escape" else "FF 00 00 00 {length} {frame}"
        before, _, after = str(self.options.get("template") or usual).partition("{frame}")
        head, tail = self._fixed(before, data), self._fixed(after, data)
        if not data.startswith(head) or not data.endswith(tail):
            return None
        frame = data[len(head) : len(data) - len(tail)]
        return frame if frame.startswith(START) else None

    def _fixed(self, template: str, data: bytes) -> bytes:
        """The bytes of one end of a template; lengths are those of the request inside."""
        inside = len(data[data.find(START) :][:10])
        for place, size in (("{length2}", 2), ("{length}", 1)):
            template = template.replace(place, inside.to_bytes(size, "big").hex())
        return bytes.fromhex(template)

    def _give_serial(self, apdu: bytes) -> bytes:
        if apdu != bytes.fromhex("00 36 00 00 08") or self.sam.record is None:
            return _NO_SUCH_COMMAND
        return self.sam.record.chip_serial + _DONE


TWIN = PcscReader
