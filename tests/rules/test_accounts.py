"""Accounts: PINs, lock-out, sessions that belong to a window, roles, what of it becomes an event."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hall_daemon import access
from hall_daemon.access import Role
from hall_daemon.accounts import (
    AccountExists,
    AccountLocked,
    Accounts,
    AccountShut,
    NoPin,
    NotYourRole,
    PinRefused,
    SessionOver,
    WrongPin,
)  # fmt: skip
from hall_daemon.protocol_clerks import NewAccount
from hall_daemon.tickets import NotFound, WindowTaken
from tests.rules.hall_room import PENSION, PLACES, START_UP, HallRoom, hall_room, write_hall

PIN, OTHER_PIN = "135790", "864213"
MINUTE_MS = 60_000


class Staff:
    """A hall whose clerks have PINs."""

    def __init__(self, room: HallRoom) -> None:
        self.room = room
        self.accounts = Accounts(room.hall)

    async def enter(self, window: str = "1", clerk: str = "c001", pin: str = PIN, *, take_over: bool = False) -> str:
        """Sign in; the session."""
        return (await self.accounts.sign_in(window, clerk, pin, take_over=take_over)).session

    async def sessions(self) -> dict[str, str]:
        return (await self.room.hall.snapshot()).sessions

    async def acted(self) -> list[tuple[str, str, str]]:
        return [(e["data"]["action"], e["data"]["actor_id"], e["data"]["result"]) for e in await self.room.log("acted")]


@pytest.fixture
async def staff(tmp_path: Path) -> AsyncIterator[Staff]:
    write_hall(tmp_path, PLACES.replace('name = "样例一"', f'name = "样例一"\npin_hash = "{access.hash_pin(PIN)}"'))
    async with hall_room(tmp_path) as room:
        made = Staff(room)
        await made.accounts.take_up()
        await made.accounts.set_pin("c002", OTHER_PIN, "technician")
        yield made


async def test_clerk_signs_in_by_number_and_pin(staff: Staff) -> None:
    session = await staff.enter()
    await staff.accounts.check("1", session, "next")
    assert await staff.sessions() == {"1": "c001"}
    assert staff.room.hall.staff["c001"].role is Role.CLERK


async def test_account_of_the_configuration_without_a_pin_cannot_sign_in_until_it_has_one(staff: Staff) -> None:
    with pytest.raises(NoPin):
        await staff.enter(clerk="c003", pin="")
    await staff.accounts.set_pin("c003", "975310", "technician")
    await staff.enter(clerk="c003", pin="975310")


async def test_pin_changed_here_is_not_undone_by_the_configuration(staff: Staff) -> None:
    await staff.accounts.set_pin("c001", "908172", "m001")
    again = Accounts(staff.room.hall)
    await again.take_up()
    with pytest.raises(WrongPin):
        await again.sign_in("1", "c001", PIN)
    await again.sign_in("1", "c001", "908172")


@pytest.mark.fault("F07")
async def test_five_wrong_pins_lock_for_a_quarter_of_an_hour(staff: Staff) -> None:
    for left in (4, 3, 2, 1):
        with pytest.raises(WrongPin) as wrong:
            await staff.enter(pin="000111")
        assert wrong.value.facts == {"left": left}
    with pytest.raises(AccountLocked):
        await staff.enter(pin="000111")
    staff.room.clock.pass_ms(9 * MINUTE_MS)
    with pytest.raises(AccountLocked) as locked:
        await staff.enter()
    assert locked.value.facts == {"minutes": 6}
    assert "6 分钟后再试" in locked.value.sentence.zh
    staff.room.clock.pass_ms(6 * MINUTE_MS)
    await staff.enter()
    refused = [result for action, _, result in await staff.acted() if action == "sign_in_refused"]
    assert refused == ["wrong_pin"] * 5 + ["locked"]


async def test_right_pin_clears_the_count_and_a_clock_set_back_locks_nobody_for_ever(staff: Staff) -> None:
    for _ in range(4):
        with pytest.raises(WrongPin):
            await staff.enter(pin="000111")
    await staff.enter()
    for _ in range(4):
        with pytest.raises(WrongPin):
            await staff.enter(pin="000111")
    with pytest.raises(AccountLocked):
        await staff.enter(pin="000111")
    staff.room.clock.step_ms(-24 * 60 * MINUTE_MS)
    await staff.enter()


async def test_unknown_number_is_refused_like_a_wrong_pin_and_leaves_no_trace_of_itself(
    staff: Staff, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(WrongPin):
        await staff.enter(clerk="246810", pin=PIN)
    assert "246810" not in caplog.text + str(await staff.room.log())


async def test_session_opens_the_verbs_of_its_own_window_and_screen_only(staff: Staff) -> None:
    mine = await staff.enter()
    theirs = await staff.enter("2", "c002", OTHER_PIN)
    for wrong in ("", theirs, mine + "x"):
        with pytest.raises(SessionOver):
            await staff.accounts.check("1", wrong, "next")
    await staff.accounts.check("2", theirs, "next")
    newer = await staff.enter()
    with pytest.raises(SessionOver):
        await staff.accounts.check("1", mine, "next")
    await staff.accounts.check("1", newer, "next")


async def test_session_outlives_a_restart_of_the_daemon(staff: Staff) -> None:
    session = await staff.enter()
    again = Accounts(staff.room.hall)
    await again.take_up()
    await again.check("1", session, "next")


async def test_nothing_that_opens_a_session_stands_in_the_database_or_the_log(staff: Staff) -> None:
    session = await staff.enter()
    files = b"".join(f.read_bytes() for f in (staff.room.folder / "var").iterdir())
    assert session.encode() not in files
    assert PIN.encode() not in files


@pytest.mark.fault("F07")
async def test_screen_left_alone_for_a_quarter_of_an_hour_is_signed_out_and_its_ticket_stays(staff: Staff) -> None:
    await staff.room.issue()
    session = await staff.enter()
    number = await staff.room.call_and_serve()
    staff.room.clock.pass_ms(14 * MINUTE_MS)
    await staff.accounts.check("1", session, "here")
    staff.room.clock.pass_ms(14 * MINUTE_MS)
    await staff.accounts.end_idle()
    assert await staff.sessions() == {"1": "c001"}
    staff.room.clock.pass_ms(MINUTE_MS)
    await staff.accounts.end_idle()
    assert await staff.sessions() == {}
    assert (await staff.room.find(number)).window == "1"
    await staff.enter()
    current = (await staff.room.hall.snapshot()).at_window("1")
    assert current is not None
    assert current.number == number


async def test_window_that_a_caller_signed_in_to_is_not_idle(staff: Staff) -> None:
    await staff.room.sign_in(w1="c001")
    staff.room.clock.pass_ms(60 * MINUTE_MS)
    await staff.accounts.end_idle()
    assert await staff.sessions() == {"1": "c001"}


@pytest.mark.fault("F07")
async def test_locking_an_account_ends_its_session_at_once(staff: Staff) -> None:
    session = await staff.enter()
    await staff.accounts.lock("c001", "m001")
    assert await staff.sessions() == {}
    with pytest.raises(AccountShut):
        await staff.enter()
    with pytest.raises(NotFound):
        await staff.room.sign_in(w1="c001")
    await staff.accounts.unlock("c001", "m001")
    await staff.enter()
    with pytest.raises(SessionOver):
        await staff.accounts.check("1", session, "next")
    assert ("account_lock", "m001", "done") in await staff.acted()


async def test_window_is_taken_over_only_on_purpose_and_both_are_on_record(staff: Staff) -> None:
    await staff.enter()
    with pytest.raises(WindowTaken):
        await staff.enter("1", "c002", OTHER_PIN)
    await staff.enter("1", "c002", OTHER_PIN, take_over=True)
    assert await staff.sessions() == {"1": "c002"}
    assert (await staff.acted())[-2:] == [("sign_out", "c001", "done"), ("sign_in", "c002", "done")]


async def test_guide_desk_takes_no_window_and_only_a_chief_puts_first(staff: Staff) -> None:
    await staff.accounts.add(NewAccount(number="g1", name="导办", role="guide", pin="975310"), "m001")
    with pytest.raises(NotYourRole):
        await staff.enter("1", "g1", "975310")
    session = await staff.enter()
    with pytest.raises(NotYourRole):
        await staff.accounts.check("1", session, "pin")
    await staff.accounts.add(NewAccount(number="r1", name="首席", role="chief", pin="975310"), "m001")
    chief = await staff.enter("2", "r1", "975310")
    await staff.accounts.check("2", chief, "pin")


async def test_person_without_a_window_has_a_session_that_ends_when_left_alone(staff: Staff) -> None:
    await staff.accounts.add(NewAccount(number="m1", name="值班长", role="manager", pin="975310"), "technician")
    session = (await staff.accounts.sign_in_person("m1", "975310")).session
    found = staff.accounts.person(session)
    assert found is not None
    assert found.role is Role.MANAGER
    staff.room.clock.pass_ms(15 * MINUTE_MS)
    assert staff.accounts.person(session) is None


@pytest.mark.parametrize("pin", ["12345", "1234567890123", "12345a", "111111", "123456", "987654", ""])
async def test_pin_that_is_easy_to_guess_is_refused(staff: Staff, pin: str) -> None:
    with pytest.raises(PinRefused):
        await staff.accounts.set_pin("c001", pin, "technician")
    await staff.enter()


async def test_number_of_an_account_is_given_once(staff: Staff) -> None:
    with pytest.raises(AccountExists):
        await staff.accounts.add(NewAccount(number="c001", name="某某"), "technician")


async def test_accounts_are_listed_with_their_state_and_without_their_pins(staff: Staff) -> None:
    await staff.enter("2", "c002", OTHER_PIN)
    views = {v.number: v for v in await staff.accounts.views()}
    assert (views["c002"].window, views["c002"].has_pin, views["c003"].has_pin) == ("2", True, False)
    assert "argon2" not in str(views)


async def test_skills_are_those_of_the_account_whatever_the_configuration_says_later(staff: Staff) -> None:
    room, accounts = staff.room, staff.accounts
    await room.issue(PENSION)
    room.clock.pass_ms(1000)
    await room.issue(START_UP)
    await accounts.set_skills("c001", ["A"], "m901")
    await staff.enter()
    assert await room.call_and_serve("1") == "A001"
    with pytest.raises(NotFound):
        await accounts.set_skills("c001", ["A", "Z"], "m901")
    await Accounts(room.hall).take_up()
    assert room.hall.staff["c001"].skills == {"A"}
    await accounts.set_skills("c001", [], "m901")
    assert (await room.hall.call_next("1", "A001"))[1] == "H001"

    assert [a for a, _, _ in await staff.acted()].count("account_skills") == 2
    assert (await room.last("acted"))["reason_text"] == "all"


async def test_accounts_are_made_with_the_skills_of_the_configuration(tmp_path: Path) -> None:
    write_hall(tmp_path, PLACES.replace('name = "样例二"', f'name = "样例二"\nskills = ["H", "{START_UP}"]'))
    async with hall_room(tmp_path) as room:
        accounts = Accounts(room.hall)
        await accounts.take_up()

        assert {a.number: a.skills for a in await accounts.views()} == {
            "c001": (), "c002": ("H", START_UP), "c003": (),
        }  # fmt: skip
