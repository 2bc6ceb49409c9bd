"""Commands are executed once and answered by an event; notices are shown; signing keys are changed without a gap."""

import logging
from pathlib import Path

import pytest

from sim.province import TEST_KEYS, Calls, ProvinceTwin
from tests.province.reporting_hall import ReportingHall, json_of, same_on_both_sides
from tests.waiting import until_async

PAST = "2020-01-01T00:00:00.000+08:00"
FUTURE = "2099-01-01T00:00:00.000+08:00"


def reporting(folder: Path, twin: ProvinceTwin) -> ReportingHall:
    return ReportingHall(folder, twin, with_inbox=True)


async def results(hall: ReportingHall) -> list[tuple[int, str, str | None]]:
    events = [json_of(row)["data"] for row in await hall.rows() if row.type == "hall.command.result.v1"]
    return [(event["command_id"], event["result"], event.get("detail")) for event in events]


async def answered(hall: ReportingHall, count: int) -> list[tuple[int, str, str | None]]:
    async def enough() -> bool:
        return len(await results(hall)) >= count

    await until_async(enough, 15.0)
    await hall.all_acknowledged()
    return await results(hall)


async def test_a_notice_is_shown_and_answered(twin: ProvinceTwin, tmp_path: Path) -> None:
    hall = reporting(tmp_path, twin)
    notice = {"text": "今日下午系统维护", "text_en": "Maintenance this afternoon", "level": "info", "until": FUTURE}
    async with hall:
        command = twin.give_command("notice.show", notice)
        assert await answered(hall, 1) == [(command, "done", None)]
        assert [told.text for told in hall.inbox.notices] == ["今日下午系统维护"]
        await same_on_both_sides(hall)
    async with hall:
        await until_async(lambda: hall.inbox.notices)
        assert hall.inbox.notices[0].text_en == "Maintenance this afternoon"


async def test_a_notice_that_is_over_is_not_shown(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with reporting(tmp_path, twin) as hall:
        twin.give_command("notice.show", {"text": "昨天", "until": PAST})
        await answered(hall, 1)

        assert hall.inbox.notices == ()


@pytest.mark.parametrize(
    ("kind", "args", "expires", "result"),
    [
        ("device.revoke", {"device_id": "PRN-01"}, FUTURE, "unsupported"),
        ("ticket.issue", {"queue": "A"}, FUTURE, "unsupported"),
        ("notice.show", {"text": "x"}, PAST, "expired"),
        ("notice.show", {"text": ""}, FUTURE, "failed"),
        ("notice.show", {}, FUTURE, "failed"),
        ("resend", {"from": "soon", "to": 3}, FUTURE, "failed"),
        ("case.numbered", {"local_case_no": "L" + "0" * 26, "case_no": "1"}, FUTURE, "failed"),
        ("case.numbered", {"local_case_no": "7", "case_no": "1"}, FUTURE, "failed"),
    ],
)
async def test_what_cannot_be_done_is_said(
    twin: ProvinceTwin, tmp_path: Path, kind: str, args: dict[str, object], expires: str, result: str
) -> None:
    async with reporting(tmp_path, twin) as hall:
        command = twin.give_command(kind, args, expires_at=expires)
        said = await answered(hall, 1)
        await same_on_both_sides(hall)

        assert [(number, what) for number, what, _ in said] == [(command, result)]
        assert hall.inbox.notices == ()


async def test_commands_are_executed_in_order_and_once_over_restarts(twin: ProvinceTwin, tmp_path: Path) -> None:
    hall = reporting(tmp_path, twin)
    given = [twin.give_command("notice.show", {"text": f"第{n}条"}) for n in range(3)]
    async with hall:
        await answered(hall, 3)
    given.append(twin.give_command("diagnostics.collect", {"kinds": []}))
    async with hall:
        said = await answered(hall, 4)
        await same_on_both_sides(hall)

    assert [number for number, _, _ in said] == given


async def test_a_command_interrupted_by_the_line_is_done_when_it_is_back(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with reporting(tmp_path, twin) as hall:
        await hall.all_acknowledged()
        twin.drop_requests(3, of=Calls.KEYS)
        command = twin.give_command("keys.refresh")

        assert await answered(hall, 1) == [(command, "done", "signing with s1")]


async def test_acknowledged_events_are_sent_once_more_when_asked(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with reporting(tmp_path, twin) as hall:
        await hall.issue(10)
        await hall.all_acknowledged()
        twin.lose_rows([4, 5])
        command = twin.give_command("resend", {"from": "0000000000000003", "to": 6})

        assert await answered(hall, 1) == [(command, "done", "4 events")]
        ledger = await same_on_both_sides(hall)
        assert ledger.lost == ()


async def test_a_new_signing_key_is_used_once_it_is_valid(twin: ProvinceTwin, tmp_path: Path) -> None:
    newer = {**TEST_KEYS[0], "kid": "s2", "not_before": "2021-01-01T00:00:00.000+08:00"}
    later = {**TEST_KEYS[0], "kid": "s3", "not_before": FUTURE}
    twin.publish_keys([*TEST_KEYS, newer, later])
    async with reporting(tmp_path, twin) as hall:
        await until_async(lambda: hall.outbox.province.key.kid == "s2")
        twin.publish_keys([newer, later, *TEST_KEYS[1:]])
        await hall.issue(5)
        await hall.all_acknowledged()
        await same_on_both_sides(hall)


async def test_a_key_that_is_withdrawn_is_replaced_by_the_spare_one(twin: ProvinceTwin, tmp_path: Path) -> None:
    newer = {**TEST_KEYS[0], "kid": "s2", "not_before": "2021-01-01T00:00:00.000+08:00"}
    twin.publish_keys([*TEST_KEYS, newer])
    async with reporting(tmp_path, twin) as hall:
        await until_async(lambda: hall.outbox.province.key.kid == "s2")
        twin.publish_keys(TEST_KEYS)
        await hall.issue(5)
        await hall.all_acknowledged()

        assert hall.outbox.province.key.kid == "s1"


async def test_keys_that_must_come_from_the_environment_are_announced(
    twin: ProvinceTwin, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "inbox")
    newer = {**TEST_KEYS[1], "kid": "k2"}
    twin.publish_keys([TEST_KEYS[0], newer, TEST_KEYS[2]])
    async with reporting(tmp_path, twin) as hall:
        await hall.online()
        await until_async(lambda: "put k2 into HALL_PII_KEY" in caplog.text)

    assert newer["key_b64"] not in caplog.text
