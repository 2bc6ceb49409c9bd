"""The three journeys through the whole daemon: card to slip, call to display, page to province; each judged."""

import hashlib
import threading
from collections.abc import Callable

import httpx
import pytest

from hall_daemon import imaging
from sim import papers
from sim.visits import REPRINT_MARK
from tests.journeys.conftest import Hall
from tests.waiting import until

pytestmark = pytest.mark.timeout(240)


@pytest.mark.usefixtures("as_in_a_hall")
def test_a_resident_takes_a_number_and_a_clerk_serves(hall: Hall) -> None:
    number = hall.kiosk().visit(hall.somebody())
    slips = hall["PRN-01"].whole_slips
    assert [number in slip.lines for slip in slips] == [True]

    clerk = hall.clerk("1" if number[0] == "A" else "2", "c001")
    assert clerk.say("next", seen=None).json()["number"] == number
    display = hall["DSP-01" if clerk.window == "1" else "DSP-02"]
    until(lambda: number in display.text, what="the call over the window")
    assert clerk.say("serve", seen=number, identity_rechecked=True).status_code == 200
    until(lambda: "办理" in display.text, what="serving over the window")
    assert clerk.say("finish", seen=number, outcome="completed").status_code == 200
    assert hall.tickets()[number]["state"] == "finished"


def test_a_double_press_calls_one_resident(hall: Hall) -> None:
    first, second = hall.issue(), hall.issue()
    clerk = hall.clerk("1", "c001")
    answers: list[httpx.Response] = []
    presses = [threading.Thread(target=lambda: answers.append(clerk.say("next", seen=None))) for _ in range(5)]
    for press in presses:
        press.start()
    for press in presses:
        press.join()

    assert sorted(a.status_code for a in answers) == [200, 409, 409, 409, 409]
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"screen_out_of_date"}
    assert [d["display_no"] for d in hall.events("ticket.called")] == [first]
    assert hall.tickets()[second]["state"] == "waiting"


def test_two_clerks_who_press_together_get_different_residents(hall: Hall) -> None:
    numbers = [hall.issue() for _ in range(8)]
    clerks = [hall.clerk("1", "c001"), hall.clerk("2", "c002")]
    together = threading.Barrier(2)
    called: list[str] = []

    def press(clerk: object) -> None:
        together.wait(40)
        called.append(clerk.say("next", seen=None).json()["number"])  # type: ignore[attr-defined]

    threads = [threading.Thread(target=press, args=(c,)) for c in clerks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(called) == numbers[:2]


def test_every_step_of_a_clerk_reaches_display_board_and_log(hall: Hall) -> None:
    numbers = [hall.issue() for _ in range(3)]
    clerk = hall.clerk("1", "c001")

    def say(verb: str, **order: object) -> None:
        answer = clerk.say(verb, **order)
        assert answer.status_code == 200, answer.text

    say("next", seen=None)
    say("recall", seen=numbers[0])
    say("no-show", seen=numbers[0])
    assert numbers[0] in [t["number"] for t in clerk.view.until(lambda v: v["missed"])["missed"]]
    say("next", seen=None)
    say("serve", seen=numbers[1])
    say("park", seen=numbers[1], reason="copy", hold="here")
    until(lambda: hall["DSP-01"].text == "1号窗口", what="the display is idle again")
    say("resume", ticket=numbers[1])
    say("transfer", seen=numbers[1], to_queue="H")
    say("requeue", ticket=numbers[0])
    say("cancel", ticket=numbers[2], reason="resident_left")
    assert {n: t["state"] for n, t in hall.tickets().items()} == dict(
        zip(numbers, ("waiting", "waiting", "cancelled"), strict=True)
    )
    assert hall.tickets()[numbers[1]]["queue"] == "H"
    assert [d["call_mode"] for d in hall.events("ticket.called")] == ["next", "recall", "next"]
    assert clerk.say("recall", seen=numbers[1]).json()["code"] == "screen_out_of_date"
    assert hall.replays()


@pytest.mark.usefixtures("as_in_a_hall")
def test_a_scanned_page_is_filed_and_the_province_has_it_byte_for_byte(hall: Hall) -> None:
    number = hall.issue()
    clerk = hall.clerk("1", "c001")
    clerk.say("next", seen=None)
    clerk.say("serve", seen=number)
    code = papers.Printed(symbology="qr", text="https://hall.example/m/M05?v=3", x_mm=150, y_mm=20, module_mm=0.6)
    hall["SCN-01"].put_on_platen(papers.Paper(seed=4, skew_deg=3.0, x_mm=6, y_mm=5, codes=(code,)))
    job = clerk.say("scans", ticket=number).json()["job"]
    view = clerk.view.until(lambda v: v["scan"] and v["scan"]["state"] == "done", 60)["scan"]
    assert view["pages"][0]["codes"] == ["https://hall.example/m/M05?v=3"]
    assert abs(view["pages"][0]["skew_mdeg"]) < 100
    shown = httpx.get(f"{hall.bench.url}/windows/1/scans/{job}/pages/1", timeout=20, trust_env=False).content

    assert abs(imaging.process(shown, "image/jpeg", 200).skew_mdeg) < 300, "the page is not straight"

    filed = clerk.say(f"scans/{job}/file", material_code="M05", material_name="申请表", pages=[1])
    assert filed.status_code == 200, filed.text
    province = hall.bench.province
    assert province is not None
    stored = until(lambda: province.ledger().stored, 30, "the file is stored")
    assert stored[0].path is not None
    assert stored[0].path.read_bytes() == shown
    assert stored[0].blob == "sha256:" + hashlib.sha256(shown).hexdigest()
    assert hall.replays()


@pytest.mark.parametrize("kiosk_printer", ["paper", "jam", "mute"])
def test_a_slip_that_does_not_come_costs_nobody_the_number(hall: Hall, kiosk_printer: str) -> None:
    printer = hall["PRN-01"]
    {"paper": printer.run_out_of_paper, "jam": printer.jam, "mute": printer.go_mute}[kiosk_printer]()
    number = hall.kiosk().visit(hall.somebody())
    assert number
    slip = until(lambda: {"pending": ""}.get(s := hall.tickets()[number]["slip"], s), 30, "the slip's fate")
    assert slip == "failed"  # known before anything was sent, or offline: never "printed", never "unknown"
    assert hall.tickets()[number]["state"] == "waiting"
    printer.recover()


def test_a_printer_that_dies_in_the_middle_leaves_an_unknown_slip_and_one_reprint(hall: Hall) -> None:
    printer = hall["PRN-01"]
    printer.go_mute_after(120)
    kiosk = hall.kiosk()
    number = kiosk.visit(hall.somebody())
    assert hall.tickets()[number]["slip"] == "unknown"
    printer.recover()
    assert sum(number in slip.lines and REPRINT_MARK not in "".join(slip.lines) for slip in printer.printed) <= 1


def test_every_device_may_be_pulled_and_put_back_while_the_hall_works(hall: Hall) -> None:
    clerk = hall.clerk("1", "c001")
    missing = {note.split(":")[0] for note in hall.bench.notes}
    cables = {d: hall.bench.lines.get(d, twin) for d, twin in hall.bench.twins.items() if d not in missing}
    for device, line in cables.items():
        line.unplug()
        until(lambda d=device: not hall.online(d), 15, f"{device} is missed")
        number = hall.issue()
        assert clerk.say("next", seen=None).json()["number"] == number
        clerk.say("serve", seen=number)
        clerk.say("finish", seen=number)
        line.replug()
        until(lambda d=device: hall.online(d), 15, f"{device} is back")
    last = hall.issue()
    clerk.say("next", seen=None)
    until(lambda: last in hall["DSP-01"].text, what="the display that came back shows the call")
    expected = {(d, s) for d in cables for s in ("failed", "ok")}
    until(
        lambda: expected <= {(d["device_id"], d["state"]) for d in hall.events("device.changed")},
        what="each change of a device is an event",
    )
    number = hall.kiosk().visit(hall.somebody())
    until(lambda: hall.tickets()[number]["slip"] == "printed", what="what the printer proved is in the database")


def test_a_display_that_is_away_is_told_to_the_clerk_and_takes_no_call_back(hall: Hall) -> None:
    clerk = hall.clerk("1", "c001")
    hall["DSP-01"].go_mute()
    number = hall.issue()
    assert clerk.say("next", seen=None).status_code == 200
    notices = clerk.view.until(lambda v: v["notices"], 30)["notices"]
    assert any("口头叫号" in n["zh"] for n in notices)
    assert hall.tickets()[number]["state"] == "called"
    hall["DSP-01"].recover()
    until(lambda: number in hall["DSP-01"].text, 40, "the full state after the return")


def test_the_hall_works_without_the_province_and_delivers_when_it_is_back(hall: Hall) -> None:
    province = hall.bench.province
    assert province is not None
    province.be_unreachable()
    # A daemon that starts without the province waits for it in small steps; one that had it waits up to two minutes.
    hall.daemon.kill()
    hall.daemon.start()
    clerk = hall.clerk("1", "c001")
    for _ in range(5):
        number = hall.issue()
        clerk.say("next", seen=None)
        clerk.say("serve", seen=number)
        clerk.say("finish", seen=number)
    assert clerk.view.until(lambda v: v["to_province"] > 10)["clerk"] == "c001"
    province.be_reachable()
    clerk.view.until(lambda v: v["to_province"] == 0, 60)


@pytest.mark.usefixtures("as_in_a_hall")
def test_a_restart_restores_windows_board_and_order(hall: Hall) -> None:
    numbers = [hall.issue() for _ in range(3)]
    clerk = hall.clerk("1", "c001")
    clerk.say("next", seen=None)
    hall.daemon.kill()
    hall.daemon.start()
    view = clerk.view.until(lambda v: v["current"], 20)
    assert (view["clerk"], view["current"]["number"]) == ("c001", numbers[0])
    assert [t["number"] for t in view["waiting"]] == numbers[1:]
    board = httpx.stream("GET", f"{hall.bench.url}/board/views", timeout=10, trust_env=False)
    with board as lines:
        assert numbers[0] in next(line for line in lines.iter_lines() if line)
    until(lambda: numbers[0] in hall["DSP-01"].text, 20, "the display shows the call again")


def test_an_old_copy_of_the_database_opens_a_new_stream_and_repeats_no_number(
    start_hall: Callable[[], Hall], tmp_path: object
) -> None:
    hall = start_hall()
    hall.judged = False  # what was issued after the copy is gone from the hall on purpose; checked by hand below
    before = [hall.issue() for _ in range(3)]
    hall.daemon.stop()
    files = [f for f in hall.bench.database.parent.iterdir() if f.name in ("hall.db", "hall.db-wal")]
    copies = {f: f.read_bytes() for f in files}
    hall.daemon.start()
    lost = [hall.issue() for _ in range(4)]
    hall.daemon.stop()
    for file in hall.bench.database.parent.glob("hall.db-*"):
        file.unlink()
    for file, content in copies.items():
        file.write_bytes(content)
    hall.daemon.start()
    after = hall.issue()

    assert int(after[1:]) >= 200
    assert after not in before + lost
    opened = hall.events("stream.opened")
    assert [o["reason"] for o in opened] == ["install", "restore"]
    province = hall.bench.province
    assert province is not None
    until(lambda: after in [t.display_no for t in province.ledger().tickets], 60, "the new stream is taken")
    ledger = province.ledger()
    numbers = [t.display_no for t in ledger.tickets]
    assert len(numbers) == len(set(numbers))
    assert ledger.duplicates == 0
