"""Let one engine take several faces at once: the first dimension of its inputs becomes a range.

A bundle's file says 1 there, and names it nowhere else (``export.onnx_writer.leading``). The sizes
are opened after the file was read, so that a device needs nothing to edit it with, and TensorRT
works out anew what follows from them. Where it finds an operator that still means one face, the
engine is built for one.
"""

from __future__ import annotations

from typing import Any

__all__ = ["open_batch"]


def open_batch(builder: Any, network: Any, config: Any, most: int) -> int:
    """Open the first dimension of all inputs, with one optimisation profile.

    Args:
        builder, network, config: TensorRT's own; the network was read.
        most: faces at once; also what kernels are chosen for.

    Returns:
        ``most``; 1 where a layer does not allow more: then nothing was changed.
    """
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    shapes = [_shape(tensor) for tensor in inputs]
    if most == 1 or any(shape[:1] != (1,) for shape in shapes):
        return 1
    for tensor, shape in zip(inputs, shapes, strict=True):
        tensor.shape = (-1, *shape[1:])
    if not _is_open(network):
        for tensor, shape in zip(inputs, shapes, strict=True):
            tensor.shape = shape
        return 1
    profile = builder.create_optimization_profile()
    for tensor, shape in zip(inputs, shapes, strict=True):
        greatest = (most, *shape[1:])
        profile.set_shape(tensor.name, shape, greatest, greatest)
    config.add_optimization_profile(profile)
    return most


def _is_open(network: Any) -> bool:
    """Tell whether what is open goes through every layer, and out of all outputs."""
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        goes_in = any(_open(layer.get_input(i)) for i in range(layer.num_inputs))
        if goes_in and not all(_open(layer.get_output(i)) for i in range(layer.num_outputs)):
            return False
    return all(_open(network.get_output(index)) for index in range(network.num_outputs))


def _open(tensor: Any) -> bool:
    """Tell whether a tensor's first size, and no other, is open."""
    shape = () if tensor is None else _shape(tensor)
    return shape[:1] == (-1,) and -1 not in shape[1:]


def _shape(tensor: Any) -> tuple[int, ...]:
    """Return a shape; empty where TensorRT found none, whose length it says is -1."""
    try:
        return tuple(int(size) for size in tensor.shape)
    except ValueError:
        return ()
