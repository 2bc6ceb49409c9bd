"""Where a device belongs in the hall, and what its failure means for people. Pure, on the hall's profile."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from hall_daemon.profile import HallProfile, Kiosk
from hall_daemon.protocol import Text
from hall_daemon.protocol_technician import DeviceGroup
from hall_daemon.texts import TEXTS, say, text

Kind = Literal["kiosk", "window", "zone"]


def groups(profile: HallProfile, devices: Iterable[str]) -> tuple[DeviceGroup, ...]:
    """Kiosks, windows and zones with their devices, in the order of the configuration; then what nothing uses."""
    known = tuple(devices)
    found = [
        *(_group("kiosk", k.code, k.name, k, known) for k in profile.kiosks.values()),
        *(_group("window", w.code, text("place.window", window=w.code), w, known) for w in profile.windows.values()),
        *(_group("zone", z.code, z.name, z, known) for z in profile.zones.values()),
    ]
    used = {device for group in found for device in group.devices}
    rest = tuple(device for device in known if device not in used)
    if rest:
        found.append(DeviceGroup(kind="unused", code="", name=text("place.unused"), devices=rest))
    return tuple(group for group in found if group.devices)


def _group(kind: Kind, code: str, name: Text, place: object, known: tuple[str, ...]) -> DeviceGroup:
    """Whatever of a place's facts names a device is a device of it; a new kind of device needs no line here."""
    named: list[str] = []
    for value in vars(place).values():
        named += [value] if isinstance(value, str) else value if isinstance(value, tuple) else []
    return DeviceGroup(kind=kind, code=code, name=name, devices=tuple(d for d in dict.fromkeys(named) if d in known))


def place_of(device: str, known: tuple[DeviceGroup, ...]) -> Text:
    """Where it stands; a scanner between two windows has two places."""
    names = [group.name for group in known if device in group.devices]
    return Text(zh="、".join(n.zh for n in names), en=", ".join(n.en or n.zh for n in names))


def effect(
    device: str,
    kind: str,
    profile: HallProfile,
    known: tuple[DeviceGroup, ...],
    serves: Callable[[str], bool],
    in_service: Callable[[str], bool],
    *,
    lost: bool,
    low: bool = False,
) -> Text:
    """What the state of a device means for residents and clerks now.

    `lost`: it cannot do its job; `low`: it can, and warns. `serves` tells whether another device can do its job,
    `in_service` whether a kiosk is out for maintenance or not.
    """
    where = [group for group in known if device in group.devices and group.kind != "unused"]
    if not where:
        return text("effect.unused")
    if not lost and not (low and kind == "printer"):
        return text("effect.none")
    place = place_of(device, known)
    if not lost:
        return say("effect.printer.low", place=place)
    kiosk = next((profile.kiosks[g.code] for g in where if g.kind == "kiosk"), None)
    if kiosk is not None and kind in ("printer", "card_reader"):
        return _at_kiosk(device, kind, place, kiosk, _Neighbours(profile, serves, in_service))
    code = f"effect.{kind}"
    return say(code if code in TEXTS else "effect.other", place=place)


class _Neighbours:
    """Other kiosks that could help."""

    def __init__(self, profile: HallProfile, serves: Callable[[str], bool], in_service: Callable[[str], bool]) -> None:
        self._profile, self.serves, self._in_service = profile, serves, in_service

    def of(self, kiosk: Kiosk, kind: str) -> Text | None:
        for other in self._profile.kiosks.values():
            devices = other.card_readers if kind == "card_reader" else (other.printer,)
            if other.code != kiosk.code and self._in_service(other.code) and any(map(self.serves, devices)):
                return other.name
        return None


def _at_kiosk(device: str, kind: str, place: Text, kiosk: Kiosk, neighbours: _Neighbours) -> Text:
    others = [reader for reader in kiosk.card_readers if reader != device]
    if kind == "card_reader" and any(map(neighbours.serves, others)):
        return say("effect.card_reader.other", place=place)
    neighbour = neighbours.of(kiosk, kind)
    if neighbour is None:
        return say(f"effect.{kind}", place=place)
    return say(f"effect.{kind}.at", place=place, neighbour=neighbour)
