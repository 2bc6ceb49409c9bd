"""Text blocks of all card kinds: golden bytes in both directions, doubts, halves, and what must never be said."""

import traceback
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import CardDoubt, CardKind, Condition, IdCard, Refused
from drivers.idcard_text import check_digit, decode_text
from sim.idcard_records import RESIDENTS, CitizenCard, IdCardRecord, last_character
from tests.contract.idcard_goldens import (
    BLOCK_HASHES,
    CITIZEN,
    CITIZEN_BLOCK,
    FOR_LIFE,
    FOREIGN_2017,
    FOREIGN_2023,
    PERMIT,
    sha256,
)

TODAY = date(2025, 6, 1)


def decode(source: IdCardRecord | bytes, today: date = TODAY) -> IdCard:
    block = source if isinstance(source, bytes) else source.text_block()
    return decode_text(block, today=today, source="IDR-01 on /dev/ttyS1")


def overwrite(block: bytes, at: int, text: str, size: int) -> bytes:
    units = text.encode("utf-16-le").ljust(size, b"\0") if not text else text.ljust(size // 2).encode("utf-16-le")
    return block[:at] + units[:size] + block[at + size :]


@pytest.mark.parametrize(("record", "digest"), [row[1:] for row in BLOCK_HASHES], ids=[row[0] for row in BLOCK_HASHES])
def test_twin_fills_the_block_of_the_document(record: IdCardRecord, digest: str) -> None:
    assert sha256(record.text_block()) == digest


def test_citizen_block_of_the_document_is_read() -> None:
    assert sha256(CITIZEN_BLOCK) == BLOCK_HASHES[0][2]
    assert vars(decode(CITIZEN_BLOCK)) == vars(
        IdCard(
            kind=CardKind.CITIZEN,
            id_type="111",
            id_no="110101199003070011",
            name="张测试",
            sex="1",
            nation="01",
            birth=date(1990, 3, 7),
            address="北京市东城区示例街道1号院2单元301室",
            authority="北京市公安局东城分局",
            valid_from=date(2020, 1, 1),
            valid_to=date(2040, 1, 1),
        )
    )


def test_validity_for_life_has_a_start_and_no_end() -> None:
    card = decode(FOR_LIFE)
    assert (card.valid_from, card.valid_to, card.doubts) == (date(2010, 1, 1), None, frozenset())
    assert (card.name, card.sex, card.nation) == ("李长期", "2", "03")


def test_residence_permit_is_read_with_its_pass_number() -> None:
    card = decode(PERMIT)
    assert card.kind is CardKind.HK_MACAU_TAIWAN
    assert (card.id_type, card.id_no, card.pass_no) == ("516", "810000199511110028", "H12345678")
    assert (card.name, card.nation, card.authority) == ("陈示例", "", "深圳市公安局")
    assert card.issue_count == "01"
    assert card.doubts == frozenset()


def test_permit_of_a_taiwan_resident_has_the_id_type_of_the_taiwan_pass() -> None:
    assert decode(RESIDENTS["taiwan"]).id_type == "511"


def test_foreign_card_of_2017_is_read() -> None:
    card = decode(FOREIGN_2017)
    assert (card.kind, card.id_type, card.id_no) == (CardKind.FOREIGN_2017, "553", "USA110080010101")
    assert (card.name_en, card.name, card.nationality) == ("SMITH, JOHN EXAMPLE", "史密斯", "USA")
    assert (card.birth, card.valid_from, card.valid_to) == (date(1980, 1, 1), date(2018, 1, 1), date(2028, 1, 1))
    assert (card.authority, card.layout_version) == ("1500", "01")


def test_foreign_card_of_2023_is_read() -> None:
    card = decode(FOREIGN_2023)
    assert (card.kind, card.id_type, card.id_no) == (CardKind.FOREIGN_2023, "553", "911840198001010013")
    assert (card.name, card.name_en, card.nationality) == ("史密斯", "SMITH, JOHN EXAMPLE", "840")
    assert (card.renewal_count, card.old_number_link) == ("01", "")
    assert card.doubts == frozenset()


def test_counts_version_and_link_stand_on_their_own_layout_only() -> None:
    rows = [("citizen", CITIZEN), ("J", replace(PERMIT, issues="07")), ("I", replace(FOREIGN_2017, version="03")),
            ("Y", replace(FOREIGN_2023, renewals="12", old_number="A7Z"))]  # fmt: skip
    read = {name: decode(record) for name, record in rows}
    told = {name: (c.issue_count, c.layout_version, c.renewal_count, c.old_number_link) for name, c in read.items()}
    assert told == {
        "citizen": ("", "", "", ""), "J": ("07", "", "", ""), "I": ("", "03", "", ""), "Y": ("", "", "12", "A7Z"),
    }  # fmt: skip
    assert not any(secret in repr(card) for card in read.values() for secret in ("07", "03", "12", "A7Z"))


def test_count_that_is_no_number_spoils_no_card() -> None:
    card = decode(replace(FOREIGN_2023, renewals="??", nationality="84"))
    assert (card.renewal_count, card.id_no, card.doubts) == ("??", "911840198001010013", frozenset())


def test_english_name_that_needs_both_fields_is_put_together() -> None:
    assert decode(RESIDENTS["foreign2023"]).name_en == "SAMPLE, ALEXANDRA BARTHOLOMEA EXAMPLE-UTOPIA"
    space_at_the_seam = replace(FOREIGN_2023, name_en="ABCDEFGHIJ KLMNOPQRST UVWXYZ ABCDE FGH")
    assert space_at_the_seam.name_en[34] == " "
    assert decode(space_at_the_seam).name_en == "ABCDEFGHIJ KLMNOPQRST UVWXYZ ABCDE FGH"


@pytest.mark.parametrize(
    "number",
    [
        "11010519491231002X", "110101199003070011", "440300198512310024", "810000199003070015", "82000019951111002X",
        "310101195001010022", "990000199909090053", "99000019900909004X", "990000195202290029", "99000020120615003X",
        "990000197507071176",
    ],
)  # fmt: skip
def test_check_digits_of_the_documents_come_out_of_both_calculations(number: str) -> None:
    assert check_digit(number[:17]) == number[17]
    assert last_character(number[:17]) == number[17]


@given(st.text("0123456789", min_size=17, max_size=17))
def test_driver_and_twin_agree_on_every_check_digit(first_17: str) -> None:
    assert check_digit(first_17) == last_character(first_17)


@pytest.mark.parametrize("name", RESIDENTS)
def test_fictitious_residents_have_good_numbers_and_are_read(name: str) -> None:
    card = decode(RESIDENTS[name])
    assert card.name
    assert card.doubts <= {CardDoubt.EXPIRED, CardDoubt.PRIVATE_USE_CHARACTER}
    assert card.kind is not CardKind.CITIZEN or card.id_no.startswith("990000")


def test_wrong_check_digit_is_a_doubt_and_the_data_is_there() -> None:
    card = decode(CITIZEN.with_wrong_check_digit())
    assert card.doubts == {CardDoubt.CHECK_DIGIT}
    assert card.name == "张测试"


def test_birth_that_is_not_the_one_in_the_number_is_a_doubt() -> None:
    assert decode(replace(CITIZEN, birth="19900308")).doubts == {CardDoubt.BIRTH_MISMATCH}


def test_birth_on_a_day_that_never_was_is_a_doubt() -> None:
    number = "11010119900230001"
    card = decode(replace(CITIZEN, birth="19900230", number=number + last_character(number)))
    assert card.birth is None
    assert card.doubts == {CardDoubt.BIRTH_MISMATCH}


def test_validity_that_ends_before_it_begins_is_a_doubt() -> None:
    card = decode(replace(CITIZEN, valid_from="20400101", valid_to="20390101"))
    assert card.doubts == {CardDoubt.VALIDITY_REVERSED}


def test_validity_with_a_day_that_never_was_is_not_taken_for_life() -> None:
    card = decode(replace(CITIZEN, valid_to="20400230"))
    assert (card.valid_from, card.valid_to) == (None, None)
    assert card.doubts == {CardDoubt.VALIDITY_REVERSED}


def test_card_is_expired_from_the_day_after_its_last() -> None:
    assert CardDoubt.EXPIRED not in decode(CITIZEN, date(2040, 1, 1)).doubts
    assert CardDoubt.EXPIRED in decode(CITIZEN, date(2040, 1, 2)).doubts


def test_rare_characters_stay_and_private_ones_are_a_doubt() -> None:
    card = decode(replace(CITIZEN, name="阿依夏木·示例\U00020bb7\u3577"))
    assert (card.name, card.doubts) == ("阿依夏木·示例\U00020bb7\u3577", frozenset())
    card = decode(replace(CITIZEN, name="杨\ue863"))
    assert (card.name, card.doubts) == ("杨\ue863", frozenset({CardDoubt.PRIVATE_USE_CHARACTER}))


def test_padding_with_zeros_is_padding() -> None:
    block = CITIZEN_BLOCK[:6] + bytes(24) + CITIZEN_BLOCK[30:248] + bytes(8)
    assert decode(block).name == "张测试"


def test_control_codes_of_a_crafted_card_do_not_get_through() -> None:
    assert decode(replace(CITIZEN, name="张\x1b@\x9b测\r\n试")).name == "张@测试"


def test_unknown_sex_and_nation_codes_are_kept() -> None:
    card = decode(replace(CITIZEN, sex="9", nation="59"))
    assert (card.sex, card.nation) == ("9", "59")


@pytest.mark.parametrize(
    ("what", "at", "text", "size"),
    [
        ("number", 122, "", 36),
        ("number", 122, "1101011990030700", 36),
        ("number", 122, "11010119900307001x", 36),
        ("birth", 36, "199003", 16),
        ("start of validity", 188, "", 16),
        ("end of validity", 204, "2040", 16),
    ],
)
def test_half_a_record_is_discarded_whole(what: str, at: int, text: str, size: int) -> None:
    with pytest.raises(Refused, match=what) as refusal:
        decode(overwrite(CITIZEN_BLOCK, at, text, size))
    assert refusal.value.condition is Condition.CARD_UNREADABLE


@pytest.mark.parametrize("block", [b"", CITIZEN_BLOCK[:255], CITIZEN_BLOCK + b"\0", bytes(256), b"\xff" * 256])
def test_what_is_no_block_is_refused(block: bytes) -> None:
    with pytest.raises(Refused):
        decode(block)


def test_layout_that_does_not_exist_is_an_unknown_card() -> None:
    with pytest.raises(Refused, match="layout 'Q'") as refusal:
        decode(overwrite(CITIZEN_BLOCK, 248, "Q", 2))
    assert refusal.value.condition is Condition.CARD_UNKNOWN
    assert "IDR-01 on /dev/ttyS1" in str(refusal.value)


def test_no_error_says_anything_of_the_card() -> None:
    lone_surrogate = CITIZEN_BLOCK[:8] + b"\x00\xd8" + CITIZEN_BLOCK[10:]
    for block in (lone_surrogate, overwrite(CITIZEN_BLOCK, 204, "2040", 16), overwrite(CITIZEN_BLOCK, 248, "Q", 2)):
        with pytest.raises(Refused) as refusal:
            decode(block)
        told = "".join(traceback.format_exception(refusal.value))
        for secret in ("张测试", "110101199003070011", "19900307", "东城"):
            assert secret not in told
        assert refusal.value.__cause__ is None


def test_repr_of_cards_and_records_is_masked() -> None:
    for name, record in RESIDENTS.items():
        assert repr(record) == f"{type(record).__name__}(masked)", name
        assert "masked" in repr(decode(record))
        assert "990000" not in repr(record) + repr(decode(record))


@given(st.binary(min_size=256, max_size=256))
def test_any_bytes_give_a_card_or_a_refusal(block: bytes) -> None:
    try:
        decode(block)
    except Refused as exc:
        assert str(exc)


@given(st.integers(0, 127), st.integers(0, 0xFFFF), st.sampled_from([row[1] for row in BLOCK_HASHES]))
def test_a_block_with_one_wrong_character_gives_a_card_or_a_refusal(at: int, unit: int, record: IdCardRecord) -> None:
    block = bytearray(record.text_block())
    block[2 * at : 2 * at + 2] = unit.to_bytes(2, "little")
    try:
        card = decode(bytes(block))
    except Refused as exc:
        assert str(exc)
        return
    assert all(ord(c) >= 32 for c in card.name + card.name_en + card.address + card.id_no)


def test_text_that_does_not_fit_a_field_is_told_by_the_twin() -> None:
    too_long = CitizenCard(**{**vars(CITIZEN), "name": "长" * 16})
    with pytest.raises(ValueError, match="field at 0 takes 30 bytes"):
        too_long.text_block()
