"""What is handed in at a window reaches the province as its contract says, and its twin makes of it the same cases."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hall_daemon.profile import Item, Material
from hall_daemon.protocol import Text
from hall_daemon.protocol_cases import HandIn, ReturnCase, Supplement, TakenPaper
from hall_daemon.province_codes import Dialect, case_kind_code, satisfaction_code
from hall_daemon.store import Tx
from hall_daemon.tickets import IssueOrder
from hall_daemon.words import Channel, Outcome
from sim.province import ProvinceTwin
from tests.province.event_examples import CASE, EXAMPLES, ITEM, TICKET
from tests.province.reporting_hall import PROFILE, ReportingHall, same_on_both_sides

ROOT = Path(__file__).parents[2]
JOINT = ITEM.replace("001000", "006000")
PAPERS = (
    Material(code="M01", name="居民身份证", need="required"),
    Material(code="M05", name="申请表", need="required"),
)


def item(code: str, kind: str, days: int) -> Item:
    name = Text(zh="企业设立登记")
    return Item(
        code=code, name=name, short=name, zone="A", dept="", queue="A", kind=kind, promise_days=days, materials=PAPERS
    )


async def served(hall: ReportingHall, code: str) -> str:
    issued = await hall.hall.issue(
        IssueOrder(item=code, request_id=hall.clock.new_id(), channel=Channel.KIOSK, device_id="PRN-01", kiosk="k1")
    )
    await hall.hall.call_next("1", None)
    await hall.hall.serve("1", issued.number, identity_rechecked=True)
    return issued.number


def taken(*codes: str) -> tuple[TakenPaper, ...]:
    return tuple(TakenPaper(code=code) for code in codes)


async def test_cases_reach_the_province_and_are_the_same_there(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as reporting:
        hall = reporting.hall
        items = {code: item(code, kind, 3) for code, kind in ((ITEM, "promised"), (JOINT, "joint"))}
        hall.profile = replace(PROFILE, items={**PROFILE.items, **items})
        await hall.sign_in("1", "c1")
        number = await served(reporting, ITEM)
        told = await hall.notify_case("1", HandIn(seen=number, papers=taken("M01")))
        returned = await hall.return_case(
            "1", ReturnCase(seen=number, item=JOINT, reason="not_in_scope", reason_text="不属于本厅受理范围")
        )
        await hall.finish("1", number, Outcome.SUPPLEMENT)
        back = await served(reporting, ITEM)
        done = await hall.supplement_case("1", Supplement(seen=back, notice_no=told.notice_no, papers=taken("M05")))
        await hall.finish("1", back, Outcome.RECEIVED)
        await reporting.all_acknowledged()
        ledger = await same_on_both_sides(reporting)

    assert ledger.warnings == ()
    assert [(c.local_case_no, c.state, c.kind) for c in ledger.cases] == [
        (told.local_case_no, "accepted", 2),
        (returned.local_case_no, "returned", 9),
    ]
    assert ledger.cases[0].notices == (told.notice_no, done.notice_no)


# --- the twin's own judgement -----------------------------------------------------------------------------------------


async def odd_steps(reporting: ReportingHall, case_no: str, *events: tuple[str, dict[str, Any]]) -> set[str]:
    """What the twin says of events of one case, as details of its warnings."""
    for kind, changes in events:
        data = {**EXAMPLES[kind], **changes, "local_case_no": case_no}
        data.pop("pii", None)

        def emit(tx: Tx, kind: str = kind, data: dict[str, Any] = data) -> None:
            tx._append(f"hall.{kind}.v1", f"case/{case_no}", data, None)

        await reporting.store.write(emit)
    await reporting.all_acknowledged()
    ledger = await same_on_both_sides(reporting)
    mine = {event.id for event in ledger.events if event.subject == f"case/{case_no}"}
    return {warning.detail for warning in ledger.warnings if warning.event_id in mine}


ACCEPT = ("case.notice", {"notice_kind": "accept", "missing": [], "notice_no": "1-0105-0001"})
TELL = ("case.notice", {"notice_kind": "supplement", "notice_no": "1-0105-0002"})
COME = ("case.supplemented", {"notice_no": "1-0105-0002"})
BEGIN = ("case.received", {"ticket_id": TICKET})
GIVE_BACK = ("case.returned", {})


ODD = {
    "notice of a case that was never received here": (TELL,),
    "received under a ticket that was never issued here": (BEGIN,),
    "this case was received already": (BEGIN, BEGIN),
    "supplemented in answer to a notice that was never given": (BEGIN, COME),
    "supplemented from accepted": (BEGIN, TELL, ACCEPT, COME),
    "this number was another notice of the case already": (BEGIN, ACCEPT, ACCEPT),
    "notice of a case that was returned": (BEGIN, GIVE_BACK, TELL),
    "a notice of what is missing names something, and no other does": (BEGIN, (TELL[0], {**TELL[1], "missing": []})),
}


async def test_the_province_stores_an_odd_order_and_flags_it(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as reporting:
        for place, (odd, events) in enumerate(ODD.items()):
            assert odd in await odd_steps(reporting, f"{CASE[:-2]}{place:02d}", *events)
        assert len((await same_on_both_sides(reporting)).cases) == len(ODD) - 1


# --- two lists that others number the other way round -----------------------------------------------------------------


def test_kinds_of_case_are_numbered_as_the_receiver_has_them() -> None:
    assert [case_kind_code(k) for k in ("immediate", "promised", "joint", "reported")] == [1, 2, 9, 9]
    turned = [case_kind_code(k, Dialect.TURNED) for k in ("immediate", "promised", "joint", "reported")]
    assert turned == [2, 1, 9, 9]


def test_the_best_satisfaction_is_one_outside_and_five_here() -> None:
    assert [satisfaction_code(level) for level in (5, 4, 3, 2, 1)] == [1, 2, 3, 4, 5]
    for wrong in (0, 6):
        with pytest.raises(ValueError, match="no level"):
            satisfaction_code(wrong)


def test_no_other_room_turns_these_lists() -> None:
    """A number for a kind of case, or a level taken from six, stands in the adapter and nowhere else."""
    found = []
    for file in sorted((ROOT / "hall_daemon").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Dict):
                kinds = {k.value: v for k, v in zip(node.keys, node.values, strict=True) if isinstance(k, ast.Constant)}
                numbered = [v for k, v in kinds.items() if k in ("immediate", "promised")]
                if any(isinstance(v, ast.Constant) and isinstance(v.value, int) for v in numbered):
                    found.append(file.name)
            turned = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and "level" in ast.unparse(node.right)
            if turned and ast.unparse(node.left) in ("6", "BEST + 1"):
                found.append(file.name)
    assert set(found) == {"province_codes.py"}
