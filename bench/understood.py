"""What a machine understands of a hall's spoken calls, because nobody here can hear.

    python -m bench.understood --config devices.toml --model FOLDER [--engine kokoro|espeak] [--calls 20]

Builds the clips that the calls need (in a folder of its own), joins them as the daemon does, and lets Whisper write
down what it hears, Chinese and English apart, without being told what to expect; the package faster-whisper and its
model in FOLDER are needed for nothing else. A call counts as understood when letter, digits and window are right, by
their sound in Chinese. `chosen`: the recogniser is asked which of the hall's letters it has heard, as somebody listens
who knows that numbers begin with one of them. Also measured: syllables a second and the loudness of the clips. A
recogniser is no resident: it sits in no hall, hears no echo and is not hard of hearing. Results are in docs/voice.md.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import math
import random
import re
import statistics
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hall_daemon import commands_voice, voice_build, voice_clips, voice_kokoro, voice_sound
from hall_daemon.config import HallConfig, load
from hall_daemon.voice_clips import Clip, Language
from hall_daemon.voice_shelf import ClipShelf
from hall_daemon.voice_sound import RATE, Samples

HEARING_RATE = 16000
ECHO_S, ROOM_BELOW_DB = 0.8, 10.0
_DIGITS = "零一二三四五六七八九"
_ENGLISH = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_LETTERS = {
    "bee": "b", "be": "b", "see": "c", "sea": "c", "dee": "d", "gee": "g", "jee": "g", "a's": "a", "eff": "f",
    "oh": "0",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Call:
    """What is said."""

    number: str
    window: str
    zone: str


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What was understood of it."""

    letter: bool
    digits: bool
    window: bool
    words: str
    chosen: str = ""
    """Which of the hall's letters it was most like."""

    @property
    def whole(self) -> bool:
        """Whether a resident would be at the right window with the right number."""
        return self.letter and self.digits and self.window


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.understood", description="See the docstring.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--engine", choices=("kokoro", "espeak"), default="kokoro")
    parser.add_argument("--calls", type=int, default=20)
    options = parser.parse_args()
    config = load(options.config, {})
    calls = some_calls(config, options.calls)
    letters = sorted({letter for queue in config.profile.queues for letter in queue} | set("VXY"))
    ear = Ear(options.model)
    with tempfile.TemporaryDirectory() as folder:
        said = {call: clips_of(call, config) for call in calls}
        needed = {clip.file: clip for clips in said.values() for clip in clips}
        voice_build.build(Path(folder), needed, commands_voice.engine(options.engine), tell=lambda _: None)
        shelf = ClipShelf(Path(folder))
        _measure(Path(folder), list(needed.values()))
        for language, place in itertools.product(Language, (_as_made, _in_a_hall)):
            results = []
            for call, clips in said.items():
                spoken = place(np.concatenate(list(shelf.joined([c for c in clips if c.language is language]))))
                heard = understood(call, ear.writes(spoken, language), language)
                likeliest = ear.likeliest(spoken, [_sentence(call, q, language, config) for q in letters], language)
                results.append(replace(heard, chosen=letters[likeliest]))
            print(place.__doc__)
            _tell(language, results, said, shelf)
    return 0


def _as_made(spoken: Samples) -> Samples:
    """Beside the loudspeaker:"""
    return spoken


def _in_a_hall(spoken: Samples) -> Samples:
    """In a hall (echo of 0.8 s as strong as the voice itself, a room of voices 10 dB below it):"""
    chance = np.random.default_rng(7)
    after = np.arange(int(ECHO_S * RATE))
    echo = chance.standard_normal(after.size) * 10 ** (-3 * after / after.size)
    echo /= np.sqrt(np.sum(np.square(echo)))
    heard = np.concatenate([spoken, voice_sound.silence(ECHO_S)])
    heard += np.fft.irfft(np.fft.rfft(heard) * np.fft.rfft(echo, heard.size), heard.size)
    # A room of voices has the spectrum of a voice and no words: its phases are by chance.
    spectrum = np.abs(np.fft.rfft(spoken, heard.size)) * np.exp(2j * np.pi * chance.random(heard.size // 2 + 1))
    room = np.fft.irfft(spectrum, heard.size)
    room *= np.sqrt(np.mean(np.square(heard)) / np.mean(np.square(room))) * 10 ** (-ROOM_BELOW_DB / 20)
    return np.asarray(heard + room, np.float32)


def some_calls(config: HallConfig, count: int) -> list[Call]:
    """Calls of this hall by chance, the same each time."""
    chance, profile = random.Random(7), config.profile
    windows = [window for window in profile.windows.values() if window.queues and window.code.isdigit()]
    found = []
    for window in chance.sample(windows, min(count, len(windows))):
        queue = chance.choice(window.queues)
        found.append(Call(number=f"{queue}{chance.randrange(1, 400):03}", window=window.code, zone=window.zone))
    return found


def clips_of(call: Call, config: HallConfig) -> list[Clip]:
    """In both languages, as the daemon joins them."""
    return voice_clips.call(call.number, call.window, call.zone, config.profile, config.public.voice, short=False)


def understood(call: Call, words: str, language: Language) -> Heard:
    """Compare what was written down with what was said."""
    return understood_zh(call, words) if language is Language.ZH else understood_en(call, words)


def understood_zh(call: Call, words: str) -> Heard:
    """By the sound of what was written, without tones: a recogniser that writes 三亿七 for 三一七 has heard it."""
    plain = re.sub(r"[^0-9A-Za-z\u4e00-\u9fff]", "", words)
    plain = re.sub(r"(\d+)(?=[号號]窗)", lambda found: voice_clips.count_zh(int(found[1]) % 1000), plain)
    syllables = _sound(re.sub(r"\d", lambda found: _DIGITS[int(found[0])], plain))
    digits, window = _sound("".join(_DIGITS[int(d)] for d in call.number[1:])), voice_clips.count_zh(int(call.window))
    letters = re.findall(r"[A-Z]", plain.upper())
    reading = re.sub(r"\d", "", voice_kokoro.LETTERS[call.number[0]])
    return Heard(
        letter=letters[-1:] == [call.number[0]] or f"qing {reading} " in syllables, digits=f"{digits}hao " in syllables,
        window=f"dao {_sound(window)}hao " in syllables, words=words,
    )  # fmt: skip


def _sound(words: str) -> str:
    """Syllables without tones, each with a space behind it."""
    pinyin = importlib.import_module("pypinyin").lazy_pinyin(words)
    return "".join(f"{syllable} " for syllable in pinyin)


def understood_en(call: Call, words: str) -> Heard:
    """By what was written."""
    number, window = heard_en(words)
    return Heard(
        letter=number[:1] == call.number[0], digits=number[-3:] == call.number[1:], window=window == call.window,
        words=words,
    )  # fmt: skip


def heard_en(words: str) -> tuple[str, str]:
    """Number and window in an English sentence."""
    before, _, after = words.lower().partition("window")
    pieces = re.findall(r"[a-z']+|\d", before.partition("number")[2])
    number = "".join(_english(piece) for piece in pieces)
    figures = re.findall(r"\d+", after)
    return number.upper(), figures[0] if figures else _words_en(after)


def _english(piece: str) -> str:
    if piece in _ENGLISH:
        return str(_ENGLISH.index(piece))
    return _LETTERS.get(piece, piece[:1] if len(piece) > 1 and not piece.isdigit() else piece)


_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip


def _words_en(words: str) -> str:
    total = 0
    for word in re.findall(r"[a-z]+", words):
        if word in _TENS:
            total += 10 * (_TENS.index(word) + 2)
        elif word in _TEENS:
            total += 10 + _TEENS.index(word)
        elif word in _ENGLISH:
            total += _ENGLISH.index(word)
    return str(total) if total else ""


def _sentence(call: Call, letter: str, language: Language, config: HallConfig) -> str:
    """The call as it would be written if its number began with this letter."""
    digits = call.number[1:]
    if language is Language.EN:
        return f"Number {letter}{digits}, window {call.window}."
    return f"{config.profile.zones[call.zone].name.zh}请{letter}{digits}号到{call.window}号窗口"


class Ear:
    """Whisper: what it writes down, and which of several sentences it takes for the likeliest."""

    def __init__(self, model: Path) -> None:
        self._package: Any = importlib.import_module("faster_whisper")  # an optional package without types
        self._model = self._package.WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=1)

    def writes(self, spoken: Samples, language: Language) -> str:
        """What it hears, without being told what to expect."""
        pieces, _ = self._model.transcribe(
            _at_its_rate(spoken), language=language.value, beam_size=5, condition_on_previous_text=False
        )
        return " ".join(piece.text for piece in pieces).strip()

    def likeliest(self, spoken: Samples, sentences: list[str], language: Language) -> int:
        """Index of the sentence whose words it finds likeliest in this sound."""
        tokenizer = importlib.import_module("faster_whisper.tokenizer").Tokenizer(
            self._model.hf_tokenizer, True, task="transcribe", language=language.value
        )
        features = self._model.feature_extractor(_at_its_rate(spoken))
        padded = importlib.import_module("faster_whisper.audio").pad_or_trim(features)
        encoded, frames = self._model.encode(padded), features.shape[-1]
        found = []
        for sentence in sentences:
            words = [tokenizer.encode(sentence)]
            (aligned,) = self._model.model.align(encoded, tokenizer.sot_sequence, words, frames, median_filter_width=7)
            found.append(sum(math.log(max(chance, 1e-9)) for chance in aligned.text_token_probs))
        return found.index(max(found))


def _at_its_rate(spoken: Samples) -> Samples:
    at = np.linspace(0, spoken.size - 1, round(spoken.size * HEARING_RATE / RATE))
    return np.interp(at, np.arange(spoken.size), spoken).astype(np.float32)


def _tell(language: Language, results: list[Heard], said: dict[Call, list[Clip]], shelf: ClipShelf) -> None:
    total = len(results)
    counted = Counter(
        key for heard in results for key in ("letter", "digits", "window", "whole") if getattr(heard, key)
    )
    seconds = [
        sum(piece.size for piece in shelf.joined([c for c in clips if c.language is language])) / RATE
        for clips in said.values()
    ]
    counted["chosen"] = sum(heard.chosen == call.number[0] for call, heard in zip(said, results, strict=True))
    line = ", ".join(f"{key} {counted[key]}/{total}" for key in ("whole", "letter", "chosen", "digits", "window"))
    print(f"{language.value}: {line}; a sentence lasts {statistics.median(seconds):.1f} s", flush=True)
    for call, heard in zip(said, results, strict=True):
        if not heard.whole:
            print(f"   said {call.number} window {call.window}, took {heard.chosen}, heard: {heard.words}", flush=True)


def _measure(folder: Path, clips: list[Clip]) -> None:
    """Pace and level of the clips of each kind."""
    kinds: dict[str, list[tuple[float, Samples]]] = {}
    for clip in clips:
        samples = voice_sound.read_wav((folder / clip.file).read_bytes())
        kinds.setdefault(f"{clip.name.split('-')[0]}.{clip.language}", []).append((_syllables(clip), samples))
    for kind, found in sorted(kinds.items()):
        pace = [syllables / (samples.size / RATE) for syllables, samples in found if syllables]
        level = [20 * np.log10(np.sqrt(np.mean(np.square(samples)))) for _, samples in found]
        peak = max(float(np.abs(samples).max()) for _, samples in found)
        spoken = f"{statistics.median(pace):4.1f} syllables/s" if pace else " " * 15
        print(f"{kind:14} {len(found):3} clips {spoken}  level {statistics.median(level):6.1f} dB  peak {peak:.2f}")


def _syllables(clip: Clip) -> float:
    """Syllables of a Chinese clip; 0 where nobody counts them."""
    return float(len(re.findall(r"[\u4e00-\u9fff]", clip.words))) if clip.language is Language.ZH else 0.0


if __name__ == "__main__":
    sys.exit(main())
