"""One table of devices.toml: every key asked for by name and type, every leftover key an error.

An error names the file, the table, the key, what is wrong, and the nearest legal value.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from hall_daemon.protocol import Text

T = TypeVar("T")


class ConfigError(Exception):
    """The configuration cannot be used: file, table, key, what is wrong, nearest legal value."""


class Table:
    """One table of the file; every key must be asked for, else it is an error."""

    def __init__(self, file: str, name: str, values: Mapping[str, Any]) -> None:
        self.file, self.name, self.values = file, name, values
        self.asked: set[str] = set()

    def wrong(self, key: str, what: str) -> ConfigError:
        return ConfigError(f"{self.file}: [{self.name}] {key}: {what}")

    def text(self, key: str, default: str | None = None, pattern: str = "", example: str = "") -> str:
        value = self._get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, f"is {value!r}, should be a text in quotes")
        if pattern and not re.fullmatch(pattern, value):
            raise self.wrong(key, f"is '{value}', should look like '{example}'")
        return value

    def texts(self, key: str, default: list[str] | None = None) -> tuple[str, ...]:
        value = self._get(key, default)
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.wrong(key, f'is {value!r}, should be a list of texts, like ["A", "B"]')
        return tuple(value)

    def number(self, key: str, default: int | None, least: int, most: int) -> int:
        """A whole number."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(key, f"is {value!r}, should be a whole number from {least} to {most}")
        return value

    def truth(self, key: str, default: bool) -> bool:
        """true or false."""
        self.asked.add(key)
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, f"is {value!r}, should be true or false")
        return value

    def numbers(self, key: str, lowest: int, highest: int) -> dict[str, int]:
        """A table of whole numbers; empty where there is none."""
        values: object = self._get(key, {})
        if not isinstance(values, dict):
            raise self.wrong(key, f"is {values!r}, should be a table like {{ A = {highest} }}")
        inner = Table(self.file, f"{self.name}.{key}", values)
        return {name: inner.number(name, None, lowest, highest) for name in values}

    def reference(self, key: str, known: Iterable[str], what: str, default: str | None = None) -> str:
        value = self.text(key, default)
        if value != default:
            self.check_known(key, value, known, what)
        return value

    def references(
        self, key: str, known: Iterable[str], what: str, default: list[str] | None = None
    ) -> tuple[str, ...]:
        known = list(known)
        values = self.texts(key, default)
        for value in values:
            self.check_known(key, value, known, what)
        return values

    def check_known(self, key: str, value: str, known: Iterable[str], what: str) -> None:
        known = list(known)
        if value not in known:
            raise self.wrong(key, f"there is no {what} '{value}'{nearest(value, known)}")

    def name_pair(self) -> Text:
        return Text(zh=self.text("name"), en=self.text("name_en", ""))

    def done(self, legal: Iterable[str] = ()) -> None:
        """Raise for a key that nobody asked for."""
        legal = self.asked | set(legal)
        for key in self.values:
            if key not in legal:
                raise ConfigError(f"{self.file}: [{self.name}] has no key '{key}'{nearest(key, legal)}")

    def _get(self, key: str, default: T | None) -> T | Any:
        self.asked.add(key)
        if key in self.values:
            return self.values[key]
        if default is None:
            raise self.missing(key)
        return default

    def missing(self, key: str) -> ConfigError:
        meant = difflib.get_close_matches(key, self.values.keys() - self.asked, n=1)
        instead = f"; is '{meant[0]}' meant for it?" if meant else ""
        return ConfigError(f"{self.file}: [{self.name}] needs the key '{key}'{instead}")


def nearest(word: str, legal: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the nearest legal one, else what there is."""
    legal = sorted(legal)
    close = difflib.get_close_matches(word, legal, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; there is: {', '.join(legal[:16])}" if legal else ""
