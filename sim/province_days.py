"""What the province says about the past: reconciliation of a day (§7.4), and the ledger for tests (§13)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from sim import province_checks as checks
from sim.province_checks import integer, map_of, shape
from sim.province_ledger import Ledger, Stream, kept_row
from sim.province_problems import Problem
from sim.province_seals import Json, JsonObject, digest_of_blobs, digest_of_rows, sm3
from sim.province_tables import Row, Tables

BUCKET = 256

DAY = shape(
    bizdate=checks.date,
    streamid=checks.uuid,
    first_sequence=checks.sequence,
    last_sequence=checks.sequence,
    event_count=integer(0),
    digest_sm3=checks.hex64,
    tickets=integer(0),
    by_queue=map_of(checks.queue_code, shape(min=integer(0), max=integer(0), count=integer(0))),
    blobs=integer(0),
    blob_digest_sm3=checks.hex64,
    chain_sm3_opt=checks.hex64,
)


class Days:
    """Reconciliation and read-outs over one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.tables = ledger.tables

    def reconcile(self, claim: Json) -> JsonObject:
        """Compare a closed day with what is here. Raises Problem for a broken chain or an unknown stream.

        Figures that a day has in two streams are right if they fit either this stream's part or the whole day.
        """
        if complaint := DAY(claim):
            raise Problem(400, "BAD_ENVELOPE", complaint)
        assert isinstance(claim, dict)
        stream = self.ledger.stream(str(claim["streamid"]))
        if stream is None:
            raise Problem(404, "STREAM_UNKNOWN", "no such stream here")
        first, last = int(str(claim["first_sequence"])), int(str(claim["last_sequence"]))
        if last > stream.acked:
            raise Problem(409, "SEQ_GAP", "the day's last event is not here yet", **stream.position)
        rows = self._rows(stream, first, last)
        differences = self._differences(claim, rows)
        missing = sorted(blob for blob in blobs_named_in(rows) if not self._is_stored(blob))
        if not differences:
            self._compare_chain(claim, stream, last)
        answer = self._answer(differences, missing, rows, first, last)
        with self.tables.transaction():
            self.tables.do(
                "INSERT INTO reconciliations (bizdate, streamid, first, last, result) VALUES (?, ?, ?, ?, ?)",
                (str(claim["bizdate"]), stream.streamid, first, last, str(answer["result"])),
            )
        return answer

    def _rows(self, stream: Stream, first: int, last: int) -> list[Row]:
        return self.tables.rows(
            "SELECT * FROM events WHERE streamid = ? AND sequence BETWEEN ? AND ? AND status <> 'lost'"
            " ORDER BY sequence",
            (stream.streamid, first, last),
        )

    def _differences(self, claim: JsonObject, rows: list[Row]) -> list[Json]:
        of_the_day = [row for row in rows if row["bizdate"] == claim["bizdate"]]
        everywhere = self.tables.rows(
            "SELECT * FROM events WHERE bizdate = ? AND status NOT IN ('lost', 'repeat')", (str(claim["bizdate"]),)
        )
        differing: list[Json] = []
        # Between closing and the next opening the stream may hold events of another day: either count is honest.
        readings = (rows, of_the_day)
        if not any(claim["event_count"] == len(part) and claim["digest_sm3"] == _digest(part) for part in readings):
            differing.append("events")
        if not any(_tickets_agree(claim, part) for part in (*readings, everywhere)):
            differing.append("tickets")
        if not any(_blobs_agree(claim, part) for part in (*readings, everywhere)):
            differing.append("blobs")
        return differing

    def _is_stored(self, blob: str) -> bool:
        return self.tables.number("SELECT count(*) FROM blobs WHERE blob = ? AND state = 'stored'", (blob,)) == 1

    def _answer(
        self, differences: list[Json], missing: list[str], rows: list[Row], first: int, last: int
    ) -> JsonObject:
        if not differences and not missing:
            return {"result": "match"}
        # `differences` is a hint for people beside the members of the contract.
        return {
            "result": "mismatch",
            "buckets": [
                _bucket(rows, start, min(start + BUCKET - 1, last)) for start in range(first, last + 1, BUCKET)
            ],
            "missing_blobs": list(missing),
            "differences": differences,
        }

    def _compare_chain(self, claim: JsonObject, stream: Stream, last: int) -> None:
        row = self.tables.row("SELECT chain FROM events WHERE streamid = ? AND sequence = ?", (stream.streamid, last))
        if "chain_sm3" not in claim or row is None or row["chain"] == claim["chain_sm3"]:
            return
        sound = self.tables.number(
            "SELECT max(last) FROM reconciliations WHERE streamid = ? AND result = 'match' AND last < ?",
            (stream.streamid, last),
        )
        start = sound + 1
        end = min(sound + BUCKET, last)
        bucket = _bucket(self._rows(stream, start, end), start, end)
        raise Problem(409, "CHAIN_MISMATCH", "the chain differs after the last sound bucket", bucket=bucket)

    def known_serials(self, days: int = 10) -> JsonObject:
        """Highest number of each queue on the latest service days."""
        latest = "SELECT DISTINCT bizdate FROM serials ORDER BY bizdate DESC LIMIT ?"
        answer: dict[str, Json] = {}
        for row in self.tables.rows(
            f"SELECT * FROM serials WHERE bizdate IN ({latest}) ORDER BY bizdate, queue_code",  # noqa: S608 - own text
            (days,),
        ):
            of_day = answer.setdefault(row["bizdate"], {})
            assert isinstance(of_day, dict)
            of_day[row["queue_code"]] = row["highest"]
        return answer

    def quarantine(self, streamid: str | None = None) -> list[Json]:
        """Events in quarantine: sequence, id, code."""
        rows = self.tables.rows(
            "SELECT * FROM events WHERE status = 'quarantined' AND streamid = coalesce(?, streamid) ORDER BY n",
            (streamid,),
        )
        return [
            {
                "streamid": row["streamid"],
                "sequence": f"{row['sequence']:016d}",
                "id": row["id"],
                "code": row["code"],
                "detail": row["detail"],
            }
            for row in rows
        ]

    def held_subjects(self) -> list[str]:
        """Subjects whose later events wait."""
        rows = self.tables.rows("SELECT subject FROM subjects WHERE held_by IS NOT NULL ORDER BY subject")
        return [row["subject"] for row in rows]


def blobs_named_in(rows: list[Row]) -> dict[str, JsonObject]:
    """Every file that scanned materials name, by its id."""
    named: dict[str, JsonObject] = {}
    for row in rows:
        if row["type"] != "hall.material.scanned.v1" or row["status"] == "quarantined":
            continue
        for blob in _blobs_in(kept_row(row).data):
            named[str(blob["blob"])] = blob
    return named


def _blobs_in(data: JsonObject) -> Iterator[JsonObject]:
    pages = data["pages"]
    assert isinstance(pages, list)
    candidates = [page["blob"] for page in pages if isinstance(page, dict)]
    yield from (blob for blob in (*candidates, data.get("bundle")) if isinstance(blob, dict))


def _digest(rows: list[Row]) -> str:
    return digest_of_rows((row["sequence"], row["id"], row["leaf"]) for row in rows)


def _bucket(rows: list[Row], start: int, end: int) -> JsonObject:
    inside = [row for row in rows if start <= row["sequence"] <= end]
    return {"from": f"{start:016d}", "to": f"{end:016d}", "count": len(inside), "digest_sm3": _digest(inside)}


def _tickets_agree(claim: JsonObject, rows: list[Row]) -> bool:
    numbers: dict[str, list[int]] = {}
    for row in rows:
        if row["type"] != "hall.ticket.issued.v1":
            continue
        data = kept_row(row).data
        queue, serial = data.get("queue_code"), data.get("serial")
        # Without these it is in quarantine, and nobody can count it to a queue.
        if isinstance(queue, str) and isinstance(serial, int):
            numbers.setdefault(queue, []).append(serial)
    by_queue = {
        queue: {"min": min(serials), "max": max(serials), "count": len(serials)} for queue, serials in numbers.items()
    }
    return claim["tickets"] == sum(map(len, numbers.values())) and claim["by_queue"] == by_queue


def _blobs_agree(claim: JsonObject, rows: list[Row]) -> bool:
    blobs = blobs_named_in(rows)
    # The digest of no blobs may be over nothing or over the final line feed alone.
    digests = {digest_of_blobs(blobs), sm3(b"\n") if not blobs else ""}
    return claim["blobs"] == len(blobs) and claim["blob_digest_sm3"] in digests


def ledger_document(days: Days, blob_folder: Path, bizdate: str | None) -> JsonObject:
    """Everything acknowledged, each applied effect once, in the order of streams and sequences."""
    tables = days.tables
    rows = tables.rows(
        "SELECT events.*, count(effects.n) AS applications, min(effects.n) AS applied FROM events"
        " LEFT JOIN effects ON effects.event_id = events.id AND events.status = 'applied'"
        " JOIN streams USING (streamid) WHERE bizdate = coalesce(?, bizdate) GROUP BY events.n"
        " ORDER BY streams.n, sequence",
        (bizdate,),
    )
    sorted_rows: dict[str, list[Json]] = {}
    for row in rows:
        sorted_rows.setdefault(row["status"], []).append(_event_entry(row))
    return {
        "bizdate": bizdate,
        "streams": [_stream_entry(row) for row in tables.rows("SELECT * FROM streams ORDER BY n")],
        "events": sorted_rows.get("applied", []),
        "held": sorted_rows.get("held", []),
        "quarantined": sorted_rows.get("quarantined", []) + sorted_rows.get("purged", []),
        "repeats": sorted_rows.get("repeat", []),
        "lost": sorted_rows.get("lost", []),
        "held_subjects": list(days.held_subjects()),
        "warnings": [dict(row) for row in tables.rows("SELECT * FROM warnings ORDER BY rowid")],
        "tickets": [
            dict(row)
            for row in tables.rows(
                "SELECT * FROM tickets WHERE bizdate IS coalesce(?, bizdate) ORDER BY rowid", (bizdate,)
            )
        ],
        "cases": [
            {**dict(row), "notices": json.loads(row["notices"])}
            for row in tables.rows("SELECT * FROM cases ORDER BY rowid")
        ],
        "blobs": _blob_entries(tables, blob_folder, [row for row in rows if row["status"] != "lost"]),
        "reconciliations": [dict(row) for row in tables.rows("SELECT * FROM reconciliations ORDER BY n")],
        "acknowledged": len(rows),
        "duplicates": sum(max(0, row["applications"] - 1) for row in rows),
        "resent": tables.counted("resent"),
    }


def _event_entry(row: Row) -> JsonObject:
    return {
        "streamid": row["streamid"],
        "sequence": row["sequence"],
        "id": row["id"],
        "type": row["type"],
        "subject": row["subject"],
        "aggseq": row["aggseq"],
        "bizdate": row["bizdate"],
        "leaf": row["leaf"],
        "chain": row["chain"],
        "event": row["text"],
        "status": row["status"],
        "code": row["code"],
        "detail": row["detail"],
        "applied": row["applied"],
        "envelope": json.loads(row["opened"]) if row["opened"] else None,
    }


def _stream_entry(row: Row) -> JsonObject:
    return {
        "streamid": row["streamid"],
        "state": "open" if row["open"] else "closed",
        "acked_through": row["acked"],
        "chain_sm3": row["chain"],
        "reason": row["reason"],
        "previous_streamid": row["previous"],
    }


def _blob_entries(tables: Tables, folder: Path, rows: list[Row]) -> list[Json]:
    named = blobs_named_in(rows)
    here = {row["blob"]: row for row in tables.rows("SELECT * FROM blobs ORDER BY blob")}
    entries: list[Json] = []
    for blob in sorted({*named, *here}):
        row = here.get(blob)
        state = row["state"] if row is not None else "awaited"
        facts: JsonObject = dict(row) if row is not None else {**named[blob]}
        path = str(folder / blob.removeprefix("sha256:")) if state == "stored" else None
        entries.append({**facts, "state": state, "path": path, "named": blob in named})
    return entries
