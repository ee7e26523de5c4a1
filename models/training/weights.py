"""Weights on disk: safetensors, float16, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import nn

from edge.files import write_whole
from export.importers.weights import QUANTISATION_AWARE, TRAINING

__all__ = ["load_state", "save_state"]

#: What ``qat`` observes.
_ROUNDED = ("rounding.least", "rounding.greatest")
#: Ends of names that take no part in inference.
_PASSING = ("num_batches_tracked", *_ROUNDED)


def save_state(net: nn.Module, path: Path) -> None:
    """Write the network's tensors, floating ones as float16 to keep the project small.

    The file says by itself whether they were trained under the rounding of INT8: what export
    tells of them must not rest on somebody's memory.
    """
    state = net.state_dict()
    tensors = {
        name: (value.half() if value.dtype.is_floating_point else value).detach().cpu().contiguous()
        for name, value in state.items()
        if not name.endswith(_PASSING)
    }
    rounded = any(name.endswith(_ROUNDED) for name in state)
    write_whole(path, save(tensors, {TRAINING: QUANTISATION_AWARE} if rounded else None))


def load_state(net: nn.Module, path: Path) -> None:
    """Fill the network from a file of ``save_state``; every tensor must be there."""
    tensors = load_file(path)
    state = net.state_dict()
    for name in state:
        if not name.endswith(_PASSING):
            state[name] = tensors[name].to(torch.float32)
    net.load_state_dict(state)
