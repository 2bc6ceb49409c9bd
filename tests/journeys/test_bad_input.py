"""What people, disks and networks get wrong, through the real command line and the real API: one clear sentence each,
the right exit code, nothing personal, and the hall goes on."""

import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.bench import HALLS, Bench, DaemonProcess
from sim.ports import HeldPort
from tests.journeys.conftest import Hall
from tests.waiting import until

ROOT = Path(__file__).parents[2]
COMMANDS = ("run", "check", "devices", "verify")


def hall_daemon(*arguments: str | Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command line as a technician uses it."""
    return subprocess.run(
        [sys.executable, "-m", "hall_daemon", *map(str, arguments)], cwd=ROOT, env=environment, timeout=50,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The one line on standard error, besides log lines."""
    assert "Traceback" not in done.stderr, done.stderr
    lines = [line for line in done.stderr.splitlines() if not re.match(r"\d{4}-\d\d-\d\d ", line)]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A hall without devices and without a province, on a port of its own."""
    shutil.copy(HALLS / "small" / "catalog.json", tmp_path)
    text = (HALLS / "small" / "devices.toml").read_text(encoding="utf-8")
    text = re.sub(r"\[(device|kiosk)\.[^]]+\]\n([^\[]|\[\")*", "", text)
    text = re.sub(r"\[province\][^[]*", "", text)
    text = re.sub(r"^(display|scanner|caller|evaluator|announcer) = .*\n", "", text, flags=re.MULTILINE)
    with HeldPort() as port:
        text = text.replace("127.0.0.1:8620", f"127.0.0.1:{port.number}")
        (tmp_path / "devices.toml").write_text(text, encoding="utf-8")
        tomllib.loads(text)
        yield tmp_path


def change(folder: Path, old: str, new: str) -> Path:
    """The configuration with something replaced."""
    file = folder / "devices.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text, old
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    return file


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    done = hall_daemon(command, "--help")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: hall-daemon {command}")
    assert "--config" in done.stdout


def test_the_program_names_its_commands() -> None:
    done = hall_daemon("--help")

    assert done.returncode == 0
    assert all(f"    {command} " in done.stdout for command in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["rum"], "invalid choice: 'rum'"),
        (["check", "--config"], "argument --config: expected one argument"),
        (["check", "--log", "loud"], "invalid choice: 'loud'"),
    ],
)
def test_a_wrong_command_is_explained(arguments: list[str], complaint: str) -> None:
    done = hall_daemon(*arguments)

    assert done.returncode == 2
    assert complaint in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


# --- the configuration ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_a_malformed_file_stops_every_command(folder: Path, command: str) -> None:
    done = hall_daemon(command, "--config", change(folder, "[hall]", "[hall"))

    assert done.returncode == 2
    assert re.fullmatch(r".*/devices\.toml: is no valid TOML: .*\(at line \d+, column \d+\)", sentence(done))
    assert not (folder / "var").exists()


PRINTER = '\n[device.PRN-01]\ndriver = "printer_escpos"\nport = "/dev/ttyS1"\ncolumns = 32\n'


@pytest.mark.parametrize(
    ("addition", "complaint"),
    [
        (
            PRINTER.replace("escpos", "escpoz"),
            "devices.toml: [device.PRN-01] driver: there is no driver 'printer_escpoz'; did you mean 'printer_escpos'?",
        ),
        (
            PRINTER + "baud = 9600\n" + PRINTER.replace("PRN-01", "PRN-02") + "baud = 19200\n",
            "devices.toml: PRN-01 and PRN-02 share /dev/ttyS1 but differ in baud (9600, 19200)",
        ),
        ("\n[windw.9]\n", "devices.toml: unknown table [windw]; did you mean 'window'?"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_file_is_named(folder: Path, addition: str, complaint: str) -> None:
    file = folder / "devices.toml"
    file.write_text(file.read_text(encoding="utf-8") + addition, encoding="utf-8")
    done = hall_daemon("check", "--config", file)

    assert (done.returncode, sentence(done), done.stdout) == (2, complaint, "")


def test_check_says_what_it_found_and_opens_nothing(folder: Path) -> None:
    done = hall_daemon("check", "--config", folder / "devices.toml")

    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"devices\.toml: good\. 示例镇便民服务中心 .* 3 windows, 0 kiosks, 0 devices", done.stdout)
    assert not (folder / "var").exists()


def test_check_notes_a_queue_that_nobody_serves(folder: Path) -> None:
    done = hall_daemon("check", "--config", change(folder, 'queues = ["N"]', 'queues = ["A"]'))

    assert done.returncode == 0
    assert "note: no window serves queue N (咨询·办不成事); its items cannot be taken" in done.stdout


def test_a_secret_is_never_shown(folder: Path) -> None:
    secret = "k1:c2hvcnQgYnV0IHNlY3JldA=="
    done = hall_daemon("check", "--config", folder / "devices.toml", environment={**os.environ, "HALL_PII_KEY": secret})

    assert done.returncode == 2
    assert sentence(done) == "environment: HALL_PII_KEY needs a name and at least 48 bytes, as kid:base64"


# --- the database -----------------------------------------------------------------------------------------------------


def lived_in(folder: Path) -> Path:
    """The database of a hall that has run once."""
    database = folder / "var" / "hall.db"
    process = subprocess.Popen(
        [sys.executable, "-m", "hall_daemon", "run", "--config", str(folder / "devices.toml")], cwd=ROOT,
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    with process.stderr:
        while "ready on http" not in (line := process.stderr.readline()):
            assert line, "the daemon did not start"
        process.terminate()
        process.stderr.read()
    assert process.wait(20) == 0
    return database


def alter(database: Path, statement: str) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute(statement)
    connection.close()


def test_a_database_of_a_newer_program_is_left_alone(folder: Path) -> None:
    database = lived_in(folder)
    alter(database, "PRAGMA user_version = 99")
    before = database.read_bytes()
    done = hall_daemon("run", "--config", folder / "devices.toml")

    assert done.returncode == 3
    assert re.fullmatch(
        r".*/hall\.db has schema 99, this program knows \d+: install the newer program, "
        r"or restore the backup made before the upgrade",
        sentence(done),
    )
    assert database.read_bytes() == before


def test_a_database_of_another_hall_is_left_alone(folder: Path) -> None:
    lived_in(folder)
    done = hall_daemon("run", "--config", change(folder, "990000000000-01", "990000000000-07"))

    assert done.returncode == 3
    assert re.fullmatch(
        r".*/hall\.db belongs to hall 990000000000-01, the configuration says 990000000000-07", sentence(done)
    )


@pytest.mark.parametrize("command", ["run", "verify"])
def test_a_file_that_is_no_database_is_left_alone(folder: Path, command: str) -> None:
    (folder / "var").mkdir()
    rubbish = bytes(range(256)) * 64
    (folder / "var" / "hall.db").write_bytes(rubbish)
    done = hall_daemon(command, "--config", folder / "devices.toml")

    assert done.returncode == 3
    assert re.search(r"/hall\.db cannot be (opened|read): file is not a database", sentence(done))
    assert (folder / "var" / "hall.db").read_bytes() == rubbish


@pytest.mark.parametrize(
    ("place", "why"), [("devices.toml/hall.db", "Not a directory|File exists"), ("/proc/x/h.db", "No such")]
)
def test_a_place_where_no_database_can_be_is_named(folder: Path, place: str, why: str) -> None:
    done = hall_daemon("run", "--config", change(folder, '"var/hall.db"', f'"{place}"'))

    assert done.returncode == 3
    assert re.search(rf"cannot be opened: ({why}).*; correct \[hall\] database", sentence(done))


def test_verify_is_content_names_a_difference_and_wants_a_database(folder: Path) -> None:
    missing = hall_daemon("verify", "--config", folder / "devices.toml")
    database = lived_in(folder)
    good = hall_daemon("verify", "--config", folder / "devices.toml")
    alter(database, "UPDATE event SET body = replace(body, 'install', 'restore') WHERE sequence = 1")
    bad = hall_daemon("verify", "--config", folder / "devices.toml")

    assert missing.returncode == 3
    assert sentence(missing).endswith("hall.db does not exist; run the hall first, or correct [hall] database")
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.endswith("hall.db: every leaf and the whole chain are as they were written\n")
    assert bad.returncode == 1
    assert "sequence 1, hall.stream.opened.v1: the event was changed after it was written" in sentence(bad)


# --- two of a kind ----------------------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_named(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        file = folder / "devices.toml"
        text = re.sub(r'listen = "[^"]*"', f'listen = "127.0.0.1:{port}"', file.read_text(encoding="utf-8"))
        file.write_text(text, encoding="utf-8")
        done = hall_daemon("run", "--config", file)

    assert done.returncode == 2
    assert sentence(done) == (
        f"devices.toml: [hall] listen: 127.0.0.1:{port} cannot be used (Address already in use); "
        "stop the program that has it, or choose another port"
    )
    assert not (folder / "var").exists()


def test_a_second_daemon_on_one_database_is_refused_and_the_first_goes_on(
    start_hall: Callable[[], Hall], tmp_path: Path
) -> None:
    hall = start_hall()
    second = tmp_path / "second.toml"
    with HeldPort() as port:
        text = hall.bench.config.read_text(encoding="utf-8").replace(f":{hall.bench.listen}", f":{port.number}")
        text = text.replace('database = "var/hall.db"', f'database = "{hall.bench.database}"')
        second.write_text(text, encoding="utf-8")
        shutil.copy(hall.bench.run / "catalog.json", tmp_path)
        done = hall_daemon("run", "--config", second)

    assert done.returncode == 3
    assert re.fullmatch(r".*/hall\.db is in use by another hall daemon; stop that one first", sentence(done))
    assert hall.issue() == "A001"


# --- devices ----------------------------------------------------------------------------------------------------------


def test_devices_says_hello_to_each_and_names_who_does_not_answer(tmp_path: Path) -> None:
    with Bench(HALLS / "small", tmp_path / "hall", province=None) as bench:
        absent = {note.split(":")[0] for note in bench.notes} & bench.twins.keys()
        bench["KEY-01"].go_mute()
        bench["PRN-01"].run_out_of_paper()
        bench.lines["SCN-01"].stop()
        done = hall_daemon("devices", "--config", bench.config, environment={**os.environ, **bench.environment})
    said = {line.split()[1]: line for line in done.stdout.splitlines()[1:]}

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert list(said) == list(bench.twins)
    silent = {"KEY-01", "SCN-01"} | absent
    marks = {mark: {name for name, line in said.items() if line.startswith(mark)} for mark in "✖▲"}
    assert marks["✖"] == {"PRN-01"}
    assert marks["▲"] == silent
    assert "缺纸" in said["PRN-01"]
    assert "cannot reach http://127.0.0.1" in said["SCN-01"]
    assert "Onbon" in said["DSP-02"]


# --- cards and names --------------------------------------------------------------------------------------------------


def test_a_card_whose_number_cannot_be_right_still_gives_a_number(hall: Hall) -> None:
    """idcard.md §2.5: a validation failure is a warning with the data; the clerk sees the papers."""
    resident = hall.somebody()
    kiosk = hall.kiosk()
    reader = hall["IDR-01"]
    put = reader.put

    def put_spoilt(card: Any) -> None:
        with reader.lock:
            put(card)
            reader.spoil_check_digit()

    reader.put = put_spoilt
    number = kiosk.visit(resident)
    spoilt: Any = resident.card.with_wrong_check_digit()
    issued = hall.events("ticket.issued")[0]

    assert number
    assert [slip.text_lines for slip in hall["PRN-01"].whole_slips]
    assert issued["identity_mode"] == "id_card"
    assert issued["id_masked"] == "*" * 14 + spoilt.number[-4:]
    assert spoilt.number not in hall.bench.log.read_text(encoding="utf-8")


RARE = "𠮷\ue000🎫 补领"
"""A character beyond the basic plane, one for private use, and one that no font of a printer has."""


def test_an_item_that_no_printer_can_write_comes_out_with_its_number_intact(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(HALLS / "small", folder)
    catalog = json.loads((folder / "catalog.json").read_text(encoding="utf-8"))
    for item in catalog["items"]:
        item["name"] = item["short"] = RARE
    (folder / "catalog.json").write_text(json.dumps(catalog, ensure_ascii=False), encoding="utf-8")
    with Bench(folder, tmp_path / "hall", province=None) as bench, DaemonProcess(bench) as daemon:
        hall = Hall(bench, daemon, judged=False)
        until(lambda: all(hall.online(d) for d in ("PRN-01", "IDR-01", "KEY-01")), 20, "devices online")
        try:
            number = hall.kiosk().visit(hall.somebody())
        finally:
            for one in hall.open:
                one.close()
        slips = bench["PRN-01"].whole_slips
        sent: Any = bench.lines["PRN-01"]
        stream = sent.sent_to_twins()

    assert len(slips) == 1
    assert any(line.text == number and line.size[1] > 2 for line in slips[0].text_lines)
    assert slips[0].rasters or any("〓" in line.text for line in slips[0].text_lines)
    assert "𠮷".encode("gb18030") not in stream, "printers show rubbish for codes of four bytes"


# --- the API ----------------------------------------------------------------------------------------------------------

WORDS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["A001", "1", "k1", "c001", "queue:N", "PRN-01", "H", "enable", "\x00", "..", "%", "{x}", "A" * 300]
    ),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.just(10**400)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


AS_JSON = {"content-type": "application/json"}


class Client:
    """Asks and looks only at what an honest server may answer."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=20, trust_env=False)

    def ask(self, method: str, path: str, **more: Any) -> int:
        with self.http.stream(method, path, **more) as answer:
            status = answer.status_code
            if status == 307 and unquote(path).endswith("/"):  # the address without its last slash is offered
                return status
            assert 200 <= status < 300 or 400 <= status < 500, f"{method} {path!r}: {status}"
            if status >= 400:
                assert answer.headers["content-type"] == "application/problem+json"
                problem = json.loads(answer.read())
                assert problem["code"]
                assert problem["text"]["zh"]
                assert problem["text"]["en"]
                assert "Traceback" not in problem["detail"]
        return status


def shaped(schema: dict[str, Any], whole: dict[str, Any], data: st.DataObject) -> Any:
    """JSON that nearly fits a schema: right members, some with garbage in them."""
    if "$ref" in schema:
        schema = whole["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in schema:
        return shaped(data.draw(st.sampled_from(schema["anyOf"])), whole, data)
    if data.draw(st.integers(0, 9)) == 0:
        return data.draw(JSON)
    if "enum" in schema:
        return data.draw(st.sampled_from(schema["enum"]))
    match schema.get("type"):
        case "object":
            needed = schema.get("required", [])
            wanted = {k: v for k, v in schema.get("properties", {}).items() if k in needed or data.draw(st.booleans())}
            return {name: shaped(inner, whole, data) for name, inner in wanted.items()}
        case "array":
            return [shaped(schema.get("items", {}), whole, data) for _ in range(data.draw(st.integers(0, 3)))]
        case "integer":
            return data.draw(st.integers())
        case "boolean":
            return data.draw(st.booleans())
    return data.draw(WORDS)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """One hall for all who only talk nonsense to it; without a province."""
    bench = Bench(HALLS / "small", tmp_path_factory.mktemp("standing"), province=None)
    with bench, DaemonProcess(bench) as daemon:
        yield Hall(bench, daemon, judged=False)


def test_no_garbage_makes_the_api_stumble(standing: Hall) -> None:
    hall = standing
    hall.post("/windows/1/sign-in", clerk="c001")
    hall.issue()
    hall.post("/windows/1/next", seen=None)
    whole = hall.get("/openapi.json")
    routes = [(path, method, spec) for path, methods in whole["paths"].items() for method, spec in methods.items()]
    client = Client(hall.bench.url)
    answers: Counter[int] = Counter()

    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def fuzz(data: st.DataObject) -> None:
        path, method, spec = data.draw(st.sampled_from(routes))
        for name in re.findall(r"\{(\w+)\}", path):
            path = path.replace(f"{{{name}}}", quoted(data.draw(WORDS)))
        query = {p["name"]: data.draw(WORDS) for p in spec.get("parameters", []) if p["in"] == "query"}
        query.pop("follow", None)
        more: dict[str, Any] = {"params": query} if query else {}
        if "requestBody" in spec:
            schema = spec["requestBody"]["content"]["application/json"]["schema"]
            more |= {"content": json.dumps(shaped(schema, whole, data)), "headers": AS_JSON}
        answers[client.ask(method.upper(), path, **more)] += 1

    try:
        fuzz()
    finally:
        client.http.close()
    assert {200, 404, 409, 422} <= answers.keys(), "garbage only: nothing was put to the test"
    assert hall.get("/healthz")["store_writable"] is True
    assert "Traceback" not in hall.bench.log.read_text(encoding="utf-8")


def quoted(word: str) -> str:
    """A word as part of a path, whatever stands in it."""
    return quote(word, safe="") or "-"


BODIES = [
    b"", b"{", b"\xff\xfe\x00", b"null", b"[]", b'"A001"', b"{}" * 2, b"[" * 100_000, b'{"a":' * 20_000, b"1e999",
    b'{"seen": NaN}', b'{"item": "\\ud800", "request_id": "12345678"}', b'{"\\ud800": 1}',
    b'{"item": "x", "request_id": "12345678", "item": {}}', b'{"seen": "A001", "seen": "A002", "x": [[[]]]}',
]  # fmt: skip


def test_bodies_that_are_no_requests_are_refused_in_one_sentence(standing: Hall) -> None:
    hall = standing
    client = Client(hall.bench.url)
    posts = [
        path for path, methods in hall.get("/openapi.json")["paths"].items() if "requestBody" in methods.get("post", {})
    ]
    try:
        for path in posts:
            for body in BODIES:
                where = re.sub(r"\{\w+\}", "1", path)
                for kind in ("application/json", "text/plain", ""):
                    status = client.ask("POST", where, content=body, headers={"content-type": kind} if kind else {})
                    assert status >= 400, (where, body[:40])
        for path in (
            "/nowhere",
            "//",
            "/ui/",
            "/ui/%00",
            "/ui/..%2f..%2fetc%2fpasswd",
            "/" + "a" * 9000,
            "/windows//next",
        ):
            assert client.ask("GET", path) == 404
        assert client.ask("DELETE", "/tickets") == 405
        assert client.ask("GET", "/events", params={"after": str(10**30)}) == 422
    finally:
        client.http.close()
    assert len(posts) > 12
    assert hall.get("/healthz")["store_writable"] is True


def test_what_comes_in_a_wrong_form_says_where(standing: Hall) -> None:
    hall = standing
    assert hall.post("/windows/1/sign-in", clerk="c001").status_code == 200  # others may be signed in already
    for path, body, where in (
        ("/windows/1/sign-in", {}, "body.clerk"),
        ("/windows/1/transfer", {"seen": "A001", "to_queue": "H", "to_window": "2"}, "exactly one of"),
        ("/windows/1/next", {"seen": "17"}, "body.seen"),
        ("/tickets", {"item": "x", "request_id": "1"}, "body.request_id"),
        ("/kiosks/k1/keys", {"key": "F1"}, "body.key"),
    ):
        answer = hall.post(path, **body)
        assert answer.status_code == 422
        assert answer.json()["code"] == "request.invalid"
        assert where in answer.json()["detail"]
        assert answer.json()["text"]["zh"].startswith("请求格式不对：")
