"""What the tests of ID card readers do at a reader: wait for news, be refused, count what is open."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.base import CardGone, CardRead, Refused
from drivers.idcard_pcsc import PcscReader
from drivers.idcard_samv import SamVReader
from sim.carriers import PtyLine
from sim.idcard_pcsc import TWIN as PCSC_TWIN
from sim.idcard_samv import TWIN
from tests.contract.contract import Rig
from tests.waiting import until


def poll_until_news(driver: Any, limit_s: float = 10.0) -> CardRead | CardGone:
    news: CardRead | CardGone = until(lambda: driver.poll_card(0.2), limit_s, "news from the reader")
    return news


def refusal(driver: Any) -> Refused:
    """The refusal that a poll soon gives."""
    with pytest.raises(Refused) as caught:
        poll_until_news(driver)
    return caught.value


def heard(driver: Any, for_s: float) -> list[object]:
    """All news of so many seconds."""
    end, news = time.monotonic() + for_s, []
    while time.monotonic() < end:
        news.append(driver.poll_card(0.2))
    return [one for one in news if one is not None]


def card_of(driver: Any) -> Any:
    """The next card; the one before may still have to be told gone."""
    news = poll_until_news(driver)
    while isinstance(news, CardGone):
        news = poll_until_news(driver)
    return news.card


def descriptors_and_threads() -> tuple[int, int]:
    """How many of each this process has."""
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()


@contextmanager
def samv_rig(tmp_path: Path, options: dict[str, Any]) -> Iterator[Rig]:
    """A SAM_V twin on a serial line."""
    twin, line = TWIN("TST-01", options), PtyLine(tmp_path / "port")
    line.attach(twin)
    line.start()
    rig = Rig(driver_type=SamVReader, options=options, twin=twin, line=line)
    try:
        yield rig
    finally:
        rig.close()


@contextmanager
def pcsc_rig(options: dict[str, Any]) -> Iterator[Rig]:
    """A PC/SC reader's twin behind a pcscd of its own."""
    twin = PCSC_TWIN("TST-01", options)
    twin.start()
    rig = Rig(driver_type=PcscReader, options=options, twin=twin, line=twin)
    try:
        yield rig
    finally:
        rig.close()


def helpers_of(pid: int) -> list[Path]:
    """Running PC/SC helpers whose parent is this process."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command, status = (process / "cmdline").read_bytes(), (process / "status").read_text()
        except OSError:
            continue  # ended meanwhile
        if b"pcsc_helper" in command and f"PPid:\t{pid}\n" in status:
            found.append(process)
    return found
