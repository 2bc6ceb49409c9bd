"""The eSCL scanner and its twin for tests: profiles, pictures, a feed, and what must work after each fault."""

import functools
import ssl
from typing import Any

import pytest

import drivers.scanner_escl as escl
from drivers.base import ColorMode, DeviceError, PageSource, ScanProfile
from sim import papers
from sim.carriers import HttpPort
from sim.scanner_escl import TWIN
from tests.contract.contract import Rig

GLASS = ScanProfile(dpi=75)
FEEDER = ScanProfile(source=PageSource.FEEDER, dpi=75, color=ColorMode.GRAY)
BOTH_SIDES = ScanProfile(source=PageSource.FEEDER, dpi=75, duplex=True)


@functools.cache
def picture(number: int) -> bytes:
    """A small picture, different for each number."""
    return papers.scan(papers.Paper(seed=number, content=papers.Content.LETTER, noise=0), 20)


def sheets(count: int) -> list[bytes]:
    return [picture(i) for i in range(1, count + 1)]


def scan(driver: Any, profile: ScanProfile = FEEDER) -> tuple[list[bytes], DeviceError | None]:
    """The pages that came, and what ended the feed if something did."""
    pages: list[bytes] = []
    try:
        for page in driver.scan(profile):
            assert page.number == len(pages) + 1
            assert page.media == "image/jpeg"
            assert page.dpi == profile.dpi
            pages.append(page.data)
    except DeviceError as exc:
        assert str(exc)
        return pages, exc
    return pages, None


class HttpRig(Rig):
    """A rig whose twin can speak again before the line goes."""

    def close(self) -> None:
        self.twin.recover()
        super().close()


def plug_in(tls: ssl.SSLContext | None = None) -> Rig:
    """A healthy twin on a port of its own."""
    twin = TWIN("TST-01", {})
    line = HttpPort(twin, twin.base, tls=tls)
    line.start()
    return HttpRig(driver_type=escl.DRIVER, options={}, twin=twin, line=line)


def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown does not depend on how long the waits are."""
    for name, value in {
        "PAGE_LIMIT_S": 3.0,
        "PAGE_SILENCE_S": 0.4,
        "QUESTION_S": 0.4,
        "DELETE_S": 0.4,
        "NOT_YET_PAUSE_S": 0.01,
    }.items():
        monkeypatch.setattr(escl, name, value)


def still_works(driver: Any, rig: Rig) -> None:
    """After whatever happened: healthy again, three sheets in, three pages out, and no job left behind."""
    rig.twin.recover()
    rig.twin.load_feeder(sheets(3))
    assert scan(driver) == (sheets(3), None)
    assert not any(job.active for job in rig.twin.jobs)
