"""The catalogue of the model halls: is it what the contract says, and what the tables say?"""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sim import catalog
from sim.catalog_fill import credit_code, org_check
from sim.catalog_tables import HALLS, HallName, TableError, read_days, read_table

SEED = 7
HALL_NAMES = list(HallName)
LARGEST_FILE_BYTES = 600 * 1024

# Read from JSON and TOML, whose values have no one type.
Tree = dict[str, Any]


def committed(hall: HallName) -> Tree:
    tree: Tree = json.loads((HALLS / hall / "catalog.json").read_text("utf-8"))
    return tree


@pytest.fixture(params=HALL_NAMES)
def hall(request: pytest.FixtureRequest) -> HallName:
    return HallName(request.param)


@pytest.fixture
def full(hall: HallName) -> Tree:
    return committed(hall)


def credit_code_is_valid(code: str) -> bool:
    """GB 32100 by its other form: all eighteen, weighted by powers of three, add up to nothing modulo 31."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    weighted = (alphabet.index(char) * pow(3, place, 31) for place, char in enumerate(code[:17]))
    return len(code) == 18 and (sum(weighted) + alphabet.index(code[17])) % 31 == 0


def organisation_code_is_valid(code: str) -> bool:
    """GB 11714 over the ninth to seventeenth character of a credit code; X counts ten."""
    values = [int(char, 36) for char in code[8:16]] + [10 if code[16] == "X" else int(code[16])]
    return sum(v * w for v, w in zip(values, (3, 7, 9, 10, 5, 8, 4, 2, 1), strict=True)) % 11 == 0


# --- the files


def test_generation_reproduces_the_committed_files_byte_for_byte(hall: HallName, tmp_path: Path) -> None:
    catalog.write_hall(hall, SEED, tmp_path)

    for name in ("catalog.json", "devices.toml"):
        assert (tmp_path / name).read_bytes() == (HALLS / hall / name).read_bytes(), f"{hall}: {name}"


def test_command_line_writes_a_hall_and_says_what_is_in_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sim.catalog", "--hall", "small", "--seed", "7", "--out", str(tmp_path / "new")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=HALLS.parent.parent)

    assert "19 departments, 40 items" in done.stdout
    assert (tmp_path / "new" / "catalog.json").exists()


def test_files_are_small_enough_to_read_as_a_difference(hall: HallName) -> None:
    text = (HALLS / hall / "catalog.json").read_text("utf-8")

    assert len(text.encode()) < LARGEST_FILE_BYTES
    assert sum(line.startswith('{"code":') and '"handle_item"' in line for line in text.splitlines()) == len(
        json.loads(text)["items"]
    )


def test_another_seed_gives_another_big_hall_of_the_same_size() -> None:
    other = catalog.offer(HallName.BIG, 8)
    ours = catalog.offer(HallName.BIG, SEED)

    assert (len(other.departments), len(other.items)) == (53, 386)
    assert {item.code for item in other.items} != {item.code for item in ours.items}


@pytest.mark.parametrize("seed", range(12))
def test_every_seed_fills_the_big_hall(seed: int) -> None:
    offered = catalog.offer(HallName.BIG, seed)

    assert (len(offered.departments), len({item.code for item in offered.items})) == (53, 386)


def test_seed_leaves_the_small_hall_alone() -> None:
    assert catalog.catalogue(HallName.SMALL, 1) == catalog.catalogue(HallName.SMALL, 2)


def test_row_with_a_missing_cell_is_named(tmp_path: Path) -> None:
    table = tmp_path / "zones.psv"
    table.write_text("code|name|english\nA|注册登记区\n", "utf-8")

    with pytest.raises(TableError, match=r"zones\.psv: 2 cells instead of 3 in: A\|注册登记区"):
        read_table(table)


# --- counts


def test_big_hall_has_the_size_of_the_provincial_centre() -> None:
    full = committed(HallName.BIG)

    assert len(full["zones"]) == 5
    assert len(full["departments"]) == 53
    assert len(full["items"]) == 386


def test_small_hall_is_a_township() -> None:
    full = committed(HallName.SMALL)

    assert len(full["items"]) == 40
    assert len({item["dept"] for item in full["items"]}) > 10
    assert {item["zone"] for item in full["items"]} == set("ABCDE")


def test_made_up_things_are_marked_and_only_in_the_big_hall() -> None:
    small, big = committed(HallName.SMALL), committed(HallName.BIG)

    assert not any(entry.get("generated") for entry in [*small["items"], *small["departments"]])
    assert sum(entry.get("generated", False) for entry in big["departments"]) == 53 - 32
    assert sum(entry.get("generated", False) for entry in big["items"]) == 386 - 99


def test_every_department_of_the_big_hall_has_an_item() -> None:
    full = committed(HallName.BIG)

    assert {item["dept"] for item in full["items"]} == {dept["code"] for dept in full["departments"]}


# --- codes


def test_department_codes_pass_both_check_digits(full: Tree) -> None:
    for dept in full["departments"]:
        assert credit_code_is_valid(dept["code"]), dept
        assert organisation_code_is_valid(dept["code"]), dept
        assert dept["code"][2:8] == "990000", f"{dept['name']} lies in a real division"


def test_check_of_a_credit_code_finds_a_wrong_digit() -> None:
    assert credit_code_is_valid("11990000990000017W")
    assert not credit_code_is_valid("11990000990000018W")


def test_made_up_codes_follow_the_pattern_of_the_known_ones() -> None:
    known = [row["uscc"] for row in read_table(HALLS / "data" / "departments.psv")]

    assert [credit_code(code[:2], code[10:16]) for code in known] == known
    assert org_check("99000021") == "X"


def test_department_codes_and_names_are_unique(full: Tree) -> None:
    for field in ("code", "name", "short"):
        values = [dept[field] for dept in full["departments"]]
        assert len(set(values)) == len(values), field


def test_item_codes_are_unique_and_built_from_their_parts(full: Tree) -> None:
    codes = [item["code"] for item in full["items"]]
    assert len(set(codes)) == len(codes)

    for item in full["items"]:
        assert re.fullmatch(r"[0-9A-Z]{18}[234]99[0-9]{10}", item["code"]), item["code"]
        assert len(item["code"]) == 31
        assert item["code"].startswith(item["dept"])
        assert item["code"] == item["dept"] + item["code"][18] + item["catalog_code"]
        assert item["catalog_code"][2:4] == item["type"]
        assert re.fullmatch(re.escape(item["code"]) + r"[0-9]{2}", item["handle_item"])


def test_item_names_are_unique(full: Tree) -> None:
    for field in ("name", "name_en", "short", "short_en"):
        values = [item[field] for item in full["items"]]
        assert sorted(value for value in values if values.count(value) > 1) == [], field


def test_code_of_company_registration_is_the_documented_one() -> None:
    (item,) = [item for item in committed(HallName.BIG)["items"] if item["name"] == "企业设立登记"]

    assert item["code"] == "11990000990000017W4990101001000"
    assert item["handle_item"] == "11990000990000017W499010100100001"


# --- content


def test_item_carries_what_its_table_row_says() -> None:
    (item,) = [item for item in committed(HallName.SMALL)["items"] if item["name"] == "食品经营许可"]

    assert (item["kind"], item["type"], item["zone"]) == ("promised", "01", "A")
    assert (item["legal_days"], item["promise_days"], item["day_unit"]) == (10, 5, "workday")
    assert (item["avg_minutes"], item["pinyin"], item["targets"]) == (15, "SPJYXK", ["1", "2", "3", "4", "5"])
    assert [(need["code"], need["need"]) for need in item["materials"]] == [
        ("M04", "required"),
        ("M05", "required"),
        ("M11", "required"),
        ("M13", "required"),
        ("M15", "conditional"),
        ("M43", "conditional"),
    ]
    by_code = {need["code"]: need for need in item["materials"]}
    assert by_code["M04"]["waivable_by"] == ["e_license"]
    assert by_code["M15"]["waivable_by"] == ["commitment"], "the letter of commitment of this item replaces it"
    assert by_code["M11"]["waivable_by"] == []


def test_id_card_is_scanned_on_both_faces_at_300_dpi(full: Tree) -> None:
    scans = [need["scan"] for item in full["items"] for need in item["materials"] if need["code"] == "M01"]

    assert scans
    assert all(scan == {"dpi": 300, "color": True, "duplex": True} for scan in scans)


@pytest.mark.parametrize(
    ("legal", "promise", "expected"),
    [
        ("3", "1", (3, 1, "workday")),
        ("60d", "20d", (60, 20, "day")),
        ("30d", "0", (30, 0, "day")),
        ("30d", "10", (21, 10, "workday")),
        ("7d", "3", (5, 3, "workday")),
    ],
)
def test_days_have_one_unit_and_are_never_later_than_the_law(
    legal: str, promise: str, expected: tuple[int, int, str]
) -> None:
    assert read_days(legal, promise) == expected


def test_every_item_has_the_members_of_the_contract_and_legal_values(full: Tree) -> None:
    members = (
        "code handle_item catalog_code version name name_en short short_en dept zone kind type legal_days promise_days"
        " day_unit basis fee responsible phone complaint_phone pinyin avg_minutes joint_depts targets materials"
        " need_identity appointable self_service state effective_from effective_to"
    )
    for item in full["items"]:
        assert set(item) - {"generated"} == set(members.split()), item["name"]
        assert item["kind"] in {"immediate", "promised", "joint", "reported"}
        assert item["type"] in {"01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "20"}
        assert item["day_unit"] in {"workday", "day"}
        assert item["state"] == "1"
        assert set(item["targets"]) <= set("123456")
        assert re.fullmatch(r"[A-Z]{2,20}", item["pinyin"]), item["name"]
        assert 4 <= item["avg_minutes"] <= 60


def test_pinyin_has_a_letter_for_every_character(full: Tree) -> None:
    for item in full["items"]:
        assert len(item["pinyin"]) == len(re.findall(r"[\u4e00-\u9fff]", item["name"])), item["name"]


def test_pinyin_reads_characters_as_they_are_read_in_the_name() -> None:
    read = {item["name"]: item["pinyin"] for item in committed(HallName.BIG)["items"]}

    assert read["典当行设立审批"] == "DDHSLSP"
    assert read["往来港澳通行证签注"] == "WLGATXZQZ"
    assert read["发票领用（额度调整）"] == "FPLYEDTZ"
    assert read["养老待遇申领"] == "YLDYSL"
    assert read["中小学转学登记"] == "ZXXZXDJ"


def test_short_names_fit_a_slip_line_and_the_fonts_of_the_displays(full: Tree) -> None:
    for item in full["items"]:
        assert len(item["short"].encode("gb2312")) <= 20, item["short"]
        assert len(item["short_en"]) <= 32, item["short_en"]
        assert item["name"].encode("gb2312")


def test_items_refer_to_what_the_catalogue_holds(full: Tree) -> None:
    zones = {zone["code"] for zone in full["zones"]}
    departments = {dept["code"] for dept in full["departments"]}
    materials = {material["code"]: material["name"] for material in full["materials"]}
    for item in full["items"]:
        assert item["zone"] in zones
        assert {item["dept"], *item["joint_depts"]} <= departments, item["name"]
        assert item["dept"] not in item["joint_depts"], item["name"]
        assert item["materials"], item["name"]
        assert len({need["code"] for need in item["materials"]}) == len(item["materials"]), item["name"]
        for need in item["materials"]:
            assert need["name"] == materials[need["code"]]


def test_joint_items_name_a_second_department(full: Tree) -> None:
    for item in full["items"]:
        assert bool(item["joint_depts"]) == (item["kind"] == "joint"), item["name"]


def test_immediate_items_promise_no_days(full: Tree) -> None:
    assert all(item["promise_days"] == 0 for item in full["items"] if item["kind"] == "immediate")


def test_no_number_is_a_fraction(full: Tree) -> None:
    text = json.dumps(full)
    json.loads(text, parse_float=lambda number: pytest.fail(f"{number} is a floating-point number"))


def test_nothing_personal_is_in_the_files(hall: HallName) -> None:
    for name in ("catalog.json", "devices.toml"):
        text = (HALLS / hall / name).read_text("utf-8")
        assert not re.search(r"(?<![0-9])1[3-9][0-9]{9}(?![0-9])", text), f"{name}: a mobile number"
        assert not re.search(r"(?<![0-9A-Z])[0-9]{6}(?:19|20)[0-9]{9}[0-9X](?![0-9A-Z])", text), f"{name}: an ID number"


def test_calendar_says_which_days_depart_from_the_week(full: Tree) -> None:
    days = {day["date"]: day["work"] for day in full["calendar"]}

    assert list(days) == sorted(days)
    assert len(days) == len(full["calendar"])
    assert days["2026-02-16"] is False, "spring festival"
    assert days["2026-02-28"] is True, "a Saturday worked for it"
    assert "2026-03-02" not in days, "an ordinary Monday"
    assert sum(not work for date, work in days.items() if date.startswith("2026")) == 33
    assert sum(work for date, work in days.items() if date.startswith("2026")) == 6


def test_evaluation_options_say_their_level_with_their_first_digit(full: Tree) -> None:
    options = full["evaluation_options"]

    assert len(options) == 40
    assert all(option["code"][0] == str(option["level"]) for option in options)


# --- digest


def test_arrays_stand_in_the_order_of_the_digest(full: Tree) -> None:
    for name in ("zones", "departments", "items", "materials", "evaluation_options"):
        codes = [entry["code"] for entry in full[name]]
        assert codes == sorted(codes), name


def test_digest_is_that_of_the_canonical_content(full: Tree) -> None:
    around = {"version", "base", "mode", "effective_at", "urgent", "content_sm3", "removed"}
    content = {name: value for name, value in full.items() if name not in around}
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    assert hashlib.new("sm3", canonical).hexdigest() == full["content_sm3"]


def test_digest_does_not_depend_on_how_the_catalogue_was_asked_for(full: Tree) -> None:
    assert catalog.content_sm3(full | {"version": 99, "mode": "delta", "base": 98}) == full["content_sm3"]


def test_digest_changes_with_any_item(full: Tree) -> None:
    full["items"][-1]["state"] = "2"

    assert catalog.content_sm3(full) != full["content_sm3"]


def test_full_catalogue_removes_nothing(full: Tree) -> None:
    assert (full["mode"], full["base"], full["urgent"]) == ("full", 0, False)
    assert full["removed"] == {"items": []}
    assert full["version"] > full["base"]


def test_arrival_weights_cover_the_items(hall: HallName, full: Tree) -> None:
    weights = catalog.arrival_weights(hall, SEED)

    assert set(weights) == {item["code"] for item in full["items"]}
    assert all(weight > 0 for weight in weights.values())
