"""Quantisation-aware fine-tuning: a trained network goes on with the rounding that export will do.

Every call of the network is watched, operator by operator. Weights are rounded to int8 a channel
and activations to int8 a tensor, in the places where the exported file stores int8, so that the
loss sees what INT8 costs; gradients pass the rounding as if it were not there (Bengio et al. 2013)
and stop where a value is cut off (Jacob et al. 2018). Batch norm is frozen: it is a factor a
channel then, and rounding a channel's weights before or after that factor is the same.

The weights keep their names and stay float: the ordinary export quantises them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edge.errors import ConfigError
from export.importers.weights import read_weights
from models.blocks import BytesIn
from models.training.loop import Recipe, batches
from models.training.rounding import PICTURES, Rounding

__all__ = ["EPOCHS", "fine_tune", "observing", "prepare"]

#: Epochs by budget, and the highest rate against that of the first training.
EPOCHS = {"smoke": 1, "small": 2, "full": 6}
_RATE = 0.02

_METHODS = ("forward", "logits")


def fine_tune(recipe: Recipe, weights: Path, *, budget: str, seed: int = 1) -> Recipe:
    """Return a recipe that goes on from trained weights with the rounding of INT8.

    Loss, samples and figures are the recipe's own; its figures are those of the rounded network.

    Args:
        recipe: of the first training.
        weights: that it ended with.
        budget: a key of ``EPOCHS``.
        seed: of the examples that the ranges begin with.

    Raises:
        MissingInput, DataError: the weights are not there or do not fit.
        ConfigError: the network has an operator whose rounding is not known.
    """
    net = recipe.net
    net.load_state_dict(read_weights(weights, net))
    prepare(net)
    plan = recipe.plan
    order = recipe.samples.epoch(np.random.default_rng([seed, 0]))[:PICTURES]
    with observing(net):
        for batch in batches(recipe.samples, order, min(plan.batch, len(order)), seed, 0, "cpu"):
            recipe.loss(net, batch)
    plan = replace(plan, epochs=EPOCHS[budget], lr=plan.lr * _RATE, warmup=0.1, judge_every=1)
    return replace(recipe, plan=plan)


def prepare(net: nn.Module) -> None:
    """Let a network round in every call from now on; its ranges must be observed first.

    Args:
        net: a ``BytesIn``: bytes as real values ``(byte - 128) / 128``, which int8 holds exactly.
            If the network within has a method ``logits``, that rounds as well.

    Raises:
        ConfigError: it is another network.
    """
    if not isinstance(net, BytesIn):
        raise ConfigError(
            f"{type(net).__name__}: no network that takes bytes",
            hint="wrap it in models.blocks.BytesIn",
            code="qat.network",
        )
    inner = net.net
    net.rounding = Rounding()
    # Not as a module within the network: a sequence of layers would call it as one of them.
    inner.__dict__["rounding"] = net.rounding
    for name in _METHODS:
        method = getattr(type(inner), name, None)
        if method is not None:
            # A bound method goes along when the network is copied, and is bound to the copy.
            setattr(inner, name, MethodType(_rounded(method), inner))


@contextmanager
def observing(net: nn.Module) -> Iterator[None]:
    """Look at ranges in a prepared network's calls and round nothing, as calibration does."""
    rounding = net.get_submodule("rounding")
    was_training = net.training
    net.eval()
    rounding.is_observing = True
    try:
        with torch.no_grad():
            yield
    finally:
        rounding.is_observing = False
        net.train(was_training)


def _rounded(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def run(self: nn.Module, *inputs: Tensor) -> Any:
        rounding: Rounding = self.__dict__["rounding"]
        if rounding.is_running:
            return method(self, *inputs)
        if rounding.is_observing and method is not type(self).forward:
            # The whole forward has more places than the trainer's view of it, and the same first.
            with rounding.running(inputs[0]) as watch:
                result = type(self).forward(self, *inputs)
            watch.settle(result)
            return method(self, *inputs)
        with rounding.running(inputs[0]) as watch:
            result = method(self, *inputs)
        return watch.settle(result)

    return run
