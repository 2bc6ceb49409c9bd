"""devices.toml to frozen objects, or an error that a technician can act on.

Everything is checked before anything is opened: keys and their nearest legal spelling, types, references between
tables, drivers and their options, devices that share a port. Secrets come from the environment only.
"""

from __future__ import annotations

import base64
import difflib
import importlib
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import drivers
from drivers.base import (
    Announcer,
    CallDisplay,
    Caller,
    CardReader,
    DeviceOptions,
    Driver,
    Evaluator,
    Keypad,
    PageScanner,
    SerialOptions,
    SlipPrinter,
)
from drivers.transport import link_type
from hall_daemon.privacy import Key
from hall_daemon.profile import (
    CatalogError,
    Clerk,
    HallProfile,
    Kiosk,
    Queue,
    Window,
    Zone,
    offered_items,
    read_catalog,
)  # fmt: skip
from hall_daemon.protocol import Text
from hall_daemon.words import CounterKind


class ConfigError(Exception):
    """The configuration cannot be used: file, table, key, what is wrong, nearest legal value."""


@dataclass(frozen=True, kw_only=True)
class DeviceConfig:
    """A device: which driver, on which port, with which options."""

    name: str
    driver: str
    driver_type: type[Driver[Any, Any]]
    port: str
    options: DeviceOptions

    @property
    def kind(self) -> str:
        """Its family; a device that can be of two is what its options make of it."""
        return str(getattr(self.options, "kind", self.driver_type.kind))

    @property
    def baud(self) -> int:
        """Speed of its serial line, bit/s; 0 where it has none."""
        return self.options.baud if isinstance(self.options, SerialOptions) else 0


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """Keys and tokens, from the environment."""

    sign: Key | None = None
    pii: Key | None = None
    match: Key | None = None
    tokens: Mapping[str, str]
    """Role → token."""


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
    profile: HallProfile
    secrets: Secrets

    @property
    def blobs(self) -> Path:
        """Folder of scanned files, named by content."""
        return self.database.with_name("blobs")

    @property
    def epoch_file(self) -> Path:
        """Beside the database; tells a restored database from a restarted one."""
        return self.database.with_name(self.database.name + ".epoch")


T = TypeVar("T")


class _Table:
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
            raise self.wrong(key, f"there is no {what} '{value}'{_nearest(value, known)}")

    def name_pair(self) -> Text:
        return Text(zh=self.text("name"), en=self.text("name_en", ""))

    def done(self, legal: Iterable[str] = ()) -> None:
        """Raise for a key that nobody asked for."""
        legal = self.asked | set(legal)
        for key in self.values:
            if key not in legal:
                raise ConfigError(f"{self.file}: [{self.name}] has no key '{key}'{_nearest(key, legal)}")

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


def _nearest(word: str, legal: Iterable[str]) -> str:
    legal = sorted(legal)
    close = difflib.get_close_matches(word, legal, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; there is: {', '.join(legal[:12])}" if legal else ""


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
        kinds = ("hall", "province", "zone", "queue", "device", "kiosk", "window", "clerk")
        for table in raw:
            if table not in kinds:
                raise ConfigError(f"{file.name}: unknown table [{table}]{_nearest(table, kinds)}")

    def load(self, environment: Mapping[str, str]) -> HallConfig:
        hall = self._table("hall")
        code = hall.text("code", pattern=r"[0-9]{12}-[0-9]{2}", example="990000000000-01")
        hall.text("timezone", "Asia/Shanghai", r"Asia/Shanghai", "Asia/Shanghai")
        host, port = self._listen(hall)
        devices = self._each("device", self._device)
        zones = self._each("zone", lambda key, t: self._zone(key, t, devices))
        queues = self._each("queue", lambda key, t: self._queue(key, t, zones))
        windows = self._each("window", lambda key, t: self._window(key, t, zones, queues, devices))
        kiosks = self._each("kiosk", lambda key, t: self._kiosk(key, t, queues, devices))
        clerks = self._each("clerk", self._clerk)
        self._check_shared_ports(devices)
        self._check_single_use(windows, kiosks)
        profile = self._profile(hall, zones, queues, windows, kiosks)
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
            profile=profile,
            secrets=read_secrets(environment),
        )
        hall.done()
        if host not in {"127.0.0.1", "::1", "localhost"} and not config.secrets.tokens:
            raise hall.wrong(
                "listen", f"'{host}' can be reached from outside: set HALL_TOKEN_COUNTER, HALL_TOKEN_KIOSK and "
                "HALL_TOKEN_TECHNICIAN in the environment first"
            )  # fmt: skip
        return config

    def _table(self, name: str) -> _Table:
        values = self.raw.get(name)
        if not isinstance(values, dict):
            raise ConfigError(f"{self.file.name}: needs the table [{name}]")
        return _Table(self.file.name, name, values)

    def _each(self, kind: str, build: Callable[[str, _Table], T]) -> dict[str, T]:
        built: dict[str, T] = {}
        tables = self.raw.get(kind, {})
        if not isinstance(tables, dict):
            raise ConfigError(f"{self.file.name}: '{kind}' should be tables [{kind}.NAME]")
        for key, values in tables.items():
            if not isinstance(values, dict):
                raise ConfigError(f"{self.file.name}: [{kind}] has no key '{key}'; write a table [{kind}.NAME]")
            table = _Table(self.file.name, f"{kind}.{key}", values)
            built[key] = build(key, table)
            table.done()
        return built

    def _listen(self, hall: _Table) -> tuple[str, int]:
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

    def _zone(self, key: str, table: _Table, devices: Mapping[str, DeviceConfig]) -> Zone:
        self._check_name("zone", key, 8)
        return Zone(code=key, name=table.name_pair(), announcer=_device_for(table, "announcer", devices, Announcer))

    def _clerk(self, key: str, table: _Table) -> Clerk:
        self._check_name("clerk", key, 32)
        return Clerk(code=key, name=table.text("name"))

    def _check_name(self, kind: str, key: str, longest: int) -> None:
        """Names that travel in events and addresses."""
        if len(key) > longest or not re.fullmatch(r"[0-9A-Za-z-]+", key):
            raise ConfigError(
                f"{self.file.name}: [{kind}.{key}]: a {kind}'s name has at most {longest} letters and digits"
            )

    def _queue(self, key: str, table: _Table, zones: Mapping[str, Zone]) -> Queue:
        if not re.fullmatch(r"[A-HJ-NPR-UWZ]", key):
            raise ConfigError(
                f"{self.file.name}: [queue.{key}]: a queue's letter is A to Z without I, O, Q, V, X and Y"
            )
        zone = table.reference("zone", zones, "zone")
        return Queue(code=key, name=table.name_pair(), zone=zone, items=table.texts("items", []))

    def _window(
        self, key: str, table: _Table, zones: Mapping[str, Zone], queues: Mapping[str, Queue],
        devices: Mapping[str, DeviceConfig],
    ) -> Window:  # fmt: skip
        self._check_name("window", key, 8)
        kind = table.reference("counter_kind", [k.value for k in CounterKind], "counter kind")
        return Window(
            code=key,
            zone=table.reference("zone", zones, "zone"),
            counter_kind=CounterKind(kind),
            queues=table.references("queues", queues, "queue"),
            display=_device_for(table, "display", devices, CallDisplay),
            scanner=_device_for(table, "scanner", devices, PageScanner),
            caller=_device_for(table, "caller", devices, Caller),
            evaluator=_device_for(table, "evaluator", devices, Evaluator),
        )

    def _kiosk(
        self, key: str, table: _Table, queues: Mapping[str, Queue], devices: Mapping[str, DeviceConfig]
    ) -> Kiosk:
        self._check_name("kiosk", key, 16)
        readers = table.references("card_readers", devices, "device", [])
        for reader in readers:
            _check_capability(table, "card_readers", devices[reader], CardReader)
        return Kiosk(
            code=key,
            name=table.name_pair(),
            card_readers=readers,
            keypad=_device_for(table, "keypad", devices, Keypad),
            printer=_device_for(table, "printer", devices, SlipPrinter),
            queues=table.references("queues", queues, "queue"),
        )

    def _device(self, key: str, table: _Table) -> DeviceConfig:
        if not re.fullmatch(r"[A-Z]{2,4}-[0-9]{2,3}", key):
            raise ConfigError(f"{self.file.name}: [device.{key}]: a device is named like PRN-01, as on its sticker")
        driver = table.reference("driver", driver_names(), "driver")
        driver_type: type[Driver[Any, Any]] = importlib.import_module(f"drivers.{driver}").DRIVER
        port = table.text("port")
        kind = link_type(port)
        if kind is None or not issubclass(kind, driver_type.Transport) or not _complete(port):
            raise table.wrong("port", f"'{port}' is no port for {driver}; it needs {driver_type.Transport.port_form}")
        options = _read_options(table, driver_type.Options)
        return DeviceConfig(name=key, driver=driver, driver_type=driver_type, port=port, options=options)

    def _check_shared_ports(self, devices: Mapping[str, DeviceConfig]) -> None:
        first: dict[str, DeviceConfig] = {}
        seen: dict[tuple[str, object], DeviceConfig] = {}
        for device in devices.values():
            other = first.setdefault(device.port, device)
            if other is not device:
                self._check_pair(other, device)
            address = "behind the printer" if _is_pass_through(other, device) else _address(device)
            same = seen.setdefault((device.port, address), device)
            if same is not device:
                raise ConfigError(
                    f"{self.file.name}: {same.name} and {device.name} have the same address {address} on {device.port}"
                )

    def _check_pair(self, one: DeviceConfig, other: DeviceConfig) -> None:
        share = f"{self.file.name}: {one.name} and {other.name} share {one.port}"
        if one.baud != other.baud:
            raise ConfigError(f"{share} but differ in baud ({one.baud}, {other.baud})")
        if _is_pass_through(one, other):
            return
        for device in (one, other):
            if _address(device) is None:
                hint = _BEHIND_HINT if _may_pass_through(one, other) else ""
                raise ConfigError(f"{share}, but {device.driver} has no address on a shared line{hint}")

    def _check_single_use(self, windows: Mapping[str, Window], kiosks: Mapping[str, Kiosk]) -> None:
        """A scanner may stand between windows; what shows, reads or is typed on belongs to one place."""
        users = [
            (device, f"window.{w.code}") for w in windows.values() for device in (w.display, w.caller, w.evaluator)
        ]
        for kiosk in kiosks.values():
            users += [(device, f"kiosk.{kiosk.code}") for device in (*kiosk.card_readers, kiosk.keypad)]
        seen: dict[str, str] = {}
        for device, place in users:
            other = seen.setdefault(device, place)
            if device and other != place:
                raise ConfigError(f"{self.file.name}: [{other}] and [{place}] both use {device}; it serves one of them")

    def _profile(
        self, hall: _Table, zones: Mapping[str, Zone], queues: Mapping[str, Queue], windows: Mapping[str, Window],
        kiosks: Mapping[str, Kiosk],
    ) -> HallProfile:  # fmt: skip
        try:
            catalog = read_catalog(self.file.parent / hall.text("catalog"))
        except CatalogError as exc:
            raise ConfigError(f"{self.file.name}: [hall] catalog: {exc}") from exc
        self._check_items(queues, {item.code for item in catalog.items})
        return HallProfile(
            hall=hall.name_pair(),
            zones=zones,
            queues=queues,
            windows=windows,
            kiosks=kiosks,
            items=offered_items(catalog, queues),
            departments={d.code: Text(zh=d.name, en=d.name_en) for d in catalog.departments},
            catalog_version=catalog.version,
            catalog_sm3=catalog.content_sm3,
        )

    def _check_items(self, queues: Mapping[str, Queue], known: set[str]) -> None:
        queue_of: dict[str, str] = {}
        for queue in queues.values():
            table = f"{self.file.name}: [queue.{queue.code}] items:"
            for code in queue.items:
                if code not in known:
                    raise ConfigError(f"{table} the catalogue has no item '{code}'{_nearest(code, known)}")
                if queue_of.setdefault(code, queue.code) != queue.code:
                    raise ConfigError(f"{table} '{code}' stands in queue {queue_of[code]} too; an item has one queue")


def _device_for(
    table: _Table, key: str, devices: Mapping[str, DeviceConfig], capability: type[Driver[Any, Any]]
) -> str:
    """The device that a place names for a purpose, or ""."""
    name = table.reference(key, devices, "device", "")
    if name:
        _check_capability(table, key, devices[name], capability)
    return name


def _check_capability(table: _Table, key: str, device: DeviceConfig, capability: type[Driver[Any, Any]]) -> None:
    if not issubclass(device.driver_type, capability):
        kind, wanted = _with_article(device.kind), _with_article(capability.kind)
        raise table.wrong(key, f"{device.name} is {kind} ({device.driver}), not {wanted}")


def _with_article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _address(device: DeviceConfig) -> object:
    """Its address on a shared line; None where its driver knows no addresses."""
    return getattr(device.options, "address", None)


_BEHIND_HINT = "; a display behind a printer is told by display_behind = true and its behind_printer = true"


def _may_pass_through(one: DeviceConfig, other: DeviceConfig) -> bool:
    return any(
        hasattr(printer.options, "display_behind") and hasattr(display.options, "behind_printer")
        for printer, display in ((one, other), (other, one))
    )


def _is_pass_through(one: DeviceConfig, other: DeviceConfig) -> bool:
    """Whether one is a printer and the other a display on its pass-through port, and both tables say so."""
    return any(
        getattr(printer.options, "display_behind", False) and getattr(display.options, "behind_printer", False)
        for printer, display in ((one, other), (other, one))
    )


def _complete(port: str) -> bool:
    """Whether an address on the network names a host, and a TCP port where there is no usual one."""
    scheme, separator, _ = port.partition("://")
    if not separator or ":" in scheme:  # a name that holds an address, like sane:airscan:escl:NAME:http://...
        return True
    try:
        address = urlsplit(port)
        return bool(address.hostname) and (bool(address.port) or scheme in ("http", "https"))
    except ValueError:
        return False


def driver_names() -> list[str]:
    """Drivers that exist: the module name is the driver name; `<capability>_<protocol>` with a DRIVER inside."""
    folder = Path(next(iter(drivers.__path__)))
    return sorted(
        file.stem
        for file in folder.glob("*_*.py")
        if "\nDRIVER = " in file.read_text(encoding="utf-8") and not file.stem.startswith("_")
    )


def _read_options(table: _Table, options: type[DeviceOptions]) -> DeviceOptions:
    """The driver's own keys; its Options dataclass is their schema."""
    hints = get_type_hints(options)
    values: dict[str, Any] = {}
    for spec in fields(options):
        required = spec.default is MISSING and spec.default_factory is MISSING
        if spec.name in table.values:
            values[spec.name] = _convert(table, spec.name, table.values[spec.name], hints[spec.name])
        elif required:
            raise table.missing(spec.name)
    table.done(spec.name for spec in fields(options))
    table.asked |= set(values)
    try:
        return options(**values)
    except ValueError as exc:
        raise ConfigError(f"{table.file}: [{table.name}] {exc}") from exc


def _convert(table: _Table, key: str, value: Any, wanted: Any) -> Any:
    """One TOML value to the type of an option. Any: types of dataclass fields are of every kind."""
    origin = get_origin(wanted)
    if origin in (Union, UnionType):
        return _convert(table, key, value, next(t for t in get_args(wanted) if t is not type(None)))
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        legal = [str(member.value) for member in wanted]
        table.check_known(key, str(value), legal, key)
        return next(member for member in wanted if str(member.value) == str(value))
    if origin is tuple and isinstance(value, list):
        return tuple(_convert(table, key, v, get_args(wanted)[0]) for v in value)
    if getattr(origin, "__name__", "") == "Mapping" and isinstance(value, dict):
        return {name: _convert(table, f"{key}.{name}", v, get_args(wanted)[1]) for name, v in value.items()}
    if wanted is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if (isinstance(wanted, type) and type(value) is wanted) or (origin is not None and value in get_args(wanted)):
        return value
    name = getattr(origin or wanted, "__name__", str(wanted))
    raise table.wrong(key, f"is {value!r}, should be {_TYPE_NAMES.get(name, name)}")


_TYPE_NAMES = {
    "int": "a whole number", "str": "a text in quotes", "bool": "true or false", "float": "a number",
    "tuple": "a list", "Mapping": 'a table like { name = "value" }',
}  # fmt: skip

ROLES = ("kiosk", "counter", "technician")


def read_secrets(environment: Mapping[str, str]) -> Secrets:
    """HALL_SIGN_KEY, HALL_PII_KEY, HALL_MATCH_KEY as `kid:base64`; HALL_TOKEN_<ROLE>. Raises ConfigError."""
    return Secrets(
        sign=_key(environment, "HALL_SIGN_KEY", 16),
        pii=_key(environment, "HALL_PII_KEY", 48),
        match=_key(environment, "HALL_MATCH_KEY", 16),
        tokens={role: token for role in ROLES if (token := environment.get(f"HALL_TOKEN_{role.upper()}", ""))},
    )


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
