"""Keys and tokens, from the environment only: never from a file that is copied, printed or sent to support."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from hall_daemon.access import SCREENS
from hall_daemon.config_table import ConfigError
from hall_daemon.privacy import Key


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """Keys and tokens, from the environment."""

    sign: Key | None = None
    pii: Key | None = None
    match: Key | None = None
    tokens: Mapping[str, str]
    """Role → token."""


ROLES = tuple(role.value for role in SCREENS)


def read_secrets(environment: Mapping[str, str]) -> Secrets:
    """HALL_SIGN_KEY, HALL_PII_KEY, HALL_MATCH_KEY as `kid:base64`; HALL_TOKEN_<ROLE>. Raises ConfigError."""
    return Secrets(
        sign=_key(environment, "HALL_SIGN_KEY", 16),
        pii=_key(environment, "HALL_PII_KEY", 48),
        match=_key(environment, "HALL_MATCH_KEY", 16),
        tokens=_tokens(environment),
    )


def _tokens(environment: Mapping[str, str]) -> dict[str, str]:
    tokens = {role: token for role in ROLES if (token := environment.get(f"HALL_TOKEN_{role.upper()}", ""))}
    of: dict[str, str] = {}
    for role, token in tokens.items():
        if (other := of.setdefault(token, role)) != role:
            raise ConfigError(
                f"environment: HALL_TOKEN_{other.upper()} and HALL_TOKEN_{role.upper()} are equal: "
                "a screen would have the rights of both; give each role a token of its own"
            )
    return tokens


def _key(environment: Mapping[str, str], name: str, least: int) -> Key | None:
    value = environment.get(name, "")
    if not value:
        return None
    kid, _, encoded = value.partition(":")
    try:
        secret = base64.b64decode(encoded, validate=True)
    except ValueError as exc:
        raise ConfigError(f"environment: {name} is not of the form kid:base64") from exc
    if not kid or len(secret) < least:
        raise ConfigError(f"environment: {name} needs a name and at least {least} bytes, as kid:base64")
    return Key(kid=kid, secret=secret)
