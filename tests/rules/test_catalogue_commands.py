"""`hall-daemon catalogue`: what is wrong with a catalogue is told in words, and a person decides by its version."""

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from hall_daemon import api_day, commands_day
from hall_daemon.board import Emergency
from hall_daemon.protocol_day import CatalogueEntry, CatalogueView
from tests.rules.catalogues import NAMES, full, item
from tests.rules.hall_room import LONELY, PENSION, START_UP, HallRoom, hall_room

OTHER = "11990000990000017W4990101077000"


def served(room: HallRoom, folder: Path) -> httpx.AsyncClient:
    """A client of the routes of the catalogue."""
    app = FastAPI()
    api_day.add_routes(app, room.hall, room.cataloguing, Emergency(folder / "emergency", room.hall.changed.ring))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hall")


@pytest.mark.fault("E03", "E04")
async def test_each_reason_to_hold_is_told_and_a_person_takes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with hall_room(tmp_path) as room, served(room, tmp_path) as http:
        worse = full(42, [item(OTHER), item(PENSION, basis=[], responsible="", complaint_phone=""), item(LONELY)])
        await room.cataloguing.offer(worse)
        commands_day.tell_catalogue(CatalogueView.model_validate((await http.get("/catalogue")).json()))
        said = capsys.readouterr().out
        assert "42  待批准" in said
        for reason in (
            "事项由 5 个减为 3 个，减少超过两成。",
            f"事项 {PENSION} 缺少公开内容：依据、责任人、投诉电话。",
            "没有窗口办理：请在 devices.toml 把它放进一个业务队列",
        ):
            assert reason in said

        answer = await http.post("/catalogue/42/approve", json={"by": "t904"})
        assert CatalogueEntry.model_validate(answer.json()).state == "staged"
        acted = await room.last("operator.acted")
        assert (acted["action"], acted["actor_id"]) == ("catalogue.approve", "t904")


@pytest.mark.fault("E03")
async def test_a_comprehensive_window_without_rights_holds_and_a_broken_one_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with hall_room(tmp_path) as room, served(room, tmp_path) as http:
        # Window 1 is the comprehensive one: queues A and H. What is left of the items stands in neither.
        await room.cataloguing.offer(full(43, [item(START_UP)] * 2))
        await room.cataloguing.offer(full(44, [item(code, state="1" if code == LONELY else "3") for code in NAMES]))
        commands_day.tell_catalogue(CatalogueView.model_validate((await http.get("/catalogue")).json()))
        said = capsys.readouterr().out
        assert "综合窗口 1 没有可以受理的事项。" in said
        assert "43  已拒收" in said
        assert f"事项 {START_UP} 出现两次。" in said

        answer = await http.post("/catalogue/44/reject", json={"by": "t904"})
        assert answer.json()["state"] == "rejected"
        await room.issue(START_UP)
