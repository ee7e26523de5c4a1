"""Export every recipe of a folder into one bundle: load, lower, quantise, verify, write.

A step whose inputs did not change is skipped: what it made lies in the work folder under a digest
of everything that went into it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import benchmarks
import edge
from benchmarks.packs import Pack
from edge.bundle import Bundle
from edge.evidence import Evidence
from export.bundle import Proven, write_bundle
from export.cache import Cache, digest, digest_files, tool_versions
from export.calibrate import SAMPLES, sample_inputs
from export.card import Card, find_cards
from export.load import WEIGHTS, load_network
from export.lower import describe, lower
from export.quantise import Bytes, quantise
from export.verify import PEERS, Lowered, Peers, verify

__all__ = ["Made", "Settings", "make"]

#: What takes part in the numbers beside the recipe itself.
_TOOLS = ("torch", "litert-torch", "ai-edge-quantizer", "ai-edge-litert", "numpy")


@dataclass(frozen=True, slots=True)
class Settings:
    """What to export from what.

    Attributes:
        models: folder with one folder a recipe.
        data: folder of the data packs.
        work: folder for what the steps made.
        only: names of the recipes that go into the bundle; all if empty.
        limit: prove on at most so many pictures a network; None takes all.
    """

    models: Path
    data: Path
    work: Path
    only: tuple[str, ...] = ()
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """The bundle that was written and what each network was proven with."""

    path: Path
    bundle: Bundle
    networks: tuple[Proven, ...]


@dataclass(frozen=True, slots=True)
class _Pair:
    """A network in float and in INT8."""

    exact: Lowered
    artefact: Lowered


def make(out: Path, settings: Settings, *, say: Callable[[str], None] = lambda line: None) -> Made:
    """Export the recipes and write the bundle; nothing is written unless all pass.

    Args:
        out: folder of the bundle.
        settings: what to export from what.
        say: takes one line a step.

    Raises:
        EdgeError: a card, weights, data, a tool that is missing, or a gate.
    """
    wanted = find_cards(settings.models, settings.only)
    cards = _with_peers(wanted, find_cards(settings.models))
    pairs: dict[str, _Pair] = {}
    networks = []
    # The detector comes first: the others' faces are found with its artefact.
    for card in sorted(cards, key=lambda card: card.task != "detect"):
        pairs[card.task] = _Step(card, settings, say).build(pairs)
    with Peers({task: pair.artefact for task, pair in pairs.items()}) as peers:
        for card in wanted:
            evidence = _Step(card, settings, say).prove(pairs, peers)
            artefact = pairs[card.task].artefact
            networks.append(Proven(card, artefact.content, artefact.contract, evidence))
    tools = {"unveil-edge": edge.__version__, **tool_versions(*_TOOLS)}
    bundle = write_bundle(out, networks, name=out.name, tools=tools)
    say(f"bundle: {out}: {len(networks)} networks, "
        f"{sum(len(n.content) for n in networks) / 2**20:.1f} MiB")  # fmt: skip
    return Made(out, bundle, tuple(networks))


def _with_peers(wanted: list[Card], everyone: list[Card]) -> list[Card]:
    """Add the recipes that the wanted ones are calibrated and proven with."""
    tasks = {card.task for card in wanted}
    while more := {peer for task in tasks for peer in PEERS[task]} - tasks:
        tasks |= more
    return [card for card in everyone if card.task in tasks]


class _Step:
    """The steps of one recipe, each skipped where its inputs are those of the last time."""

    def __init__(self, card: Card, settings: Settings, say: Callable[[str], None]) -> None:
        self._card, self._settings, self._say = card, settings, say
        self._cache = Cache(settings.work / card.name)

    def build(self, made: dict[str, _Pair]) -> _Pair:
        """Load and lower, then calibrate and quantise."""
        card = self._card
        content = self._cached("lower", self._lower_key(), lambda: lower(load_network(card), card))
        exact = Lowered(f"{card.name} (float)", content, describe(content, card))
        detector = made.get("detect")

        def run() -> bytes:
            calibration, _ = self._inputs(exact, detector)
            return quantise(exact.content, exact.contract, calibration)

        content = self._cached("quantise", self._samples_key(exact, detector), run)
        return _Pair(exact, Lowered(f"{card.name} (INT8)", content, describe(content, card)))

    def prove(self, made: dict[str, _Pair], peers: Peers) -> Evidence:
        """Verify, and say the figures."""
        card, settings = self._card, self._settings
        pair, detector = made[card.task], made.get("detect")
        key = digest(
            self._samples_key(pair.exact, detector),
            pair.artefact.content,
            pair.artefact.contract.to_json(),
            card.evidence,
            Pack.open(settings.data / card.evidence.pack).digest(),
            settings.limit,
            [made[task].artefact.content for task in PEERS[card.task] if task in made],
        )

        def run() -> bytes:
            _, held_back = self._inputs(pair.exact, detector)
            evidence = verify(
                card, pair.exact, pair.artefact, held_back, peers, settings.data,
                limit=settings.limit,
            )  # fmt: skip
            return json.dumps(evidence.to_json()).encode()

        stored = json.loads(self._cached("verify", key, run))
        evidence = Evidence.from_json(stored, where=f"{settings.work}: {card.name}")
        self._say(
            f"{card.name}: {evidence.metric} {evidence.artefact_value:.4f} in INT8, "
            f"{evidence.float_value:.4f} in float, n {evidence.n}, {evidence.data}, "
            f"cosine {evidence.cosine_min}"
        )
        return evidence

    def _inputs(self, exact: Lowered, detector: _Pair | None) -> tuple[list[Bytes], list[Bytes]]:
        peers = Peers({"detect": detector.artefact} if detector else {})
        with peers:
            finder = peers.finder() if detector else None
            return sample_inputs(self._card, exact.contract, self._settings.data, finder)

    def _lower_key(self) -> str:
        card = self._card
        weights = card.folder / WEIGHTS
        return digest(
            weights.read_bytes() if weights.is_file() else b"",
            digest_files(Path(__file__).parent, "load.py", "lower.py"),
            # A network is built of its own file and of what recipes share.
            digest_files(card.folder.parent, "*.py", "*/net.py"),
            card.inputs,
            card.outputs,
            tool_versions(*_TOOLS),
        )

    def _samples_key(self, exact: Lowered, detector: _Pair | None) -> str:
        card, settings = self._card, self._settings
        return digest(
            exact.content,
            exact.contract.to_json(),
            card.calibration,
            Pack.open(settings.data / card.calibration.pack).digest(),
            self._samples_digest(),
            detector.artefact.content if detector and card.task != "detect" else b"",
            _source_digest(),
            tool_versions(*_TOOLS),
        )

    def _samples_digest(self) -> str:
        """Digest the recipe's own samples, and what recipes share to make them."""
        folder = self._card.folder
        if not (folder / SAMPLES).is_file():
            return ""
        return digest(digest_files(folder, SAMPLES), digest_files(folder.parent, "training/*.py"))

    def _cached(self, step: str, key: str, run: Callable[[], bytes]) -> bytes:
        kept = self._cache.get(step, key)
        if kept is not None:
            self._say(f"{self._card.name}: {step}: unchanged")
            return kept
        started = time.monotonic()
        content = run()
        self._cache.put(step, key, content)
        self._say(f"{self._card.name}: {step}: {time.monotonic() - started:.1f} s, "
                  f"{len(content) / 1024:.0f} KiB")  # fmt: skip
        return content


def _source_digest() -> str:
    """Digest the code of calibration and verification, and what they share with the device."""
    device = Path(edge.__file__).parent
    return digest(
        digest_files(device, "contract.py", "geometry.py", "engines/*.py", "stages/*.py"),
        digest_files(Path(benchmarks.__file__).parent, "*.py", "tasks/*.py"),
        digest_files(Path(__file__).parent, "calibrate.py", "quantise.py", "verify.py"),
    )
