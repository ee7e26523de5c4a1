"""Export every recipe of a folder into one bundle: load, lower, quantise, verify, write.

A step whose inputs did not change is skipped: what it made lies in the work folder under a digest
of everything that went into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import edge
from edge.bundle import Bundle
from export.bundles.write import Proven, write_bundle
from export.cache import tool_versions
from export.cards.card import Card, find_cards
from export.gate.peers import PEERS, Peers, shipped
from export.making.recipe import Network, Recipe, Settings
from export.making.steps import TOOLS, Say
from export.making.table import Row
from export.progress import Progress

__all__ = ["Made", "make", "plan"]


@dataclass(frozen=True, slots=True)
class Made:
    """The bundle that was written, what each network was proven with, and the table of all."""

    path: Path
    bundle: Bundle
    networks: tuple[Proven, ...]
    rows: tuple[Row, ...]


def make(out: Path, settings: Settings, *, say: Say = lambda line: None) -> Made:
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
    made: dict[str, Network] = {}
    # What a stranger's folder has no recipe for is taken from the bundle that everybody has.
    peers_of = {peer for card in cards for peer in PEERS[card.task]}
    others = shipped(peers_of - {card.task for card in cards})
    progress = Progress.of(say)
    every = {card.name: Recipe(card, settings, progress, made, others) for card in cards}
    recipes = [every[card.name] for card in wanted]
    progress.expect(sum(recipe.build_steps for recipe in every.values()))
    progress.expect(sum(recipe.prove_steps for recipe in recipes) + 1)
    # The detector comes first: the others' faces are found with its artefact.
    for card in sorted(cards, key=lambda card: card.task != "detect"):
        made[card.task] = every[card.name].build()
    with Peers({**others, **{task: network.int8 for task, network in made.items()}}) as peers:
        networks = [recipe.prove(peers) for recipe in recipes]
    with progress.step("time"):
        rows = [r for recipe, n in zip(recipes, networks, strict=True) for r in recipe.rows(n)]
    tools = {"unveil-edge": edge.__version__, **tool_versions(*TOOLS)}
    bundle = write_bundle(out, networks, name=out.name, tools=tools)
    say(f"bundle: {out}: {len(bundle.artefacts)} artefacts of {len(networks)} networks, "
        f"{sum(a.size for a in bundle.artefacts) / 2**20:.1f} MiB")  # fmt: skip
    return Made(out, bundle, tuple(networks), tuple(rows))


def plan(out: Path, settings: Settings) -> Iterator[str]:
    """Say what ``make`` would do, one line a file, and do nothing.

    Raises:
        MissingInput, ConfigError: the cards are wrong.
    """
    wanted = find_cards(settings.models, settings.only)
    for card in wanted:
        for format, precision in settings.wanted:
            yield f"{card.folder / card.source} -> {out / card.task}.{precision}.{format}"
    for card in _with_peers(wanted, find_cards(settings.models)):
        if card not in wanted:
            yield f"{card.folder / card.source}: only made for the proof of the others"


def _with_peers(wanted: list[Card], everyone: list[Card]) -> list[Card]:
    """Add the recipes that the wanted ones are calibrated and proven with."""
    tasks = {card.task for card in wanted}
    while more := {peer for task in tasks for peer in PEERS[task]} - tasks:
        tasks |= more
    return [card for card in everyone if card.task in tasks]
