"""The table of `hall-daemon devices`: what a technician compares, also where a name is long or a trouble old."""

from datetime import date
from typing import Any

import pytest

from hall_daemon.commands import PLAIN_MARKS, _since, _table
from hall_daemon.protocol import DeviceView

TODAY = date(2026, 3, 5)


def view(**more: Any) -> DeviceView:
    known: dict[str, Any] = {
        "device": "PRN-01", "driver": "printer_escpos", "port": "/dev/ttyS1", "kind": "printer", "link": "online",
        "conditions": (), "since": "2026-03-04T09:12:31.000+08:00", "proven": "simulator", "last_error": "",
        "identity": "Example Machines of Utopia TP-80 Mark II 3.21.7", "firmware": "3.21.7", "jobs": 0, "failures": 0,
    }  # fmt: skip
    return DeviceView(**{**known, **more})


def test_firmware_is_seen_however_long_the_name_is(capsys: pytest.CaptureFixture[str]) -> None:
    _table([view(), view(device="DSP-01", firmware="")], PLAIN_MARKS)
    head, printer, display = capsys.readouterr().out.splitlines()
    at = head.index("firmware")
    assert printer[at : at + 12].strip() == "3.21.7"
    assert display[at : at + 12].strip() == ""


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        ("2026-03-05T09:12:31.000+08:00", "09:12:31"),
        ("2026-03-04T16:12:31.000Z", "00:12:31"),
        ("2026-03-04T23:59:59.000+08:00", "03-04 23:59"),
        ("2025-12-31T09:12:31.000+08:00", "2025-12-31"),
    ],
)
def test_day_is_shown_where_it_is_not_today(moment: str, shown: str) -> None:
    assert _since(moment, TODAY) == shown
    assert len(shown) <= 11
