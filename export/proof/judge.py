"""Judge the original and its artefacts on the network's task, each figure kept by content."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.faces import FaceFinder
from benchmarks.foreign.network import Trial
from benchmarks.foreign.paired import paired_points
from benchmarks.foreign.picture import Run
from benchmarks.packs import Pack
from export.cache import digest, digest_code
from export.making.steps import Say, Steps
from export.program.lowered import Lowered
from export.proof.engines import open_artefact
from export.proof.row import ORIGINAL, Tried
from export.proof.subject import Subject

__all__ = ["Judge", "Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How networks are proven.

    Attributes:
        data: folder of the data packs.
        work: folder for what the steps made.
        finder: finds the faces that networks read.
        finder_key: digest of the finder's network.
        limit: at most so many pictures or pairs a trial; None takes all.
        say: takes one line a step.
    """

    data: Path
    work: Path
    finder: FaceFinder
    finder_key: str
    limit: int | None
    say: Say


class Judge:
    """Judge one network.

    Args:
        subject: the network.
        settings: on what.
        steps: keep the figures.
    """

    def __init__(self, subject: Subject, settings: Settings, steps: Steps) -> None:
        self._subject, self._settings, self._steps = subject, settings, steps
        code = digest_code(
            *(f"benchmarks/{part}.py" for part in ("faces", "figures", "metrics", "packs")),
            *("benchmarks/tasks/*.py", "benchmarks/foreign/*.py", "edge/geometry.py"),
        )
        self.key = digest(settings.finder_key, code)

    def trial(
        self, trial: Trial, artefacts: Sequence[tuple[str, Lowered]], *, paired: bool = False
    ) -> Tried:
        """Judge the original and every artefact.

        Args:
            trial: on what, by which figures.
            artefacts: by key, see ``Made.key``.
            paired: compare each artefact with the original picture by picture, too, where the
                trial can.

        Raises:
            MissingInput, DataError: the data pack cannot be read.
        """
        subject = self._subject
        pack = Pack.open(self._settings.data / trial.pack)

        def original() -> contextlib.AbstractContextManager[Run]:
            return contextlib.nullcontext(subject.original())

        opened: dict[str, tuple[str, _Opener]] = {ORIGINAL: (subject.original_key, original)}
        for name, lowered in artefacts:
            opener = partial(open_artefact, lowered, subject.pictures)
            opened[name] = (digest(lowered.content), opener)
        figures = {
            name: self._figures(trial, pack, name, content, opener)
            for name, (content, opener) in opened.items()
        }
        pairs = self._paired(trial, pack, opened) if paired and trial.outcomes else {}
        return Tried(str(figures[ORIGINAL]["data"]), trial.metrics, figures, pairs)

    def measure(self, trial: Trial, artefact: Lowered, *, limit: int) -> dict[str, Any]:
        """Judge one artefact, whatever was measured before; see ``Figures.to_json``.

        Args:
            trial: on what, by which figures.
            artefact: of the network.
            limit: at most so many pictures or pairs, and no more than the settings allow.

        Raises:
            MissingInput, DataError: the data pack cannot be read.
        """
        settings = self._settings
        pack = Pack.open(settings.data / trial.pack)
        most = min(limit, settings.limit or limit)
        with open_artefact(artefact, self._subject.pictures) as run:
            return trial.judge(run, pack, settings.finder, most).to_json()

    def _paired(
        self, trial: Trial, pack: Pack, opened: Mapping[str, tuple[str, _Opener]]
    ) -> dict[str, dict[str, list[float]]]:
        """Compare each artefact with the original on the very same pictures."""

        def look() -> bytes:
            outcomes = {}
            for name, (_, opener) in opened.items():
                with opener() as run:
                    assert trial.outcomes is not None, "who asks has seen that there are some"
                    outcomes[name] = trial.outcomes(run, pack, self._settings.limit)
            before = outcomes.pop(ORIGINAL)
            found = {name: paired_points(before, after) for name, after in outcomes.items()}
            return json.dumps(found).encode()

        contents = [(name, content) for name, (content, _) in opened.items()]
        key = digest(contents, pack.digest(), self._settings.limit, self.key)
        kept: dict[str, dict[str, list[float]]]
        kept = json.loads(self._steps.cached(f"{trial.pack}-paired", key, look))
        return kept

    def _figures(
        self, trial: Trial, pack: Pack, name: str, content: str, opener: _Opener
    ) -> dict[str, Any]:
        settings = self._settings

        def judge() -> bytes:
            with opener() as run:
                figures = trial.judge(run, pack, settings.finder, settings.limit).to_json()
            measured = ", ".join(f"{metric} {figures[metric]}" for metric in trial.metrics)
            settings.say(
                f"{self._subject.name}: {figures['data']}, {name}: {measured}, n {figures['n']}"
            )
            return json.dumps(figures).encode()

        key = digest(content, pack.digest(), settings.limit, self.key)
        step = f"{trial.pack}-{name.replace(' ', '-')}"
        kept: dict[str, Any] = json.loads(self._steps.cached(step, key, judge))
        return kept


_Opener = Callable[[], contextlib.AbstractContextManager[Run]]
