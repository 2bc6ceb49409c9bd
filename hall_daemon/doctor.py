"""One line per check of a hall, each trouble followed by what to do. Pure: it judges what it is given.

Result for scripts: 0 all well, 1 attention, 2 fault; 3, of the command line, is for who could not even ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from hall_daemon import repair
from hall_daemon.incidents import CONNECTING, troubles_in, worst_of
from hall_daemon.protocol import Text
from hall_daemon.protocol_technician import DeviceState, HallState, Health
from hall_daemon.texts import TEXTS, say, text
from hall_daemon.voice_clips import VoiceState


class Verdict(IntEnum):
    """Exit code of a diagnosis."""

    WELL = 0
    ATTENTION = 1
    FAULT = 2


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line: what was looked at, how it is, and what to do where it is not well."""

    section: Text
    name: Text
    health: Health
    value: Text
    remedy: Text | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known about the hall besides its devices."""

    state: HallState | None
    """None: the daemon does not answer."""
    devices: Sequence[DeviceState]
    writable: bool = True
    day_open: bool = True
    voice: VoiceState | None = None
    """None: nobody looked at the clips."""
    log_lines: int = 0
    log_leaks: int = 0


def checks(facts: Facts) -> list[Check]:
    """Every check, in the order of their sections."""
    return [*_service(facts), *_devices(facts.devices), *_voice(facts.voice), *_province(facts.state), *_safety(facts)]


def verdict(found: Sequence[Check]) -> Verdict:
    """The worst of all checks."""
    if any(check.health is Health.BAD for check in found):
        return Verdict.FAULT
    return Verdict.ATTENTION if any(check.health is Health.WARN for check in found) else Verdict.WELL


def _service(facts: Facts) -> list[Check]:
    section, state = text("doctor.service"), facts.state
    if state is None:
        return [
            Check(
                section=section, name=text("doctor.process"), health=Health.BAD, value=text("doctor.process.away"),
                remedy=text("doctor.process.start"),
            )
        ]  # fmt: skip
    since = state.started[:16].replace("T", " ")
    return [
        Check(
            section=section, name=text("doctor.process"), health=Health.OK,
            value=text("doctor.process.runs", since=since, version=state.version),
        ),
        Check(
            section=section, name=text("doctor.level"), value=say("doctor.level.is", level=state.level,
            words=state.level_text), health={"L0": Health.OK, "L3": Health.BAD}.get(state.level, Health.WARN),
            remedy=None if state.level == "L0" else text("doctor.level.see"),
        ),
        Check(
            section=section, name=text("doctor.store"), health=Health.OK if facts.writable else Health.BAD,
            value=text("doctor.store.good" if facts.writable else "doctor.store.bad"),
            remedy=None if facts.writable else text("doctor.store.remedy"),
        ),
        Check(
            section=section, name=text("doctor.disk"), value=text("doctor.disk.free", mb=state.free_mb),
            health=Health.BAD if state.level == "L3" else Health.OK,
            remedy=text("doctor.disk.remedy") if state.level == "L3" else None,
        ),
        Check(
            section=section, name=text("doctor.day"), health=Health.OK,
            value=text("doctor.day.open" if facts.day_open else "doctor.day.closed"),
        ),
    ]  # fmt: skip


def kind_name(kind: str) -> Text:
    """What a kind of device is called."""
    return text(f"kind.{kind}") if f"kind.{kind}" in TEXTS else Text(zh=kind, en=kind)


def _devices(devices: Sequence[DeviceState]) -> list[Check]:
    section = text("doctor.devices", n=len(devices))
    found = []
    for kind in dict.fromkeys(state.view.kind for state in devices):
        of_kind = [state for state in devices if state.view.kind == kind]
        well = [state for state in of_kind if state.health is Health.OK]
        counted = f"{len(well)}/{len(of_kind)}"
        if len(well) == len(of_kind):
            found.append(Check(section=section, name=kind_name(kind), health=Health.OK, value=_same(counted)))
        found += [_device(section, state, counted) for state in of_kind if state.health is not Health.OK]
    return found


def _device(section: Text, state: DeviceState, counted: str) -> Check:
    view = state.view
    first = worst_of(troubles_in(view)) or CONNECTING
    health = Health.WARN if state.health in (Health.OFF, Health.BUSY) else state.health
    return Check(
        section=section, name=kind_name(view.kind), health=health, remedy=repair.advice(first, view.port),
        value=say("doctor.device", counted=counted, device=view.device, state=state.state),
    )  # fmt: skip


def _same(words: str) -> Text:
    return Text(zh=words, en=words)


def _voice(state: VoiceState | None) -> list[Check]:
    """Clips that are not built are no trouble: each sentence is then made when it is needed."""
    if state is None:
        return []
    if not state.engine and not state.recorded and not state.broken:
        value, health, remedy = text("doctor.voice.none"), Health.OK, None
    else:
        value = text(
            "doctor.voice.is", engine=state.engine or "--", present=state.present, needed=state.needed,
            recorded=state.recorded,
        )  # fmt: skip
        remedy = _voice_remedy(state)
        health = Health.WARN if remedy else Health.OK
    section, name = text("doctor.service"), text("doctor.voice")
    return [Check(section=section, name=name, health=health, value=value, remedy=remedy)]


def _voice_remedy(state: VoiceState) -> Text | None:
    if state.broken:
        return text("doctor.voice.broken", first=state.broken[0])
    if state.missing:
        return text("doctor.voice.build", missing=state.missing[0], n=len(state.missing))
    return None


def _province(state: HallState | None) -> list[Check]:
    if state is None:
        return []
    well = state.province in (text("link.province_well"), text("link.province_none"))
    return [
        Check(
            section=text("doctor.province"), name=text("doctor.province.link"), value=state.province,
            health=Health.OK if well else Health.WARN, remedy=None if well else text("doctor.province.remedy"),
        ),
        Check(
            section=text("doctor.province"), name=text("doctor.province.sync"), health=Health.OK,
            value=text("doctor.province.left", n=state.to_province),
        ),
    ]  # fmt: skip


def _safety(facts: Facts) -> list[Check]:
    if not facts.log_lines:
        return []
    return [
        Check(
            section=text("doctor.safety"), name=text("doctor.log"),
            health=Health.BAD if facts.log_leaks else Health.OK,
            value=text("doctor.log.searched", lines=facts.log_lines, n=facts.log_leaks),
            remedy=text("doctor.log.remedy") if facts.log_leaks else None,
        )
    ]  # fmt: skip
