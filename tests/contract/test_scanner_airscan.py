"""A scanner client that nobody here wrote, SANE's airscan, against our twin: the twin is a scanner to others too."""

import io
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sim import papers
from sim.carriers import HttpPort
from sim.scanner_escl import TWIN, EsclTwin, JobState

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        shutil.which("scanimage") is None or not list(Path("/usr/lib").glob("*/sane/libsane-airscan.so*")),
        reason="scanimage or its airscan backend is not installed (packages sane-utils, sane-airscan)",
    ),
]

PLAIN = papers.Paper(content=papers.Content.LETTER, noise=0)


@dataclass
class Client:
    """scanimage with a configuration of its own."""

    folder: Path
    twin: EsclTwin

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["scanimage", "-d", "airscan:e0:Sim", "--resolution", "75", "-x", "210", "-y", "297", *arguments],
            env={**os.environ, "SANE_CONFIG_DIR": str(self.folder)},
            check=False,
            capture_output=True,
            text=True,
            timeout=45,
        )

    def feed(self, source: str = "ADF") -> int:
        """Scan until the feeder is empty; the exit code tells what ended it."""
        batch = f"--batch={self.folder}/p%02d.png"
        return self.run("--source", source, "--mode", "Gray", "--format=png", batch).returncode

    @property
    def pages(self) -> list[Path]:
        return sorted(self.folder.glob("p*.png"))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    twin = TWIN("TST-01", {})
    port = HttpPort(twin, twin.base)
    port.start()
    (tmp_path / "dll.conf").write_text("airscan\n")
    (tmp_path / "airscan.conf").write_text(
        f'[devices]\n"Sim" = {port.port}, eSCL\n[options]\ndiscovery = disable\n', encoding="ascii"
    )
    yield Client(tmp_path, twin)
    twin.recover()
    port.stop()


def test_page_on_the_glass_arrives_as_it_was_sent(client: Client) -> None:
    client.twin.put_on_platen(PLAIN)
    target = client.folder / "glass.png"
    done = client.run("--source", "Flatbed", "--mode", "Color", "--format=png", "-o", str(target))
    assert done.returncode == 0, done.stderr
    sent = np.asarray(Image.open(io.BytesIO(client.twin.delivered[-1])), dtype=int)
    got = np.asarray(Image.open(target), dtype=int)
    assert got.shape == sent.shape
    assert np.abs(got - sent).mean() < 1  # two JPEG decoders


def test_every_sheet_of_the_feeder_arrives(client: Client) -> None:
    client.twin.load_feeder([PLAIN] * 3)
    assert client.feed() == 0
    assert len(client.pages) == len(client.twin.delivered) == 3
    assert client.twin.jobs[-1].state is JobState.COMPLETED


def test_both_sides_of_the_sheets_arrive(client: Client) -> None:
    client.twin.load_feeder([PLAIN] * 2)
    assert client.feed("ADF Duplex") == 0
    assert len(client.pages) == 4
    assert client.twin.jobs[-1].ticket.duplex


@pytest.mark.parametrize(("trouble", "code", "pages"), [("empty", 7, 0), ("jam", 6, 1), ("cut", 9, 0)])
def test_trouble_is_what_the_client_calls_it(trouble: str, code: int, pages: int, client: Client) -> None:
    if trouble != "empty":
        client.twin.load_feeder([PLAIN] * 3)
    if trouble == "jam":
        client.twin.jam_after(pages=1)
    if trouble == "cut":
        client.twin.cut_page(after_bytes=3000)
    assert client.feed() == code
    whole = [page for page in client.pages if page.stat().st_size]
    assert len(whole) == pages


@pytest.mark.parametrize("verb", ["relative_location", "drop_finished_job", "never_release_job"])
def test_client_copes_with_a_twin_that_behaves_like_some_devices(verb: str, client: Client) -> None:
    getattr(client.twin, verb)()
    client.twin.load_feeder([PLAIN] * 2)
    assert client.feed() == 0
    assert len(client.pages) == 2
