"""The vectors of province.md §3, §4, §7.4, §8 against hall_daemon.privacy; masks; envelopes that were tampered with."""

import base64
import json
import string

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hall_daemon import privacy
from hall_daemon.events import Sealed
from hall_daemon.privacy import Key

SIGN = Key(kid="s1", secret=bytes(range(32)))
MATCH = Key(kid="m1", secret=bytes(range(32)))
PII = Key(kid="k1", secret=bytes(range(48)))
EVENT_ID = "0197f0a0-0000-7000-8000-000000000001"
FACTS = {"id_no": "11010519491231002X", "id_type": "111", "name": "张三", "phone": "13800005678"}
NONCE = "5f0c2b9a6d3e4f10a1b2c3d4e5f60718"
HALL = "320115000000-01"
FIRST = (
    '{"aggseq":2,"bizdate":"2026-01-05","catver":42,"clkoffms":0,"clkstate":"sync","data":{"clerk_id":"c017",'
    '"display_no":"A001","reason_code":"resident_left","ticket_id":"0197f0a0-0000-7000-8000-0000000000aa"},'
    '"datacontenttype":"application/json","id":"0197f0a0-0000-7000-8000-000000000001",'
    '"recordedtime":"2026-01-05T09:00:00.000+08:00","sequence":"0000000000000001","source":"/halls/320115000000-01",'
    '"specversion":"1.0","streamid":"0197f09f-0000-7000-8000-000000000000",'
    '"subject":"ticket/0197f0a0-0000-7000-8000-0000000000aa","time":"2026-01-05T09:00:00.000+08:00",'
    '"type":"hall.ticket.cancelled.v1"}'
)
facts = st.dictionaries(
    st.sampled_from(["name", "id_type", "id_no", "phone", "org_name", "agent_name"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)


def second_event() -> dict[str, object]:
    event = json.loads(FIRST)
    event.update(aggseq=3, id="0197f0a0-0000-7000-8000-000000000002", sequence="0000000000000002")
    event["data"]["display_no"] = "A002"
    event["time"] = event["recordedtime"] = "2026-01-05T09:00:01.000+08:00"
    return dict(event)


def test_sm3_of_the_standards_example() -> None:
    assert privacy.sm3_hex(b"abc") == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "digest", "signature"),
    [
        (
            "POST", f"/hall-sync/v1/halls/{HALL}/hello", "", b'{"a":1}',
            "d646a76e347ce7c1a4c11acff67604928ccfaf03fc2e4fb8faaf5b2b1227605a",
            "0b1c06645971b19617c1cce17679a76bc1cd7d02622b188010e6b446d715c89e",
        ),
        (
            "GET", f"/hall-sync/v1/halls/{HALL}/catalog", "since=41", b"",
            "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b",
            "76a0cdfbbf7f82c7cd6e95f6e68d01f36c583d07694bcc46a137ae979e0dfffb",
        ),
    ],
)  # fmt: skip
def test_signatures_of_the_contract(
    method: str, path: str, query: str, body: bytes, digest: str, signature: str
) -> None:
    lines = ("HALL-HMAC-SM3", method, path, query, "1767231000", NONCE, digest, HALL)

    assert privacy.sm3_hex(body) == digest
    assert privacy.signature(SIGN, lines) == signature


def test_keyed_hash_of_the_contract() -> None:
    expected = "81f5d5ec8350ce88fea048eec7290657382274feb3e2f4e8d901f23177276c37"

    assert privacy.id_hmac(MATCH, "111", "11010519491231002X") == expected


def test_envelope_of_the_contract() -> None:
    sealed = privacy.seal(PII, EVENT_ID, FACTS, iv=bytes(range(0xA0, 0xB0)))

    assert sealed.ct == (
        "De5fnFJ5Rl6ylIBUsubc38dAeg/qJ4JKOdbMX0tkRpOcG9m74fPgQAOPPrrNHZ2q19E36YOTtVpDmldbT5kJevfEgCXRe3MS81YJLFe0YF/QxsDl"
    )
    assert sealed.mac == "uogaflApSXHWsxfCZ+PRnB7Gj5+jpVhQn8qAsz3m9K4="
    assert sealed.kid == "k1"
    assert privacy.unseal(PII, EVENT_ID, sealed) == FACTS


def test_leaf_of_the_contract() -> None:
    assert privacy.canonical(json.loads(FIRST)) == FIRST
    assert privacy.leaf(json.loads(FIRST)) == "45f8fcd1844d1a6ac2d8dc24fa1dcda17fd85dc4a1d1f4dacce389b2389061fb"


def test_chain_and_day_digest_of_the_contract() -> None:
    events = [json.loads(FIRST), second_event()]
    leaves = [privacy.leaf(event) for event in events]
    first = privacy.chain(privacy.CHAIN_START, leaves[0])
    lines = "".join(f"{e['sequence']} {e['id']} {leaf}\n" for e, leaf in zip(events, leaves, strict=True))

    assert first == "38e541b5aec5b88a6b4905040ee02680528f47244110ac007c32e3e97c73d2f5"
    assert privacy.chain(first, leaves[1]) == "e3b69fa6197f09659eddca0093e4654a3adb340d690e941a977f4852bf5aa488"
    assert privacy.sm3_hex(lines.encode()) == "abf4c2598a256306cb6138bcf920b7f0638c108f2cdc2b82a9518abf476d193d"


def test_leaf_stays_when_personal_data_are_erased() -> None:
    event = json.loads(FIRST)
    event["data"]["pii"] = privacy.seal(PII, EVENT_ID, FACTS).model_dump()
    before = privacy.leaf(event)
    event["data"]["pii"] = privacy.sm3_hex(privacy.canonical(event["data"]["pii"]).encode())

    assert privacy.leaf(event) == before


def test_leaf_stays_when_personal_data_inside_a_correction_are_erased() -> None:
    event = json.loads(FIRST)
    event["data"]["fields"] = {"list": [{"pii": privacy.seal(PII, EVENT_ID, FACTS).model_dump()}]}
    before = privacy.leaf(event)
    inner = event["data"]["fields"]["list"][0]
    inner["pii"] = privacy.sm3_hex(privacy.canonical(inner["pii"]).encode())

    assert privacy.leaf(event) == before


@given(facts)
def test_what_was_sealed_can_be_unsealed(person: dict[str, str]) -> None:
    sealed = privacy.seal(PII, EVENT_ID, person)

    assert privacy.unseal(PII, EVENT_ID, sealed) == person


@given(facts)
def test_every_sealing_has_its_own_iv(person: dict[str, str]) -> None:
    assert privacy.seal(PII, EVENT_ID, person).iv != privacy.seal(PII, EVENT_ID, person).iv


@given(facts, st.sampled_from(["iv", "ct", "mac", "kid"]), st.data())
@settings(max_examples=200)
def test_a_changed_character_of_an_envelope_is_found(person: dict[str, str], member: str, data: st.DataObject) -> None:
    sealed = privacy.seal(PII, EVENT_ID, person)
    text = getattr(sealed, member)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from(string.ascii_letters + string.digits + "+/= \n"))
    assume(text[place] != letter)

    with pytest.raises(ValueError):
        privacy.unseal(PII, EVENT_ID, sealed.model_copy(update={member: text[:place] + letter + text[place + 1 :]}))


@given(facts, st.integers(1, 20))
def test_bytes_that_wander_from_ct_to_iv_are_found(person: dict[str, str], count: int) -> None:
    sealed = privacy.seal(PII, EVENT_ID, person)
    iv, ct = base64.b64decode(sealed.iv), base64.b64decode(sealed.ct)
    wandered = {
        "iv": base64.b64encode(iv + ct[:count]).decode(),
        "ct": base64.b64encode(ct[count:]).decode(),
    }

    with pytest.raises(ValueError):
        privacy.unseal(PII, EVENT_ID, sealed.model_copy(update=wandered))


def test_an_envelope_of_another_event_is_not_genuine() -> None:
    sealed = privacy.seal(PII, EVENT_ID, FACTS)

    with pytest.raises(ValueError, match="not genuine"):
        privacy.unseal(PII, EVENT_ID[:-1] + "2", sealed)
    with pytest.raises(ValueError, match="not genuine"):
        privacy.unseal(Key(kid="k1", secret=bytes(48)), EVENT_ID, sealed)


def test_nothing_of_an_envelope_or_key_shows_in_its_words() -> None:
    sealed = privacy.seal(PII, EVENT_ID, FACTS)

    assert isinstance(sealed, Sealed)
    assert "张" not in sealed.model_dump_json()
    assert "11010519491231002X" not in sealed.model_dump_json()
    assert repr(PII) == "Key(k1)"


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("张三", "张*"), ("欧阳小明", "欧**明"), ("王小二", "王*二"), ("㐂", "*"), ("", ""), (" 张测试 ", "张*试"),
        ("𠮷野家", "𠮷*家"), ("\ue816田", "\ue816*"), ("ZHANG SAN", "Z*******N"),
    ],
)  # fmt: skip
def test_names_are_masked_by_code_points(name: str, masked: str) -> None:
    assert privacy.mask_name(name) == masked


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("11010519491231002X", "**************002X"), ("E12345678", "******678"), ("H0123456702", "********702"),
        ("91", "**"), ("123", "***"), ("", ""),
    ],
)  # fmt: skip
def test_identity_numbers_show_their_end_only(number: str, masked: str) -> None:
    assert privacy.mask_id(number) == masked


@pytest.mark.parametrize(
    ("phone", "masked"), [("13800005678", "138****5678"), ("02512345", "********"), ("", ""), ("1380000567", "*" * 10)]
)
def test_phones_show_three_and_four_digits(phone: str, masked: str) -> None:
    assert privacy.mask_phone(phone) == masked


@given(st.text(min_size=1, max_size=12))
def test_a_mask_never_shows_more_than_two_characters_of_a_name(name: str) -> None:
    points, masked = name.strip(), privacy.mask_name(name)

    assert len(masked) == len(points)
    assert sum(shown != "*" for shown in masked) <= min(2, max(0, len(points) - 1))


@pytest.mark.parametrize("number", ["11010519491231002X", "440524188001010014"])
def test_right_check_digits(number: str) -> None:
    assert privacy.valid_id_number(number)


@pytest.mark.parametrize("number", ["110105194912310021", "11010519491231002x", "1101051949123100", "", "一" * 18])
def test_wrong_check_digits(number: str) -> None:
    assert not privacy.valid_id_number(number)


def test_personal_numbers_are_recognised_in_text() -> None:
    assert privacy.looks_personal("号码 11010519491231002X。")
    assert privacy.looks_personal("call 13800005678 now")
    assert not privacy.looks_personal("1199000099000000924992000009000")
    assert not privacy.looks_personal("A001 138****5678")
