"""Speech made on this machine, without any network: a WAV file of a sentence in Chinese, and of one in English.

The voice is espeak-ng (Debian package of that name), fed with pinyin, because its reading of characters is useless for
names. It is plain and mechanical, but every number is understood. What is left in characters after the conversion to
pinyin is refused rather than spelled. Latin letters of a number are said by the English voice.
"""

from __future__ import annotations

import importlib
import io
import math
import re
import shutil
import struct
import subprocess
import wave
from collections.abc import Iterable

RATE = 22050
"""Samples a second of espeak-ng, mono, 16 bit."""
MANDARIN, ENGLISH = "cmn-latn-pinyin", "en-us"
VOICE_LIMIT_S = 5.0

_RUNS = re.compile(r"[A-Za-z]+|[0-9]+|[^A-Za-z0-9]+")
_DIGITS = "零一二三四五六七八九"
_TENS = ("", "十", "百", "千")


class SpeechError(Exception):
    """There is no speech for this: what cannot be said, or what is not installed."""


def count_in_words(count: int) -> str:
    """0 to 9999 as Chinese reads them: 12 is 十二, 105 is 一百零五."""
    if count < 10:
        return _DIGITS[count]
    words, gap = "", False
    for place in range(3, -1, -1):
        digit = count // 10**place % 10
        if digit:
            words += (_DIGITS[0] if gap and words else "") + _DIGITS[digit] + _TENS[place]
            gap = False
        elif words:
            gap = True
    return words.removeprefix("一") if 10 <= count < 20 else words


def pinyin(text: str) -> str:
    """Pinyin with tone numbers, for the Mandarin voice. Raises SpeechError for a character without a reading."""
    convert = importlib.import_module("pypinyin")  # 30 MB of tables that a hall without a sound card saves
    syllables = convert.lazy_pinyin(text, style=convert.Style.TONE3, neutral_tone_with_five=True)
    words = " ".join(syllables)
    unread = re.search(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\ue000-\uf8ff]", words)
    if unread is not None:
        raise SpeechError(f"no reading is known for U+{ord(unread.group()):04X}")
    return words


def parts(text: str) -> list[tuple[str, str]]:
    """A Chinese sentence as (voice, words): letters in English, the rest in pinyin."""
    found: list[tuple[str, str]] = []
    chinese = ""
    for run in _RUNS.findall(text):
        if run.isascii() and run.isalpha():
            if chinese.strip():
                found.append((MANDARIN, pinyin(chinese)))
            chinese = ""
            found.append((ENGLISH, " ".join(run)))
        else:
            chinese += count_in_words(int(run)) if run.isdigit() and len(run) <= 4 else run
    if chinese.strip():
        found.append((MANDARIN, pinyin(chinese)))
    return found


def speech(text: str, text_en: str = "") -> bytes:
    """A WAV file: a chime, the Chinese sentence, the English one. Raises SpeechError."""
    samples = [chime(), silence(0.2)]
    samples += [_voice(voice, words) for voice, words in parts(text)]
    if text_en:
        samples += [silence(0.3), _voice(ENGLISH, text_en)]
    return wav(samples)


def sentence(text: str, *, english: bool = False) -> bytes:
    """A WAV file of one sentence without a chime. Raises SpeechError."""
    said = [(ENGLISH, text)] if english else parts(text)
    return wav(_voice(voice, words) for voice, words in said)


def chime() -> bytes:
    """Two falling tones, 0.6 s, as samples."""
    tones = ((660.0, 0.25), (528.0, 0.35))
    return b"".join(_tone(pitch, length) for pitch, length in tones)


def silence(seconds: float) -> bytes:
    """Samples of nothing."""
    return bytes(2 * int(RATE * seconds))


def wav(samples: Iterable[bytes]) -> bytes:
    """Samples as a file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(b"".join(samples))
    return file.getvalue()


def seconds(file: bytes) -> float:
    """How long a WAV file plays."""
    with wave.open(io.BytesIO(file)) as reader:
        return float(reader.getnframes() / reader.getframerate())


def _tone(pitch_hz: float, length_s: float) -> bytes:
    count = int(RATE * length_s)
    swing = (math.sin(2 * math.pi * pitch_hz * n / RATE) * math.exp(-4 * n / count) for n in range(count))
    return struct.pack(f"<{count}h", *(int(12000 * s) for s in swing))


def _voice(voice: str, words: str) -> bytes:
    program = shutil.which("espeak-ng")
    if program is None:
        raise SpeechError("espeak-ng is not installed (package espeak-ng)")
    try:
        done = subprocess.run(  # noqa: S603 - the voice; words arrive on its input
            [program, "-v", voice, "-s", "140", "--stdin", "--stdout"], input=words.encode(), capture_output=True,
            timeout=VOICE_LIMIT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as exc:
        raise SpeechError(f"espeak-ng did not end within {VOICE_LIMIT_S} s") from exc
    if done.returncode != 0 or len(done.stdout) <= 44:
        raise SpeechError(f"espeak-ng ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace').strip()}")
    return done.stdout[44:]  # its header counts no samples when it writes to a pipe
