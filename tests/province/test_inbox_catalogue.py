"""Catalogues and appointments pulled from the province twin: whole, as differences, urgent, broken, empty."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hall_daemon import appointments, privacy
from hall_daemon.cataloguing import Kept, State
from sim.province import Calls, ProvinceTwin
from tests.province.reporting_hall import ZHANG, ReportingHall, key
from tests.rules.catalogues import full, item
from tests.rules.hall_room import LONELY, PENSION, START_UP
from tests.waiting import until_async

FEWER = [item(START_UP), item(PENSION)]


def reporting(folder: Path, twin: ProvinceTwin) -> ReportingHall:
    return ReportingHall(folder, twin, with_inbox=True)


async def came(hall: ReportingHall, version: int, state: State) -> Kept:
    """Wait until a catalogue has come and this has become of it."""

    async def found() -> Kept | None:
        kept = await hall.cataloguing.kept()
        return next((k for k in kept if k.version == version and k.state is state), None)

    await until_async(found)
    kept = await found()
    assert kept is not None
    return kept


async def in_force(hall: ReportingHall, version: int, twin: ProvinceTwin) -> None:
    """Have a catalogue in force; this hall's one queue takes no items, so a person has to say so."""
    twin.load_catalog(full(version, urgent=True))
    await came(hall, version, State.HELD)
    await hall.cataloguing.approve(version, "t001")
    assert hall.hall.profile.catalog_version == version


async def refreshed(hall: ReportingHall, twin: ProvinceTwin) -> str:
    """Ask for the catalogue by command; what the hall answers."""
    before = len([row for row in await hall.rows() if row.type == "hall.command.result.v1"])
    twin.give_command("catalog.refresh")

    async def results() -> list[str]:
        return [row.body for row in await hall.rows() if row.type == "hall.command.result.v1"][before:]

    return (await until_async(results))[0]


@pytest.mark.fault("E01")
async def test_whole_then_difference_then_nothing_newer(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with reporting(tmp_path, twin) as hall:
        await in_force(hall, 42, twin)
        twin.load_catalog(full(43, [item(START_UP, name="企业开办"), *full(1)["items"][1:]]), offer_delta=True)
        assert '"detail":"staged"' in await refreshed(hall, twin)
        assert '"detail":"nothing newer"' in await refreshed(hall, twin)
        staged = await came(hall, 43, State.STAGED)

        assert staged.content_sm3 == full(43, [item(START_UP, name="企业开办"), *full(1)["items"][1:]])["content_sm3"]
        assert hall.hall.profile.catalog_version == 42
        await hall.all_acknowledged()
        activated = [json.loads(e.event) for e in twin.ledger().events if e.type == "hall.catalog.activated.v1"]
        assert activated[-1]["data"]["version"] == 42


@pytest.mark.fault("E01")
async def test_an_urgent_difference_is_in_force_at_once(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with reporting(tmp_path, twin) as hall:
        await in_force(hall, 42, twin)
        stopped = [item(START_UP, state="2"), *full(1)["items"][1:]]
        twin.load_catalog(full(43, stopped, urgent=True), offer_delta=True)
        await refreshed(hall, twin)

        assert hall.hall.profile.catalog_version == 43
        assert hall.hall.profile.items[START_UP].suspended


@pytest.mark.fault("E03")
async def test_a_difference_with_a_wrong_digest_is_asked_for_whole(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with reporting(tmp_path, twin) as hall:
        await in_force(hall, 42, twin)
        twin.load_catalog(full(43), offer_delta=True)
        twin.load_catalog({**full(44), "content_sm3": "0" * 64}, offer_delta=True)
        assert '"result":"failed"' in await refreshed(hall, twin)
        refused = await came(hall, 44, State.REFUSED)
        twin.load_catalog(full(45), offer_delta=True)
        await refreshed(hall, twin)

        assert "digest" in refused.findings[0].subject
        assert (await came(hall, 45, State.STAGED)).version == 45
        assert hall.hall.profile.catalog_version == 42


@pytest.mark.fault("E03")
@pytest.mark.parametrize(("items", "state"), [([], State.REFUSED), (FEWER, State.HELD)], ids=["empty", "half"])
async def test_an_empty_one_is_refused_and_half_of_one_is_held(
    twin: ProvinceTwin, tmp_path: Path, items: list[dict[str, Any]], state: State
) -> None:
    async with reporting(tmp_path, twin) as hall:
        await in_force(hall, 42, twin)
        twin.load_catalog(full(43, items, urgent=True))
        assert f'"detail":"{state.value}"' in await refreshed(hall, twin)

        await came(hall, 43, state)
        assert hall.hall.profile.catalog_version == 42
        assert LONELY in hall.hall.profile.items


@pytest.mark.fault("E03")
async def test_a_broken_download_changes_nothing_and_the_next_one_is_taken(twin: ProvinceTwin, tmp_path: Path) -> None:
    twin.truncate_answers(2, of=Calls.CATALOG)
    twin.corrupt_answers(2, of=Calls.CATALOG)
    async with reporting(tmp_path, twin) as hall:
        twin.load_catalog(full(42))
        kept = await came(hall, 42, State.HELD)

        assert [found.code for found in kept.findings if found.code != "no_window"] == ["window_without_rights"]
        assert await hall.issue() == ["A001"]


async def test_a_province_that_has_forgotten_our_version_is_asked_for_all(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with reporting(tmp_path, twin) as hall:
        await in_force(hall, 42, twin)
        twin.reset()
        twin.load_catalog(full(50))
        hall.outbox.line.doubt()

        await came(hall, 50, State.STAGED)


# --- appointments -----------------------------------------------------------------------------------------------------


def booked(hall: ReportingHall, number: str, *, rev: int = 1, state: str = "booked", days: int = 0) -> dict[str, Any]:
    """An appointment of Zhang's."""
    day = hall.clock.today().fromordinal(hall.clock.today().toordinal() + days).isoformat()
    return {
        "id": f"ap-{number}", "code6": number, "item_codes": [START_UP], "bizdate": day,
        "slot_start": f"{day}T09:00:00.000+08:00", "slot_end": f"{day}T09:30:00.000+08:00", "id_type": "111",
        "id_hmac": privacy.id_hmac(key("match"), "111", ZHANG.id_no), "name_masked": "张**", "phone_tail4": "5678",
        "state": state, "rev": rev,
    }  # fmt: skip


async def of_zhang(hall: ReportingHall) -> list[str]:
    """Codes of what Zhang may still come for today."""
    hmac, today = privacy.id_hmac(key("match"), "111", ZHANG.id_no), hall.clock.today().isoformat()
    return [row.code6 for row in await hall.store.read(lambda s: appointments.of_person(s, today, hmac))]


async def test_appointments_of_today_are_found_by_the_hash_and_by_the_code(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with reporting(tmp_path, twin) as hall:
        twin.put_appointments([booked(hall, "111111"), booked(hall, "222222", days=3)])

        async def there() -> bool:
            return await of_zhang(hall) == ["111111"]

        await until_async(there)
        today = hall.clock.today().isoformat()
        found = await hall.store.read(lambda s: [row.id for row in appointments.by_code(s, today, "111111")])
        assert found == ["ap-111111"]


@pytest.mark.fault("E05")
async def test_a_later_revision_wins_and_an_older_one_changes_nothing(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with reporting(tmp_path, twin) as hall:
        await hall.online()
        twin.put_appointments([booked(hall, "111111", rev=3), booked(hall, "222222")])
        await hall.inbox.pulls.pull_appointments()
        twin.put_appointments([booked(hall, "111111", rev=4, state="cancelled")])
        await hall.inbox.pulls.pull_appointments()

        assert await of_zhang(hall) == ["222222"]


async def test_more_than_a_page_of_appointments_comes_whole(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with reporting(tmp_path, twin) as hall:
        twin.put_appointments([booked(hall, f"{number:06d}") for number in range(450)])

        async def all_there() -> bool:
            return len(await of_zhang(hall)) == 450

        await until_async(all_there)
