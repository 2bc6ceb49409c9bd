"""The link to an HTTP device: every request ends within its limit, whatever the other side does."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from drivers.base import BadReply, NoReply
from drivers.transport_web import WebDevice
from sim.stopwatch import Stopwatch


@pytest.fixture
def raw_server() -> Iterator[Callable[[bytes, float], str]]:
    """A server that answers every connection with the same bytes, one at a time with a pause between."""
    servers, threads, over = [], [], threading.Event()

    def serve(server: socket.socket, answer: bytes, pause_s: float) -> None:
        client, _ = server.accept()
        with client:
            for i in range(len(answer)):
                if over.wait(pause_s):
                    return
                try:
                    client.sendall(answer[i : i + 1])
                except OSError:
                    return

    def start(answer: bytes, pause_s: float) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=serve, args=(server, answer, pause_s))
        thread.start()
        servers.append(server)
        threads.append(thread)
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    yield start
    over.set()
    for thread in threads:
        thread.join(40)
    for server in servers:
        server.close()


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 999, b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 999]
)
def test_answer_that_dribbles_for_ever_ends_with_the_limit(
    answer: bytes, raw_server: Callable[[bytes, float], str]
) -> None:
    link = WebDevice(raw_server(answer, 0.02))
    watch = Stopwatch()
    with pytest.raises(NoReply):
        link.request("GET", "x", limit_s=0.6)
    assert watch.s < 6.0  # the answer itself takes 20 s
    link.close()


def test_answer_that_is_no_http_is_a_bad_reply(raw_server: Callable[[bytes, float], str]) -> None:
    link = WebDevice(raw_server(b"\x02SCANNER READY\x03\r\n\r\n", 0.0))
    with pytest.raises(BadReply):
        link.request("GET", "x", limit_s=2)
    link.close()
