"""Worked frames of protocols/displays.md §1.5, as they stand after the run of A5."""

from typing import Any

from sim import display_onbon as sim

SAMPLE = "请A001号到3号窗口"
SCREEN: dict[str, Any] = {"width_px": 128, "height_px": 32}

GOLDEN = {
    "ping 1": "01 00 00 80 00 00 00 00 00 00 FE 02 05 00 A2 00 01 00 00 68 F8 5A",
    "clear 1": "01 00 00 80 00 00 00 00 00 00 FE 02 05 00 A3 10 01 00 00 51 F8 5A",
    "welcome": "FE FF 00 80 00 00 00 00 00 00 FE 02 2C 00 A3 06 01 00 00 00 01 23 00 00 00 80 00 00 80 80 20 00 00 00 "
    "00 0A 00 00 00 00 02 01 01 00 02 0A 08 00 00 00 BB B6 D3 AD B9 E2 C1 D9 3C 49 5A",
    "sample text": "01 00 00 80 00 00 00 00 00 00 FE 02 35 00 A3 06 01 00 00 00 01 2C 00 00 00 80 00 00 80 80 20 00 00 "
    "00 00 02 00 00 00 00 02 02 01 00 00 0A 11 00 00 00 C7 EB 41 30 30 31 BA C5 B5 BD 33 BA C5 B4 B0 BF DA D9 63 5A",
    "brightness 15": "01 00 00 80 00 00 00 00 00 00 FE 02 07 00 A3 02 01 00 00 01 0F 67 94 5A",
    "off": "01 00 00 80 00 00 00 00 00 00 FE 02 06 00 A3 00 01 00 00 02 39 EB 5A",
    "on": "01 00 00 80 00 00 00 00 00 00 FE 02 06 00 A3 00 01 00 00 01 79 EA 5A",
    "status": "01 00 00 80 00 00 00 00 00 00 FE 02 05 00 A1 02 01 00 00 2D 40 5A",
    "clock": "01 00 00 80 00 00 00 00 00 00 FE 02 0D 00 A2 03 01 08 00 13 20 01 25 11 17 26 05 B0 3F 5A",
    "ping 00A5": "A6 02 00 00 80 00 00 00 00 00 00 FE 02 05 00 A2 00 01 00 00 3B D1 5A",
    "ping 005A": "5B 02 00 00 80 00 00 00 00 00 00 FE 02 05 00 A2 00 01 00 00 1F D1 5A",
}
ACK_1 = "00 80 01 00 00 00 00 00 00 00 FE 02 05 00 A0 00 00 00 00 64 DC 5A"
ACK_ANY = "00 80 FE FF 00 00 00 00 00 00 FE 02 05 00 A0 00 00 00 00 14 AC 5A"
NACK_CHECKSUM = "00 80 FE FF 00 00 00 00 00 00 FE 02 05 00 A0 01 05 00 00 05 51 5A"


def frame(hex_bytes: str, run: int = 8) -> bytes:
    return b"\xa5" * run + bytes.fromhex(hex_bytes)


def data_of(hex_bytes: str) -> bytes:
    """Data of a worked frame that has no escapes."""
    return bytes.fromhex(hex_bytes)[14:-3]


STATUS_ONE_AREA = bytes.fromhex("01 0F 2025 03 04 02 09 15 00 01 50303030 00 00 01 00") + b"B" * 16 + bytes(12)


def encode_reply(data: bytes, source: int = 1) -> bytes:
    """A frame from a screen, composed by the twin's own code."""
    packet = b"\x00\x80" + source.to_bytes(2, "little") + bytes(6) + b"\xfe\x02" + len(data).to_bytes(2, "little")
    packet += data
    return b"\xa5" * 8 + sim.escape(packet + sim.checksum(packet)) + b"\x5a"
