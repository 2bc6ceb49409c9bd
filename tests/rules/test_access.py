"""Who may use which path: role by role, and what needs no token at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hall_daemon.access import Role, allowed

TOKENS = {"kiosk": "kiosk-token", "counter": "counter-token", "technician": "technician-token"}

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
    "/windows/1/views": "counter",
    "/windows/1/next": "counter",
    "/windows/1/scans/j/pages/1": "counter",
    "/tickets": "counter",
    "/tickets/A001": "counter",
    "/hall": "counter technician",
    "/events": "counter technician",
    "/devices": "technician",
    "/devices/PRN-01/disable": "technician",
    "/devices/views": "technician",
    "/devices/PRN-01/trace": "technician",
    "/devices/kiosks/k1/maintenance": "technician",
    "/devices/archive": "technician",
    "/day/close": "technician",
    "/metrics": "technician",
    "/": "technician",
    "/no/such/path": "technician",
}


@pytest.mark.parametrize("path", MAY)
@pytest.mark.parametrize("role", list(Role))
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
    assert allowed(path, "Bearer whatever", {})


def test_a_role_without_a_token_has_nobody() -> None:
    only_counter = {"counter": "counter-token"}

    assert allowed("/windows/1/next", "Bearer counter-token", only_counter)
    assert not allowed("/devices", "Bearer technician-token", only_counter)
    assert not allowed("/devices", "Bearer ", only_counter)


@given(st.text(), st.text())
def test_whatever_is_asked_is_answered_with_yes_or_no(path: str, header: str) -> None:
    assert allowed(path, header, TOKENS) in (True, False)
    assert allowed(path, "Bearer technician-token", TOKENS) in (True, False)


@given(st.text())
def test_nobody_guesses_a_token(header: str) -> None:
    assert allowed("/devices", header, TOKENS) is (header.removeprefix("Bearer ") == "technician-token")
