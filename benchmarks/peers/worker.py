"""Time a rival's networks on request; a process of its own, since their libraries are not ours.

``python -m benchmarks.peers.worker KIND THREADS [ARGUMENT…]``; one line in, one line out, until
standard input ends:

    load NAME   open it and run it three times; answers its parameters (of a file: its bytes)
    run NAME    run it once; answers nanoseconds

Runs in the kind's own environment (``make peers``). Answers only on standard output; the
libraries' own talk goes to standard error.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable

from benchmarks.peers.kinds import KINDS

__all__ = ["main"]

_WARM_UP = 3


def main() -> int:
    """Obey the lines of standard input."""
    kind, threads = KINDS[sys.argv[1]], int(sys.argv[2])
    open_network = importlib.import_module(kind.module).opener(threads, sys.argv[3:])
    networks: dict[str, Callable[[], object]] = {}
    for line in sys.stdin:
        command, name = line.split()
        if command == "load":
            size, networks[name] = open_network(name)
            for _ in range(_WARM_UP):
                networks[name]()
            print(size, flush=True)
        else:
            start = time.perf_counter_ns()
            networks[name]()
            print(time.perf_counter_ns() - start, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
