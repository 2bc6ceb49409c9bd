"""Signatures are those of province.md §3; what the province never said is no answer; how waits are drawn."""

import secrets
from collections.abc import Callable

import httpx
import pytest

from hall_daemon.clock import Clock
from hall_daemon.privacy import Key
from hall_daemon.province import Backoff, Pace, Province
from hall_daemon.province_replies import REMEDIES, Rejected, Remedy, Reply, Unreachable, Why, read, refusal
from hall_daemon.province_shapes import HelloAnswer, Problem
from hall_daemon.texts import text
from sim.province import ProvinceTwin

NONCE = "5f0c2b9a6d3e4f10a1b2c3d4e5f60718"
HALL = "320115000000-01"
KEY = Key(kid="s1", secret=bytes(range(32)))
PROBLEM = "application/problem+json"


class ClockAt(Clock):
    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.seconds = seconds

    def now_ms(self) -> int:
        return self.seconds * 1000


@pytest.fixture
def dialect(monkeypatch: pytest.MonkeyPatch) -> Province:
    monkeypatch.setattr(secrets, "token_hex", lambda size: NONCE)
    return Province("https://province.example/hall-sync/v1", HALL, KEY, ClockAt(1767231000), Pace())


@pytest.mark.parametrize(
    ("method", "path", "body", "digest", "signature"),
    [
        (
            "POST", "hello", b'{"a":1}', "d646a76e347ce7c1a4c11acff67604928ccfaf03fc2e4fb8faaf5b2b1227605a",
            "0b1c06645971b19617c1cce17679a76bc1cd7d02622b188010e6b446d715c89e",
        ),
        (
            "GET", "catalog?since=41", b"", "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b",
            "76a0cdfbbf7f82c7cd6e95f6e68d01f36c583d07694bcc46a137ae979e0dfffb",
        ),
    ],
)  # fmt: skip
def test_requests_are_signed_as_in_the_contract(
    dialect: Province, method: str, path: str, body: bytes, digest: str, signature: str
) -> None:
    request = httpx.Request(method, dialect._at(path), content=body)

    assert dialect._signed(request, body, KEY) | {
        "X-Hall-Key-Id": "s1",
        "X-Hall-Timestamp": "1767231000",
        "X-Hall-Nonce": NONCE,
        "X-Content-SM3": digest,
        "X-Hall-Signature": signature,
    } == dialect._signed(request, body, KEY)


def test_the_learned_offset_goes_into_the_signature_only(dialect: Province) -> None:
    dialect._learn_offset("Thu, 01 Jan 2026 02:30:00 GMT")
    request = httpx.Request("GET", dialect._at("keys"))

    assert dialect._signed(request, b"", KEY)["X-Hall-Timestamp"] == "1767234600"
    assert dialect._clock.now_ms() == 1767231000000


async def test_a_live_province_accepts_every_kind_of_path(twin: ProvinceTwin) -> None:
    async with Province(twin.url, twin.hall, KEY, Clock(), Pace()) as live:
        assert await live.blob_state("sha256:" + "0" * 64) is None
        assert [key.kid for key in await live.keys()] == ["s1", "k1", "m1"]
        assert await live.commands(0, 0) == ()
        with pytest.raises(Rejected) as caught:
            await live.send_events("0197f09f-0000-7000-8000-000000000000", ["{}"])
    assert caught.value.code == "BAD_ENVELOPE"
    assert caught.value.problem.index == 0


async def test_a_key_shows_in_no_message(twin: ProvinceTwin) -> None:
    async with Province(twin.url, twin.hall, KEY, Clock(), Pace()) as live:
        published = await live.keys()

    assert published[0].key_b64 not in repr(published)


# --- what counts as an answer -----------------------------------------------------------------------------------------

GOOD = b'{"server_time":"x","acked_through":"0000000000000007","stream_state":"open"}'


def reply(status: int, media: str = PROBLEM, body: bytes = b"{}", **headers: str) -> Reply:
    named = {"Content-Type": media, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Reply(what="POST hello", status=status, headers=httpx.Headers(named), body=body)


def test_an_answer_is_read() -> None:
    answer = read(reply(200, "application/json; charset=utf-8", GOOD), HelloAnswer)

    assert (answer.acked_through, answer.limits.batch_events) == (7, 500)


@pytest.mark.parametrize(
    "strange",
    [
        reply(200, "text/html", GOOD), reply(200, "", GOOD), reply(201, "application/json", GOOD),
        reply(302, "text/html", b"", Location="/login"), reply(204, "application/json", b""),
        reply(200, "application/json", GOOD[:-9]), reply(200, "application/json", b"[]"),
        reply(200, "application/json", GOOD.replace(b'"0000000000000007"', b"7.0")),
        reply(200, "application/json", GOOD.replace(b"0000000000000007", b"-000000000000007")),
        reply(200, "application/json", GOOD.replace(b"open", b"ajar")),
        reply(200, "application/json", GOOD.replace(b"0000000000000007", "７".encode())),
        reply(200, "application/json", b"\xff" + GOOD),
        reply(404, "text/html", b"<html>"), reply(403, "text/html", b"<html>"), reply(400, PROBLEM, b"{}"),
        reply(409, "application/json", b'{"code":"SEQ_GAP"}'),
    ],
)  # fmt: skip
def test_what_the_province_never_says_is_no_answer(strange: Reply) -> None:
    with pytest.raises(Unreachable) as caught:
        read(strange, HelloAnswer)
    assert caught.value.why is Why.NOT_THE_PROVINCE


@pytest.mark.parametrize(
    ("status", "why"), [(429, Why.BUSY), (503, Why.BUSY), (500, Why.FAILED), (502, Why.FAILED), (507, Why.FULL)]
)
@pytest.mark.parametrize("media", [PROBLEM, "text/html"])
def test_a_province_in_trouble_is_asked_again_later(status: int, why: Why, media: str) -> None:
    error = refusal(reply(status, media, b'{"code":"X"}'))

    assert isinstance(error, Unreachable)
    assert error.why is why


@pytest.mark.parametrize(
    ("headers", "body", "wait_s"),
    [
        ({"Retry_After": "40"}, b'{"code":"X"}', 40), ({}, b'{"code":"X","retry_after_ms":2500}', 2.5),
        ({"Retry_After": "1"}, b'{"code":"X","retry_after_ms":2500}', 2.5), ({}, b'{"code":"X"}', None),
        ({"Retry_After": "999999"}, b'{"code":"X"}', 3600), ({"Retry_After": "soon"}, b'{"code":"X"}', None),
        (
            {"Retry_After": "Thu, 01 Jan 2026 02:31:00 GMT", "Date": "Thu, 01 Jan 2026 02:30:00 GMT"},
            b'{"code":"X"}', 60,
        ),
    ],
)  # fmt: skip
def test_the_wait_that_was_asked_for_is_understood(headers: dict[str, str], body: bytes, wait_s: float | None) -> None:
    assert refusal(reply(503, PROBLEM, body, **headers)).wait_s == wait_s


def test_every_code_of_the_contract_has_a_remedy() -> None:
    codes = """BAD_JSON BAD_ENVELOPE BAD_BATCH AUTH_SIGNATURE AUTH_CLOCK_SKEW AUTH_REPLAY AUTH_KEY_UNKNOWN AUTH_REVOKED
        HALL_SUSPENDED STREAM_UNKNOWN BLOB_UNKNOWN SEQ_GAP SEQ_CONFLICT ID_CONFLICT CHAIN_MISMATCH STREAM_CLOSED
        UPLOAD_OFFSET UPLOAD_GONE TOO_LARGE MEDIA IDEMPOTENCY_MISMATCH DIGEST_MISMATCH UPLOAD_LOCKED CHECKSUM
        CONTRACT_TOO_OLD"""

    assert {code for code in codes.split() if code not in REMEDIES} == set()


def test_an_unknown_code_is_for_a_person() -> None:
    assert Rejected("x", 418, Problem(code="TEAPOT")).remedy is Remedy.ALARM


@pytest.mark.parametrize("why", Why)
def test_every_reason_has_its_sentence(why: Why) -> None:
    assert text(f"province.{why.value}").zh


# --- back-off (§9.4) --------------------------------------------------------------------------------------------------


class Drawn:
    """Remembers between which bounds was drawn, and draws by a rule."""

    def __init__(self, rule: Callable[[float, float], float] = lambda low, high: high) -> None:
        self.bounds: list[tuple[float, float]] = []
        self._rule = rule

    def __call__(self, low: float, high: float) -> float:
        self.bounds.append((low, high))
        return self._rule(low, high)


def test_jitter_stays_full_at_the_cap() -> None:
    drawn = Drawn()
    backoff = Backoff(Pace(rand=drawn))
    waits = [backoff.failed() for _ in range(14)]

    assert drawn.bounds[:4] == [(0, 2), (0, 4), (0, 8), (0, 16)]
    assert drawn.bounds[-3:] == [(0, 900)] * 3
    assert waits[-1] == 900


def test_only_an_acknowledgement_begins_anew() -> None:
    backoff = Backoff(Pace(rand=lambda _, high: high))
    for _ in range(5):
        backoff.failed()
    assert backoff.failed() == 64
    backoff.acknowledged()
    assert backoff.failed() == 2


def test_after_a_healthy_session_the_fleet_is_spread_over_two_minutes() -> None:
    drawn = Drawn()
    wait_s = Backoff(Pace(rand=drawn)).failed(after_health=True)

    assert (0, 120.0) in drawn.bounds
    assert wait_s == 122


@pytest.mark.parametrize("rule", [lambda low, high: low, lambda low, high: high])
def test_what_the_province_asks_for_wins(rule: Callable[[float, float], float]) -> None:
    backoff = Backoff(Pace(rand=rule))
    error = Unreachable(Why.BUSY, "busy", wait_s=30)
    for _ in range(12):
        assert 30 <= backoff.failed(error) <= 60


def test_a_full_province_is_left_alone_for_a_minute() -> None:
    backoff = Backoff(Pace(rand=lambda low, _: low))

    assert backoff.failed(Unreachable(Why.FULL, "full")) == 60
