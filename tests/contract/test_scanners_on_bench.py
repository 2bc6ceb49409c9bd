"""A simulated hall can have a scanner behind SANE and a document camera: the daemon finds both online."""

import re
from pathlib import Path

import httpx
import pytest

from sim.bench import HALLS, Bench, DaemonProcess
from sim.sane import unavailable
from tests.waiting import until

CAMERA = """
[device.SCN-01]
driver = "camera_uvc"
port = "/dev/v4l/by-id/usb-Example_HD_Camera-video-index0"
width = 1280
height = 960

[device.SCN-02]
driver = "scanner_sane"
port = "sane:fujitsu:fi-7160:1234"
"""


@pytest.mark.system
@pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
def test_daemon_meets_a_camera_and_a_sane_scanner(tmp_path: Path) -> None:
    hall = tmp_path / "hall"
    hall.mkdir()
    for file in (HALLS / "small").iterdir():
        (hall / file.name).write_bytes(file.read_bytes())
    places = (hall / "devices.toml").read_text(encoding="utf-8")
    places = re.sub(r"\[device.SCN-01\]\n[^\[]*", CAMERA + "\n", places)
    (hall / "devices.toml").write_text(places, encoding="utf-8")
    with Bench(hall, tmp_path / "run", province=None) as bench, DaemonProcess(bench):

        def links() -> dict[str, str]:
            found = httpx.get(f"{bench.url}/devices", trust_env=False, timeout=5).json()
            return {d["device"]: d["link"] for d in found if d["device"].startswith("SCN")}

        until(lambda: links() == {"SCN-01": "online", "SCN-02": "online"}, 30.0, "both are online")
