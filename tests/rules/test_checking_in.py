"""Checking in with an appointment: one step to a number, honoured once, also when the list here is stale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hall_daemon import appointments, checking_in
from hall_daemon.lanes import CheckIn
from hall_daemon.privacy import id_hmac
from hall_daemon.province_shapes import AppointmentPage
from hall_daemon.tickets import IssueOrder, TooEarly
from hall_daemon.words import Channel
from tests.rules.hall_room import HOUR_MS, PENSION, START_UP, HallRoom, card, hall_room


async def book(room: HallRoom, number: str, hour: str, *, rev: int = 1, state: str = "booked") -> None:
    """The province says that Zhang booked a slot of half an hour today; or says it anew."""
    key = room.config.secrets.match
    assert key is not None
    said: dict[str, Any] = {
        "id": f"ap-{number}", "code6": number, "item_codes": [START_UP], "bizdate": "2026-01-05",
        "slot_start": f"2026-01-05T{hour}:00.000+08:00", "slot_end": f"2026-01-05T{hour[:2]}:30:00.000+08:00",
        "id_type": "111", "id_hmac": id_hmac(key, "111", card().id_no), "name_masked": "张**", "phone_tail4": "5678",
        "state": state, "rev": rev,
    }  # fmt: skip
    page = AppointmentPage.model_validate({"items": [said], "next_cursor": None, "as_of": "now"})
    await room.store.write(lambda tx: appointments.take_page(tx, page, "2026-01-05"))


def order(room: HallRoom, item: str = "") -> IssueOrder:
    return IssueOrder(
        item=item, request_id=room.clock.new_id(), channel=Channel.APPOINTMENT, device_id="PRN-01", kiosk="k1",
        card=card(),
    )  # fmt: skip


async def of_zhang(room: HallRoom) -> tuple[checking_in.Booked, ...]:
    return await checking_in.by_person(room.hall, "111", card().id_no)


async def test_a_card_is_all_that_a_check_in_needs(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await book(room, "111111", "09:00")
        (booked,) = await of_zhang(room)
        issued = await checking_in.take(room.hall, booked, order(room))

        assert (issued.number, booked.standing) == ("YA001", CheckIn.ON_TIME)
        told = await room.last("appointment.checked_in")
        assert (told["appointment_id"], told["ticket_id"]) == ("ap-111111", issued.ticket_id)
        assert await of_zhang(room) == ()


async def test_who_comes_early_is_told_the_time_and_who_comes_late_queues(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await book(room, "111111", "10:00")
        (booked,) = await of_zhang(room)
        with pytest.raises(TooEarly):
            await checking_in.take(room.hall, booked, order(room))
        room.clock.pass_ms(2 * HOUR_MS)
        (booked,) = await of_zhang(room)
        assert booked.standing is CheckIn.LATE
        assert (await checking_in.take(room.hall, booked, order(room))).number == "A001"


@pytest.mark.fault("E05")
async def test_a_check_in_here_beats_a_cancellation_that_comes_later(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await book(room, "111111", "09:00")
        (booked,) = await of_zhang(room)
        issued = await checking_in.take(room.hall, booked, order(room))
        await book(room, "111111", "09:00", rev=2, state="cancelled")

        assert (await room.row(issued.number)).state == "waiting"
        flags = await room.store.read(lambda s: appointments.flags(s, ["ap-111111"]))
        assert flags == {"ap-111111": "cancelled_after"}
        await room.issue(PENSION)  # the next picture of the hall, whatever it is drawn for
        assert (await room.hall.snapshot()).cancelled_after == {issued.ticket_id}


@pytest.mark.fault("E05")
async def test_one_that_was_cancelled_before_is_not_found_and_a_double_one_counts_once(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await book(room, "111111", "09:00")
        await book(room, "111111", "09:00", rev=2, state="cancelled")
        assert await of_zhang(room) == ()
        await book(room, "222222", "09:00")
        await book(room, "333333", "09:00")
        first, second = await of_zhang(room)
        await checking_in.take(room.hall, first, order(room))
        with pytest.raises(Exception, match="already_waiting"):
            await checking_in.take(room.hall, second, order(room))


@pytest.mark.fault("E06")
async def test_a_code_that_the_stale_list_does_not_have_is_taken_on_a_clerks_word(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        assert await checking_in.by_code(room.hall, "654321") == ()
        wanted = order(room, PENSION)
        issued = await checking_in.take_unlisted(room.hall, "654321", wanted, "c001")
        again = await checking_in.take_unlisted(room.hall, "654321", wanted, "c001")

        assert (issued.number, again.number, again.repeated) == ("YH001", "YH001", True)
        acted = await room.last("operator.acted")
        assert (acted["action"], acted["reason_text"]) == ("appointment.unlisted", "offline, code 654321")
        assert len(await room.log("operator.acted")) == 1


async def test_a_code_of_the_list_needs_no_clerks_word(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await book(room, "111111", "09:00")
        (booked,) = await checking_in.by_code(room.hall, "111111")

        assert (booked.items, booked.name_masked) == ((START_UP,), "张**")


async def test_whoever_lost_the_answer_asks_again_and_gets_the_same_number(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await book(room, "111111", "09:00")
        (booked,) = await checking_in.by_code(room.hall, "111111")
        first = order(room)
        issued = await checking_in.take(room.hall, booked, first)

        assert await checking_in.by_code(room.hall, "111111") == ()
        assert await checking_in.number_of(room.hall, first.request_id) == issued.number
        assert await checking_in.number_of(room.hall, "another order") == ""
