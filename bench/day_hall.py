"""The hall that a day is played in: its file, its appointments, and what is asked before the first and after the last.

Times are seconds after opening; OPENS is a Monday.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import time
import tomllib
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image

from bench.day_plan import SLOT_S, Resident, window_queues
from sim import oracle
from sim.bench import HALLS, Bench
from sim.province import ProvinceTwin

OPENS = datetime.fromisoformat("2026-03-02T09:00:00+08:00")


def write_hall(folder: Path) -> Path:
    """The big hall without devices, its windows with what the helpers take."""
    tables = tomllib.loads((HALLS / "big" / "devices.toml").read_text(encoding="utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HALLS / "big" / "catalog.json", folder / "catalog.json")
    lines = ["[device]"]
    queues = window_queues()
    for kind, table in tables.items():
        if kind in ("device", "kiosk", "hours"):
            continue
        for name, values in table.items() if kind not in ("hall", "province") else [("", table)]:
            lines.append(f"[{kind}.{name}]" if name else f"[{kind}]")
            kept = {k: v for k, v in values.items() if k not in ("display", "scanner", "caller", "evaluator")}
            kept.pop("announcer", None)
            if kind == "window":
                kept["queues"] = list(queues[name])
            if kind == "hall":
                kept["idle_minutes"] = 0  # a clerk's screen says by itself that somebody is there; these have none
            lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in kept.items()]
    lines += ["[hours]", 'workday = ["09:00-17:00"]']  # nobody is sent home at noon
    (folder / "devices.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def code_of(who: Resident) -> str:
    """Of the text message."""
    return f"{who.no:06d}"


def _appointment(who: Resident) -> dict[str, Any]:
    """As the province has it (province.md §7.7); the keyed hash is of nobody."""
    begins_s = who.slot_s or 0.0
    return {
        "id": f"day-{who.no:06d}", "code6": code_of(who), "item_codes": [who.item.code],
        "bizdate": f"{OPENS:%Y-%m-%d}", "slot_start": _moment(begins_s), "slot_end": _moment(begins_s + SLOT_S),
        "id_type": "111", "id_hmac": hashlib.sha256(code_of(who).encode()).hexdigest(), "name_masked": "测*",
        "phone_tail4": "0000", "state": "booked", "rev": 1,
    }  # fmt: skip


def _moment(now_s: float) -> str:
    return datetime.fromtimestamp(ms_of(now_s) / 1000, OPENS.tzinfo).isoformat(timespec="milliseconds")


def ms_of(now_s: float) -> int:
    return int(OPENS.timestamp() * 1000 + now_s * 1000)


def book(bench: Bench, residents: Sequence[Resident]) -> int:
    """Tell the province who has booked; how many."""
    booked = [_appointment(who) for who in residents if who.slot_s is not None]
    if isinstance(bench.province, ProvinceTwin):
        bench.province.put_appointments(booked)
    return len(booked)


def wait_until(condition: Callable[[], bool], limit_s: float, what: str) -> None:
    """Raises TimeoutError."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {limit_s:.0f} s: {what}")
        time.sleep(0.1)


def appointments_known(bench: Bench) -> int:
    """How many the hall has pulled."""
    connection = sqlite3.connect(f"file:{bench.database}?mode=ro", uri=True)
    try:
        (count,) = connection.execute("SELECT count(*) FROM appointment").fetchone()
        return int(count)
    finally:
        connection.close()


def delivered(bench: Bench) -> bool:
    """Whether the province has acknowledged everything."""
    mine = oracle.Hall.read(bench.database)
    stream = mine.streams[-1]
    return bool(stream["acked_through"] == sum(e["streamid"] == stream["streamid"] for e in mine.events))


def take_picture(url: str, to: Path) -> None:
    """The manager's page as it looks now."""
    from tests.screens.chromium import chromium  # noqa: PLC0415 - a browser, only where a picture is wanted

    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(60_000)
        page.goto(url)
        page.wait_for_selector("text=个窗口")
        page.wait_for_timeout(500)
        page.screenshot(path=str(to))
    with Image.open(to) as picture:
        picture.convert("RGB").quantize(128).save(to, optimize=True)
