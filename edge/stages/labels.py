"""The labels of a network that tells kinds of faces apart, and the likeliest of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.contract import Contract
from edge.errors import BundleError

__all__ = ["Labels"]


class Labels:
    """What the logits of a contract say, once for each label there is one.

    Args:
        contract: with one output that means ``logits``.
        allowed: labels that the stage knows, or None if it knows any.

    Attributes:
        position: of the logits among the outputs.

    Raises:
        BundleError: labels and logits do not fit together.
    """

    def __init__(self, contract: Contract, allowed: tuple[str, ...] | None = None) -> None:
        self.position = contract.output("logits")
        self._names = contract.labels
        self._spec = contract.outputs[self.position]
        _check(contract, self._spec.shape[-1], allowed)
        self._temperature = np.float32(contract.temperature)
        #: Of each number that 8 bits can store: one look-up is less than three sums.
        self._logits = None
        if self._spec.dtype != "float32":
            self._logits = self._spec.to_real(self._spec.codes()) / self._temperature

    def likeliest(self, stored: NDArray[Any]) -> tuple[str, float]:
        """Return the label of the greatest logit and its probability.

        The softmax of logits over temperature (Guo et al. 2017, "On Calibration of Modern Neural
        Networks").

        Args:
            stored: the output as the engine gave it.
        """
        logits = self._real(stored.ravel())
        best = int(logits.argmax())
        power = np.exp(logits - logits[best])
        return self._names[best], float(power[best] / np.add.reduce(power))

    def _real(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Return float32 logits over temperature, in new memory."""
        if self._logits is None:
            return self._spec.to_real(stored) / self._temperature
        return self._logits[stored.view(np.uint8)]


def _check(contract: Contract, logits: int, allowed: tuple[str, ...] | None) -> None:
    labels = contract.labels
    unknown = [label for label in labels if allowed is not None and label not in allowed]
    if len(labels) != logits or len(set(labels)) != logits or unknown:
        raise BundleError(
            f"contract of {contract.network}: {logits} logits and the labels {list(labels)}",
            hint=f"the labels must be {', '.join(allowed)}" if allowed else "",
            code="contract.labels",
        )
