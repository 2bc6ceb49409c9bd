"""Canonical JSON, digests, signatures and the sealed envelope, as the province computes them.

Source: province.md §2 (canonical JSON), §3 (HMAC-SM3), §4 (envelope), §7.4 (leaf, chain, digest of a day).
Pure functions on bytes; refuses JSON that two sides could read differently: floating-point numbers, doubled member
names, integers beyond 2^53 - 1, lone surrogates.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import hmac as constant_time
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hmac import HMAC

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"

LARGEST_INTEGER = 2**53 - 1
DEEPEST_NESTING = 32
ZERO_CHAIN = "0" * 64
CHINA = datetime.timezone(datetime.timedelta(hours=8))
PII_MEMBERS = frozenset({"name", "id_type", "id_no", "phone", "org_name", "org_code"})


class BadJson(ValueError):
    """These bytes are not JSON as §2 allows it; the sentence quotes no content."""


class BrokenEnvelope(ValueError):
    """A `pii` envelope that cannot be verified; the sentence quotes no content."""


class BadKeys(ValueError):
    """The list of keys cannot be used."""


def parse_json(raw: bytes) -> Json:
    """Strict JSON. Raises BadJson."""
    try:
        value: Json = json.loads(
            raw.decode("utf-8"),
            parse_float=_refuse_float,
            parse_constant=_refuse_float,
            parse_int=_bounded_integer,
            object_pairs_hook=_object_without_doubles,
        )
    except UnicodeDecodeError as exc:
        raise BadJson(f"not UTF-8 at byte {exc.start}") from exc
    except RecursionError as exc:
        raise BadJson("nested too deeply") from exc
    except json.JSONDecodeError as exc:
        raise BadJson(f"{exc.msg} at character {exc.pos}") from exc
    _refuse_unspeakable(value, 0)
    return value


def _refuse_float(_: str) -> None:
    raise BadJson("a floating-point number")


def _bounded_integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > LARGEST_INTEGER:
        raise BadJson("an integer beyond 2^53 - 1")
    return int(digits)


def _object_without_doubles(pairs: list[tuple[str, Json]]) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise BadJson("a member name twice in one object")
    return members


def _refuse_unspeakable(value: Json, depth: int) -> None:
    if depth > DEEPEST_NESTING:
        raise BadJson("nested too deeply")
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as exc:
            raise BadJson("a lone surrogate") from exc
    elif isinstance(value, list):
        for item in value:
            _refuse_unspeakable(item, depth + 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            _refuse_unspeakable(name, depth)
            _refuse_unspeakable(item, depth + 1)


def canonical(value: Json) -> bytes:
    """RFC 8785 for values without floats."""
    return json.dumps(_sorted(value), ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _sorted(value: Json) -> Json:
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    if isinstance(value, dict):
        # RFC 8785 orders names by UTF-16 code units, which differs from code points above U+FFFF.
        return {name: _sorted(value[name]) for name in sorted(value, key=lambda name: name.encode("utf-16-be"))}
    return value


def sm3(data: bytes) -> str:
    """SM3 in hex."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize().hex()


def hmac_sm3(key: bytes, data: bytes) -> bytes:
    """HMAC with SM3, 32 bytes."""
    mac = HMAC(key, hashes.SM3())
    mac.update(data)
    return mac.finalize()


def without_personal_data(value: Json) -> Json:
    """The value with each `pii` object replaced by the SM3 of its canonical form (§7.4)."""
    if isinstance(value, list):
        return [without_personal_data(item) for item in value]
    if isinstance(value, dict):
        return {
            name: sm3(canonical(item)) if name == "pii" and isinstance(item, dict) else without_personal_data(item)
            for name, item in value.items()
        }
    return value


def leaf_of(event: JsonObject) -> str:
    """SM3 of the canonical event, personal data replaced."""
    return sm3(canonical(without_personal_data(event)))


def next_chain(previous: str, leaf: str) -> str:
    """chain(n) from chain(n - 1) and leaf(n)."""
    return sm3(f"{previous}\n{leaf}\n".encode())


def digest_of_rows(rows: Iterable[tuple[int, str, str]]) -> str:
    """Digest over (sequence, id, leaf) rows in ascending order."""
    return sm3("".join(f"{sequence:016d} {event_id} {leaf}\n" for sequence, event_id, leaf in rows).encode())


def digest_of_blobs(blobs: Iterable[str]) -> str:
    """Digest over blob ids."""
    return sm3("".join(f"{blob}\n" for blob in sorted(blobs)).encode())


def signature_of(key: bytes, lines: Sequence[str]) -> str:
    """Signature over METHOD, path, query, timestamp, nonce, body digest, hall (§3.2)."""
    text = "".join(f"{line}\n" for line in ("HALL-HMAC-SM3", *lines))
    return hmac_sm3(key, text.encode("latin-1", "replace")).hex()


def same(one: str, other: str) -> bool:
    """Compare without telling by time where they differ."""
    return constant_time.compare_digest(one.encode(), other.encode())


class KeyUse(Enum):
    """What a key is for."""

    SIGN = "sign"
    PII = "pii"
    MATCH = "match"


@dataclass(frozen=True, kw_only=True)
class Key:
    """One entry of `GET H/keys`; times in seconds since the epoch."""

    kid: str
    use: KeyUse
    secret: bytes
    not_before: float
    not_after: float


class KeyRing:
    """The keys of one hall, as published."""

    def __init__(self, published: Json) -> None:
        if not isinstance(published, list):
            raise BadKeys("the keys are not a list")
        self.published = published
        self._keys = [_key(entry) for entry in published]

    def find(self, use: KeyUse, kid: str, now: float | None = None) -> Key | None:
        """The key by id; with a time, only if it is valid then."""
        for key in self._keys:
            if key.use is use and key.kid == kid:
                return key if now is None or key.not_before <= now < key.not_after else None
        return None

    def all_of(self, use: KeyUse) -> list[Key]:
        """Every key for one use."""
        return [key for key in self._keys if key.use is use]


def _key(entry: Json) -> Key:
    if not isinstance(entry, dict):
        raise BadKeys("a key is not an object")
    members = {}
    for name in ("kid", "use", "alg", "key_b64", "not_before", "not_after"):
        value = entry.get(name)
        if not isinstance(value, str):
            raise BadKeys(f"a key has no text {name}")
        members[name] = value
    try:
        return Key(
            kid=members["kid"],
            use=KeyUse(members["use"]),
            secret=base64.b64decode(members["key_b64"], validate=True),
            not_before=epoch_of(members["not_before"]),
            not_after=epoch_of(members["not_after"]),
        )
    except ValueError as exc:
        raise BadKeys(f"key {members['kid']}: {exc}") from exc


def epoch_of(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time. Raises ValueError."""
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without offset")
    return moment.timestamp()


def wire_time(epoch_s: float) -> str:
    """RFC 3339 with milliseconds and +08:00."""
    return datetime.datetime.fromtimestamp(epoch_s, CHINA).isoformat(timespec="milliseconds")


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What the province found in an envelope: names of members, never their values."""

    members: tuple[str, ...]
    id_hmacs: tuple[str, ...]
    """The keyed hash of the number inside under each match key; empty without number or key."""


def open_envelope(envelope: Mapping[str, Json], event_id: str, ring: KeyRing) -> Opened:
    """Verify, then decrypt. Raises BrokenEnvelope."""
    kid = envelope.get("kid")
    key = ring.find(KeyUse.PII, kid) if isinstance(kid, str) else None
    if key is None or len(key.secret) != 48:
        raise BrokenEnvelope("no such pii key")
    iv, ct, mac = (_base64_member(envelope, name) for name in ("iv", "ct", "mac"))
    if envelope.get("v") != 1 or len(iv) != 16:
        raise BrokenEnvelope("not version 1 with an iv of 16 bytes")
    expected = hmac_sm3(key.secret[16:], f"v1|{kid}|{event_id}|".encode() + iv + ct)
    if not constant_time.compare_digest(expected, mac):
        raise BrokenEnvelope("mac does not verify")
    cipher = Cipher(algorithms.SM4(key.secret[:16]), modes.CTR(iv)).decryptor()
    return _inside(cipher.update(ct) + cipher.finalize(), ring)


def _base64_member(envelope: Mapping[str, Json], name: str) -> bytes:
    text = envelope.get(name)
    try:
        return base64.b64decode(text if isinstance(text, str) else "!", validate=True)
    except binascii.Error as exc:
        raise BrokenEnvelope(f"{name} is not base64") from exc


def _inside(plaintext: bytes, ring: KeyRing) -> Opened:
    try:
        person = parse_json(plaintext)
    except BadJson as exc:
        raise BrokenEnvelope("opened, but not JSON inside") from exc
    if not isinstance(person, dict):
        raise BrokenEnvelope("opened, but no object inside")
    known = sorted(name for name in person if name in PII_MEMBERS or name.startswith("agent_"))
    if any(not isinstance(person[name], str) for name in known):
        raise BrokenEnvelope("opened, but a member is not text")
    return Opened(members=tuple(known), id_hmacs=_id_hmacs(person, ring))


def _id_hmacs(person: JsonObject, ring: KeyRing) -> tuple[str, ...]:
    if "id_no" not in person or "id_type" not in person:
        return ()
    text = f"{person['id_type']}|{person['id_no']}".encode()
    return tuple(hmac_sm3(key.secret, text).hex() for key in ring.all_of(KeyUse.MATCH))
