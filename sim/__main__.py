"""A hall in a box: twins, province and daemon on this machine, for people or by itself.

python -m sim                                     a small hall to play with; type `help`
python -m sim replay FILE                         a device as it was recorded (sim/replay.py)
python -m sim --visits 30 --exit --json FILE      thirty visits by themselves, then a summary
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from sim import replay
from sim.bench import HALLS, Bench, DaemonProcess
from sim.hall_plan import DEMO_PIN
from sim.prompt import Prompt
from sim.visits import Play, save


def main() -> int:
    """Run; exit code 0 if nothing was lost and every visit ended well."""
    if sys.argv[1:2] == ["replay"]:
        return replay.main(sys.argv[2:])
    options = _parser().parse_args()
    hall = HALLS / options.hall
    if not (hall / "devices.toml").exists():
        known = ", ".join(sorted(p.parent.name for p in HALLS.glob("*/devices.toml")))
        print(f"there is no hall '{options.hall}'; there are: {known}", file=sys.stderr)
        return 2
    folder = options.run or Path(tempfile.mkdtemp(prefix="hall-"))
    bench = Bench(hall, folder, listen=options.port, hours=options.hours)
    daemon = DaemonProcess(bench)
    try:
        bench.start()
        daemon.start()
        _welcome(bench, daemon)
        if options.visits:
            return _play(bench, options)
        Prompt(bench, daemon).run()
        return 0
    except (RuntimeError, OSError) as exc:
        print(f"the demo could not run: {exc}; see {bench.log}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130
    finally:
        daemon.stop()
        bench.stop()
        if options.run is None and not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sim", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--hall", default="small", help="small or big (small)")
    parser.add_argument("--visits", type=int, default=0, metavar="N", help="play N visits by itself")
    parser.add_argument("--exit", action="store_true", help="end after the visits")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the summary of the visits there")
    parser.add_argument("--seed", type=int, default=7, help="seed of residents and clerks (7)")
    parser.add_argument("--hours", action="store_true", help="keep the opening hours of the hall: closed at night")
    parser.add_argument("--port", type=int, default=0, help="port of the daemon (a free one)")
    parser.add_argument("--run", type=Path, metavar="DIR", help="folder for database, logs and slips (a temporary one)")
    parser.add_argument("--keep", action="store_true", help="keep the temporary folder")
    return parser


def _welcome(bench: Bench, daemon: DaemonProcess) -> None:
    hall = bench.tables["hall"]
    window = next(iter(bench.tables["window"]))
    kiosk = next(iter(bench.tables["kiosk"]))
    print(f"{hall['name']} {hall['name_en']}: ready after {daemon.ready_after_s:.1f} s")
    print(f"  kiosk page 取号机      {bench.url}/kiosk/{kiosk}")
    print(f"  hall board 综合屏      {bench.url}/board")
    print(f"  manager 运行概览       {bench.url}/overview")
    print(f"  counter 窗口终端       .venv/bin/hall-counter --hall {bench.url} --window {window}")
    print(f"    sign in 上岗          staff number {next(iter(bench.tables['clerk']))}, PIN {DEMO_PIN}")
    print(f"  interface 接口         {bench.url}/openapi.json   {bench.url}/metrics")
    print(f"  files and logs         {bench.run}")
    for note in bench.notes:
        print(f"  note: {note}")


def _play(bench: Bench, options: argparse.Namespace) -> int:
    play = Play(bench=bench, visits=options.visits, seed=options.seed)
    summary = play.run(tell=print)
    text = json.dumps(summary, ensure_ascii=False, indent=2)
    print(text)
    if options.json:
        save(summary, options.json)
    if not options.exit:
        print("visits played; Ctrl-C ends")
        Prompt(bench, None).run()
    whole = summary["issued"] == summary["finished"] == options.visits
    return 0 if whole and not summary["oracle"] and not summary["duplicates"] else 1


if __name__ == "__main__":
    sys.exit(main())
