"""Sound cards of this machine, through ALSA's own player.

The player is `aplay` of the Debian package alsa-utils: it is started anew for each sound, so a driver of a card that
hangs can be killed with it, and it returns when the card has played everything. Confirmed with aplay 1.2.8 and ALSA's
`file` and `null` devices; no sound card was met.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading

from drivers.base import LinkError, NoReply
from drivers.transport import Link


class SoundCard(Link):
    """One ALSA device. Opening it plays nothing; a card that is gone shows at the first sound."""

    port_form = "sound:<ALSA device, as `aplay -L` tells it, like sound:plughw:CARD=PCH>"

    def __init__(self, port: str) -> None:
        super().__init__(port)
        self.name = port.removeprefix("sound:")
        player = shutil.which("aplay")
        if player is None:
            raise LinkError(f"cannot open {port}: aplay is not installed (package alsa-utils)")
        # A card must not stay occupied by the player of a daemon that was killed.
        end_with_us = shutil.which("setpriv")
        self._program = ([end_with_us, "--pdeathsig", "KILL"] if end_with_us else []) + [player]
        self._running: subprocess.Popen[bytes] | None = None
        self._closed = threading.Event()

    def play(self, wav: bytes, limit_s: float) -> None:
        """Play a WAV file; returns when the card is silent again.

        Raises NoReply when it did not end within limit_s seconds and was cut off, LinkError when the card is gone.
        """
        if self._closed.is_set():
            raise LinkError(f"{self.port} is closed")
        self._trace(">", wav[:44])
        player = self._running = subprocess.Popen(  # noqa: S603 - the player, its arguments are the port's
            [*self._program, "-q", "-D", self.name, "-"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            _, said = player.communicate(wav, timeout=limit_s)
        except subprocess.TimeoutExpired as exc:
            _end(player)
            raise NoReply(f"{self.port}: the sound did not end within {limit_s:.1f} s and was cut off") from exc
        finally:
            self._running = None
        if player.returncode != 0:
            lines = said.decode("utf-8", "replace").strip().splitlines()
            raise LinkError(f"{self.port}: {lines[-1] if lines else f'aplay ended with {player.returncode}'}")

    def mixer(self, card: str, control: str, limit_s: float = 2.0) -> str:
        """What `amixer` tells of a control. Raises NoReply, LinkError."""
        program = shutil.which("amixer")
        if program is None:
            raise LinkError(f"{self.port}: amixer is not installed (package alsa-utils)")
        try:
            done = subprocess.run(  # noqa: S603 - the mixer, asked and not changed
                [program, "-D", card, "sget", control], capture_output=True, timeout=limit_s, check=False
            )
        except subprocess.TimeoutExpired as exc:
            raise NoReply(f"{self.port}: amixer did not answer within {limit_s} s") from exc
        self._trace("<", done.stdout)
        if done.returncode != 0:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise LinkError(f"{self.port}: mixer '{control}': {lines[-1] if lines else done.returncode}")
        return done.stdout.decode("utf-8", "replace")

    def close(self) -> None:
        self._closed.set()
        running = self._running
        if running is not None:
            _kill(running)  # the thread that plays clears away


def _kill(player: subprocess.Popen[bytes]) -> None:
    """Kill the player with whatever it started: ALSA's `file` device may pipe into a program."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(player.pid, signal.SIGKILL)


def _end(player: subprocess.Popen[bytes]) -> None:
    _kill(player)
    player.wait()
    for pipe in (player.stdin, player.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
