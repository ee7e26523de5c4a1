"""Take one recipe through every step: lower, calibrate, quantise, verify."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from benchmarks.figures import Figures
from benchmarks.packs import Pack
from edge.errors import GateFailed
from edge.evidence import CalibrationRecord, Evidence
from export.bundles.write import Proven, ProvenArtefact, artefact_file, summary
from export.cache import Cache, digest, digest_files
from export.calibration.calibrate import Calibrated, sample_inputs
from export.cards.card import Card
from export.gate.compare import Similarity, blamed, compare, prove
from export.gate.metric import figures_of
from export.gate.peers import PEERS, Peers
from export.importers.source import Source, find_source
from export.importers.weights import find_weights
from export.inspection.timing import medians_ms
from export.making.artefacts import Artefacts, Drawn, Request
from export.making.keys import samples_key
from export.making.mixing import within_points
from export.making.steps import OPSET, Say, Steps
from export.making.table import Row
from export.program.lowered import ENGINES, Lowered, random_inputs

__all__ = ["Network", "Recipe", "Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What to export from what.

    Attributes:
        models: folder with one folder a recipe.
        data: folder of the data packs.
        work: folder for what the steps made.
        only: names of the recipes that go into the bundle; all if empty.
        limit: prove on at most so many pictures a network; None takes all.
        wanted: format and precision of each artefact of a network.
        opset: of the ONNX files.
        equalise, correct, max_points: see ``export.making.artefacts.Request``.
    """

    models: Path
    data: Path
    work: Path
    only: tuple[str, ...] = ()
    limit: int | None = None
    wanted: tuple[tuple[str, str], ...] = (("tflite", "int8"),)
    opset: int = OPSET
    equalise: bool = False
    correct: bool = False
    max_points: float | None = None

    def request(self, card: Card) -> Request:
        """Return what is wanted of one recipe."""
        return Request(
            wanted=self.wanted,
            method=card.calibration.method,
            opset=self.opset,
            equalise=self.equalise,
            correct=self.correct,
            max_points=self.max_points,
        )


@dataclass(slots=True)
class Network:
    """What was made of one recipe so far; ``int8`` is all INT8, for the proof of the others."""

    exact: Lowered
    artefacts: Artefacts
    int8: Lowered
    figures: Figures | None = field(default=None)


class Recipe:
    """What is done with one recipe.

    Args:
        card: of the recipe.
        settings: what to export from what.
        say: takes one line a step.
        made: networks by task that were made before; the detector finds the others' faces.
        others: peers by task that are not made here.
    """

    def __init__(
        self,
        card: Card,
        settings: Settings,
        say: Say,
        made: dict[str, Network],
        others: Mapping[str, Lowered],
    ) -> None:
        self._card, self._settings, self._say = card, settings, say
        self._made, self._others = made, others
        self._steps = Steps(card.name, card, Cache(settings.work / card.name), say)
        self._request = settings.request(card)
        self._drawn: Calibrated | None = None
        self._artefacts: list[Lowered] = []

    @property
    def build_steps(self) -> int:
        """How many steps ``build`` takes."""
        return 3 + self._request.equalise + self._request.correct

    @property
    def prove_steps(self) -> int:
        """How many steps ``prove`` takes."""
        made = [pair for pair in self._request.wanted if pair != ("tflite", "fp32")]
        mixed = self._request.int8 and self._request.mixed
        # What is not made is proven all the same, and what was calibrated with is recorded.
        return mixed + len(made) + len(self._request.wanted) + 1

    def _peer(self, task: str) -> Lowered | None:
        network = self._made.get(task)
        return network.int8 if network else self._others.get(task)

    def build(self) -> Network:
        """Load and lower, then calibrate and quantise."""
        source = self._source
        exact = self._steps.lower(source.load, source.key)
        drawn = Drawn(lambda: self._inputs(exact).samples, self._samples_key(exact))
        artefacts = Artefacts(self._steps, exact, self._request, drawn, training=source.training)
        return Network(exact, artefacts, artefacts.artefact("tflite", "int8"))

    @property
    def _source(self) -> Source:
        return find_source(self._card.folder / self._card.source, card=self._card)

    def prove(self, peers: Peers) -> Proven:
        """Make and verify each wanted artefact, and say its figures."""
        return Proven(
            self._card,
            self._weights_sha256(),
            tuple(self._proven(peers)),
            self._calibration(),
        )

    def rows(self, proven: Proven) -> list[Row]:
        """Return the table's rows for what ``prove`` gave, timed in turns."""
        sample = random_inputs(self._made[self._card.task].exact)[0]
        times = medians_ms(self._artefacts, sample)
        return [
            Row(
                network=self._card.name,
                format=lowered.format,
                precision=lowered.precision,
                file=artefact_file(self._card, artefact),
                size=len(lowered.content),
                label=artefact.audit.label if artefact.audit else "",
                sqnr_db=artefact.evidence.sqnr_db or 0.0,
                cosine_min=artefact.evidence.cosine_min or 0.0,
                ms=ms,
                evidence=artefact.evidence,
                means=artefact.audit.means if artefact.audit else (),
            )
            for lowered, artefact, ms in zip(self._artefacts, proven.artefacts, times, strict=True)
        ]

    def _calibration(self) -> CalibrationRecord:
        """Return what the INT8 artefacts were calibrated with."""
        exact = self._made[self._card.task].exact
        stored = self._steps.cached(
            "record",
            self._samples_key(exact),
            lambda: json.dumps(self._inputs(exact).manifest.to_json()).encode(),
        )
        where = f"{self._settings.work}: {self._card.name}"
        return CalibrationRecord.from_json(json.loads(stored), where=where)

    def _weights_sha256(self) -> str:
        """Digest the trained weights, or the foreign file that holds them."""
        source = self._source
        path = find_weights(self._card.folder) if source.kind == "recipe" else source.path
        return (
            digest_files(path, "**/*") if path.is_dir() else sha256(path.read_bytes()).hexdigest()
        )

    def _proven(self, peers: Peers) -> Iterator[ProvenArtefact]:
        network = self._made[self._card.task]
        self._mix(network, peers)
        for format, precision in self._request.wanted:
            artefact = network.artefacts.artefact(format, precision)
            evidence = self._evidence(network, artefact, peers)
            self._artefacts.append(artefact)
            self._say(
                f"{artefact.where}: {evidence.metric} {evidence.artefact_value:.4f}, "
                f"{evidence.float_value:.4f} in float, n {evidence.n}, {evidence.data}, "
                f"cosine {evidence.cosine_min}"
            )
            means = network.artefacts.means if precision == "int8" else ()
            yield ProvenArtefact(
                ENGINES[format],
                precision,
                artefact.content,
                artefact.contract,
                evidence,
                summary(artefact.audit(), means),
            )

    def _mix(self, network: Network, peers: Peers) -> None:
        """Leave layers in float, if a limit was given."""
        points, settings = self._request.max_points, self._settings
        if points is None or not self._request.int8:
            return
        kept = within_points(
            network.artefacts,
            self._card,
            points,
            peers,
            settings.data,
            lambda: self._inputs(network.exact).held_back,
            limit=settings.limit,
            say=self._say,
        )
        network.artefacts.keep(kept)

    def _evidence(self, network: Network, artefact: Lowered, peers: Peers) -> Evidence:
        card, settings = self._card, self._settings
        key = digest(
            self._samples_key(network.exact),
            artefact.content,
            artefact.contract.to_json(),
            card.evidence,
            Pack.open(settings.data / card.evidence.pack).digest(),
            settings.limit,
            [peer.content for task in PEERS[card.task] if (peer := self._peer(task))],
        )

        def run() -> bytes:
            likeness = self._likeness(network, artefact)
            if network.figures is None:
                network.figures = figures_of(
                    card, network.exact, peers, settings.data, settings.limit
                )
            try:
                evidence = prove(
                    card, network.figures, artefact, likeness, peers, settings.data,
                    limit=settings.limit,
                )  # fmt: skip
            except GateFailed as error:
                samples = self._inputs(network.exact).held_back
                raise blamed(error, network.exact, artefact, samples) from error
            return json.dumps(evidence.to_json()).encode()

        step = f"verify-{artefact.format}-{artefact.precision}"
        stored = json.loads(self._steps.cached(step, key, run))
        return Evidence.from_json(stored, where=f"{settings.work}: {card.name}")

    def _likeness(self, network: Network, artefact: Lowered) -> Similarity:
        return compare(network.exact, artefact, self._inputs(network.exact).held_back)

    def _inputs(self, exact: Lowered) -> Calibrated:
        """Return what is calibrated with and what is compared on, made once."""
        if self._drawn is None:
            detector = self._peer("detect") if self._card.task != "detect" else None
            with Peers({"detect": detector} if detector else {}) as peers:
                finder = peers.finder() if detector else None
                self._drawn = sample_inputs(self._card, exact.contract, self._settings.data, finder)
        return self._drawn

    def _samples_key(self, exact: Lowered) -> str:
        detector = self._peer("detect") if self._card.task != "detect" else None
        return samples_key(self._card, exact, detector, self._settings.data)
