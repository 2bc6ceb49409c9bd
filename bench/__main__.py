"""Speed of the whole thing, measured in one run on one machine: `make bench`, or `make bench ARGS=issue`.

Numbers of different runs or machines say little; what counts are the differences and ratios within a run. No test looks
at them.
"""

import argparse
import importlib
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from bench.board import board
from bench.client import take_numbers
from bench.devices import devices
from bench.displays import displays
from bench.kiosks import kiosks
from bench.pressed import pressed
from bench.waits import waits
from hall_daemon.clock import Clock
from hall_daemon.events import OperatorActed
from hall_daemon.store import Store
from sim.bench import HALLS, Bench, DaemonProcess, Watcher
from sim.visits import Clerk

ROUNDS = 60


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure speed; see the docstring.")
    parser.add_argument("what", nargs="*", choices=[*_PARTS, []], help=f"parts ({', '.join(_PARTS)}); all if none")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long `pressed` presses (60)")
    options = parser.parse_args()
    parts = _PARTS | {"pressed": partial(pressed, options.seconds)}
    for name in options.what or list(parts):
        print(f"--- {name}", flush=True)
        parts[name]()
    return 0


def commit_ms(folder: Path, rounds: int = 200) -> list[float]:
    """One commit with one event, alone on this disk."""
    store = Store(folder / "commit" / "hall.db", "990000000000-01", Clock())
    store.open()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        store.transact(
            lambda tx: tx.emit(
                OperatorActed(actor="clerk", actor_id="c1", action="bench", target="none", result="done")
            )
        )
        times.append((time.perf_counter() - began) * 1000)
    store.close()
    return times


def _say(what: str, times: list[float], base: float | None = None) -> None:
    median, worst = statistics.median(times), sorted(times)[int(len(times) * 0.95)]
    above = "" if base is None else f"   above the commit: {median - base:+7.1f}"
    print(f"{what:44} median {median:7.1f} ms   p95 {worst:7.1f} ms{above}", flush=True)


def latency() -> None:
    """Confirm → first byte at the printer; next → frame on the display bus; next → the clerk's screen."""
    with tempfile.TemporaryDirectory() as folder, Bench(HALLS / "small", Path(folder)) as bench:
        base = commit_ms(bench.run)
        _say("one commit with one event", base)
        commit = statistics.median(base)
        with DaemonProcess(bench):
            _wait_online(bench)
            _say("confirm → first byte at the printer", _confirm_to_printer(bench), commit)
            to_display, to_screen = _next_to_display(bench)
            _say("next → frame on the display bus", to_display, commit)
            _say("next → the clerk's screen", to_screen, commit)


def _wait_online(bench: Bench) -> None:
    while not all(
        d["link"] == "online"
        for d in httpx.get(f"{bench.url}/devices", trust_env=False).json()
        if d["device"] != "IDR-02"
    ):
        time.sleep(0.1)


def _confirm_to_printer(bench: Bench) -> list[float]:
    """By touch and without a card (help desk), so that nothing but the daemon takes time."""
    line: Any = bench.lines["PRN-01"]
    screen = Watcher(f"{bench.url}/kiosks/k1/views")
    client = httpx.Client(base_url=bench.url, trust_env=False)
    times = []

    def press(key: str) -> None:
        client.post("/kiosks/k1/keys", json={"key": key})

    def leave(*screens: str) -> dict[str, Any]:
        return screen.until(lambda v: v["screen"] not in screens)

    for _ in range(ROUNDS):
        screen.until(lambda v: v["screen"] == "idle")
        press("1")
        leave("idle")
        press("3")  # no document: the help desk's queue
        view = screen.until(lambda v: v["screen"] in ("confirm", "list", "phone"))
        if view["screen"] == "phone":
            press("*")
            view = screen.until(lambda v: v["screen"] in ("confirm", "list"))
        if view["screen"] == "list":
            press(view["choices"][0]["key"])
            screen.until(lambda v: v["screen"] == "confirm")
        time.sleep(0.15)  # a person looks at the page; the line is idle
        began, known = time.time(), len(line.transcript)
        press("ok")
        screen.until(lambda v: v["screen"] in ("done", "nopaper", "unsure"))
        first = next(p.at for p in line.transcript[known:] if p.direction == ">" and p.at >= began)
        times.append((first - began) * 1000)
        press("cancel")
        leave("done", "nopaper", "unsure")
    screen.close()
    client.close()
    return times


def _next_to_display(bench: Bench) -> tuple[list[float], list[float]]:
    clerk = Clerk(bench, "1", "c001", 1)
    clerk.sign_in()
    item = bench.tables["queue"]["A"]["items"][0]
    display = bench["DSP-01"]
    to_display, to_screen = [], []
    for count in range(ROUNDS):
        clerk.http.post("/tickets", json={"item": item, "request_id": f"bench-latency-{count}"}).raise_for_status()
        clerk.view.until(lambda v: v["waiting_total"] > 0 and v["current"] is None)
        time.sleep(0.3)  # the bus is idle: its frame gap is over
        began = time.time()
        number = clerk.say("next", seen=None).json()["number"]
        clerk.view.until(lambda v, n=number: (v["current"] or {}).get("number") == n)
        to_screen.append((time.time() - began) * 1000)
        while number not in (display.text or ""):
            time.sleep(0.0005)
        to_display.append((next(s.at for s in reversed(display.shown) if number in s.text) - began) * 1000)
        clerk.say("serve", seen=number)
        clerk.say("finish", seen=number)
    clerk.close()
    return to_display, to_screen


def issue() -> None:
    """Durable issues a second from 8 HTTP clients; no number twice."""
    clients, each = 8, 150
    with tempfile.TemporaryDirectory() as folder, Bench(HALLS / "small", Path(folder), province=None) as bench:
        base = statistics.median(commit_ms(bench.run))
        with DaemonProcess(bench) as daemon:
            item = bench.tables["queue"]["A"]["items"][0]
            context = multiprocessing.get_context("spawn")
            start, results = context.Event(), context.Queue()
            workers = [
                context.Process(target=take_numbers, args=(bench.url, item, n, each, start, results))
                for n in range(clients)
            ]
            for worker in workers:
                worker.start()
            time.sleep(3)
            began = time.monotonic()
            start.set()
            numbers = [number for _ in workers for number in results.get()]
            took = time.monotonic() - began
            for worker in workers:
                worker.join()
            rate = len(numbers) / took
            print(
                f"{len(numbers)} issues from {clients} clients: {rate:.0f} a second; "
                f"{len(numbers) - len(set(numbers))} "
                f"doubled; {rate * base / 1000:.2f} of what one commit after the other alone could do"
            )
            print(f"resident memory of the daemon: {_rss_mb(daemon.pid):.0f} MB")


def start() -> None:
    """Daemon start to ready, and its memory afterwards."""
    times, memory = [], []
    with tempfile.TemporaryDirectory() as folder, Bench(HALLS / "small", Path(folder)) as bench:
        for _ in range(5):
            with DaemonProcess(bench) as daemon:
                times.append(daemon.ready_after_s * 1000)
                _wait_online(bench)
                memory.append(_rss_mb(daemon.pid))
    _say("start → ready (small hall)", times)
    print(f"resident memory, all devices online: {statistics.median(memory):.0f} MB")
    with (
        tempfile.TemporaryDirectory() as folder,
        Bench(HALLS / "big", Path(folder)) as bench,
        DaemonProcess(bench) as daemon,
    ):
        _say("start → ready (big hall)", [daemon.ready_after_s * 1000])
        time.sleep(8)
        print(f"resident memory, big hall: {_rss_mb(daemon.pid):.0f} MB")


def codes() -> None:
    """Codes in pages, straight and askew."""
    # The processes that are measured above load this file, and nothing of the readers.
    importlib.import_module("bench.codes").codes()


def _rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


_PARTS: dict[str, Callable[[], None]] = {
    "latency": latency,
    "issue": issue,
    "start": start,
    "devices": devices,
    "displays": displays,
    "codes": codes,
    "waits": waits,
    "pressed": partial(pressed, 60.0),
    "board": board,
    "kiosks": kiosks,
}

if __name__ == "__main__":
    sys.exit(main())
