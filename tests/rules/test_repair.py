"""Guided repair: sensors confirm steps, a later proof confirms those before it, a person may stand in for a sensor."""

import pytest

from drivers.base import Condition
from drivers.transport import _LINKS
from hall_daemon.incidents import DISABLED, DOUBLE, OFFLINE, name_of
from hall_daemon.protocol_technician import Health
from hall_daemon.repair import Mending, advice, cause, guide_for, repair_view
from hall_daemon.texts import text


def states(mending: Mending) -> list[str]:
    return [step.state for step in repair_view(mending).steps]


def test_a_new_roll_is_confirmed_step_by_step_by_the_printer_itself() -> None:
    mending = Mending(what=Condition.PAPER_OUT, online=True)
    assert states(mending) == ["now", "todo", "todo"]
    mending.opened = True
    assert states(mending) == ["done", "now", "todo"]
    mending.gone = True
    assert states(mending) == ["done", "done", "now"]
    mending.tested = True
    assert states(mending) == ["done", "done", "done"]
    assert mending.over


def test_a_printer_without_a_cover_sensor_is_not_waited_for() -> None:
    mending = Mending(what=Condition.PAPER_OUT, online=True, gone=True)
    assert states(mending) == ["done", "done", "now"]


def test_a_test_that_passed_before_the_trouble_came_back_proves_nothing() -> None:
    assert not Mending(what=Condition.PAPER_OUT, tested=True, gone=False).over


def test_a_step_without_sensor_is_confirmed_by_hand_and_says_so() -> None:
    mending = Mending(what=OFFLINE, by_hand=2)
    view = repair_view(mending)
    assert [step.state for step in view.steps] == ["done", "done", "now", "todo", "todo"]
    assert [step.by_hand for step in view.steps] == [True, True, False, False, False]
    assert view.steps[0].proof.zh == "人工确认"


@pytest.mark.parametrize("what", [*Condition, OFFLINE, DISABLED, DOUBLE])
def test_every_trouble_has_a_guide_that_ends_with_a_test(what: str) -> None:
    guide = guide_for(what)
    assert guide.minutes > 0
    assert guide.steps[-1][0] == "test"
    assert repair_view(Mending(what=what)).tools.zh


@pytest.mark.parametrize("what", sorted({*Condition, DISABLED, DOUBLE} - {Condition.FEEDER_EMPTY}))
def test_every_trouble_has_cause_and_remedy_in_both_languages(what: str) -> None:
    for sentence in (cause(what, "/dev/ttyS1"), advice(what, "/dev/ttyS1")):
        assert sentence.zh
        assert sentence.en
        assert sentence not in (text("cause.other"), text("advice.other"))


@pytest.mark.parametrize(
    ("port", "word"),
    [
        ("/dev/ttyS1", "波特率"), ("/dev/serial/by-id/usb-x", "波特率"), ("/var/run/pty", "波特率"),
        ("socket://10.0.0.3:9100", "ping"), ("rfc2217://10.0.0.3:2001", "ping"), ("http://10.0.0.4/eSCL", "ping"),
        ("pcsc:Reader 00", "pcscd"), ("usb:0483:5720", "lsusb"), ("/dev/usb/lp0", "lsusb"),
        ("sane:fujitsu:fi-7160:1", "scanimage -L"), ("sound:plughw:CARD=PCH", "aplay -L"),
        ("camera:http://10.0.0.5/video", "拍照"), ("/dev/v4l/by-id/usb-x", "/dev/v4l/by-id"),
        ("/dev/input/by-path/pci-0-event-kbd", "/dev/input/by-id"), ("evdev:/run/pad", "/dev/input/by-id"),
        ("alsa:0", "线缆"),
    ],
)  # fmt: skip
def test_a_lost_link_is_looked_for_where_its_port_is(port: str, word: str) -> None:
    assert word in advice(OFFLINE, port).zh
    assert cause(OFFLINE, port).zh
    assert cause(OFFLINE, port).en


def test_every_kind_of_port_has_a_cause_and_a_remedy_of_its_own() -> None:
    for beginning in _LINKS:
        for sentence in (cause(OFFLINE, f"{beginning}x"), advice(OFFLINE, f"{beginning}x")):
            assert sentence not in (text("cause.offline_other"), text("advice.offline_other")), beginning
        told_serial = advice(OFFLINE, f"{beginning}x") == text("advice.offline_serial")
        assert told_serial == (beginning == "/"), beginning


@pytest.mark.parametrize("why", ["offline", "disabled", "busy", "no_reply", "bad_reply", "superseded"])
def test_every_reason_why_a_job_was_not_done_has_words(why: str) -> None:
    assert name_of(why).zh != why


def test_nothing_wrong_is_said_so() -> None:
    assert cause("", "/dev/ttyS1").zh == "没有问题"
    assert Health.OK == "ok"
