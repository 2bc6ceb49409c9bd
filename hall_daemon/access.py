"""Who may do what: roles and tokens of screens.

A screen has a token with one role. Where no tokens are configured the API listens on loopback only (config refuses
anything else), and whoever is on the machine may do everything.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from enum import StrEnum


class Role(StrEnum):
    """What a screen is."""

    KIOSK = "kiosk"
    COUNTER = "counter"
    TECHNICIAN = "technician"


_MAY: tuple[tuple[str, frozenset[Role]], ...] = (
    # A path prefix and the roles that may use what is below it; the first match decides.
    ("/healthz", frozenset(Role)),
    ("/openapi.json", frozenset(Role)),
    ("/ui/", frozenset(Role)),
    ("/kiosk/", frozenset(Role)),
    ("/board", frozenset(Role)),
    ("/kiosks/", frozenset({Role.KIOSK, Role.TECHNICIAN})),
    ("/windows/", frozenset({Role.COUNTER})),
    ("/tickets", frozenset({Role.COUNTER})),
    ("/hall", frozenset({Role.COUNTER, Role.TECHNICIAN})),
    ("/events", frozenset({Role.COUNTER, Role.TECHNICIAN})),
    ("/", frozenset({Role.TECHNICIAN})),
)
_OPEN = ("/healthz", "/openapi.json", "/ui/", "/kiosk/", "/board")
"""Needs no token: nothing personal, and pages must load before they can send one."""


def allowed(path: str, authorization: str, tokens: Mapping[str, str]) -> bool:
    """Whether a request with this Authorization header may use this path."""
    if not tokens or path.startswith(_OPEN):
        return True
    token = authorization.removeprefix("Bearer ").encode()
    role = next((r for r, t in tokens.items() if hmac.compare_digest(t.encode(), token)), None)
    if role is None:
        return False
    return Role(role) in next((roles for prefix, roles in _MAY if path.startswith(prefix)), frozenset())
