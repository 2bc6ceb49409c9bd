"""Self-test of a device, by its kind: what a technician can see, hear and count, step by step.

Runs through the device's own worker, so a line that is shared stays shared and a call goes first. Issues no number and
begins no visit: what people put in during a test (a card, keys, a code) goes to the test alone, and is told masked.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeVar

from drivers.base import (
    Announcement,
    CallerPress,
    CallText,
    CardRead,
    CodeRead,
    Condition,
    Driver,
    GradeGiven,
    Key,
    Page,
    PageSource,
    Refused,
    ScanProfile,
    Slip,
    SlipBarcode,
    SlipFeed,
    SlipQr,
    SlipRule,
    SlipText,
)
from hall_daemon.devices import CardTrouble, Devices, DeviceUnavailable, Input, OutcomeUnknown
from hall_daemon.imaging_page import PageUnreadable, SeenPage, end_with_parent, look_at_page
from hall_daemon.incidents import name_of, worst_of
from hall_daemon.privacy import mask_id, mask_name
from hall_daemon.protocol import DeviceView, Text
from hall_daemon.protocol_technician import Health, SelfTest, SelfTestStep
from hall_daemon.texts import TEXTS, say, text

T = TypeVar("T")

QUESTION_S, SHOW_S, SLOWER_S = 6.0, 8.0, 1.5
PEOPLE_S = 20.0
"""How long a test waits for somebody to lay down a card, press a grade or hold a code."""
QUIET_KEYS_S = 4.0
MOST_KEYS = 32
RULER = "0----1----2----3----4----5----6----7----8----9"
RARE = "𠮷㐂䶮龘靐囧喆堃〇·"
"""Characters of names that small fonts lack: of GB 18030 level 3 and extension B."""
PATTERNS = ("8888888888", "ABCDEFGHIJ", "国国国国国", "显示测试", "■■■■■")
"""None of them reads like a call."""
NOTHING = Text(zh="")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a test waits for people, in seconds."""

    people_s: float = PEOPLE_S
    quiet_keys_s: float = QUIET_KEYS_S


USUAL = Limits()


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: what it is called, and what finds out; the sentence is what was found."""

    name: Text
    do: Callable[[Hands], Awaitable[Text]]
    prompt: Text = NOTHING


class Failed(Exception):
    """A step did not pass; the sentence says why. Worse than a warning, or `only_warns`."""

    def __init__(self, sentence: Text, *, only_warns: bool = False) -> None:
        super().__init__(sentence.en)
        self.sentence, self.only_warns = sentence, only_warns


@dataclass(kw_only=True)
class Hands:
    """What a test can do with its device."""

    device: str
    devices: Devices
    limits: Limits = USUAL
    heard: asyncio.Queue[Input] = field(default_factory=asyncio.Queue)

    @property
    def view(self) -> DeviceView:
        """The device as it stands."""
        return self.devices.view(self.device)

    async def call(self, job: Callable[[Any], T], limit_s: float) -> T:
        """Do a job on the device's thread. Any: the configuration has proved its capability. Raises Failed."""
        try:
            return await self.devices.call(self.device, job, limit_s)
        except Refused as exc:
            raise Failed(say("test.refused", why=name_of(exc.condition))) from exc
        except DeviceUnavailable as exc:
            raise Failed(say("test.unavailable", why=name_of(exc.condition))) from exc
        except OutcomeUnknown as exc:
            raise Failed(text("test.unknown")) from exc

    async def wait_for(self, kind: type[T], limit_s: float) -> T | None:
        """The next input of this kind; None after limit_s seconds."""
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    news = await self.heard.get()
                    if isinstance(news, kind):
                        return news
        except TimeoutError:
            return None


# --- steps ------------------------------------------------------------------------------------------------------------


async def _link(hands: Hands) -> Text:
    view = hands.view
    if view.link != "online":
        raise Failed(name_of(view.link))
    return text("signal.online")


async def _identity(hands: Hands) -> Text:
    known = hands.view.identity
    return Text(zh=known, en=known) if known else text("test.ok")


async def _conditions(hands: Hands) -> Text:
    """Asked now, not remembered."""
    found = await hands.call(_ask_conditions, QUESTION_S)
    troubles = found - {Condition.FEEDER_EMPTY}
    first = worst_of(troubles)
    if first:
        names = [name_of(what) for what in sorted(troubles, key=lambda what: (what != first, what))]
        sentence = Text(zh="、".join(n.zh for n in names), en=", ".join(n.en for n in names))
        raise Failed(sentence, only_warns=not any(condition.blocks for condition in troubles))
    return text("test.ok")


def _ask_conditions(driver: Driver[Any, Any]) -> frozenset[Condition]:
    return driver.conditions()


def slip_for_test(device: str, columns: int) -> Slip:
    """A page that shows width, sizes, rare characters, a QR code and a Code 128; it says that it is no ticket."""
    title = text("test.slip.title", device=device)
    note = text("test.slip.note")
    ruler = (RULER * 3)[:columns]
    lines = (
        SlipText(text=ruler),
        SlipText(text=title.zh, bold=True),
        SlipText(text=title.en),
        SlipText(text="测试", scale=4, bold=True),
        SlipText(text=RARE),
        SlipText(text="ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789"[:columns]),
        SlipRule(),
        SlipQr(data=f"hall-daemon self-test {device}"),
        SlipBarcode(data=device),
        SlipText(text=note.zh, bold=True),
        SlipText(text=note.en),
        SlipText(text=ruler),
        SlipFeed(mm=3),
    )
    return Slip(parts=lines)


async def _slip(hands: Hands) -> Text:
    def job(printer: Any) -> None:  # Any: whatever printer is configured; its options know the paper's width
        printer.print_slip(slip_for_test(hands.device, getattr(printer.options, "columns", 48)))

    await hands.call(job, _limit(hands))
    return text("test.slip.done")


def _limit(hands: Hands) -> float:
    return hands.devices.configs[hands.device].driver_type.job_limit_s + SLOWER_S


def _pattern(words: str) -> Callable[[Hands], Awaitable[Text]]:
    async def show(hands: Hands) -> Text:
        def job(display: Any) -> bool:  # Any: a CallDisplay
            try:
                display.show(CallText(text=words))
            except Refused as exc:
                if exc.condition is Condition.TEXT_UNSUITABLE:
                    return False
                raise
            return True

        shown = await hands.call(job, SHOW_S)
        await asyncio.sleep(0 if hands.limits is not USUAL else SLOWER_S)  # so that a person sees each pattern
        return text("test.pattern.done" if shown else "test.pattern.too_long")

    return show


async def _card(hands: Hands) -> Text:
    news = await hands.wait_for(CardRead | CardTrouble, hands.limits.people_s)  # type: ignore[arg-type]  # a union works
    if isinstance(news, CardTrouble):
        raise Failed(name_of(news.condition))
    if not isinstance(news, CardRead):
        raise Failed(text("test.nothing_came", s=round(hands.limits.people_s)))
    card = news.card
    number = mask_id(card.id_no or card.serial)
    document = f"document.{card.id_type}"
    kind = text(document if document in TEXTS else f"test.card.{card.kind}")
    return say("test.card.done", name=mask_name(card.name), number=number, kind=kind)


async def _keys(hands: Hands) -> Text:
    return await _pressed(hands, Key, lambda key: key.value)


async def _presses(hands: Hands) -> Text:
    return await _pressed(hands, CallerPress, lambda press: press.key.value)


async def _pressed(hands: Hands, kind: type[T], name: Callable[[T], str]) -> Text:
    """Keys until nobody presses any more."""
    names: list[str] = []
    limit_s = hands.limits.people_s
    while len(names) < MOST_KEYS and (news := await hands.wait_for(kind, limit_s)) is not None:
        names.append(name(news))
        limit_s = hands.limits.quiet_keys_s
    if not names:
        raise Failed(text("test.nothing_came", s=round(hands.limits.people_s)))
    return text("test.keys.done", n=len(names), keys=" ".join(names))


async def _caller_shows(hands: Hands) -> Text:
    def job(caller: Any) -> None:  # Any: a Caller
        caller.show_ticket("A000")  # no queue issues this number
        caller.show_waiting(8)

    await hands.call(job, SHOW_S)
    return text("test.pattern.done")


async def _grade(hands: Hands) -> Text:
    await hands.call(_ask_grade, SHOW_S)
    try:
        news = await hands.wait_for(GradeGiven, hands.limits.people_s)
    finally:
        await hands.call(_stop_asking, SHOW_S)
    if news is None:
        raise Failed(text("test.nothing_came", s=round(hands.limits.people_s)))
    return text("test.grade.done", n=int(news.grade))


def _ask_grade(evaluator: Any) -> None:  # Any: an Evaluator
    evaluator.ask_grade()


def _stop_asking(evaluator: Any) -> None:  # Any: an Evaluator
    evaluator.stop_asking()


async def _code(hands: Hands) -> Text:
    news = await hands.wait_for(CodeRead, hands.limits.people_s)
    if news is None:
        raise Failed(text("test.nothing_came", s=round(hands.limits.people_s)))
    return text("test.code.done", n=len(news.text), kind=news.symbology or "-")


async def _page(hands: Hands) -> Text:
    """One page: how long it took, how large and how sharp it is; then it is thrown away."""

    def job(scanner: Any) -> tuple[list[Page], float]:  # Any: a PageScanner
        began = time.monotonic()
        return _scanned(scanner), time.monotonic() - began

    pages, took_s = await hands.call(job, _limit(hands))
    if not pages or not pages[0].data:
        raise Failed(text("test.nothing_came", s=round(_limit(hands))))
    seen = await _looked_at(pages[0])
    size = sum(len(page.data) for page in pages) // 1024
    told = say(
        "test.page.done", pages=text("test.page.pages", n=len(pages)), kib=size, s=f"{took_s:.1f}",
        width=seen.width, height=seen.height, dpi=seen.dpi, sharp=_sharpness(seen),
    )  # fmt: skip
    if seen.blurred:
        raise Failed(told, only_warns=True)
    return told


def _sharpness(seen: SeenPage) -> Text:
    if not seen.blur:
        return text("test.page.no_print")
    return text("test.page.blurred" if seen.blurred else "test.page.sharp", mm=f"{seen.blur / 100:.2f}")


async def _looked_at(page: Page) -> SeenPage:
    """Look at a page in a process of its own, which ends again: tests are rare. Raises Failed."""
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=end_with_parent)
    try:
        return await asyncio.get_running_loop().run_in_executor(pool, look_at_page, page.data, page.media, page.dpi)
    except (PageUnreadable, BrokenProcessPool) as exc:
        raise Failed(text("test.page.unreadable")) from exc
    finally:
        await asyncio.to_thread(pool.shutdown)


def _scanned(scanner: Any) -> list[Page]:  # Any: a PageScanner
    """What lies on the glass; where there is no glass, what lies in the feeder."""
    try:
        return list(scanner.scan(ScanProfile(source=PageSource.PLATEN, dpi=200)))
    except Refused as exc:
        if exc.condition is not Condition.PROFILE_UNSUITABLE:
            raise
        return list(scanner.scan(ScanProfile(source=PageSource.FEEDER, dpi=200)))


async def _speak(hands: Hands) -> Text:
    words = text("test.spoken")

    def job(announcer: Any) -> None:  # Any: an Announcer
        announcer.speak(Announcement(text=words.zh, text_en=words.en))

    await hands.call(job, _limit(hands))
    return text("test.speak.done")


def _by_kind(kind: str, limits: Limits) -> tuple[Step, ...]:
    """What only this kind of device can show."""
    people, quiet = round(limits.people_s), round(limits.quiet_keys_s)
    keys = text("test.prompt.keys", s=quiet)
    page = Step(name=text("test.page"), do=_page)
    steps: dict[str, tuple[Step, ...]] = {
        "printer": (Step(name=text("test.slip"), do=_slip),),
        "display": tuple(
            Step(name=text("test.pattern", n=n, words=words), do=_pattern(words)) for n, words in enumerate(PATTERNS, 1)
        ),
        "card_reader": (Step(name=text("test.card"), do=_card, prompt=text("test.prompt.card", s=people)),),
        "keypad": (Step(name=text("test.keys"), do=_keys, prompt=keys),),
        "caller": (
            Step(name=text("test.caller.show"), do=_caller_shows),
            Step(name=text("test.presses"), do=_presses, prompt=keys),
        ),
        "evaluator": (Step(name=text("test.grade"), do=_grade, prompt=text("test.prompt.grade", s=people)),),
        "code_reader": (Step(name=text("test.code"), do=_code, prompt=text("test.prompt.code", s=people)),),
        "scanner": (page,),
        "camera": (page,),
        "announcer": (Step(name=text("test.speak"), do=_speak),),
    }
    return steps.get(kind, ())


def steps_for(kind: str, limits: Limits = USUAL) -> tuple[Step, ...]:
    """Every step of the self-test of this kind of device."""
    return (
        Step(name=text("test.link"), do=_link),
        Step(name=text("test.identity"), do=_identity),
        Step(name=text("test.conditions"), do=_conditions),
        *_by_kind(kind, limits),
    )


BEGINS_WITH_PEOPLE = frozenset({"card_reader", "keypad"})
"""Kinds whose test takes what residents put in: not while a visit is under way."""


async def run(hands: Hands, began: str) -> AsyncGenerator[SelfTest]:
    """The test as it goes on: each change of a step. The last one says passed or failed."""
    kind = hands.devices.configs[hands.device].kind
    steps = steps_for(kind, hands.limits)
    told = [SelfTestStep(name=step.name, health=Health.BUSY if n == 0 else Health.OFF) for n, step in enumerate(steps)]

    def now(state: str, prompt: Text = NOTHING) -> SelfTest:
        return SelfTest.model_validate(
            {"device": hands.device, "state": state, "began": began, "steps": tuple(told), "prompt": prompt}
        )

    with hands.devices.borrow_input(hands.device, hands.heard.put_nowait):
        for number, step in enumerate(steps):
            told[number] = SelfTestStep(name=step.name, health=Health.BUSY)
            yield now("running", step.prompt)
            told[number] = await _one(hands, step)
            if told[number].health is Health.BAD:
                rest = text("test.waits")
                told[number + 1 :] = [_not_done(later, rest) for later in told[number + 1 :]]
                break
    good = all(step.health in (Health.OK, Health.WARN) for step in told)
    yield now("passed" if good else "failed")


def _not_done(step: SelfTestStep, note: Text) -> SelfTestStep:
    """A step that was not done, and why."""
    return step.model_copy(update={"health": Health.OFF, "note": note})


async def _one(hands: Hands, step: Step) -> SelfTestStep:
    try:
        found = await step.do(hands)
    except Failed as exc:
        return SelfTestStep(name=step.name, health=Health.WARN if exc.only_warns else Health.BAD, note=exc.sentence)
    return SelfTestStep(name=step.name, health=Health.OK, note=found)


async def whole(hands: Hands, began: str, hear: Callable[[SelfTest], None] = lambda _: None) -> SelfTest:
    """Run it to its end; `hear` gets each change."""
    last: SelfTest | None = None
    async with aclosing(run(hands, began)) as going:
        async for last in going:
            hear(last)
    assert last is not None
    return last
