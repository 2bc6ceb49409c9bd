"""The places of devices.toml: zones, queues, windows, kiosks, and who may sit at a window."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from drivers.base import (
    Announcer,
    CallDisplay,
    Caller,
    CardReader,
    Driver,
    Evaluator,
    Keypad,
    PageScanner,
    SlipPrinter,
)  # fmt: skip
from hall_daemon import access
from hall_daemon.config_devices import DeviceConfig
from hall_daemon.config_table import ConfigError, Table, nearest
from hall_daemon.profile import Clerk, DeskRules, Kiosk, Queue, Window, Zone
from hall_daemon.queueing import HEAVIEST
from hall_daemon.words import CounterKind


def read_zone(key: str, table: Table, devices: Mapping[str, DeviceConfig]) -> Zone:
    """A place in the hall."""
    _check_name(table, "zone", key, 8)
    return Zone(code=key, name=table.name_pair(), announcer=_device_for(table, "announcer", devices, Announcer))


def read_desk(hall: Table) -> DeskRules:
    """What [hall] says about its counters."""
    return DeskRules(
        idle_minutes=hall.number("idle_minutes", 15, 0, 480), outcome_required=hall.truth("outcome_required", True)
    )


def read_clerk(key: str, table: Table) -> Clerk:
    """Who may sign in."""
    _check_name(table, "clerk", key, 32)
    pin_hash = table.text("pin_hash", "")
    if pin_hash and not access.is_hash(pin_hash):
        # The value is not repeated: whoever writes a PIN here by mistake finds it in no log.
        raise table.wrong("pin_hash", "should be an argon2id hash; `hall-daemon account pin` needs none here")
    role = table.reference("role", [r.value for r in access.PEOPLE], "role", access.Role.CLERK.value)
    return Clerk(code=key, name=table.text("name"), role=role, pin_hash=pin_hash, skills=table.texts("skills", []))


def check_skills(file: str, clerks: Mapping[str, Clerk], known: Iterable[str]) -> None:
    """Skills are queues or items that there are."""
    known = list(known)
    for clerk in clerks.values():
        for skill in clerk.skills:
            if skill not in known:
                raise ConfigError(
                    f"{file}: [clerk.{clerk.code}] skills: there is no queue or item '{skill}'{nearest(skill, known)}"
                )


def check_order(file: str, queues: Mapping[str, Queue]) -> None:
    """No queue waits for itself, by whatever way round."""
    for queue in queues.values():
        known = list(queues)
        for before in queue.after:
            if before not in queues:
                raise ConfigError(
                    f"{file}: [queue.{queue.code}] after: there is no queue '{before}'{nearest(before, known)}"
                )
        met, ahead = set(), list(queue.after)
        while ahead:
            code = ahead.pop()
            if code == queue.code:
                raise ConfigError(f"{file}: [queue.{queue.code}] after: queue {queue.code} would wait for itself")
            if code not in met and code in queues:
                met.add(code)
                ahead += queues[code].after


def _check_name(table: Table, kind: str, key: str, longest: int) -> None:
    """Names that travel in events and addresses."""
    if len(key) > longest or not re.fullmatch(r"[0-9A-Za-z-]+", key):
        raise ConfigError(f"{table.file}: [{kind}.{key}]: a {kind}'s name has at most {longest} letters and digits")


def read_queue(key: str, table: Table, zones: Mapping[str, Zone]) -> Queue:
    """A queue and its letter."""
    if not re.fullmatch(r"[A-HJ-NPR-UWZ]", key):
        raise ConfigError(f"{table.file}: [queue.{key}]: a queue's letter is A to Z without I, O, Q, V, X and Y")
    zone = table.reference("zone", zones, "zone")
    items, item_caps = table.texts("items", []), table.numbers("item_caps", 1, 9999)
    for item in item_caps:
        table.check_known("item_caps", item, items, "item of this queue")
    return Queue(
        code=key, name=table.name_pair(), zone=zone, items=items, after=table.texts("after", []),
        daily_cap=table.number("daily_cap", 0, 0, 9999), person_cap=table.number("person_cap", 0, 0, 99),
        item_caps=item_caps,
    )  # fmt: skip


def read_window(
    key: str, table: Table, zones: Mapping[str, Zone], queues: Mapping[str, Queue],
    devices: Mapping[str, DeviceConfig],
) -> Window:  # fmt: skip
    """A window, what stands on it, and the queues that it serves."""
    _check_name(table, "window", key, 8)
    kind = table.reference("counter_kind", [k.value for k in CounterKind], "counter kind")
    weights = table.numbers("weights", 1, HEAVIEST)
    for queue in weights:
        table.check_known("weights", queue, table.texts("queues"), "queue at this window")
    return Window(
        code=key,
        zone=table.reference("zone", zones, "zone"),
        counter_kind=CounterKind(kind),
        queues=table.references("queues", queues, "queue"),
        display=_device_for(table, "display", devices, CallDisplay),
        scanner=_device_for(table, "scanner", devices, PageScanner),
        caller=_device_for(table, "caller", devices, Caller),
        evaluator=_device_for(table, "evaluator", devices, Evaluator),
        weights=weights,
        printer=_device_for(table, "printer", devices, SlipPrinter),
    )


def read_kiosk(key: str, table: Table, queues: Mapping[str, Queue], devices: Mapping[str, DeviceConfig]) -> Kiosk:
    """A ticket machine and its devices."""
    _check_name(table, "kiosk", key, 16)
    readers = table.references("card_readers", devices, "device", [])
    for reader in readers:
        _check_capability(table, "card_readers", devices[reader], CardReader)
    return Kiosk(
        code=key,
        name=table.name_pair(),
        card_readers=readers,
        keypad=_device_for(table, "keypad", devices, Keypad),
        printer=_device_for(table, "printer", devices, SlipPrinter),
        queues=table.references("queues", queues, "queue"),
        screen=table.reference("screen", ("yes", "no"), "answer", "yes") == "yes",
    )


def check_single_use(file: str, windows: Mapping[str, Window], kiosks: Mapping[str, Kiosk]) -> None:
    """A scanner may stand between windows; what shows, reads or is typed on belongs to one place."""
    users = [(device, f"window.{w.code}") for w in windows.values() for device in (w.display, w.caller, w.evaluator)]
    for kiosk in kiosks.values():
        users += [(device, f"kiosk.{kiosk.code}") for device in (*kiosk.card_readers, kiosk.keypad)]
    seen: dict[str, str] = {}
    for device, place in users:
        other = seen.setdefault(device, place)
        if device and other != place:
            raise ConfigError(f"{file}: [{other}] and [{place}] both use {device}; it serves one of them")


def _device_for(table: Table, key: str, devices: Mapping[str, DeviceConfig], capability: type[Driver[Any, Any]]) -> str:
    """The device that a place names for a purpose, or ""."""
    name = table.reference(key, devices, "device", "")
    if name:
        _check_capability(table, key, devices[name], capability)
    return name


def _check_capability(table: Table, key: str, device: DeviceConfig, capability: type[Driver[Any, Any]]) -> None:
    if not issubclass(device.driver_type, capability):
        kind, wanted = _with_article(device.kind), _with_article(capability.kind)
        raise table.wrong(key, f"{device.name} is {kind} ({device.driver}), not {wanted}")


def _with_article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
