"""Random weights with which a network's activations neither vanish, explode nor stand still."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["count_parameters", "scale_weights"]

_LINEAR = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def scale_weights(network: nn.Module, inputs: tuple[Tensor, ...], *, seed: int = 0) -> None:
    """Give a network random weights whose layers' outputs are spread alike on these inputs.

    He's initialisation (2015), then one forward pass in which every layer is set by what it gives,
    as Salimans and Kingma start a training (2016, arXiv 1602.07868, section 3): each channel of a
    convolution is divided by its deviation and, where it has a bias, loses its mean. With biases of
    zero, as He leaves them, what ReLU lets through adds up to channels that hardly change from
    place to place, which a batch norm then blows up, rounding included; no training leaves a
    network so. A dense layer has too few values a channel for that and is divided by the deviation
    of all (the layer-sequential unit variance of Mishkin and Matas, 2016). Every batch norm takes
    the mean and variance that it sees, as training would leave them. The network is left in
    ``eval``.

    Args:
        network: changed in place.
        inputs: a batch for each input of the network; more than one picture, or a batch norm
            after pooling has no variance to take.
        seed: of the weights; the same seed gives the same weights.
    """
    generator = torch.Generator().manual_seed(seed)
    handles = []
    for layer in network.modules():
        if isinstance(layer, _LINEAR):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
            handles.append(layer.register_forward_hook(_to_unit_variance))
        elif isinstance(layer, _NORMS):
            handles.append(layer.register_forward_pre_hook(_take_statistics))
    network.eval()
    with torch.no_grad():
        network(*inputs)
    for handle in handles:
        handle.remove()


def count_parameters(network: nn.Module, *, norm_values: int) -> int:
    """Count a network's parameters.

    Args:
        network: whose.
        norm_values: 4 where a batch norm's mean and variance count, as in Keras; 2 where they
            do not, as in PyTorch.
    """
    count = sum(parameter.numel() for parameter in network.parameters())
    if norm_values == 4:
        norms = [layer for layer in network.modules() if isinstance(layer, _NORMS)]
        count += sum(2 * layer.num_features for layer in norms)
    return count


def _to_unit_variance(layer: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    if isinstance(layer, nn.Linear):
        deviation = output.std()
        layer.weight.data.div_(deviation)
        return output / deviation
    axes, channel = (0, 2, 3), (1, -1, 1, 1)
    mean, deviation = output.mean(axes), output.std(axes)
    # Transposed convolutions have the channels of their results second.
    first = (1, -1, 1, 1) if isinstance(layer, nn.ConvTranspose2d) else (-1, 1, 1, 1)
    layer.weight.data.div_(deviation.reshape(first))
    if layer.bias is None:
        return output / deviation.reshape(channel)
    layer.bias.data.copy_(-mean / deviation)
    return (output - mean.reshape(channel)) / deviation.reshape(channel)


def _take_statistics(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    (x,) = inputs
    axes = [axis for axis in range(x.ndim) if axis != 1]
    layer.running_mean.copy_(x.mean(axes))
    layer.running_var.copy_(x.var(axes, unbiased=False))
