"""The support archive of a running hall: what goes into it, and that nothing personal is in it."""

from __future__ import annotations

import json
import platform
import sys
from importlib import metadata

from sqlmodel import Session, func, select

from hall_daemon import bundle
from hall_daemon.config import HallConfig
from hall_daemon.diagnostics import Diagnostics
from hall_daemon.hall import Hall
from hall_daemon.tables import BlobRow, EventRow
from hall_daemon.tickets import HallError

_LIBRARIES = ("pydantic", "fastapi", "uvicorn", "sqlmodel", "pyserial", "pyscard", "httpx", "textual")


class BundleLeaks(HallError):
    """The archive holds something personal: it stays here."""

    code = "bundle_leaks"


class Support:
    """Makes the archive."""

    def __init__(self, config: HallConfig, hall: Hall, diagnostics: Diagnostics, log: bundle.LogTail) -> None:
        self._config, self._hall, self._diagnostics, self.log = config, hall, diagnostics, log

    async def archive(self) -> bytes:
        """The finished .tar.gz. Raises BundleLeaks."""
        known = await bundle.facts_of_today(self._hall.store, self._config)
        state = await self._diagnostics.hall_state()
        details = [await self._diagnostics.detail(device.view.device) for device in state.devices]
        parts = basic_parts(self._config, "\n".join(self.log.lines)) | {
            "hall.json": state.model_dump_json(indent=1),
            "devices.json": json.dumps([d.model_dump(mode="json") for d in details], ensure_ascii=False, indent=1),
            "incidents.jsonl": "".join(i.model_dump_json() + "\n" for i in state.incidents),
            "store.json": json.dumps(await self._hall.store.read(_figures), indent=1),
        }
        packed = bundle.pack(parts, known)
        if packed.leaks:
            raise BundleLeaks(n=sum(packed.leaks.values()), parts=", ".join(sorted(packed.leaks)))
        return packed.data


def basic_parts(config: HallConfig, log: str) -> dict[str, str]:
    """What can be told without a running hall."""
    return {
        "devices.toml": bundle.without_secrets(config.file.read_text(encoding="utf-8")),
        "versions.txt": versions(),
        "log.txt": log + "\n",
    }


def versions() -> str:
    """This program, Python, the machine, and the libraries that matter."""
    found = [f"python {sys.version.split()[0]}", f"system {platform.platform()}"]
    for library in ("hall-daemon", *_LIBRARIES):
        try:
            found.append(f"{library} {metadata.version(library)}")
        except metadata.PackageNotFoundError:
            found.append(f"{library} -")
    return "\n".join(found) + "\n"


def _figures(session: Session) -> dict[str, dict[str, int]]:
    events = session.exec(select(EventRow.type, func.count()).group_by(EventRow.type)).all()
    blobs = session.exec(select(BlobRow.state, func.count()).group_by(BlobRow.state)).all()
    return {"events": dict(events), "blobs": dict(blobs)}
