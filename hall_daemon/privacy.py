"""Pure functions on personal data: masks, keyed hashes, the sealed envelope. The only home of cryptography.

Source: province.md §3.2 (signature), §4 (envelope), §7.4 (leaf, chain); domain.md §14 (masks); GB 11643 (check digit).
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import constant_time, hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

if TYPE_CHECKING:
    from hall_daemon.events import Sealed


@dataclass(frozen=True, kw_only=True, repr=False)
class Key:
    """A key of one use with its name; `repr` shows no key material."""

    kid: str
    secret: bytes

    def __repr__(self) -> str:
        return f"Key({self.kid})"


def sm3(data: bytes) -> bytes:
    """SM3 digest, 32 bytes (GB/T 32905)."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


def sm3_hex(data: bytes) -> str:
    """SM3 digest in lower-case hex."""
    return sm3(data).hex()


class Sm3:
    """SM3 of a file read in pieces."""

    def __init__(self) -> None:
        self._hash = hashes.Hash(hashes.SM3())

    def update(self, piece: bytes) -> None:
        """Add a piece."""
        self._hash.update(piece)

    def hexdigest(self) -> str:
        """The digest; ends the object's life."""
        return self._hash.finalize().hex()


def hmac_sm3(key: bytes, data: bytes) -> bytes:
    """HMAC-SM3, 32 bytes."""
    mac = hmac.HMAC(key, hashes.SM3())
    mac.update(data)
    return mac.finalize()


def id_hmac(match_key: Key, id_type: str, id_no: str) -> str:
    """Keyed hash by which two visits of one person are recognised without telling who it is."""
    return hmac_sm3(match_key.secret, f"{id_type}|{id_no}".encode()).hex()


def canonical(value: Any) -> str:
    """RFC 8785 for our subset: no floats, ASCII member names. Any: it takes whatever JSON is."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def seal(key: Key, event_id: str, facts: dict[str, str], iv: bytes | None = None) -> Sealed:
    """Encrypt personal facts for one event: SM4-CTR, then HMAC-SM3. Key bytes 0–15 encrypt, 16–47 authenticate."""
    from hall_daemon.events import Sealed  # noqa: PLC0415 - the imaging process needs hashes, and no event

    iv = secrets.token_bytes(16) if iv is None else iv
    encryptor = Cipher(SM4(key.secret[:16]), modes.CTR(iv)).encryptor()
    ct = encryptor.update(canonical(facts).encode()) + encryptor.finalize()
    mac = hmac_sm3(key.secret[16:48], f"v1|{key.kid}|{event_id}|".encode() + iv + ct)
    return Sealed(kid=key.kid, iv=_b64(iv), ct=_b64(ct), mac=_b64(mac))


def unseal(key: Key, event_id: str, sealed: Sealed) -> dict[str, str]:
    """Verify, then decrypt. Raises ValueError if the envelope is not genuine for this event."""
    iv, ct = _unb64(sealed.iv), _unb64(sealed.ct)
    mac = hmac_sm3(key.secret[16:48], f"v1|{sealed.kid}|{event_id}|".encode() + iv + ct)
    # Without the length a byte could wander from iv to ct, and the mac would be the same.
    if len(iv) != 16 or not constant_time.bytes_eq(mac, _unb64(sealed.mac)):
        raise ValueError(f"envelope of event {event_id} is not genuine under key {key.kid}")
    decryptor = Cipher(SM4(key.secret[:16]), modes.CTR(iv)).decryptor()
    facts = json.loads(decryptor.update(ct) + decryptor.finalize())
    return {str(k): str(v) for k, v in facts.items()}


def leaf(envelope: dict[str, Any]) -> str:
    """Hash of an event in which each `pii` is replaced by its own hash, so that erasing it later changes nothing.

    `envelope` is the CloudEvent as sent. Any: an event's members are of every JSON type. Raises KeyError without data.
    """
    return sm3_hex(canonical({**envelope, "data": _without_pii(envelope["data"])}).encode())


def _without_pii(value: Any) -> Any:
    """Any: JSON of every type, nested (a correction carries the corrected members one level deeper)."""
    if isinstance(value, list):
        return [_without_pii(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: sm3_hex(canonical(item).encode()) if name == "pii" and isinstance(item, dict) else _without_pii(item)
        for name, item in value.items()
    }


CHAIN_START = "0" * 64


def chain(previous: str, this_leaf: str) -> str:
    """Next value of the hash chain over leaves."""
    return sm3_hex(f"{previous}\n{this_leaf}\n".encode())


def signature(key: Key, lines: tuple[str, ...]) -> str:
    """HMAC-SM3 over lines each ended by LF, hex."""
    return hmac_sm3(key.secret, "".join(f"{line}\n" for line in lines).encode()).hex()


def mask_name(name: str) -> str:
    """张三 → 张*, 欧阳小明 → 欧**明; by code points. A name of one character is hidden whole."""
    points = name.strip()
    if len(points) <= 1:
        return "*" * len(points)
    if len(points) == 2:
        return points[0] + "*"
    return points[0] + "*" * (len(points) - 2) + points[-1]


def mask_id(number: str) -> str:
    """18 characters: 14 stars and the last four; others: stars and the last three; too short for that: stars."""
    tail = 4 if len(number) == 18 else 3
    if len(number) <= tail:
        return "*" * len(number)
    return "*" * (len(number) - tail) + number[-tail:]


def mask_phone(phone: str) -> str:
    """138****5678; anything that is no mobile number becomes stars."""
    if re.fullmatch(r"[0-9]{11}", phone):
        return f"{phone[:3]}****{phone[-4:]}"
    return "*" * len(phone)


def valid_id_number(number: str) -> bool:
    """Whether the check digit of an 18-character ID number is right (GB 11643, ISO 7064 MOD 11-2)."""
    if not re.fullmatch(r"[0-9]{17}[0-9X]", number):
        return False
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(number, weights, strict=False))
    return "10X98765432"[total % 11] == number[17]


_ID_NUMBER = re.compile(r"(?<![0-9])[0-9]{17}[0-9Xx](?![0-9])")
_MOBILE = re.compile(r"(?<![0-9])1[3-9][0-9]{9}(?![0-9])")


def looks_personal(text: str) -> bool:
    """Whether an ID number or a mobile number stands in the text."""
    return bool(_ID_NUMBER.search(text) or _MOBILE.search(text))


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unb64(text: str) -> bytes:
    """Strict: one text for one value. Raises ValueError."""
    data = base64.b64decode(text, validate=True)
    if _b64(data) != text:
        raise ValueError("base64 that is not in its canonical form")
    return data
