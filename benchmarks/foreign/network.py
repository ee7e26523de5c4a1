"""What is said about a stranger's network: its file, its input, how it is judged and fed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.faces import FaceFinder
from benchmarks.figures import Figures
from benchmarks.foreign.paired import Outcomes
from benchmarks.foreign.picture import Arrays, Picture, Run
from benchmarks.packs import Pack
from edge.frames import Frame

__all__ = ["Absent", "Feed", "Network", "Trial", "shuffled_frames"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One judgement of a network.

    Attributes:
        pack: folder of the data pack; its test pictures are judged.
        metrics: figures that must not fall, the first is the headline; a lower ``nme`` is better.
        judge: measures; takes the network, the pack, what finds faces for it, and how many
            pictures or pairs at most.
        outcomes: says what came of each picture, so that two networks can be compared on the same
            ones; takes the network, the pack and how many pictures at most. None where that has
            no use.
        tuning: the same judgement on training pictures, for choices that must not be made on those
            that prove a network; may be None.
    """

    pack: str
    metrics: tuple[str, ...]
    judge: Callable[[Run, Pack, FaceFinder, int | None], Figures]
    outcomes: Callable[[Run, Pack, int | None], Outcomes] | None = None
    tuning: Trial | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """Training pictures as a network's inputs, for calibration.

    Attributes:
        pack: folder of the data pack.
        split: never the one that is judged on.
        prepare: turns a picture into inputs.
    """

    pack: str
    split: str
    prepare: Callable[[Frame, Pack, FaceFinder], Arrays]

    def inputs(self, data: Path, finder: FaceFinder) -> Iterator[Arrays]:
        """Yield the inputs of all pictures, in an order of no meaning.

        Args:
            data: folder of the data packs.
            finder: finds the faces that the network reads.

        Raises:
            MissingInput, DataError: the pack cannot be read.
        """
        pack = Pack.open(data / self.pack)
        for frame in shuffled_frames(pack, self.split):
            yield self.prepare(frame, pack, finder)


@dataclass(frozen=True, slots=True)
class Network:
    """A network that nobody here made.

    Attributes:
        name: short, of this project.
        file: below the folder of all weights.
        sha256: of that file; another file is another network.
        licence: of its weights, as its source says.
        picture: its one input.
        trials: how it is judged.
        feeds: what it is calibrated with, in turn; none for a file that is not converted.
        open_size: the file leaves height and width open, and they are the picture's.
        stays: why the file is measured as it is and not converted; may be empty.
    """

    name: str
    file: str
    sha256: str
    licence: str
    picture: Picture
    trials: tuple[Trial, ...]
    feeds: tuple[Feed, ...] = ()
    open_size: bool = False
    stays: str = ""

    def inputs(self, data: Path, finder: FaceFinder, count: int) -> Iterator[Arrays]:
        """Yield inputs made of training pictures, the feeds in turn.

        Args:
            data: folder of the data packs.
            finder: finds the faces that the network reads.
            count: at most so many in all.

        Raises:
            MissingInput, DataError: a pack cannot be read.
        """
        streams = [feed.inputs(data, finder) for feed in self.feeds]
        turns = itertools.chain.from_iterable(itertools.zip_longest(*streams))
        return itertools.islice((inputs for inputs in turns if inputs is not None), count)


@dataclass(frozen=True, slots=True)
class Absent:
    """A network that was looked for and is not to be had: its row in a table stays empty.

    Attributes:
        name, summary: of the network.
        reason: why there is nothing to measure.
    """

    name: str
    summary: str
    reason: str


def shuffled_frames(pack: Pack, split: str) -> Iterator[Frame]:
    """Yield the pictures of a split, each once, in an order of no meaning."""
    rows: Mapping[str, object] = {row["file"]: row for row in pack.rows(split or None)}
    names = list(rows)
    for i in np.random.default_rng(0).permutation(len(names)):
        yield Frame(pack.image(names[int(i)]), 0, 0, f"{pack.folder}/{names[int(i)]}")
