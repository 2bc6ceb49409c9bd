"""Who has what: one port and one physical device belong to one name of the configuration, whoever comes first."""

from __future__ import annotations

import threading


class Claims:
    """Shared by the threads of all ports."""

    def __init__(self) -> None:
        self._held: dict[str, str] = {}
        self._lock = threading.Lock()

    def take(self, what: str, holder: str) -> str:
        """Claim it; the name of another one who has it already, or empty if it is ours now."""
        with self._lock:
            owner = self._held.setdefault(what, holder)
        return "" if owner == holder else owner

    def give_back(self, holder: str) -> None:
        """Release all that this one holds."""
        with self._lock:
            self._held = {what: owner for what, owner in self._held.items() if owner != holder}
