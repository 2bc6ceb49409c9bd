"""What the province decides and halls pull: catalog (§7.6), appointments (§7.7), commands (§7.8), keys (§3.4).

`content_sm3` covers the object of the seven content lists (zones, departments, items, materials, evaluation_options,
calendar, notices), lists sorted by `code`, the calendar by `date`: the members that are the same whether a version was
fetched whole or as a difference. The contract does not say which members count; this is our reading.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence

from sim import province_checks as checks
from sim.province_checks import boolean, free_object, integer, list_of, shape, text
from sim.province_problems import Problem
from sim.province_seals import Json, JsonObject, canonical, parse_json, sm3, wire_time
from sim.province_tables import Row, Tables

BY_CODE = ("zones", "departments", "items", "materials", "evaluation_options")
CONTENT = (*BY_CODE, "calendar", "notices")
PAGE = 200
LONGEST_WAIT_S = 25.0

_entries = list_of(shape(code=text(64)), 100_000)
CATALOG = shape(
    version=integer(1),
    effective_at_opt=checks.moment,
    urgent_opt=boolean,
    content_sm3_opt=checks.hex64,
    **{f"{name}_opt": _entries for name in BY_CODE},
    calendar_opt=list_of(shape(date=checks.date, work=boolean)),
    notices_opt=list_of(free_object),
)
APPOINTMENT = shape(
    id=text(64),
    code6=text(16),
    item_codes=list_of(text(40)),
    bizdate=checks.date,
    slot_start=text(40),
    slot_end=text(40),
    id_type=text(3),
    id_hmac=checks.hex64,
    name_masked=text(64),
    phone_tail4=text(4),
    state=checks.one_of("booked", "cancelled", "checked_in", "no_show"),
    rev=integer(1),
)
COMMAND = shape(type=text(64), args_opt=free_object, expires_at_opt=checks.moment)


class Decisions:
    """Everything a hall can pull."""

    def __init__(self, tables: Tables, now: Callable[[], float]) -> None:
        self.tables = tables
        self._now = now
        self._news = asyncio.Event()

    # -- catalog ---------------------------------------------------------------------------------------------------

    def publish_catalog(self, document: Json, *, offer_delta: bool = False) -> int:
        """A new version; it replaces the former for whoever asks from now on. Raises Problem."""
        if complaint := CATALOG(document):
            raise Problem(400, "BAD_ENVELOPE", complaint)
        assert isinstance(document, dict)
        version = int(str(document["version"]))
        if version <= self.catalog_version():
            raise Problem(409, "CATALOG_VERSION", f"version {self.catalog_version()} is published already")
        whole: JsonObject = {
            **{name: [] for name in CONTENT},
            "effective_at": wire_time(self._now()),
            "urgent": False,
            **document,
            "base": 0,
            "mode": "full",
            "removed": {"items": []},
        }
        whole.setdefault("content_sm3", content_digest(whole))
        with self.tables.transaction():
            self.tables.do(
                "INSERT INTO catalogs VALUES (?, ?, ?)",
                (version, json.dumps(whole, ensure_ascii=False), int(offer_delta)),
            )
        return version

    def catalog_version(self) -> int:
        """The latest version; 0 while nothing is published."""
        return self.tables.number("SELECT max(version) FROM catalogs")

    def catalog_since(self, since: int) -> JsonObject | None:
        """The catalog for a hall that has this version; None if there is nothing newer. Raises Problem 410."""
        latest = self.catalog_version()
        if since == latest:
            return None
        base = self._catalog(since) if since else None
        if since and base is None:
            raise Problem(410, "CATALOG_BASE_GONE", "that version is unknown here; ask with since=0")
        row = self.tables.row("SELECT * FROM catalogs WHERE version = ?", (latest,))
        whole = self._catalog(latest)
        assert row is not None
        assert whole is not None
        return difference(base, whole) if base is not None and row["offer_delta"] else whole

    def _catalog(self, version: int) -> JsonObject | None:
        row = self.tables.row("SELECT document FROM catalogs WHERE version = ?", (version,))
        return None if row is None else _object(row["document"])

    # -- appointments ----------------------------------------------------------------------------------------------

    def put_appointments(self, documents: Json) -> None:
        """Book or change; a revision that is not higher changes nothing. Raises Problem."""
        if complaint := list_of(APPOINTMENT)(documents):
            raise Problem(400, "BAD_ENVELOPE", complaint)
        assert isinstance(documents, list)
        with self.tables.transaction():
            for document in documents:
                assert isinstance(document, dict)
                self.tables.do(
                    "INSERT INTO appointments VALUES (?, (SELECT coalesce(max(change), 0) + 1 FROM appointments),"
                    " ?, ?, ?) ON CONFLICT (id) DO UPDATE SET change = excluded.change, rev = excluded.rev,"
                    " bizdate = excluded.bizdate, document = excluded.document WHERE excluded.rev > rev",
                    (
                        *(str(document["id"]), int(str(document["rev"])), str(document["bizdate"])),
                        json.dumps(document, ensure_ascii=False),
                    ),
                )

    def appointments(self, *, first: str, last: str, after: int) -> JsonObject:
        """Changes after a position, oldest first; `next_cursor` is the position to go on from, now or later."""
        rows = self.tables.rows(
            "SELECT * FROM appointments WHERE change > ? AND bizdate BETWEEN ? AND ? ORDER BY change LIMIT ?",
            (after, first, last, PAGE + 1),
        )
        page = rows[:PAGE]
        return {
            "items": [_object(row["document"]) for row in page],
            "next_cursor": str(page[-1]["change"] if page else after),
            "more": len(rows) > PAGE,
            "as_of": wire_time(self._now()),
        }

    # -- commands --------------------------------------------------------------------------------------------------

    def give_command(self, document: Json) -> int:
        """A command for the hall, by default good for a day. Raises Problem."""
        if complaint := COMMAND(document):
            raise Problem(400, "BAD_ENVELOPE", complaint)
        assert isinstance(document, dict)
        expires = str(document.get("expires_at") or wire_time(self._now() + 86400))
        args = json.dumps(document.get("args", {}), ensure_ascii=False)
        with self.tables.transaction():
            number = self.tables.do(
                "INSERT INTO commands (type, args, expires_at) VALUES (?, ?, ?)",
                (str(document["type"]), args, expires),
            )
        self.wake()
        return number

    def pending_commands(self) -> int:
        """Commands without a result."""
        return self.tables.number("SELECT count(*) FROM commands WHERE NOT answered")

    def commands_after(self, command_id: int) -> list[Json]:
        """Commands the hall has not fetched, also expired ones: the hall answers those as expired."""
        rows = self.tables.rows("SELECT * FROM commands WHERE id > ? ORDER BY id", (command_id,))
        return [_command(row) for row in rows]

    async def wait_for_commands(self, command_id: int, wait_s: float) -> list[Json]:
        """The same, but wait for the first one."""
        news = self._news
        if not self.commands_after(command_id) and wait_s > 0:
            try:
                await asyncio.wait_for(news.wait(), min(wait_s, LONGEST_WAIT_S))
            except TimeoutError:
                return []
        return self.commands_after(command_id)

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self._news.set()
        self._news = asyncio.Event()


def content_digest(catalog: JsonObject) -> str:
    """`content_sm3` of a whole catalog."""
    content: JsonObject = {name: _in_order(name, _list(catalog, name)) for name in CONTENT}
    return sm3(canonical(content))


def _in_order(name: str, entries: Sequence[Json]) -> list[Json]:
    by = "date" if name == "calendar" else "code"
    return sorted(entries, key=lambda entry: str(entry.get(by, "")) if isinstance(entry, dict) else "")


def difference(base: JsonObject, whole: JsonObject) -> JsonObject:
    """What a hall with the base needs to have the whole; calendar and notices come whole."""
    changed: JsonObject = {}
    removed: JsonObject = {}
    for name in BY_CODE:
        before, after = _by_code(base, name), _by_code(whole, name)
        changed[name] = [entry for code, entry in after.items() if before.get(code) != entry]
        removed[name] = [code for code in before if code not in after]
    return {**whole, **changed, "mode": "delta", "base": base["version"], "removed": removed}


def _by_code(catalog: JsonObject, name: str) -> dict[str, Json]:
    return {str(entry["code"]): entry for entry in _list(catalog, name) if isinstance(entry, dict)}


def _list(catalog: JsonObject, name: str) -> list[Json]:
    entries = catalog[name]
    assert isinstance(entries, list)
    return entries


def _object(document: str) -> JsonObject:
    value = parse_json(document.encode())
    assert isinstance(value, dict)
    return value


def _command(row: Row) -> JsonObject:
    return {"id": row["id"], "type": row["type"], "args": _object(row["args"]), "expires_at": row["expires_at"]}
