"""What a hall may decide for its residents: the document names every default, and each setting changes something."""

import re
import tomllib
from pathlib import Path

import pytest

from hall_daemon.devices import Devices
from hall_daemon.kiosk_desk import Desk
from hall_daemon.kiosk_visit import KioskTimes, Visit
from hall_daemon.profile import Kiosk
from hall_daemon.protocol import Text
from hall_daemon.settings import PublicSettings, read_public
from tests.rules.hall_room import PENSION, PLACES, RETIRED, START_UP, HallRoom, card, hall_room, write_hall

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"
BORN_1956, BORN_1965, BORN_1966 = "990000195601050053", "990000196501050053", "990000196603050053"
"""Of the fifth of January 2026, when the hall room's clock stands: 70, 61 and 59 years old."""


def test_the_document_has_every_setting_with_its_default() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    written, settings = tomllib.loads(block), PublicSettings()

    assert read_public("settings.md", written) == settings
    assert set(written) == set(vars(settings))
    for table, values in written.items():
        assert set(values) == set(vars(getattr(settings, table))), table


def desk(room: HallRoom) -> Desk:
    """A ticket machine of that hall, without devices."""
    kiosk = Kiosk(code="k1", name=Text(zh="1"), card_readers=(), keypad="", printer="", queues=("A", "H"))
    return Desk(kiosk, room.hall, Devices({}, room.clock), room.clock, KioskTimes())


@pytest.mark.parametrize(
    ("setting", "large"),
    [("", [True, True, False]), ("large_text_from = 65", [True, False, False]), ("large_text_from = 0", [False] * 3)],
)
async def test_large_text_comes_by_itself_from_the_age_that_the_hall_has_set(
    tmp_path: Path, setting: str, large: list[bool]
) -> None:
    async with hall_room(write_hall(tmp_path, f"{PLACES}\n[residents]\n{setting}\n")) as room:
        people = [Visit(card=card(number=number)) for number in (BORN_1956, BORN_1965, BORN_1966)]
        assert [desk(room).wants_large(visit) for visit in people] == large


@pytest.mark.parametrize(
    ("setting", "numbers"),
    [
        ("", ["VA001", "A001"]),
        ("priority_from = 60", ["VA001", "VA002"]),
        ("priority_from = 71", ["A001", "A002"]),
        ("priority_from = 0", ["A001", "A002"]),
    ],
)
async def test_age_gives_priority_from_the_years_that_the_hall_has_set(
    tmp_path: Path, setting: str, numbers: list[str]
) -> None:
    async with hall_room(write_hall(tmp_path, f"{PLACES}\n[residents]\n{setting}\n")) as room:
        people = [card(number=number) for number in (BORN_1956, BORN_1965)]
        issued = [await room.issue(START_UP, card=person) for person in people]
        assert [each.number for each in issued] == numbers
        told = [each.priority.value for each in issued]
        assert told == ["elder" if "V" in number else "normal" for number in numbers], "and the slip says so"


async def test_a_number_fetched_for_somebody_has_the_priority_of_that_person(tmp_path: Path) -> None:
    async with hall_room(write_hall(tmp_path, PLACES)) as room:
        for_an_elder = await room.issue(START_UP, card=card(number=BORN_1965), behalf=BORN_1956)
        by_an_elder = await room.issue(START_UP, card=card(number=BORN_1956), behalf=BORN_1965)
        assert [each.number for each in (for_an_elder, by_an_elder)] == ["VA001", "A001"]


async def test_pinned_items_stand_first_on_every_machine(tmp_path: Path) -> None:
    pinned = f'pinned_items = ["{RETIRED}", "{PENSION}"]'
    async with hall_room(write_hall(tmp_path, f"{PLACES}\n[residents]\n{pinned}\n")) as room:
        assert (await desk(room).past()).common[:2] == (RETIRED, PENSION)
