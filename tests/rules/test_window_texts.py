"""What stands over a window: the table of ux.md §4.3, word for word, within its cells, in GB 2312."""

import unicodedata

import pytest

from hall_daemon.window_texts import WindowFacts, WindowState, cells_of, pages

D018 = {"number": "D018"}
PAUSE = {"until": "10:45", "other": "67"}

TABLE = [
    (WindowState.OFF, {}, ["66号 未开放"], ["66号窗口  未开放"]),
    (WindowState.IDLE, {}, ["66号窗口"], ["66号窗口  空闲  请等叫号"]),
    (WindowState.CALLING, D018, ["请D018到66号窗口"], ["请 D018 号  到 66号窗口办理"]),
    (WindowState.SERVING, D018, ["D018 办理中"], ["66号窗口  D018 正在办理"]),
    (
        WindowState.PAUSED, PAUSE, ["暂停服务", "10:45恢复", "请到67号窗口"],
        ["66号窗口  暂停  10:45恢复", "请到 67号窗口  不用重新取号"],
    ),
    (WindowState.PAUSED, {}, ["暂停服务"], ["66号窗口  暂停服务"]),
    (WindowState.RATING, {}, ["请您评价 谢谢"], ["请在评价器上评价  谢谢"]),
]  # fmt: skip


def cells(text: str) -> int:
    """Written again, not taken from the daemon: a Chinese character is two cells wide."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def shown(facts: WindowFacts, room: int) -> list[str]:
    """What a display of this width shows: of each page the first form that fits, as the drivers choose it."""
    found = []
    for page in pages(facts, room):
        fitting = [form.text for form in page if cells(form.text) <= room]
        assert fitting, f"{facts} does not fit {room} cells: {[form.text for form in page]}"
        found.append(fitting[0])
    return found


@pytest.mark.parametrize(
    ("state", "more", "short", "long"), TABLE, ids=lambda v: v.value if isinstance(v, WindowState) else ""
)
def test_each_state_is_written_as_the_table_says(
    state: WindowState, more: dict[str, str], short: list[str], long: list[str]
) -> None:
    facts = WindowFacts(window="66", state=state, **more)
    assert shown(facts, 16) == short
    assert shown(facts, 32) == long
    assert all(form.attention is (state is WindowState.CALLING) for page in pages(facts, 32) for form in page)


@pytest.mark.parametrize(
    ("window", "number", "text"),
    [
        ("66", "A1000", "A1000到66号窗口"), ("7", "A1000", "请A1000到7号窗口"), ("105", "D018", "请D018到本窗口"),
        ("105", "VD1018", "请VD1018到本窗口"), ("66", "VD018", "VD018到66号窗口"), ("90", "YH1234", "YH1234到90号窗口"),
    ],
)  # fmt: skip
def test_long_numbers_and_high_windows_keep_to_eight_characters(window: str, number: str, text: str) -> None:
    assert shown(WindowFacts(window=window, state=WindowState.CALLING, number=number), 16) == [text]


def test_every_text_of_every_window_fits_and_is_of_gb2312() -> None:
    for window in ("1", "9", "66", "90", "105", "199"):
        for number in ("A001", "D018", "VD018", "A1000", "VH1000", "YH9999"):
            for state in WindowState:
                facts = WindowFacts(window=window, state=state, number=number, until="10:45", other="167")
                for room in (16, 32):
                    for text in shown(facts, room):
                        assert cells(text) <= room
                        text.encode("gb2312")


def test_what_has_no_form_for_a_width_would_be_noticed() -> None:
    with pytest.raises(AssertionError, match="does not fit 3 cells"):
        shown(WindowFacts(window="66", state=WindowState.CALLING, number="D018"), 3)


def test_a_display_without_chinese_gets_english_and_the_least_what_helps() -> None:
    page = pages(WindowFacts(window="66", state=WindowState.CALLING, number="D018"), 20)[0]
    assert [form.text for form in page[-2:]] == ["D018 to window 66", "D018"]
    assert pages(WindowFacts(window="66", state=WindowState.OFF), 4)[0][-1].text == "--"
    assert pages(WindowFacts(window="66", state=WindowState.IDLE), 4)[0][-1].text == "66"


def test_how_wide_a_display_is_stands_in_its_table() -> None:
    class Strip:
        columns = 20

    class Dots:
        width_px, font_px = 256, 16

    assert (cells_of(Strip()), cells_of(Dots()), cells_of(object())) == (20, 32, 0)
