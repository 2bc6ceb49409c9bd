"""Twin of a scanner behind SANE: the network scanner's twin, seen through a SANE backend that nobody here wrote.

Source: protocols/scanners.md, sections 1 and 2; sane-airscan names a device `airscan:escl:NAME:URL`. What a real USB
scanner does to its own backend cannot be shown this way; that a backend tells SANE's statuses, hangs, or loses its
device can, because airscan translates what the network scanner does:

    jam           6 jammed          cover open              8 cover open     mute         the call does not return
    empty feeder  7 no documents    cut page, double feed   9 I/O error      unplugged    it does not open

The statuses that airscan never tells come from SANE's own `test` backend, in the contract test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sim.carriers import HttpPort, Twin
from sim.sane import SaneConfig
from sim.scanner_escl import EsclTwin, Sheet, Side


class SaneTwin(Twin):
    """A scanner with a glass plate and a feeder for both sides."""

    carrier = "sane"

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.scanner = EsclTwin(device, options)
        """The device itself; whatever its verbs do reaches the backend too."""
        self._plug = HttpPort(self.scanner, self.scanner.base)
        self._config: SaneConfig | None = None

    @property
    def port(self) -> str:
        """What goes into `port` of the device's table."""
        return f"sane:airscan:escl:{self.device}:{self._plug.port}"

    def environment(self) -> dict[str, str]:
        """What the process that opens the device needs in its environment before it does."""
        assert self._config is not None
        return self._config.environment()

    def start(self) -> None:
        """Plug in."""
        if self._config is None:
            self._config = SaneConfig()
        self._plug.start()

    def stop(self) -> None:
        """Unplug, and leave nothing behind."""
        self.recover()
        self._plug.stop()
        if self._config is not None:
            self._config.remove()
            self._config = None

    def unplug(self) -> None:
        """Pull the cable."""
        self._plug.stop()

    def replug(self) -> None:
        """Put it back."""
        self._plug.start()

    # -- what people do ------------------------------------------------------------------------------------------------

    def put_on_platen(self, page: Side) -> None:
        """Lay a page on the glass; it stays there."""
        self.scanner.put_on_platen(page)

    def load_feeder(self, sheets: Sequence[Sheet]) -> None:
        """Put sheets into the feeder, the first one on top."""
        self.scanner.load_feeder(sheets)

    def open_cover(self) -> None:
        """Open the feeder's door."""
        self.scanner.open_cover()

    def close_cover(self) -> None:
        """Close it again."""
        self.scanner.close_cover()

    def clear_jam(self) -> None:
        """Take the jammed sheet out."""
        self.scanner.clear_jam()

    def recover(self) -> None:
        """Healthy again: no fault is left, the paper lies where it lay."""
        self.scanner.recover()

    # -- faults --------------------------------------------------------------------------------------------------------

    def jam_after(self, pages: int) -> None:
        """The sheet after so many pages gets stuck."""
        self.scanner.jam_after(pages)

    def hang(self) -> None:
        """Calls of the backend do not return."""
        self.scanner.go_mute()

    def cut_page(self, after_bytes: int = 5000) -> None:
        """The device is lost within a page: an I/O error."""
        self.scanner.cut_page(after_bytes)

    def fail_at_the_end(self) -> None:
        """The last sheet of the feeder ends in an I/O error."""
        self.scanner.cut_last_page()

    def fail_at_page(self, number: int) -> None:
        """This page of a feed ends in an I/O error, once; the sheets behind it can be fed."""
        self.scanner.cut_page_number(number)

    def double_feed_after(self, pages: int, *, shown: bool) -> None:
        """After so many pages two sheets go in as one."""
        self.scanner.double_feed_after(pages, shown=shown)

    def slow_body(self, bytes_per_s: int) -> None:
        """Pages trickle."""
        self.scanner.slow_body(bytes_per_s)

    def feed_for_ever(self) -> None:
        """The last sheet comes again and again."""
        self.scanner.feed_for_ever()


TWIN = SaneTwin
