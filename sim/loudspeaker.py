"""The loudspeaker of the sound card's twin: a process of its own, at the end of ALSA's `file` device.

python loudspeaker.py FOLDER    takes samples from its input, at the pace that FOLDER/pace says (times real time)
"""

import os
import sys
import time
from pathlib import Path

BYTES_A_SECOND = 2 * 22050
PIECE = 2048


def listen(folder: Path) -> None:
    """The loudspeaker: take samples at the pace of a card, keep them, and name the file when the sound has ended."""
    taking = folder / f"{time.monotonic_ns():020d}.taking"
    with taking.open("wb") as file:
        while piece := os.read(0, PIECE):
            file.write(piece)
            while (pace := _pace_of(folder)) == 0.0:
                time.sleep(0.02)
            time.sleep(len(piece) / BYTES_A_SECOND / pace)
    taking.rename(taking.with_suffix(".raw"))


def _pace_of(folder: Path) -> float:
    text = (folder / "pace").read_text(encoding="ascii")
    return float(text) if text else 1.0


if __name__ == "__main__":
    listen(Path(sys.argv[1]))
