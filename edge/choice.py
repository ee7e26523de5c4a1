"""Which engine, precision and threads a race on this board chose for each network.

``edge-export race BUNDLE`` writes ``BUNDLE.race.json`` beside the bundle. That file is no part of
the bundle and nobody signs it: all that it can do is choose among artefacts that the bundle itself
proves.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from edge.board import hardware
from edge.board.identity import Board
from edge.board.system import System
from edge.bundle import Bundle, default_bundle
from edge.check import Check
from edge.contract import TASKS
from edge.engines import MADE_FOR
from edge.errors import BundleError, DataError
from edge.manifest import PRECISIONS
from edge.places import state_folder

__all__ = [
    "MAX_THREADS",
    "SCHEMA",
    "Choice",
    "Chosen",
    "race_file",
    "read_choice",
]

#: Of the file that a race writes.
SCHEMA = "unveil-edge.race/1"
MAX_THREADS = 256

_SUFFIX = ".race.json"
#: A thousand ways with their rounds have 700 KiB.
_MAX_BYTES = 4 * 1024 * 1024
#: Lists, tables and quotation marks: each costs some sixty bytes of memory once it is parsed.
_MAX_PARTS = 200_000
_MAX_REASONS = 20


@dataclass(frozen=True, slots=True)
class Chosen:
    """How one network is to be run.

    Attributes:
        engine: one of ``edge.engines.ENGINES``.
        precision: one of ``manifest.PRECISIONS``.
        threads: of the engine, at least 1.
    """

    engine: str
    precision: str
    threads: int

    @property
    def made_for(self) -> str:
        """The engine that the bundle names for the artefact: the one to ask ``artefact`` for."""
        return MADE_FOR[self.engine]

    def to_json(self) -> dict[str, object]:
        """Return the fields."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a race chose.

    Attributes:
        date: of the race, ISO date and time; may be empty.
        chosen: by task; a task without an entry is left to the bundle's own choice.
        remarks: what should be logged once: the race met a busy board, the power mode is another.
    """

    date: str
    chosen: Mapping[str, Chosen]
    remarks: tuple[str, ...]

    def of(self, task: str) -> Chosen | None:
        """Return how a network is to be run; None where the race chose nothing for it."""
        return self.chosen.get(task)


def race_file(bundle: str | os.PathLike[str]) -> Path:
    """Return where the race of a bundle lies: beside its folder or its one file.

    The package's own bundle lies where its user may not write: its race is among the state.

    >>> race_file("/srv/doors.bundle").as_posix()
    '/srv/doors.bundle.race.json'
    """
    path = Path(os.path.abspath(bundle))
    if path == default_bundle():
        return state_folder() / (path.name + _SUFFIX)
    return path.with_name(path.name + _SUFFIX)


def read_choice(
    bundle: Bundle,
    path: str | os.PathLike[str],
    *,
    report: Callable[[DataError], None],
    root: Path = Path("/"),
) -> Choice | None:
    """Read what a race chose, unless it cannot hold here.

    Args:
        bundle: that will be run.
        path: of the file, see ``race_file``; untrusted.
        report: is told why a file that is there is not used: ``choice.file`` (it cannot be read or
            is damaged), ``choice.bundle`` (of another bundle), ``choice.board`` (of another board).
        root: of the system that is looked at.

    Returns:
        None where there is no file, or it is not used; the bundle's own choice holds then.
    """
    check = _ChoiceCheck(str(path))
    try:
        content = _content(check, path)
        return None if content is None else _choice(check, _parsed(check, content), bundle, root)
    except DataError as error:
        report(error)
        return None


class _ChoiceCheck(Check):
    """``edge.check.Check`` for this file."""

    def fail(self, key: str, problem: str) -> NoReturn:
        self.refuse(f"{key[:80]}: {problem}", "file")

    def refuse(self, problem: str, kind: str) -> NoReturn:
        """Refuse the file as a whole."""
        raise DataError(
            f"{self.where}: {problem}; it is not used",
            hint="race again on this board with: edge-export race BUNDLE",
            code=f"choice.{kind}",
        )


def _content(check: _ChoiceCheck, path: str | os.PathLike[str]) -> bytes | None:
    """Return the file's bytes; a pipe or a device is no file, and is never waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                check.refuse("is no plain file", "file")
            with open(handle, "rb", closefd=False) as stream:
                content = stream.read(_MAX_BYTES + 1)
        finally:
            os.close(handle)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        check.refuse(f"cannot be read: {error}", "file")
    if len(content) > _MAX_BYTES:
        check.refuse(f"is larger than {_MAX_BYTES} bytes", "file")
    return content


def _parsed(check: _ChoiceCheck, content: bytes) -> Mapping[str, Any]:
    if content.count(b"[") + content.count(b"{") + content.count(b'"') > _MAX_PARTS:
        check.refuse("has more parts than any race", "file")
    try:
        raw = json.loads(content)
    except (ValueError, RecursionError) as error:
        check.refuse(f"is no JSON: {error}", "file")
    return check.mapping(raw, "race")


def _choice(
    check: _ChoiceCheck, table: Mapping[str, Any], bundle: Bundle, root: Path
) -> Choice | None:
    """Hold the file against bundle and board; keys that no device acts on are passed over."""
    if table.get("schema") != SCHEMA:
        check.refuse(f"schema {str(table.get('schema'))[:60]!r} is not understood", "file")
    digest = check.text(check.mapping(table.get("bundle"), "bundle"), "digest")
    if digest != bundle.digest:
        check.refuse(
            f"was measured with another bundle ({digest[:12]}..., here is {bundle.digest[:12]}...)",
            "bundle",
        )
    there, here = _board(check, table.get("board")), Board.here(root)
    if there.kind != here.kind:
        check.refuse(
            f"was measured on another board ({_said(there)}, this is {_said(here)})", "board"
        )
    allowed = hardware.cores(System(root))[1]
    chosen = {
        check.one_of({"choice": task}, "choice", TASKS): _chosen(check, raw, task, bundle)
        for task, raw in check.mapping(table.get("choice"), "choice").items()
    }
    many = any(one.threads > allowed for one in chosen.values())
    return Choice(
        date=check.text({"date": "", **table}, "date", empty=True),
        chosen={
            task: Chosen(one.engine, one.precision, min(one.threads, allowed))
            for task, one in chosen.items()
        },
        remarks=(
            *_doubts(check, table),
            *_changes(there, here),
            *([f"it chose more threads than the {allowed} cores that are here"] if many else []),
        ),
    )


def _board(check: _ChoiceCheck, raw: object) -> Board:
    table = check.mapping(raw, "board")
    return Board(
        name=check.text(table, "name", empty=True),
        processor=check.text(table, "processor", empty=True),
        architecture=check.text(table, "architecture", empty=True),
        cores=check.integer(table, "cores", 1, 100_000),
        power_mode=check.text(table, "power_mode", empty=True),
    )


def _chosen(check: _ChoiceCheck, raw: object, task: str, bundle: Bundle) -> Chosen:
    table = check.mapping(raw, task)
    chosen = Chosen(
        engine=check.one_of(table, "engine", tuple(MADE_FOR)),
        precision=check.one_of(table, "precision", PRECISIONS),
        threads=check.integer(table, "threads", 1, MAX_THREADS),
    )
    try:
        bundle.artefact(task, chosen.made_for, chosen.precision)
    except BundleError as error:
        check.fail(f"choice.{task}", error.what)
    return chosen


def _doubts(check: _ChoiceCheck, table: Mapping[str, Any]) -> list[str]:
    """Return why the race said of itself that its figures may be those of something else."""
    reasons = check.items(table.get("invalid", []), "invalid", 0, _MAX_REASONS)
    return [
        f"it was measured under a shadow: {check.text({'invalid': reason}, 'invalid', most=500)}"
        for reason in reasons
    ]


def _changes(there: Board, here: Board) -> list[str]:
    """Return what a setting has changed since; the order of the ways mostly outlives it."""
    changes = []
    if there.power_mode != here.power_mode:
        modes = f"{there.power_mode or 'unknown'}, and it is {here.power_mode or 'unknown'} now"
        changes.append(f"it was measured in the power mode {modes}: race again")
    if there.cores != here.cores:
        changes.append(f"it was measured with {there.cores} cores, and {here.cores} are on now")
    return changes


def _said(board: Board) -> str:
    return " ".join(part for part in board.kind if part)
