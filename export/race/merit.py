"""How good a network is on one engine: by the bundle's evidence, or measured on this board."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from benchmarks.packs import Pack
from benchmarks.records import Merit
from edge.bundle import Artefact, Bundle
from edge.bundle_files import is_plain
from edge.errors import MissingInput
from edge.owned import Owned
from export.gate.peers import PEERS, Peers, as_lowered, shipped
from export.gate.tasks import DRAWN, judge
from export.program.lowered import ENGINES
from export.race.ways import Way

__all__ = ["Judge"]


class Judge(Owned):
    """Measures networks on the packs of their evidence.

    Args:
        bundle: with the networks; those that another one is judged together with are its own INT8
            ones, or the package's.
        data: folder of the packs; holds at least one that the bundle's evidence names.
        limit: at most so many pictures or pairs a network; None takes all.

    Raises:
        MissingInput: it holds none.
    """

    def __init__(self, bundle: Bundle, data: Path, *, limit: int | None) -> None:
        self._data, self._limit = data, limit
        tasks = {a.task for a in bundle.artefacts if self._pack(a).is_dir()} - set(DRAWN)
        if not tasks:
            named = sorted({self._pack(a).name for a in bundle.artefacts if a.task not in DRAWN})
            raise MissingInput(
                f"{data}: none of the packs is there that the evidence of {bundle.name} is of",
                hint=f"copy {' or '.join(named)} there, or leave out --data",
                code="race.data",
            )
        self.tasks = frozenset(tasks)
        needed = {peer for task in tasks for peer in PEERS[task]}
        peers = (bundle.artefact(task) for task in needed & set(bundle.tasks))
        own = {a.task: as_lowered(a) for a in peers if a.engine in ENGINES.values()}
        others = needed - set(own)
        self._peers = Peers({**(shipped(others) if others else {}), **own})

    def measure(self, way: Way) -> Merit:
        """Judge a way by the metric of its evidence.

        Args:
            way: whose task is one of ``tasks``.

        Raises:
            EdgeError: it does not run, or the pack cannot be read.
        """
        artefact, proof = way.artefact, way.artefact.evidence
        split = proof.data.partition("/")[2]
        with way.open() as engine:
            figures = judge(
                artefact.task,
                (engine, artefact.contract),
                self._peers,
                Pack.open(self._pack(artefact)),
                split="" if split == "all" else split,
                limit=self._limit,
            )
        measure = figures.measures.get(proof.metric)
        if measure is None or not math.isfinite(measure.value):
            raise MissingInput(
                f"{figures.data}: does not tell {proof.metric} of {artefact.file}",
                hint="give the packs that the bundle was proven on",
                code="race.metric",
            )
        return replace(
            Merit.stated(artefact.evidence),
            value=measure.value,
            ci95=measure.ci95,
            n=measure.n,
            data=figures.data,
        )

    def close(self) -> None:
        """Close the other networks; a second call does nothing."""
        self._peers.close()

    def _pack(self, artefact: Artefact) -> Path:
        """Return where the pack of an artefact's evidence would lie, always inside ``data``.

        A bundle may come from a stranger, and what its evidence says of its data is any text.
        """
        name = artefact.evidence.data.partition("/")[0]
        return self._data / (name if is_plain(name) else "unnamed")
