"""The devices of devices.toml: names, drivers and their options, ports and who may share one.

The driver's Options dataclass is the schema of its table. Opens nothing.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import drivers
from drivers.base import DeviceOptions, Driver, SerialOptions
from drivers.transport import link_type
from hall_daemon.config_table import ConfigError, Table


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


def read_device(key: str, table: Table) -> DeviceConfig:
    """One device: its name, driver, port, and the driver's own options."""
    if not re.fullmatch(r"[A-Z]{2,4}-[0-9]{2,3}", key):
        raise ConfigError(f"{table.file}: [device.{key}]: a device is named like PRN-01, as on its sticker")
    driver = table.reference("driver", driver_names(), "driver")
    driver_type: type[Driver[Any, Any]] = importlib.import_module(f"drivers.{driver}").DRIVER
    port = table.text("port")
    kind = link_type(port)
    if kind is None or not issubclass(kind, driver_type.Transport) or not _complete(port):
        raise table.wrong("port", f"'{port}' is no port for {driver}; it needs {driver_type.Transport.port_form}")
    options = _read_options(table, driver_type.Options)
    return DeviceConfig(name=key, driver=driver, driver_type=driver_type, port=port, options=options)


def check_shared_ports(file: str, devices: Mapping[str, DeviceConfig]) -> None:
    """Devices on one port agree on its speed and differ in their addresses."""
    first: dict[str, DeviceConfig] = {}
    seen: dict[tuple[str, object], DeviceConfig] = {}
    for device in devices.values():
        other = first.setdefault(device.port, device)
        if other is not device:
            _check_pair(file, other, device)
        address = "behind the printer" if _is_pass_through(other, device) else _address(device)
        same = seen.setdefault((device.port, address), device)
        if same is not device:
            raise ConfigError(f"{file}: {same.name} and {device.name} have the same address {address} on {device.port}")


def _check_pair(file: str, one: DeviceConfig, other: DeviceConfig) -> None:
    share = f"{file}: {one.name} and {other.name} share {one.port}"
    if one.baud != other.baud:
        raise ConfigError(f"{share} but differ in baud ({one.baud}, {other.baud})")
    if _is_pass_through(one, other):
        return
    for device in (one, other):
        if _address(device) is None:
            hint = _BEHIND_HINT if _may_pass_through(one, other) else ""
            raise ConfigError(f"{share}, but {device.driver} has no address on a shared line{hint}")


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


def _read_options(table: Table, options: type[DeviceOptions]) -> DeviceOptions:
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


def _convert(table: Table, key: str, value: Any, wanted: Any) -> Any:
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
