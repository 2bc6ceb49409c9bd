"""TCP ports of loopback that the system gives to nobody else while a bench has them."""

from __future__ import annotations

import socket
from types import TracebackType


class HeldPort:
    """Bound, but not listening: callers are refused, and who is told its number may listen there.

    A number that was only looked up is free again at once, and another process may be given it before the one that it
    was meant for has begun; whoever asks then talks to the wrong one. Source: Linux, inet_csk_find_open_port: a port
    that is bound is never chosen; a socket with SO_REUSEADDR (as asyncio, uvicorn and create_server make them) may bind
    it all the same.
    """

    def __init__(self, number: int = 0) -> None:
        """0 takes a free one. Raises OSError where somebody listens."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind(("127.0.0.1", number))
        except OSError:
            self._socket.close()
            raise
        self.number: int = self._socket.getsockname()[1]

    def close(self) -> None:
        """Give it back."""
        self._socket.close()

    def __enter__(self) -> HeldPort:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
