"""What stands on a ticket's paper, for 58 mm and for 80 mm."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import SlipQr, SlipText
from hall_daemon.protocol import Text
from hall_daemon.slips import SlipFacts, balanced, compose, width, window_range, wrap

FACTS = SlipFacts(
    hall=Text(zh="示例县政务服务中心", en="Sample County Government Service Centre"),
    number="A017",
    item=Text(zh="个体工商户设立登记", en="Register a sole trader"),
    zone=Text(zh="注册登记区", en="Registration"),
    windows="1-3, 7",
    waiting_ahead=6,
    taken="2026-03-02 10:24",
    kiosk="1号取号机",
    materials=("居民身份证", "申请表", "住所使用证明", "授权委托书"),
    code="0197f0a0-0000-7000-8000-0000000000aa",
)

SENTENCES = st.text(alphabet=st.sampled_from("请到窗口，。（）A017 b-、\u3000"), max_size=80)


def lines(facts: SlipFacts, columns: int) -> list[SlipText]:
    return [part for part in compose(facts, columns).parts if isinstance(part, SlipText)]


@pytest.mark.parametrize("columns", [32, 42, 48])
@pytest.mark.parametrize("number", ["A017", "VA1017"])
def test_no_line_is_wider_than_the_paper(columns: int, number: str) -> None:
    facts = replace(FACTS, number=number)
    assert all(width(line.text) * line.scale <= columns for line in lines(facts, columns))


@pytest.mark.parametrize("columns", [32, 48])
@pytest.mark.parametrize("number", ["A017", "VA1017"])
def test_the_number_is_the_largest_thing_on_the_slip(columns: int, number: str) -> None:
    facts = replace(FACTS, number=number)
    all_lines = lines(facts, columns)
    largest = next(line for line in all_lines if line.text == number)
    others = [line for line in all_lines if line is not largest]
    assert largest.scale > max(line.scale for line in others)
    assert largest.tall > max(line.tall or line.scale for line in others)


def test_chinese_stands_before_english_and_says_all_that_a_resident_needs() -> None:
    text = "\n".join(line.text for line in lines(FACTS, 48))
    wanted = ("示例县", "A017", "个体工商户设立登记", "注册登记区", "到 1-3, 7 号窗口", "前面等待 6 人", "当日有效")
    for said in (*wanted, FACTS.taken):
        assert said in text
    assert text.index("前面等待 6 人") < text.index("6 ahead of you")
    assert text.index("请先备好材料") < text.index("□ 居民身份证") < text.index("□ 申请表")


def test_large_type_leaves_the_papers_out_and_marks_stand_below_the_number() -> None:
    marked = replace(FACTS, large=True, appointment="10:30", priority=True, back=True)
    text = "\n".join(line.text for line in lines(marked, 48))
    assert "居民身份证" not in text
    assert text.index("A017") < text.index("预约 10:30") < text.index("优先") < text.index("补正")
    assert "居民身份证" in "\n".join(line.text for line in lines(replace(FACTS, code=""), 48))


def test_the_expected_wait_is_said_only_where_there_is_one() -> None:
    assert not any("大约" in line.text for line in lines(FACTS, 32))
    expected = replace(FACTS, wait=Text(zh="15–25 分钟", en="15–25 min"))
    assert any("大约要等 15-25 分钟" in line.text for line in lines(expected, 32))


def test_only_a_reprint_is_marked() -> None:
    assert not any("补打" in line.text for line in lines(FACTS, 32))
    assert any("补打" in line.text for line in lines(replace(FACTS, reprint=True), 32))


def test_the_code_is_opaque_ascii() -> None:
    (code,) = [part for part in compose(FACTS, 32).parts if isinstance(part, SlipQr)]
    assert code.data == FACTS.code
    assert code.data.isascii()


@given(sentence=SENTENCES, columns=st.integers(4, 48))
def test_wrapping_loses_nothing_and_keeps_to_the_columns(sentence: str, columns: int) -> None:
    wrapped = wrap(sentence, columns)
    assert all(width(line) <= columns for line in wrapped)
    assert "".join(wrapped).replace(" ", "").replace("\u3000", "") == sentence.replace(" ", "").replace("\u3000", "")


@given(sentence=SENTENCES, columns=st.integers(4, 48))
def test_balanced_lines_are_no_more_lines(sentence: str, columns: int) -> None:
    assert len(balanced(sentence, columns)) <= len(wrap(sentence, columns))


def test_no_chinese_stop_begins_a_line_and_latin_words_stay_whole() -> None:
    assert wrap("过号请到原窗口，不用", 14) == ["过号请到原窗", "口，不用"]
    assert wrap("Register a sole trader", 16) == ["Register a sole", "trader"]
    assert balanced("个体工商户设立登记", 16) == ["个体工商户", "设立登记"]


@pytest.mark.parametrize(
    ("windows", "said"),
    [((), ""), (("1",), "1"), (("1", "2", "3", "7"), "1-3, 7"), (("1", "2"), "1-2"), (("9", "10", "A1"), "9-10, A1")],
)
def test_windows_are_said_as_ranges(windows: tuple[str, ...], said: str) -> None:
    assert window_range(windows) == said
