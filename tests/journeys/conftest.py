"""A whole hall for a test: twins, province, the daemon as a process, hands at kiosk and windows, then the oracle."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from hall_daemon import store
from sim import oracle
from sim.bench import HALLS, Bench, DaemonProcess
from sim.hall_plan import DEMO_PIN
from sim.visits import Clerk, Kiosk, Resident, evidence, residents
from tests.journeys.fault_hall import write_fault_hall
from tests.waiting import until


@dataclass
class Hall:
    """The rig of a journey test."""

    bench: Bench
    daemon: DaemonProcess
    people: list[Resident] = field(default_factory=list)
    open: list[Any] = field(default_factory=list)
    judged: bool = False
    """Whether the oracle has its say at the end: from the first start on, unless a test loses something on purpose."""
    sessions: dict[str, str] = field(default_factory=dict)
    """Window → session of who signed in there by `post`."""

    def __post_init__(self) -> None:
        self._crowd = residents(11)
        # No connection outlives its request: halls of a whole module are closed by nobody in particular.
        limits = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.Client(base_url=self.bench.url, timeout=20, trust_env=False, limits=limits)

    def __getitem__(self, device: str) -> Any:
        return self.bench[device]

    def kiosk(self, code: str = "k1") -> Kiosk:
        """Hands and eyes at a kiosk."""
        kiosk = Kiosk(self.bench, code, 3)
        self.open.append(kiosk)
        return kiosk

    def clerk(self, window: str, clerk: str, seed: int = 5) -> Clerk:
        """A clerk who has signed in."""
        found = Clerk(self.bench, window, clerk, seed)
        self.open.append(found)
        found.sign_in()
        return found

    def somebody(self) -> Resident:
        """A resident who was not here before."""
        resident = next(self._crowd)
        self.people.append(resident)
        return resident

    def get(self, path: str) -> Any:
        """JSON of a GET."""
        return self.http.get(path).json()

    def post(self, path: str, **order: object) -> httpx.Response:
        """A POST as a screen makes it: with the PIN where somebody signs in, with the session afterwards."""
        where = path.split("/")[2] if path.startswith("/windows/") else ""
        if path.endswith("/sign-in"):
            order = {"pin": DEMO_PIN} | order
        answer = self.http.post(path, json=order, headers={"X-Hall-Session": self.sessions.get(where, "")})
        if path.endswith("/sign-in") and answer.status_code == 200:
            self.sessions[where] = answer.json()["session"]
        return answer

    def issue(self, queue: str = "A") -> str:
        """A number from the counter, for tests that are about something else."""
        item = self.bench.tables["queue"][queue]["items"]
        code = item[0] if item else f"queue:{queue}"
        answer = self.post("/tickets", item=code, request_id=f"test-request-{len(self.people)}-{len(self.numbers)}")
        assert answer.status_code == 200, answer.text
        self.numbers.append(answer.json()["number"])
        return self.numbers[-1]

    numbers: list[str] = field(default_factory=list)

    def tickets(self) -> dict[str, Any]:
        """Rows of the database by number."""
        return {t["number"]: t for t in oracle.Hall.read(self.bench.database).tickets}

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Data of all events of a kind, like `ticket.called`."""
        lines = self.http.get("/events").text.splitlines()
        parsed = [json.loads(line) for line in lines if line]
        return [line["data"] for line in parsed if line["type"] == f"hall.{kind}.v1"]

    def online(self, device: str) -> bool:
        """Whether the daemon has the device."""
        return device in self.all_online()

    def all_online(self) -> set[str]:
        """Devices that the daemon has."""
        return {d["device"] for d in self.get("/devices") if d["link"] == "online"}

    def judge(self) -> None:
        """Everything reaches the province, and the oracle finds nothing."""
        for one in self.open:
            one.close()
        self.open.clear()

        assert self.bench.province is not None
        found: list[str] = []

        def nothing_lost() -> bool:
            # A device may still be coming back, and its event be on its way.
            found[:] = self.violations()
            return not found

        try:
            until(nothing_lost, 60)
        except AssertionError:
            assert found == []

    def replays(self) -> bool:
        """Whether the tables are those that the log tells; says where not."""
        assert [str(difference) for difference in store.replay_differences(self.bench.database)] == []
        return True

    def violations(self) -> list[str]:
        """What the oracle says now."""
        assert self.bench.province is not None
        return oracle.check(
            self.bench.database, self.bench.database.with_name("blobs"), evidence(self.bench, self.people),
            self.bench.province.ledger(), [self.bench.log], everything_sent=True,
        )  # fmt: skip


@pytest.fixture
def start_hall(tmp_path: Path) -> Iterator[Callable[[], Hall]]:
    """Starts the small hall; the oracle judges it when the test has passed."""
    made: list[Hall] = []

    def start(folder: str = "small", module: str = "hall_daemon") -> Hall:
        bench = Bench(HALLS / folder, tmp_path / f"hall{len(made)}")
        hall = Hall(bench, DaemonProcess(bench, module))
        made.append(hall)
        bench.start()
        hall.daemon.start()
        hall.judged = True
        return hall

    yield start
    try:
        for hall in made:
            if hall.judged:
                hall.judge()
    finally:
        for hall in made:
            for one in hall.open:
                one.close()
            hall.http.close()
            hall.daemon.stop()
            hall.bench.stop()


def ready(hall: Hall) -> Hall:
    """Every device that can be there is online."""
    missing = {note.split(":")[0] for note in hall.bench.notes}
    until(lambda: hall.bench.twins.keys() - missing <= hall.all_online(), 20, "devices online")
    return hall


@pytest.fixture
def hall(start_hall: Callable[[], Hall]) -> Hall:
    """The small hall, ready."""
    return ready(start_hall())


@pytest.fixture
def start_faulty(start_hall: Callable[..., Hall], tmp_path: Path) -> Callable[..., Hall]:
    """Starts the hall of fault_hall, ready; `hurried` cuts its long waits short, the rest is for its files."""

    def start(*, hurried: bool = False, **places: Any) -> Hall:
        folder = write_fault_hall(tmp_path / "places", **places)
        return ready(start_hall(str(folder), "tests.journeys.hurried_daemon" if hurried else "hall_daemon"))

    return start


@pytest.fixture
def faulty(start_faulty: Callable[[], Hall]) -> Hall:
    """The hall of fault_hall with its usual times, ready."""
    return start_faulty()
