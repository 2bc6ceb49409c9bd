"""Was anything lost? One program that compares what the hall kept with what everybody else could perceive.

Checks N1–N7 and N9 of the failure catalogue over the hall's database, its spool, the province's ledger, what the twins
printed and showed, and every log; each violation is a sentence that names the invariant and the row. It reads the
database with sqlite3 and shares no code with the daemon.

    python -m sim.oracle RUN_FOLDER      checks a run of the bench after the fact (evidence.json, ledger.json)
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sqlite3
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sim.province_views import LedgerEvent, LedgerView, ledger_view

_ID_NUMBER = re.compile(rb"(?<![0-9A-Fa-f])[0-9]{17}[0-9Xx](?![0-9A-Fa-f])")
_BIRTH = re.compile(r"(18|19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])")
_MOBILE = re.compile(rb"(?<![0-9A-Fa-f-])1[3-9][0-9]{9}(?![0-9A-Fa-f-])")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


@dataclass(frozen=True, kw_only=True)
class Perceived:
    """A number that somebody could see: on paper or on a display; `at` in seconds since 1970."""

    device: str
    number: str
    at: float
    reprint: bool = False


@dataclass(kw_only=True)
class Evidence:
    """What the world outside the daemon saw and what must not be found anywhere."""

    printed: list[Perceived] = field(default_factory=list)
    shown: list[Perceived] = field(default_factory=list)
    personal: list[str] = field(default_factory=list)
    """Names, ID numbers and phones that were used."""

    def save(self, file: Path) -> None:
        """As JSON; personal words are fictitious, and kept to search for them."""
        file.write_text(json.dumps(asdict(self), ensure_ascii=False), encoding="utf-8")

    @staticmethod
    def read(file: Path) -> Evidence:
        """What `save` wrote."""
        said = json.loads(file.read_text(encoding="utf-8"))
        return Evidence(
            printed=[Perceived(**p) for p in said["printed"]],
            shown=[Perceived(**p) for p in said["shown"]],
            personal=said["personal"],
        )


@dataclass(frozen=True, kw_only=True)
class Hall:
    """The hall's side, read once."""

    streams: list[sqlite3.Row]
    events: list[sqlite3.Row]
    tickets: list[sqlite3.Row]
    counters: list[sqlite3.Row]
    materials: list[sqlite3.Row]
    evaluations: list[sqlite3.Row]
    blobs: list[sqlite3.Row]
    refused: list[sqlite3.Row]

    @staticmethod
    def read(database: Path) -> Hall:
        """Read everything in one transaction."""
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        try:
            connection.execute("BEGIN")

            def rows(question: str) -> list[sqlite3.Row]:
                return connection.execute(question).fetchall()

            return Hall(
                streams=rows("SELECT * FROM stream ORDER BY rowid"),
                events=rows("SELECT * FROM event ORDER BY number"),
                tickets=rows("SELECT * FROM ticket ORDER BY issued_ms"),
                counters=rows("SELECT * FROM counter"),
                materials=rows("SELECT * FROM material"),
                evaluations=rows("SELECT * FROM evaluation"),
                blobs=rows("SELECT * FROM blob"),
                refused=rows("SELECT * FROM refused"),
            )
        finally:
            connection.close()


def check(
    database: Path, blobs: Path, evidence: Evidence, ledger: LedgerView | None, places: Sequence[Path], *,
    everything_sent: bool,
) -> list[str]:  # fmt: skip
    """All violations. `places` are files and folders in which nothing personal may stand; `everything_sent` says that
    the hall has had the time to deliver, so that nothing may be unacknowledged."""
    hall = Hall.read(database)
    found = [
        *story(hall, evidence),
        *_pages_are_kept(hall, blobs, ledger),
        *_nothing_personal(evidence, [database.parent, *places]),
    ]
    if ledger is not None:
        found += [*_ledger_equals_hall(hall, ledger), *_conserved(hall, ledger, everything_sent=everything_sent)]
    return found


def story(hall: Hall, evidence: Evidence) -> list[str]:
    """Violations that show in the rows alone: N1, N2, N3 and N5."""
    return [
        *_perceived_is_durable(hall, evidence),
        *_numbers_are_unique(hall, evidence),
        *_rows_have_events(hall),
        *_streams_are_whole(hall),
    ]


# --- N1, N2 -----------------------------------------------------------------------------------------------------------


def _perceived_is_durable(hall: Hall, evidence: Evidence) -> Iterator[str]:
    issued, called = _first_times(hall, "hall.ticket.issued.v1"), _first_times(hall, "hall.ticket.called.v1")
    for kind, seen, known in (("printed", evidence.printed, issued), ("shown", evidence.shown, called)):
        for one in seen:
            committed = known.get(one.number)
            if committed is None:
                yield f"N1: {one.number} was {kind} on {one.device} and no event of the database knows it"
            elif committed > one.at + 0.001:
                yield f"N1: {one.number} was {kind} on {one.device} {committed - one.at:.3f} s before it was recorded"


def _first_times(hall: Hall, wire_type: str) -> dict[str, float]:
    times: dict[str, float] = {}
    for row in hall.events:
        if row["type"] == wire_type:
            body = json.loads(row["body"])
            times.setdefault(body["data"]["display_no"], _seconds(body["recordedtime"]))
    return times


def _seconds(rfc3339: str) -> float:
    from datetime import datetime  # noqa: PLC0415 - the one place

    return datetime.fromisoformat(rfc3339).timestamp()


def _numbers_are_unique(hall: Hall, evidence: Evidence) -> Iterator[str]:
    for (bizdate, number), count in Counter((t["bizdate"], t["number"]) for t in hall.tickets).items():
        if count > 1:
            yield f"N2: {number} stands in {count} ticket rows of {bizdate}"
    last: dict[tuple[str, str], int] = {}
    said: set[str] = set()
    for row in hall.events:
        # The same event in a later stream is the same number, said again.
        if row["type"] != "hall.ticket.issued.v1" or row["id"] in said:
            continue
        said.add(row["id"])
        data = json.loads(row["body"])["data"]
        series = (row["bizdate"], data["display_no"].rstrip("0123456789"))
        # Emergency pads are keyed in later, in whatever order the sheets lie.
        if data["channel"] != "paper_emergency" and data["serial"] <= last.get(series, 0):
            yield f"N2: event {row['number']}: serial {data['serial']} of {series} after {last[series]}"
        last[series] = data["serial"]
    originals = Counter(p.number for p in evidence.printed if not p.reprint)
    for number, count in originals.items():
        if count > 1:
            yield f"N2: {count} slips with {number} are not marked as reprints"


# --- N3, N5 -----------------------------------------------------------------------------------------------------------

_STATE_AFTER = {
    "issued": "waiting", "called": "called", "serving_started": "serving", "parked": "parked", "resumed": "serving",
    "transferred": "waiting", "no_show": "no_show", "requeued": "waiting", "cancelled": "cancelled",
    "finished": "finished", "expired": "expired",
}  # fmt: skip


def _rows_have_events(hall: Hall) -> Iterator[str]:
    told: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    seen: set[str] = set()
    for row in hall.events:
        if row["id"] not in seen:
            seen.add(row["id"])
            told[row["subject"]].append((row["type"].split(".")[-2], json.loads(row["body"])["data"]))
    yield from _tickets_as_told(hall, told)
    yield from _materials_as_told(hall, told)
    yield from _evaluations_as_told(hall, told)
    highest: dict[tuple[str, str], int] = {}
    for ticket in hall.tickets:
        key = (ticket["bizdate"], ticket["series"])
        highest[key] = max(highest.get(key, 0), ticket["serial"])
    for counter in hall.counters:
        if counter["last"] < highest.get((counter["bizdate"], counter["series"]), 0):
            yield f"N3: counter {counter['series']} of {counter['bizdate']} is below its tickets"


def _tickets_as_told(hall: Hall, told: dict[str, list[tuple[str, dict[str, Any]]]]) -> Iterator[str]:
    rows = {f"ticket/{t['id']}": t for t in hall.tickets}
    for subject in told:
        if subject.startswith("ticket/") and subject not in rows:
            yield f"N3: events of {subject}, but no ticket row"
    for subject, ticket in rows.items():
        steps = told.get(subject, [])
        if not steps or steps[0][0] != "issued":
            yield f"N3: ticket {ticket['number']} has no issued event"
            continue
        states = [state for verb, data in steps if (state := _state_after(verb, data)) is not None]
        if states[-1] != ticket["state"]:
            yield f"N3: ticket {ticket['number']} is {ticket['state']}, its events say {states[-1]}"
        yield from _slip_as_told(ticket, steps)


def _state_after(verb: str, data: dict[str, Any]) -> str | None:
    """State that an event leads to; a correction says which holds instead of what was told before."""
    if verb == "corrected":
        return str(data["fields"]["state"]) if "state" in data["fields"] else None
    return _STATE_AFTER.get(verb)


def _slip_as_told(ticket: sqlite3.Row, steps: list[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    results = [data["result"] for verb, data in steps if verb == "printed"]
    if "ok" in results:
        expected = {"printed"}
    elif results:
        expected = {{"failed": "failed", "unknown": "unknown"}[results[-1]]}
    else:
        expected = {"pending", "none"}
    if ticket["slip"] not in expected:
        yield f"N3: slip of {ticket['number']} is {ticket['slip']}, its events say {results or 'nothing'}"


def _evaluations_as_told(hall: Hall, told: dict[str, list[tuple[str, dict[str, Any]]]]) -> Iterator[str]:
    rows = {f"ticket/{e['ticket_id']}": e["level"] for e in hall.evaluations}
    for subject, steps in told.items():
        said = [data.get("level") for verb, data in steps if verb == "submitted"]
        # Who did not answer at the window may rate by the code on the slip, once.
        good = said[-1:] == [rows[subject]] and not any(said[:-1]) if subject in rows else not said
        if not good:
            yield f"N3: evaluation of {subject} is {rows.get(subject, 'not there')}, its events say {said}"


def _materials_as_told(hall: Hall, told: dict[str, list[tuple[str, dict[str, Any]]]]) -> Iterator[str]:
    rows = {f"material/{m['id']}": m for m in hall.materials}
    for subject in told:
        if subject.startswith("material/") and subject not in rows:
            yield f"N3: events of {subject}, but no material row"
    for subject, material in rows.items():
        steps = [data for verb, data in told.get(subject, []) if verb == "scanned"]
        if len(steps) != 1:
            yield f"N3: {subject} has {len(steps)} scanned events"
            continue
        pages = [page["blob"]["blob"] for page in steps[0]["pages"]]
        if pages != json.loads(material["pages"]):
            yield f"N3: {subject}: row and event name different pages"


def _streams_are_whole(hall: Hall) -> Iterator[str]:
    places: dict[str, list[int]] = defaultdict(list)
    for row in hall.events:
        places[row["streamid"]].append(row["sequence"])
    for streamid, sequences in places.items():
        if sequences != list(range(1, len(sequences) + 1)):
            yield f"N3: stream {streamid} is not 1..{len(sequences)} in commit order"
    yield from _places_are_whole(hall)


def _places_are_whole(hall: Hall) -> Iterator[str]:
    """A stream.opened that stands before repeated events may share a number with one of them; nothing else may."""
    steps: dict[str, list[int]] = defaultdict(list)
    taken: dict[str, set[int]] = defaultdict(set)
    seen: set[str] = set()
    for row in hall.events:
        if row["id"] in seen:
            continue
        seen.add(row["id"])
        taken[row["subject"]].add(row["aggseq"])
        if row["type"] != "hall.stream.opened.v1":
            steps[row["subject"]].append(row["aggseq"])
    for subject, numbers in taken.items():
        if numbers != set(range(1, len(numbers) + 1)) or steps[subject] != sorted(set(steps[subject])):
            yield f"N5: aggseq of {subject} is {steps[subject][:20]}"


# --- N4, N5, N7 -------------------------------------------------------------------------------------------------------


def _ledger_equals_hall(hall: Hall, ledger: LedgerView) -> Iterator[str]:
    mine = {(row["streamid"], row["sequence"]): row for row in hall.events}
    theirs = {(row.streamid, row.sequence): row for row in ledger.rows}
    for place, entry in theirs.items():
        row = mine.get(place)
        if row is None:
            yield f"N4: the ledger has {entry.type} at {place[0]}/{place[1]}, the hall has nothing there"
        elif row["id"] != entry.id or row["leaf"] != entry.leaf or row["chain"] != entry.chain:
            yield f"N4: {place[0]}/{place[1]} differs between hall ({row['id']}) and ledger ({entry.id})"
        elif row["body"] != entry.event:
            yield f"N4: {place[0]}/{place[1]}: the ledger's event is not byte for byte the hall's"
    for event_id, count in Counter(entry.id for entry in ledger.events).items():
        if count > 1:
            yield f"N4: event {event_id} took effect {count} times"
    if ledger.duplicates:
        yield f"N4: {ledger.duplicates} effects were applied more than once"
    yield from _ledger_order(ledger.events)


def _ledger_order(events: tuple[LedgerEvent, ...]) -> Iterator[str]:
    by_subject: dict[str, list[int]] = defaultdict(list)
    for entry in sorted(events, key=lambda e: e.applied or 0):
        by_subject[entry.subject].append(entry.aggseq)
    for subject, numbers in by_subject.items():
        if numbers != sorted(numbers):
            yield f"N5: the ledger applied {subject} in the order {numbers[:20]}"


def _conserved(hall: Hall, ledger: LedgerView, *, everything_sent: bool) -> Iterator[str]:
    heads = Counter(row["streamid"] for row in hall.events)
    acked = {stream.streamid: stream.acked_through for stream in ledger.streams}
    for stream in hall.streams:
        streamid, through = stream["streamid"], stream["acked_through"]
        if through > heads[streamid]:
            yield f"N7: stream {streamid}: acknowledged through {through} of {heads[streamid]}"
        if through > acked.get(streamid, 0):
            yield f"N7: the hall believes {streamid}/{through} acknowledged, the province has {acked.get(streamid, 0)}"
        if everything_sent and stream["state"] == "open" and through != heads[streamid]:
            yield f"N7: stream {streamid}: {heads[streamid] - through} events were never acknowledged"
    for row in hall.refused:
        yield f"N7: event {row['id']} of {row['streamid']}/{row['sequence']} was refused alone: {row['code']}"
    for entry in ledger.quarantined:
        yield f"N7: {entry.type} {entry.streamid}/{entry.sequence} is in quarantine: {entry.code} {entry.detail}"
    for warning in ledger.warnings:
        yield f"N5: the province warns of {warning.event_id}: {warning.code} {warning.detail}"


# --- N6 ---------------------------------------------------------------------------------------------------------------


def _pages_are_kept(hall: Hall, folder: Path, ledger: LedgerView | None) -> Iterator[str]:
    rows = {row["blob"]: row for row in hall.blobs}
    stored = {blob.blob: blob for blob in ledger.blobs if blob.state == "stored"} if ledger else {}
    for material in hall.materials:
        for blob in json.loads(material["pages"]):
            if blob not in rows:
                yield f"N6: material {material['id']} names {blob[:19]}…, which has no row"
    for blob, row in rows.items():
        if row["state"] == "damaged":
            continue  # found, reported by its own event, and the paper is asked for again
        content = _content(folder / blob.removeprefix("sha256:"))
        if content is None or len(content) != row["bytes"] or hashlib.sha256(content).hexdigest() != blob[7:]:
            yield f"N6: the spool's copy of {blob[:19]}… is missing or other than it was"
        if row["state"] == "stored" and ledger is not None and blob not in stored:
            yield f"N8: {blob[:19]}… counts as stored, the province does not have it"
    for blob, entry in stored.items():
        content = _content(entry.path) if entry.path else None
        if content is None or hashlib.sha256(content).hexdigest() != blob[7:]:
            yield f"N6: the province's copy of {blob[:19]}… is not what the hall sent"


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


# --- N9 ---------------------------------------------------------------------------------------------------------------


def _nothing_personal(evidence: Evidence, places: Sequence[Path]) -> Iterator[str]:
    words = [(word, word.encode(code)) for word in evidence.personal for code in ("utf-8", "utf-16-le", "gb18030")]
    for file in _files(places):
        content = file.read_bytes()
        for word, encoded in words:
            if encoded in content or word in file.name:
                yield f"N9: {file.name} contains a name or number that was used ({word[:1]}…)"
        for match in _ID_NUMBER.finditer(content):
            if _is_id_number(match.group().decode()):
                yield f"N9: {file.name} at byte {match.start()} contains an ID number"
        for match in _MOBILE.finditer(content):
            yield f"N9: {file.name} at byte {match.start()} contains what looks like a mobile number"


def _files(places: Sequence[Path]) -> Iterator[Path]:
    for place in places:
        for file in [place] if place.is_file() else sorted(place.rglob("*")):
            # Pictures of paper are personal by nature and kept under their digest; their names are looked at elsewhere.
            if file.is_file() and file.parent.name != "blobs" and file.name not in ("evidence.json", "catalog.json"):
                yield file


def _is_id_number(text: str) -> bool:
    if not _BIRTH.match(text[6:14]):  # many codes of organisations pass the check digit by chance
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text, _WEIGHTS, strict=False))
    return "10X98765432"[total % 11] == text[17].upper()


def main() -> int:
    """Check a run folder after the fact."""
    parser = argparse.ArgumentParser(prog="python -m sim.oracle", description="Was anything lost in this run?")
    parser.add_argument("run", type=Path, help="folder of a bench run")
    run = parser.parse_args().run
    ledger_file = run / "ledger.json"
    ledger = ledger_view(ledger_file.read_text(encoding="utf-8")) if ledger_file.exists() else None
    violations = check(
        run / "var" / "hall.db", run / "var" / "blobs", Evidence.read(run / "evidence.json"), ledger,
        [run / "daemon.log"], everything_sent=False,
    )  # fmt: skip
    for violation in violations:
        print(violation)
    print(f"{len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
