"""Twin of a PC/SC ID card reader with its cards, behind a real pcscd with a virtual reader.

Source: protocols/idcard.md §5. `route` in the device's table says which reader this is. Where a real reader finds,
selects and reads by itself, so does this one with the module of idcard_module: its verbs work on every route.

The program that opens the slot needs `environment()` in its environment before it does; the twin does not touch the
environment of the process it runs in.
"""

from __future__ import annotations

from collections.abc import Mapping

from sim.carriers import Twin
from sim.idcard_module import FIND, READ, SELECT, START, SamFaults, SamModule, SamVerbs, request_frame
from sim.idcard_records import PHOTO, IdCardRecord, record_of
from sim.pcsc import InsertedCard, VirtualPcsc

_TYPE_B_ATR = bytes.fromhex("3B 88 80 01 D1 03 86 0C 00 80 80 00 51")
_FLAT_FILE_ATR = bytes.fromhex("3B 8B 80 01 80 48 41 4C 4C 43 41 52 44 90 00 07")
"""Bytes 13 and 14 are 90 00, as the one known flat-file reader has it."""
_OTHER_ATR = bytes.fromhex("3B 68 00 00 4F 54 48 45 52 31 2E 30")
"""A contact card of another kind."""
_DONE, _NO_SUCH_COMMAND, _NO_SUCH_PLACE, _FAILED = (bytes.fromhex(h) for h in ("90 00", "6D 00", "6B 00", "63 00"))


class PcscReader(SamVerbs, Twin):
    """A reader in which one card at a time can lie."""

    carrier = "card"

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.sam = SamModule()
        self.service = VirtualPcsc()
        self.apdus: list[bytes] = []
        """Every command that a card was sent."""
        self._inserted: InsertedCard | None = None
        self._atr = b""
        self._file = b""
        self._pull_at_read = self._kill_at_read = self._mute = False
        self._says_always: bytes | None = None

    # --- the carrier ----------------------------------------------------------------------------------------------

    @property
    def port(self) -> str:
        """What goes into `port` of the device's table."""
        return self.service.port

    def environment(self) -> dict[str, str]:
        """What the process that opens the slot needs in its environment before it does."""
        return self.service.environment()

    def start(self) -> None:
        """Start the PC/SC service; a card that lies on the reader is in the slot again."""
        self.service.start()
        with self.lock:
            self._file = b""
            if self.sam.record is not None:
                self.sam.put(self.sam.record)
        if self._atr and self._inserted is None:
            self._insert()

    def stop(self) -> None:
        """End the service and leave nothing behind."""
        self._pull()
        self.service.stop()

    def unplug(self) -> None:
        """The PC/SC service dies and the reader with it; the card stays where it is."""
        self.service.kill()
        self._pull()

    replug = start

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

    def go_mute(self) -> None:
        """Cards swallow every command and say nothing; such a card must be put on again after `recover`."""
        with self.lock:
            self._mute = True

    def kill_service_during_read(self) -> None:
        """The PC/SC service will die in the middle of the next read."""
        with self.lock:
            self._kill_at_read = True

    def recover(self) -> None:
        """Everything works again; the card stays where it is."""
        with self.lock:
            self.sam.faults = SamFaults()
            self.sam.photo = PHOTO
            self._pull_at_read = self._kill_at_read = self._mute = False

    # --- the slot -------------------------------------------------------------------------------------------------

    def _insert(self) -> None:
        if self.service.running:
            self._inserted = InsertedCard(self.service, self._atr, self._answer)

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
            return routes[self._route](apdu)

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
        prefix = bytes.fromhex(str(self.options.get("wrap_prefix", "FF 00 00 00")))
        suffix = bytes.fromhex(str(self.options.get("wrap_suffix", "")))
        if not apdu.startswith(prefix) or not apdu.endswith(suffix):
            return _NO_SUCH_COMMAND
        inner = apdu[len(prefix) : len(apdu) - len(suffix)]
        if self.options.get("wrap_length", True):
            if not inner or inner[0] != len(inner) - 1:
                return bytes.fromhex("67 00")
            inner = inner[1:]
        if not inner.startswith(START):
            return _NO_SUCH_COMMAND
        return self.sam.answer(inner) + _DONE

    def _give_serial(self, apdu: bytes) -> bytes:
        if apdu != bytes.fromhex("00 36 00 00 08") or self.sam.record is None:
            return _NO_SUCH_COMMAND
        return self.sam.record.chip_serial + _DONE


TWIN = PcscReader
