"""The thread of one port: open, say hello, poll, do jobs, notice a hang-up, reconnect for ever.

One thread per port, because displays share one line and the thread is its arbiter. It alone decides whether a device is
there. What it finds out goes to `report`; what it counts stands in each device's Counts, replaced as a whole.

A driver that does not come back within its limit is cut off from outside (`watch`): its link ends, so that its call
fails and the thread is free again. One that hangs elsewhere cannot be freed: its port is dead until it comes back.
"""

from __future__ import annotations

import logging
import math
import random
import select
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from drivers.base import (
    POLL_LIMIT_S,
    QUESTION_LIMIT_S,
    BadReply,
    Caller,
    CallerPress,
    CardGone,
    CardRead,
    CardReader,
    CodeRead,
    CodeReader,
    Condition,
    DeviceError,
    Driver,
    Evaluator,
    GradeGiven,
    Identity,
    Key,
    Keypad,
    LinkError,
    Refused,
    Unconfirmed,
)  # fmt: skip
from drivers.transport import Link, Traffic, open_link
from hall_daemon.config import DeviceConfig
from hall_daemon.devices_claims import Claims
from hall_daemon.devices_mailbox import DeviceUnavailable, Job, Mailbox, OutcomeUnknown, Urgency
from hall_daemon.devices_memory import Memories
from hall_daemon.ports import can_be_seen, presence, same_port

_log = logging.getLogger("devices")
_wire = logging.getLogger("wire")

SHORTEST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
AFTER_A_BUG_S = 30.0
SILENCES_UNTIL_OFFLINE = 3
ASK_CONDITIONS_S = 2.0
"""Between two questions on a port; each device of a line is asked in its turn, so that questions do not fill it."""
CALM_AFTER_CALL_S = 3.0
"""While calls follow each other, a line is kept free for the next one, and nobody is asked for conditions."""
LONGEST_UNASKED_S = 30.0
"""After its turn a device is asked all the same."""
LOOK_FOR_PORT_S = 0.5
"""How often an absent path is looked for, so that a plugged-in cable is seen at once."""
OPEN_LIMIT_S = 10.0
LATE_S = 1.0
"""How much later than its limit a driver may be before it is cut off."""
CUT_LIMIT_S = 2.0
ANSWERS_KEPT = 20
_HUNG_UP = select.POLLHUP | select.POLLRDHUP | select.POLLERR | select.POLLNVAL
_NEVER = float("inf")


class LinkState(StrEnum):
    """Whether a device can be talked to; set by the worker only."""

    CONNECTING = "connecting"
    ONLINE = "online"
    OFFLINE = "offline"
    DISABLED = "disabled"


@dataclass(frozen=True)
class CardTrouble:
    """A card lies there that could not be read."""

    condition: Condition


Input = CardRead | CardGone | CardTrouble | Key | CallerPress | GradeGiven | CodeRead


def _polls(driver: Driver[Any, Any]) -> list[Callable[[float], Input | None]]:
    """How a driver is asked for news of people; empty for one that nobody touches."""
    polls: list[Callable[[float], Input | None]] = []
    if isinstance(driver, CardReader):
        polls.append(driver.poll_card)
    if isinstance(driver, Keypad):
        polls.append(driver.poll_key)
    if isinstance(driver, Caller):
        polls.append(driver.poll_press)
    if isinstance(driver, Evaluator):
        polls.append(driver.poll_grade)
    if isinstance(driver, CodeReader):
        polls.append(driver.poll_code)
    return polls


@dataclass(frozen=True, kw_only=True)
class Passed:
    """Traffic of a device; monotonic seconds."""

    at_s: float
    traffic: Traffic


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What happened to a device since the start."""

    jobs: int = 0
    failures: int = 0
    """Jobs that were not done, or perhaps not."""
    silences: int = 0
    reconnects: int = 0
    """How often it came back after it had gone."""
    restarts: int = 0
    """How often its driver hung and was cut off."""
    answer_ms: float | None = None
    """Median time of the last questions for conditions; None before the first answer."""


@dataclass(frozen=True)
class _Doing:
    """What the thread is in the middle of; monotonic seconds."""

    device: str
    deed: str
    until_s: float


class _Slot:
    """A device as its port's thread sees it."""

    def __init__(self, config: DeviceConfig) -> None:
        self.config = config
        self.log = logging.getLogger(f"device.{config.name}")
        self.told = LinkState.CONNECTING
        self.driver: Driver[Any, Any] | None = None
        self.disabled = False
        self.silences = 0
        self.wait_s = SHORTEST_WAIT_S
        self.try_at = 0.0
        self.ask_at = 0.0
        self.gone_since: float | None = None
        self.conditions: frozenset[Condition] = frozenset()
        self.counts = Counts()
        self.answers_s: deque[float] = deque(maxlen=ANSWERS_KEPT)

    @property
    def online(self) -> bool:
        return self.driver is not None and self.gone_since is None and self.try_at == _NEVER

    def count(self, **more: int) -> None:
        """Raise some of its counts; on the port's thread only."""
        self.counts = replace(self.counts, **{name: getattr(self.counts, name) + n for name, n in more.items()})

    def failed(self, job: Job, exc: Exception) -> None:
        """Count a job that was not done, and tell its caller why."""
        self.count(jobs=1, failures=1)
        job.fail(exc)

    def answered(self, within_s: float) -> None:
        """Note how long an answer took."""
        self.silences = 0
        self.answers_s.append(within_s)
        self.counts = replace(self.counts, answer_ms=round(statistics.median(self.answers_s) * 1000, 1))


class PortWorker:
    """The thread of one port."""

    def __init__(
        self,
        port: str,
        devices: Iterable[DeviceConfig],
        report: Callable[..., None],
        claims: Claims | None = None,
        memories: Memories | None = None,
    ) -> None:
        self.port = port
        self.slots = {config.name: _Slot(config) for config in devices}
        self.mailbox = Mailbox()
        self.traced: frozenset[str] = frozenset()
        """Devices whose traffic somebody wants to see; replaced as a whole by the event loop."""
        self.dead = False
        """The thread hangs in a driver and cannot be freed."""
        self._restarts = dict.fromkeys(self.slots, 0)
        self._report = report
        self._claims = claims or Claims()
        self._memories = memories or Memories()
        self._link: Link | None = None
        self._doing: _Doing | None = None
        self._cut_off: _Doing | None = None
        self._stopping = False
        self._presence = presence(port)
        self._spoken_with = next(iter(self.slots))
        self._asked_at = self._called_at = -_NEVER
        self._ask_every_s = ASK_CONDITIONS_S * len(self.slots)
        self.thread = threading.Thread(target=self._run, name=f"port {port}", daemon=True)

    # --- called from the event loop ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin."""
        self.mailbox.open()
        self.thread.start()

    def post(self, job: Job) -> bool:
        """Put a job into the mailbox; False if it is full."""
        return not self._stopping and self.mailbox.post(job)

    def stop(self) -> None:
        """Ask the thread to end after what it is doing."""
        self._stopping = True
        self.mailbox.ring()

    def cut(self) -> None:
        """End the link under the thread's feet: what it is doing ends with a LinkError."""
        link = self._link
        if link is not None:
            # Cutting a link may itself take long, and whoever watches has other ports to look after.
            threading.Thread(target=link.cut, name=f"cut {self.port}", daemon=True).start()

    def disable(self, device: str, *, disabled: bool) -> None:
        """Leave a device alone, or take it up again."""
        slot = self.slots[device]
        slot.disabled = disabled
        slot.try_at = 0.0
        self.mailbox.ring()

    def counts(self, device: str) -> Counts:
        """What happened to a device so far."""
        return replace(self.slots[device].counts, restarts=self._restarts[device])

    def watch(self, now: float) -> None:
        """Cut off a driver that does not come back; if that does not free the thread, declare the port dead."""
        doing = self._doing
        if self.dead and doing is not self._cut_off:
            self.dead = False
            _log.warning("free again: port %s", self.port)
        if doing is None or now < doing.until_s or self._stopping:
            return
        if doing is not self._cut_off:
            self._cut_off = doing
            self._restarts[doing.device] += 1
            log = logging.getLogger(f"device.{doing.device}")
            log.error("hangs: %s does not come back; its link is cut (%s)", doing.deed, self.port)
            self.cut()
        elif now > doing.until_s + CUT_LIMIT_S and not self.dead:
            self._declare_dead(doing)

    def _declare_dead(self, doing: _Doing) -> None:
        self.dead = True
        sentence = f"{doing.device}: its driver hangs in {doing.deed} and cannot be ended; start the daemon anew"
        _log.error("dead: port %s: %s", self.port, sentence)
        self.mailbox.refuse_all("offline")
        for device, slot in self.slots.items():
            if not slot.disabled:
                self._report(device, changes={
                    "link": LinkState.OFFLINE, "conditions": frozenset(), "last_error": sentence
                })  # fmt: skip

    # --- the thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._turn()
            except LinkError as exc:
                self._lost_port(str(exc))
            except Exception as exc:  # noqa: BLE001 - a bug of ours or of a driver never ends the port's thread
                if not self._stopping:
                    _log.exception("bug on port %s", self.port)
                self._lost_port(f"{type(exc).__name__} in the program", wait_s=AFTER_A_BUG_S)
        self.mailbox.close()
        self._give_back()

    def _turn(self) -> None:
        self._lay_aside_disabled()
        if self._link is None and not self._open():
            return
        job = self.mailbox.take()
        if job is not None:
            self._do(job)
        elif not self._greet_next():
            self._poll()

    @contextmanager
    def _within(self, slot: _Slot, deed: str, limit_s: float) -> Iterator[None]:
        """Say what the thread is doing and by when it should be done."""
        self._spoken_with = slot.config.name
        self._doing = _Doing(slot.config.name, deed, time.monotonic() + limit_s + LATE_S)
        try:
            yield
        finally:
            self._doing = None

    def _lay_aside_disabled(self) -> None:
        """Leave disabled devices alone, and with the last of them their port."""
        for slot in self.slots.values():
            if slot.disabled and slot.told is not LinkState.DISABLED:
                slot.driver = None
                self._claims.give_back(slot.config.name)
                slot.log.info("disabled")
                self._tell(slot, link=LinkState.DISABLED, conditions=frozenset())
        if self._link is not None and all(slot.disabled for slot in self.slots.values()):
            self._give_back()

    def _open(self) -> bool:
        """Open the port when it is time; else wait for that time, refusing jobs meanwhile."""
        if self._plugged_in():
            for slot in self.slots.values():  # its node may be there before its driver is: the next tries come soon
                slot.try_at, slot.wait_s = 0.0, SHORTEST_WAIT_S
        due = min((s.try_at for s in self.slots.values() if not s.disabled), default=_NEVER)
        if (wait_s := due - time.monotonic()) > 0:
            self._wait(min(wait_s, LOOK_FOR_PORT_S) if can_be_seen(self.port) else wait_s)
            self.mailbox.refuse_all("offline")
            return False
        slot = next(iter(self.slots.values()))
        if other := self._claims.take(f"port {same_port(self.port)}", self.port):
            raise LinkError(f"{self.port} and {other} are the same port under two names; the other one has it")
        with self._within(slot, "open the port", OPEN_LIMIT_S):
            self._link = open_link(self.port, slot.config.baud or 9600)
        self._link.tap = self._passed
        for slot in self.slots.values():
            slot.try_at = 0.0
        return True

    def _passed(self, traffic: Traffic) -> None:
        """What passes belongs to the device that is being spoken with, also on a shared line."""
        device = self._spoken_with
        if _wire.isEnabledFor(logging.DEBUG):
            logging.getLogger(f"wire.{device}").debug("%s", traffic)
        if device in self.traced:
            self._report(device, passed=Passed(at_s=time.monotonic(), traffic=traffic))

    def _plugged_in(self) -> bool:
        """Whether something new is at the port's path since the last look."""
        before, self._presence = self._presence, presence(self.port)
        return self._presence is not None and self._presence != before

    def _greet_next(self) -> bool:
        """Say hello to the device that has waited longest for it; False if it is nobody's time."""
        now = time.monotonic()
        due = [s for s in self.slots.values() if not s.disabled and not s.online and s.try_at <= now]
        if not due:
            return False
        slot = min(due, key=lambda s: s.try_at)
        if slot.driver is None:
            slot.driver = slot.config.driver_type(slot.config.name, self._link, slot.config.options)
            slot.driver.recall(self._memories.of(slot.config.name))
        try:
            with self._within(slot, "hello", QUESTION_LIMIT_S):
                identity = slot.driver.hello()
            with self._within(slot, "conditions", QUESTION_LIMIT_S):
                conditions = slot.driver.conditions()
        except LinkError:
            raise
        except DeviceError as exc:
            self._gone(slot, str(exc))
            return True
        if not self._is_double(slot, identity):
            self._came(slot, identity, conditions)
        return True

    def _is_double(self, slot: _Slot, identity: Identity) -> bool:
        """Whether the same physical device is online under another name already; then it stays offline here."""
        if not (identity.serial and slot.config.driver_type.serial_is_unique):
            return False
        who = f"{identity.vendor} {identity.model} {identity.serial}".strip()
        other = self._claims.take(f"device {slot.config.driver} {who}", slot.config.name)
        if other:
            said = f"{slot.config.name}: says it is {who}, which is {other} already: one of the two is wrong"
            self._gone(slot, said, double=True)
        return bool(other)

    def _came(self, slot: _Slot, identity: Identity, conditions: frozenset[Condition]) -> None:
        name = " ".join(part for part in (identity.vendor, identity.model, identity.firmware) if part) or "no name"
        if slot.gone_since is None:
            slot.log.info("online (%s)", name)
        else:
            slot.log.info("online again after %.0f s (%s)", time.monotonic() - slot.gone_since, name)
            slot.count(reconnects=1)
        slot.gone_since, slot.silences, slot.wait_s = None, 0, SHORTEST_WAIT_S
        slot.try_at, slot.ask_at = _NEVER, time.monotonic() + self._ask_every_s
        slot.conditions = conditions
        self._tell(slot, link=LinkState.ONLINE, conditions=conditions, identity=identity, last_error="")

    def _gone(self, slot: _Slot, sentence: str, wait_s: float = 0.0, *, double: bool = False) -> None:
        if slot.gone_since is None:
            slot.gone_since = time.monotonic()
            slot.log.warning("offline: %s", sentence)
        wait = max(wait_s, slot.wait_s)
        slot.try_at = time.monotonic() + random.uniform(wait / 2, wait)  # noqa: S311 - jitter, not a secret
        slot.wait_s = min(LONGEST_WAIT_S, slot.wait_s * 2)
        slot.conditions = frozenset()
        self._claims.give_back(slot.config.name)
        self._tell(slot, link=LinkState.OFFLINE, conditions=frozenset(), last_error=sentence, double=double)

    def _lost_port(self, sentence: str, wait_s: float = 0.0) -> None:
        self._give_back()
        for slot in self.slots.values():
            slot.driver = None
            if not slot.disabled:
                self._gone(slot, sentence, wait_s)
        self.mailbox.refuse_all("offline")

    def _give_back(self) -> None:
        """Close the port at once: a descriptor that stays open would keep the name of a device that was pulled."""
        if self._link is not None:
            self._link.close()
            self._link = None
        for holder in (self.port, *self.slots):
            self._claims.give_back(holder)

    # --- jobs -------------------------------------------------------------------------------------------------------

    def _do(self, job: Job) -> None:
        slot = self.slots[job.device]
        if not slot.online or slot.driver is None:
            job.fail(DeviceUnavailable(job.device, "disabled" if slot.disabled else "offline"))
            return
        if not job.answer.set_running_or_notify_cancel():
            return
        if job.urgency is Urgency.CALL:
            self._called_at = time.monotonic()
        driver = slot.driver
        try:
            with self._within(slot, "a job", max(job.limit_s, driver.job_limit_s)):
                result = job.do(driver)
        except DeviceError as exc:
            self._job_failed(slot, job, exc)
        except Exception as exc:
            slot.failed(job, OutcomeUnknown(job.device, f"{job.device}: {type(exc).__name__} in the program"))
            raise
        else:
            slot.silences = 0
            slot.count(jobs=1)
            job.succeed(result)
        finally:
            self._memories.keep(slot.config.name, driver.memory())

    def _job_failed(self, slot: _Slot, job: Job, exc: DeviceError) -> None:
        """Tell its caller what became of it. Raises LinkError if the port is lost."""
        if isinstance(exc, Refused):
            slot.failed(job, exc)
            self._ask_conditions(slot)
            return
        if isinstance(exc, Unconfirmed):
            slot.failed(job, OutcomeUnknown(job.device, str(exc)))
        else:
            why = "offline" if isinstance(exc, LinkError) else "bad_reply" if isinstance(exc, BadReply) else "no_reply"
            slot.failed(job, DeviceUnavailable(job.device, why))
        reason = exc.__cause__ if isinstance(exc, Unconfirmed) else exc
        if isinstance(reason, LinkError):
            raise reason
        self._silent(slot, str(exc))

    # --- polls ------------------------------------------------------------------------------------------------------

    def _poll(self) -> None:
        # Devices on one line share the time of a poll: the last of twenty callers is heard as soon as the first.
        asks = [(s, poll) for s in self.slots.values() if s.online and s.driver for poll in _polls(s.driver)]
        for slot, poll in asks:
            if slot.online:
                self._poll_input(slot, poll, POLL_LIMIT_S / len(asks))
            if self.mailbox:
                return
        # One question a turn: on a line of twenty displays a call waits for one of them, not for twenty.
        now = time.monotonic()
        due = [slot for slot in self.slots.values() if slot.online and self._to_be_asked_at(slot) <= now]
        if due:
            self._ask_conditions(min(due, key=lambda s: s.ask_at))
        elif not asks:
            self._wait(self._time_to_next())

    def _to_be_asked_at(self, slot: _Slot) -> float:
        """When to ask a device: in its turn and while nobody is being called; one that was silent at once."""
        if slot.silences:
            return slot.ask_at
        calm_at = min(self._called_at + CALM_AFTER_CALL_S, slot.ask_at + LONGEST_UNASKED_S)
        return max(slot.ask_at, calm_at, self._asked_at + ASK_CONDITIONS_S)

    def _poll_input(self, slot: _Slot, poll: Callable[[float], Input | None], limit_s: float) -> None:
        found: Input | None
        try:
            with self._within(slot, "a poll", QUESTION_LIMIT_S):
                found = poll(limit_s)
        except Refused as exc:
            found = CardTrouble(exc.condition)
        except LinkError:
            raise
        except DeviceError as exc:
            self._silent(slot, str(exc))
            return
        # A keypad on which nobody types says nothing; that it is there is asked for by conditions().
        if found is not None or isinstance(slot.driver, CardReader):
            slot.silences = 0
        if found is not None:
            self._report(slot.config.name, heard=found)

    def _ask_conditions(self, slot: _Slot) -> None:
        assert slot.driver is not None
        began = self._asked_at = time.monotonic()
        slot.ask_at = began + self._ask_every_s
        try:
            with self._within(slot, "conditions", QUESTION_LIMIT_S):
                conditions = slot.driver.conditions()
        except LinkError:
            raise
        except DeviceError as exc:
            self._silent(slot, str(exc))
            return
        slot.answered(time.monotonic() - began)
        self._memories.keep(slot.config.name, slot.driver.memory())
        if conditions != slot.conditions:
            slot.conditions = conditions
            slot.log.info("conditions: %s", ", ".join(sorted(conditions)) or "none")
            self._tell(slot, conditions=conditions)

    def _silent(self, slot: _Slot, sentence: str) -> None:
        """Count a silence; at the third in a row the device is offline."""
        slot.silences += 1
        slot.count(silences=1)
        slot.ask_at = 0.0
        if slot.silences >= SILENCES_UNTIL_OFFLINE:
            self._gone(slot, sentence)

    def _time_to_next(self) -> float:
        now = time.monotonic()
        times = [self._to_be_asked_at(s) if s.online else s.try_at for s in self.slots.values() if not s.disabled]
        return max(0.01, min([t - now for t in times] or [60.0]))

    def _wait(self, limit_s: float) -> None:
        """Wait for news of the mailbox; a port that hangs up meanwhile is lost at once."""
        watched = select.poll()
        watched.register(self.mailbox.bell, select.POLLIN)
        port = self._link.watched() if self._link is not None else None
        if port is not None:
            watched.register(port, select.POLLRDHUP)
        for descriptor, events in watched.poll(math.ceil(min(limit_s, 60.0) * 1000)):
            if descriptor == self.mailbox.bell:
                self.mailbox.quiet()
            elif events & _HUNG_UP:
                raise LinkError(f"{self.port} hung up")

    def _tell(self, slot: _Slot, **changes: Any) -> None:
        slot.told = changes.get("link", slot.told)
        self._report(slot.config.name, changes=changes)
