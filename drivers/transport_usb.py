"""USB slip printers without a serial port inside: the kernel's character device, and libusb.

The only home of pyusb. Sources: protocol notes "Ticket printers (ESC/POS)" §1 (bulk out and bulk in, interface class 7,
status comes back on the bulk in endpoint, some clones have none); USB printer class definition 1.1 for the protocols of
the interface; Linux usblp for the character device.

No real USB device was met: this machine has none. What is shown here are files that behave as usblp's do, and pyusb on
a backend of our own; whether a printer's own habits (packets of no length, stalls) are met, only a hall can tell.

    /dev/usb/lp0                 usblp; the number follows the order of plugging in, so it suits one printer only
    usb:04b8:0e15                vendor and product, where there is one of the kind
    usb:04b8:0e15:J5PF001234     with its serial number, where there are more
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import re
import select
import time
from typing import Any

from drivers.base import LinkError
from drivers.transport import ByteStream

PRINTER_CLASS = 7
MOST_AT_ONCE = 4096
PAUSE_S = 0.01
"""Between two empty packets: a printer that has nothing to say may answer with one at once."""

_PORT = re.compile(r"usb:([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?::(.+))?")


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


class LpStream(ByteStream):
    """A printer behind the kernel's usblp: a file that is written and read as it is, without a speed."""

    port_form = "/dev/usb/lp..."

    def __init__(self, port: str) -> None:
        super().__init__(port)
        try:
            self._fd = os.open(port, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as exc:
            raise LinkError(f"cannot open {port}: {exc}") from exc

    def write(self, data: bytes, limit_s: float = 2.0) -> None:
        self._trace(">", data)
        rest = memoryview(data)
        while rest:
            if not self._wait(select.POLLOUT, limit_s):
                raise LinkError(f"{self.port} takes nothing for {limit_s} s")
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                continue
            except OSError as exc:
                raise LinkError(f"{self.port} is gone: {exc}") from exc

    def _read_some(self, most: int, limit_s: float) -> bytes:
        deadline = time.monotonic() + limit_s
        while happened := self._wait(select.POLLIN, _left(deadline)):
            try:
                if data := os.read(self._fd, most):
                    return data
            except BlockingIOError:
                continue
            except OSError as exc:
                raise LinkError(f"{self.port} is gone: {exc}") from exc
            if happened & (select.POLLHUP | select.POLLERR):
                raise LinkError(f"{self.port} is gone: the printer was unplugged")
            if _left(deadline) == 0.0:
                break
            select.select([], [], [], min(PAUSE_S, _left(deadline)))
        return b""

    def _wait(self, event: int, limit_s: float) -> int:
        """What happened on the file before the limit: the event, a hang-up; 0: nothing. Raises LinkError."""
        if self._fd < 0:
            raise LinkError(f"{self.port} is closed")
        poll = select.poll()
        poll.register(self._fd, event)
        found = poll.poll(limit_s * 1000)
        return found[0][1] if found else 0

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError):  # already gone is what was wanted
                os.close(fd)


class UsbStream(ByteStream):
    """A printer by libusb, found by what it is and not by where it is plugged in."""

    port_form = "usb:VVVV:PPPP or usb:VVVV:PPPP:SERIAL"

    def __init__(self, port: str, backend: Any = None) -> None:
        """Any: a backend of pyusb's kind in place of libusb; pyusb is untyped."""
        super().__init__(port)
        self._core = importlib.import_module("usb.core")
        self._util = importlib.import_module("usb.util")
        self._arrived = b""
        self._detached = False
        self._device: Any = None
        try:
            self._device = self._find(backend)
            self._interface = self._take_interface()
        except (self._core.USBError, self._core.NoBackendError, NotImplementedError) as exc:
            self.close()
            raise LinkError(f"cannot open {port}: {exc}") from exc
        except LinkError:
            self.close()
            raise

    def _find(self, backend: Any) -> Any:
        parts = _PORT.fullmatch(self.port)
        if parts is None:
            raise LinkError(f"cannot open {self.port}: a USB port is written {self.port_form}, with hexadecimal digits")
        ids = {"idVendor": int(parts[1], 16), "idProduct": int(parts[2], 16)}
        found = list(self._core.find(find_all=True, backend=backend, **ids))
        if parts[3]:
            found = [device for device in found if self._serial_of(device) == parts[3]]
        if not found:
            raise LinkError(f"cannot open {self.port}: no such device is plugged in")
        if len(found) > 1:
            raise LinkError(f"cannot open {self.port}: {len(found)} such devices; add the serial number of one")
        return found[0]

    def _serial_of(self, device: Any) -> str | None:
        try:
            return str(self._util.get_string(device, device.iSerialNumber))
        except (self._core.USBError, ValueError):
            return None  # a device that keeps its number to itself is not the one that is looked for

    def _take_interface(self) -> Any:
        interfaces = [i for config in self._device for i in config if i.bInterfaceClass == PRINTER_CLASS]
        if not interfaces:
            raise LinkError(f"cannot open {self.port}: it has no printer interface")
        # Protocol 2 is bidirectional, 1 one-way, 3 wraps everything in packets of its own.
        interface = max(interfaces, key=lambda i: (i.bInterfaceProtocol == 2, i.bInterfaceProtocol == 1))
        self._number = interface.bInterfaceNumber
        self._out = self._endpoint(interface, self._util.ENDPOINT_OUT)
        self._in = self._endpoint(interface, self._util.ENDPOINT_IN)
        if self._out is None:
            raise LinkError(f"cannot open {self.port}: its printer interface takes no data")
        if self._kernel_has_it():
            self._device.detach_kernel_driver(self._number)
            self._detached = True
        self._util.claim_interface(self._device, self._number)
        if interface.bAlternateSetting:
            self._device.set_interface_altsetting(self._number, interface.bAlternateSetting)
        return interface

    def _kernel_has_it(self) -> bool:
        try:
            return bool(self._device.is_kernel_driver_active(self._number))
        except NotImplementedError:
            return False  # a system without kernel drivers of this kind

    def _endpoint(self, interface: Any, direction: int) -> Any:
        for endpoint in interface:
            is_bulk = self._util.endpoint_type(endpoint.bmAttributes) == self._util.ENDPOINT_TYPE_BULK
            if is_bulk and self._util.endpoint_direction(endpoint.bEndpointAddress) == direction:
                return endpoint
        return None

    def write(self, data: bytes, limit_s: float = 2.0) -> None:
        self._trace(">", data)
        rest = data
        while rest:
            try:
                sent = self._out.write(rest[:MOST_AT_ONCE], _milliseconds(limit_s))
            except self._core.USBTimeoutError as exc:
                raise LinkError(f"{self.port} takes nothing for {limit_s} s") from exc
            except self._core.USBError as exc:
                raise LinkError(f"{self.port} is gone: {exc}") from exc
            rest = rest[sent:]

    def _read_some(self, most: int, limit_s: float) -> bytes:
        deadline = time.monotonic() + limit_s
        while not self._arrived:
            self._arrived = self._packet(_left(deadline))
            if not self._arrived:
                if _left(deadline) == 0.0:
                    return b""
                select.select([], [], [], min(PAUSE_S, _left(deadline)))
        data, self._arrived = self._arrived[:most], self._arrived[most:]
        return data

    def _packet(self, limit_s: float) -> bytes:
        if self._in is None:
            select.select([], [], [], limit_s)  # a printer that cannot say anything is silent
            return b""
        try:
            # Whole packets: a shorter read loses what does not fit.
            return bytes(self._in.read(self._in.wMaxPacketSize * 4, _milliseconds(limit_s)))
        except self._core.USBTimeoutError:
            return b""
        except self._core.USBError as exc:
            if exc.errno == errno.ETIMEDOUT:
                return b""
            raise LinkError(f"{self.port} is gone: {exc}") from exc

    def close(self) -> None:
        device, self._device = self._device, None
        if device is None:
            return
        with contextlib.suppress(self._core.USBError):  # already gone is what was wanted
            self._util.dispose_resources(device)
        if self._detached:
            with contextlib.suppress(self._core.USBError, NotImplementedError):
                device.attach_kernel_driver(self._number)
                self._util.dispose_resources(device)


def _milliseconds(limit_s: float) -> int:
    """libusb takes 0 for "for ever"."""
    return max(1, round(limit_s * 1000))
