"""Lower a PyTorch network to a float TFLite file, channels last, and say what its tensors mean."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contract import Contract, TensorSpec
from edge.errors import ConfigError, UnavailableError
from export.card import Card, TensorCard

if TYPE_CHECKING:
    from torch import nn

__all__ = ["SIGNATURE", "describe", "lower", "lower_module", "quiet"]

#: The one signature that litert-torch writes; tensors are ``args_i`` and ``output_i``.
SIGNATURE = "serving_default"


def lower(network: nn.Module, card: Card) -> bytes:
    """Convert a recipe's network; see ``lower_module``."""
    shapes = [tensor.shape for tensor in card.inputs]
    return lower_module(network, shapes, where=str(card.folder / "net.py"))


def lower_module(network: nn.Module, shapes: Sequence[tuple[int, ...]], *, where: str) -> bytes:
    """Convert a PyTorch network to float TFLite.

    Two conversions of one network give the same bytes.

    Args:
        network: in ``eval`` mode; takes float32 tensors, pictures NHWC.
        shapes: of its inputs, in the order of its arguments.
        where: its file, for messages.

    Returns:
        The TFLite file, with the signature ``SIGNATURE``.

    Raises:
        UnavailableError: litert-torch is not installed.
        ConfigError: the network does not take such inputs, or cannot be converted.
    """
    try:
        with quiet():
            import litert_torch
            import torch

            from export.transposed import cut_transposed
    except ImportError as error:
        raise UnavailableError(
            f"lowering needs {error.name}",
            hint="pip install unveil-edge[export]",
            code="export.torch",
        ) from error
    samples = tuple(torch.zeros(shape) for shape in shapes)
    with tempfile.TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "float.tflite"
        try:
            legal = cut_transposed(network, samples)
            litert_torch.convert(legal, samples).export(str(path))
        except Exception as error:
            # The converter raises whatever torch.export and its own passes raise.
            raise ConfigError(
                f"{where}: cannot be lowered: {type(error).__name__}: {_first_line(error)}",
                code="export.lower",
            ) from error
        return path.read_bytes()


def describe(content: bytes, card: Card) -> Contract:
    """Write the contract of an artefact: meanings from the card, numbers from the file.

    Args:
        content: a TFLite file that was made from the card's network.
        card: what the tensors mean, in the order of the network's arguments and results.

    Raises:
        ConfigError: the file has other tensors than the card says.
    """
    from ai_edge_litert.interpreter import Interpreter

    with quiet():
        runner = Interpreter(model_content=content).get_signature_runner(SIGNATURE)
    return Contract(
        network=card.name,
        task=card.task,
        crop=card.crop,
        inputs=_specs(card, "inputs", card.inputs, runner.get_input_details()),
        outputs=_specs(card, "outputs", card.outputs, runner.get_output_details()),
        labels=card.labels,
        revision=card.revision,
        threshold=card.threshold,
        temperature=card.temperature,
    )


def _specs(
    card: Card, key: str, tensors: tuple[TensorCard, ...], details: dict[str, Any]
) -> tuple[TensorSpec, ...]:
    names = sorted(details, key=lambda name: int(name.rsplit("_", 1)[1]))
    shapes = [tuple(int(n) for n in details[name]["shape"]) for name in names]
    wanted = [tensor.shape for tensor in tensors]
    if shapes != wanted:
        raise ConfigError(
            f"{card.folder / 'model.toml'}: contract.{key}: the card says "
            f"{[list(s) for s in wanted]} and the network has {[list(s) for s in shapes]}",
            code="card.shape",
        )
    return tuple(
        _spec(name, tensor, details[name]) for name, tensor in zip(names, tensors, strict=True)
    )


def _spec(name: str, tensor: TensorCard, detail: dict[str, Any]) -> TensorSpec:
    dtype = np.dtype(detail["dtype"]).name
    scale, zero_point = (1.0, 0) if dtype == "float32" else detail["quantization"]
    return TensorSpec(
        name=name,
        meaning=tensor.meaning,
        shape=tensor.shape,
        dtype=dtype,
        scale=float(scale),
        zero_point=int(zero_point),
        colour=tensor.colour,
        stride=tensor.stride,
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else ""


class _Nowhere(io.TextIOBase):
    """A stream that forgets; it stays open for those who keep it, such as log handlers."""

    def write(self, text: str) -> int:
        return len(text)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the converter's chatter off the terminal: progress has one line a step.

    Its C++ part writes to the file descriptors themselves, so those are turned away as well.
    """
    nowhere = _Nowhere()
    with warnings.catch_warnings(), open(os.devnull, "wb") as null, contextlib.ExitStack() as stack:
        warnings.simplefilter("ignore")
        stack.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.WARNING)
        for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
            stream.flush()
            kept = os.dup(descriptor)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, descriptor)
            os.dup2(null.fileno(), descriptor)
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            yield
