"""What an administrator types: account add, list, lock, unlock, pin, skills.

Asks the running daemon where there is one; else the database is free and opened here. A PIN is asked for twice on the
terminal, or read as two lines from a pipe; it stands in no argument, no environment and no log.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import sys
from argparse import Namespace
from collections.abc import AsyncIterator

from hall_daemon.accounts import Accounts
from hall_daemon.client import HallClient, HallUnreachable, RequestRefused
from hall_daemon.clock import Clock
from hall_daemon.commands import client_of
from hall_daemon.config import ConfigError, HallConfig
from hall_daemon.hall import Hall
from hall_daemon.protocol import Text
from hall_daemon.protocol_clerks import AccountView, NewAccount
from hall_daemon.store import Store
from hall_daemon.texts import text
from hall_daemon.tickets import HallError

BY = "technician"
"""Who did it, for the audit: the command line knows the role, not the person."""


def account(config: HallConfig, options: Namespace) -> int:
    """Run one deed; 0 done, 1 refused. Raises ConfigError where the command is wrong."""
    if options.deed != "list" and not options.number:
        raise ConfigError(f"account {options.deed}: which staff number? hall-daemon account {options.deed} c017")
    pin = _new_pin() if options.deed in ("add", "pin") else ""
    try:
        return asyncio.run(_do(config, options, pin))
    except HallError as exc:
        return _refused(exc.sentence)
    except RequestRefused as exc:
        return _refused(exc.text)


def _new_pin() -> str:
    """Asked for twice. Raises ConfigError where they differ."""
    if sys.stdin.isatty():
        once, twice = getpass.getpass("PIN: "), getpass.getpass("PIN, again: ")
    else:
        once, twice = (sys.stdin.readline().rstrip("\n") for _ in range(2))
    if once != twice:
        raise ConfigError("account: the two PINs differ; nothing was changed")
    return once


def _refused(sentence: Text) -> int:
    sys.stderr.write(f"{sentence.zh}\n{sentence.en}\n")
    return 1


async def _do(config: HallConfig, options: Namespace, pin: str) -> int:
    async with client_of(config) as client:
        try:
            await _there(client, options, pin)
            return 0
        except HallUnreachable as exc:
            if exc.code != "client.unreachable":
                raise
    async with _here(config) as accounts:
        await _change(accounts, options, pin)
    return 0


def _new(options: Namespace, pin: str) -> NewAccount:
    return NewAccount(
        number=options.number, name=options.name or options.number, role=options.role, pin=pin,
        skills=tuple(options.skills),
    )  # fmt: skip


async def _there(client: HallClient, options: Namespace, pin: str) -> None:
    number = options.number
    if options.deed == "list":
        _table(await client.accounts())
    elif options.deed == "add":
        await client.add_account(_new(options, pin))
    elif options.deed == "skills":
        await client.set_skills(number, tuple(options.skills))
    elif options.deed == "pin":
        await client.set_pin(number, pin)
    else:
        await client.lock_account(number, on=options.deed == "lock")


async def _change(accounts: Accounts, options: Namespace, pin: str) -> None:
    number = options.number
    if options.deed == "list":
        _table(await accounts.views())
    elif options.deed == "add":
        await accounts.add(_new(options, pin), BY)
    elif options.deed == "skills":
        await accounts.set_skills(number, options.skills, BY)
    elif options.deed == "pin":
        await accounts.set_pin(number, pin, BY)
    elif options.deed == "lock":
        await accounts.lock(number, BY)
    else:
        await accounts.unlock(number, BY)


@contextlib.asynccontextmanager
async def _here(config: HallConfig) -> AsyncIterator[Accounts]:
    """Without a daemon: the database is free. Raises StoreError."""
    clock = Clock()
    store = Store(config.database, config.code, clock)
    accounts = Accounts(Hall(config, store, clock))
    await asyncio.to_thread(store.open)
    try:
        store.start()
        await accounts.take_up()
        yield accounts
    finally:
        await asyncio.to_thread(store.close)


def _table(found: tuple[AccountView, ...]) -> None:
    for one in found:
        state = "locked" if one.locked else f"locked for {-(-one.locked_s // 60)} min" if one.locked_s else ""
        state = state or ("" if one.has_pin else "no PIN")
        place = text("message.window", window=one.window).en if one.window else ""
        print(f"{one.number:<12} {one.role:<10} {state:<18} {place:<12} {one.name}  {' '.join(one.skills)}".rstrip())  # noqa: T201 - the command line
