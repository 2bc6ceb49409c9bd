"""What a technician types about the catalogue and the service day: asks the running daemon, which decides."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser, Namespace

from hall_daemon.client import Limits
from hall_daemon.client_day import DayClient
from hall_daemon.config import HallConfig
from hall_daemon.protocol_day import TECHNICIAN, CatalogueEntry, CatalogueView, CloseDay, DayView, EmergencyClose
from hall_daemon.texts import text

KNOCK = Limits(connect_s=2.0, answer_s=30.0)


def _print(line: str = "") -> None:
    print(line)  # noqa: T201 - this is the command line


def client(config: HallConfig) -> DayClient:
    """The running daemon of this machine, as its technician."""
    host = "127.0.0.1" if config.host in ("0.0.0.0", "::", "localhost") else config.host
    shown = f"[{host}]" if ":" in host else host
    return DayClient(f"http://{shown}:{config.port}", config.secrets.tokens.get("technician", ""), limits=KNOCK)


def catalogue_arguments(parser: ArgumentParser) -> None:
    """What may stand behind `hall-daemon catalogue`."""
    does = parser.add_subparsers(required=True, metavar="WHAT", dest="what")
    does.add_parser("status", help="what is in force, what waits, what was wrong, which items are suspended")
    for name, sentence in (
        ("approve", "take a catalogue that is held, with what was found in it"),
        ("reject", "do not take it; the one in force stays"),
    ):
        sub = does.add_parser(name, help=sentence)
        sub.add_argument("version", type=int, help="its version, as status tells it")
        sub.add_argument("--by", default=TECHNICIAN, help="who decides, as it goes into the audit")
    for name, sentence in (
        ("suspend", "give no new numbers for an item until the day ends"),
        ("resume", "give numbers for it again"),
    ):
        sub = does.add_parser(name, help=sentence)
        sub.add_argument("item", help="its code")
        sub.add_argument("--by", default=TECHNICIAN, help="who decides, as it goes into the audit")
        if name == "suspend":
            sub.add_argument("--reason", required=True, help="why; residents read it, and it goes into the audit")


def catalogue(config: HallConfig, options: Namespace) -> int:
    """Show or decide; 1 if a catalogue waits for a person."""
    return asyncio.run(_catalogue(config, options))


async def _catalogue(config: HallConfig, options: Namespace) -> int:
    async with client(config) as hall:
        if options.what == "approve":
            _tell_entry(await hall.approve_catalogue(options.version, options.by))
        elif options.what == "reject":
            _tell_entry(await hall.reject_catalogue(options.version, options.by))
        elif options.what == "suspend":
            await hall.suspend_item(options.item, options.by, options.reason)
        elif options.what == "resume":
            await hall.resume_item(options.item, options.by)
        view = await hall.catalogue()
    if options.what in ("status", "suspend", "resume"):
        tell_catalogue(view)
    return 1 if any(entry.state == "held" for entry in view.entries) else 0


def tell_catalogue(view: CatalogueView) -> None:
    """Print it for a technician."""
    _print(f"{text('catalogue.in_force', version=view.version, items=view.items).zh}")
    for entry in view.entries:
        _tell_entry(entry)
    for item in view.suspended:
        waiting = " ".join(item.waiting) or "-"
        _print(text("catalogue.suspended_line", item=item.item, name=item.name.zh, waiting=waiting).zh)
        if item.reason:
            _print(f"    {item.reason}")
    if view.unplaced:
        _print(text("catalogue.unplaced_line", n=len(view.unplaced), items=" ".join(view.unplaced[:10])).zh)


def _tell_entry(entry: CatalogueEntry) -> None:
    urgent = " !" if entry.urgent else ""
    _print(f"  {entry.version}{urgent}  {entry.state_text.zh}  {entry.received[:16]}  {entry.content_sm3[:8]}")
    if entry.state in ("held", "refused", "active"):
        for finding in entry.findings[:20]:
            _print(f"      {finding.text.zh}")
        if (more := len(entry.findings) - 20 + entry.more_findings) > 0:
            _print(f"      {text('catalogue.more_findings', n=more).zh}")


def day_arguments(parser: ArgumentParser) -> None:
    """What may stand behind `hall-daemon day`."""
    does = parser.add_subparsers(required=True, metavar="WHAT", dest="what")
    for name, sentence in (
        ("status", "where the service day stands, who is still there, what the self-test found"),
        ("open", "begin the service day"),
        ("drain", "give no more numbers; who has one is served"),
        ("close", "end the service day; with people there only if --waiting says how many"),
        ("emergency", "紧急闭厅: nobody is called, no number given"),
        ("reopen", "take back drain or emergency"),
        ("power-failing", "for the UPS's own program: no calls, no scans, everything on the disk"),
        ("power-back", "the same, once the power is back"),
    ):
        sub = does.add_parser(name, help=sentence, description=sentence)
        sub.add_argument("--by", default=TECHNICIAN, help="who decides, as it goes into the audit")
        if name == "close":
            sub.add_argument("--waiting", type=int, help="so many are waiting, as status tells")
            sub.add_argument("--called", type=int, default=0, help="so many are being called")
            sub.add_argument("--parked", type=int, default=0, help="so many are parked")
        if name == "emergency":
            sub.add_argument("--reason", required=True, help="why; residents read it, and it goes into the audit")
            sub.add_argument(
                "--tickets", choices=("valid_2h", "priority_next_day"), default="valid_2h", help="what becomes of them"
            )


def day(config: HallConfig, options: Namespace) -> int:
    """Show or move the day; 1 if it waits for a person."""
    return asyncio.run(_day(config, options))


async def _day(config: HallConfig, options: Namespace) -> int:
    async with client(config) as hall:
        await _moved(hall, options)
        view = await hall.day()
    _tell_day(view)
    return 1 if view.question is not None else 0


async def _moved(hall: DayClient, options: Namespace) -> None:
    if options.what == "open":
        await hall.open_day()
    elif options.what == "drain":
        await hall.drain_day(options.by)
    elif options.what == "close":
        close = CloseDay(by=options.by, waiting=options.waiting, called=options.called, parked=options.parked)
        await hall.close_day(close)
    elif options.what == "emergency":
        await hall.close_in_emergency(EmergencyClose(by=options.by, reason=options.reason, tickets=options.tickets))
    elif options.what in ("power-failing", "power-back"):
        await hall.tell_power(options.by, failing=options.what == "power-failing")
    elif options.what == "reopen":
        await hall.reopen_day(options.by)


def _tell_day(view: DayView) -> None:
    _print(text("day.status", bizdate=view.bizdate, state=view.state_text.zh).zh)
    _print(text("day.people", waiting=view.waiting, called=view.called, parked=view.parked, no_show=view.no_show).zh)
    if view.planned_close or view.halted_until:
        until = (view.halted_until or view.planned_close)[11:16]
        _print(text("day.until", until=until, opens=view.next_opening.zh).zh)
    for said in (*((view.question,) if view.question else ()), *view.notices, *view.checks):
        _print(f"  ! {said.zh}")
