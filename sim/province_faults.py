"""Faults on the line between hall and province (§13): rules that say which request suffers what.

A rule is tried on every request outside /sim, in the order in which rules were made; the first that applies takes the
request, and rules behind it do not even count it. So `drop twice, then answer 503 once` is three rules in that order.

    match    method, path_re (searched in the raw path), nth (1-based among the requests this rule saw)
    times    how often it applies from then on; without nth and times: until cleared
    do       see `Deed`
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

from sim.province_checks import integer, one_of, shape, text
from sim.province_problems import Problem
from sim.province_seals import Json, JsonObject


class Deed(Enum):
    """What happens to a request. `value` in brackets."""

    DROP_REQUEST = "drop_request"
    """Taken off the line unread; the connection closes without an answer, or [{"silent": true}] stays open, mute."""
    DROP_RESPONSE = "drop_response_after_commit"
    """Done, and the connection closes without an answer."""
    DELAY = "delay_ms"
    """Done at once, answered [ms] later."""
    STATUS = "status"
    """Not done; answered with [status] or [{"status", "code", "retry_after_s", "content_type", "body", ...}]."""
    TRUNCATE = "truncate"
    """Done; the answer breaks off after half of its body."""
    CORRUPT = "corrupt_body"
    """Done; one byte in the middle of the answer is wrong. [{"side": "request"}]: of the request instead."""
    SLOW = "slow_bps"
    """Request and answer pass with [bytes per second]."""
    RESET = "reset"
    """The connection is reset before the request is read, or [{"after_bytes": n}] of its body."""
    CRASH = "crash"
    """The process dies as by kill -9: ["in_transaction"] after half of a batch, or ["after_commit"]."""


RULE = shape(
    match_opt=shape(method_opt=text(10), path_re_opt=text(500, 0), nth_opt=integer(1)),
    times_opt=integer(1),
    do=one_of(*(deed.value for deed in Deed)),
)


@dataclass(kw_only=True)
class Rule:
    """One fault and how far it has come."""

    method: str | None
    path: re.Pattern[str]
    nth: int
    times: int | None
    deed: Deed
    value: Json
    seen: int = 0
    done: int = 0
    text: JsonObject = field(default_factory=dict)

    def takes(self, method: str, path: str) -> bool:
        """Whether this request suffers; counts it."""
        if (self.method is not None and self.method != method) or not self.path.search(path):
            return False
        self.seen += 1
        if self.seen < self.nth or (self.times is not None and self.done >= self.times):
            return False
        self.done += 1
        return True

    def number(self, name: str, default: int) -> int:
        """A number in `value`, which may be the number itself."""
        value = self.value.get(name, default) if isinstance(self.value, dict) else self.value
        return value if isinstance(value, int) and not isinstance(value, bool) else default

    def option(self, name: str) -> Json:
        """A member of `value`."""
        return self.value.get(name) if isinstance(self.value, dict) else None


def rule_of(document: Json) -> Rule:
    """A rule from its JSON. Raises Problem BAD_ENVELOPE."""
    if complaint := RULE(document):
        raise Problem(400, "BAD_ENVELOPE", complaint)
    assert isinstance(document, dict)
    match = document.get("match", {})
    assert isinstance(match, dict)
    method, path, nth, times = match.get("method"), match.get("path_re"), match.get("nth"), document.get("times")
    try:
        compiled = re.compile(str(path or ""))
    except re.error as exc:
        raise Problem(400, "BAD_ENVELOPE", f"match.path_re: {exc}") from exc
    return Rule(
        method=None if method is None else str(method).upper(),
        path=compiled,
        nth=int(str(nth or 1)),
        times=int(str(times)) if times is not None else (1 if nth is not None else None),
        deed=Deed(document["do"]),
        value=document.get("value"),
        text=document,
    )


class Faults:
    """The rules in force; they live as long as the process."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def add(self, document: Json) -> None:
        """Add one rule or a list of rules. Raises Problem BAD_ENVELOPE."""
        documents = document if isinstance(document, list) else [document]
        self._rules.extend([rule_of(each) for each in documents])

    def clear(self) -> None:
        """The line is sound again."""
        self._rules.clear()

    def take(self, method: str, path: str) -> Rule | None:
        """The rule that this request suffers from."""
        return next((rule for rule in self._rules if rule.takes(method, path)), None)

    def report(self) -> list[Json]:
        """Rules with how often they applied."""
        return [{**rule.text, "seen": rule.seen, "done": rule.done} for rule in self._rules]
