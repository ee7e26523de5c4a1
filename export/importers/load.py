"""Load a recipe's network: ``net.py`` by its path, then the weights beside it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from edge.errors import ConfigError, MissingInput
from export.cards.card import Card
from export.importers.weights import find_weights, read_weights

if TYPE_CHECKING:
    from torch import nn

__all__ = ["build_network", "load_module", "load_network"]


def load_module(path: Path) -> ModuleType:
    """Run a Python file of a recipe and return it as a module.

    A recipe is a program: export only recipes that you trust.

    Raises:
        MissingInput: there is no such file.
        ConfigError: it cannot be imported.
    """
    if not path.is_file():
        raise MissingInput(f"{path}: there is no such file", code="recipe.missing")
    spec = importlib.util.spec_from_file_location(f"_recipe_{path.parent.name}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path}: no Python file", code="recipe.import")
    module = importlib.util.module_from_spec(spec)
    # What recipes share lies beside them, in the package that is the folder of all recipes.
    home = str(path.resolve().parent.parent.parent)
    sys.path.append(home)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        # Whatever a stranger's file raises is its own fault, and is told as such.
        raise ConfigError(
            f"{path}: {type(error).__name__}: {error}", code="recipe.import"
        ) from error
    finally:
        sys.path.remove(home)
    return module


def load_network(card: Card) -> nn.Module:
    """Build a card's network with its trained weights, ready to be lowered.

    Returns:
        The module in float32 and in ``eval`` mode.

    Raises:
        MissingInput: ``net.py`` or the weights are not there.
        ConfigError: ``net.py`` has no ``build``.
        DataError: the weights do not fit the network, or are not finite.
    """
    network = build_network(card.folder / card.source)
    network.load_state_dict(read_weights(find_weights(card.folder), network))
    return network.float().eval()


def build_network(path: Path) -> nn.Module:
    """Run ``build()`` of a recipe's ``net.py``; its weights are whatever it begins with.

    Raises:
        MissingInput: there is no such file.
        ConfigError: it cannot be imported, or has no ``build`` that works.
    """
    build = getattr(load_module(path), "build", None)
    if not callable(build):
        raise ConfigError(f"{path}: no function build()", code="recipe.build")
    try:
        network: nn.Module = build()
    except Exception as error:
        raise ConfigError(
            f"{path}: build(): {type(error).__name__}: {error}", code="recipe.build"
        ) from error
    return network
