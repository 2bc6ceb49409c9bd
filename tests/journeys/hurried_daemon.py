"""The daemon with the long waits of a hall cut short: nobody sits through a minute of silence in a test.

    python -m tests.journeys.hurried_daemon run --config devices.toml

Only times differ: how long a kiosk is silent before it asks, how long a resident may think about a grade, how long a
scanner may say nothing within a page.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from hall_daemon import __main__

TIMES = {"silence_s": 2.0, "question_s": 1.5, "unprinted_s": 3.0, "tick_s": 0.2}
GRADE_LIMIT_S = 2.0
SCANNER = {"PAGE_LIMIT_S": 10.0, "PAGE_SILENCE_S": 4.0, "QUESTION_S": 1.0, "DELETE_S": 0.5}


def hurry() -> None:
    """Shorten the waits of a daemon that is made after this."""
    # Not for the imaging process, which loads this file too.
    from drivers import scanner_escl  # noqa: PLC0415
    from hall_daemon import app  # noqa: PLC0415
    from hall_daemon.evaluating import Evaluating  # noqa: PLC0415
    from hall_daemon.kiosk import KioskFlow  # noqa: PLC0415
    from hall_daemon.kiosk_visit import KioskTimes  # noqa: PLC0415

    rooms: Any = app  # names of a module, replaced as a whole
    rooms.KioskFlow = partial(KioskFlow, times=KioskTimes(**TIMES))
    rooms.Evaluating = partial(Evaluating, answer_limit_s=GRADE_LIMIT_S)
    for name, seconds in SCANNER.items():
        setattr(scanner_escl, name, seconds)


if __name__ == "__main__":
    hurry()
    raise SystemExit(__main__.main())
