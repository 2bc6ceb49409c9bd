"""What the eSCL scanner makes of double feeds, odd ends, other clients, a lost job, and certificates."""

import dataclasses
import datetime
import re
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import drivers.scanner_escl as escl
from drivers.base import BadReply, Condition, LinkError, NoReply, Refused, ScanProfile
from sim.scanner_escl import JobState
from tests.contract.contract import Rig
from tests.contract.escl_room import BOTH_SIDES, FEEDER, GLASS, picture, plug_in, scan, sheets, short_waits, still_works


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    short_waits(monkeypatch)


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = plug_in()
    yield rig
    rig.close()


@pytest.fixture
def driver(rig: Rig) -> Any:
    driver = rig.open()
    driver.hello()
    return driver


@pytest.mark.parametrize("state", ["Down", "Stopped"])
@pytest.mark.usefixtures("quick")
def test_scanner_that_calls_itself_out_of_order_is_one(rig: Rig, driver: Any, state: str) -> None:
    rig.twin.load_feeder(sheets(1))
    rig.twin.fall_out(state)
    assert driver.conditions() == {Condition.DEVICE_FAULT}
    pages, error = scan(driver, FEEDER)
    assert (pages, isinstance(error, Refused)) == ([], True), error
    rig.twin.recover()
    assert driver.conditions() == frozenset()
    assert len(scan(driver, FEEDER)[0]) == 1


# -- double feeds, ends, and what others do ----------------------------------------------------------------------------


def stopped(driver: Any, profile: ScanProfile = FEEDER) -> tuple[list[bytes], Refused]:
    pages, error = scan(driver, profile)
    assert isinstance(error, Refused), error
    return pages, error


def test_double_feed_whose_picture_came_makes_that_page_suspect(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(6))
    rig.twin.double_feed_after(2, shown=True)
    pages, error = stopped(driver)
    assert pages == sheets(3), "page 3 shows the upper one of two sheets"
    assert (error.condition, error.suspect) == (Condition.DOUBLE_FEED, 3)
    assert Condition.DOUBLE_FEED in driver.conditions()
    still_works(driver, rig)


def test_double_feed_without_a_picture_gives_up_the_page_before_it_too(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(6))
    rig.twin.double_feed_after(2, shown=False)
    pages, error = stopped(driver)
    assert pages == sheets(2)
    assert (error.condition, error.suspect) == (Condition.DOUBLE_FEED, 2)
    still_works(driver, rig)


def test_double_feed_of_the_first_sheets_has_no_page_to_suspect(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(4))
    rig.twin.double_feed_after(0, shown=False)
    pages, error = stopped(driver)
    assert (pages, error.condition, error.suspect) == ([], Condition.DOUBLE_FEED, 0)


@pytest.mark.parametrize(("shown", "suspect"), [(True, 3), (False, 1)])
def test_double_feed_with_both_sides_makes_both_sides_of_the_sheet_suspect(
    shown: bool, suspect: int, driver: Any, rig: Rig
) -> None:
    rig.twin.load_feeder([(picture(1), picture(2)), (picture(3), picture(4)), (picture(5), picture(6))])
    rig.twin.double_feed_after(2, shown=shown)
    pages, error = stopped(driver, BOTH_SIDES)
    assert pages == sheets(4 if shown else 2)
    assert (error.condition, error.suspect) == (Condition.DOUBLE_FEED, suspect)


def test_fault_after_the_last_sheet_is_an_end_that_somebody_has_to_count(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(3))
    rig.twin.fail_at_the_end()
    pages, error = stopped(driver)
    assert pages == sheets(3)
    assert (error.condition, error.suspect) == (Condition.FEEDER_EMPTY, 0)
    assert "500" in str(error)
    still_works(driver, rig)


def test_fault_while_sheets_are_left_is_a_fault(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(3))
    pages = driver.scan(FEEDER)
    next(pages)
    rig.twin.break_down()
    with pytest.raises(Refused) as caught:
        next(pages)
    assert caught.value.condition is Condition.DEVICE_FAULT


def test_jam_of_the_first_sheet_aborts_the_job(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(2))
    rig.twin.jam_after(pages=0)
    pages, error = stopped(driver)
    assert (pages, error.condition) == ([], Condition.FEEDER_JAM)
    assert rig.twin.jobs[-1].state is JobState.ABORTED
    rig.twin.clear_jam()
    rig.twin.load_feeder(sheets(2))
    assert scan(driver) == (sheets(2), None)


def test_end_told_by_410_is_an_end(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(2))
    rig.twin.say_gone()
    assert scan(driver) == (sheets(2), None)


@pytest.mark.usefixtures("quick")
def test_scanner_that_takes_time_between_pages_is_waited_for(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(3))
    rig.twin.take_time_between_pages(requests=3)
    assert scan(driver) == (sheets(3), None)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("profile", [GLASS, FEEDER])
def test_job_of_somebody_else_refuses_ours_until_it_is_over(profile: ScanProfile, driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(1))
    rig.twin.scan_for_somebody_else()
    pages, error = stopped(driver, profile)
    assert (pages, error.condition) == ([], Condition.BUSY)
    assert rig.twin.jobs[-1].active, "a job that is not ours was deleted"
    still_works(driver, rig)


def test_page_without_the_chunk_that_ends_it_is_a_page(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(2))
    rig.twin.leave_out_last_chunk()
    assert scan(driver) == (sheets(2), None)


@pytest.mark.parametrize(("broken", "left"), [(2, 1), (None, 0)])
def test_picture_that_breaks_off_ends_the_feed_and_keeps_those_before(
    broken: int | None, left: int, driver: Any, rig: Rig
) -> None:
    rig.twin.load_feeder(sheets(3))
    if broken is None:
        rig.twin.cut_last_page()
    else:
        rig.twin.cut_page_number(broken)
    pages, error = scan(driver)
    assert isinstance(error, BadReply)
    assert pages == sheets(3)[: 2 - left], "the pages before it are good"
    assert len(rig.twin.feeder) == left
    assert not rig.twin.jobs[-1].active


@pytest.mark.usefixtures("quick")
def test_job_left_on_a_mute_scanner_is_deleted_when_it_speaks_again(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(3))
    pages = driver.scan(FEEDER)
    next(pages)
    rig.twin.go_mute()
    with pytest.raises(NoReply):
        next(pages)
    rig.twin.recover()
    left = rig.twin.jobs[-1]
    assert left.active, "the scanner could not hear the DELETE"
    driver.conditions()
    assert left.state is JobState.CANCELED
    still_works(driver, rig)


# -- HTTPS -------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Certificate:
    """A certificate that a device made for itself: for no name, and out of date."""

    context: ssl.SSLContext
    fingerprint: str


@pytest.fixture
def own_certificate(tmp_path: Path) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "DS-40")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime.datetime(2019, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    file = tmp_path / "device.pem"
    file.write_bytes(
        made.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return Certificate(context, made.fingerprint(hashes.SHA256()).hex())


@pytest.fixture
def secure_rig(own_certificate: Certificate) -> Iterator[Rig]:
    rig = plug_in(own_certificate.context)
    yield rig
    rig.close()


@pytest.mark.parametrize("written", [str, str.upper, lambda hexes: ":".join(re.findall("..", hexes))])
def test_scanner_with_the_certificate_that_was_named_is_scanned_from(
    written: Callable[[str], str], own_certificate: Certificate, secure_rig: Rig
) -> None:
    secure_rig.options = {"certificate_sha256": written(own_certificate.fingerprint)}
    secure_rig.twin.load_feeder(sheets(2))
    assert secure_rig.line.port.startswith("https://")
    assert scan(secure_rig.open()) == (sheets(2), None)


def test_certificate_that_nobody_trusts_is_a_link_error_that_names_the_way_out(secure_rig: Rig) -> None:
    with pytest.raises(LinkError, match="certificate_sha256"):
        secure_rig.open().hello()
    assert secure_rig.line.transcript == [], "something was asked of a device that nobody knows"


def test_another_certificate_is_a_link_error_that_shows_it(own_certificate: Certificate, secure_rig: Rig) -> None:
    secure_rig.options = {"certificate_sha256": "0" * 64}
    with pytest.raises(LinkError, match=own_certificate.fingerprint):
        secure_rig.open().hello()
    assert secure_rig.line.transcript == []


@pytest.mark.parametrize("wrong", ["abc", "g" * 64, "0" * 63])
def test_fingerprint_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="certificate_sha256"):
        escl.EsclOptions(certificate_sha256=wrong)
