"""The real counter program in a real terminal (tmux), at both sizes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from hall_daemon.protocol import Text, WindowView
from hall_daemon.words import ParkReason
from kiosk_ui.counter_session import SessionFile
from tests.screens.scripted_hall import ScriptedHall
from tests.screens.window_views import HALL, calling, page, parked, scanned, serving, window_view
from tests.waiting import until_async

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]
SIZES = [(80, 24), (120, 40)]


class Terminal:
    """A tmux server of its own with one window, that stays when its program has ended."""

    def __init__(self, folder: Path) -> None:
        self._tmux = ["tmux", "-S", str(folder / "s"), "-f", "/dev/null"]
        self._folder = {"XDG_RUNTIME_DIR": str(folder)}
        kept = {key: value for key, value in os.environ.items() if key != "TMUX"}
        self._env = kept | {"LC_ALL": "C.UTF-8"} | self._folder

    def _run(self, *arguments: str) -> str:
        ran = subprocess.run([*self._tmux, *arguments], env=self._env, capture_output=True, text=True, check=True)
        return ran.stdout

    def start(self, size: tuple[int, int], url: str, *, signed_in: bool = True) -> None:
        """Run the counter program of window 3; signed in: it finds the session of the program that ran before it."""
        if signed_in:
            SessionFile(url, "3", self._folder).write("kept")
        program = f"{sys.executable} -m kiosk_ui.counter --hall {url} --window 3"
        shell = f"{program}; echo ended with $?; read end"
        self._run("new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), shell)

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names."""
        self._run("send-keys", *keys)

    def type(self, words: str) -> None:
        """Type as it stands."""
        self._run("send-keys", "-l", words)

    def resize(self, columns: int, rows: int) -> None:
        """Drag the window."""
        self._run("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self) -> str:
        """What stands in it."""
        return self._run("capture-pane", "-p")

    def close(self) -> None:
        """End it and all in it."""
        subprocess.run([*self._tmux, "kill-server"], env=self._env, capture_output=True, check=False)

    async def sees(self, *words: str) -> str:
        """Wait until all of these stand in it; the screen then."""
        await until_async(
            lambda: all(word in self.screen() for word in words), limit_s=20, what=f"{words} in\n{self.screen()}"
        )
        return self.screen()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("size", SIZES)
async def test_a_visit_by_keys_from_call_to_finish(terminal: Terminal, size: tuple[int, int]) -> None:
    sign_in = {"clerk": "c017", "pin": "135792", "take_over": False}
    async with ScriptedHall(HALL, window_view(clerk=None, clerk_name="", to_province=36)) as hall:
        hall.answers["sign-in"] = lambda _body: (200, {"event": 7, "session": "new"})
        terminal.start(size, hall.url, signed_in=False)
        await terminal.sees("3 号窗口 上岗", "未上岗")
        terminal.press(*"17", "Enter", *"135792", "Enter")
        await until_async(lambda: hall.verbs() == [("sign-in", sign_in)])
        del hall.asked[:]
        hall.show(window_view(to_province=36))
        screen = await terminal.sees("3号窗口", "空闲", "在线", "待传 36", "等候 3 人", "按 + 叫号")
        assert all(cell_len(line) <= size[0] for line in screen.splitlines())
        assert len(screen.rstrip("\n").splitlines()) == size[1]
        terminal.type("+")
        await until_async(lambda: hall.verbs() == [("next", {"seen": None})])
        hall.show(calling(notices=(Text(zh="窗口屏离线，请口头叫号。"),)))
        await terminal.sees("叫号中", "张*试", "窗口屏离线，请口头叫号。", "开始")
        terminal.press("F3", "Enter")
        await until_async(lambda: [verb for verb, _ in hall.verbs()] == ["next", "recall", "serve"])
        hall.show(serving())
        await terminal.sees("办理中")
        terminal.press("Enter")
        await terminal.sees("H018 办理结果", "不予受理")
        terminal.type("2")
        await until_async(
            lambda: hall.verbs()[3:] == [("finish", {"seen": "H018", "outcome": "received", "cases": []})]
        )
        hall.show(window_view())
        await terminal.sees("空闲")
        terminal.press("C-q")
        await terminal.sees("ended with 0")


@pytest.mark.parametrize(("key", "verb"), [("S-F5", "resume"), ("S-F4", "requeue"), ("S-F6", "cancel")])
async def test_shifted_function_keys_arrive(terminal: Terminal, key: str, verb: str) -> None:
    missed = window_view().waiting[:1]
    view = window_view(parked=(parked("H011", ParkReason.COPY),), missed=missed)
    async with ScriptedHall(HALL, view) as hall:
        terminal.start((80, 24), hall.url)
        await terminal.sees("在线", "空闲")
        terminal.press(key)
        if verb != "resume":
            await terminal.sees("？")
            terminal.press("Enter")
        if verb == "cancel":
            await terminal.sees("为什么弃号")
            terminal.press("Enter")
        await until_async(lambda: [verb for verb, _ in hall.verbs()] == [verb])


@pytest.mark.parametrize(
    ("view", "keys", "verbs"),
    [
        (serving(), ("F6", "1", "3", "Enter"), [("transfer", "to_window", "13")]),
        (serving(), ("F6", "1", "Down", "Enter"), [("transfer", "to_window", "13")]),
        (serving(), ("Enter", "3"), [("finish", "outcome", "supplement")]),
        (calling(), ("+", "Enter"), [("no-show", "seen", "H018"), ("next", "seen", None)]),
        (window_view(), ("+", "+"), [("next", "seen", None), ("next", "seen", None)]),
        (window_view(), ("Tab", "Down", "DC", "3"), [("cancel", "ticket", "H019")]),
        (serving(scan=scanned(page(1), page(2))), ("F7", "Down", "DC", "2"), [("file", "pages", [1])]),
    ],
)
async def test_keys_that_arrive_in_one_burst_are_taken_in_order(
    terminal: Terminal, view: WindowView, keys: tuple[str, ...], verbs: list[tuple[str, str, object]]
) -> None:
    async with ScriptedHall(HALL, view) as hall:
        terminal.start((80, 24), hall.url)
        await terminal.sees("在线", "等候 ")
        terminal.press(*keys)
        await until_async(lambda: len(hall.verbs()) >= len(verbs), limit_s=20, what=terminal.screen())
        assert [
            (verb, fact, body[fact]) for (verb, body), (_, fact, _) in zip(hall.verbs(), verbs, strict=True)
        ] == verbs


async def test_chinese_can_be_typed_to_find_where_to_transfer(terminal: Terminal) -> None:
    async with ScriptedHall(HALL, serving()) as hall:
        terminal.start((120, 40), hall.url)
        await terminal.sees("办理中")
        terminal.press("F6")
        await terminal.sees("H018 转到哪里？")
        terminal.type("队列 A")
        await terminal.sees("队列 A  2 人  综合服务")
        await until_async(lambda: "13 号窗口" not in terminal.screen())
        terminal.press("Enter")
        await until_async(lambda: [body["to_queue"] for _, body in hall.verbs()] == ["A"])


async def test_hall_that_is_away_is_waited_for_and_said_so(terminal: Terminal) -> None:
    async with ScriptedHall(HALL, window_view()) as hall:
        await hall.go_away()
        terminal.start((80, 24), hall.url)
        await terminal.sees("与主机断开", "连不上大厅主机", "等主机回答")
        await hall.come_back()
        await terminal.sees("在线", "H019")
        await hall.go_away()
        await terminal.sees("与主机断开", "H019")
        terminal.type("+")
        await terminal.sees("这一步没有执行")


async def test_terminal_may_be_dragged_to_another_size(terminal: Terminal) -> None:
    async with ScriptedHall(HALL, calling()) as hall:
        terminal.start((120, 40), hall.url)
        await terminal.sees("叫号中", "本窗口业务队列")
        terminal.resize(80, 24)
        await until_async(lambda: "本窗口业务队列" not in terminal.screen())
        screen = await terminal.sees("叫号中", "社会保险登记", "开始", "待传")
        assert all(cell_len(line) <= 80 for line in screen.splitlines())


async def test_window_that_the_hall_stops_knowing_ends_with_3(terminal: Terminal) -> None:
    async with ScriptedHall(HALL, window_view()) as hall:
        terminal.start((80, 24), hall.url)
        await terminal.sees("在线", "空闲")
        problem = {"code": "not_found", "detail": "", "text": {"zh": "没有找到 3。", "en": "3 was not found."}}
        hall.answers["views"] = lambda _body: (404, problem)
        await hall.go_away()
        await hall.come_back()
        await terminal.sees("hall-counter: 没有找到 3。", "ended with 3")
