"""The HTTP face over a running daemon: figures, map, events without a gap, views that follow, roles by token."""

import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from prometheus_client.parser import text_string_to_metric_families

from hall_daemon import protocol
from hall_daemon.app import Daemon
from hall_daemon.config import load
from sim import oracle
from sim.bench import HALLS, Bench, DaemonProcess, Watcher
from sim.hall_plan import DEMO_PIN
from tests.journeys.conftest import Hall
from tests.journeys.test_commands import type_in
from tests.waiting import until

TOKENS = {"kiosk": "token-of-kiosks", "counter": "token-of-counters", "technician": "token-of-technicians"}


@contextmanager
def watching(hall: Hall, path: str, **more: Any) -> Iterator[Watcher]:
    """The newest view of a stream."""
    watcher = Watcher(f"{hall.bench.url}{path}", **more)
    try:
        yield watcher
    finally:
        watcher.close()


class Follower:
    """Reads GET /events?follow=true on a thread, as a screen does."""

    def __init__(self, url: str, after: int = 0) -> None:
        self.lines: list[dict[str, Any]] = []
        self.beats = 0
        self._client = httpx.Client(timeout=httpx.Timeout(5, read=30), trust_env=False)
        self._url = f"{url}/events?follow=true&after={after}"
        self._thread = threading.Thread(target=self._read, name="follower")
        self._thread.start()

    def _read(self) -> None:
        try:
            with self._client.stream("GET", self._url) as answer:
                for line in answer.iter_lines():
                    if line:
                        self.lines.append(json.loads(line))
                    else:
                        self.beats += 1
        except (httpx.HTTPError, RuntimeError):
            return  # the daemon or the client has gone

    @property
    def numbers(self) -> list[int]:
        return [line["number"] for line in self.lines]

    def join(self) -> None:
        self._thread.join(20)
        assert not self._thread.is_alive(), "the stream did not end with the daemon"
        self._client.close()


def events(hall: Hall, after: int = 0) -> list[dict[str, Any]]:
    answer = httpx.get(f"{hall.bench.url}/events", params={"after": after}, timeout=20, trust_env=False)
    return [json.loads(line) for line in answer.text.splitlines() if line]


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Hall]:
    """A hall without a province, in which nothing happens by itself."""
    bench = Bench(HALLS / "small", tmp_path / "hall", province=None)
    with bench, DaemonProcess(bench) as daemon:
        yield Hall(bench, daemon, judged=False)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """One hall for tests that change little, and expect nothing of what others left."""
    bench = Bench(HALLS / "small", tmp_path_factory.mktemp("standing"), province=None)
    with bench, DaemonProcess(bench) as daemon:
        found = Hall(bench, daemon, judged=False)
        until(lambda: found.online("DSP-03"), 20, "DSP-03 online")
        yield found


# --- what every tool asks ---------------------------------------------------------------------------------------------


def test_health_tells_that_it_lives_and_can_write(standing: Hall) -> None:
    health = standing.get("/healthz")
    database = oracle.Hall.read(standing.bench.database)

    assert (health["alive"], health["store_writable"], health["day_open"]) == (True, True, True)
    assert health["stream"] == database.streams[-1]["streamid"]
    assert 0 < health["last_event"] <= len(database.events)


def test_health_says_503_while_nothing_can_be_written(standing: Hall) -> None:
    with closing(sqlite3.connect(standing.bench.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = standing.http.get("/healthz", timeout=60)
        other.execute("ROLLBACK")
    assert (answer.status_code, answer.json()["alive"], answer.json()["store_writable"]) == (503, True, False)
    assert standing.get("/healthz")["store_writable"] is True


def test_a_verb_that_a_path_does_not_have_is_told_which_it_has(standing: Hall) -> None:
    answer = standing.http.delete("/tickets")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_figures_are_those_of_the_hall(hall: Hall) -> None:
    for queue in ("A", "A", "H"):
        hall.issue(queue)
    hall.post("/windows/1/sign-in", clerk="c001")
    hall.post("/windows/1/next", seen=None)
    until(lambda: "A001" in hall["DSP-01"].text, 40, "the display shows the call")
    answer = httpx.get(f"{hall.bench.url}/metrics", trust_env=False)
    found = {family.name: family for family in text_string_to_metric_families(answer.text)}
    types = Counter(row["type"] for row in oracle.Hall.read(hall.bench.database).events)

    def values(name: str, label: str) -> dict[str, float]:
        return {s.labels[label]: s.value for s in found[name].samples}

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert values("hall_events", "type")["hall.ticket.issued.v1"] == 3 == types["hall.ticket.issued.v1"]
    assert values("hall_waiting_tickets", "queue") == {"A": 1, "H": 1, "N": 0}
    assert values("hall_device_online", "device").keys() == hall.bench.twins.keys()
    assert values("hall_device_online", "device")["DSP-01"] == 1
    assert values("hall_device_jobs", "device")["DSP-01"] >= 1
    assert found["hall_day_open"].samples[0].value == 1
    assert found["hall_province_backlog_events"].samples[0].value >= 0
    assert found["hall_device_failures"].type == "counter"


def test_the_description_lists_every_route(tmp_path: Path) -> None:
    with Bench(HALLS / "small", tmp_path / "hall", province=None) as bench:
        app: Any = Daemon(load(bench.config, {}))._server().config.app
    described = {(path, method) for path, methods in app.openapi()["paths"].items() for method in methods}
    routes = {(r.path, m.lower()) for r in app.routes if isinstance(r, APIRoute) for m in r.methods or ()}

    assert described == routes
    assert len(routes) > 25
    for path, method in (
        ("/kiosks/{kiosk}/views", "get"), ("/kiosks/{kiosk}/keys", "post"), ("/windows/{window}/next", "post"),
        ("/windows/{window}/scans/{job}/file", "post"), ("/events", "get"), ("/healthz", "get"), ("/metrics", "get"),
    ):  # fmt: skip
        assert (path, method) in described


def test_the_map_names_everything_a_screen_offers(standing: Hall) -> None:
    found = protocol.HallMap.model_validate(standing.get("/hall"))

    assert [w.code for w in found.windows] == ["1", "2", "3"]
    assert [q.code for q in found.queues] == ["A", "H", "N"]
    assert [c.clerk for c in found.clerks] == ["c001", "c002", "c003", "c004", "r901", "m903"]
    assert [k.code for k in found.kiosks] == ["k1"]
    assert {z.code for z in found.zones} == {"A", "D"}
    assert found.items[-1].code == "queue:N"


def test_a_device_is_taken_out_of_use_and_back(standing: Hall) -> None:
    def link(device: str) -> str:
        return str(next(d["link"] for d in standing.get("/devices") if d["device"] == device))

    assert standing.post("/devices/DSP-03/disable").status_code == 202
    until(lambda: link("DSP-03") == "disabled")
    assert standing.post("/devices/DSP-03/enable").status_code == 202
    until(lambda: link("DSP-03") == "online")
    assert standing.post("/devices/DSP-99/enable").status_code == 404
    assert standing.post("/devices/DSP-03/explode").status_code == 404

    def told() -> list[str]:
        return [e["state"] for e in standing.events("device.changed") if e["device_id"] == "DSP-03"]

    until(lambda: told() == ["removed", "ok"])


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_a_request_that_was_sent_again_is_one_ticket(standing: Hall) -> None:
    before = len(standing.tickets())
    order = {"item": "queue:N", "request_id": "the very same request"}
    number, *again = [standing.post("/tickets", **order).json()["number"] for _ in range(3)]
    ticket = protocol.TicketView.model_validate(standing.get(f"/tickets/{number}"))

    assert again == [number, number]
    assert len(standing.tickets()) == before + 1
    assert (ticket.number, ticket.state, ticket.slip, ticket.queue) == (number, "waiting", "none", "N")
    assert standing.get("/tickets/N999")["code"] == "not_found"


@pytest.mark.parametrize("table", ["ticket", "event", "counter"])
def test_a_change_that_the_disk_refuses_is_told_and_may_be_sent_again(standing: Hall, table: str) -> None:
    order = {"item": "queue:N", "request_id": f"refused by the disk at {table}"}
    before = len(standing.tickets())
    with closing(sqlite3.connect(standing.bench.database, isolation_level=None, timeout=30)) as disk:
        for verb in ("INSERT", "UPDATE"):
            disk.execute(f"CREATE TRIGGER no_{verb} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, 'disk'); END")
        refused = standing.post("/tickets", **order)
        disk.executescript("DROP TRIGGER no_INSERT; DROP TRIGGER no_UPDATE")
    assert (refused.status_code, refused.json()["code"]) == (503, "storage_failed")
    assert standing.post("/tickets", **order).status_code == 200
    assert len(standing.tickets()) == before + 1


def test_many_clients_at_once_get_each_their_own_number(standing: Hall) -> None:
    before = standing.tickets().keys()
    items = [queue["items"][0] if queue["items"] else "queue:N" for queue in standing.bench.tables["queue"].values()]

    def take(n: int) -> str:
        answer = standing.post("/tickets", item=items[n % 3], request_id=f"many-clients-{n}")
        return str(answer.json()["number"])

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(take, range(60)))
    by_queue = Counter(number[0] for number in numbers)

    assert len(set(numbers)) == 60
    assert by_queue == {"A": 20, "H": 20, "N": 20}
    assert standing.tickets().keys() - before == set(numbers)


def test_refusals_have_a_code_and_two_sentences(standing: Hall) -> None:
    for path, order, status, code in (
        ("/windows/1/next", {"seen": None}, 409, "not_signed_in"),
        ("/windows/9/sign-in", {"clerk": "c001"}, 404, "not_found"),
        ("/windows/1/sign-in", {"clerk": "c099"}, 409, "wrong_pin"),
        ("/tickets", {"item": "nothing", "request_id": "12345678"}, 404, "not_found"),
        ("/day/open", {}, 409, "day_is_open"),
    ):
        answer = standing.post(path, **order)
        problem = protocol.Problem.model_validate(answer.json())
        assert (answer.status_code, problem.code) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem.text.zh
        assert problem.text.en


def test_a_window_that_there_is_not_is_not_found(standing: Hall) -> None:
    for path in ("views", "places", "cases/received"):
        answer = standing.http.get(f"/windows/9/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path


def test_the_day_is_closed_and_stays_closed(hall: Hall) -> None:
    hall.issue()
    asked = hall.post("/day/close")
    closed = hall.post("/day/close", waiting=1, called=0, parked=0)
    after = hall.post("/tickets", item="queue:N", request_id="after closing")
    again = [hall.post(path).json()["code"] for path in ("/day/close", "/day/open")]

    assert (asked.status_code, asked.json()["code"]) == (409, "confirm_close")
    assert closed.status_code == 200
    assert (after.status_code, after.json()["code"]) == (409, "closed")
    assert again == ["closed", "day_is_over"]
    assert hall.get("/healthz")["day_open"] is False
    assert [t["state"] for t in hall.tickets().values()] == ["expired"]


def test_a_clerk_is_given_what_they_know(standing: Hall) -> None:
    """Skills of an account: from its making, as they are changed, by the command line; without any, everything."""
    for queue in ("A", "H", "H"):
        standing.issue(queue)
    account = {"number": "c088", "name": "样例", "pin": "864213", "skills": ["H"]}
    assert standing.post("/accounts", **account).status_code == 200
    assert standing.post("/accounts", **{**account, "number": "c089", "skills": ["Z"]}).status_code == 404
    assert standing.post("/windows/1/sign-in", clerk="c088", pin="864213").status_code == 200

    def next_is() -> str:
        number = standing.post("/windows/1/next", seen=None).json()["number"]
        standing.post("/windows/1/serve", seen=number)
        standing.post("/windows/1/finish", seen=number)
        return str(number)

    assert next_is()[0] == "H"
    assert standing.post("/accounts/c088/skills", skills=["A"]).status_code == 200
    assert next_is()[0] == "A"
    assert type_in(standing.bench, "account", "skills", "c088", "H").returncode == 0
    [view] = [a for a in standing.get("/accounts") if a["number"] == "c088"]
    assert (view["skills"], view["window"]) == (["H"], "1")
    assert next_is()[0] == "H"
    assert standing.post("/accounts/c088/skills", skills=[]).status_code == 200
    standing.post("/windows/1/sign-out")
    assert "c088" in type_in(standing.bench, "account", "list").stdout


def test_the_guide_keys_in_a_stack_of_pads_and_the_command_line_the_same_sheet(standing: Hall, tmp_path: Path) -> None:
    def as_staff(number: str) -> dict[str, str]:
        session = standing.post("/people/sign-in", number=number, pin=DEMO_PIN).json()["session"]
        return {"Authorization": f"Bearer {session}"}

    pads = [
        {"number": "XA801", "at": "00:00"}, {"number": "XA802", "at": "00:00", "outcome": "completed", "window": "1"},
        {"number": "XZ001", "at": "00:00"},
    ]  # fmt: skip
    first = standing.http.post("/pads", json={"pads": pads}, headers=as_staff("g902")).json()
    assert [(p["number"], p["state"]) for p in first["pads"]] == [
        ("XA801", "keyed"), ("XA802", "keyed"), ("XZ001", "refused"),
    ]  # fmt: skip
    assert standing.http.post("/pads", json={"pads": pads}, headers=as_staff("c001")).status_code == 401
    assert standing.post("/pads", pads=[{"number": "XA803", "at": "25:00"}]).status_code == 422
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("number,time,item,outcome,window\nXA801,00:00\nXA802,00:00,,completed,1\nXH801,00:00\n", "utf-8")
    for marks in (["= XA801", "= XA802", "+ XH801"], ["= XA801", "= XA802", "= XH801"]):
        typed = type_in(standing.bench, "pads", str(sheet))
        assert (typed.returncode, typed.stdout.split("\n")[:3]) == (0, marks), typed.stderr
    tickets = standing.tickets()
    assert [tickets[n]["state"] for n in ("XA801", "XA802", "XH801")] == ["waiting", "finished", "waiting"]
    assert sum(e["display_no"] == "XA801" for e in standing.events("ticket.issued")) == 1
    sheet.write_text("XA901,9.10\n", "utf-8")
    wrong = type_in(standing.bench, "pads", str(sheet))
    assert (wrong.returncode, "line 1: at:" in wrong.stderr) == (2, True)


# --- events -----------------------------------------------------------------------------------------------------------


def test_replay_and_follow_have_no_gap_and_nothing_personal(hall: Hall) -> None:
    hall.kiosk().visit(hall.somebody())
    known = len(events(hall))
    follower = Follower(hall.bench.url, after=2)
    for _ in range(25):
        hall.issue()
    hall.kiosk().visit(hall.somebody())
    last = len(events(hall))
    until(lambda: follower.numbers and follower.numbers[-1] >= last, 20, "the follower has everything")
    replayed = events(hall)
    hall.daemon.stop()
    follower.join()
    stored = oracle.Hall.read(hall.bench.database).events
    hall.daemon.start()

    assert known < last
    assert [line["number"] for line in replayed] == list(range(1, len(replayed) + 1))
    assert follower.numbers == list(range(3, follower.numbers[-1] + 1))
    assert events(hall, after=known)[0]["number"] == known + 1
    assert [(line["number"], line["type"]) for line in replayed] == [
        (row["number"], row["type"]) for row in stored[: len(replayed)]
    ]
    assert any("pii" in json.loads(row["body"])["data"] for row in stored), "something was sealed"
    text = json.dumps([replayed, follower.lines], ensure_ascii=False)
    assert '"pii"' not in text
    for person in hall.people:
        for word in (person.card.name, person.card.number, person.phone):
            assert word not in text


def test_a_screen_that_was_away_misses_nothing(hall: Hall) -> None:
    follower = Follower(hall.bench.url)
    hall.issue()
    until(lambda: len(follower.lines) >= len(events(hall)) > 0)
    hall.daemon.kill()
    follower.join()
    seen = follower.numbers[-1]
    hall.daemon.start()
    hall.issue("N")
    later = Follower(hall.bench.url, after=seen)
    until(lambda: any(line["data"].get("display_no") == "N001" for line in later.lines))
    numbers = follower.numbers + later.numbers
    hall.daemon.stop()
    later.join()
    hall.daemon.start()

    assert numbers == list(range(1, len(numbers) + 1))


def test_a_quiet_line_has_a_heartbeat(hall: Hall) -> None:
    follower = Follower(hall.bench.url, after=10**9)
    until(lambda: follower.beats >= 1, 40, "a blank line")

    assert follower.lines == []
    hall.daemon.stop()
    follower.join()
    hall.daemon.start()


def test_open_streams_do_not_hold_up_the_end(quiet: Hall) -> None:
    follower = Follower(quiet.bench.url)
    with watching(quiet, "/windows/1/views") as window:
        window.until(bool)
        until(lambda: follower.beats == 1, 15, "nothing happens any more")
        assert quiet.daemon.stop() == 0
    follower.join()

    assert follower.beats == 1, "it ended at once, and not when its next heartbeat was due"
    assert "graceful shutdown exceeded" not in quiet.bench.log.read_text(encoding="utf-8")


# --- views ------------------------------------------------------------------------------------------------------------


def test_a_clerks_screen_follows_the_hall(hall: Hall) -> None:
    with watching(hall, "/windows/1/views") as mine, watching(hall, "/windows/3/views") as other:
        assert mine.until(bool)["clerk"] is None
        hall.post("/windows/1/sign-in", clerk="c001")
        assert mine.until(lambda v: v["clerk"] == "c001")["clerk_name"] == "窗口人员01"
        for queue in ("A", "H", "N"):
            hall.issue(queue)
        view = mine.until(lambda v: v["waiting_total"] == 2)
        assert [line["number"] for line in view["waiting"]] == ["A001", "H001"]
        assert {load["queue"]: load["waiting"] for load in view["queues"]} == {"A": 1, "H": 1}
        assert [line["number"] for line in other.until(lambda v: v["waiting_total"] == 1)["waiting"]] == ["N001"]
        hall.post("/windows/1/next", seen=None)
        view = mine.until(lambda v: v["current"])
        current = view["current"]
        assert (current["number"], current["state"], current["call_no"]) == ("A001", "called", 1)
        hall.post("/windows/1/serve", seen="A001")
        mine.until(lambda v: v["current"]["state"] == "serving")
        hall.post("/windows/1/park", seen="A001", reason="copy", hold="here")
        assert mine.until(lambda v: v["parked"])["parked"][0]["number"] == "A001"
        hall.post("/windows/1/resume", ticket="A001")
        hall.post("/windows/1/transfer", seen="A001", to_window="3")
        view = other.until(lambda v: v["waiting_total"] == 2)
        assert [line["number"] for line in view["waiting"]] == ["A001", "N001"]
        assert view["last_event"] > 0
        protocol.WindowView.model_validate(view)
        protocol.WindowView.model_validate(mine.view)


def test_a_view_is_complete_when_the_daemon_comes_back(hall: Hall) -> None:
    hall.post("/windows/1/sign-in", clerk="c001")
    hall.issue()
    hall.post("/windows/1/next", seen=None)
    with watching(hall, "/windows/1/views") as window, watching(hall, "/board/views") as board:
        before = window.until(lambda v: v["current"])
        hall.daemon.kill()
        window.view = board.view = {}
        hall.daemon.start()
        after = window.until(lambda v: v.get("current"))
        calls = board.until(bool)["calls"]

    assert (after["clerk"], after["current"]) == ("c001", before["current"])
    assert [(call["number"], call["window"]) for call in calls] == [("A001", "1")]


def test_the_board_shows_calls_of_its_zone(hall: Hall) -> None:
    for window, clerk in (("1", "c001"), ("3", "c003")):
        hall.post(f"/windows/{window}/sign-in", clerk=clerk)
    hall.issue("A")
    hall.issue("N")
    with watching(hall, "/board/views") as whole, watching(hall, "/board/views?zone=D") as zone:
        hall.post("/windows/1/next", seen=None)
        hall.post("/windows/3/next", seen=None)
        calls = whole.until(lambda v: len(v["calls"]) == 2)["calls"]
        here = zone.until(lambda v: v["calls"])
        hall.post("/windows/1/no-show", seen="A001")
        assert whole.until(lambda v: v["missed"])["missed"] == ["A001"]

    assert [call["number"] for call in calls] == ["N001", "A001"]
    assert calls[1]["announcement"]["zh"] == "请 A001 号到 1 号窗口办理。"
    assert [call["number"] for call in here["calls"]] == ["N001"]
    assert [load["zone"] for load in here["zones"]] == ["D"]


# --- tokens -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Hall]:
    """A hall whose screens need tokens; without a province."""
    bench = Bench(HALLS / "small", tmp_path / "hall", province=None)
    bench.environment |= {f"HALL_TOKEN_{role.upper()}": token for role, token in TOKENS.items()}
    with bench, DaemonProcess(bench) as daemon:
        yield Hall(bench, daemon, judged=False)


def test_every_role_may_use_its_own_and_nothing_else(guarded: Hall) -> None:
    def status(role: str, method: str, path: str) -> int:
        headers = {"Authorization": f"Bearer {TOKENS[role]}"} if role else {}
        with httpx.stream(method, f"{guarded.bench.url}{path}", headers=headers, trust_env=False, timeout=20) as answer:
            if answer.status_code == 401:
                assert json.loads(answer.read())["code"] == "request.not_allowed"
            return answer.status_code

    may: dict[tuple[str, str], tuple[str, ...]] = {
        ("GET", "/healthz"): ("", "kiosk", "counter", "technician"),
        ("GET", "/openapi.json"): ("", "kiosk", "counter", "technician"),
        ("GET", "/kiosk/k1"): ("", "kiosk", "counter", "technician"),
        ("GET", "/ui/kiosk/kiosk.js"): ("", "kiosk", "counter", "technician"),
        ("GET", "/board"): ("", "kiosk", "counter", "technician"),
        ("GET", "/board/views"): ("", "kiosk", "counter", "technician"),
        ("GET", "/kiosks/k1/views"): ("kiosk", "technician"),
        ("POST", "/kiosks/k1/keys"): ("kiosk", "technician"),
        ("GET", "/windows/1/views"): ("counter",),
        ("POST", "/windows/1/next"): ("counter",),
        ("POST", "/tickets"): ("counter",),
        ("GET", "/tickets/A001"): ("counter",),
        ("GET", "/hall"): ("counter", "technician"),
        ("GET", "/events"): ("counter", "technician"),
        ("GET", "/devices"): ("technician",),
        ("POST", "/devices/DSP-01/enable"): ("technician",),
        ("GET", "/metrics"): ("technician",),
        ("POST", "/day/open"): ("technician",),
    }
    wrong = {
        (role, method, path): found
        for (method, path), roles in may.items()
        for role in ("", *TOKENS)
        if ((found := status(role, method, path)) != 401) is not (role in roles)
    }

    assert wrong == {}
    assert all(token not in guarded.bench.log.read_text(encoding="utf-8") for token in TOKENS.values())


def test_a_counter_works_with_its_token_alone(guarded: Hall) -> None:
    headers = {"Authorization": f"Bearer {TOKENS['counter']}"}
    with (
        httpx.Client(base_url=guarded.bench.url, headers=headers, trust_env=False, timeout=20) as http,
        watching(guarded, "/windows/1/views", headers=headers) as window,
    ):
        signed = http.post("/windows/1/sign-in", json={"clerk": "c001", "pin": DEMO_PIN})
        assert signed.status_code == 200
        number = http.post("/tickets", json={"item": "queue:N", "request_id": "12345678"}).json()["number"]
        window.until(lambda v: v["clerk"] == "c001")

        assert number == "N001"
        assert http.get("/tickets/N001").json()["state"] == "waiting"
