"""A line prompt for people: lay cards, press keys, break and mend devices of a running bench."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sim.bench import Bench, DaemonProcess
from sim.idcard_records import RESIDENTS
from sim.papers import Paper

HELP = """\
put IDR-01 zhang        lay a fictitious resident's card on a reader ({residents})
lift IDR-01             take the card away
key KEY-01 1390000ok    press keys: digits, * #, ok correct cancel help
do CAL-01 press next    a key of a physical caller (log_in 1803 first); do GUN-01 scan A017: a code before a gun
paper PRN-01 out        paper of a printer: out, low, refill
do DEVICE VERB          any fault verb of a twin: jam, open_cover, go_mute, recover, ... (`verbs DEVICE` lists them)
unplug DEVICE           pull the cable; plug DEVICE puts it back
page SCN-01             lay another page on the glass
slip PRN-01 FILE.png    draw the last slip as a picture
shown                   what every window display shows
province away | back    cut the line to the province; kill | start: the daemon itself
quit
"""


class Prompt:
    """Reads commands until `quit` or the end of the input."""

    def __init__(self, bench: Bench, daemon: DaemonProcess | None) -> None:
        self.bench = bench
        self.daemon = daemon
        self._sheet = 1
        self._verbs: dict[str, Callable[[list[str]], str | None]] = {
            "help": lambda _: HELP.format(residents=", ".join(RESIDENTS)),
            "put": lambda a: self.bench[a[0]].put(a[1]),
            "lift": lambda a: self.bench[a[0]].lift(),
            "key": self._key,
            "paper": self._paper,
            "do": lambda a: getattr(self.bench[a[0]], a[1])(*a[2:]),
            "verbs": self._list_verbs,
            "unplug": lambda a: self._carrier(a[0]).unplug(),
            "plug": lambda a: self._carrier(a[0]).replug(),
            "page": self._page,
            "slip": self._slip,
            "shown": self._shown,
            "province": self._province,
            "kill": lambda _: self.daemon.kill() if self.daemon else "no daemon of mine",
            "start": lambda _: None if self.daemon and self.daemon.start() else "no daemon of mine",
        }

    def run(self) -> None:
        """Until `quit` or the end of the input."""
        print("type `help` for what you can do; Ctrl-C ends", flush=True)
        for line in sys.stdin:
            words = shlex.split(line, comments=True)
            if words and words[0] in ("quit", "exit"):
                return
            if words:
                print(self._obey(words), flush=True)

    def _obey(self, words: list[str]) -> str:
        verb = self._verbs.get(words[0])
        if verb is None:
            return f"no command '{words[0]}'; try help"
        try:
            return verb(words[1:]) or "done"
        except IndexError:
            return f"{words[0]}: something is missing; see help"
        except KeyError as exc:
            return f"{words[0]}: there is no {exc}; devices: {', '.join(self.bench.twins)}"
        except (AttributeError, TypeError, ValueError, RuntimeError, OSError) as exc:
            return f"{words[0]}: {exc}; see help, or `verbs DEVICE`"

    def _carrier(self, device: str) -> Any:
        return self.bench.lines.get(device) or self.bench[device]

    def _key(self, words: list[str]) -> None:
        pad, keys = self.bench[words[0]], words[1:]
        for word in keys:
            while word:
                label = next((name for name in ("ok", "correct", "cancel", "help") if word.startswith(name)), word[0])
                pad.press(label)
                word = word[len(label) :]  # noqa: PLW2901 - the rest of the word is the next key

    def _paper(self, words: list[str]) -> None:
        printer = self.bench[words[0]]
        {"out": printer.run_out_of_paper, "low": printer.run_low, "refill": printer.refill}[words[1]]()

    def _list_verbs(self, words: list[str]) -> str:
        twin = self.bench[words[0]]
        return " ".join(n for n in dir(twin) if not n.startswith("_") and callable(getattr(twin, n)))

    def _page(self, words: list[str]) -> None:
        self._sheet += 1
        self.bench[words[0]].put_on_platen(Paper(seed=self._sheet, skew_deg=2.0, x_mm=4, y_mm=3))

    def _slip(self, words: list[str]) -> str:
        slips = self.bench[words[0]].printed
        if not slips:
            return "nothing printed yet"
        slips[-1].save(Path(words[1]))
        return f"{words[1]} written"

    def _shown(self, _: list[str]) -> str:
        return "\n".join(f"{d}  {t.text}" for d, t in self.bench.by_kind("display_").items())

    def _province(self, words: list[str]) -> None:
        province = self.bench.province
        if province is not None:
            {"away": province.be_unreachable, "back": province.be_reachable}[words[0]]()
