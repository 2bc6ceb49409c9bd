"""Handing in through the whole daemon: a notice on paper in two copies, the way back by its number, the acceptance."""

from __future__ import annotations

from typing import Any

import pytest

from hall_daemon.texts import text
from sim.printer_paper import PrintedSlip
from tests.journeys.conftest import Hall
from tests.waiting import until

pytestmark = pytest.mark.timeout(240)

PENSION = "11990000990000260P4990526004000"


def serve_somebody(hall: Hall, clerk: Any) -> str:
    """A number for a pension, called and served."""
    answer = hall.post("/tickets", item=PENSION, request_id=f"test-case-{len(hall.numbers)}")
    number: str = answer.json()["number"]
    hall.numbers.append(number)
    assert clerk.say("next", seen=None).json()["number"] == number
    assert clerk.say("serve", seen=number, identity_rechecked=True).status_code == 200
    return number


def papers_of(hall: Hall, notice_no: str) -> list[PrintedSlip]:
    """Pieces of paper of the kiosk's printer on which this notice stands."""
    return [slip for slip in hall["PRN-01"].whole_slips if any(notice_no in line for line in slip.lines)]


def test_a_notice_on_paper_leads_back_and_ends_in_an_acceptance(hall: Hall) -> None:
    clerk = hall.clerk("2", "c002")
    until(lambda: hall.online("PRN-01"), what="the printer")
    number = serve_somebody(hall, clerk)
    [fresh] = hall.get("/windows/2/cases")["cases"]
    wanted = [line["code"] for line in fresh["lines"] if line["need"] == "required"]
    papers = [{"code": wanted[0]}]
    before = hall.events("case.")
    preview = clerk.say("cases/preview", seen=number, papers=papers, paper="notice").json()
    assert hall.events("case.") == before
    told = clerk.say("cases/notice", seen=number, papers=papers).json()
    printed = clerk.say("cases/print", notice_no=told["notice_no"]).json()
    assert (printed["result"], printed["device"]) == ("ok", "PRN-01")

    copies = papers_of(hall, told["notice_no"])
    assert len(copies) == 2
    said = ["".join(copy.lines) for copy in copies]
    on_paper = "".join(said[0].split())
    shown = ["".join(line["text"].split()) for line in preview["lines"]]
    unlike = [words for words in shown if words.strip("-") and words not in on_paper]
    # The number and its code are given with the step.
    assert unlike == [f"No.{text('slip.number_at_print').zh}", "[二维码]"]
    assert text("slip.notice.first_copy").zh.replace("　", "") in said[0].replace("　", "")
    assert text("slip.notice.second_copy").zh.replace("　", "") in said[1].replace("　", "")
    assert "一次性告知单" in said[0]
    assert f"还需要补 {len(wanted) - 1} 项" in said[0]
    assert clerk.say("finish", seen=number, outcome="supplement").status_code == 200
    assert hall.events("ticket.finished")[-1]["local_case_nos"] == [told["local_case_no"]]

    back = serve_somebody(hall, clerk)
    rest = [{"code": code} for code in wanted[1:]]
    done = clerk.say("cases/supplement", seen=back, notice_no=told["notice_no"], papers=rest).json()
    assert done["state"] == "accepted"
    assert done["due"] > ""
    assert clerk.say("cases/print", notice_no=done["notice_no"]).json()["result"] == "ok"
    [acceptance] = papers_of(hall, done["notice_no"])
    assert any("受理通知书" in line for line in acceptance.lines)
    assert clerk.say("finish", seen=back, outcome="received").status_code == 200
    assert hall.replays()

    third = serve_somebody(hall, clerk)
    got = clerk.say("cases/receive", seen=third, papers=[{"code": wanted[0]}]).json()
    assert (got["state"], got["notice_no"]) == ("received", "")
    assert clerk.say("cases/print", local_case_no=got["local_case_no"]).json()["result"] == "ok"
    words = "".join(hall["PRN-01"].whole_slips[-1].lines)
    assert "收件凭证" in words
    assert "已经收到 1 项" in words
    assert got["local_case_no"] in words.replace(" ", "")
    assert clerk.say("finish", seen=third, outcome="received").status_code == 200


def test_a_notice_stands_without_paper_and_is_printed_later(hall: Hall) -> None:
    clerk = hall.clerk("2", "c002")
    number = serve_somebody(hall, clerk)
    told = clerk.say("cases/notice", seen=number).json()
    hall["PRN-01"].run_out_of_paper()

    def nothing_prints() -> bool:
        answer = clerk.say("cases/print", notice_no=told["notice_no"])
        return answer.status_code == 409 and answer.json()["code"] == "no_paper"

    until(nothing_prints, what="the daemon to know that the paper is out")
    assert papers_of(hall, told["notice_no"]) == []
    hall["PRN-01"].refill()
    until(
        lambda: clerk.say("cases/print", notice_no=told["notice_no"], again=True).json().get("result") == "ok",
        what="the printer to be back",
    )
    assert all(any("补打" in line for line in slip.lines) for slip in papers_of(hall, told["notice_no"]))
    assert hall.events("operator.acted")[-1]["action"] == "case_paper_printed"
    assert clerk.say("finish", seen=number, outcome="supplement").status_code == 200
