"""Figures of a day, and the tables that leave the hall: nothing personal, no formula, no character lost."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from hall_daemon import exports, figures
from hall_daemon.figures import TicketFacts
from hall_daemon.protocol import Text
from hall_daemon.words import Outcome, TicketState

NINE = 1_772_413_200_000
MINUTE = 60_000


def ticket(no: int, came_min: int, **more: Any) -> TicketFacts:
    facts: dict[str, Any] = {
        "number": f"A{no:03d}", "queue": "A", "zone": "A", "dept": "01", "item": "i1", "state": TicketState.WAITING,
        "issued_ms": NINE + came_min * MINUTE, "since_ms": NINE + came_min * MINUTE, **more,
    }  # fmt: skip
    return TicketFacts(**facts)


def finished(no: int, came_min: int, called_min: int, ended_min: int, **more: Any) -> TicketFacts:
    return ticket(
        no, came_min, state=TicketState.FINISHED, called_ms=NINE + called_min * MINUTE,
        serving_ms=NINE + called_min * MINUTE, since_ms=NINE + ended_min * MINUTE, **more,
    )  # fmt: skip


DAY = [
    finished(1, 0, 5, 15, outcome=Outcome.COMPLETED, level=5),
    finished(2, 1, 15, 30, outcome=Outcome.RECEIVED, level=2),
    finished(3, 2, 32, 40, outcome=Outcome.COMPLETED, no_shows=1),
    finished(4, 3, 40, 50, outcome=Outcome.SUPPLEMENT),
    ticket(5, 20),
    ticket(6, 21, state=TicketState.CANCELLED, since_ms=NINE + 30 * MINUTE),
]


def test_a_group_counts_waits_outcomes_and_ratings() -> None:
    whole = figures.group("", DAY)
    assert (whole.issued, whole.finished, whole.waiting, whole.missed, whole.left) == (6, 4, 1, 1, 1)
    assert (whole.mean_wait_min, whole.longest_wait_min) == (pytest.approx(21.5), 37)
    assert whole.on_the_spot_share == pytest.approx(2 / 3), "of what was decided or accepted, not of every visit"
    assert whole.satisfied_share == 0.5, "who did not answer is not content"
    assert whole.missed_share == pytest.approx(1 / 6)


def test_where_nothing_happened_no_share_is_invented() -> None:
    empty = figures.group("", [])
    assert (empty.mean_wait_min, empty.on_the_spot_share, empty.satisfied_share, empty.missed_share) == (None,) * 4


def test_who_waited_at_a_moment_is_known_afterwards() -> None:
    at = {minute: figures.waiting_at(DAY, NINE + minute * MINUTE) for minute in (0, 4, 14, 25, 31, 60)}
    assert at == {0: 1, 4: 4, 14: 3, 25: 4, 31: 3, 60: 1}


def test_the_flow_leaves_out_the_ten_minutes_that_are_not_over() -> None:
    points = figures.flow(DAY, NINE + 45 * MINUTE)
    assert [(p.issued, p.finished) for p in points] == [(4, 0), (0, 1), (2, 0), (0, 1)]


def test_waits_are_counted_in_steps_of_ten_minutes() -> None:
    assert figures.histogram([0, 9.9, 10, 29, 31, 40, 200]) == [2, 1, 1, 1, 2]


# --- tables -----------------------------------------------------------------------------------------------------------


def rows(name: str = "注册登记区") -> list[list[exports.Cell]]:
    return exports.table("2026-03-02", [("zone", Text(zh=name), figures.group("A", DAY))])


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_rare_characters_survive_both_encodings(encoding: Any) -> None:
    name = "𠮷㐀镕區"
    content = exports.as_csv(rows(name), encoding)
    read = list(csv.reader(io.StringIO(content.decode("utf-8-sig" if encoding == "utf-8" else encoding))))
    assert read[1][:6] == ["2026-03-02", "区域", "A", name, "6", "4"]
    assert len(read[0]) == len(read[1]) == len(exports.COLUMNS)


def test_utf_8_begins_with_the_mark_that_spreadsheets_look_for() -> None:
    assert exports.as_csv(rows()).startswith(b"\xef\xbb\xbf")


EVIL = ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\t=1", '=HYPERLINK("http://x")']


@pytest.mark.parametrize("name", EVIL)
def test_no_name_becomes_a_formula(name: str) -> None:
    read = list(csv.reader(io.StringIO(exports.as_csv(rows(name)).decode("utf-8-sig"))))
    assert read[1][3].startswith("'")
    sheet = load_workbook(io.BytesIO(exports.as_xlsx(rows(name), "d"))).active
    assert sheet is not None
    cell = sheet["D2"]
    assert cell.data_type == "s"
    assert str(cell.value).startswith("'")


@given(st.text(max_size=60))
def test_whatever_a_name_holds_the_table_can_be_read_back(name: str) -> None:
    content = exports.as_csv(rows(name), "gb18030").decode("gb18030")
    read = list(csv.reader(io.StringIO(content, newline="")))
    assert [len(line) for line in read] == [len(exports.COLUMNS)] * 2


def test_the_sheet_holds_numbers_as_numbers() -> None:
    sheet = load_workbook(io.BytesIO(exports.as_xlsx(rows(), "2026-03-02"))).active
    assert sheet is not None
    assert [cell.value for cell in sheet[2]][:10] == ["2026-03-02", "区域", "A", "注册登记区", 6, 4, 1, 1, 1, 21.5]
    assert sheet.freeze_panes == "A2"
