"""Who may do what: roles of screens and of people, PINs, lock-out.

A screen has a token with one role; a person has an account with one role, proves it by a PIN, and gets a session. Both
are looked up in one table, by path. Where no tokens are configured the API listens on loopback only (config refuses
anything else), and whoever is on the machine may use every path; a window still belongs to who signed in there.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError


class Role(StrEnum):
    """What a screen or a person is."""

    KIOSK = "kiosk"
    COUNTER = "counter"
    TECHNICIAN = "technician"
    MANAGER = "manager"
    CLERK = "clerk"
    CHIEF = "chief"
    """首席代表: a clerk who may decide for a department, and put somebody first."""
    GUIDE = "guide"
    """导办台."""


@dataclass(frozen=True, kw_only=True)
class Staff:
    """Somebody who works here, as the hall knows them."""

    number: str
    name: str
    role: Role
    locked: bool = False
    skills: frozenset[str] = frozenset()
    """Queues or items that they know; empty: all."""


SCREENS = (Role.KIOSK, Role.COUNTER, Role.TECHNICIAN, Role.MANAGER)
"""Whose token may stand in the environment."""
PEOPLE = (Role.CLERK, Role.CHIEF, Role.GUIDE, Role.MANAGER, Role.TECHNICIAN)
"""What an account may be."""
AT_WINDOWS = frozenset({Role.CLERK, Role.CHIEF, Role.MANAGER})
"""Who may take a window."""
_STAFF = frozenset({Role.CLERK, Role.CHIEF, Role.GUIDE, Role.MANAGER})

_MAY: tuple[tuple[str, frozenset[Role]], ...] = (
    # A path prefix and the roles that may use what is below it; the first match decides.
    ("/healthz", frozenset(Role)),
    ("/openapi.json", frozenset(Role)),
    ("/ui/", frozenset(Role)),
    ("/kiosk/", frozenset(Role)),
    ("/board", frozenset(Role)),
    ("/voice/", frozenset(Role)),
    ("/t/", frozenset(Role)),
    ("/people/", frozenset(Role)),
    ("/kiosks/", frozenset({Role.KIOSK, Role.TECHNICIAN})),
    ("/windows/", AT_WINDOWS | {Role.COUNTER}),
    ("/tickets", _STAFF | {Role.COUNTER}),
    ("/overview/", frozenset({Role.MANAGER})),
    ("/overview", frozenset(Role)),
    ("/messages", frozenset({Role.GUIDE, Role.CHIEF, Role.MANAGER, Role.TECHNICIAN})),
    ("/accounts", frozenset({Role.MANAGER, Role.TECHNICIAN})),
    ("/hall", _STAFF | {Role.COUNTER, Role.TECHNICIAN}),
    ("/catalogue", frozenset({Role.MANAGER, Role.TECHNICIAN})),
    ("/day", frozenset({Role.MANAGER, Role.TECHNICIAN})),
    ("/pads", frozenset({Role.GUIDE, Role.MANAGER, Role.TECHNICIAN})),
    ("/emergency", _STAFF | {Role.COUNTER, Role.TECHNICIAN}),
    ("/events", _STAFF | {Role.COUNTER, Role.TECHNICIAN}),
    ("/", frozenset({Role.TECHNICIAN})),
)
_VERBS: Mapping[str, frozenset[Role]] = {
    # A verb at a window that not everybody who may take one may use; the person signed in there counts.
    "pin": frozenset({Role.CHIEF, Role.MANAGER}),
}
_OPEN = ("/healthz", "/openapi.json", "/ui/", "/kiosk/", "/board", "/voice/", "/t/")
"""Needs no token: nothing personal, and pages must load before they can send one."""


def is_open(path: str) -> bool:
    """Whether a path needs no token at all."""
    return path.startswith(_OPEN) or path == "/overview"


def screen_of(authorization: str, tokens: Mapping[str, str]) -> Role | None:
    """The role of a screen by its Authorization header."""
    token = authorization.removeprefix("Bearer ").encode()
    role = next((r for r, t in tokens.items() if hmac.compare_digest(t.encode(), token)), None)
    return None if role is None else Role(role)


def may_use(role: Role, path: str) -> bool:
    """Whether a role may use what is below this path."""
    return role in next((roles for prefix, roles in _MAY if path.startswith(prefix)), frozenset())


def may_do(role: Role, verb: str) -> bool:
    """Whether somebody with this role, signed in at a window, may use this verb there."""
    return role in _VERBS.get(verb, AT_WINDOWS)


def may_take(who: Staff) -> bool:
    """Whether somebody may sign in to a window."""
    return who.role in AT_WINDOWS and not who.locked


# --- PINs -------------------------------------------------------------------------------------------------------------

PIN_FORM = re.compile(r"[0-9]{6,12}")
MOST_FAILURES = 5
LOCKED_MS = 15 * 60 * 1000
"""After MOST_FAILURES wrong PINs in a row; each further one locks again."""
# RFC 9106 and OWASP give 19 MiB, two passes, one lane as the least: 20 ms here, and ninety clerks come at once.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$5ELj0jnDrYYnxEqwMXxByA$HMrLlsJRXuH8dX8fZqaX2Zx7vi0XHdQ0WjHj3OterTE"
"""Compared with where there is no account, so that an unknown number takes as long as a wrong PIN."""


def why_not_a_pin(pin: str) -> str | None:
    """The code of the sentence that says why this cannot be a PIN; None if it can."""
    if not PIN_FORM.fullmatch(pin):
        return "pin_form"
    steps = {(int(b) - int(a)) % 10 for a, b in itertools.pairwise(pin)}
    return "pin_weak" if steps in ({0}, {1}, {9}) else None


def hash_pin(pin: str) -> str:
    """Argon2id with a salt of its own; takes some 20 ms and 19 MiB."""
    return _HASHER.hash(pin)


def is_pin(pin: str, pin_hash: str) -> bool:
    """Whether this is the PIN; takes as long where there is no hash."""
    try:
        return _HASHER.verify(pin_hash or _NOBODY, pin) and bool(pin_hash)
    except (Argon2Error, InvalidHashError):
        return False


def is_hash(value: str) -> bool:
    """Whether this is a hash that `is_pin` understands."""
    return re.fullmatch(r"\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+", value) is not None


def locked_until_ms(failures: int, now_ms: int) -> int | None:
    """Until when an account is locked after so many wrong PINs in a row."""
    return now_ms + LOCKED_MS if failures >= MOST_FAILURES else None


# --- sessions ---------------------------------------------------------------------------------------------------------


def new_secret() -> str:
    """What a screen shows at each verb, to prove that it is the one where somebody signed in."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_secret(secret: str, kept: str) -> bool:
    """Whether a secret is the one that was kept so."""
    return hmac.compare_digest(digest(secret), kept)
