"""The catalogue as one whole: read, checked, staged, held, approved, swapped; and what tickets keep of it."""

import json
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hall_daemon import service_day
from hall_daemon.catalogue import BY_CODE, CatalogError, Whole, content_sm3, whole
from hall_daemon.catalogue_checks import Finding, Weight, check, fewer_items, new_ones, worst
from hall_daemon.cataloguing import State
from hall_daemon.config import load
from hall_daemon.profile import HallProfile
from hall_daemon.tickets import ItemSuspended, NotFound, NotHeld, NoWindow
from sim.catalog_tables import HALLS
from tests.rules.catalogues import NAMES, Tree, delta, full, item
from tests.rules.hall_room import (
    HOUR_MS,
    LONELY,
    PENSION,
    PLACES,
    RETIRED,
    START_UP,
    HallRoom,
    StandingClock,
    catalog,
    hall_room,
    write_hall,
)  # fmt: skip

NEW = "11990000990000017W4990101077000"
DAY_MS = 24 * HOUR_MS


def read(answer: Tree, held: Whole | None = None) -> Whole:
    return whole(answer, held)


def findings(answer: Tree, places: HallProfile) -> list[tuple[str, str, str]]:
    found = read(answer)
    return [(f.code, f.subject, f.detail) for f in check(found, found.read(), places)]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> HallProfile:
    return load(write_hall(tmp_path_factory.mktemp("hall")) / "devices.toml", {}).profile


# --- a whole ----------------------------------------------------------------------------------------------------------


def test_digest_is_that_of_the_committed_catalogues_of_the_model_halls() -> None:
    for hall in ("small", "big"):
        document = json.loads((HALLS / hall / "catalog.json").read_text("utf-8"))

        assert read(document).content_sm3 == document["content_sm3"]


def test_order_of_entries_does_not_change_the_digest_but_a_letter_does() -> None:
    answer = full(1)
    turned = {**answer, "items": list(reversed(answer["items"]))}

    assert read(turned).content_sm3 == answer["content_sm3"]
    turned["items"][0]["name"] += "。"
    with pytest.raises(CatalogError, match="digest"):
        read(turned)


def test_a_difference_is_laid_over_the_version_that_it_was_made_from() -> None:
    base = full(41)
    after = full(42, [item(START_UP, name="企业开办"), item(PENSION), item(NEW)])
    made = read(delta(base, after), read(base))

    assert [entry["code"] for entry in made.content["items"]] == sorted([START_UP, PENSION, NEW])
    assert made.content_sm3 == after["content_sm3"]
    assert made.mode == "delta"


def test_a_difference_to_another_version_is_no_catalogue() -> None:
    with pytest.raises(CatalogError, match="difference to version 41"):
        read(delta(full(41), full(42)), read(full(40)))
    with pytest.raises(CatalogError, match="difference to version 41"):
        read(delta(full(41), full(42)))


@pytest.mark.fault("E03")
@pytest.mark.parametrize(
    "broken",
    [
        {"version": "x"}, {"version": 0}, {"mode": "some"}, {"content_sm3": ""}, {"items": {}}, {"items": ["x"]},
        {"items": [{"code": "short"}]}, {"notices": [{"text": "\ud800"}]},
        {"calendar": [{"date": "2026-13-01", "work": True}]}, {"removed": []},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_catalogue_is_told_as_such(broken: Tree) -> None:
    answer = {**full(1), **broken}
    if broken in ({"items": [{"code": "short"}]}, {"calendar": [{"date": "2026-13-01", "work": True}]}):
        answer = {**answer, "content_sm3": content_sm3({name: answer[name] for name in (*BY_CODE, "calendar")})}

    with pytest.raises(CatalogError):
        read(answer).read()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*full(1), "x"]), JSON, max_size=6))
@pytest.mark.fault("E03")
def test_whatever_comes_is_a_catalogue_or_a_catalogue_error(changes: Tree) -> None:
    with suppress(CatalogError):
        read({**full(1), **changes}).read()


# --- the checks -------------------------------------------------------------------------------------------------------


def test_a_sound_catalogue_has_one_finding_the_item_whose_queue_has_no_window(places: HallProfile) -> None:
    assert findings(full(1), places) == [("no_window", LONELY, "企业投资项目备案")]


@pytest.mark.parametrize(
    ("missing", "field"),
    [
        ({"dept": "9" * 18}, "organ"), ({"name": " "}, "content"), ({"basis": []}, "basis"),
        ({"materials": None}, "materials"), ({"kind": ""}, "procedure"), ({"legal_days": None}, "time_limit"),
        ({"responsible": ""}, "responsible"), ({"complaint_phone": None}, "complaint_phone"),
    ],
)  # fmt: skip
def test_each_of_the_nine_published_fields_is_missed(missing: Tree, field: str, places: HallProfile) -> None:
    answer = full(1, [item(START_UP, **missing), item(PENSION)], departments=full(1)["departments"])

    assert ("not_public", START_UP, field) in findings(answer, places)
    assert findings(full(1, [item(START_UP), item(PENSION)]), places) == []


def test_a_missing_fee_is_missed_but_no_fee_is_free_of_charge(places: HallProfile) -> None:
    silent = item(START_UP)
    del silent["fee"]

    assert ("not_public", START_UP, "fee") in findings(full(1, [silent, item(PENSION)]), places)


@pytest.mark.fault("E04")
def test_items_without_queue_or_window_and_windows_without_rights_are_found(places: HallProfile) -> None:
    found = findings(full(1, [item(NEW), item(LONELY)]), places)

    assert ("no_window", NEW, "新事项") in found
    assert ("window_without_rights", "1", "") in found
    assert all(Finding(code=code).weight is Weight.HOLD for code, _, _ in found)


@pytest.mark.fault("E03")
def test_more_than_a_fifth_fewer_items_is_found_a_fifth_is_not() -> None:
    had = [item(f"{START_UP[:-6]}{number:03d}000") for number in range(100)]
    before = read(full(1, had)).read()

    assert fewer_items(read(full(2, had[:80])).read(), before) == ()
    assert [f.code for f in fewer_items(read(full(2, had[:79])).read(), before)] == ["fewer_items"]


def test_what_the_one_in_force_has_too_is_no_news(places: HallProfile) -> None:
    old = read(full(1))
    known = check(old, old.read(), places)

    assert new_ones(known, known) == ()
    assert worst(known) is Weight.HOLD
    assert worst(()) is None
    nothing = read(full(1, []))
    assert worst(check(nothing, nothing.read(), places)) is Weight.REFUSE


def test_findings_say_in_both_languages_what_is_wrong() -> None:
    said = Finding(code="not_public", subject=START_UP, detail="basis,fee").sentence

    assert "依据、收费" in said.zh
    assert "basis, fee" in said.en


# --- in a hall --------------------------------------------------------------------------------------------------------


async def next_day(room: HallRoom) -> None:
    await service_day.close(room.hall, force=True)
    room.clock.pass_ms(DAY_MS)
    await service_day.open_day(room.hall)


async def state_of(room: HallRoom, version: int) -> State:
    return next(kept.state for kept in await room.cataloguing.kept() if kept.version == version)


@pytest.mark.fault("E01")
async def test_a_sound_catalogue_waits_for_the_next_service_day(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        kept = await room.cataloguing.offer(full(42, [item(code) for code in NAMES if code != RETIRED]))

        assert kept.state is State.STAGED
        assert room.hall.profile.catalog_version == 7
        await room.issue(RETIRED)
        await next_day(room)
        assert room.hall.profile.catalog_version == 42
        assert room.hall.profile.calendar.works(date(2026, 2, 16)) is False
        with pytest.raises(NotFound):
            await room.issue(RETIRED)
        assert (await room.last("catalog.activated"))["version"] == 42
        assert (await state_of(room, 7)) is State.PAST
        events = await room.log()
        opened = [e for e in events if e["type"] == "hall.day.opened.v1"][-1]
        assert (opened["catver"], events[-2]["type"]) == (42, "hall.catalog.activated.v1")


@pytest.mark.fault("E01")
async def test_an_urgent_one_comes_between_two_issues_and_tickets_keep_theirs(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await room.issue(START_UP)
        renamed = [item(code) for code in NAMES if code != START_UP] + [item(START_UP, name="企业开办")]
        await room.cataloguing.offer(full(42, renamed, urgent=True))
        await room.issue(START_UP)

        assert [(await room.row(number)).catver for number in ("A001", "A002")] == [7, 42]
        names = {t.number: t.item.name.zh for t in (await room.hall.snapshot()).tickets}
        assert names == {"A001": "企业设立登记", "A002": "企业开办"}
        issued = await room.log("ticket.issued")
        assert [event["catver"] for event in issued] == [7, 42]
    async with hall_room(tmp_path / "hall", room.clock) as room:
        assert (await room.find("A001")).item.name.zh == "企业设立登记"
        assert (await room.find("A002")).item.name.zh == "企业开办"


async def test_an_urgent_one_with_a_later_hour_waits_for_it(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        noon = "2026-01-05T12:00:00.000+08:00"
        await room.cataloguing.offer(full(42, urgent=True, effective_at=noon))
        assert not await room.cataloguing.swap_urgent()
        room.clock.pass_ms(3 * HOUR_MS)

        assert await room.cataloguing.swap_urgent()
        assert room.hall.profile.catalog_version == 42


async def test_a_catalogue_for_a_later_day_waits_for_that_day(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await room.cataloguing.offer(full(42, effective_at="2026-01-07T00:00:00.000+08:00"))
        await next_day(room)
        assert room.hall.profile.catalog_version == 7
        await next_day(room)
        assert room.hall.profile.catalog_version == 42


@pytest.mark.fault("E02")
async def test_a_suspended_item_takes_no_new_tickets_and_its_waiting_ones_are_listed(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        numbers = await room.numbers(7)
        stopped = [item(code, state="2" if code == START_UP else "1") for code in NAMES]
        await room.cataloguing.offer(full(42, stopped, urgent=True))

        with pytest.raises(ItemSuspended):
            await room.issue(START_UP)
        listed = (await room.cataloguing.stranded())[START_UP]
        assert [ticket.number for ticket in listed] == numbers
        assert await room.waiting("A") == numbers
        await room.sign_in(w1="c001")
        assert await room.call_and_serve() == "A001"


@pytest.mark.fault("E02")
async def test_an_item_suspended_by_command_is_back_the_next_day(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        numbers = await room.numbers(2)
        await room.cataloguing.suspend(START_UP, "m001", "系统故障")
        with pytest.raises(ItemSuspended):
            await room.issue(START_UP)
        assert room.hall.profile.items[START_UP].suspended_why == "系统故障", "residents read it"
        assert [t.number for t in (await room.cataloguing.stranded())[START_UP]] == numbers
        acted = await room.last("operator.acted")
        assert (acted["action"], acted["actor_id"], acted["reason_text"]) == ("item.suspend", "m001", "系统故障")
    async with hall_room(tmp_path / "hall", room.clock) as room:
        with pytest.raises(ItemSuspended):
            await room.issue(START_UP)
        await room.cataloguing.resume(START_UP, "m001")
        await room.issue(START_UP)
        await room.cataloguing.suspend(START_UP, "m001", "系统故障")
        await next_day(room)
        assert (await room.issue(START_UP)).number == "A001"
        with pytest.raises(NotFound):
            await room.cataloguing.resume(START_UP, "m001")


@pytest.mark.fault("E03")
async def test_a_drop_of_half_the_items_is_held_until_somebody_approves(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        kept = await room.cataloguing.offer(full(42, [item(START_UP), item(PENSION)]))
        assert kept.state is State.HELD
        assert [f.code for f in kept.findings] == ["fewer_items"]
        await next_day(room)
        assert room.hall.profile.catalog_version == 7

        await room.cataloguing.approve(42, "t001")
        assert (await room.last())["action"] == "catalogue.approve"
        assert room.hall.profile.catalog_version == 7
        await next_day(room)
        assert room.hall.profile.catalog_version == 42


@pytest.mark.fault("E03")
async def test_a_rejected_one_stays_rejected_and_a_better_one_is_taken(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        bad = full(42, [item(START_UP), item(PENSION)])
        await room.cataloguing.offer(bad)
        await room.cataloguing.reject(42, "t001")
        assert (await room.cataloguing.offer(bad)).state is State.REJECTED
        with pytest.raises(NotHeld):
            await room.cataloguing.approve(42, "t001")

        assert (await room.cataloguing.offer(full(43))).state is State.STAGED
        await next_day(room)
        assert room.hall.profile.catalog_version == 43


@pytest.mark.fault("E03")
@pytest.mark.parametrize(
    "broken", [{"content_sm3": "0" * 64}, {"items": []}, {"items": [item(START_UP)] * 2}], ids=repr
)
async def test_a_broken_one_is_refused_with_its_reason_and_the_old_one_stays(tmp_path: Path, broken: Tree) -> None:
    answer = full(42, **({} if "items" in broken else broken))
    if "items" in broken:
        answer = full(42, broken["items"])
    async with hall_room(tmp_path / "hall") as room:
        with suppress(CatalogError):
            await room.cataloguing.offer(answer)
        refused = next(kept for kept in await room.cataloguing.kept() if kept.version == 42)
        assert refused.state is State.REFUSED
        assert refused.findings
        await next_day(room)
        assert room.hall.profile.catalog_version == 7
        await room.issue(START_UP)


@pytest.mark.fault("E03")
async def test_an_older_version_than_the_one_in_force_is_refused(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await room.cataloguing.offer(full(42, urgent=True))
        kept = await room.cataloguing.offer(full(41))

        assert [f.code for f in kept.findings] == ["version_not_higher"]
        assert kept.state is State.REFUSED


@pytest.mark.fault("E04")
async def test_an_item_without_a_queue_is_offered_with_the_way_to_the_desk(tmp_path: Path) -> None:
    kiosk = '\n[kiosk.k1]\nname = "一号机"\nqueues = ["A"]\n'
    write_hall(tmp_path / "hall", PLACES + kiosk)
    async with hall_room(tmp_path / "hall") as room:
        await room.cataloguing.offer(full(42, [*full(1)["items"], item(NEW)], urgent=True))
        await room.cataloguing.approve(42, "t001")

        assert NEW in [offered.code for offered in room.hall.profile.items_at("k1")]
        for code in (NEW, LONELY):
            with pytest.raises(NoWindow) as refused:
                await room.issue(code)
            assert "导引台" in refused.value.sentence.zh
        # Approved once; the next version with the same gap is no news.
        assert (await room.cataloguing.offer(full(43, [*full(1)["items"], item(NEW)]))).state is State.STAGED


async def test_a_newer_one_takes_the_place_of_one_that_waits(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        for version in (42, 43):
            await room.cataloguing.offer(full(version))
        assert (await room.cataloguing.offer(full(43))).state is State.STAGED

        await next_day(room)
        assert room.hall.profile.catalog_version == 43
        assert len([kept for kept in await room.cataloguing.kept() if kept.version == 43]) == 1


async def test_a_better_file_is_taken_at_the_next_start_and_a_worse_one_is_held(tmp_path: Path) -> None:
    folder, clock = tmp_path / "hall", StandingClock()
    async with hall_room(folder, clock) as room:
        assert room.hall.profile.catalog_version == 7
    write_hall(folder, items=json.dumps({**full(8), "items": full(8)["items"]}, ensure_ascii=False))
    async with hall_room(folder, clock) as room:
        assert room.hall.profile.catalog_version == 8
        assert (await room.last("catalog.activated"))["version"] == 8
    worse: Any = [item(code, basis=[]) for code in NAMES]
    write_hall(folder, items=json.dumps(full(9, worse), ensure_ascii=False))
    async with hall_room(folder, clock) as room:
        assert room.hall.profile.catalog_version == 8
        assert (await state_of(room, 9)) is State.HELD
        await room.cataloguing.approve(9, "t001")
        await next_day(room)
        assert room.hall.profile.catalog_version == 9


async def test_the_file_no_longer_counts_once_the_province_has_spoken(tmp_path: Path) -> None:
    folder, clock = tmp_path / "hall", StandingClock()
    async with hall_room(folder, clock) as room:
        await room.cataloguing.offer(full(42, urgent=True))
    write_hall(folder, items=catalog(**{START_UP: "2"}))
    async with hall_room(folder, clock) as room:
        assert room.hall.profile.catalog_version == 42
        await room.issue(START_UP)


async def test_a_power_cut_in_the_swap_leaves_the_old_one_whole(tmp_path: Path, monkeypatch: Any) -> None:
    async with hall_room(tmp_path / "hall") as room:
        before = room.hall.profile
        await room.cataloguing.offer(full(42))
        monkeypatch.setattr("hall_daemon.cataloguing._forget_old_bodies", lambda tx: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await next_day(room)

        assert room.hall.profile is before
        assert (await state_of(room, 42)) is State.STAGED
        monkeypatch.undo()
        await service_day.open_day(room.hall)
        assert room.hall.profile.catalog_version == 42


@pytest.mark.parametrize("hall", ["small", "big"])
def test_catalogues_of_the_model_halls_are_without_a_finding_in_their_halls(hall: str) -> None:
    config = load(HALLS / hall / "devices.toml", {})
    assert config.catalog is not None

    assert check(config.catalog, config.catalog.read(), config.profile) == ()
    assert config.catalog.said_sm3 == config.catalog.content_sm3
    if hall == "big":
        general = [w for w in config.profile.windows.values() if w.counter_kind.value == "general"]
        departments = {
            config.profile.items[code].dept for q in general[0].queues for code in config.profile.queues[q].items
        }
        assert (len(config.profile.windows), len(config.profile.departments)) == (90, 53)
        assert len(departments) > 1
