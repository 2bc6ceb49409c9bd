"""What a technician types: devices, test, trace, diagnose.

Asks the running daemon where there is one (its address is in the configuration, the token in HALL_TOKEN_TECHNICIAN).
Where there is none, the ports are free and are opened here, by the same code that the daemon uses.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from argparse import Namespace
from collections.abc import Sequence
from datetime import date, datetime

from rich.cells import cell_len, set_cell_size

from hall_daemon import bundle, doctor, recording, self_tests, wire
from hall_daemon.client import HallClient, HallUnreachable, Limits, RequestRefused
from hall_daemon.clock import CHINA, Clock, rfc3339
from hall_daemon.config import HallConfig
from hall_daemon.devices import Devices
from hall_daemon.doctor import Check, Facts, Verdict
from hall_daemon.incidents import CONNECTING, health, is_lost, name_of, troubles_in, worst_of
from hall_daemon.protocol import DeviceView, Text
from hall_daemon.protocol_technician import DeviceState, Health, SelfTest
from hall_daemon.support import basic_parts
from hall_daemon.texts import say, text
from hall_daemon.voice import Voice
from hall_daemon.voice_clips import VoiceState

KNOCK = Limits(connect_s=2.0, answer_s=10.0)
SETTLE_S = 10.0
ANEW_S = 1.0
"""Between disabling a device and enabling it: whoever follows is there by then."""
MARKS = {Health.OK: "●", Health.OFF: "○", Health.BUSY: "◆", Health.WARN: "▲", Health.BAD: "✖"}
PLAIN_MARKS = {Health.OK: "+", Health.OFF: "o", Health.BUSY: "*", Health.WARN: "!", Health.BAD: "X"}


def _print(line: str = "") -> None:
    print(line)  # noqa: T201 - this is the command line


def client_of(config: HallConfig) -> HallClient:
    """The daemon of this configuration, if it runs."""
    host = "127.0.0.1" if config.host in ("0.0.0.0", "::", "localhost") else config.host
    shown = f"[{host}]" if ":" in host else host
    return HallClient(f"http://{shown}:{config.port}", config.secrets.tokens.get("technician", ""), limits=KNOCK)


# --- devices ----------------------------------------------------------------------------------------------------------


def devices(config: HallConfig, options: Namespace) -> int:
    """Table of all devices; 1 if one of them cannot serve."""
    views = asyncio.run(_views(config))
    if options.json:
        _print(json.dumps([view.model_dump(mode="json") for view in views], ensure_ascii=False, indent=1))
    else:
        _table(views, PLAIN_MARKS if options.ascii else MARKS)
    return 1 if any(map(is_lost, views)) else 0


async def _views(config: HallConfig) -> tuple[DeviceView, ...]:
    try:
        async with client_of(config) as client:
            return await client.devices()
    except HallUnreachable as exc:
        if exc.code != "client.unreachable":
            raise
    return await _greeted(config)


async def _greeted(config: HallConfig) -> tuple[DeviceView, ...]:
    """Open every port here and say hello; nothing else has them while no daemon runs."""
    found = Devices(dict(config.devices), Clock())
    found.start()
    try:
        await _settle(found, tuple(config.devices))
        return found.views()
    finally:
        await found.stop()


async def _settle(found: Devices, names: Sequence[str]) -> None:
    """Wait until each device has answered or failed to."""
    settled = asyncio.Event()

    def look(_view: DeviceView) -> None:
        if all(found.view(name).link != CONNECTING for name in names):
            settled.set()

    found.on_change(look)
    with contextlib.suppress(TimeoutError):  # who has not answered by then stands as connecting
        async with asyncio.timeout(SETTLE_S):
            await settled.wait()


_COLUMNS = (
    ("device", 9), ("link", 11), ("conditions", 20), ("since", 11), ("identity", 24), ("firmware", 12), ("proven", 10),
)  # fmt: skip


def _table(views: Sequence[DeviceView], marks: dict[Health, str]) -> None:
    _print("  " + "  ".join(_fit(head, cells) for head, cells in _COLUMNS) + "  last error")
    today = datetime.now(CHINA).date()
    for view in views:
        names = [name_of(what).zh for what in sorted(view.conditions)]
        since = _since(view.since, today)
        cells = (view.device, view.link, " ".join(names), since, view.identity, view.firmware, view.proven)
        row = "  ".join(_fit(value, width) for value, (_, width) in zip(cells, _COLUMNS, strict=True))
        _print(f"{marks[health(view)]} {row}  {view.last_error}".rstrip())


def _since(moment: str, today: date) -> str:
    """The time; with its day where that is not today, with the year where that is another one."""
    at = datetime.fromisoformat(moment).astimezone(CHINA)
    if at.date() == today:
        return f"{at:%H:%M:%S}"
    return f"{at:%m-%d %H:%M}" if at.year == today.year else f"{at:%Y-%m-%d}"


def _fit(words: str, cells: int) -> str:
    return set_cell_size(words, cells) if cell_len(words) <= cells else set_cell_size(words, cells - 1) + "~"


# --- test -------------------------------------------------------------------------------------------------------------


def test(config: HallConfig, options: Namespace) -> int:
    """Self-test of one device, step by step; 0 if it passed."""
    if options.device not in config.devices:
        sys.stderr.write(f"there is no device {options.device}; there are: {', '.join(config.devices)}\n")
        return 2
    speaker = _Speaker(PLAIN_MARKS if options.ascii else MARKS)
    last = asyncio.run(_tested(config, options.device, speaker))
    speaker.end(last)
    return 0 if last.state == "passed" else 1


class _Speaker:
    """Prints each step once it is known, and each prompt once."""

    def __init__(self, marks: dict[Health, str]) -> None:
        self._marks, self._told, self._prompt = marks, 0, ""

    def hear(self, run: SelfTest) -> None:
        for step in run.steps[self._told :]:
            if step.health in (Health.BUSY, Health.OFF):
                break
            self._told += 1
            _print(f" {self._marks[step.health]} {_fit(step.name.zh, 18)} {step.note.zh}")
        if run.prompt.zh and run.prompt.zh != self._prompt:
            self._prompt = run.prompt.zh
            _print(f"   {run.prompt.zh}\n   {run.prompt.en}")

    def end(self, run: SelfTest) -> None:
        self.hear(run)
        for step in run.steps[self._told :]:
            _print(f" {self._marks[step.health]} {_fit(step.name.zh, 18)} {step.note.zh}")
        _print(f"{run.device}: {'通过 passed' if run.state == 'passed' else '没有通过 failed'}")


async def _tested(config: HallConfig, device: str, speaker: _Speaker) -> SelfTest:
    async with client_of(config) as client:
        try:
            await client.test_device(device)
        except HallUnreachable as exc:
            if exc.code != "client.unreachable":
                raise
        else:
            async for detail in client.device_details(device):
                if detail.test is not None:
                    speaker.hear(detail.test)
                    if detail.test.state != "running":
                        return detail.test
    return await _tested_here(config, device, speaker)


async def _tested_here(config: HallConfig, device: str, speaker: _Speaker) -> SelfTest:
    found, clock = Devices({device: config.devices[device]}, Clock()), Clock()
    found.start()
    try:
        await _settle(found, (device,))
        hands = self_tests.Hands(device=device, devices=found)
        return await self_tests.whole(hands, rfc3339(clock.now_ms()), speaker.hear)
    finally:
        await found.stop()


# --- trace ------------------------------------------------------------------------------------------------------------


def trace(config: HallConfig, options: Namespace) -> int:
    """Record what passes between a device and its driver, until Ctrl-C or for some seconds; 1 if that was nothing."""
    if options.device not in config.devices:
        sys.stderr.write(f"there is no device {options.device}; there are: {', '.join(config.devices)}\n")
        return 2
    try:
        # A recording is somebody's fault report: an earlier one is never written over.
        file = options.to.open("x", encoding="utf-8")
        options.to.chmod(0o600)
    except OSError as exc:
        sys.stderr.write(f"cannot write {options.to}: {exc.strerror}\n")
        return 2
    recorder = recording.Recorder(file, config.devices[options.device])
    sys.stderr.write(f"recording {options.device} to {options.to}; Ctrl-C ends\n")
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_recorded(config, options, recorder))
    finally:
        file.close()
        if not recorder.lines:
            options.to.unlink()  # the next attempt may have the name
    sys.stderr.write(f"{recorder.lines} lines, {recorder.lost} lost; fill in the head before you hand it on\n")
    return 0 if recorder.lines else 1


async def _recorded(config: HallConfig, options: Namespace, recorder: recording.Recorder) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(options.seconds or None):
            async with client_of(config) as client:
                try:
                    await _recorded_there(client, options, recorder)
                    return
                except HallUnreachable as exc:
                    if exc.code != "client.unreachable" or recorder.lines:
                        raise
            await _recorded_here(config, options.device, recorder)


async def _recorded_there(client: HallClient, options: Namespace, recorder: recording.Recorder) -> None:
    """From the running daemon; `anew` lets the device say hello first, so that the recording can be replayed."""
    view = next(view for view in await client.devices() if view.device == options.device)
    recorder.begin(view.identity, datetime.now(CHINA))
    if options.anew:
        await client.disable_device(options.device)
    try:
        lines = aiter(client.trace(options.device))
        if options.anew:
            asked = asyncio.ensure_future(anext(lines))
            await asyncio.sleep(ANEW_S)
            await client.enable_device(options.device)
            recorder.take(await asked)
        async for line in lines:
            recorder.take(line)
    finally:
        if options.anew:
            await client.enable_device(options.device)


async def _recorded_here(config: HallConfig, device: str, recorder: recording.Recorder) -> None:
    """Without a daemon: the port is free and opened here, and the device asked as the daemon does."""
    clock = Clock()
    found = Devices({device: config.devices[device]}, clock)
    recorder.begin("", datetime.now(CHINA))
    following = wire.follow(found, device, clock, joined=False, silence_s=SETTLE_S)
    async with contextlib.aclosing(following) as lines:
        first = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(0)  # it follows from now on, so that hello is heard
        found.start()
        try:
            line = await first
            while True:
                if line is not None:
                    recorder.take(line)
                line = await anext(lines)
        finally:
            await found.stop()


# --- diagnose ---------------------------------------------------------------------------------------------------------


def diagnose(config: HallConfig, options: Namespace) -> int:
    """Check everything, say what to do, and make one archive; see doctor.Verdict for the exit code."""
    logging.getLogger().setLevel(logging.ERROR)  # the checks say it better
    log = options.log_file.read_text(encoding="utf-8", errors="replace") if options.log_file else ""
    facts, archive, problem = asyncio.run(_asked(config, log))
    found = doctor.checks(facts)
    if options.json:
        _print(json.dumps([_as_json(check) for check in found], ensure_ascii=False, indent=1))
    else:
        _tell(config, found, PLAIN_MARKS if options.ascii else MARKS)
    if problem is not None:
        sys.stderr.write(f"{problem.zh}\n{problem.en}\n")
        return Verdict.FAULT
    if archive is not None and not options.brief:
        leaks = sum(bundle.search(archive, frozenset()).values())
        now = datetime.now(CHINA)
        file = options.to / f"hall-diagnose-{config.code}-{now:%m%d-%H%M%S}.tar.gz"
        file.write_bytes(archive)
        file.chmod(0o600)
        said = text("doctor.archive", file=file, kib=-(-len(archive) // 1024), n=leaks)
        sys.stderr.write(f"{said.zh}\n{said.en}\n")
    return doctor.verdict(found)


async def _asked(config: HallConfig, log: str) -> tuple[Facts, bytes | None, Text | None]:
    """What is known, the archive, and why there is none."""
    async with client_of(config) as client:
        try:
            state = await anext(aiter(client.hall_states()))
        except HallUnreachable as exc:
            if exc.code != "client.unreachable":
                raise
            return await _asked_here(config, log)
        health_line = json.loads(await _health(client))
        facts = Facts(
            state=state, devices=state.devices, writable=bool(health_line.get("store_writable", False)),
            day_open=bool(health_line.get("day_open", False)), voice=_clips(config),
        )  # fmt: skip
        try:
            return facts, await client.support_archive(), None
        except RequestRefused as exc:
            return facts, None, exc.text


async def _health(client: HallClient) -> str:
    try:
        return await client.health()
    except (RequestRefused, HallUnreachable):
        return "{}"  # not well: what it would have said is said by its absence


async def _asked_here(config: HallConfig, log: str) -> tuple[Facts, bytes, Text | None]:
    """Without a daemon: greet the devices here; the log is where the service manager keeps it."""
    views = await _greeted(config)
    states = tuple(DeviceState(view=v, health=health(v), state=_state(v)) for v in views)
    lines = log.splitlines()[-bundle.MOST_LOG_LINES :]
    parts = basic_parts(config, "\n".join(lines))
    parts["devices.json"] = json.dumps([s.model_dump(mode="json") for s in states], ensure_ascii=False, indent=1)
    facts = Facts(
        state=None, devices=states, voice=_clips(config), log_lines=len(lines),
        log_leaks=bundle.count_leaks("\n".join(lines), ()),
    )  # fmt: skip
    packed = bundle.pack(parts, frozenset())
    if packed.leaks:
        told = text("hall.bundle_leaks", n=sum(packed.leaks.values()), parts=", ".join(sorted(packed.leaks)))
        return facts, b"", told
    return facts, packed.data, None


def _clips(config: HallConfig) -> VoiceState:
    """Looked at here: `diagnose` runs on the hall's machine."""
    return Voice(config.voice_folder, lambda: config.profile, config.public.voice).state()


def _state(view: DeviceView) -> Text:
    first = worst_of(troubles_in(view))
    return name_of(first) if first else name_of(CONNECTING) if view.link == CONNECTING else text("trouble.none")


def _tell(config: HallConfig, found: Sequence[Check], marks: dict[Health, str]) -> None:
    _print(f"hall-daemon diagnose   {config.profile.hall.zh}   {datetime.now(CHINA):%Y-%m-%d %H:%M:%S}")
    section = None
    for check in found:
        if check.section != section:
            section = check.section
            _print(f"\n{section.zh} {section.en}")
        _print(f"  {marks[check.health]} {_fit(check.name.zh, 14)} {check.value.zh}")
        if check.remedy is not None:
            _print(f"      → {check.remedy.zh}")
            _print(f"        {check.remedy.en}")
    counts = {h: sum(check.health is h for check in found) for h in Health}
    said = text("doctor.count", bad=counts[Health.BAD], warn=counts[Health.WARN], ok=counts[Health.OK])
    _print(f"\n{said.zh}   exit {int(doctor.verdict(found))}")
    first = min(
        (check for check in found if check.remedy), key=lambda check: check.health is not Health.BAD, default=None
    )
    if first is not None and first.remedy is not None:
        _print(say("doctor.first", remedy=first.remedy, name=first.name, value=first.value).zh)


def _as_json(check: Check) -> dict[str, object]:
    return {
        "section": check.section.model_dump(), "name": check.name.model_dump(), "health": check.health.value,
        "value": check.value.model_dump(), "remedy": check.remedy.model_dump() if check.remedy else None,
    }  # fmt: skip
