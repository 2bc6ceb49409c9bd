"""Typed client of the daemon's HTTP face, for screens and tools on any machine.

One method a route; streams arrive as `Stream`. Needs no driver, database or web library. It keeps nothing and repeats
no verb: one whose answer was lost may have happened, and the next view tells.

    ClientError(text)        what a person can read, in both languages
      BadAddress             the address cannot be one
      RequestRefused         the daemon understood and said no: its Problem
      HallUnreachable        no answer, or none that this client understands; `maybe_done` if the verb may have happened
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import StrEnum
from types import TracebackType
from typing import Generic, Self, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from hall_daemon.client_window import WindowVerbs, part
from hall_daemon.protocol import (
    DeviceView,
    Done,
    FeedLine,
    HallMap,
    IssueAtCounter,
    Problem,
    Text,
    TicketView,
    WindowView,
)
from hall_daemon.protocol_board import BoardView
from hall_daemon.protocol_clerks import (
    AccountView,
    Messages,
    NewAccount,
    NewPin,
    PersonSession,
    PersonSignIn,
    SendMessage,
    Skills,
)
from hall_daemon.protocol_kiosk import KeyPressed, KioskView
from hall_daemon.protocol_technician import (
    BeginDrill,
    ByHand,
    DeviceDetail,
    DrillOffer,
    HallState,
    Maintenance,
    TraceLine,
)
from hall_daemon.texts import text

Shape = TypeVar("Shape", bound=BaseModel)
_LINE_LIMIT = 4 * 1024 * 1024
_DEVICES = TypeAdapter(tuple[DeviceView, ...])
_ACCOUNTS = TypeAdapter(tuple[AccountView, ...])


class ClientError(Exception):
    """Base of what this client raises; `text` is for people."""

    def __init__(self, sentence: Text) -> None:
        super().__init__(sentence.en or sentence.zh)
        self.text = sentence


class BadAddress(ClientError):
    """The address of the hall cannot be one."""


class RequestRefused(ClientError):
    """The daemon understood and said no."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(problem.text)
        self.status = status
        self.problem = problem

    @property
    def code(self) -> str:
        """The problem's code without the room that it came from."""
        return self.problem.code.rpartition(".")[2]


class HallUnreachable(ClientError):
    """No answer, or none that this client understands."""

    def __init__(self, code: str, *, url: str, maybe_done: bool = False, **facts: object) -> None:
        super().__init__(text(code, url=url, **facts))
        self.code = code
        self.maybe_done = maybe_done


class Link(StrEnum):
    """Between this screen and the daemon."""

    CONNECTING = "connecting"
    ONLINE = "online"
    OFFLINE = "offline"


@dataclass(frozen=True, kw_only=True)
class LinkNews:
    """The link changed, or another attempt failed; `trouble` says why it is not online."""

    link: Link
    trouble: Text | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long to wait. The daemon sends a heartbeat every 5 s, so two missing ones end a stream."""

    connect_s: float = 3.0
    answer_s: float = 8.0
    sign_in_s: float = 30.0
    """A PIN is slow to prove on purpose, and in the morning all windows come at once."""
    heartbeat_s: float = 12.0
    first_retry_s: float = 0.25
    longest_retry_s: float = 5.0


class Stream(Generic[Shape]):
    """An NDJSON stream: iterate it for one connection, or `lasting` for one after the other.

    Iterating raises HallUnreachable when the connection is lost in any way, RequestRefused when it is not granted.
    """

    def __init__(
        self,
        client: HallClient,
        path: str,
        shape: type[Shape],
        params: dict[str, str | int] | None = None,
        advance: Callable[[Shape], dict[str, str | int]] | None = None,
        *,
        ends: bool = False,
    ) -> None:
        self._client = client
        self._path = path
        self._shape = shape
        self._params = params or {}
        self._advance = advance
        self._ends = ends

    def __aiter__(self) -> AsyncIterator[Shape]:
        return self._once(lambda: None)

    async def lasting(self, hear: Callable[[LinkNews], None]) -> AsyncGenerator[Shape]:
        """Items for ever, connecting again whenever the line is lost; `hear` is told of each change.

        Raises RequestRefused, except for faults of the daemon itself (HTTP 5xx), which are waited out.
        """
        failures = 0
        hear(LinkNews(link=Link.CONNECTING))

        def opened() -> None:
            nonlocal failures
            failures = 0
            hear(LinkNews(link=Link.ONLINE))

        while True:
            try:
                async with aclosing(self._once(opened)) as items:
                    async for item in items:
                        yield item
            except HallUnreachable as exc:
                hear(LinkNews(link=Link.OFFLINE, trouble=exc.text))
            except RequestRefused as exc:
                if exc.status < 500:
                    raise
                hear(LinkNews(link=Link.OFFLINE, trouble=exc.text))
            await asyncio.sleep(self._client.retry_wait_s(failures))
            failures += 1

    async def _once(self, opened: Callable[[], None]) -> AsyncGenerator[Shape]:
        async with aclosing(self._client.lines(self._path, self._params, opened)) as lines:
            async for line in lines:
                item = self._client.parse(self._shape, line)
                if self._advance is not None:
                    self._params |= self._advance(item)
                yield item
        if not self._ends:
            raise HallUnreachable("client.silent", url=self._client.url)


@dataclass
class _Clock:
    """How far the hall's clock is ahead of this machine's, from the Date of its answers (whole seconds)."""

    ahead_s: float = 0.0

    def note(self, answer: httpx.Response) -> None:
        try:
            hall_s = parsedate_to_datetime(answer.headers["date"]).timestamp()
        except (KeyError, ValueError):
            return
        ahead_s = hall_s + 0.5 - time.time()
        # The header is cut to seconds: below two there is nothing to correct.
        self.ahead_s = ahead_s if abs(ahead_s) > 2 else 0.0


@dataclass
class HallClient(WindowVerbs):
    """The daemon at an address. Use as an async context manager. Raises BadAddress."""

    url: str
    token: str = ""
    limits: Limits = field(default_factory=Limits)
    session: str = field(default="", repr=False)
    """Of the clerk at the window whose verbs this client sends."""
    _clock: _Clock = field(default_factory=_Clock, init=False, repr=False)

    def __post_init__(self) -> None:
        self.url = self.url.rstrip("/")
        try:
            address = httpx.URL(self.url)
        except httpx.InvalidURL as exc:
            raise BadAddress(text("client.bad_address", url=self.url)) from exc
        if address.scheme not in {"http", "https"} or not address.host or address.query or address.fragment:
            raise BadAddress(text("client.bad_address", url=self.url))
        self._http = httpx.AsyncClient(
            base_url=address,
            headers={"Authorization": f"Bearer {self.token}"} if self.token else {},
            # A kept connection that died with the daemon would cost a verb its answer.
            limits=httpx.Limits(keepalive_expiry=4.0),
            # The hall is on the local network; a proxy from the environment would only be in the way.
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End all connections."""
        await self._http.aclose()

    def hall_time_s(self) -> float:
        """The hall's time in seconds since 1970, as well as this machine can know it."""
        return time.time() + self._clock.ahead_s

    def retry_wait_s(self, failures: int) -> float:
        """Full jitter, so that ninety windows do not come back in one moment."""
        longest = min(self.limits.longest_retry_s, self.limits.first_retry_s * 2 ** min(failures, 16))
        return random.uniform(self.limits.first_retry_s / 2, longest)  # noqa: S311  # a wait, not a secret

    # ---- the hall

    async def hall(self) -> HallMap:
        """Zones, queues, windows and clerks to choose from."""
        return self.parse(HallMap, await self._ask("GET", "/hall"))

    async def ticket(self, number: str) -> TicketView:
        """Where a number stands."""
        return self.parse(TicketView, await self._ask("GET", f"/tickets/{part(number)}"))

    async def issue(self, request: IssueAtCounter) -> Done:
        """Issue a number for somebody without a kiosk."""
        return await self._verb("/tickets", request)

    async def devices(self) -> tuple[DeviceView, ...]:
        """All devices as a technician sees them."""
        body = await self._ask("GET", "/devices")
        try:
            return _DEVICES.validate_json(body, extra="ignore")
        except ValidationError as exc:
            raise self._misunderstood(exc) from exc

    async def enable_device(self, device: str) -> None:
        """Let a device work again."""
        await self._ask("POST", f"/devices/{part(device)}/enable")

    async def disable_device(self, device: str) -> None:
        """Take a device out of use."""
        await self._ask("POST", f"/devices/{part(device)}/disable")

    async def test_device(self, device: str) -> None:
        """Begin a self-test; how it goes is in the device's views."""
        await self._ask("POST", f"/devices/{part(device)}/test")

    async def drill_offer(self, device: str) -> DrillOffer:
        """Faults that can be rehearsed with a device."""
        return self.parse(DrillOffer, await self._ask("GET", f"/devices/{part(device)}/drill"))

    async def begin_drill(self, device: str, order: BeginDrill) -> None:
        """Take a device for troubled for a while."""
        await self._ask("POST", f"/devices/{part(device)}/drill", order)

    async def end_drill(self, device: str) -> None:
        """Before its time is up."""
        await self._ask("DELETE", f"/devices/{part(device)}/drill")

    async def confirm_repair(self, device: str, step: int) -> None:
        """A person confirms a step of the repair under way."""
        await self._ask("POST", f"/devices/{part(device)}/repair", ByHand(step=step))

    async def maintain_kiosk(self, kiosk: str, *, on: bool) -> None:
        """Take a kiosk out of service without losing anyone, or put it back."""
        await self._ask("POST", f"/devices/kiosks/{part(kiosk)}/maintenance", Maintenance(on=on))

    async def support_archive(self) -> bytes:
        """The support archive, .tar.gz. Raises RequestRefused if something personal was found in it."""
        return await self._ask("GET", "/devices/archive")

    async def open_day(self) -> Done:
        """Begin the service day."""
        return await self._verb("/day/open", None)

    # ---- people

    async def accounts(self) -> tuple[AccountView, ...]:
        """All accounts."""
        body = await self._ask("GET", "/accounts")
        try:
            return _ACCOUNTS.validate_json(body, extra="ignore")
        except ValidationError as exc:
            raise self._misunderstood(exc) from exc

    async def add_account(self, new: NewAccount) -> Done:
        """Somebody new."""
        return await self._verb("/accounts", new)

    async def set_pin(self, number: str, pin: str) -> Done:
        """A new PIN."""
        return await self._verb(f"/accounts/{part(number)}/pin", NewPin(pin=pin))

    async def set_skills(self, number: str, skills: tuple[str, ...]) -> Done:
        """What a clerk is given tickets of; empty: all."""
        return await self._verb(f"/accounts/{part(number)}/skills", Skills(skills=skills))

    async def lock_account(self, number: str, *, on: bool) -> Done:
        """Lock an account, or unlock it."""
        return await self._verb(f"/accounts/{part(number)}/{'lock' if on else 'unlock'}", None)

    async def sign_in_person(self, number: str, pin: str) -> PersonSession:
        """Somebody without a window; what this client asks from now on is theirs."""
        request = PersonSignIn(number=number, pin=pin)
        person = self.parse(PersonSession, await self._ask("POST", "/people/sign-in", request), maybe_done=True)
        self._http.headers["Authorization"] = f"Bearer {person.session}"
        return person

    async def sign_out_person(self) -> None:
        """They leave; the screen is its own again. Raises RequestRefused or HallUnreachable."""
        try:
            await self._ask("POST", "/people/sign-out")
        finally:
            self.forget_person()

    def forget_person(self) -> None:
        """Their session is over."""
        self._http.headers.pop("Authorization", None)
        if self.token:
            self._http.headers["Authorization"] = f"Bearer {self.token}"

    def messages(self) -> Stream[Messages]:
        """What windows call for: now, and after each change."""
        return Stream(self, "/messages/views", Messages)

    async def send_message(self, request: SendMessage) -> Done:
        """Words to a window, or to all."""
        return await self._verb("/messages", request)

    async def acknowledge(self, message: str) -> Done:
        """Somebody has taken a call of a window."""
        return await self._verb(f"/messages/{part(message)}/ack", None)

    async def health(self) -> str:
        """Answer of the health route as it stands. Raises RequestRefused or HallUnreachable if not well."""
        return (await self._ask("GET", "/healthz")).decode()

    async def metrics(self) -> str:
        """Figures in the Prometheus text format."""
        return (await self._ask("GET", "/metrics")).decode()

    async def openapi(self) -> str:
        """Description of every route, JSON."""
        return (await self._ask("GET", "/openapi.json")).decode()

    # ---- streams

    def window_views(self, window: str) -> Stream[WindowView]:
        """A clerk's screen: now, and after each change."""
        return Stream(self, f"/windows/{part(window)}/views", WindowView)

    def kiosk_views(self, kiosk: str) -> Stream[KioskView]:
        """A kiosk's page: now, and after each change."""
        return Stream(self, f"/kiosks/{part(kiosk)}/views", KioskView)

    def board_views(self, zone: str = "") -> Stream[BoardView]:
        """The hall board, or one zone of it."""
        return Stream(self, "/board/views", BoardView, {"zone": zone} if zone else {})

    def hall_states(self) -> Stream[HallState]:
        """All devices, complete: now, and after each change."""
        return Stream(self, "/devices/views", HallState)

    def device_details(self, device: str) -> Stream[DeviceDetail]:
        """One device, complete: now, and after each change."""
        return Stream(self, f"/devices/{part(device)}/views", DeviceDetail)

    def trace(self, device: str, *, joined: bool = False) -> Stream[TraceLine]:
        """What passes between the daemon and a device from now on; `joined` for people."""
        return Stream(self, f"/devices/{part(device)}/trace", TraceLine, {"joined": "true" if joined else "false"})

    def events(self, after: int, *, follow: bool = True) -> Stream[FeedLine]:
        """What happened after an event number, then what happens. A lasting stream goes on where it was cut."""
        params: dict[str, str | int] = {"after": after, "follow": "true" if follow else "false"}
        return Stream(self, "/events", FeedLine, params, _after, ends=not follow)

    # ---- kiosks

    async def press_key(self, kiosk: str, request: KeyPressed) -> None:
        """A touch or key on a kiosk page."""
        await self._ask("POST", f"/kiosks/{part(kiosk)}/keys", request)

    # ---- the wire

    async def _verb(self, path: str, request: BaseModel | None) -> Done:
        return self.parse(Done, await self._ask("POST", path, request), maybe_done=True)

    async def _ask(self, method: str, path: str, request: BaseModel | None = None) -> bytes:
        body = None if request is None else request.model_dump_json().encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        if self.session:
            headers["X-Hall-Session"] = self.session
        try:
            answer = await self._http.request(method, path, content=body, headers=headers, timeout=self._timeout(path))
        except httpx.RequestError as exc:
            raise self._unreachable(exc) from exc
        self._clock.note(answer)
        self._refuse(answer)
        return answer.content

    def _timeout(self, path: str) -> httpx.Timeout:
        slow_s = self.limits.sign_in_s if path.endswith("/sign-in") else 0.0
        return httpx.Timeout(max(self.limits.answer_s, slow_s), connect=self.limits.connect_s)

    async def lines(self, path: str, params: dict[str, str | int], opened: Callable[[], None]) -> AsyncGenerator[bytes]:
        """Lines of a stream until the daemon ends it; heartbeats are watched and not given on."""
        timeout = httpx.Timeout(self.limits.heartbeat_s, connect=self.limits.connect_s)
        try:
            async with self._http.stream("GET", path, params=params, timeout=timeout) as answer:
                if answer.is_error:
                    await answer.aread()
                self._clock.note(answer)
                self._refuse(answer)
                opened()
                rest = b""
                async for piece in answer.aiter_bytes():
                    *whole, rest = (rest + piece).split(b"\n")
                    for line in whole:
                        if line.strip():
                            yield line
                    if len(rest) > _LINE_LIMIT:
                        raise HallUnreachable("client.not_the_hall", url=self.url, why=f"line > {_LINE_LIMIT} bytes")
        except httpx.RequestError as exc:
            raise self._unreachable(exc, lost="client.silent") from exc

    def parse(self, shape: type[Shape], body: bytes, *, maybe_done: bool = False) -> Shape:
        """A shape of the protocol; members that a newer daemon added are passed over. Raises HallUnreachable."""
        try:
            return shape.model_validate_json(body, extra="ignore")
        except ValidationError as exc:
            raise self._misunderstood(exc, maybe_done=maybe_done) from exc

    def _misunderstood(self, exc: ValidationError, *, maybe_done: bool = False) -> HallUnreachable:
        # Only place and kind: the input itself may be personal.
        first = exc.errors(include_input=False, include_url=False)[0]
        why = f"{exc.title}.{'.'.join(str(step) for step in first['loc'])}: {first['type']}"
        return HallUnreachable("client.not_the_hall", url=self.url, maybe_done=maybe_done, why=why)

    def _refuse(self, answer: httpx.Response) -> None:
        if answer.is_success:
            return
        try:
            problem = Problem.model_validate_json(answer.content, extra="ignore")
        except (ValidationError, httpx.ResponseNotRead) as exc:
            why = f"HTTP {answer.status_code}"
            raise HallUnreachable("client.not_the_hall", url=self.url, why=why) from exc
        raise RequestRefused(answer.status_code, problem)

    def _unreachable(self, exc: httpx.RequestError, *, lost: str = "client.no_answer") -> HallUnreachable:
        if isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
            return HallUnreachable("client.unreachable", url=self.url)
        if isinstance(exc, httpx.UnsupportedProtocol | httpx.DecodingError | httpx.TooManyRedirects):
            return HallUnreachable("client.not_the_hall", url=self.url, why=type(exc).__name__)
        return HallUnreachable(lost, url=self.url, maybe_done=True)


def _after(line: FeedLine) -> dict[str, str | int]:
    return {} if line.number is None else {"after": line.number}
