"""Presenter and retractor of a kiosk printer twin: the slip in the mouth, and where it goes.

Written from the protocol notes "Ticket printers (ESC/POS)" §4 (Custom, B): `1C 50 steps led mode timeout` presents;
after the time the slip is thrown out (45) or taken back (52). The time passes by a verb, so that no test waits for it.
"""

from __future__ import annotations

from sim.printer_paper import PrintedSlip


class Presenter:
    """What happens to a slip between the cutter and the resident's hand."""

    def __init__(self) -> None:
        self.slips_are_taken_at_once = True
        """Whether residents take their slip as soon as it sticks out."""
        self.mouth: PrintedSlip | None = None
        self.commands: list[bytes] = []
        self.taken: list[PrintedSlip] = []
        self.thrown_out: list[PrintedSlip] = []
        self.retracted: list[PrintedSlip] = []

    def present(self, slip: PrintedSlip | None, command: bytes) -> bool:
        """Push a slip out; False if another one is still in the way."""
        if self.mouth is not None:
            return False
        self.mouth = slip
        self.commands.append(command)
        if self.slips_are_taken_at_once:
            self.take()
        return True

    def take(self) -> None:
        """The resident takes the slip."""
        if self.mouth is not None:
            self.taken.append(self.mouth)
            self.mouth = None

    def time_out(self) -> None:
        """Nobody took it in time."""
        if self.mouth is not None:
            (self.retracted if self.commands[-1][4] == 0x52 else self.thrown_out).append(self.mouth)
            self.mouth = None
