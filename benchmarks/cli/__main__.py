"""``python -m benchmarks.cli``: edge-bench without its script."""

from __future__ import annotations

from benchmarks.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
