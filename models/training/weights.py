"""Weights on disk: safetensors, float16, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import nn

from edge.files import write_whole

__all__ = ["load_state", "save_state"]

#: Ends of names that take no part in inference: what batch norm and ``qat`` count and observe.
_PASSING = ("num_batches_tracked", "rounding.least", "rounding.greatest")


def save_state(net: nn.Module, path: Path) -> None:
    """Write the network's tensors, floating ones as float16 to keep the project small."""
    tensors = {
        name: (value.half() if value.dtype.is_floating_point else value).detach().cpu().contiguous()
        for name, value in net.state_dict().items()
        if not name.endswith(_PASSING)
    }
    write_whole(path, save(tensors))


def load_state(net: nn.Module, path: Path) -> None:
    """Fill the network from a file of ``save_state``; every tensor must be there."""
    tensors = load_file(path)
    state = net.state_dict()
    for name in state:
        if not name.endswith(_PASSING):
            state[name] = tensors[name].to(torch.float32)
    net.load_state_dict(state)
