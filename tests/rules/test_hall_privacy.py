"""What is kept of a person: masks and keyed hashes in the clear, the facts in the sealed envelope, nothing else."""

import logging
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from hall_daemon import privacy
from hall_daemon.events import Sealed
from hall_daemon.tickets import AlreadyWaiting
from hall_daemon.words import Outcome
from tests.rules.hall_room import HallRoom, card, hall_room

NAME, NUMBER, PHONE = "张测试", "990000199909090053", "13900000000"
UNFIT = text("INSERT INTO ticket (id, phone_masked) VALUES ('1', :phone)")
"""Refused by the database, in whose errors the values would stand."""
RARE = "𠮷测试"
"""A name with a character beyond the basic plane."""


def files_with(folder: Path, *words: str) -> list[str]:
    """Files below a folder in which one of the words stands, in whatever encoding."""
    encoded = [word.encode(code) for word in words for code in ("utf-8", "utf-16-le", "utf-16-be", "gb18030")]
    encoded += [word.encode("unicode_escape") for word in words]
    return [
        file.name
        for file in sorted(folder.rglob("*"))
        if file.is_file() and any(word in file.read_bytes() for word in encoded)
    ]


async def whole_visit(room: HallRoom) -> None:
    await room.sign_in(w1="c001")
    await room.issue(card=card(NAME, NUMBER), phone=PHONE)
    with pytest.raises(AlreadyWaiting):
        await room.issue(card=card(NAME, NUMBER))
    await room.issue(typed_id="99000019900909004X")
    await room.call_and_serve()
    await room.hall.finish("1", "A001", Outcome.COMPLETED)


async def test_nothing_personal_stands_in_any_file(tmp_path: Path) -> None:
    words = (NAME, NUMBER, PHONE, "99000019900909004X")
    async with hall_room(tmp_path / "hall") as room:
        await whole_visit(room)
        assert files_with(tmp_path, *words) == [], "while the hall runs"
    assert (tmp_path / "hall" / "var" / "hall.db").stat().st_size > 20_000
    assert files_with(tmp_path, *words) == [], "after it has ended"


async def test_nothing_personal_is_logged_or_said_in_a_refusal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO)
    try:
        async with hall_room(tmp_path / "hall") as room:
            await whole_visit(room)
            with pytest.raises(IntegrityError) as caught:
                await room.store.write(lambda tx: tx.session.connection().execute(UNFIT, {"phone": PHONE}))
    finally:
        logging.getLogger("sqlalchemy.engine").setLevel(logging.NOTSET)

    assert "issued A001" in caplog.text
    for word in (NAME, NUMBER, PHONE, "99000019900909004X", "张*试"):
        assert word not in caplog.text
        assert word not in str(caught.value)


async def test_the_envelope_opens_with_the_key_and_holds_the_facts(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await room.issue(card=card(RARE, NUMBER), phone=PHONE)
        await room.issue("queue:D", phone=PHONE)
        await room.issue("queue:D")
        key = room.config.secrets.pii
        events = await room.log("issued")
    assert key is not None
    facts = [privacy.unseal(key, e["id"], Sealed(**e["data"]["pii"])) for e in events if "pii" in e["data"]]

    assert facts == [{"name": RARE, "id_type": "111", "id_no": NUMBER, "phone": PHONE}, {"phone": PHONE}]
    with pytest.raises(ValueError, match="not genuine"):
        privacy.unseal(key, events[1]["id"], Sealed(**events[0]["data"]["pii"]))


async def test_masks_are_those_of_the_hall(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await room.issue(card=card(RARE, NUMBER), phone=PHONE)
        data = await room.last("issued")
        info = await room.find("A001")

    assert (data["name_masked"], data["id_masked"], data["phone_masked"]) == ("𠮷*试", "*" * 14 + "0053", "139****0000")
    assert (info.name_masked, info.id_masked) == ("𠮷*试", "*" * 14 + "0053")
    assert data["id_hmac"] != data["id_hmac"].upper()
    assert len(data["id_hmac"]) == 64


async def test_the_same_facts_are_sealed_differently_each_time(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await room.issue(card=card())
        await room.issue("queue:D", card=card())
        first, second = (e["data"]["pii"] for e in await room.log("issued"))

    assert first["iv"] != second["iv"]
    assert first["ct"] != second["ct"]
