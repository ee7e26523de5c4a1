"""The files of one ``convert``: one after the other, or several at a time."""

from __future__ import annotations

import argparse
import contextlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING

from edge.errors import EdgeError, UsageError
from export.cards.card import METHODS, Card
from export.cards.names import shorten
from export.cli.common import draw_inputs, picture_card
from export.making.artefacts import Inputs, Request
from export.making.conversion import convert_source, steps_of, write_conversion
from export.making.table import Row
from export.making.task import Task
from export.progress import Progress

if TYPE_CHECKING:
    from export.importers.source import Source
    from export.program.lowered import Lowered

__all__ = ["Job", "Result", "run_jobs"]

#: Layers at which two artefacts part, named.
_NAMED = 3
#: What the process at home is told: a line; None for a step that is over; "" for the end.
_Told = Queue[str | None]


@dataclass(frozen=True, slots=True)
class Job:
    """One file and what is wanted of it.

    Attributes:
        options: of the command.
        path: of the file.
        card: what its tensors mean; None for a bare file.
        wanted: format and precision of each artefact.
    """

    options: argparse.Namespace
    path: Path
    card: Card | None
    wanted: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """Name of the network."""
        return self.card.name if self.card else self.path.stem

    @property
    def source(self) -> Source:
        """The network.

        Raises:
            EdgeError: there is none, or it is none that is read.
        """
        from export.importers.source import find_source

        return find_source(self.path, card=self.card, size_hw=self.options.imgsz)

    @property
    def request(self) -> Request:
        """What is wanted."""
        options, card = self.options, self.card
        return Request(
            wanted=self.wanted,
            method=options.method or (card.calibration.method if card else METHODS[0]),
            opset=options.opset,
            equalise=options.equalise,
            correct=options.correct_bias,
            min_db=options.min_db,
            max_points=options.max_drop,
        )

    @property
    def task(self) -> Task | None:
        """What the artefacts are proven on; None where the data at hand is no such pack."""
        options, card = self.options, self.card
        if card is None or options.data is None or not card.evidence.pack:
            return None
        if not (options.data / card.evidence.pack).is_dir():
            return None
        return Task(options.data, options.limit)

    @property
    def steps(self) -> int:
        """How many steps it takes."""
        return steps_of(self.request, self.task)

    def inputs(self, exact: Lowered) -> Inputs:
        """Draw what is calibrated with and what is compared on.

        Raises:
            EdgeError: there is too little, or nobody says what it means.
        """
        options, card = self.options, self.card
        if card is not None and (options.colour, options.mean, options.std) != (None,) * 3:
            raise UsageError(
                f"{card.folder / 'model.toml'}: says what the pictures of {self.path} mean",
                hint="leave --colour, --mean and --std out, or change the card",
                code="convert.pictures",
            )
        if options.data is None:
            return Inputs()
        if card is not None and (options.data / card.calibration.pack / "images.npz").is_file():
            return self._of_recipe(card, exact)
        pictures = () if card else picture_card(options, exact)
        told = exact.told(pictures) if pictures else exact
        drawn = draw_inputs(options, told, method=self.request.method)
        return Inputs(drawn.samples, drawn.held_back, pictures, drawn.manifest)

    def _of_recipe(self, card: Card, exact: Lowered) -> Inputs:
        """Draw the inputs that the card names, faces found with the detector that ships."""
        from export.calibration.calibrate import sample_inputs
        from export.gate.peers import Peers, shipped

        with Peers(shipped(["detect"]) if card.task != "detect" else {}) as peers:
            finder = peers.finder() if card.task != "detect" else None
            drawn = sample_inputs(card, exact.contract, self.options.data, finder)
        return Inputs(drawn.samples, drawn.held_back, (), drawn.manifest)


@dataclass(frozen=True, slots=True)
class Result:
    """One file: its record and its rows, or why there are none."""

    path: Path
    record: dict[str, object]
    rows: tuple[Row, ...]
    problem: str = ""
    exit_code: int = 0


def run_jobs(jobs: Sequence[Job], at_once: int, progress: Progress) -> list[Result]:
    """Convert files; what is wrong with one leaves the others alone.

    Args:
        jobs: one a file.
        at_once: how many at one time.
        progress: is told of every step.
    """
    progress.expect(sum(job.steps for job in jobs))
    if at_once == 1 or len(jobs) == 1:
        return [_convert(job, progress) for job in jobs]
    context = get_context("spawn")
    with context.Manager() as manager:
        told: _Told = manager.Queue()
        # A process of its own for each: the converters are not made for threads.
        with (
            _listening(told, progress),
            ProcessPoolExecutor(at_once, mp_context=context) as pool,
        ):
            futures: list[Future[Result]] = [pool.submit(_apart, job, told) for job in jobs]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _convert(job: Job, progress: Progress) -> Result:
    """Convert one file; what is wrong with it is its result."""
    try:
        done = convert_source(
            job.source,
            job.request,
            inputs=job.inputs,
            task=job.task,
            work=job.options.work / "convert",
            say=progress,
        )
        write_conversion(done, job.options.out)
        for layer in done.agreement[:_NAMED]:
            progress(
                f"{done.source.name}: TFLite and ONNX in INT8 part at {shorten(layer.name, 60)}: "
                f"{layer.mutual_db:.1f} dB between them, {layer.lost_db:.1f} dB lost there"
            )
    except EdgeError as error:
        return Result(job.path, {}, (), str(error), error.exit_code)
    return Result(job.path, done.to_json(), done.rows)


class _Far(Progress):
    """Tell a process at home how far it is."""

    def __init__(self, told: _Told) -> None:
        super().__init__(told.put)
        self._told, self._counted = told, 0

    def _draw(self) -> None:
        if self.done > self._counted:
            self._counted = self.done
            self._told.put(None)


def _apart(job: Job, told: _Told) -> Result:
    return _convert(job, _Far(told))


@contextlib.contextmanager
def _listening(told: _Told, progress: Progress) -> Iterator[None]:
    """Hand on what other processes tell, until they are done."""

    def listen() -> None:
        while (said := told.get()) != "":
            if said is None:
                with progress.step(""):
                    pass
            else:
                progress(said)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield
    finally:
        told.put("")
        thread.join()
