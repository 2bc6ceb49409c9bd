"""One archive for a bug report, with nothing personal in it: redacted by construction, then searched.

Everything that goes in is redacted first (ID numbers, mobile numbers, and the names and numbers of today's residents as
far as the hall can still tell them); then the finished archive is unpacked and searched for the same again. What is
found is counted by part and told without quoting it; an archive with a finding is not handed out.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from logging import Formatter, Handler, LogRecord

from sqlmodel import Session, select

from hall_daemon.config import HallConfig
from hall_daemon.events import Sealed, TicketIssued
from hall_daemon.privacy import Key, unseal
from hall_daemon.store import Store
from hall_daemon.tables import EventRow

MARK = "[personal]"
MOST_LOG_LINES = 4000
SHORTEST_NAME = 2
_NUMBER = re.compile(r"(?<![0-9A-Za-z])(?:[0-9]{17}[0-9Xx]|1[3-9][0-9]{9})(?![0-9A-Za-z])")
_CLERK_TABLE = re.compile(r"^\s*\[clerk\.")
_TABLE = re.compile(r"^\s*\[")
_NAME = re.compile(r"^(\s*name(?:_en)?\s*=\s*)\".*\"")
_USER_IN_URL = re.compile(r"(://)[^/@\s\"]+@")
_SECRET = re.compile(r"(?i)^(\s*[\w-]*(?:token|secret|password|passwd|pin_hash|key_b64)[\w-]*\s*=\s*).*$")


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A finished archive; `leaks` names parts in which something personal was found, with how often."""

    data: bytes
    leaks: Mapping[str, int]


class LogTail(Handler):
    """Keeps the last lines of the log in memory."""

    def __init__(self, most: int = MOST_LOG_LINES) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=most)
        self.setFormatter(Formatter("%(asctime)s %(levelname)-7s %(name)s  %(message)s"))

    def emit(self, record: LogRecord) -> None:
        """Keep a line."""
        self.lines.append(self.format(record))


def redact(content: str, known: Iterable[str]) -> str:
    """Content without ID numbers, mobile numbers and what is known of today's residents."""
    for fact in sorted(known, key=len, reverse=True):
        content = content.replace(fact, MARK)
    return _NUMBER.sub(MARK, content)


def count_leaks(content: str, known: Iterable[str]) -> int:
    """How many personal facts stand in it."""
    return len(_NUMBER.findall(content)) + sum(content.count(fact) for fact in known)


def without_secrets(config: str) -> str:
    """devices.toml as it may be shown: no clerk's name, no password in an address, nothing that looks like a secret."""
    lines, in_clerk = [], False
    for line in config.splitlines():
        if _TABLE.match(line):
            in_clerk = bool(_CLERK_TABLE.match(line))
        shown = _NAME.sub(rf'\1"{MARK}"', line) if in_clerk else line
        lines.append(_SECRET.sub(rf'\1"{MARK}"', _USER_IN_URL.sub(r"\1", shown)))
    return "\n".join(lines) + "\n"


def known_facts(session: Session, bizdate: str, key: Key | None) -> frozenset[str]:
    """Names, ID and phone numbers of the day's residents, unsealed to be searched for; none without the key."""
    if key is None:
        return frozenset()
    rows = session.exec(select(EventRow).where(EventRow.type == TicketIssued.wire_type, EventRow.bizdate == bizdate))
    facts: set[str] = set()
    for row in rows:
        sealed = json.loads(row.body)["data"].get("pii")
        if sealed:
            opened = unseal(key, row.id, Sealed.model_validate(sealed))
            facts |= {value for value in opened.values() if len(value) >= SHORTEST_NAME}
    return frozenset(facts)


async def facts_of_today(store: Store, config: HallConfig) -> frozenset[str]:
    """What must not stand in an archive, as far as this hall can tell."""
    return await store.read(lambda session: known_facts(session, store.bizdate(session), config.secrets.pii))


def pack(parts: Mapping[str, str], known: frozenset[str], at_s: float | None = None) -> Bundle:
    """Redact, pack, unpack and search."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in parts.items():
            data = redact(content, known).encode()
            entry = tarfile.TarInfo(f"hall-diagnose/{name}")
            entry.size, entry.mtime, entry.mode = len(data), int(time.time() if at_s is None else at_s), 0o600
            archive.addfile(entry, io.BytesIO(data))
    data = packed.getvalue()
    return Bundle(data=data, leaks=search(data, known))


def search(archive: bytes, known: frozenset[str]) -> dict[str, int]:
    """Parts of an archive in which something personal stands, with how often."""
    found: dict[str, int] = {}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as opened:
        for entry in opened.getmembers():
            part = opened.extractfile(entry)
            leaks = count_leaks(part.read().decode(errors="replace"), known) if part else 0
            leaks += count_leaks(entry.name, known)
            if leaks:
                found[entry.name] = leaks
    return found
