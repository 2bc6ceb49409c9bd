"""A program that tells what it is as a process, for the comparison of a fork with a fresh interpreter.

python -m tests.journeys.what_i_am tell | exit 3 | raise | wait
"""

import gc
import json
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from typing import Any


def _told() -> dict[str, Any]:
    main: Any = sys.modules["__main__"]
    return {
        "arguments": sys.argv[1:],
        "program": sys.argv[0],
        "name": __name__,
        "module": main.__spec__.name,
        "path": sys.path,
        "folder": os.getcwd(),  # noqa: PTH109 - as the system says it
        "group": (os.getpgrp(), os.getsid(0)),
        "environment": dict(os.environ),
        "descriptors": sorted(n for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")),  # noqa: PTH110, PTH208 - counted
        "input": os.readlink("/proc/self/fd/0"),  # noqa: PTH115 - no path
        "output": [os.readlink(f"/proc/self/fd/{n}") for n in (1, 2)],  # noqa: PTH115 - as above
        "buffers": [sys.stdout.line_buffering, sys.stderr.line_buffering],
        "signals": [str(signal.getsignal(n)) for n in sorted(signal.valid_signals())],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "wake": signal.set_wakeup_fd(-1),
        "collects": (gc.isenabled(), gc.get_threshold()),
        "switches": sys.getswitchinterval(),
        "threads": [t.name for t in threading.enumerate()],
        "nice": os.nice(0),
        "mask": os.umask(0o022),
        "parent": str(multiprocessing.parent_process()),
    }


if __name__ == "__main__":
    what = sys.argv[1]
    if what == "tell":
        print(json.dumps({"same": _told(), "own": {"pid": os.getpid(), "chance": random.random()}}))
    elif what == "exit":
        sys.exit(int(sys.argv[2]))
    elif what == "raise":
        raise ValueError("on purpose")
    else:
        print("waits", flush=True)
        time.sleep(600)
