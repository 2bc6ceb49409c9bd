"""Faults of the scanner (faults.md A21 to A24). The resident sees none of them: the papers lie on the counter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hall_daemon.protocol import ScanPageView
from kiosk_ui.counter_view import page_marks
from sim import papers
from sim.visits import Clerk
from tests.journeys.conftest import Hall
from tests.journeys.fault_hall import Operator

pytestmark = pytest.mark.timeout(120)


class Counter:
    """A clerk who serves somebody and scans."""

    def __init__(self, hall: Hall) -> None:
        self.hall, self.scanner = hall, hall["SCN-01"]
        self.clerk: Clerk = hall.clerk("1", "c001")
        self.number = hall.issue()
        self.clerk.say("next", seen=None)
        self.clerk.say("serve", seen=self.number)

    def scan(self, source: str = "feeder", **more: object) -> dict[str, Any]:
        """Scan, and what the screen says when it is over."""
        before = (self.clerk.view.view.get("scan") or {}).get("pages")
        answer = self.clerk.say("scans", ticket=self.number, source=source, color=False, **more)
        assert answer.status_code == 200, answer.text
        job = answer.json()["job"]
        view = self.clerk.view.until(
            lambda v: v["scan"] and v["scan"]["job"] == job and v["scan"]["state"] != "scanning"
            and (not more.get("resume") or v["scan"]["pages"] != before),
            60, "the scan is over",
        )  # fmt: skip
        found: dict[str, Any] = view["scan"]
        return found

    def file(self, scan: dict[str, Any], **more: object) -> None:
        """File all pages."""
        pages = [page["no"] for page in scan["pages"]]
        answer = self.clerk.say(f"scans/{scan['job']}/file", material_code="M05", pages=pages, **more)
        assert answer.status_code == 200, answer.text


def sheets(count: int, first: int = 1) -> list[papers.Paper]:
    """Different pages."""
    return [papers.Paper(seed=100 + n, content=papers.Content.LETTER) for n in range(first, first + count)]


def numbers(scan: dict[str, Any]) -> list[int]:
    return [page["no"] for page in scan["pages"]]


@pytest.mark.fault("A21")
def test_a_jam_and_a_double_feed_name_the_page_and_keep_those_before(faulty: Hall) -> None:
    counter = Counter(faulty)
    counter.scanner.load_feeder(sheets(4))
    counter.scanner.jam_after(2)
    scan = counter.scan()
    assert (scan["state"], numbers(scan)) == ("failed", [1, 2])
    assert scan["problem"]["zh"] == "扫描仪卡纸，请取出后从第 3 页继续。"
    Operator(faulty).sees("SCN-01", "bad", "进纸器卡纸")

    counter.scanner.recover()
    counter.scanner.load_feeder(sheets(2, first=3))
    counter.scanner.double_feed_after(1, shown=True)
    scan = counter.scan(resume=True)
    assert (scan["state"], numbers(scan)) == ("failed", [1, 2, 3])
    assert scan["problem"]["zh"] == "第 4 页双张，请把第 4 页起的原件重放，按 F7 接着扫。"

    counter.scanner.recover()
    counter.scanner.load_feeder(sheets(1, first=4))
    scan = counter.scan(resume=True)
    assert (scan["state"], numbers(scan)) == ("done", [1, 2, 3, 4])
    counter.file(scan)
    [filed] = faulty.events("material.scanned")
    assert len({page["blob"]["blob"] for page in filed["pages"]}) == 4


@pytest.mark.fault("A22")
def test_a_scanner_that_never_answers_is_begun_anew_and_goes_on(start_faulty: Callable[..., Hall]) -> None:
    hall = start_faulty(hurried=True)
    counter, operator = Counter(hall), Operator(hall)
    counter.scanner.load_feeder(sheets(3))
    counter.scanner.go_mute_after(pages=1)
    scan = counter.scan()
    assert (scan["state"], numbers(scan)) == ("failed", [1])
    assert scan["problem"]["zh"] == "扫描仪没有反应，已重启扫描，请从第 2 页接着扫。"
    counter.scanner.recover()
    operator.sees("SCN-01", "ok", "正常", 40)
    scan = counter.scan(resume=True)
    assert (scan["state"], numbers(scan)) == ("done", [1, 2, 3])
    assert operator.detail("SCN-01")["counters"]["failures"] >= 1


@pytest.mark.fault("A23")
def test_an_error_where_the_feeder_ends_asks_the_clerk_to_count(faulty: Hall) -> None:
    counter = Counter(faulty)
    counter.scanner.load_feeder(sheets(6))
    counter.scanner.fail_at_the_end()
    scan = counter.scan()
    assert (scan["state"], len(scan["pages"])) == ("done", 6)
    assert scan["problem"]["zh"] == "共 6 页，对吗？请数一数原件；少了就按 F7 接着扫。"
    counter.file(scan)
    [filed] = faulty.events("material.scanned")
    assert len(filed["pages"]) == 6


@pytest.mark.fault("A24")
def test_bad_pages_are_marked_and_kept_until_the_clerk_replaces_them(faulty: Hall) -> None:
    counter = Counter(faulty)
    good = papers.Paper(seed=5, content=papers.Content.LETTER, noise=1)
    blurred = papers.Paper(seed=5, content=papers.Content.LETTER, noise=1, blur_mm=0.4)
    cut = papers.Paper(seed=7, content=papers.Content.FORM, x_mm=-30, skew_deg=3, bed=papers.Bed.BLACK)
    counter.scanner.load_feeder([good, blurred, cut])
    scan = counter.scan()
    assert [(p["blurred"], p["edges_ok"], p["blank"]) for p in scan["pages"]] == [
        (False, True, False), (True, True, False), (False, False, False),
    ]  # fmt: skip
    words = [page_marks(ScanPageView.model_validate(page))[1] for page in scan["pages"]]
    assert "模糊" not in words[0]
    assert "缺角" not in words[0]
    assert "模糊" in words[1], words
    assert "缺角" in words[2], words
    counter.file(scan)
    [first] = faulty.events("material.scanned")
    assert first["quality"]["edges_ok"] is False
    assert first["quality"]["blur"] == max(page["blur"] for page in scan["pages"])

    counter.scanner.load_feeder([(good, papers.Paper(seed=9, content=papers.Content.BLANK))])
    scan = counter.scan(duplex=True)
    assert [(p["blank"], p["back"]) for p in scan["pages"]] == [(False, False), (True, True)], "listed, not thrown away"
    assert "空白" in page_marks(ScanPageView.model_validate(scan["pages"][1]))[1]
    counter.file(scan, replace=True)
    [replaced] = faulty.events("material.replaced")
    assert replaced["replaces"] == first["material_id"]
