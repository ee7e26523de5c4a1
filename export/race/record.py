"""What a race found, as it is written beside the bundle.

The device reads ``schema``, ``bundle``, ``board``, ``choice``, ``date`` and ``invalid``, see
``edge.choice``; all else is for people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.board.identity import Board
from edge.choice import SCHEMA, Chosen
from edge.files import write_whole
from export.race.choose import Verdict
from export.race.entry import Entry, times_as_long

__all__ = ["Heat", "Race"]


@dataclass(frozen=True, slots=True)
class Heat:
    """All ways of one network, and which was chosen.

    Attributes:
        task: of the network.
        entries: as they were measured.
        verdict: on them.
    """

    task: str
    entries: Sequence[Entry]
    verdict: Verdict

    @property
    def winner(self) -> Entry | None:
        """The way that was chosen; None where none could be."""
        return None if self.verdict.winner is None else self.entries[self.verdict.winner]

    def to_json(self) -> list[dict[str, object]]:
        """Return one table a way, the chosen one's ratio being 1."""
        rows = []
        for entry, reason in zip(self.entries, self.verdict.reasons, strict=True):
            ratio = None
            if self.winner is not None and entry.rounds_ms:
                ratio = times_as_long(entry, self.winner).to_json()
            rows.append(
                {
                    **entry.to_json(),
                    "rounds_ms": [round(ms, 5) for ms in entry.rounds_ms],
                    "times_as_long": ratio,
                    "chosen": entry is self.winner,
                    "reason": reason,
                }
            )
        return rows


@dataclass(frozen=True, slots=True)
class Race:
    """A whole race.

    Attributes:
        date: ISO date and time of its end.
        bundle: name of the bundle, and digest of its manifest.
        board: where it ran.
        seconds, rounds: of timed runs a way, at least, and in how many slices.
        heats: one a network.
        invalid: why the machine was not fit, in words; empty where it was.
        remarks: what else should be known.
        facts: fingerprint of the machine, and its state before and after.
    """

    date: str
    bundle: tuple[str, str]
    board: Board
    seconds: float
    rounds: int
    heats: Sequence[Heat]
    invalid: tuple[str, ...]
    remarks: tuple[str, ...]
    facts: Mapping[str, object]

    @property
    def choice(self) -> dict[str, Chosen]:
        """What was chosen, by task."""
        return {heat.task: heat.winner.chosen for heat in self.heats if heat.winner is not None}

    def to_json(self) -> dict[str, object]:
        """Return the file's object without its schema; what is not a number is null."""
        name, digest = self.bundle
        return {
            "bundle": {"name": name, "digest": digest},
            "board": self.board.to_json(),
            "choice": {task: chosen.to_json() for task, chosen in self.choice.items()},
            "date": self.date,
            "valid": not self.invalid,
            "invalid": list(self.invalid),
            "remarks": list(self.remarks),
            "seconds": self.seconds,
            "rounds": self.rounds,
            "ways": {heat.task: heat.to_json() for heat in self.heats},
            **self.facts,
        }

    def write(self, path: Path) -> None:
        """Write the file whole or not at all.

        Raises:
            OutputError: the disk is full or read-only, the folder is missing, ...
        """
        table = {"schema": SCHEMA, **self.to_json()}
        write_whole(path, (json.dumps(table, indent=1, allow_nan=False) + "\n").encode())
