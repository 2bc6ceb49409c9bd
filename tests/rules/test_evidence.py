"""What the oracle is told of a printer: when a number was written, though a command may look like its first letter."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from sim.visits import _Written


@dataclass
class Passed:
    data: bytes
    at: float
    direction: str = ">"


def written(*pieces: bytes) -> _Written:
    line = SimpleNamespace(transcript=[Passed(piece, float(at)) for at, piece in enumerate(pieces)])
    bench: Any = SimpleNamespace(lines={"PRN-01": line})
    return _Written(bench, "PRN-01")


@pytest.mark.parametrize(
    ("number", "at"), [("H001", 0.0), ("VH001", 1.0), ("H002", 2.0), ("YA003", 3.0), ("A003", 4.0), ("A004", 6.0)]
)
def test_a_number_is_found_where_it_was_written(number: str, at: float) -> None:
    found = written(
        b"\x1d!VH001\n", b"\x1d!VVH001\n", b"\x1d!VH002\n", b"\x1b!\x00YA003\n", b"A003", b"A0", b"04"
    )  # fmt: skip
    assert found.first(number) == at
