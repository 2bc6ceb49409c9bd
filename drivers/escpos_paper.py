"""Paper that is left on a slip printer's roll, told from millimetres printed.

For printers whose near-end sensor is missing or set too late. Knows no bytes. A roll lasts for days, so what is known
of it outlives the connection and the daemon (`memory`, `recall`). A roll counts as new once the paper was out, or the
cover open, and is in order again (G): a cover that was opened for another reason makes the warning late, a roll that
was changed while nobody was connected makes it early.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from drivers.base import Condition

WARN_MM = 5_000.0
"""Paper for some 40 slips: time to fetch a roll (our choice)."""


class PaperLowSource(StrEnum):
    """How it is known that the paper ends soon."""

    SENSOR = "sensor"
    PREDICTION = "prediction"


class PaperMeter:
    """Counts the paper of one roll."""

    def __init__(self, roll_m: int) -> None:
        self.roll_mm = roll_m * 1000.0
        self.used_mm = 0.0
        """At least so much of the roll is used."""
        self.saw_new_roll = False
        """Whether counting began with a new roll, so that `used_mm` is all of it."""
        self._roll_is_touched = False

    def memory(self) -> dict[str, float]:
        """All of it as numbers."""
        return {
            "used_mm": round(self.used_mm, 1),
            "saw_new_roll": float(self.saw_new_roll),
            "roll_is_touched": float(self._roll_is_touched),
        }

    def recall(self, memory: Mapping[str, float]) -> None:
        """Count on from there."""
        self.used_mm = max(0.0, memory.get("used_mm", 0.0))
        self.saw_new_roll = bool(memory.get("saw_new_roll"))
        self._roll_is_touched = bool(memory.get("roll_is_touched"))

    def printed(self, length_mm: float) -> None:
        """So much paper went out, or may have."""
        self.used_mm += length_mm

    def saw(self, conditions: frozenset[Condition]) -> None:
        """Look for a new roll in what the printer reports."""
        if conditions & {Condition.PAPER_OUT, Condition.COVER_OPEN}:
            self._roll_is_touched = True
        elif self._roll_is_touched:
            self._roll_is_touched = False
            self.used_mm, self.saw_new_roll = 0.0, True

    @property
    def is_low(self) -> bool:
        """Whether the roll must be near its end."""
        return self.roll_mm > 0 and self.used_mm >= self.roll_mm - WARN_MM

    def low_source(self, reported: frozenset[Condition]) -> PaperLowSource | None:
        """What says that the paper ends soon, given the printer's own report; None: nothing does, or it is out."""
        if Condition.PAPER_OUT in reported:
            return None
        if Condition.PAPER_LOW in reported:
            return PaperLowSource.SENSOR
        return PaperLowSource.PREDICTION if self.is_low else None
