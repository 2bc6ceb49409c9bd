"""Events that this program would never write, in ways that the province cannot even read."""

from typing import ClassVar

from hall_daemon.events import EventData


class Strange(EventData):
    """An event that this program would never write; the province cannot make sense of its envelope."""

    wire_type: ClassVar[str] = "hall.strange.happened.v1"
    text: str = ""

    @property
    def subject(self) -> str:
        return "nobody knows"


class Fractional(Strange):
    """Not even JSON as the contract allows it."""

    wire_type: ClassVar[str] = "hall.fraction.happened.v1"
    number: float = 0.5

    @property
    def subject(self) -> str:
        return "hall"


class Large(Strange):
    """Larger than an event may be."""

    wire_type: ClassVar[str] = "hall.large.happened.v1"

    @property
    def subject(self) -> str:
        return "hall"
