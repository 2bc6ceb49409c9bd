"""A client that takes numbers over HTTP, in a process of its own so that it does not share the daemon's time."""

from typing import Any

import httpx


def take_numbers(url: str, item: str, number: int, count: int, start: Any, results: Any) -> None:
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        start.wait()
        numbers = []
        for n in range(count):
            answer = client.post("/tickets", json={"item": item, "request_id": f"bench-{number}-{n}-issue"})
            answer.raise_for_status()
            numbers.append(answer.json()["number"])
        results.put(numbers)
