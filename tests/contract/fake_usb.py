"""USB without hardware: a backend of pyusb's own kind with printers on it, each a carrier for a twin.

Answers what libusb would answer for a device of the printer class: descriptors, strings, claims, bulk transfers. No
real device was met; what libusb itself does is not shown by this.
"""

import errno
import threading
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import usb.backend
import usb.core

from sim.carriers import ByteLine

GET_DESCRIPTOR = 6
STRING = 3


def gone() -> usb.core.USBError:
    return usb.core.USBError("No such device (it may have been disconnected)", errno=errno.ENODEV)


@dataclass
class UsbSocket(ByteLine):
    """A USB socket with a printer in it; its twin answers on the bulk in endpoint."""

    vendor: int = 0x04B8
    product: int = 0x0E15
    serial: str = "J5PF001234"
    interface_class: int = 7
    can_answer: bool = True
    kernel_driver: bool = True
    empty_packets: bool = False
    """Whether reads end at once with nothing when there is nothing to say."""
    plugged: bool = False
    waiting: bytearray = field(default_factory=bytearray)
    log: list[str] = field(default_factory=list)
    stuck: bool = False
    """Whether it takes no more data."""

    def __post_init__(self) -> None:
        super().__init__()
        self._news = threading.Condition()

    @property
    def port(self) -> str:
        return f"usb:{self.vendor:04x}:{self.product:04x}:{self.serial}"

    def start(self) -> None:
        self.waiting.clear()
        for twin in self.twins:
            with twin.lock:
                twin.plugged()
        self.plugged = True

    def stop(self) -> None:
        with self._news:
            self.plugged = False
            self._news.notify_all()

    def _write(self, data: bytes) -> None:
        with self._news:
            self.waiting += data
            self._news.notify_all()

    def take(self, most: int, limit_s: float) -> bytes:
        with self._news:
            if not self.empty_packets:
                self._news.wait_for(lambda: self.waiting or not self.plugged, limit_s)
            if not self.plugged:
                raise gone()
            if not self.waiting and not self.empty_packets:
                raise usb.core.USBTimeoutError("Operation timed out", errno=errno.ETIMEDOUT)
            data, self.waiting[:] = bytes(self.waiting[:most]), self.waiting[most:]
            return data


class FakeBackend(usb.backend.IBackend):  # type: ignore[misc]  # pyusb is untyped
    """What pyusb asks of libusb."""

    def __init__(self, *sockets: UsbSocket) -> None:
        self.sockets = sockets

    def enumerate_devices(self) -> Any:
        return iter([s for s in self.sockets if s.plugged])

    def get_parent(self, dev: UsbSocket) -> None:
        return None

    def get_device_descriptor(self, dev: UsbSocket) -> Any:
        return SimpleNamespace(
            bLength=18, bDescriptorType=1, bcdUSB=0x200, bDeviceClass=0, bDeviceSubClass=0, bDeviceProtocol=0,
            bMaxPacketSize0=64, idVendor=dev.vendor, idProduct=dev.product, bcdDevice=0x100, iManufacturer=0,
            iProduct=0, iSerialNumber=3 if dev.serial else 0, bNumConfigurations=1, address=1, bus=1, port_number=1,
            port_numbers=(1,), speed=3,
        )  # fmt: skip

    def get_configuration_descriptor(self, dev: UsbSocket, config: int) -> Any:
        if config:
            raise IndexError
        return SimpleNamespace(
            bLength=9, bDescriptorType=2, wTotalLength=32, bNumInterfaces=1, bConfigurationValue=1, iConfiguration=0,
            bmAttributes=0xC0, bMaxPower=1, extra_descriptors=[],
        )  # fmt: skip

    def get_interface_descriptor(self, dev: UsbSocket, intf: int, alt: int, config: int) -> Any:
        if intf or alt:
            raise IndexError
        return SimpleNamespace(
            bLength=9, bDescriptorType=4, bInterfaceNumber=0, bAlternateSetting=0, bNumEndpoints=1 + dev.can_answer,
            bInterfaceClass=dev.interface_class, bInterfaceSubClass=1, bInterfaceProtocol=1 + dev.can_answer,
            iInterface=0, extra_descriptors=[],
        )  # fmt: skip

    def get_endpoint_descriptor(self, dev: UsbSocket, ep: int, intf: int, alt: int, config: int) -> Any:
        if ep > dev.can_answer:
            raise IndexError
        return SimpleNamespace(
            bLength=7, bDescriptorType=5, bEndpointAddress=(0x01, 0x82)[ep], bmAttributes=2, wMaxPacketSize=64,
            bInterval=0, bRefresh=0, bSynchAddress=0, extra_descriptors=[],
        )  # fmt: skip

    def open_device(self, dev: UsbSocket) -> UsbSocket:
        if not dev.plugged:
            raise gone()
        return dev

    def close_device(self, dev_handle: UsbSocket) -> None:
        """Nothing to give back."""

    def get_configuration(self, dev_handle: UsbSocket) -> int:
        return 1

    def claim_interface(self, dev_handle: UsbSocket, intf: int) -> None:
        if dev_handle.kernel_driver:
            raise usb.core.USBError("Resource busy", errno=errno.EBUSY)
        dev_handle.log.append("claimed")

    def release_interface(self, dev_handle: UsbSocket, intf: int) -> None:
        dev_handle.log.append("released")

    def is_kernel_driver_active(self, dev_handle: UsbSocket, intf: int) -> bool:
        return dev_handle.kernel_driver

    def detach_kernel_driver(self, dev_handle: UsbSocket, intf: int) -> None:
        dev_handle.kernel_driver = False

    def attach_kernel_driver(self, dev_handle: UsbSocket, intf: int) -> None:
        dev_handle.kernel_driver = True

    def ctrl_transfer(self, dev_handle: UsbSocket, *setup: Any) -> int:
        _, request, value, _, data, _ = setup
        if request != GET_DESCRIPTOR or value >> 8 != STRING:
            raise usb.core.USBError("Pipe error", errno=errno.EPIPE)
        text = b"\x09\x04" if value & 0xFF == 0 else dev_handle.serial.encode("utf-16-le")
        answer = bytes([len(text) + 2, STRING]) + text
        data[: len(answer)] = type(data)("B", answer)
        return len(answer)

    def bulk_write(self, dev_handle: UsbSocket, ep: int, intf: int, data: Any, timeout: int) -> int:
        if not dev_handle.plugged:
            raise gone()
        if dev_handle.stuck:
            raise usb.core.USBTimeoutError("Operation timed out", errno=errno.ETIMEDOUT)
        # As libusb may: less than was given.
        part = bytes(data)[:512]
        dev_handle.deliver(part)
        return len(part)

    def bulk_read(self, dev_handle: UsbSocket, ep: int, intf: int, buff: Any, timeout: int) -> int:
        assert timeout > 0, "0 means for ever"
        assert len(buff) % 64 == 0, "a read that is no multiple of a packet loses data"
        answer = dev_handle.take(len(buff), timeout / 1000)
        buff[: len(answer)] = type(buff)("B", answer)
        return len(answer)
