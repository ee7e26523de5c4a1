"""A proof: one line a claim on standard output, all of them in one JSON, an exit status."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from edge import __version__
from edge.errors import EdgeError, UnavailableError
from edge.files import write_whole

__all__ = ["RESULTS", "ROOT", "SCHEMA", "Proof", "run_proof"]

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "system"
SCHEMA = "unveil-edge.system/1"


class Proof:
    """Collects claims; leaving the ``with`` block writes the file.

    Args:
        name: of the proof; its file is ``NAME.json``.
        folder: where the file goes.
    """

    def __init__(self, name: str, folder: Path = RESULTS) -> None:
        self._name = name
        self._folder = folder
        self._started = time.monotonic()
        self._claims: list[dict[str, object]] = []
        self._facts: dict[str, object] = {}

    @property
    def exit_code(self) -> int:
        """0 when something was claimed and all of it held, else 1."""
        return 0 if self._claims and all(claim["held"] for claim in self._claims) else 1

    def fact(self, **facts: object) -> None:
        """Note how the proof was made: versions, counts, settings."""
        self._facts.update(facts)

    def claim(self, text: str, held: bool, **figures: object) -> bool:
        """Print and note one claim.

        Args:
            text: what should be so, as one would say it aloud.
            held: whether it was.
            figures: what was measured; anything JSON can hold.

        Returns:
            ``held``.
        """
        told = ", ".join(f"{key} {_short(value)}" for key, value in figures.items())
        print(f"{'ok  ' if held else 'FAIL'} {text}{f': {told}' if told else ''}", flush=True)
        self._claims.append({"claim": text, "held": bool(held), **figures})
        return bool(held)

    def __enter__(self) -> Proof:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, UnavailableError) and not self._claims:
            return  # nothing was tried: an older file stays
        if isinstance(error, Exception):
            self.claim(f"the proof ran to its end: {kind.__name__ if kind else ''}: {error}", False)
        self._folder.mkdir(parents=True, exist_ok=True)
        content = {
            "schema": SCHEMA,
            "proof": self._name,
            "version": __version__,
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "machine": platform.machine(),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "seconds": round(time.monotonic() - self._started, 1),
            "held": self.exit_code == 0,
            **self._facts,
            "claims": self._claims,
        }
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        write_whole(self._folder / f"{self._name}.json", text.encode())


def run_proof(main: Callable[[], int]) -> NoReturn:
    """Run a proof as a command: one line for what is missing, and the exit status.

    Raises:
        SystemExit: always.
    """
    try:
        raise SystemExit(main())
    except EdgeError as error:
        print(f"proof: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
