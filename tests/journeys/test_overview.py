"""The manager's page over HTTP: what it says, who may see it, and that nothing personal is in it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import httpx
from openpyxl import load_workbook

from sim.bench import Bench, DaemonProcess
from sim.hall_plan import DEMO_PIN
from tests.journeys.kiosk_room import write_hall
from tests.waiting import until

TOKENS = {"manager": "m-token", "counter": "c-token", "technician": "t-token"}


def as_role(role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[role]}"}


def first_view(http: httpx.Client) -> dict[str, Any]:
    with http.stream("GET", "/overview/views", headers=as_role("manager")) as answer:
        line = next(line for line in answer.iter_lines() if line.strip())
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_manager_sees_the_hall_and_takes_its_figures_home(tmp_path: Path) -> None:
    bench = Bench(write_hall(tmp_path / "hall"), tmp_path / "run", province=None)
    bench.environment |= {f"HALL_TOKEN_{role.upper()}": token for role, token in TOKENS.items()}
    with (
        bench,
        DaemonProcess(bench),
        httpx.Client(base_url=bench.url, timeout=60, trust_env=False) as http,
    ):
        counter = as_role("counter")
        item = bench.tables["queue"]["A"]["items"][0]
        for turn in range(3):
            order = {"item": item, "request_id": f"overview-{turn}"}
            http.post("/tickets", json=order, headers=counter).raise_for_status()
        empty = first_view(http)
        assert (empty["waiting"], empty["issued"], empty["windows_open"]) == (3, 3, 0)
        assert "no_window" in [alarm["code"] for alarm in empty["alarms"]]

        answer = http.post("/windows/1/sign-in", json={"clerk": "c01", "pin": DEMO_PIN}, headers=counter)
        counter["X-Hall-Session"] = answer.raise_for_status().json()["session"]
        http.post("/windows/1/next", json={"seen": None}, headers=counter).raise_for_status()
        http.post("/windows/1/serve", json={"seen": "A001"}, headers=counter).raise_for_status()
        finish = {"seen": "A001", "outcome": "completed"}
        http.post("/windows/1/finish", json=finish, headers=counter).raise_for_status()
        http.post("/windows/1/next", json={"seen": None}, headers=counter).raise_for_status()
        # The page is at most two seconds old, so it may say for a moment what was.
        view = until(lambda: (v := first_view(http))["finished"] and v, 60, "the visit is counted")
        assert (view["waiting"], view["issued"], view["finished"], view["windows_open"]) == (1, 3, 1, 1)
        assert view["on_the_spot_percent"] == 100
        assert [w["state"] for w in view["window_map"] if w["window"] == "1"] == ["called"]
        assert "no_window" not in [alarm["code"] for alarm in view["alarms"]]
        assert "c01" not in json.dumps(view), "no clerk is named"

        sheet = http.get("/overview/figures.csv", headers=as_role("manager"))
        assert sheet.headers["content-type"] == "text/csv; charset=utf-8"
        rows = list(csv.reader(io.StringIO(sheet.content.decode("utf-8-sig"))))
        assert rows[1][1:6] == ["全厅", "", "全厅", "3", "1"]
        chinese = http.get("/overview/figures.csv?encoding=gb18030", headers=as_role("manager"))
        assert list(csv.reader(io.StringIO(chinese.content.decode("gb18030")))) == rows
        book = http.get("/overview/figures.xlsx", headers=as_role("manager"))
        page = load_workbook(io.BytesIO(book.content)).active
        assert page is not None
        assert [cell.value for cell in page[2]][4:6] == [3, 1]

        assert http.get("/overview").status_code == 200, "the page itself shows nothing"
        for path in ("/overview/views", "/overview/alarms", "/overview/figures.csv"):
            for headers in (as_role("counter"), as_role("technician"), {}):
                assert http.get(path, headers=headers).status_code == 401
