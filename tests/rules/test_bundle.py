"""The support archive: redacted, searched again, and not handed out with a finding."""

import io
import logging
import tarfile

import pytest

from hall_daemon.bundle import MARK, LogTail, count_leaks, pack, redact, search, without_secrets

NUMBER = "990000199001010037"
PHONE = "13912345678"
NAME = "欧阳测试"
KNOWN = frozenset({NAME})


def content(archive: bytes) -> str:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return "\n".join(part.read().decode() for m in opened if (part := opened.extractfile(m)))


def test_what_is_personal_is_redacted_wherever_it_stands() -> None:
    packed = pack({"log.txt": f"a {NUMBER}, {PHONE}; {NAME}取号", "hall.json": f'{{"x": "{PHONE}"}}'}, KNOWN)
    assert packed.leaks == {}
    for fact in (NUMBER, PHONE, NAME):
        assert fact not in content(packed.data)
    assert content(packed.data).count(MARK) == 4


@pytest.mark.parametrize("fact", [NUMBER, NUMBER[:-1] + "X", PHONE, NAME])
def test_the_search_finds_what_redaction_might_have_missed(fact: str) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as opened:
        entry = tarfile.TarInfo("x/log.txt")
        data = f"one\n{fact}\n".encode()
        entry.size = len(data)
        opened.addfile(entry, io.BytesIO(data))
    assert search(archive.getvalue(), KNOWN) == {"x/log.txt": 1}


def test_numbers_that_are_nobody_s_stay() -> None:
    kept = "2026-11-22 11:15:42 port 8620 990000000000-01 11990000990000260P4992026003000 1732245342123"
    assert redact(kept, KNOWN) == kept
    assert count_leaks(kept, KNOWN) == 0


def test_configuration_is_shown_without_clerks_names_and_secrets() -> None:
    shown = without_secrets(
        '[clerk.c001]\nname = "窗口人员01"\n[queue.A]\nname = "综合服务"\n[province]\n'
        'url = "https://user:pass@province.example/x"\nsign_token = "abc"\n'
    )
    assert "窗口人员01" not in shown
    assert 'name = "综合服务"' in shown
    assert "user:pass" not in shown
    assert "https://province.example/x" in shown
    assert "abc" not in shown


def test_the_last_lines_of_the_log_are_kept_and_no_more() -> None:
    tail = LogTail(most=3)
    logger = logging.getLogger("test.tail")
    logger.setLevel(logging.INFO)
    logger.addHandler(tail)
    try:
        for n in range(5):
            logger.info("line %d", n)
    finally:
        logger.removeHandler(tail)
    assert [line.rpartition("  ")[2] for line in tail.lines] == ["line 2", "line 3", "line 4"]
