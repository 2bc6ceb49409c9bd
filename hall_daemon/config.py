"""devices.toml to frozen objects, or an error that a technician can act on.

Everything is checked before anything is opened: keys and their nearest legal spelling, types, references between
tables, drivers and their options, devices that share a port. Secrets come from the environment only.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hall_daemon.catalogue import CatalogError, Whole, read_file, with_catalog
from hall_daemon.config_devices import DeviceConfig, check_shared_ports, driver_names, read_device
from hall_daemon.config_hours import read_hours
from hall_daemon.config_places import (
    check_order,
    check_single_use,
    check_skills,
    read_clerk,
    read_desk,
    read_kiosk,
    read_queue,
    read_window,
    read_zone,
)  # fmt: skip
from hall_daemon.config_secrets import Secrets, read_secrets
from hall_daemon.config_table import ConfigError, Table, nearest
from hall_daemon.opening import Hours
from hall_daemon.profile import Clerk, DeskRules, HallProfile, Kiosk, Queue, Window, Zone
from hall_daemon.queueing import CALLS_BEFORE_NO_SHOW
from hall_daemon.settings import TABLES, PublicSettings, read_public

__all__ = ["ConfigError", "DeviceConfig", "HallConfig", "Secrets", "driver_names", "load", "read_secrets"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class HallConfig:
    """Everything that a technician decides."""

    file: Path
    code: str
    database: Path
    host: str
    port: int
    province_url: str
    devices: Mapping[str, DeviceConfig]
    clerks: Mapping[str, Clerk]
    desk: DeskRules
    profile: HallProfile
    """The places, with the items of the catalogue file; what is in force the hall says."""
    secrets: Secrets
    catalog: Whole | None = None
    """The catalogue file as it is."""
    public: PublicSettings = field(default_factory=PublicSettings)
    hours: Hours = field(default_factory=Hours)
    no_show_calls: int = CALLS_BEFORE_NO_SHOW
    """Calls, far enough apart, before somebody counts as not there."""

    @property
    def voice_folder(self) -> Path:
        """Clips of the hall's voice; recordings in its folder `recorded` go before those that were built."""
        return self.database.with_name("voice")

    @property
    def blobs(self) -> Path:
        """Folder of scanned files, named by content."""
        return self.database.with_name("blobs")

    @property
    def epoch_file(self) -> Path:
        """Beside the database; tells a restored database from a restarted one."""
        return self.database.with_name(self.database.name + ".epoch")


def load(file: Path, environment: Mapping[str, str] | None = None) -> HallConfig:
    """Read and check a hall's configuration. Raises ConfigError; opens no port."""
    environment = os.environ if environment is None else environment
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"{file}: cannot be read: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{file}: is no valid TOML: {exc}") from exc
    return _Loader(file, raw).load(environment)


class _Loader:
    def __init__(self, file: Path, raw: Mapping[str, Any]) -> None:
        self.file, self.raw = file, raw
        kinds = ("hall", "province", "zone", "queue", "device", "kiosk", "window", "clerk", "hours", *TABLES)
        for table in raw:
            if table not in kinds:
                raise ConfigError(f"{file.name}: unknown table [{table}]{nearest(table, kinds)}")

    def load(self, environment: Mapping[str, str]) -> HallConfig:
        hall = self._table("hall")
        code = hall.text("code", pattern=r"[0-9]{12}-[0-9]{2}", example="990000000000-01")
        hall.text("timezone", "Asia/Shanghai", r"Asia/Shanghai", "Asia/Shanghai")
        host, port = self._listen(hall)
        devices = self._each("device", read_device)
        zones = self._each("zone", lambda key, t: read_zone(key, t, devices))
        queues = self._each("queue", lambda key, t: read_queue(key, t, zones))
        windows = self._each("window", lambda key, t: read_window(key, t, zones, queues, devices))
        kiosks = self._each("kiosk", lambda key, t: read_kiosk(key, t, queues, devices))
        clerks = self._each("clerk", read_clerk)
        check_shared_ports(self.file.name, devices)
        check_single_use(self.file.name, windows, kiosks)
        check_order(self.file.name, queues)
        profile, whole = self._profile(hall, zones, queues, windows, kiosks)
        check_skills(self.file.name, clerks, (*queues, *profile.items))
        database = Path(hall.text("database"))
        config = HallConfig(
            file=self.file,
            code=code,
            database=database if database.is_absolute() else self.file.parent / database,
            host=host,
            port=port,
            province_url=self._province(),
            devices=devices,
            clerks=clerks,
            desk=read_desk(hall),
            profile=profile,
            catalog=whole,
            secrets=read_secrets(environment),
            hours=read_hours(self._table("hours")) if "hours" in self.raw else Hours(),
            public=read_public(
                self.file.name, dict(self.raw), [code for queue in queues.values() for code in queue.items]
            ),
            no_show_calls=hall.number("no_show_calls", CALLS_BEFORE_NO_SHOW, 1, 9),
        )
        hall.done()
        if host not in {"127.0.0.1", "::1", "localhost"} and not config.secrets.tokens:
            raise hall.wrong(
                "listen", f"'{host}' can be reached from outside: set HALL_TOKEN_COUNTER, HALL_TOKEN_KIOSK and "
                "HALL_TOKEN_TECHNICIAN in the environment first"
            )  # fmt: skip
        return config

    def _table(self, name: str) -> Table:
        values = self.raw.get(name)
        if not isinstance(values, dict):
            raise ConfigError(f"{self.file.name}: needs the table [{name}]")
        return Table(self.file.name, name, values)

    def _each(self, kind: str, build: Callable[[str, Table], T]) -> dict[str, T]:
        built: dict[str, T] = {}
        tables = self.raw.get(kind, {})
        if not isinstance(tables, dict):
            raise ConfigError(f"{self.file.name}: '{kind}' should be tables [{kind}.NAME]")
        for key, values in tables.items():
            if not isinstance(values, dict):
                raise ConfigError(f"{self.file.name}: [{kind}] has no key '{key}'; write a table [{kind}.NAME]")
            table = Table(self.file.name, f"{kind}.{key}", values)
            built[key] = build(key, table)
            table.done()
        return built

    def _listen(self, hall: Table) -> tuple[str, int]:
        value = hall.text("listen", "127.0.0.1:8620", r"[^:]+:[0-9]{1,5}", "127.0.0.1:8620")
        host, _, port = value.rpartition(":")
        if not 1 <= int(port) <= 65535:
            raise hall.wrong("listen", f"there is no port {port}; ports are 1 to 65535")
        return host, int(port)

    def _province(self) -> str:
        if "province" not in self.raw:
            return ""
        table = self._table("province")
        url = table.text("url", pattern=r"https?://.+", example="https://province.example/hall-sync/v1")
        table.done()
        return url.rstrip("/")

    def _profile(
        self, hall: Table, zones: Mapping[str, Zone], queues: Mapping[str, Queue], windows: Mapping[str, Window],
        kiosks: Mapping[str, Kiosk],
    ) -> tuple[HallProfile, Whole]:  # fmt: skip
        try:
            whole = read_file(self.file.parent / hall.text("catalog"))
            catalog = whole.read()
        except CatalogError as exc:
            raise ConfigError(f"{self.file.name}: [hall] catalog: {exc}") from exc
        self._check_items(queues, {item.code for item in catalog.items})
        places = HallProfile(
            hall=hall.name_pair(), zones=zones, queues=queues, windows=windows, kiosks=kiosks, items={}, departments={}
        )
        return with_catalog(places, catalog), whole

    def _check_items(self, queues: Mapping[str, Queue], known: set[str]) -> None:
        queue_of: dict[str, str] = {}
        for queue in queues.values():
            table = f"{self.file.name}: [queue.{queue.code}] items:"
            for code in queue.items:
                if code not in known:
                    raise ConfigError(f"{table} the catalogue has no item '{code}'{nearest(code, known)}")
                if queue_of.setdefault(code, queue.code) != queue.code:
                    raise ConfigError(f"{table} '{code}' stands in queue {queue_of[code]} too; an item has one queue")
