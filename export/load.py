"""Load a recipe's network: ``net.py`` by its path, then the weights beside it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from edge.errors import ConfigError, DataError, MissingInput
from export.card import Card

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["WEIGHTS", "load_module", "load_network"]

#: File of the weights beside a card.
WEIGHTS = "weights.safetensors"


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
    module = load_module(card.folder / "net.py")
    build = getattr(module, "build", None)
    if not callable(build):
        raise ConfigError(f"{card.folder / 'net.py'}: no function build()", code="recipe.build")
    network: nn.Module = build()
    network.load_state_dict(_read_weights(card.folder / WEIGHTS, network))
    return network.float().eval()


def _read_weights(path: Path, network: nn.Module) -> dict[str, Tensor]:
    """Read the weights and check them against the network, tensor by tensor."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise MissingInput(
            f"{path}: there are no weights",
            hint=f"train them with: edge-train {path.parent.name}",
            code="weights.missing",
        )
    try:
        stored = load_file(path)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path}: no safetensors file: {error}", code="weights.damaged") from error
    wanted = network.state_dict()
    # The counter of seen batches takes no part in inference, and recipes need not keep it.
    for name in wanted:
        if name.endswith("num_batches_tracked"):
            stored.setdefault(name, wanted[name])
    problems = [f"{n} is missing" for n in wanted if n not in stored]
    problems += [f"{n} is not in the network" for n in stored if n not in wanted]
    for name in wanted.keys() & stored.keys():
        have, want = tuple(stored[name].shape), tuple(wanted[name].shape)
        if have != want:
            problems.append(f"{name} has shape {list(have)} and the network {list(want)}")
        elif not torch.isfinite(stored[name].float()).all():
            problems.append(f"{name} holds values that are not finite")
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise DataError(f"{path}: {'; '.join(sorted(problems)[:3])}{more}", code="weights.fit")
    return stored
