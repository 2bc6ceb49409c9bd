"""The typed client against a scripted hall, and against what is not a hall."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager

import pytest

from hall_daemon.client import BadAddress, HallClient, HallUnreachable, Link, LinkNews, RequestRefused
from hall_daemon.protocol import Finish, Text, WindowView
from hall_daemon.words import Outcome
from tests.screens.counter_room import IMPATIENT, QUICK
from tests.screens.scripted_hall import ScriptedHall, refusal
from tests.screens.window_views import HALL, calling, serving, window_view
from tests.waiting import until_async


@asynccontextmanager
async def speaker(answer: bytes):
    """Something on a port that says the same to everybody and hangs up; gives its address."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("url", ["", "10.0.3.2:8600", "ftp://hall", "http://", "http://hall:port", "http://a?b=c"])
async def test_address_that_cannot_be_one_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(BadAddress) as caught:
        HallClient(url)
    assert "http://10.0.3.2:8600" in caught.value.text.zh


async def test_verb_is_sent_with_token_and_answer_of_a_newer_daemon_is_read() -> None:
    async with ScriptedHall(HALL) as hall, HallClient(f"{hall.url}/", "secret", limits=QUICK) as client:
        done = await client.finish("3", Finish(seen="A017", outcome=Outcome.RECEIVED))
        assert done.event == 1
        [asked] = hall.asked
        assert (asked.method, asked.path, asked.token) == ("POST", "/windows/3/finish", "Bearer secret")
        assert asked.body == {"seen": "A017", "outcome": "received", "cases": []}


async def test_names_are_quoted_in_paths() -> None:
    async with ScriptedHall(HALL) as hall, HallClient(hall.url, limits=QUICK) as client:
        await client.sign_out("../k 1?x")
        assert hall.asked[0].path == "/windows/..%2Fk%201%3Fx/sign-out"


async def test_refusal_carries_the_problem_of_the_daemon() -> None:
    async with ScriptedHall(HALL) as hall, HallClient(hall.url, limits=QUICK) as client:
        hall.answers["next"] = lambda _body: refusal("nothing_waiting")
        with pytest.raises(RequestRefused) as caught:
            await client.call_next("3", None)
        assert caught.value.status == 409
        assert caught.value.code == caught.value.problem.code == "nothing_waiting"
        assert caught.value.text == Text(zh="现在没有人在等候。", en="Nobody is waiting.")


async def test_nobody_at_the_address_is_said_with_the_address() -> None:
    async with ScriptedHall(HALL) as hall:
        url = hall.url
    async with HallClient(url, limits=QUICK) as client:
        with pytest.raises(HallUnreachable) as caught:
            await client.recall("3", "A017")
    assert not caught.value.maybe_done
    assert url in caught.value.text.zh
    assert "请看网线和主机" in caught.value.text.zh


async def test_lost_answer_says_that_the_step_may_have_happened() -> None:
    async with ScriptedHall(HALL) as hall, HallClient(hall.url, limits=IMPATIENT) as client:
        hall.mute.set()
        with pytest.raises(HallUnreachable) as caught:
            await client.recall("3", "A017")
        assert caught.value.maybe_done
        assert "请看屏幕上的号码" in caught.value.text.zh
        assert [a.path for a in hall.asked] == ["/windows/3/recall"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>", "HTTP 404"),
        (b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "HTTP 302"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", "HallMap.hall: missing"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", "json_invalid"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", None),
    ],
)
async def test_something_else_at_the_address_is_said_to_be_no_hall(answer: bytes, why: str | None) -> None:
    async with speaker(answer) as url, HallClient(url, limits=QUICK) as client:
        with pytest.raises(HallUnreachable) as caught:
            await client.hall()
        assert url in caught.value.text.zh
        if why is not None:
            assert "不是大厅服务" in caught.value.text.zh
            assert why in caught.value.text.zh


async def test_misunderstood_answer_does_not_repeat_what_was_in_it() -> None:
    body = b'{"hall": {"zh": 990000199001010011}}'
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    async with speaker(head + body) as url, HallClient(url, limits=QUICK) as client:
        with pytest.raises(HallUnreachable) as caught:
            await client.hall()
        assert "990000199001010011" not in f"{caught.value} {caught.value.text}"


async def test_stream_gives_each_view_and_ends_with_the_connection() -> None:
    async with ScriptedHall(HALL, window_view()) as hall, HallClient(hall.url, limits=QUICK) as client:
        seen: list[WindowView] = []

        async def watch() -> None:
            async for view in client.window_views("3"):
                seen.append(view)
                if len(seen) == 1:
                    hall.show(calling())
                else:
                    await hall.go_away()

        with pytest.raises(HallUnreachable):
            await watch()
        assert [v.current.number if v.current else None for v in seen] == [None, "H018"]


async def test_lasting_stream_comes_back_and_tells_each_change_of_the_link() -> None:
    news: list[LinkNews] = []
    async with ScriptedHall(HALL, window_view()) as hall, HallClient(hall.url, limits=QUICK) as client:
        async with aclosing(client.window_views("3").lasting(news.append)) as views:
            assert (await anext(views)).current is None
            await hall.go_away()
            again = asyncio.ensure_future(anext(views))
            await until_async(lambda: any("连不上" in (n.trouble.zh if n.trouble else "") for n in news))
            hall.view = serving()
            await hall.come_back()
            view = await again
            assert view.current is not None
        assert [n.link for n in news[:3]] == [Link.CONNECTING, Link.ONLINE, Link.OFFLINE]
        assert news[-1] == LinkNews(link=Link.ONLINE)
        await until_async(lambda: hall.streams == 0, what="the stream is closed behind the reader")


async def test_refused_stream_ends_for_good() -> None:
    async with ScriptedHall(HALL) as hall, HallClient(hall.url, limits=QUICK) as client:
        hall.answers["views"] = lambda _body: refusal("not_found", 404, what="9")
        with pytest.raises(RequestRefused):
            await anext(client.window_views("9").lasting(lambda _news: None))


async def test_events_go_on_after_the_last_number_that_was_seen() -> None:
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode())
        first = 5 if len(asked) == 1 else 7
        lines = [f'{{"number":{n},"type":"t","time":"","data":{{}}}}\n' for n in (first, first + 1)]
        fleeting = '{"type":"fleeting","time":"","data":{}}\n'
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + f"{fleeting}\n{''.join(lines)}".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    numbers: list[int] = []
    async with HallClient(url, limits=QUICK) as client:
        async with aclosing(client.events(4).lasting(lambda _news: None)) as events:
            async for event in events:
                if event.number is not None:
                    numbers.append(event.number)
                if len(numbers) == 4:
                    break
        assert numbers == [5, 6, 7, 8]
        assert asked == ["/events?after=4&follow=true", "/events?after=6&follow=true"]
        replay = [event.number async for event in client.events(0, follow=False)]
        assert replay == [None, 7, 8]
    server.close()
    await server.wait_closed()


async def test_line_without_end_is_not_swallowed() -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    async with speaker(head + b"x" * (5 * 1024 * 1024)) as url, HallClient(url, limits=QUICK) as client:
        with pytest.raises(HallUnreachable) as caught:
            await anext(aiter(client.window_views("3")))
        assert caught.value.code == "client.not_the_hall"


async def test_clock_of_the_hall_is_taken_from_its_answers() -> None:
    head = b"HTTP/1.1 200 OK\r\nDate: Mon, 02 Mar 2026 02:24:00 GMT\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    async with speaker(head) as url, HallClient(url, limits=QUICK) as client:
        await client.health()
        assert abs(client.hall_time_s() - 1772418240) < 5


def test_back_off_is_spread_and_bounded() -> None:
    client = HallClient("http://127.0.0.1:1")
    waits = [client.retry_wait_s(failures) for failures in range(40) for _ in range(20)]
    assert max(waits) <= client.limits.longest_retry_s
    assert min(waits) >= client.limits.first_retry_s / 2
    assert len(set(waits)) > 700
