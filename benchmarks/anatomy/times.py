"""How long each layer takes: an estimate, with its interval.

LiteRT's Python package hands out no profile of its operators. So the network is cut after every
layer, and a layer's time is what its copy takes longer than the one before. Both run in turns, so
that a clock that drifts meets both alike, and the clock is the processor's time of the one thread
that computes, which stands still while a neighbour has its turn; of several threads it is the
wall's. What the delegate computes
together with the next layer (a PAD with its convolution) counts for the one that completes it, and
the layer before may come out shorter than nothing: that is left as it is, so that the times still
add up to the whole.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.anatomy.base import Sample
from benchmarks.anatomy.cut import Cutter
from benchmarks.anatomy.graph import Graph, read_graph
from benchmarks.anatomy.runner import Runner, stored_inputs
from benchmarks.anatomy.tracer import made_of_inputs

__all__ = ["Span", "measure_times", "measure_whole", "quartile"]

#: Where an interpreter's memory happens to lie can cost a quarter of its time, so every copy is
#: opened anew in each pass over the layers.
_PASSES = 3
_ROUNDS = (3, 60)
#: Bytes of copies that are kept from one pass to the next.
_ROOM = 256 * 1024 * 1024
#: A neighbour only ever makes a run longer, so a low quantile tells more than the middle.
_SHARE = 0.25
#: 97.5 % quantile of the normal distribution; it stands for the binomial one of the ranks
#: (Conover, Practical Nonparametric Statistics, 1999, section 3.2).
_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Span:
    """Milliseconds, of one thread its processor time: lower quartile of the runs, 95 % interval."""

    ms: float
    low_ms: float
    high_ms: float

    def to_json(self) -> dict[str, float]:
        """Return the fields, to a tenth of a microsecond."""
        return {key: round(value, 4) for key, value in asdict(self).items()}


_NOTHING = Span(0.0, 0.0, 0.0)


def measure_times(
    content: bytes, sample: Sample, *, seconds: float, where: str, threads: int = 1
) -> tuple[Span, ...]:
    """Time every layer of a TFLite network.

    Args:
        content: the file.
        sample: real values to run it on; they matter little.
        seconds: to spend, about; at least nine runs a layer are made however long they take.
        where: the file's name, for messages.
        threads: of the interpreter.

    Returns:
        Of every operator, in the order of execution; they add up to the whole network's time.

    Raises:
        DataError: the file cannot be read, or the runtime refuses it.
    """
    graph = read_graph(content, where=where)
    fed = stored_inputs(graph, sample, where=where)
    copies = _Copies(Cutter(content, where=where), graph)
    computed = _computed(graph)
    whole = Runner(content, fed, where=where, threads=threads)
    rounds = _affordable(whole, len(graph.nodes), seconds)
    # Before the first layer there is nothing, and nothing takes no time.
    taken: list[list[float]] = [[0.0], *([] for _ in computed)]
    for _ in range(_PASSES):
        shorter = None
        for place, index in enumerate(computed, start=1):
            longer = Runner(copies.up_to(index), fed, where=where, threads=threads)
            for _ in range(rounds):
                taken[place].append(longer.run_ms())
                if shorter is not None:
                    taken[place - 1].append(shorter.run_ms())
            shorter = longer
    spans = itertools.pairwise(quartile(values) for values in taken)
    found = {index: _difference(*pair) for index, pair in zip(computed, spans, strict=True)}
    return tuple(found.get(node.index, _NOTHING) for node in graph.nodes)


class _Copies:
    """The network cut after each of its operators; of a large one there is no room for all."""

    def __init__(self, cutter: Cutter, graph: Graph) -> None:
        self._cutter, self._graph = cutter, graph
        self._kept: dict[int, bytes] = {}
        self._room = _ROOM

    def up_to(self, index: int) -> bytes:
        """Return the copy that ends with an operator."""
        if index in self._kept:
            return self._kept[index]
        copy = self._cutter.cut(_alive(self._graph, index + 1), operators=index + 1)
        if len(copy) <= self._room:
            self._room -= len(copy)
            self._kept[index] = copy
        return copy


def measure_whole(content: bytes, sample: Sample, *, seconds: float, where: str) -> Span:
    """Time a whole TFLite network.

    Args:
        content, sample, where: as in ``measure_times``.
        seconds: to spend, about.

    Raises:
        DataError: the file cannot be read, or the runtime refuses it.
    """
    fed = stored_inputs(read_graph(content, where=where), sample, where=where)
    whole = Runner(content, fed, where=where)
    rounds = _affordable(whole, 1, _PASSES * seconds)
    return quartile([whole.run_ms() for _ in range(rounds)])


def quartile(values: Sequence[float]) -> Span:
    """Return the lower quartile and the 95 % interval of it that the values' ranks give."""
    ordered = np.sort(np.asarray(values, np.float64))
    n, last = len(ordered), len(ordered) - 1
    half = _Z95 * math.sqrt(n * _SHARE * (1 - _SHARE))
    low, high = math.floor(n * _SHARE - half), math.ceil(n * _SHARE + half)
    return Span(
        float(np.quantile(ordered, _SHARE)),
        float(ordered[min(max(low, 0), last)]),
        float(ordered[min(max(high, 0), last)]),
    )


def _difference(before: Span, after: Span) -> Span:
    """Subtract two independent figures; the halves of their intervals add as squares."""
    ms = after.ms - before.ms
    below = math.hypot(after.ms - after.low_ms, before.high_ms - before.ms)
    above = math.hypot(after.high_ms - after.ms, before.ms - before.low_ms)
    return Span(ms, ms - below, ms + above)


def _computed(graph: Graph) -> list[int]:
    """Return the operators that run every time; weights are unpacked once."""
    flowing = set(made_of_inputs(graph))
    return [node.index for node in graph.nodes if flowing.intersection(node.outputs)]


def _alive(graph: Graph, end: int) -> list[int]:
    """Return what the first operators made that somebody still reads: a copy's outputs."""
    flowing = set(made_of_inputs(graph))
    made = dict.fromkeys(i for n in graph.nodes[:end] for i in n.outputs if i in flowing)
    wanted = {i for node in graph.nodes[end:] for i in node.inputs}
    wanted |= {index for _, index in graph.outputs}
    return [i for i in made if i in wanted] or list(made)[-1:]


def _affordable(whole: Runner, layers: int, seconds: float) -> int:
    """Return how many rounds fit a pass: a round runs half the network twice for each layer."""
    once = min(whole.run_ms() for _ in range(3)) / 1e3
    return int(np.clip(seconds / _PASSES / (max(once, 1e-6) * max(1, layers)), *_ROUNDS))
