"""Pure functions on the sound of clips: read, trim, level, join. Mono, 16 bit, 22,050 samples a second throughout."""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.float32]
"""Between -1 and 1."""

RATE = 22050
_SILENCE = 10 ** (-45 / 20)
_LOUDNESS = 10 ** (-20 / 20)
"""Root mean square of the loud parts of every clip, so that no word of a sentence jumps out."""
_PEAK = 0.89
_EDGE_S, _FADE_S = 0.03, 0.008


class BadSound(Exception):
    """A file that is no sound, or none that can be used; the sentence says why."""


def read_wav(data: bytes) -> Samples:
    """A WAV file of any rate, 16 bit, mono or stereo, as our samples. Raises BadSound."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            if file.getsampwidth() != 2:
                raise BadSound(f"has {8 * file.getsampwidth()} bits a sample, should have 16")
            channels, rate = file.getnchannels(), file.getframerate()
            raw = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    except (wave.Error, EOFError) as exc:
        raise BadSound(f"is no WAV file of plain samples ({exc})") from exc
    if raw.size == 0 or rate <= 0:
        raise BadSound("holds no sound")
    mono = raw[: raw.size // channels * channels].reshape(-1, channels).mean(axis=1) / 32768
    return resample(mono.astype(np.float32), rate)


def resample(samples: Samples, rate: int) -> Samples:
    """To our rate, by cutting or padding the spectrum: exact for clips of a few seconds."""
    if rate == RATE or samples.size == 0:
        return samples
    count = max(1, round(samples.size * RATE / rate))
    spectrum = np.fft.rfft(samples)
    wanted = np.zeros(count // 2 + 1, spectrum.dtype)
    kept = min(wanted.size, spectrum.size)
    wanted[:kept] = spectrum[:kept]
    return (np.fft.irfft(wanted, count) * (count / samples.size)).astype(np.float32)


def tidy(samples: Samples) -> Samples:
    """Without the silence around it, at one loudness, with soft edges. Raises BadSound for silence."""
    loud = np.flatnonzero(np.abs(samples) > _SILENCE)
    if loud.size == 0:
        raise BadSound("is silent")
    edge = int(_EDGE_S * RATE)
    cut = samples[max(0, int(loud[0]) - edge) : int(loud[-1]) + edge].copy()
    voiced = cut[np.abs(cut) > _SILENCE * 4]
    level = float(np.sqrt(np.mean(np.square(voiced if voiced.size else cut))))
    cut *= min(_LOUDNESS / level, _PEAK / float(np.abs(cut).max()))
    fade = np.linspace(0.0, 1.0, min(int(_FADE_S * RATE), cut.size // 2), dtype=np.float32)
    if fade.size:
        cut[: fade.size] *= fade
        cut[-fade.size :] *= fade[::-1]
    return cut


def without_onset(samples: Samples) -> Samples:
    """Without the short sound that the neural voice puts before a Chinese sentence and that is heard as 一.

    It is 40 to 150 ms long and followed by a dip, 8 dB below it and 14 dB below what comes; no syllable begins so.
    """
    step = RATE // 100
    pieces = samples[: samples.size // step * step].reshape(-1, step)
    level = np.sqrt(np.mean(np.square(pieces), axis=1)) if pieces.size else np.zeros(0, np.float32)
    loud = np.flatnonzero(level > 10 ** (-30 / 20) * level.max(initial=0.0))
    if loud.size == 0:
        return samples
    onset = int(loud[0])
    for dip in range(onset + 2, min(onset + 16, level.size - 1)):
        before, after = level[onset:dip].max(), level[dip + 1 : dip + 12].max()
        if level[dip] <= before * 10 ** (-8 / 20) and level[dip] <= after * 10 ** (-14 / 20):
            return samples[dip * step :]
    return samples


def behind_the_lead(samples: Samples, speed: float) -> Samples | None:
    """What comes behind the pause after a greeting of two syllables; None where the two run into each other.

    The pause was found 0.48 to 0.54 s behind the first sound, divided by the speed, 30 to 50 dB below the loudest.
    """
    step = RATE // 100
    pieces = samples[: samples.size // step * step].reshape(-1, step)
    level = np.sqrt(np.mean(np.square(pieces), axis=1)) if pieces.size else np.zeros(0, np.float32)
    loud = np.flatnonzero(level > 0.1 * level.max(initial=0.0))
    if loud.size == 0:
        return None
    begins, ends = (int(loud[0]) + round(frames / speed) for frames in (43, 63))
    around = np.convolve(level, np.ones(4) / 4, "same")[begins:ends]
    if around.size == 0 or around.min() > 10 ** (-12 / 20) * level.max():
        return None
    return samples[(begins + int(around.argmin())) * step :]


def middle_of_three(samples: Samples) -> Samples | None:
    """The second of three syllables said in a row, cut where it is quietest around it; None if there are not three."""
    step = RATE // 100
    pieces = samples[: samples.size // step * step].reshape(-1, step)
    if pieces.size == 0:
        return None
    level = np.sqrt(np.mean(np.square(pieces), axis=1))
    for threshold in (0.04, 0.08, 0.12, 0.18, 0.25, 0.33):
        found = _bursts(np.flatnonzero(level > threshold * float(level.max())).tolist())
        if len(found) == 3:
            before, middle, after = found
            begins = before[1] + int(level[before[1] : middle[0] + 1].argmin())
            ends = middle[1] + int(level[middle[1] : after[0] + 1].argmin())
            return samples[begins * step : ends * step]
    return None


def _bursts(loud: list[int]) -> list[tuple[int, int]]:
    """First and last of each run; gaps of one or two belong to it, what is shorter than 60 ms is none."""
    found: list[tuple[int, int]] = []
    for piece in loud:
        if found and piece - found[-1][1] < 4:
            found[-1] = found[-1][0], piece
        else:
            found.append((piece, piece))
    return [(begin, end) for begin, end in found if end - begin >= 6]


def chime() -> Samples:
    """Two falling tones, 0.6 s."""
    tones = []
    for pitch_hz, length_s in ((660.0, 0.25), (528.0, 0.35)):
        n = np.arange(int(RATE * length_s))
        tones.append(0.35 * np.sin(2 * math.pi * pitch_hz * n / RATE) * np.exp(-4 * n / n.size))
    return np.concatenate(tones).astype(np.float32)


def silence(seconds: float) -> Samples:
    """Nothing for a while."""
    return np.zeros(int(seconds * RATE), np.float32)


def wav(pieces: Sequence[Samples]) -> bytes:
    """Pieces one after the other as a WAV file."""
    joined = np.concatenate(pieces) if pieces else silence(0.01)
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes((np.clip(joined, -1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()


def seconds(data: bytes) -> float:
    """How long a WAV file plays."""
    with wave.open(io.BytesIO(data)) as reader:
        return float(reader.getnframes() / reader.getframerate())
