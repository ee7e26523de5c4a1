"""Round what a network computes as its INT8 file will, operator by operator while it runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from edge.errors import ConfigError
from export.quantisation.scales import FIXED

__all__ = ["PICTURES", "Rounding", "Watch", "round_weights"]

#: Pictures whose extremes make a range: as many as a card calibrates with.
PICTURES = 600
#: The least width of a range and of a channel's weights (ai-edge-quantizer takes no smaller one).
_LEAST = 1e-9

#: Operators with weights; the channels of the results are the weights' first axis.
_WEIGHTED = {"conv2d", "linear"}
_SUMS = {"add", "__add__", "__radd__", "sub", "__sub__", "mul", "__mul__", "__rmul__"}
_RELUS = {"relu", "relu6"}
#: Operators whose result has a range of its own.
_OWN = _WEIGHTED | _SUMS | _RELUS | {"adaptive_avg_pool2d", "cat", "mean"}
#: Operators whose kernel fixes the steps of the result.
_FIXED = {"sigmoid": FIXED["LOGISTIC"], "tanh": FIXED["TANH"], "softmax": FIXED["SOFTMAX"]}
#: Operators that only move values or choose among them: the steps stay those of the input.
_MOVES = set(
    "chunk clone contiguous dropout expand flatten interpolate max_pool2d narrow pad permute "
    "reshape split squeeze to transpose unbind unsqueeze view __getitem__".split()
)
#: What a network may be told of a tensor without reading it.
_ASKS = {"dim", "size", "numel", "stride", "is_contiguous", "is_floating_point", "__get__"}
_KNOWN = {"batch_norm"} | _OWN | set(_FIXED) | _MOVES


class Rounding(nn.Module):
    """The ranges of a network's activations, in the order in which a call comes by.

    In training they follow the batches: a range widens at once and shrinks slowly, so that it is
    near that of the extremes of the last few hundred pictures, which export takes.

    Attributes:
        least, greatest: float32 ``[places]``, real values.
        is_observing: widen the ranges and round nothing.
        is_running: a call is under way.
    """

    least: Tensor
    greatest: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("least", torch.zeros(0))
        self.register_buffer("greatest", torch.zeros(0))
        self.is_observing = False
        self.is_running = False

    @contextmanager
    def running(self, example: Tensor) -> Iterator[Watch]:
        """Round all that is computed inside, in float32: bfloat16 has no more digits than int8."""
        self.is_running = True
        try:
            watch = Watch(self)
            with torch.autocast(example.device.type, enabled=False), watch:
                yield watch
        finally:
            self.is_running = False

    def round(self, place: int, values: Tensor) -> Tensor:
        """Round the activation of a place, and let its range follow."""
        if place >= len(self.least) and not self.is_observing:
            raise RuntimeError("the network computes more than when its ranges were observed")
        if self.is_observing or self.training:
            self._follow(place, values.detach())
        if self.is_observing:
            return values
        return _round(values, self.least[place], self.greatest[place])

    def _follow(self, place: int, values: Tensor) -> None:
        low, high = values.aminmax()
        new = max(0, place + 1 - len(self.least))
        if new:
            self.least = F.pad(self.least, (0, new), value=torch.inf)
            self.greatest = F.pad(self.greatest, (0, new), value=-torch.inf)
        least, greatest = self.least[place], self.greatest[place]
        if not self.is_observing:
            share = min(1.0, len(values) / PICTURES)
            least.lerp_(low, share)
            greatest.lerp_(high, share)
        least.clamp_(max=low)
        greatest.clamp_(min=high)


class Watch(TorchFunctionMode):
    """One call of a network: sees every operator before it runs.

    Some results are ``open``: the converter merges the batch norm or the ReLU that follows into
    the operator, so they are rounded only when something else reads them.
    """

    def __init__(self, rounding: Rounding) -> None:
        super().__init__()
        self._rounding = rounding
        self._places = itertools.count()
        #: By identity: the tensor, which so outlives the call, its place, and what may be merged.
        self._open: dict[int, tuple[Tensor, int, set[str]]] = {}
        self._settled: dict[int, Tensor] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run one operator with the rounding that belongs to it."""
        name, kwargs = func.__name__, kwargs or {}
        if name in _ASKS:
            return func(*args, **kwargs)
        first = args[0] if args else None
        _, place, merged = self._open.get(id(first), (None, 0, set()))
        if name in merged:
            frozen = {"training": False} if name == "batch_norm" else {}
            result = func(*args, **{**kwargs, **frozen})
            return self._leave_open(result, place, set() if name in _RELUS else merged)
        args = self.settle(args)
        kwargs = {key: self.settle(value) for key, value in kwargs.items()}
        if not self._rounding.is_observing:
            args = _round_constants(name, args)
        result = func(*args, **kwargs)
        if not _is_real(result):
            return result
        if name in _OWN:
            return self._leave_open(result, next(self._places), _merged_into(name))
        if name in _FIXED:
            return result if self._rounding.is_observing else _round_fixed(name, result)
        if name in _MOVES and kwargs.get("mode", "nearest") in ("nearest", "constant"):
            return result
        raise ConfigError(
            f"the operator {name!r}: how it is rounded in INT8 is not known",
            hint=f"known are {', '.join(sorted(_KNOWN))}",
            code="qat.operator",
        )

    def settle(self, value: Any) -> Any:
        """Round what is still open in a tensor, or in the tensors of a list or a tuple."""
        if isinstance(value, (list, tuple)):
            return type(value)([self.settle(item) for item in value])
        if id(value) not in self._open:
            return value
        if id(value) not in self._settled:
            tensor, place, _ = self._open[id(value)]
            self._settled[id(value)] = self._rounding.round(place, tensor)
        return self._settled[id(value)]

    def _leave_open(self, result: Tensor, place: int, merged: set[str]) -> Tensor:
        self._open[id(result)] = (result, place, merged)
        return result


def _merged_into(name: str) -> set[str]:
    """Return what the converter merges into an operator when it follows."""
    if name in _WEIGHTED:
        return {"batch_norm"} | _RELUS
    return _RELUS if name in _SUMS else set()


def round_weights(weight: Tensor) -> Tensor:
    """Round weights to int8, one scale a channel of the first axis, -127 to 127."""
    axes = tuple(range(1, weight.ndim))
    scale = weight.detach().abs().amax(axes).clamp(min=_LEAST) / 127
    zero = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -127, 127)


def _round(values: Tensor, least: Tensor, greatest: Tensor) -> Tensor:
    """Round to int8 between two ends that hold zero (``export.quantisation.scales.steps_of``)."""
    least, greatest = least.clamp(max=0), greatest.clamp(min=0)
    scale = (greatest - least).clamp(min=_LEAST) / 255
    zero = torch.round(-128 - least / scale).to(torch.int32)
    return torch.fake_quantize_per_tensor_affine(values, scale, zero, -128, 127)


def _round_fixed(name: str, values: Tensor) -> Tensor:
    scale, zero = _FIXED[name]
    return torch.fake_quantize_per_tensor_affine(values, scale, zero, -128, 127)


def _round_constants(name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Round weights a channel, and a parameter that is added by its own ends."""
    if name in _WEIGHTED:
        return (args[0], round_weights(args[1]), *args[2:])
    if name in _OWN:
        return tuple(
            _round(arg, *arg.detach().aminmax()) if isinstance(arg, nn.Parameter) else arg
            for arg in args
        )
    return args


def _is_real(result: Any) -> bool:
    return isinstance(result, Tensor) and result.dtype.is_floating_point
