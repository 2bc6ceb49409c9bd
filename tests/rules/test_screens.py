"""What a clerk is told beside the tickets: visits that nobody ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from hall_daemon.hall_sessions import leave_window
from hall_daemon.screens import UNFINISHED_MIN, left_open
from hall_daemon.words import Outcome
from tests.rules.hall_room import PENSION, hall_room, write_hall

MINUTE_MS = 60_000


@pytest.mark.fault("E10")
async def test_a_visit_at_a_window_without_a_clerk_is_told_to_those_who_serve_its_queue(tmp_path: Path) -> None:
    """The clerk's PC died and the session ended; the ticket stays in serving until a person ends it."""
    folder = write_hall(tmp_path / "hall")
    async with hall_room(folder) as room:
        await room.sign_in(w1="c001", w2="c002")
        await room.issue(PENSION)
        number = await room.call_and_serve("2")
        windows = room.config.profile.windows
        mine, theirs = windows["2"], next(w for w in windows.values() if w.code != "2" and "H" in w.queues)

        async def told() -> list[str]:
            snapshot = await room.hall.snapshot()
            return [said.zh for said in left_open(snapshot, theirs, room.clock.now_ms())]

        room.clock.pass_ms((UNFINISHED_MIN + 1) * MINUTE_MS)
        assert await told() == []  # somebody is signed in there
        await room.store.write(lambda tx: leave_window(tx, "2", "nobody at the screen"))
        assert await told() == [f"2 号窗口 {number} 未结，已超过 30 分钟，请到该窗口上岗后办结。"]
        assert left_open(await room.hall.snapshot(), mine, room.clock.now_ms()) == []  # it says so of itself
        await room.hall.sign_in("2", "c002")
        await room.hall.finish("2", number, Outcome.COMPLETED)
        assert await told() == []
