"""Places and devices of the model halls, written as the devices.toml that a technician would keep.

The tables under halls/data/<hall> say what stands where; this module only puts them into words. Ports are those of
a real hall: a bench replaces the port values and nothing else.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from sim.catalog_tables import DATA, HallName, Item, Row, read_range, read_table

Values = dict[str, str | int | bool | list[str]]

PROVINCE_URL = "http://127.0.0.1:8621/hall-sync/v1"
LISTEN = "127.0.0.1:8620"
DEMO_PIN = "246810"
# Argon2id of it, made once with a random salt: a model hall is the same whenever it is written.
DEMO_PIN_HASH = "$argon2id$v=19$m=19456,t=2,p=1$iF8+lZMgOwAnFuUJLyL8Tw$DoynINxDDy5CI1sB8RZA2pIAv1upYGv/AVRaEPCtT2Q"
OTHER_STAFF = (
    ("r901", "首席代表01", "chief"),
    ("g902", "导办人员01", "guide"),
    ("m903", "值班长01", "manager"),
    ("t904", "技术员01", "technician"),
)
"""Number, name and role of those who sit at no window of their own."""
DISPLAY_WIDTH_PX = 128
DISPLAY_HEIGHT_PX = 32


def small_hall_items() -> list[str]:
    """Ids of the items that the small hall takes, queue by queue."""
    return [key for row in _table(HallName.SMALL, "queues") for key in row["items"].split()]


def devices_toml(hall: HallName, seed: int, items: Iterable[Item]) -> str:
    """The devices.toml of a hall."""
    blocks = [
        _hall_block(hall, seed),
        *([_HOURS] if hall is HallName.BIG else []),
        _zone_blocks(hall),
        _queue_blocks(hall, list(items)),
        _kiosk_blocks(hall),
        _display_blocks(hall),
        _scanner_blocks(hall),
        _desk_blocks(hall),
        _announcer_blocks(hall),
        _window_blocks(hall),
        _clerk_blocks(hall),
    ]
    return "\n\n".join(blocks) + "\n"


def _table(hall: HallName, name: str) -> list[Row]:
    return read_table(_folder(hall) / f"{name}.psv")


def _folder(hall: HallName) -> Path:
    return DATA / hall.value


def _section(name: str, values: Values, remark: str = "") -> str:
    """One TOML table; a remark stands on its own line above it."""
    lines = [f"# {remark}"] if remark else []
    lines.append(f"[{name}]")
    lines += [f"{key} = {_value(value)}" for key, value in values.items()]
    return "\n".join(lines)


def _value(value: str | int | bool | list[str]) -> str:
    # A JSON string of our texts is a TOML basic string as well.
    return json.dumps(value, ensure_ascii=False)


def _heading(text: str) -> str:
    return f"# --- {text} ---"


_ONE_ROOM = "\nno_show_calls = 1                  # one room: whoever is here has heard the first call"


_HOURS = """\
[hours]                            # leave this table out and the hall is open until somebody closes it
workday = ["09:00-12:00", "13:30-17:00"]
saturday = ["09:00-12:00"]         # other weekends and holidays: closed; worked ones (调休) are in the catalogue
early_min = 30                     # before the first number: self-test, screens say when numbers are given"""


def _hall_block(hall: HallName, seed: int) -> str:
    (row,) = _table(hall, "hall")
    one_room = _ONE_ROOM if hall is HallName.SMALL else ""
    return f"""\
# A model hall with fictional departments. Generated: python -m sim.catalog --hall {hall.value} --seed {seed} --out DIR
# A device's key is what stands on its sticker. After a change: hall-daemon check, then hall-daemon devices.

[hall]
code = "{row["code"]}"      # division code and serial, as registered with the province
name = "{row["name"]}"
name_en = "{row["english"]}"
timezone = "Asia/Shanghai"
database = "var/hall.db"           # from this file's folder; scanned pages and the epoch file lie beside it
catalog = "catalog.json"           # used until the province sends one
listen = "{LISTEN}"          # for counters on other PCs: this machine's address in the hall network{one_room}

[province]                         # leave this table out and the hall works alone
url = "{PROVINCE_URL}\""""


def _zone_blocks(hall: HallName) -> str:
    used = {row["zone"] for row in _table(hall, "windows")}
    announcer_of = {zone: row["device"] for row in _table(hall, "announcers") for zone in row["zones"].split()}
    zones = []
    for row in read_table(DATA / "zones.psv"):
        if row["code"] in used:
            values: Values = {"name": row["name"], "name_en": row["english"]}
            if row["code"] in announcer_of:
                values["announcer"] = announcer_of[row["code"]]
            zones.append(_section(f"zone.{row['code']}", values))
    return "\n\n".join([_heading("Zones, as on the signs"), *zones])


def _queue_blocks(hall: HallName, items: list[Item]) -> str:
    blocks = [_heading("Queues; an item stands in one queue only")]
    for row in _table(hall, "queues"):
        head = _section(f"queue.{row['code']}", {"name": row["name"], "name_en": row["english"], "zone": row["zone"]})
        chosen = set(row["items"].split()) if "items" in row else None
        taken = [item for item in items if (item.key in chosen if chosen is not None else item.queue == row["code"])]
        blocks.append(f"{head}\n{_item_list(taken)}")
    return "\n\n".join(blocks)


def _item_list(items: list[Item]) -> str:
    if not items:
        return "items = []                         # numbers are taken without an item"
    lines = [f'    "{item.code}",  # {item.name}' for item in sorted(items, key=lambda item: item.code)]
    return "\n".join(["items = [", *lines, "]"])


def _kiosk_blocks(hall: HallName) -> str:
    devices = {row["device"]: row for row in _table(hall, "devices")}
    blocks = [_heading("Kiosks")]
    for row in _table(hall, "kiosks"):
        readers = row["card_readers"].split()
        kiosk: Values = {
            "name": row["name"],
            "name_en": row["english"],
            "card_readers": readers,
            "keypad": row["keypad"],
            "printer": row["printer"],
            "queues": row["queues"].split(),
        }
        blocks.append(_section(f"kiosk.{row['kiosk']}", kiosk, row["place"]))
        blocks += [_device_block(devices[name]) for name in (*readers, row["keypad"], row["printer"])]
    return "\n\n".join(blocks)


def _device_block(row: Row) -> str:
    values: Values = {"driver": row["driver"], "port": row["port"]}
    for option in row["options"].split():
        key, _, value = option.partition("=")
        values[key] = value == "true" if value in {"true", "false"} else int(value) if value.isdecimal() else value
    return _section(f"device.{row['device']}", values, row["note"])


def _display_blocks(hall: HallName) -> str:
    blocks = [
        _heading("Window displays")
        + "\n# Address = number of the window. Set it once, with that screen alone on the line; it stays when"
        + "\n# the screen moves to another line. The screens of a line share its speed. Only the last screen of a line"
        + "\n# has its 120 ohm end resistor switched in."
    ]
    for row in _table(hall, "lines"):
        numbers = list(read_range(row["windows"]))
        blocks.append(f"# Line {row['port']}: {row['place']}, {len(numbers)} screens")
        blocks += [_display_block(number, row["port"]) for number in numbers]
    return "\n\n".join(blocks)


def _display_block(window: int, port: str) -> str:
    return _section(
        f"device.{_display(window)}",
        {
            "driver": "display_onbon",
            "port": port,
            "baud": 9600,
            "address": window,
            "width_px": DISPLAY_WIDTH_PX,
            "height_px": DISPLAY_HEIGHT_PX,
        },
    )


def _display(window: int) -> str:
    return f"DSP-{window:02d}"


def _scanner_blocks(hall: HallName) -> str:
    blocks = [
        _heading("Scanners")
        + "\n# Network scanners speaking eSCL (AirScan, Mopria). Give each a fixed address in its own set-up page."
    ]
    for row in _table(hall, "scanners"):
        values: Values = {"driver": "scanner_escl", "port": row["port"]}
        blocks.append(_section(f"device.{row['scanner']}", values, f"windows {row['windows']}"))
    return "\n\n".join(blocks)


def _desk_blocks(hall: HallName) -> str:
    head = _heading("Callers and evaluation devices") + "\n# The callers of a line share its speed."
    return "\n\n".join([head, *(_device_block(row) for row in _table(hall, "window_devices"))])


def _announcer_blocks(hall: HallName) -> str:
    head = (
        _heading("Announcers")
        + "\n# Two voices in one room are understood by nobody: one announcer for what hears each other."
    )
    return "\n\n".join([head, *(_device_block(row) for row in _table(hall, "announcers"))])


def _window_blocks(hall: HallName) -> str:
    on_desk = {(int(row["window"]), row["purpose"]): row["device"] for row in _table(hall, "window_devices")}
    scanner_of = {number: row["scanner"] for row in _table(hall, "scanners") for number in read_range(row["windows"])}
    blocks = [_heading("Windows; queues in the order in which a window prefers them")]
    for row in _table(hall, "windows"):
        for number in read_range(row["windows"]):
            values: Values = {
                "zone": row["zone"],
                "counter_kind": row["kind"],
                "queues": row["queues"].split(),
                "display": _display(number),
            }
            if number in scanner_of:
                values["scanner"] = scanner_of[number]
            values |= {p: on_desk[number, p] for p in ("caller", "evaluator") if (number, p) in on_desk}
            blocks.append(_section(f"window.{number}", values))
    return "\n\n".join(blocks)


def _clerk_blocks(hall: HallName) -> str:
    (row,) = _table(hall, "hall")
    clerks = [
        _section(f"clerk.c{number:03d}", {"name": f"窗口人员{number:02d}", "pin_hash": DEMO_PIN_HASH})
        for number in range(1, int(row["clerks"]) + 1)
    ]
    others = [
        _section(f"clerk.{number}", {"name": name, "role": role, "pin_hash": DEMO_PIN_HASH})
        for number, name, role in OTHER_STAFF
    ]
    heading = _heading(f"Staff, by staff number, never an ID number; everybody's PIN is {DEMO_PIN} here")
    return "\n\n".join([heading, *clerks, *others])
