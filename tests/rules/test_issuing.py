"""Taking a number: what the ticket and its event say, who gets a second one, and what is refused; then its slip."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.base import CardDoubt, CardKind, IdCard
from hall_daemon import service_day
from hall_daemon.tables import CounterRow
from hall_daemon.tickets import (
    AlreadyWaiting,
    HallClosed,
    HallError,
    ItemSuspended,
    NoMoreNumbers,
    NotFound,
    NoWindow,
)  # fmt: skip
from hall_daemon.words import Channel, Outcome, PrintReason, PrintResult, Priority, SlipState
from tests.rules.hall_room import LONELY, PAUSED, PENSION, RETIRED, START_UP, HallRoom, card, hall_room


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[HallRoom]:
    async with hall_room(tmp_path / "hall") as found:
        await found.sign_in(w1="c001", w2="c002")
        yield found


# --- a number ---------------------------------------------------------------------------------------------------------


async def test_a_number_says_where_to_go_and_who_is_ahead(room: HallRoom) -> None:
    await room.numbers(2, PENSION)
    issued = await room.issue(RETIRED)

    assert (issued.number, issued.waiting_ahead, issued.repeated) == ("H003", 2, False)
    assert (issued.item.code, issued.zone.code, issued.windows) == (RETIRED, "D", ("1", "2"))


async def test_an_issued_ticket_waits_and_its_event_has_what_the_contract_asks(room: HallRoom) -> None:
    issued = await room.issue(PENSION, priority=Priority.ELDER)
    row, event = await room.row("VH001"), (await room.log("ticket.issued"))[-1]

    assert (row.state, row.slip, row.queue, row.serial, row.item) == ("waiting", "pending", "H", 1, PENSION)
    assert event["subject"] == f"ticket/{issued.ticket_id}"
    assert event["bizdate"] == "2026-01-05"
    assert event["data"] == {
        "ticket_id": issued.ticket_id, "display_no": "VH001", "queue_code": "H", "serial": 1, "channel": "kiosk",
        "priority": "elder", "identity_mode": "none", "item_codes": [PENSION], "zone_code": "D", "waiting_ahead": 0,
        "device_id": "PRN-01", "printed_required": True, "est_wait_s": 0,
    }  # fmt: skip


async def test_each_queue_counts_for_itself(room: HallRoom) -> None:
    assert await room.numbers(2) == ["A001", "A002"]
    assert await room.numbers(2, PENSION) == ["H001", "H002"]
    assert (await room.issue("queue:D")).number == "D001"
    assert (await room.last("ticket.issued"))["item_codes"] == []


async def test_the_same_order_twice_is_one_ticket(room: HallRoom) -> None:
    first = await room.issue(request_id="one and the same", phone="13900000000")
    await room.issue(PENSION)
    again = await room.issue(request_id="one and the same", phone="13900000000")

    assert (again.number, again.ticket_id, again.repeated) == (first.number, first.ticket_id, True)
    assert len(await room.log("ticket.issued")) == 2
    assert (await room.issue()).number == "A002"


async def test_without_paper_the_slip_is_nobodys_business(room: HallRoom) -> None:
    await room.issue(printed_required=False, channel=Channel.COUNTER, kiosk="")

    assert (await room.find("A001")).slip is SlipState.NONE


@pytest.mark.parametrize(
    ("item", "refusal", "code"),
    [
        ("no such item", NotFound, "not_found"),
        ("queue:Z", NotFound, "not_found"),
        (PAUSED, ItemSuspended, "item_suspended"),
        (LONELY, NoWindow, "no_window"),
    ],
)
async def test_what_cannot_be_taken_is_refused(room: HallRoom, item: str, refusal: type[HallError], code: str) -> None:
    with pytest.raises(refusal) as caught:
        await room.issue(item)

    assert caught.value.code == code
    assert not await room.log("ticket.issued")


async def test_a_closed_hall_gives_no_number(room: HallRoom) -> None:
    await service_day.close(room.hall)

    with pytest.raises(HallClosed):
        await room.issue()


async def test_after_999_come_four_digits_and_after_9999_nothing(room: HallRoom) -> None:
    async def count_to(last: int) -> None:
        await room.store.write(lambda tx: tx.session.merge(CounterRow(bizdate=tx.bizdate, series="A", last=last)))

    await count_to(998)
    assert [(await room.issue()).number for _ in range(2)] == ["A999", "A1000"]
    await count_to(9998)
    assert (await room.issue()).number == "A9999"
    for _ in range(2):
        with pytest.raises(NoMoreNumbers):
            await room.issue()
    assert (await room.issue(PENSION)).number == "H001"
    assert (await room.find("A9999")).waiting_ahead == 2


async def test_one_person_has_one_valid_number_in_a_queue(room: HallRoom) -> None:
    await room.numbers(2, PENSION)
    first = await room.issue(PENSION, card=card())
    for twin in ({"card": card()}, {"card": card(name="别名")}, {"typed_id": "990000199909090053"}):
        with pytest.raises(AlreadyWaiting) as caught:
            await room.issue(RETIRED, **twin)
        assert caught.value.facts == {"number": first.number, "ahead": 2}
    assert (await room.issue(PENSION, card=card(number="99000019900909004X"))).number == "H004"
    assert (await room.issue(START_UP, card=card())).number == "A001"


async def test_without_a_document_the_phone_tells_who_it_is(room: HallRoom) -> None:
    await room.issue(phone="13900000000")
    await room.issue(PENSION, card=card(), phone="13900000000")

    with pytest.raises(AlreadyWaiting, match="A001"):
        await room.issue(phone="13900000000")
    # One telephone in a family: the card decides.
    assert (await room.issue(card=card(), phone="13900000000")).number == "A002"
    assert (await room.issue(phone="13900000001")).number == "A003"


async def test_who_is_called_still_has_a_valid_number_and_who_has_left_takes_another(room: HallRoom) -> None:
    await room.issue(card=card())
    await room.call()
    with pytest.raises(AlreadyWaiting) as caught:
        await room.issue(card=card())
    await room.serve("1", "A001")
    await room.hall.finish("1", "A001", Outcome.COMPLETED)

    assert caught.value.facts == {"number": "A001", "ahead": 0}
    assert (await room.issue(card=card())).number == "A002"


async def test_without_a_key_nobody_is_recognised_and_nothing_is_sealed(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall", environment={}) as room:
        await room.issue(card=card(), phone="13900000000")
        await room.issue(card=card(), phone="13900000000")
        data = await room.last("ticket.issued")

    assert "pii" not in data
    assert "id_hmac" not in data
    assert (data["name_masked"], data["id_masked"], data["phone_masked"]) == ("张*试", "*" * 14 + "0053", "139****0000")


async def test_a_card_of_which_only_the_chip_is_known_gives_a_number_without_a_name(room: HallRoom) -> None:
    await room.issue(card=IdCard(kind=CardKind.SERIAL_ONLY, serial="0102030405060708"))
    data = await room.last("ticket.issued")

    assert data["identity_mode"] == "id_card"
    assert not {"id_type", "name_masked", "id_masked", "id_hmac", "pii"} & data.keys()


async def test_a_doubtful_card_gives_a_number_like_any_other(room: HallRoom) -> None:
    doubtful = IdCard(
        kind=CardKind.CITIZEN, id_type="111", id_no="990000199909090059", name="张测试",
        doubts=frozenset({CardDoubt.CHECK_DIGIT, CardDoubt.EXPIRED}),
    )  # fmt: skip

    assert (await room.issue(card=doubtful)).number == "A001"


# --- the slip ---------------------------------------------------------------------------------------------------------


async def test_what_the_printer_proved_is_told_and_counted(room: HallRoom) -> None:
    issued = await room.issue()
    for result, reason, slip in (
        (PrintResult.FAILED, PrintReason.PAPER_OUT, SlipState.FAILED),
        (PrintResult.UNKNOWN, PrintReason.TIMEOUT, SlipState.UNKNOWN),
        (PrintResult.OK, None, SlipState.PRINTED),
        (PrintResult.FAILED, PrintReason.JAM, SlipState.PRINTED),
    ):
        await room.hall.record_print(issued.ticket_id, "PRN-01", result, reason, "kiosk/k1")
        assert (await room.find("A001")).slip is slip

    events = [event["data"] for event in await room.log("ticket.printed")]
    assert [(e["print_no"], e["result"], e.get("reason_code")) for e in events] == [
        (1, "failed", "paper_out"), (2, "unknown", "timeout"), (3, "ok", None), (4, "failed", "jam"),
    ]  # fmt: skip
    with pytest.raises(NotFound):
        await room.hall.record_print("no such ticket", "PRN-01", PrintResult.OK)


async def test_a_kiosk_is_told_its_numbers_without_a_slip_oldest_first(room: HallRoom) -> None:
    first, second, third = [await room.issue() for _ in range(3)]
    await room.issue(kiosk="k2")
    await room.hall.record_print(second.ticket_id, "PRN-01", PrintResult.OK)
    await room.hall.record_print(third.ticket_id, "PRN-01", PrintResult.UNKNOWN)

    assert [t.number for t in await room.hall.unprinted("k1")] == [first.number, third.number]
    await room.call()
    assert [(t.number, t.waiting_ahead) for t in await room.hall.unprinted("k1")] == [("A003", 1)]
    room.clock.pass_ms(11 * 60 * 1000)
    assert await room.hall.unprinted("k1") == []
