"""A hall for the faults of devices (faults.md, part A), and the eyes of the two who see them.

Two kiosks, three windows, one of every kind of device that the catalogue breaks, each a twin on a real carrier; the
daemon is a process. `Resident` is somebody at a kiosk: acts on reader and keypad, reads the screen. `Operator` is
whoever is paid to know: the clerk's notices, the technician's view, what the province is told.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim import visits
from sim.bench import HALLS, Watcher
from sim.hall_plan import DEMO_PIN_HASH
from sim.idcard_records import record_of
from tests.waiting import until

if TYPE_CHECKING:
    from tests.journeys.conftest import Hall

PLACES = """
[hall]
code = "990000000000-01"
name = "示例镇便民服务中心"
name_en = "Shili Community Service Center"
timezone = "Asia/Shanghai"
database = "var/hall.db"
catalog = "catalog.json"
listen = "127.0.0.1:8620"

[province]
url = "http://127.0.0.1:8621/hall-sync/v1"

[zone.A]
name = "注册登记区"
name_en = "Registration"
announcer = "ANN-01"

[zone.D]
name = "社会民生区"
name_en = "Social & Livelihood"
{voice}

[queue.A]
name = "综合服务"
name_en = "General Services"
zone = "A"
items = [{queue_a}]

[queue.H]
name = "社保医保"
name_en = "Social & Medical Insurance"
zone = "D"
items = [{queue_h}]

[kiosk.k1]
name = "1号取号机"
name_en = "Kiosk 1"
card_readers = ["IDR-01"]
keypad = "KEY-01"
printer = "PRN-01"
queues = ["A", "H"]

[kiosk.k2]
name = "2号取号机"
name_en = "Kiosk 2"
card_readers = ["IDR-02"]
keypad = "KEY-02"
printer = "PRN-02"
queues = ["A", "H"]

[window.1]
zone = "A"
counter_kind = "general"
queues = ["A", "H"]
display = "DSP-01"
scanner = "SCN-01"
evaluator = "EVA-01"

[window.2]
zone = "A"
counter_kind = "general"
queues = ["A"]
display = "DSP-02"

[window.3]
zone = "D"
counter_kind = "general"
queues = ["H"]
display = "DSP-03"

[clerk.c001]
name = "窗口人员01"
pin_hash = "{pin_hash}"

[clerk.c002]
name = "窗口人员02"
pin_hash = "{pin_hash}"

[clerk.c003]
name = "窗口人员03"
pin_hash = "{pin_hash}"
"""

_SCREEN = "baud = 9600\naddress = {n}\nwidth_px = 128\nheight_px = 32"
DEVICES = (
    ("IDR-01", "idcard_samv", "/dev/ttyR1", "baud = 115200"),
    ("IDR-02", "idcard_samv", "/dev/ttyR2", "baud = 115200"),
    ("KEY-01", "keypad_serial", "/dev/ttyK1", "baud = 9600"),
    ("KEY-02", "keypad_serial", "/dev/ttyK2", "baud = 9600"),
    ("PRN-01", "printer_escpos", "/dev/ttyP1", 'baud = 115200\ncolumns = 32\ncharset = "gb18030"'),
    ("PRN-02", "printer_escpos", "/dev/ttyP2", 'baud = 115200\ncolumns = 48\ncharset = "gb18030"'),
    ("DSP-01", "display_onbon", "/dev/ttyD1", _SCREEN.format(n=1)),
    ("DSP-02", "display_onbon", "/dev/ttyD2", _SCREEN.format(n=2)),
    ("DSP-03", "display_alpha", "/dev/ttyD3", "baud = 9600\naddress = 3\ncolumns = 24"),
    ("EVA-01", "evaluator_bytes", "/dev/ttyE1", "baud = 9600"),
    ("ANN-01", "announcer_syn6288", "/dev/ttyA1", "baud = 9600"),
    ("SCN-01", "scanner_escl", "http://10.99.0.50:80/eSCL", ""),
)
MORE_WINDOW = """
[window.{n}]
zone = "A"
counter_kind = "general"
queues = ["A"]

[clerk.c{n:03}]
name = "窗口人员{n:02}"
pin_hash = "{pin_hash}"
"""
SOUND_CARD = ("ANN-02", "announcer_sound", "sound:default", 'mixer = "Master"')


def write_fault_hall(
    folder: Path, *, item: str = "", sound_card: bool = False, windows: int = 3, phone: bool = False
) -> Path:
    """The hall's files; `item` is the name of the second thing on the list, a sound card calls for zone D.

    Windows from 4 on have nothing but a clerk; with `phone` a slip carries a code for phones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    catalog = json.loads((HALLS / "small" / "catalog.json").read_text(encoding="utf-8"))
    if item:
        catalog["items"][1] |= {"name": item, "short": item}
    (folder / "catalog.json").write_text(json.dumps(catalog), encoding="utf-8")
    codes = [entry["code"] for entry in catalog["items"]]
    lists = [", ".join(f'"{code}"' for code in part) for part in (codes[:3], codes[3:6])]
    voice = 'announcer = "ANN-02"' if sound_card else ""
    text = PLACES.format(pin_hash=DEMO_PIN_HASH, voice=voice, queue_a=lists[0], queue_h=lists[1])
    text += "".join(MORE_WINDOW.format(n=n, pin_hash=DEMO_PIN_HASH) for n in range(4, windows + 1))
    text += '\n[phone]\nurl = "https://hall.example/t"\n' if phone else ""
    for name, driver, port, more in (*DEVICES, *([SOUND_CARD] if sound_card else ())):
        text += f'\n[device.{name}]\ndriver = "{driver}"\nport = "{port}"\n{more}\n'
    (folder / "devices.toml").write_text(text, encoding="utf-8")
    return folder


class Resident:
    """Somebody at a kiosk."""

    def __init__(self, hall: Hall, kiosk: str = "k1") -> None:
        self.hall, self.kiosk = hall, kiosk
        table = hall.bench.tables["kiosk"][kiosk]
        self.reader = hall[table["card_readers"][0]]
        self.keypad = hall[table["keypad"]]
        self.screen = Watcher(f"{hall.bench.url}/kiosks/{kiosk}/views")
        hall.open.append(self.screen)
        self.shows("idle", "reader", "unprinted")

    @property
    def view(self) -> dict[str, Any]:
        return self.screen.view

    def shows(self, *screens: str, limit_s: float = 20.0) -> dict[str, Any]:
        """Wait for one of these pages."""
        return self.screen.until(lambda v: v["screen"] in screens, limit_s, f"{self.kiosk} shows {screens}")

    def reads(self, sentence: str, limit_s: float = 15.0) -> dict[str, Any]:
        """Wait until this stands on the screen, in Chinese."""
        return self.screen.until(lambda v: sentence in words(v), limit_s, f"{self.kiosk} says {sentence}")

    def reads_no(self, sentence: str, limit_s: float = 15.0) -> None:
        """Wait until this does not stand on the screen any more."""
        self.screen.until(lambda v: sentence not in words(v), limit_s, f"{self.kiosk} says no more {sentence}")

    def press(self, key: str, *leads_to: str) -> dict[str, Any]:
        """Press a key of the pad, and wait for the page to which it leads."""
        self.keypad.press(key)
        return self.shows(*leads_to)

    def lay(self, card: Any) -> None:
        """Lay a card down: that of somebody fictitious, by name, or a record."""
        self.hall.people.append(visits.Resident(card=record_of(card), phone="13900000000"))  # type: ignore[arg-type]
        self.reader.put(card)

    def identify(self, card: Any = "zhang") -> None:
        """From the first page to the common items, by card and without a phone."""
        self.lay(card)
        self.shows("phone")
        self.press("*", "service")

    def choose(self, item: str = "2") -> None:
        """From the common items to the check page by zone A; no key comes twice, which would be a bounce."""
        self.press("7", "zones")
        zone = next(c["key"] for c in self.view["choices"] if c["zone"] == "A")
        self.press(zone, "list")
        self.press(item, "confirm")

    def take(self, card: Any = "zhang", item: str = "2") -> dict[str, Any]:
        """A whole visit up to the page on which it ends; its card still lies there."""
        self.identify(card)
        self.choose(item)
        return self.press("ok", "done", "nopaper", "unsure")

    def leave(self, key: str) -> None:
        """Take the card, and end the page with this key."""
        self.reader.lift()
        self.press(key, "idle")


def words(view: dict[str, Any]) -> str:
    """All Chinese that stands on a screen: a line each."""
    found = [view["title"], view["line"], *view["notices"]]
    for choice in (*view["choices"], *view["keys"]):
        found += [choice["label"], choice["detail"]]
    found += [text for pair in view["facts"] for text in pair]
    return "\n".join(text["zh"] for text in found if text)


class Operator:
    """Who is told what is broken."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall

    def state(self) -> dict[str, Any]:
        """The technician's list."""
        return first_line(self.hall, "/devices/views")

    def detail(self, device: str) -> dict[str, Any]:
        """The technician's page of one device."""
        return first_line(self.hall, f"/devices/{device}/views")

    def device(self, device: str) -> tuple[str, str]:
        """How it is, and its worst trouble in Chinese."""
        found = next(d for d in self.state()["devices"] if d["view"]["device"] == device)
        return found["health"], found["state"]["zh"]

    def signals(self, device: str) -> list[tuple[str, str, str]]:
        """Lines of the technician's page of one device: colour, name and value."""
        told = self.detail(device)["signals"]
        return [(s["health"], s["name"]["zh"], s["value"]["zh"]) for s in told]

    def sees(self, device: str, health: str, state: str, limit_s: float = 20.0) -> None:
        """Wait for that."""
        until(lambda: self.device(device) == (health, state), limit_s, f"{device} is {health}, {state}")

    def told(self, device: str) -> list[tuple[str, str]]:
        """What the province hears of a device: state and reason of each change."""
        events = self.hall.events("device.changed")
        return [(e["state"], e["reason_code"]) for e in events if e["device_id"] == device]

    def is_told(self, device: str, *changes: tuple[str, str]) -> None:
        """Wait until exactly these changes have been told."""
        until(lambda: self.told(device) == list(changes), 20, f"{device}: {changes}, not {self.told(device)}")

    def unprinted(self, device: str) -> list[str]:
        """Numbers that still wait and have no good slip from this printer."""
        return list(self.detail(device)["counters"]["unprinted_waiting"])

    def notices(self, window: str) -> list[str]:
        """What stands on a clerk's screen."""
        return [n["zh"] for n in first_line(self.hall, f"/windows/{window}/views")["notices"]]

    def hears(self, window: str, notice: str) -> None:
        """Wait until a clerk is told."""
        until(lambda: notice in self.notices(window), 20, f"window {window} is told {notice}")

    def board(self) -> list[tuple[str, str]]:
        """Numbers and windows on the hall's board, newest first."""
        return [(c["number"], c["window"]) for c in first_line(self.hall, "/board/views")["calls"]]

    def printed(self, number: str) -> list[tuple[str, str]]:
        """What became of each slip of a number: result and reason."""
        [ticket] = [e["ticket_id"] for e in self.hall.events("ticket.issued") if e["display_no"] == number]
        events = self.hall.events("ticket.printed")
        return [(e["result"], e.get("reason_code") or "") for e in events if e["ticket_id"] == ticket]

    def is_told_of_slips(self, number: str, *results: tuple[str, str]) -> None:
        """Wait until exactly this has become of a number's slips."""
        until(lambda: self.printed(number) == list(results), 20, f"{number}: {results}, not {self.printed(number)}")


def first_line(hall: Hall, path: str) -> dict[str, Any]:
    """The first line of a stream of views."""
    with hall.http.stream("GET", path) as answer:
        line: dict[str, Any] = json.loads(next(text for text in answer.iter_lines() if text.strip()))
        return line


def slips(hall: Hall, printer: str, number: str) -> list[bool]:
    """Whole slips with this number; of each, whether it is marked as printed again."""
    found = [slip.lines for slip in hall[printer].whole_slips]
    return [any(visits.REPRINT_MARK in line for line in lines) for lines in found if number in lines]
