"""What anybody may ask over HTTP: board, voice, the page of a ticket. A real server, and a clock that stands."""

import asyncio
import base64
import html
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import zxingcpp
from PIL import Image

from hall_daemon import board as board_room
from hall_daemon import following, service_day, voice_clips, voice_sound
from hall_daemon.app import Daemon
from hall_daemon.config import load
from hall_daemon.following import slip_address
from hall_daemon.guide_page import guide_page
from hall_daemon.kiosk_desk import Desk
from hall_daemon.kiosk_pages_choose import published_facts
from hall_daemon.kiosk_visit import KioskTimes
from hall_daemon.profile import Kiosk
from hall_daemon.protocol import Text
from hall_daemon.tickets import IssueOrder
from hall_daemon.words import Channel, Outcome, PauseReason
from tests.background import at_work
from tests.rules.hall_room import (
    ENVIRONMENT,
    HOUR_MS,
    MORNING_MS,
    PENSION,
    PLACES,
    START_UP,
    StandingClock,
    card,
    write_hall,
)
from tests.rules.test_voice import built
from tests.waiting import until_async

MINUTE_MS = 60_000
TEN_PAST_TWELVE = MORNING_MS + 3 * HOUR_MS + 10 * MINUTE_MS
SECRETS = ENVIRONMENT | {"HALL_TOKEN_TECHNICIAN": "t-token", "HALL_TOKEN_COUNTER": "c-token"}
HOURS = '\n[hours]\nworkday = ["08:30-12:00", "13:30-17:00"]\n'
PHONE = '\n[phone]\nurl = "https://hall.example/t"\n'


class Public:
    """A hall that is served, and somebody without any token who asks."""

    def __init__(self, daemon: Daemon, clock: StandingClock, http: httpx.AsyncClient) -> None:
        self.daemon, self.clock, self.http = daemon, clock, http
        self.boards: list[dict[str, Any]] = []
        """What a board that listens was told, oldest first."""

    @property
    def newest(self) -> dict[str, Any]:
        return self.boards[-1]

    async def listen(self, zone: str = "") -> None:
        """Follow a board until the daemon ends."""
        self.boards.clear()
        async with self.http.stream("GET", "/board/views", params={"zone": zone} if zone else {}) as answer:
            async for line in answer.aiter_lines():
                if line.strip():
                    self.boards.append(json.loads(line))

    async def shows(self, **wanted: object) -> None:
        """Wait until the board that listens says so."""
        await until_async(
            lambda: bool(self.boards) and all(self.newest[key] == value for key, value in wanted.items()),
            what=lambda: f"{wanted}, not {self.boards and {key: self.newest[key] for key in wanted}}",
        )

    async def number(self, item: str = START_UP, **more: Any) -> str:
        """A number that somebody takes."""
        order = IssueOrder(
            item=item, request_id=f"order-{self.clock.new_id()}", channel=Channel.KIOSK, device_id="PRN-01",
            kiosk="k1", **more,
        )  # fmt: skip
        return (await self.daemon.hall.issue(order)).number

    async def code_of(self, number: str) -> str:
        """What the QR code on its slip says, without the address."""
        ticket = await self.daemon.hall.find_ticket(number)
        return (await slip_address(self.daemon.hall, ticket.ticket_id)).rsplit("/", 1)[1]


@asynccontextmanager
async def served(folder: Path, more: str = "", clock: StandingClock | None = None) -> AsyncIterator[Public]:
    """The daemon's HTTP face over a hall whose day is open."""
    clock = clock or StandingClock()
    daemon = Daemon(load(write_hall(folder, PLACES + more) / "devices.toml", SECRETS), clock)
    await asyncio.to_thread(daemon.store.open)
    daemon.store.start()
    await daemon.cataloguing.start()
    await service_day.start(daemon.hall)
    if not daemon.hall.day_open:
        await service_day.open_day(daemon.hall)
    server, listener = daemon._server(), socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    serving = asyncio.create_task(server.serve([listener]))
    try:
        async with (
            httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as http,
            at_work(daemon.board.run()),
        ):
            yield Public(daemon, clock, http)
            daemon._end_streams()
    finally:
        server.should_exit = True
        await serving
        daemon.store.close()


async def test_the_board_says_when_the_break_ends_who_works_over_it_and_when_the_hall_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_room, "LOOK_S", 0.02)
    async with served(tmp_path, HOURS) as public:
        hall = public.daemon.hall
        listening = asyncio.create_task(public.listen())
        await public.shows(state="open", reopens={"zh": "", "en": ""}, open_windows=[])
        for window, clerk in (("1", "c001"), ("2", "c002")):
            await hall.sign_in(window, clerk)
        number = await public.number()
        public.clock.pass_ms(TEN_PAST_TWELVE - MORNING_MS)  # nothing happens: time alone brings the break
        await public.shows(
            state="lunch", reopens={"zh": "13:30 继续叫号", "en": "Calling goes on at 13:30"}, open_windows=["1", "2"],
            clock="12:10",
        )  # fmt: skip
        assert public.newest["zones"][0]["waiting"] == 1
        await public.daemon.desk.pause("2", PauseReason.MEAL, 0)
        await public.shows(state="lunch", open_windows=["1"])
        assert (await hall.call_next("1", None))[1] == number
        await until_async(lambda: [call["number"] for call in public.newest["calls"]] == [number])
        assert public.newest["state"] == "lunch", "a window that works over lunch calls, and the page tells it so"

        public.clock.pass_ms(80 * MINUTE_MS)
        await public.shows(state="open", reopens={"zh": "", "en": ""}, open_windows=[])
        await service_day.drain(hall)
        public.clock.pass_ms(5 * HOUR_MS)
        await service_day.close(hall)
        opening = {"zh": "1月6日 08:30开始取号", "en": "Numbers are given from 6 Jan 08:30"}
        await public.shows(state="closed", reopens=opening)
        public.daemon._end_streams()
        await listening


async def test_a_hall_that_serves_the_last_ones_is_no_hall_at_lunch(tmp_path: Path) -> None:
    async with served(tmp_path, HOURS) as public:
        await service_day.drain(public.daemon.hall)
        public.clock.pass_ms(TEN_PAST_TWELVE - MORNING_MS)
        assert (await public.daemon.board.view()).state == "open"
        await service_day.emergency(public.daemon.hall, "t1", "smoke", valid=True)
        told = await public.daemon.board.view()
        assert (told.state, told.reopens.zh) == ("closed", "已取的号 14:10 前有效")


async def test_a_hall_without_hours_has_no_lunch_and_promises_no_opening(tmp_path: Path) -> None:
    async with served(tmp_path) as public:
        public.clock.pass_ms(TEN_PAST_TWELVE - MORNING_MS)
        assert (await public.daemon.board.view()).state == "open"
        await service_day.close(public.daemon.hall)
        told = await public.daemon.board.view()
        assert (told.state, told.reopens.zh) == ("closed", "")


async def test_a_board_of_a_zone_is_told_of_that_zone_and_a_zone_that_is_none_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as public:
        hall = public.daemon.hall
        for item in (START_UP, PENSION, PENSION):
            await public.number(item)
        for window, clerk in (("1", "c001"), ("2", "c002")):
            await hall.sign_in(window, clerk)
            await hall.call_next(window, None)
        listening = asyncio.create_task(public.listen("D"))
        await until_async(lambda: public.boards and public.newest["calls"])
        told = public.newest
        assert [zone["zone"] for zone in told["zones"]] == ["D"]
        assert {call["zone"] for call in told["calls"]} == {"D"}
        assert [entry["number"] for entry in told["nexts"]] == ["H002"]
        assert (await public.http.get("/board/views", params={"zone": "Q"})).status_code == 404
        public.daemon._end_streams()
        await listening


@pytest.mark.parametrize("shown", [True, False])
async def test_a_hall_may_keep_the_next_numbers_to_itself_and_says_its_own_notices(
    tmp_path: Path, *, shown: bool
) -> None:
    board = f"""
[board]
next_numbers = {str(shown).lower()}
notices = ["周五下午开会 | No service on Friday afternoon"]
exits = "← 东出口"
"""
    async with served(tmp_path, board) as public:
        for _ in range(3):
            await public.number(PENSION)
        whole, zone = await public.daemon.board.view(), await public.daemon.board.view("D")
        first_two = ("H001", "H002") if shown else ()
        assert [line.next for line in whole.zones if line.zone == "D"] == [first_two]
        assert bool(zone.nexts) is shown
        assert [line.waiting for line in whole.zones if line.zone == "D"] == [3], "how many wait is told either way"
        assert whole.notices[0] == Text(zh="周五下午开会", en="No service on Friday afternoon")
        assert whole.exits == "← 东出口"


async def test_in_an_emergency_every_board_says_leave_until_staff_take_it_back(tmp_path: Path) -> None:
    async with served(tmp_path) as public:
        listening = asyncio.create_task(public.listen())
        await public.shows(state="open")
        assert (await public.http.post("/emergency", json={"on": True})).status_code == 401
        counter = {"Authorization": "Bearer c-token"}
        assert (await public.http.post("/emergency", json={"on": True}, headers=counter)).status_code == 204
        await public.shows(state="emergency")
        assert public.daemon.emergency.on
        assert (await public.http.post("/emergency", json={"on": False}, headers=counter)).status_code == 204
        await public.shows(state="open")
        public.daemon._end_streams()
        await listening


@pytest.mark.fault("G08")
async def test_boards_that_an_emergency_close_turned_red_are_normal_when_the_hall_opens_again(tmp_path: Path) -> None:
    staff = {"Authorization": "Bearer t-token"}
    order = {"by": "t1", "reason": "smoke", "tickets": "priority_next_day"}
    async with served(tmp_path) as public:
        assert (await public.http.post("/day/emergency", json=order, headers=staff)).status_code == 200
        public.clock.pass_ms(HOUR_MS)
        assert (await public.daemon.board.view()).state == "emergency"
    public.clock.pass_ms(24 * HOUR_MS)
    async with served(tmp_path, clock=public.clock) as public:  # opens the next day
        assert (await public.daemon.board.view()).state == "open"
        assert not public.daemon.emergency.on, "the voice calls again"
        by_hand = {"on": True}
        assert (await public.http.post("/emergency", json=by_hand, headers=staff)).status_code == 204
        await service_day.close(public.daemon.hall)
        public.clock.pass_ms(24 * HOUR_MS)
        await service_day.open_day(public.daemon.hall)
        assert (await public.daemon.board.view()).state == "emergency", "who set it by hand takes it back by hand"


async def test_the_guide_of_an_item_can_be_taken_along_on_a_phone(tmp_path: Path) -> None:
    async with served(tmp_path, PHONE) as public:
        hall, item = public.daemon.hall, public.daemon.hall.profile.items[PENSION]
        kiosk = Kiosk(code="k1", name=Text(zh="1"), card_readers=(), keypad="", printer="", queues=("H",))
        rows = Desk(kiosk, hall, public.daemon.devices, public.clock, KioskTimes()).guide_code(item)
        picture = Image.new("L", (len(rows) + 8, len(rows) + 8), 255)
        for y, row in enumerate(rows):
            for x, module in enumerate(row):
                picture.putpixel((x + 4, y + 4), 0 if module == "#" else 255)
        [code] = zxingcpp.read_barcodes(
            picture.resize((picture.width * 6, picture.height * 6), Image.Resampling.NEAREST)
        )
        assert code.text == f"https://hall.example/t/guide/{PENSION}"
        answer = await public.http.get(f"/t/guide/{PENSION}")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        for words in (
            item.name.zh,
            hall.profile.hall.zh,
            *(value.zh for _, value in published_facts(hall.profile, item)),
        ):
            assert html.escape(words) in answer.text, words
        assert "<script" not in answer.text
        assert (await public.http.get("/t/guide/nothing")).status_code == 404
        marked = replace(item, name=Text(zh="<b>粗</b>"))
        assert "<b>粗" not in guide_page("<!--guide-->", hall.profile, marked)


async def test_anybody_hears_the_calls_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice_clips, "GROUPS", 20)
    async with served(tmp_path) as public:
        built(public.daemon.config)
        await public.daemon.hall.sign_in("1", "c001")
        await public.number()
        event, number = await public.daemon.hall.call_next("1", None)
        whole = await public.http.get(f"/voice/calls/{event}.wav")
        short = await public.http.get(f"/voice/calls/{event}.wav", params={"short": True})
        assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/wav")
        assert whole.content == public.daemon.voice.call(number, "1", "A")
        assert voice_sound.seconds(short.content) < voice_sound.seconds(whole.content)
        for sentence in ("voice.idle.zh.wav", "voice.done.en.wav?number=A001&zone=A", "digit-3.zh.wav"):
            assert (await public.http.get(f"/voice/{sentence}")).status_code == 200, sentence
        for none in (
            f"calls/{event + 1}.wav", "voice.nothing.zh.wav", "digit-3.fr.wav", "..%2fhall.db.zh.wav", "nothing.zh.wav",
            "voice.done.zh.wav?number=%E5%BC%A0", f"voice.done.zh.wav?number={'9' * 13}", "voice.page.zh.wav?said=x",
        ):  # fmt: skip
            assert (await public.http.get(f"/voice/{none}")).status_code in (404, 422), none


async def test_the_code_of_a_slip_opens_a_page_without_anything_personal(tmp_path: Path) -> None:
    async with served(tmp_path, PHONE) as public:
        person = card("欧阳测试", "990000199909090053")
        number = await public.number(card=person, phone="13800005678")
        code = await public.code_of(number)
        assert len(base64.urlsafe_b64decode(code + "==")) == following.CODE_BYTES
        assert code != await public.code_of(number), "by chance, not from the ticket"
        page = await public.http.get(f"/t/{code}")
        view = await public.http.get(f"/t/{code}/view")
        assert (page.status_code, view.status_code) == (200, 200)
        for answer in (page, view):
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["x-robots-tag"] == "noindex"
            assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert (view.json()["number"], view.json()["state"], view.json()["ahead"]) == (number, "waiting", 0)
        for personal in ("欧阳", "990000", "0053", "13800005678", "5678", "企业设立"):
            assert personal not in view.text
        for file, kind in (("follow.js", "text/javascript"), ("follow.css", "text/css")):
            got = await public.http.get(f"/t/follow/{file}")
            assert (got.status_code, got.headers["content-type"].split(";")[0]) == (200, kind)
        assert (await public.http.get("/t/follow/index.html")).status_code == 404

        await service_day.close(public.daemon.hall)
        assert (await public.http.get(f"/t/{code}/view")).json()["state"] == "over"
        public.clock.pass_ms(24 * HOUR_MS)
        await service_day.open_day(public.daemon.hall)
        assert (await public.http.get(f"/t/{code}/view")).status_code == 404, "valid on its day only"


@pytest.mark.fault("A25")
async def test_a_visit_is_rated_over_http_once_and_by_one_of_five_levels(tmp_path: Path) -> None:
    async with served(tmp_path, PHONE) as public:
        hall = public.daemon.hall
        number = await public.number()
        page = f"/t/{await public.code_of(number)}"
        early = await public.http.post(f"{page}/rating", json={"level": 5})
        assert (early.status_code, early.json()["code"]) == (409, "not_to_rate")
        await hall.sign_in("1", "c001")
        await hall.call_next("1", None)
        await hall.serve("1", number, identity_rechecked=False)
        await hall.finish("1", number, Outcome.COMPLETED)
        for body in ({}, {"level": 0}, {"level": 6}, {"level": "5"}, {"level": True}):
            assert (await public.http.post(f"{page}/rating", json=body)).status_code == 422, body
        given = await public.http.post(f"{page}/rating", json={"level": 4})
        assert (given.status_code, given.json()["rating"]) == (200, "given")
        assert given.headers["cache-control"] == "no-store"
        assert (await public.http.post(f"{page}/rating", json={"level": 1})).status_code == 409
        assert (await public.http.post(f"/t/{'x' * 22}/rating", json={"level": 1})).status_code == 404


async def test_who_tries_codes_over_http_is_told_to_wait(tmp_path: Path) -> None:
    async with served(tmp_path, PHONE) as public:
        code = await public.code_of(await public.number())
        for n in range(following.WRONG_A_MINUTE):
            assert (await public.http.get(f"/t/{n:022}/view")).status_code == 404
        refused = await public.http.get(f"/t/{code}/view")
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 60
        public.clock.pass_ms(MINUTE_MS)
        assert (await public.http.get(f"/t/{code}/view")).status_code == 200
