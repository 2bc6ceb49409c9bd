"""Plays a hall: residents at the kiosks, clerks at the windows, papers on the scanner; no human.

Residents lay cards on the reader's twin and press keys on the keypad's twin, looking only at what the kiosk's screen
says. Clerks speak the counter screen's HTTP. What happened is counted from the twins and the province's ledger.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from sim import oracle, papers
from sim.bench import Bench, Watcher
from sim.hall_plan import DEMO_PIN
from sim.idcard_records import CitizenCard, last_character
from sim.oracle import Evidence, Perceived

NUMBER = re.compile(r"(?<![A-Z0-9])[A-Z]{1,2}[0-9]{3,4}(?![0-9])")
REPRINT_MARK = "补打"

_SURNAMES, _GIVEN = "赵钱孙李周吴郑王冯陈", ("测试", "示例", "样本", "试样", "范例")


@dataclass(frozen=True, kw_only=True)
class Resident:
    """Somebody who does not exist (division 990000)."""

    card: CitizenCard
    phone: str


def residents(seed: int) -> Iterator[Resident]:
    """Fictitious residents without end, all different."""
    chance = random.Random(seed)
    for count in range(100_000):
        birth = f"{chance.randint(1950, 2005)}{chance.randint(1, 12):02d}{chance.randint(1, 28):02d}"
        seventeen = f"990000{birth}{count % 1000:03d}"
        number = seventeen + last_character(seventeen)
        card = CitizenCard(
            name=chance.choice(_SURNAMES) + chance.choice(_GIVEN) + chr(0x4E00 + chance.randrange(20000)),
            sex="1" if int(number[16]) % 2 else "2",
            nation="01",
            birth=birth,
            address="示例省示例市示例区示例街道9号院1单元101室",
            number=number,
            authority="示例市公安局示例分局",
            valid_from="20210301",
            valid_to="20410301",
        )
        yield Resident(card=card, phone=f"139{chance.randrange(10**8):08d}")


class Kiosk:
    """A resident's hands and eyes at one kiosk."""

    def __init__(self, bench: Bench, code: str, seed: int) -> None:
        self.bench = bench
        self.code = code
        self.table = bench.tables["kiosk"][code]
        self.readers = [r for r in self.table["card_readers"] if not _unavailable(bench, r)]
        self.keypad = bench[self.table["keypad"]]
        self.chance = random.Random(seed)
        self.screen = Watcher(f"{bench.url}/kiosks/{code}/views")
        self.visits = 0

    def close(self) -> None:
        """Stop looking."""
        self.screen.close()

    def visit(self, resident: Resident, *, with_phone: bool = True) -> str:
        """One whole visit by card and keypad; the number, or "" if none was issued. Raises TimeoutError."""
        reader = self.bench[self.readers[self.visits % len(self.readers)]]
        self.visits += 1
        self._wait("idle", "unprinted")
        if self.screen.view["screen"] == "unprinted":
            self._press("cancel", leaving="unprinted")
        reader.put(resident.card)
        try:
            return self._choose(resident, with_phone=with_phone)
        finally:
            reader.lift()
            self._go_home()

    def _choose(self, resident: Resident, *, with_phone: bool) -> str:
        self._wait("phone", "duplicate", "missed", "readfail", limit_s=15)
        if self.screen.view["screen"] != "phone":
            return ""
        if with_phone:
            self.keypad.type(resident.phone)
            self.screen.until(
                lambda v: (v.get("field") or {}).get("typed") == 11, what="11 digits typed", unless=_is_first_page
            )
            self._press("ok", leaving="phone")
        else:
            self._press("*", leaving="phone")
        view = self._next("service", "confirm")
        if view["screen"] == "service":
            self._press("7", leaving="service")
            view = self._next("zones", "list", "confirm")
        if view["screen"] == "zones":
            self._press(self._any_choice(view), leaving="zones")
            view = self._next("list", "confirm")
        if view["screen"] == "list":
            self._press(self._any_choice(view), leaving="list")
        view = self._next("confirm", "duplicate")
        if view["screen"] == "duplicate":
            return ""
        self._press("ok", leaving="confirm")
        view = self._next("done", "nopaper", "unsure", "duplicate", "closed", limit_s=40)
        ticket = view.get("ticket") or {}
        return str(ticket.get("number", ""))

    def _any_choice(self, view: dict[str, Any]) -> str:
        choices = [c["key"] for c in view["choices"] if not c["suspended"] and c["key"] in "123456789"]
        return str(self.chance.choice(choices))

    def _press(self, key: str, *, leaving: str) -> None:
        """Press, and again if the screen did not take it: a person does the same."""
        deadline = time.monotonic() + 5
        while True:
            revision = self.screen.view.get("revision")
            self.keypad.press(key)
            try:
                self.screen.until(
                    lambda v, r=revision: v["screen"] != leaving or v["revision"] != r, limit_s=1, what=f"{key} taken"
                )
                return
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise

    def _wait(self, *screens: str, limit_s: float = 20.0) -> dict[str, Any]:
        return self.screen.until(lambda v: v["screen"] in screens, limit_s, what=f"{self.code} shows {screens}")

    def _next(self, *screens: str, limit_s: float = 20.0) -> dict[str, Any]:
        """The same within a visit: gives up when the kiosk is back on its first page (the daemon was restarted)."""
        return self.screen.until(
            lambda v: v["screen"] in screens, limit_s, f"{self.code} shows {screens}", unless=_is_first_page
        )

    def _go_home(self) -> None:
        for _ in range(40):
            if self.screen.view.get("screen") in ("idle", "unprinted", "reader", "closed"):
                return
            key = "1" if self.screen.view.get("screen") in ("nopaper", "unsure") else "cancel"
            self.keypad.press(key)
            try:
                self._wait("idle", "unprinted", "reader", "closed", limit_s=1.0)
            except TimeoutError:
                continue
        raise TimeoutError(f"{self.code} does not go back to its first page: {self.screen.view.get('screen')}")


def _is_first_page(view: dict[str, Any]) -> bool:
    return view["screen"] in ("idle", "unprinted", "reader")


def _unavailable(bench: Bench, device: str) -> bool:
    return any(note.startswith(f"{device}:") for note in bench.notes)


@dataclass
class Clerk:
    """A clerk at one window: calls, serves, sometimes scans, parks, recalls, marks no-show."""

    bench: Bench
    window: str
    clerk: str
    seed: int
    scanner_lock: threading.Lock = field(default_factory=threading.Lock)
    scan_share: float = 0.4
    """How many of those served bring a paper."""
    finished: list[str] = field(default_factory=list)
    interrupted: set[str] = field(default_factory=set)
    pages: int = 0
    unasked: int = 0
    """Residents who left a window with an evaluation device and were not asked."""
    troubles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.http = httpx.Client(base_url=self.bench.url, timeout=20, trust_env=False)
        self.view = Watcher(f"{self.bench.url}/windows/{self.window}/views")
        self._sheet = 0

    def close(self) -> None:
        """Go home."""
        self.view.close()
        self.http.close()

    def sign_in(self) -> None:
        """Take the window; the session goes along with every verb from now on."""
        answer = self.say("sign-in", clerk=self.clerk, pin=DEMO_PIN).raise_for_status()
        self.http.headers["X-Hall-Session"] = answer.json()["session"]

    def say(self, verb: str, **order: object) -> httpx.Response:
        """One request of the counter screen; tries again while the daemon is away, as the screen does."""
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.http.post(f"/windows/{self.window}/{verb}", json=order)
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def step(self) -> bool:
        """Do what the screen asks for next, as a clerk does; False if there is nothing to do.

        Looks before each step, so that it goes on rightly after a restart in the middle of anything.
        """
        view = self._look()
        current = view["current"]
        if current is not None and current["state"] == "called":
            return self._receive(current["number"], current["call_no"])
        if current is not None:
            return self._serve(current["number"])
        for line in view["parked"]:
            return self._try("resume", ticket=line["number"])
        for line in view["missed"]:
            return self._try("requeue", ticket=line["number"])
        if not view["waiting_total"]:
            return False
        answer = self.say("next", seen=None)
        if answer.status_code == 200:
            self._until_shown(answer.json()["number"])
        return answer.status_code == 200

    def _receive(self, number: str, calls: int) -> bool:
        """Somebody was called: comes, comes late, or does not come."""
        chance = self.chance.random()
        if chance < 0.1 and calls == 1:
            return self._try("recall", seen=number)
        if chance > 0.95:
            return self._try("no-show", seen=number)
        return self._try("serve", seen=number, identity_rechecked=True)

    def _serve(self, number: str) -> bool:
        chance = self.chance.random()
        if chance < 0.1 and number not in self.interrupted:
            self.interrupted.add(number)
            return self._try("park", seen=number, reason="copy", hold="here")
        if chance > 1 - self.scan_share and self.bench.tables["window"][self.window].get("scanner"):
            self.scan(number)
        done = self._try("finish", seen=number, outcome="completed")
        if done:
            self.finished.append(number)
            self._resident_rates()
        return done

    def _resident_rates(self) -> None:
        """The resident who leaves answers the evaluation device, if the window has one and it asks."""
        device = self.bench.tables["window"][self.window].get("evaluator")
        if not device:
            return
        pad = self.bench[device]
        deadline = time.monotonic() + 2
        while not _asks(pad):
            if time.monotonic() > deadline:
                self.unasked += 1
                return
            time.sleep(0.01)
        _press_a_grade(pad, self.chance)
        with contextlib.suppress(TimeoutError):  # the daemon may have been killed meanwhile
            self.view.until(lambda v: (v["evaluation"] or {}).get("zh") == "已评价", 3, "the evaluation is recorded")

    def scan(self, number: str) -> None:
        """Lay a page on the glass, scan it, file it."""
        device = self.bench.tables["window"][self.window]["scanner"]
        with self.scanner_lock:
            self._sheet += 1
            self.bench[device].put_on_platen(
                papers.Paper(seed=self.seed * 1000 + self._sheet, skew_deg=self.chance.uniform(-3, 3), x_mm=4, y_mm=3)
            )
            answer = self.say("scans", ticket=number)
            if answer.status_code != 200:
                if answer.json()["code"] != "screen_out_of_date":  # the next look tells more
                    self.troubles.append(f"scan refused: {answer.json()['text']['zh']}")
                return
            job = answer.json()["job"]
            self.view.until(lambda v: (v["scan"] or {}).get("job") == job, limit_s=5, what="scan begun")
            view = self.view.until(
                lambda v: v["scan"] and v["scan"]["job"] == job and v["scan"]["state"] != "scanning",
                limit_s=60, what="scan done", unless=lambda v: (v["scan"] or {}).get("job") != job,
            )["scan"]  # fmt: skip
        pages = [page["no"] for page in view["pages"]]
        if not pages:
            self.troubles.append(f"no page: {(view['problem'] or {}).get('zh')}")
            return
        if self._try(f"scans/{job}/file", material_code="M05", material_name="申请表", pages=pages):
            self.pages += len(pages)

    def _look(self) -> dict[str, Any]:
        return self.view.until(lambda v: v["clerk"] == self.clerk, what=f"{self.clerk} at window {self.window}")

    def _until_shown(self, number: str) -> None:
        device = self.bench.tables["window"][self.window].get("display")
        deadline = time.monotonic() + 5
        while device and number not in (self.bench[device].text or ""):
            if time.monotonic() > deadline:
                self.troubles.append(f"{number} was not shown on {device}")
                return
            time.sleep(0.01)

    def _try(self, verb: str, **order: object) -> bool:
        """A refusal (409) is no failure: the screen was out of date, and the next look tells more."""
        answer = self.say(verb, **order)
        if answer.status_code not in (200, 409):
            self.troubles.append(f"window {self.window}: {verb}: {answer.status_code} {answer.text[:200]}")
        return answer.status_code == 200


def _asks(pad: Any) -> bool:
    """Whether this twin of an evaluation device has a question on its face."""
    return bool(getattr(pad, "asking", False) or getattr(pad, "doing", "") == "evaluation")


def _press_a_grade(pad: Any, chance: random.Random) -> None:
    if hasattr(pad, "rate"):
        pad.rate(chance.choice(["satisfied", "satisfied", "neutral"]))
    else:
        pad.press(chance.choice([1, 1, 2, 3]))


def evidence(bench: Bench, people: list[Resident]) -> Evidence:
    """What the twins printed and showed so far."""
    found = Evidence(personal=[w for p in people for w in (p.card.name, p.card.number, p.phone)])
    for device, printer in bench.by_kind("printer_").items():
        written = _Written(bench, device)
        for slip in printer.whole_slips:
            lines = [line.text for line in slip.text_lines]
            number = next(
                (m.group() for line in slip.text_lines if line.size[0] > 2 and (m := NUMBER.search(line.text))), ""
            )
            if number:
                reprint = any(REPRINT_MARK in line for line in lines)
                found.printed.append(Perceived(device=device, number=number, at=written.first(number), reprint=reprint))
    for device, display in bench.by_kind("display_").items():
        for shown in display.shown:
            match = NUMBER.search(shown.text)
            if match and "请" in shown.text:
                found.shown.append(Perceived(device=device, number=match.group(), at=shown.at))
    return found


_SIZE = b"\x1d!"
"""GS !, whose parameter may look like a letter."""


class _Written:
    """When bytes came to a device."""

    def __init__(self, bench: Bench, device: str) -> None:
        line: Any = bench.lines[device]
        self._passed = [p for p in list(line.transcript) if p.direction == ">"]
        self._stream = b"".join(p.data for p in self._passed)

    def first(self, number: str) -> float:
        """Time of the piece with which this text was complete; H002 is not the end of VH002, where it stands alone."""
        found = (m.start() for m in re.finditer(re.escape(number.encode()), self._stream))
        at = next((place for place in found if self._stands_alone(place)), -1)
        position = 0
        for piece in self._passed:
            position += len(piece.data)
            if at >= 0 and position >= at + len(number):
                return float(piece.at)
        return time.time()

    def _stands_alone(self, at: int) -> bool:
        """Whether a number begins there: the V of VH002 may be the size of what follows (GS ! V), then it is H002."""
        if self._stream[at - 2 : at] == _SIZE:
            return False
        lane = self._stream[at - 1 : at] in (b"V", b"X", b"Y")
        return not lane or self._stream[at - 3 : at - 1] == _SIZE


@dataclass(kw_only=True)
class Play:
    """Some visits on a running bench, and what came of them."""

    bench: Bench
    visits: int
    seed: int = 7
    people: list[Resident] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    clerks: list[Clerk] = field(default_factory=list)

    def run(self, tell: Any = None) -> dict[str, Any]:
        """Play all visits, wait for the province, ask the oracle; the summary. `tell` hears a line per visit."""
        began = time.monotonic()
        self._staff()
        stop = threading.Event()
        threads = [threading.Thread(target=self._work, args=(c, stop), name=f"clerk {c.window}") for c in self.clerks]
        for thread in threads:
            thread.start()
        try:
            self._residents_come(tell)
            self._until("every visit is finished", self._all_left, 60 + self.visits)
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)
            for clerk in self.clerks:
                clerk.close()
                self.troubles += clerk.troubles
        if self.bench.province is not None:
            self._until("the province has everything", self._delivered, 60)
        return self.summary(time.monotonic() - began)

    def _staff(self) -> None:
        clerks = iter(self.bench.tables["clerk"])
        locks: dict[str, threading.Lock] = {}
        for window, table in self.bench.tables["window"].items():
            lock = locks.setdefault(table.get("scanner", ""), threading.Lock())
            clerk = Clerk(self.bench, window, next(clerks), self.seed + len(self.clerks), scanner_lock=lock)
            clerk.sign_in()
            self.clerks.append(clerk)

    def _residents_come(self, tell: Any) -> None:
        kiosks = [Kiosk(self.bench, code, self.seed + n) for n, code in enumerate(self.bench.tables["kiosk"])]
        crowd = residents(self.seed)
        try:
            for count in range(self.visits):
                resident = next(crowd)
                self.people.append(resident)
                kiosk = kiosks[count % len(kiosks)]
                number = kiosk.visit(resident, with_phone=count % 3 != 2)
                if not number:
                    self.troubles.append(f"visit {count + 1} ended without a number")
                    continue
                self.numbers.append(number)
                if tell is not None:
                    tell(f"{count + 1}/{self.visits}  {kiosk.code}  {number}")
        finally:
            for kiosk in kiosks:
                kiosk.close()

    def _work(self, clerk: Clerk, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                if not clerk.step():
                    stop.wait(0.05)
            except (TimeoutError, RuntimeError, httpx.HTTPError) as exc:
                self.troubles.append(f"window {clerk.window}: {exc}")
                stop.wait(0.5)

    def _all_left(self) -> bool:
        tickets = oracle.Hall.read(self.bench.database).tickets
        return all(t["state"] in ("finished", "cancelled", "expired") for t in tickets)

    def _delivered(self) -> bool:
        assert self.bench.province is not None
        mine = oracle.Hall.read(self.bench.database)
        heads = sum(1 for e in mine.events if e["streamid"] == mine.streams[-1]["streamid"])
        pending = [b for b in mine.blobs if b["state"] == "pending"]
        return mine.streams[-1]["acked_through"] == heads and not pending

    def _until(self, what: str, condition: Any, limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() > deadline:
                self.troubles.append(f"not within {limit_s:.0f} s: {what}")
                return
            time.sleep(0.1)

    def summary(self, seconds: float) -> dict[str, Any]:
        """Counted from the twins and the ledger; without a province, from the hall's log."""
        seen = evidence(self.bench, self.people)
        province = self.bench.province
        ledger = province.ledger() if province is not None else None
        events = [json.loads(e.event) for e in ledger.events] if ledger else []
        kinds: dict[str, list[dict[str, Any]]] = {}
        for event in events:
            kinds.setdefault(event["type"].split(".", 1)[1].removesuffix(".v1"), []).append(event["data"])
        seen.save(self.bench.run / "evidence.json")
        violations = oracle.check(
            self.bench.database, self.bench.database.with_name("blobs"), seen, ledger, [self.bench.log],
            everything_sent=True,
        )  # fmt: skip
        return {
            "visits": self.visits,
            "issued": len(kinds.get("ticket.issued", [])),
            "printed": len({p.number for p in seen.printed}),
            "called": len({d["display_no"] for d in kinds.get("ticket.called", [])}),
            "displayed": len({p.number for p in seen.shown}),
            "finished": len(kinds.get("ticket.finished", [])),
            "announced": len({s.text for a in self.bench.by_kind("announcer_").values() for s in a.spoken}),
            "unasked": sum(clerk.unasked for clerk in self.clerks),
            "evaluated": sum(not d["timeout"] for d in kinds.get("evaluation.submitted", [])),
            "pages": sum(len(d["pages"]) for d in kinds.get("material.scanned", [])),
            "events": len(events),
            "acknowledged": ledger.acknowledged if ledger else 0,
            "blobs_stored": len(ledger.stored) if ledger else 0,
            "duplicates": ledger.duplicates if ledger else 0,
            "oracle": violations,
            "troubles": self.troubles,
            "seconds": round(seconds, 1),
        }


def save(summary: dict[str, Any], file: Path) -> None:
    """The summary as JSON."""
    file.write_text(json.dumps(summary, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
