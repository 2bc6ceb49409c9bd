"""Talking to the daemon that a day is played on: one kept connection a thread, and what came of the requests."""

from __future__ import annotations

import http.client
import json
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


class Lost(Exception):
    """The daemon went away before it answered."""


@dataclass(kw_only=True)
class Counts:
    """What was asked, and what came back."""

    requests: int = 0
    refused: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    lost: int = 0
    """Without an answer, and asked again."""
    repeated: int = 0
    """Of these, numbers that had been given: the same one came again."""
    troubles: list[str] = field(default_factory=list)


class Line:
    """One thread's connection to the daemon."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._kept = threading.local()

    def ask(
        self, method: str, path: str, order: dict[str, Any] | None = None, session: str = ""
    ) -> tuple[int, dict[str, Any]]:
        """Status and answer. Raises Lost."""
        headers = {"Content-Type": "application/json", "X-Hall-Session": session}
        body = json.dumps(order) if order is not None else None
        for attempt in (1, 2):
            connection: http.client.HTTPConnection | None = getattr(self._kept, "connection", None)
            fresh = connection is None
            if connection is None:
                connection = http.client.HTTPConnection(self._url.hostname or "", self._url.port, timeout=120)
                self._kept.connection = connection
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                if path.endswith("/views"):
                    first = json.loads(answer.readline())
                    self._drop()
                    return answer.status, first
                return answer.status, json.loads(answer.read())
            except (OSError, http.client.HTTPException, ValueError) as exc:
                self._drop()
                if fresh or attempt == 2:
                    raise Lost(path) from exc
        raise Lost(path)

    def _drop(self) -> None:
        self._kept.connection.close()
        self._kept.connection = None
