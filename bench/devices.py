"""Life of devices: forty on twelve ports, then one of every kind; see bench/rig.py for what is measured."""

import statistics
import tempfile
import time
from pathlib import Path

from bench.kinds import kinds
from bench.rig import Rig, say

IDLE_S = 10.0


def devices() -> None:
    """Processor time at idle, from byte to event, from cable to device; the same for every kind of device."""
    _forty()
    kinds()


def _forty() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder))
        for n in range(1, 31):
            rig.add(
                f"DSP-{n:02}", "display_onbon", "east" if n <= 20 else "west", address=n, width_px=128, height_px=32
            )
        for n in range(1, 5):
            rig.add(f"KEY-{n:02}", "keypad_serial")
            rig.add(f"PRN-{n:02}", "printer_escpos", tcp=n == 4, columns=32, charset="gb18030")
        for n in (1, 2):
            rig.add(f"IDR-{n:02}", "idcard_samv", debounce_s=0.5)
        with rig:
            _measure(rig)


def _measure(rig: Rig) -> None:
    time.sleep(2)
    print(f"idle for {IDLE_S:.0f} s: {rig.idle(IDLE_S) * 100:.2f} % of one processor", flush=True)
    keys = _keys(rig, 20)
    say("key pressed → event", keys)
    say("card laid on → card read (three exchanges)", _cards(rig, 8))
    say("paper low → condition (asked every 2 s)", _conditions(rig, 2))
    rig.twins["PRN-02"].go_mute()
    rig.twins["DSP-03"].go_mute()
    mute = _keys(rig, 20)
    say("key pressed → event, a printer and a display mute", mute)
    print(f"    ratio to all well: {statistics.median(mute) / statistics.median(keys):.2f}")
    for device, kind in (("KEY-02", "keypad"), ("PRN-03", "printer"), ("IDR-02", "card reader")):
        gone, back = _cable(rig, device, 3)
        say(f"{kind}: cable pulled → offline", gone)
        say(f"{kind}: cable plugged in → online", back)


def _keys(rig: Rig, times: int) -> list[float]:
    rig.drain()
    found = []
    for n in range(times):
        found.append(rig.took_ms("KEY-01", lambda n=n: rig.twins["KEY-01"].press(str(n % 10)), "Key"))  # type: ignore[misc]
        time.sleep(0.15)  # faster than eight a second is held back
    return found


def _cards(rig: Rig, times: int) -> list[float]:
    rig.drain()
    found = []
    for _ in range(times):
        found.append(rig.took_ms("IDR-01", lambda: rig.twins["IDR-01"].put("zhang"), "CardRead"))
        rig.took_ms("IDR-01", rig.twins["IDR-01"].lift, "CardGone")
        time.sleep(0.6)  # until it is another placing
    return found


def _conditions(rig: Rig, times: int) -> list[float]:
    rig.drain()
    printer = rig.twins["PRN-01"]
    found = []
    for _ in range(times):
        found.append(rig.took_ms("PRN-01", printer.run_low, "online paper_low"))
        found.append(rig.took_ms("PRN-01", printer.refill, "online"))
    return found


def _cable(rig: Rig, device: str, times: int) -> tuple[list[float], list[float]]:
    rig.drain()
    line = rig.lines[device]
    gone, back = [], []
    for _ in range(times):
        gone.append(rig.took_ms(device, line.unplug, "offline"))
        back.append(rig.took_ms(device, line.replug, "online"))
    return gone, back
