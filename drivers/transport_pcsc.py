"""PC/SC readers: one card slot of a PC/SC service, on this machine or on another one.

The only home of pyscard; calls run in the helper process of drivers/pcsc_helper.py.

    pcsc:ACME Reader 00 00                                   the service of this machine
    pcsc:ACME Reader 00 00@/run/hall/kiosk2.comm             the service behind this Unix socket

A reader on another machine: pcsc-lite speaks to its clients over one Unix socket and nothing else, so that socket is
brought here, by `ssh -N -L /run/hall/kiosk2.comm:/run/pcscd/pcscd.comm kiosk2`, or by socat on both ends inside a
tunnel. Every route works through it, the escape channel too. Both machines need pcsc-lite of the same protocol version
(all 1.9: 4:4), and pcscd there must admit the account that ssh signs in with (polkit, or root). The line dying is a
LinkError like a service that stopped.

The other way, a program there that puts its reader's card into a vpcd slot here (like `vicc --type relay` of the
vsmartcard project), needs nothing of us, but carries no escape channel, and vpcd listens to everybody on the network:
the socket is better. Shown with two real services side by side: the socket brought by socat over TCP, and a relayed
slot; not shown: ssh, two versions of pcsc-lite.
"""

from __future__ import annotations

import importlib
from contextlib import suppress
from types import ModuleType
from typing import Any

from drivers.base import LinkError, NoReply
from drivers.pcsc_helper import PcscHelper
from drivers.transport import Link


class HeldByAnother(NoReply):
    """Another program has the card or the reader for itself."""


class CardSlot(Link):
    """One PC/SC reader. A restarted PC/SC service or a pulled reader is a LinkError: open a new slot.

    A mute card holds a PC/SC call for ever: calls run in a helper process that is killed when one does not come back.
    """

    port_form = "pcsc:<reader name>"

    def __init__(self, port: str) -> None:
        super().__init__(port)
        self.reader, service, path = port.removeprefix("pcsc:").partition("@/")
        self._service = f"/{path}" if service else ""
        self._scard = _load_pcsc()
        self._card: int | None = None
        self._protocol = 0
        self._state = 0
        self._atr: bytes | None = None
        self._helper: PcscHelper | None = None
        self._start_helper(limit_s=3.0)

    @property
    def changes(self) -> int:
        """Counts insertions and removals: two equal answers of card_atr may be two cards."""
        return self._state >> 16

    def card_atr(self, limit_s: float) -> bytes | None:
        """Answer-to-reset of the card in the slot, waiting up to limit_s for a change; None if there is none."""
        self._look(limit_s)
        return self._atr

    def connect(self, limit_s: float = 3.0) -> None:
        """Power the card. Raises NoReply if it is gone or mute, HeldByAnother, or LinkError if the slot is gone."""
        scard = self._scard
        self._connect(
            "power the card", limit_s, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        )

    def connect_reader(self, limit_s: float = 1.0) -> None:
        """Open the way to the reader itself, whether a card is in it or not, for `control`. Raises as `connect`."""
        self._connect("reach the reader", limit_s, self._scard.SCARD_SHARE_DIRECT, 0)

    def _connect(self, deed: str, limit_s: float, share: int, protocols: int) -> None:
        how = (self._context, self.reader, share, protocols)
        code, card, protocol = self._ask(deed, limit_s, "SCardConnect", *how, of_card=True)
        self._check(code, deed)
        self._card, self._protocol = card, protocol

    def transmit(self, apdu: bytes, limit_s: float = 3.0) -> bytes:
        """Send one command APDU; the answer includes its status word, and may be empty if the card left.

        Raises NoReply if the card left or is mute, or LinkError.
        """
        what = (self._card or 0, self._protocol, list(apdu))
        return self._exchange(f"send {len(apdu)} bytes to the card", apdu, limit_s, "SCardTransmit", *what)

    def control(self, code: int, data: bytes, limit_s: float = 3.0) -> bytes:
        """Send an escape command to the reader itself. Raises NoReply if the reader refuses, or LinkError."""
        what = (self._card or 0, code, list(data))
        deed = f"send control code {code:#x} (does the reader's driver let it through?)"
        return self._exchange(deed, data, limit_s, "SCardControl", *what)

    def _exchange(self, deed: str, data: bytes, limit_s: float, name: str, *arguments: object) -> bytes:
        self._trace(">", data)
        code, answer = self._ask(deed, limit_s, name, *arguments, of_card=True)
        self._check(code, deed)
        reply = bytes(b & 0xFF for b in answer)
        self._trace("<", reply)
        return reply

    def disconnect(self) -> None:
        """Let the card go; never raises, a slot that is gone shows itself at the next call."""
        if self._card is not None:
            card, self._card = self._card, None
            with suppress(NoReply, LinkError):
                self._ask("let the card go", 1.0, "SCardDisconnect", card, self._scard.SCARD_LEAVE_CARD, of_card=True)

    def close(self) -> None:
        self.disconnect()
        if self._helper is not None:
            self._helper.end()
            self._helper = None

    def _start_helper(self, limit_s: float) -> None:
        """A new helper with a new context, in which no card is connected. Raises LinkError."""
        self._card, self._state, self._atr = None, self._scard.SCARD_STATE_UNAWARE, None
        self._helper = PcscHelper(self._service)
        try:
            deed = "reach the PC/SC service"
            code, self._context = self._ask(deed, limit_s, "SCardEstablishContext", self._scard.SCARD_SCOPE_USER)
            self._check(code, deed)
            self._look(0.0)
        except LinkError:
            self.close()
            raise

    def _ask(
        self, deed: str, limit_s: float, name: str, *arguments: object, of_card: bool = False
    ) -> list[Any]:  # Any: each call of PC/SC has its own results
        """One PC/SC call. Raises LinkError; if a card has to answer and does not, NoReply, and the slot starts anew."""
        if self._helper is None:
            raise LinkError(f"{self.port} is closed")
        try:
            return self._helper.call(name, *arguments, limit_s=limit_s)
        except TimeoutError as exc:
            self._helper.end(grace_s=0.0)
            sentence = f"{self.port}: could not {deed} within {limit_s:.1f} s"
            if not of_card:
                raise LinkError(sentence) from exc
            self._start_helper(limit_s=0.7)  # little, because the silence has used up the time of the call
            raise NoReply(sentence) from exc
        except EOFError as exc:
            raise LinkError(f"{self.port}: could not {deed}: {exc}") from exc

    def _look(self, limit_s: float) -> None:
        scard = self._scard
        what = (self._context, int(limit_s * 1000), [(self.reader, self._state)])
        code, states = self._ask("watch the slot", limit_s + 1.0, "SCardGetStatusChange", *what)
        if code == scard.SCARD_E_TIMEOUT:
            return
        self._check(code, "watch the slot")
        _, state, atr = states[0]
        if state & (scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE):
            raise LinkError(f"the PC/SC reader '{self.reader}' is not there")
        self._state = state & ~scard.SCARD_STATE_CHANGED
        present = bool(state & scard.SCARD_STATE_PRESENT) and not state & scard.SCARD_STATE_MUTE
        self._atr = bytes(b & 0xFF for b in atr) if present else None

    def _check(self, code: int, deed: str) -> None:
        scard = self._scard
        if code == scard.SCARD_S_SUCCESS:
            return
        sentence = f"{self.port}: could not {deed}: {scard.SCardGetErrorMessage(code)}"
        if code == scard.SCARD_E_SHARING_VIOLATION:
            raise HeldByAnother(sentence)
        if code in {
            scard.SCARD_W_REMOVED_CARD, scard.SCARD_E_NO_SMARTCARD, scard.SCARD_W_RESET_CARD,
            scard.SCARD_W_UNPOWERED_CARD, scard.SCARD_W_UNRESPONSIVE_CARD, scard.SCARD_E_NOT_TRANSACTED,
            scard.SCARD_E_UNSUPPORTED_FEATURE, scard.SCARD_E_PROTO_MISMATCH,
        }:  # fmt: skip
            raise NoReply(sentence)
        raise LinkError(sentence)


def _load_pcsc() -> ModuleType:
    """pyscard's low-level module; loaded late because a hall without such a reader may lack the PC/SC library."""
    try:
        return importlib.import_module("smartcard.scard")
    except ImportError as exc:
        raise LinkError(f"PC/SC is not installed on this machine (package libpcsclite1): {exc}") from exc
