"""Measure the roofs and the networks in turns, then every layer of each network."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.anatomy.base import Sample
from benchmarks.anatomy.delegate import delegation
from benchmarks.anatomy.graph import Graph, read_graph
from benchmarks.anatomy.runner import Runner, stored_inputs
from benchmarks.anatomy.synthesis import PRECISIONS, convolution
from benchmarks.anatomy.times import Span, measure_times, quartile
from benchmarks.roofline.bandwidth import cache_sizes, measure_cache, measure_memory
from benchmarks.roofline.ceilings import SHAPES, Ceilings, Peak
from benchmarks.roofline.layers import Layer, by_kind, place

__all__ = ["Network", "Subject", "measure"]

#: The cache of one core, or of a few that share it, on every processor of the last years.
_CACHE_LEVEL = 2
#: A visit runs once to find its data again where the others had theirs, then so often for real.
_RUNS = 2
_ROUNDS = (8, 400)


@dataclass(frozen=True, slots=True)
class Subject:
    """A network that is to be placed.

    Attributes:
        task: of the bundle.
        file: its name in the bundle.
        content: the TFLite file.
    """

    task: str
    file: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Network:
    """A network under the roofs.

    Attributes:
        task, file: of the subject.
        time: of one run, measured in turns with the roofs.
        layers: in the order of execution; their times add up to the whole but for noise.
    """

    task: str
    file: str
    time: Span
    layers: tuple[Layer, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one run."""
        return sum(layer.macs for layer in self.layers)

    @property
    def moved_bytes(self) -> int:
        """Bytes that its layers must at least read and write."""
        return sum(layer.moved_bytes for layer in self.layers)

    @property
    def share_of_attainable(self) -> float:
        """Time that its arithmetic takes at the rates that dense convolutions attain, against the
        time it takes.
        """
        return sum(layer.attainable_ms for layer in self.layers) / self.time.ms

    @property
    def share_of_roof(self) -> float:
        """Time that its layers take at their roofs, against the time it takes."""
        return sum(layer.roof_ms for layer in self.layers) / self.time.ms

    def to_json(self) -> dict[str, object]:
        """Return the whole, sums by kind, and every layer."""
        return {
            "task": self.task,
            "file": self.file,
            "macs": self.macs,
            "bytes": self.moved_bytes,
            **self.time.to_json(),
            "gmacs_per_s": round(self.macs / self.time.ms / 1e6, 3),
            "share_of_attainable": round(self.share_of_attainable, 4),
            "share_of_roof": round(self.share_of_roof, 4),
            "kinds": [kind.to_json() for kind in by_kind(self.layers)],
            "layers": [layer.to_json() for layer in self.layers],
        }


def measure(
    subjects: Sequence[Subject],
    *,
    threads: int,
    counts: Sequence[int],
    seconds: float,
    tell: Callable[[str], None],
) -> tuple[Ceilings, tuple[Network, ...]]:
    """Measure everything.

    Args:
        subjects: TFLite networks.
        threads: of the runtime.
        counts: numbers of threads for the memory; ``threads`` is one of them.
        seconds: for the turns, and for the layers of each network, about.
        tell: takes a line of progress.

    Raises:
        DataError: a file cannot be read, or the runtime refuses it.
    """
    tell("bandwidth of memory and cache")
    memories = tuple(measure_memory(count) for count in counts)
    size = cache_sizes().get(_CACHE_LEVEL, 0)
    cache = measure_cache(size, threads) if size else None
    graphs = [read_graph(subject.content, where=subject.file) for subject in subjects]
    tell(f"attainable rates and {len(subjects)} networks in turns, about {seconds:.0f} s")
    peaks, wholes = _in_turns(subjects, graphs, threads, seconds)
    ceilings = Ceilings(threads, peaks, memories, cache, size)
    networks = []
    for number, (subject, graph, whole) in enumerate(zip(subjects, graphs, wholes, strict=True)):
        tell(f"layers of {subject.task}, {number + 1} of {len(subjects)}")
        spans = measure_times(
            subject.content, _sample(graph), seconds=seconds, where=subject.file, threads=threads
        )
        outside = {n.index for n in delegation(subject.content, where=subject.file).outside}
        layers = place(graph, spans, ceilings, outside=outside)
        networks.append(Network(subject.task, subject.file, whole, layers))
    return ceilings, tuple(networks)


def _in_turns(
    subjects: Sequence[Subject], graphs: Sequence[Graph], threads: int, seconds: float
) -> tuple[tuple[Peak, ...], tuple[Span, ...]]:
    """Run convolutions and networks in turns, forth and back, so that noise meets all alike."""
    tried = [(precision, shape) for precision in PRECISIONS for shape in SHAPES]
    files = [(convolution(shape, precision), f"{shape} {precision}") for precision, shape in tried]
    pairs = [(read_graph(content, where=name), content, name) for content, name in files]
    pairs += [(g, s.content, s.file) for g, s in zip(graphs, subjects, strict=True)]
    runners = [
        Runner(
            content,
            stored_inputs(graph, _sample(graph), where=name),
            where=name,
            threads=threads,
        )
        for graph, content, name in pairs
    ]
    spans = _take_turns(runners, seconds)
    peaks = [Peak(*what, span) for what, span in zip(tried, spans, strict=False)]
    return tuple(peaks), tuple(spans[len(tried) :])


def _take_turns(runners: Sequence[Runner], seconds: float) -> list[Span]:
    taken: list[list[float]] = [[] for _ in runners]
    least, most = _ROUNDS
    end = time.monotonic() + seconds
    rounds = 0
    while rounds < least or (rounds < most and time.monotonic() < end):
        order = list(zip(runners, taken, strict=True))
        for runner, values in order if rounds % 2 == 0 else reversed(order):
            runner.run_ms()
            values += [runner.run_ms() for _ in range(_RUNS)]
        rounds += 1
    return [quartile(values) for values in taken]


def _sample(graph: Graph) -> Sample:
    """Return zeros: how long a multiplication takes does not depend on its numbers."""
    return [np.zeros(graph.tensors[index].shape, np.float32) for _, index in graph.inputs]
