"""Run an exported program's operators, those of a list and no others.

PyTorch's own reader of ``.pt2`` files unpickles what it does not know, evaluates the file's shape
expressions and guards as Python, and looks operators up by any path below ``torch``. Here a file
names operators of ``OPERATORS`` and gives them numbers and tensors; nothing in it becomes code.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edge.errors import ConfigError, DataError

__all__ = ["OPERATORS", "ExportedNetwork", "Ref", "Step", "find_operator"]

#: ATen operators that compute tensors from tensors; the variants that write in place too.
OPERATORS = frozenset(
    """
    _adaptive_avg_pool2d _log_softmax _native_batch_norm_legit_no_training _softmax _to_copy
    _unsafe_view _upsample_nearest_exact2d abs adaptive_avg_pool1d adaptive_avg_pool2d
    adaptive_max_pool2d add addcdiv addcmul addmm alias amax amin any arange argmax argmin atan
    avg_pool1d avg_pool2d avg_pool3d baddbmm batch_norm bitwise_and bitwise_not bitwise_or
    bitwise_xor bmm cat ceil celu channel_shuffle chunk clamp clamp_max clamp_min clone
    constant_pad_nd contiguous conv1d conv2d conv_transpose2d convolution cos cross cumsum detach
    div dropout einsum elu embedding empty_like eq erf exp expand expand_as eye feature_dropout
    flatten flip floor floor_divide fmod full full_like gather ge gelu glu group_norm gt hardshrink
    hardsigmoid hardswish hardtanh im2col index index_select instance_norm isnan layer_norm le
    leaky_relu lerp lift_fresh_copy linalg_cross linalg_vector_norm linear linspace log log1p
    log_sigmoid log_sigmoid_forward log_softmax logical_and logical_not logical_or logical_xor
    logsumexp lt masked_fill matmul max max_pool2d max_pool2d_with_indices maximum mean min minimum
    mish mm movedim mul narrow native_batch_norm native_group_norm native_layer_norm ne neg new_full
    new_ones new_zeros norm ones ones_like pad permute pixel_shuffle pixel_unshuffle pow prelu prod
    reciprocal reflection_pad1d reflection_pad2d relu relu6 remainder repeat repeat_interleave
    replication_pad2d reshape reshape_as roll round rsqrt rsub scalar_tensor
    scaled_dot_product_attention select selu sigmoid sign silu sin slice softmax softplus softshrink
    split split_with_sizes sqrt square squeeze stack std std_mean sub sum sym_size t tanh threshold
    tile to topk transpose tril triu unbind unflatten unfold unsqueeze upsample_bicubic2d
    upsample_bilinear2d upsample_nearest2d var var_mean view view_as where zeros zeros_like
    """.split()
)
#: Sums with sizes that a program with open sizes carries along.
_SUMS: Mapping[str, Callable[..., Any]] = {
    f"_operator.{name}": getattr(operator, name)
    for name in "add sub mul floordiv mod neg truediv eq ne ge gt le lt".split()
}
_PREFIX = "torch.ops.aten."
#: Of one intermediate result; what is larger does not fit a TFLite file either.
_MAX_ELEMENTS = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ref:
    """A value that an earlier step made, by its name in the file."""

    name: str


@dataclass(frozen=True, slots=True)
class Step:
    """One operator with its arguments.

    Attributes:
        target: the operator's name in the file.
        call: the operator.
        positional, named: its arguments; a ``Ref`` stands for a value, also within lists.
        results: names of what it gives, in order; None for what nobody reads.
        several: it gives a list or a tuple, not one value.
        placed: it makes a tensor out of nothing and is told on which device.
    """

    target: str
    call: Callable[..., Any]
    positional: tuple[Any, ...]
    named: Mapping[str, Any]
    results: tuple[str | None, ...]
    several: bool
    placed: bool = False

    def run(self, values: dict[str, Any], device: torch.device) -> None:
        """Compute the results and put them to the other values."""
        named = {key: _resolve(value, values) for key, value in self.named.items()}
        if self.placed:
            named["device"] = device
        found = self.call(*(_resolve(value, values) for value in self.positional), **named)
        for name, value in zip(self.results, found if self.several else (found,), strict=True):
            if name is not None:
                values[name] = value


class ExportedNetwork(nn.Module):
    """A program's steps with its weights.

    Args:
        steps: in their order.
        weights: by their names in the steps.
        inputs, outputs: names in the steps, in the order of the arguments and results.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        weights: Mapping[str, Tensor],
        inputs: Sequence[str],
        outputs: Sequence[str],
    ) -> None:
        super().__init__()
        self._steps, self._inputs, self._outputs = tuple(steps), tuple(inputs), tuple(outputs)
        self._weights = {name: f"weight{i}" for i, name in enumerate(weights)}
        for name, key in self._weights.items():
            self.register_buffer(key, weights[name])

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Run all steps."""
        values = self._begin(inputs)
        for step in self._steps:
            step.run(values, inputs[0].device)
        return self._end(values)

    def names(self, operator: str) -> bool:
        """Tell whether a step is this operator, whichever its variant."""
        return any(step.target.startswith(f"{_PREFIX}{operator}.") for step in self._steps)

    def shapes(self, inputs: Sequence[tuple[int, ...]], *, where: str) -> list[tuple[int, ...]]:
        """Return the outputs' shapes for these inputs' without computing or allocating anything.

        Raises:
            ConfigError: a step does not take what it is given, or an output is no float32; it is
                named.
            DataError: a result is too large.
        """
        meta = torch.device("meta")
        samples = tuple(torch.empty(shape, device=meta) for shape in inputs)
        values = {
            name: value.to(meta) if isinstance(value, Tensor) else value
            for name, value in self._begin(samples).items()
        }
        for step in self._steps:
            # An operator raises whatever its arguments make it raise.
            try:
                step.run(values, meta)
            except Exception as error:
                reason = (str(error) or type(error).__name__).splitlines()[0][:200]
                raise ConfigError(
                    f"{where}: operator {step.target} ({step.results[0]}): {reason}",
                    code="source.operator",
                ) from error
            for name in step.results:
                value = values.get(name or "")
                if isinstance(value, Tensor) and value.numel() > _MAX_ELEMENTS:
                    raise DataError(
                        f"{where}: {name} has more than {_MAX_ELEMENTS} elements",
                        code="source.size",
                    )
        results = self._end(values)
        for name, result in zip(self._outputs, _several(results), strict=True):
            if result.dtype != torch.float32:
                raise ConfigError(
                    f"{where}: output {name!r} is {str(result.dtype).removeprefix('torch.')}",
                    hint="end the network before it: what picks one of many is done on the device",
                    code="source.operator",
                )
        return [tuple(r.shape) for r in _several(results)]

    def _begin(self, inputs: Sequence[Tensor]) -> dict[str, Any]:
        values: dict[str, Any] = dict(zip(self._inputs, inputs, strict=True))
        return values | {name: self.get_buffer(key) for name, key in self._weights.items()}

    def _end(self, values: Mapping[str, Any]) -> Tensor | tuple[Tensor, ...]:
        results = tuple(values[name] for name in self._outputs)
        return results[0] if len(results) == 1 else results


def _several(results: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return results if isinstance(results, tuple) else (results,)


def find_operator(target: str, *, where: str) -> tuple[Callable[..., Any], bool]:
    """Return the operator of this name in a file, and whether it is told on which device.

    Args:
        target: such as ``torch.ops.aten.conv2d.default``.
        where: the file and the node, for messages.

    Raises:
        ConfigError: it is not on the list.
    """
    if target in _SUMS:
        return _SUMS[target], False
    name, _, overload = target.removeprefix(_PREFIX).partition(".")
    if target.startswith(_PREFIX) and name.removesuffix("_") in OPERATORS:
        packet = getattr(torch.ops.aten, name, None)
        found = getattr(packet, overload, None)
        if isinstance(found, torch._ops.OpOverload):
            placed = any(argument.name == "device" for argument in found._schema.arguments)
            return found, placed
    raise ConfigError(
        f"{where}: operator {target} is not supported",
        hint="replace it in the network and export again",
        code="source.operator",
    )


def _resolve(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, Ref):
        return values[value.name]
    return [_resolve(item, values) for item in value] if isinstance(value, list) else value
