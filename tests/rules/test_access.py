"""Who may use which path: role by role, and what needs no token at all."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hall_daemon.access import SCREENS, Role, may_use
from hall_daemon.api_clerks import Gate

TOKENS = {role.value: f"{role}-token" for role in SCREENS}

MAY = {
    # path: who may
    "/healthz": "everybody",
    "/openapi.json": "everybody",
    "/ui/kiosk/kiosk.js": "everybody",
    "/kiosk/k1": "everybody",
    "/board": "everybody",
    "/board/views": "everybody",
    "/kiosks/k1/views": "kiosk technician",
    "/kiosks/k1/keys": "kiosk technician",
    "/windows/1/views": "counter manager",
    "/windows/1/next": "counter manager",
    "/windows/1/scans/j/pages/1": "counter manager",
    "/tickets": "counter manager",
    "/tickets/A001": "counter manager",
    "/tickets/A001/slip": "counter manager",
    "/hall": "counter manager technician",
    "/events": "counter manager technician",
    "/voice/A.zh.wav": "everybody",
    "/t/code": "everybody",
    "/t/code/rating": "everybody",
    "/overview": "everybody",
    "/overview/figures": "manager",
    "/accounts": "manager technician",
    "/catalogue": "manager technician",
    "/pads": "manager technician",
    "/messages": "manager technician",
    "/devices": "technician",
    "/devices/PRN-01/disable": "technician",
    "/devices/views": "technician",
    "/devices/PRN-01/trace": "technician",
    "/devices/kiosks/k1/maintenance": "technician",
    "/devices/archive": "technician",
    "/day/close": "manager technician",
    "/metrics": "technician",
    "/": "technician",
    "/no/such/path": "technician",
}


class Nobody:
    """Accounts of a hall where nobody is signed in."""

    def person(self, secret: str) -> None:
        """No secret is anybody's."""


def allowed(path: str, header: str, tokens: Mapping[str, str]) -> bool:
    """Whether the gate lets a request pass."""
    passed: list[str] = []

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["path"])

    async def unheard(message: Any) -> None:
        assert not passed

    headers = [(b"authorization", header.encode("latin-1"))] if header else []
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": path, "headers": headers}
    gate: Any = Gate(behind, Nobody(), tokens)  # type: ignore[arg-type]
    asyncio.run(gate(scope, unheard, unheard))
    return bool(passed)


@pytest.mark.parametrize("path", MAY)
@pytest.mark.parametrize("role", list(SCREENS))
def test_a_token_opens_what_its_role_may_use(path: str, role: Role) -> None:
    may = MAY[path] == "everybody" or role in MAY[path].split()

    assert allowed(path, f"Bearer {TOKENS[role]}", TOKENS) is may


@pytest.mark.parametrize("path", MAY)
@pytest.mark.parametrize(
    "header", ["", "Bearer ", "Bearer wrong", "Bearer kiosk-token2", "Basic a2lvc2s=", "Bearer\x00"]
)
def test_without_a_token_only_what_is_open_may_be_used(path: str, header: str) -> None:
    assert allowed(path, header, TOKENS) is (MAY[path] == "everybody")


@pytest.mark.parametrize("path", MAY)
def test_where_no_tokens_are_set_everything_may_be_used(path: str) -> None:
    assert allowed(path, "", {})
    # An old session of somebody is not the machine's own user.
    assert allowed(path, "Bearer whatever", {}) is not path.startswith(("/messages", "/pads"))


def test_a_role_without_a_token_has_nobody() -> None:
    only_counter = {"counter": "counter-token"}

    assert allowed("/windows/1/next", "Bearer counter-token", only_counter)
    assert not allowed("/devices", "Bearer technician-token", only_counter)
    assert not allowed("/devices", "Bearer ", only_counter)


LATIN = st.text(st.characters(max_codepoint=255))
"""What a header's bytes may be."""


def test_a_clerk_and_a_guide_use_what_their_work_needs() -> None:
    assert may_use(Role.CLERK, "/windows/1/next")
    assert not may_use(Role.CLERK, "/accounts")
    assert may_use(Role.GUIDE, "/tickets")
    assert may_use(Role.GUIDE, "/pads")
    assert not may_use(Role.GUIDE, "/windows/1/next")


@given(st.text(), LATIN)
def test_whatever_is_asked_is_answered_with_yes_or_no(path: str, header: str) -> None:
    assert allowed(path, header, TOKENS) in (True, False)
    assert allowed(path, "Bearer technician-token", TOKENS) in (True, False)


@given(LATIN)
def test_nobody_guesses_a_token(header: str) -> None:
    assert allowed("/devices", header, TOKENS) is (header.removeprefix("Bearer ") == "technician-token")
