"""A serial server that nobody here wrote, ser2net, between a driver and the pseudo-terminal of its twin."""

import shutil
import subprocess
from pathlib import Path

from sim.carriers import PtyLine
from sim.ports import HeldPort
from tests.waiting import until

SER2NET = shutil.which("ser2net") or shutil.which("ser2net", path="/usr/sbin")


class Ser2netLine(PtyLine):
    """A line at the far end of ser2net; `unplug` pulls the serial cable, `kill_server` the network's end."""

    def __init__(self, folder: Path, *, rfc2217: bool = True, baud: int = 9600) -> None:
        super().__init__(folder / "tty")
        self.folder = folder
        self._held = HeldPort()
        self.tcp_port = self._held.number
        self.rfc2217 = rfc2217
        self._speed = baud
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> str:
        return f"{'rfc2217' if self.rfc2217 else 'socket'}://127.0.0.1:{self.tcp_port}"

    def start(self) -> None:
        super().start()
        self.start_server()

    def stop(self) -> None:
        self.kill_server()
        self._held.close()
        super().stop()

    def unplug(self) -> None:
        super().stop()

    def replug(self) -> None:
        super().start()

    def start_server(self) -> None:
        """Start ser2net; ready when its port listens."""
        if self._server is not None:
            return
        assert SER2NET is not None
        how = "telnet(rfc2217)" if self.rfc2217 else "tcp"
        accepter = f"{how},tcp,127.0.0.1,{self.tcp_port}" if self.rfc2217 else f"tcp,127.0.0.1,{self.tcp_port}"
        config = self.folder / "ser2net.yaml"
        config.write_text(
            f"connection: &c1\n  accepter: {accepter}\n  connector: serialdev,{self.link},{self._speed}n81,local\n"
        )
        self._server = subprocess.Popen(
            [SER2NET, "-n", "-c", str(config), "-d", "-P", str(self.folder / "pid")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._listens, what="ser2net listens")

    def kill_server(self) -> None:
        """kill -9: connections break, the port is closed."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    def _listens(self) -> bool:
        # Asked of the kernel: a connection would open the serial port.
        wanted = f"0100007F:{self.tcp_port:04X} 00000000:0000 0A"
        return wanted in Path("/proc/net/tcp").read_text()
