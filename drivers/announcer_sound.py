"""Announcements through a sound card of this machine, in Chinese and English.

Source: ALSA's player and its exit (drivers/transport_sound.py), the voice of drivers/speech.py; both confirmed with the
real programs on ALSA's `file` device, not with a sound card. Which mixer control is the loudspeaker differs from card
to card and cannot be found out: `mixer` names it, as `amixer -D <card> scontrols` tells it, and only then a volume of
zero or a mute is seen (SILENCED). `amixer` prints for each channel  "[0%] [off]"  (A: its own output format).
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from drivers import speech
from drivers.base import (
    Announcement,
    Announcer,
    Condition,
    DeviceOptions,
    Identity,
    LinkError,
    NoReply,
    Refused,
    Unconfirmed,
)
from drivers.transport_sound import SoundCard
from drivers.wire_words import two_languages

ASK_EVERY_S = 20.0
"""A sound card is asked by playing silence on it, which occupies it for a moment."""
MORE_THAN_THE_SOUND_S = 3.0
_CHANNEL = re.compile(r"\[(\d+)%\](?:.*?\[(on|off)\])?")


@dataclass(frozen=True, kw_only=True)
class SoundOptions(DeviceOptions):
    """Keys of the announcer's table."""

    mixer: str = ""
    """Mixer control of its loudspeaker, like "Master"; empty: nobody looks at the volume."""
    card: str = "default"
    """Card of that control, for amixer."""


def decode_mixer(told: str) -> frozenset[Condition]:
    """SILENCED if every channel that `amixer sget` tells of is off or at 0 %."""
    channels = _CHANNEL.findall(told)
    if channels and all(percent == "0" or switch == "off" for percent, switch in channels):
        return frozenset({Condition.SILENCED})
    return frozenset()


def explain(direction: str, data: bytes) -> str:
    """Meaning for a technician, `Chinese | English`: of a sound only its head passes the trace, of the mixer all."""
    if direction == ">":
        return "播放声音 | play a sound" if data[:4] == b"RIFF" and data[8:12] == b"WAVE" else ""
    channels = _CHANNEL.findall(data.decode("utf-8", "replace"))
    return two_languages(
        (f"音量 {percent}%{'，静音' * (switch == 'off')}", f"volume {percent} %{', muted' * (switch == 'off')}")
        for percent, switch in channels
    )


class SoundAnnouncer(Announcer[SoundCard, SoundOptions]):
    """A loudspeaker on this machine."""

    Options = SoundOptions
    Transport = SoundCard

    def __init__(self, device: str, link: SoundCard, options: SoundOptions) -> None:
        super().__init__(device, link, options)
        self._asked_at = float("-inf")

    def hello(self) -> Identity:
        """Play a moment of silence. Raises NoReply, LinkError."""
        self._ask()
        return Identity(model=f"ALSA {self.link.name}")

    def conditions(self) -> frozenset[Condition]:
        """Whether it can be heard, as far as its mixer tells. Raises NoReply, LinkError."""
        if time.monotonic() - self._asked_at >= ASK_EVERY_S:
            self._ask()
        if not self.options.mixer:
            return frozenset()
        return decode_mixer(self.link.mixer(self.options.card, self.options.mixer))

    def speak(self, announcement: Announcement) -> None:
        """Play its sound, or make the speech. Raises Refused(TEXT_UNSUITABLE | SILENCED), Unconfirmed, LinkError."""
        if self._is_silenced():
            raise Refused(Condition.SILENCED, f"{self.device}: not played, {self.options.mixer} is muted or at 0 %")
        try:
            sound = announcement.sound or speech.speech(announcement.text, announcement.text_en)
        except speech.SpeechError as exc:
            raise Refused(Condition.TEXT_UNSUITABLE, f"{self.device}: {exc}") from exc
        try:
            self.link.play(sound, min(speech.seconds(sound) + MORE_THAN_THE_SOUND_S, self.job_limit_s - 2.0))
        except NoReply as exc:
            raise Unconfirmed(f"{self.device}: {exc}") from exc
        self._asked_at = time.monotonic()

    def _is_silenced(self) -> bool:
        """As far as the mixer tells; one that tells nothing silences nobody."""
        if not self.options.mixer:
            return False
        try:
            return Condition.SILENCED in decode_mixer(self.link.mixer(self.options.card, self.options.mixer))
        except (NoReply, LinkError):
            return False

    def _ask(self) -> None:
        self.link.play(speech.wav([speech.silence(0.02)]), 2.0)
        self._asked_at = time.monotonic()


DRIVER = SoundAnnouncer
