"""Command line of the daemon: run, check, devices, test, trace, diagnose, pads, account, verify, why.

Every failure is one sentence on standard error. Exit codes: 0 well, 1 something is wrong with what was asked about,
2 the configuration or the command is wrong, 3 the database cannot be used. `diagnose` has its own: 0 all well,
1 attention, 2 fault, 3 could not run.

Rooms are loaded by the command that needs them: the imaging process, which the daemon spawns, loads this file as well.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hall_daemon.config import HallConfig

_WRONG_CONFIGURATION, _COULD_NOT_RUN = 2, 3
SHOWN_DIFFERENCES = 20

SWITCH_S = 0.0005
"""The writer gives the interpreter away at every statement; by default it would get it back after 5 ms."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=getattr(logging, options.log.upper()), stream=sys.stderr,
        format="%(asctime)s %(levelname)-7s %(name)s  %(message)s",
    )  # fmt: skip
    for talkative in ("httpx", "httpcore", "uvicorn.error", "asyncio"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    from hall_daemon.client import ClientError  # noqa: PLC0415 - not for the imaging process
    from hall_daemon.config import ConfigError, load  # noqa: PLC0415 - as above
    from hall_daemon.database import StoreError  # noqa: PLC0415 - as above

    try:
        return int(options.command(load(options.config), options))
    except ConfigError as exc:
        return _say(str(exc), _COULD_NOT_RUN if options.command is _diagnose else _WRONG_CONFIGURATION)
    except StoreError as exc:
        return _say(str(exc), _COULD_NOT_RUN)
    except ClientError as exc:
        return _say(f"{exc.text.zh}\n{exc.text.en}", _COULD_NOT_RUN)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hall-daemon", description="Counter and kiosk hardware daemon of a government service hall (政务服务大厅)."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command, sentence in (
        ("run", _run, "Run the hall until SIGTERM or Ctrl-C."),
        ("check", _check, "Check the configuration; opens no port and no database."),
        ("devices", _devices, "Table of all devices: asks the running daemon, else opens the ports itself."),
        ("test", _test, "Self-test of one device: what can be seen, heard and counted. Prints no ticket."),
        ("trace", _trace, "Record what passes between one device and its driver, without anything personal."),
        ("diagnose", _diagnose, "Check everything, say what to do, and make one archive without anything personal."),
        ("day", _day, "Show the service day; open, drain, close, emergency, reopen."),
        ("catalogue", _catalogue, "Show the catalogue in force and what waits; approve, reject, suspend, resume."),
        ("pads", _pads, "Key in the numbers of emergency pads from a file; it may be sent again as it is."),
        ("voice", _voice, "Build the clips of the hall's voice, or tell which are missing."),
        (
            "account",
            _account,
            "Who works here: add, list, lock, unlock, pin, skills. A PIN is asked for, no argument.",
        ),
        ("verify", _verify, "Recompute the hashes of the event log and name the first difference."),
        ("why", _why, "Why others were called before a number, from what was kept with each call."),
    ):
        sub = commands.add_parser(name, help=sentence, description=sentence)
        sub.add_argument("--config", type=Path, default=Path("devices.toml"), help="configuration (devices.toml)")
        sub.add_argument(
            "--log", choices=("debug", "info", "warning", "error"), default="info", help="log level (info)"
        )
        sub.set_defaults(command=command)
        _more(sub, name)
        _more_of_the_log(sub, name)
    return parser


def _more(sub: argparse.ArgumentParser, name: str) -> None:
    if name in ("catalogue", "day"):
        from hall_daemon import commands_day  # noqa: PLC0415 - only these commands need it

        (commands_day.catalogue_arguments if name == "catalogue" else commands_day.day_arguments)(sub)
    if name == "pads":
        from hall_daemon import commands_pads  # noqa: PLC0415 - as above

        commands_pads.pads_arguments(sub)
    if name in ("devices", "test", "diagnose"):
        sub.add_argument("--ascii", action="store_true", help="marks + ! X instead of shapes")
    if name in ("devices", "diagnose"):
        sub.add_argument("--json", action="store_true", help="the same for programs")
    if name == "account":
        sub.add_argument("deed", choices=("add", "list", "lock", "unlock", "pin", "skills"))
        sub.add_argument("number", nargs="?", default="", help="staff number, for example c017")
        sub.add_argument("skills", nargs="*", help="queues or items that a clerk knows, for add and skills; none: all")
        sub.add_argument("--name", default="", help="name on the screens, for add")
        sub.add_argument("--role", default="clerk", help="clerk, chief, guide, manager or technician, for add")
    if name == "test":
        sub.add_argument("device", help="the device, as on its sticker")
    if name == "trace":
        sub.add_argument("device", help="the device, as on its sticker")
        sub.add_argument("--to", type=Path, required=True, metavar="FILE", help="new file for the recording")
        sub.add_argument("--seconds", type=float, default=0.0, help="end after so long (until Ctrl-C)")
        sub.add_argument("--anew", action="store_true", help="make the running daemon greet the device again first")
    if name == "voice":
        sub.add_argument("what", choices=("build", "list"), help="build what is missing, or list what there is")
        sub.add_argument("--anew", action="store_true", help="build every clip again; recordings are never touched")
        sub.add_argument("--engine", choices=("best", "kokoro", "espeak"), default="best", help="which voice (best)")
    if name == "diagnose":
        sub.add_argument("--brief", action="store_true", help="checks only, no archive")
        sub.add_argument("--to", type=Path, default=Path(), metavar="DIR", help="folder for the archive (this one)")
        sub.add_argument("--log-file", type=Path, metavar="FILE", help="log to take along while no daemon runs")


def _more_of_the_log(sub: argparse.ArgumentParser, name: str) -> None:
    if name == "verify":
        sub.add_argument("--replay", action="store_true", help="rebuild all tables from the log as well, and compare")
    if name == "why":
        sub.add_argument("number", help="the number that had to wait, as on the slip (of the latest day)")
        sub.add_argument("other", nargs="?", default="", help="only why this number was called before it")


def _say(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr)  # noqa: T201 - this is the command line
    return code


def _run(config: HallConfig, _options: argparse.Namespace) -> int:
    gc.disable()  # until it is ready: what is loaded stays, and looking through it takes a sixth of the start
    import uvloop  # noqa: PLC0415 - only this command needs it

    from hall_daemon.app import Daemon  # noqa: PLC0415 - check and verify start without the web and device rooms

    sys.setswitchinterval(SWITCH_S)

    async def whole() -> None:
        await Daemon(config).run(_collect_from_now)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(whole())
    return 0


def _check(config: HallConfig, _options: argparse.Namespace) -> int:
    from hall_daemon import ports  # noqa: PLC0415 - as in main

    profile = config.profile
    print(  # noqa: T201 - this is the command line
        f"{config.file}: good. {profile.hall.zh} {config.code}: {len(profile.zones)} zones, "
        f"{len(profile.queues)} queues, "
        f"{len(profile.items)} items, {len(profile.windows)} windows, {len(profile.kiosks)} kiosks, "
        f"{len(config.devices)} devices, province {config.province_url or 'none'}"
    )
    for queue in profile.queues.values():
        if not profile.windows_for(queue.code):
            print(f"note: no window serves queue {queue.code} ({queue.name.zh}); its items cannot be taken")  # noqa: T201
    for device in config.devices.values():
        if lasting := ports.advice(device.port):
            print(f"note: {device.name}: {lasting}")  # noqa: T201
    return 0


def _devices(config: HallConfig, options: argparse.Namespace) -> int:
    from hall_daemon import commands  # noqa: PLC0415 - needs the web client and the device rooms

    return commands.devices(config, options)


def _collect_from_now() -> None:
    gc.freeze()
    gc.enable()


def _test(config: HallConfig, options: argparse.Namespace) -> int:
    from hall_daemon import commands  # noqa: PLC0415 - as above

    return commands.test(config, options)


def _trace(config: HallConfig, options: argparse.Namespace) -> int:
    from hall_daemon import commands  # noqa: PLC0415 - as above

    return commands.trace(config, options)


def _diagnose(config: HallConfig, options: argparse.Namespace) -> int:
    from hall_daemon import commands  # noqa: PLC0415 - as above

    return commands.diagnose(config, options)


def _day(config: HallConfig, options: argparse.Namespace) -> int:
    from hall_daemon import commands_day  # noqa: PLC0415 - needs the web client

    return commands_day.day(config, options)


def _catalogue(config: HallConfig, options: argparse.Namespace) -> int:
    from hall_daemon import commands_day  # noqa: PLC0415 - needs the web client

    return commands_day.catalogue(config, options)


def _pads(config: HallConfig, options: argparse.Namespace) -> int:
    from hall_daemon import commands_pads  # noqa: PLC0415 - needs the web client

    return commands_pads.pads(config, options)


def _voice(config: HallConfig, options: argparse.Namespace) -> int:
    from hall_daemon import commands_voice  # noqa: PLC0415 - needs the voice engines

    return commands_voice.voice(config, options)


def _account(config: HallConfig, options: argparse.Namespace) -> int:
    from hall_daemon import commands_account  # noqa: PLC0415 - as above

    return commands_account.account(config, options)


def _verify(config: HallConfig, options: argparse.Namespace) -> int:
    from hall_daemon import store  # noqa: PLC0415 - as in main

    difference = store.verify(_database(config))
    if difference is not None:
        return _say(f"{config.database}: {difference}", 1)
    print(f"{config.database}: every leaf and the whole chain are as they were written")  # noqa: T201 - this is the command line
    return _replay(config) if options.replay else 0


def _replay(config: HallConfig) -> int:
    from hall_daemon import store  # noqa: PLC0415 - as in main

    found = store.replay_differences(config.database)
    for difference in found[:SHOWN_DIFFERENCES]:
        _say(f"{config.database}: {difference}", 1)
    if found:
        return _say(f"{config.database}: {len(found)} differences from the event log", 1)
    print(f"{config.database}: the tables rebuilt from the event log are the same")  # noqa: T201 - as above
    return 0


def _why(config: HallConfig, options: argparse.Namespace) -> int:
    from hall_daemon import store, why  # noqa: PLC0415 - as in main
    from hall_daemon.clock import Clock  # noqa: PLC0415 - as in main

    now_ms = Clock().now_ms()
    sentences = store.ask(
        _database(config),
        lambda session: [
            *why.answer(session, options.number, options.other),
            *why.bound(session, options.number, config.profile, now_ms),
        ],
    )
    for sentence in sentences:
        print(f"{sentence.zh}\n    {sentence.en}")  # noqa: T201 - this is the command line
    return 0 if sentences else _say(f"{options.number}: 今天没有这个号。 There is no such number on this day.", 1)


def _database(config: HallConfig) -> Path:
    from hall_daemon.database import StoreError  # noqa: PLC0415 - as in main

    if not config.database.exists():
        raise StoreError(f"{config.database} does not exist; run the hall first, or correct [hall] database")
    return config.database


if __name__ == "__main__":
    sys.exit(main())
