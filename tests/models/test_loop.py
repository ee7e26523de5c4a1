"""A run that was broken off ends where an unbroken one ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch: make test-export")

from models.training.loop import Plan, Recipe, train  # noqa: E402
from models.training.weights import load_state, save_state  # noqa: E402


class _Lines:
    """Points on a line with noise; ``make`` gives x and y."""

    def epoch(self, rng: np.random.Generator) -> np.ndarray:
        return rng.permutation(32)

    def make(self, index: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        x = np.float32([index / 32, rng.normal(0, 0.1)])
        return x, np.float32([2 * x[0]])


def _recipe(epochs: int) -> Recipe:
    torch.manual_seed(1)
    return Recipe(
        net=torch.nn.Linear(2, 1),
        plan=Plan(epochs=epochs, batch=8, lr=0.05),
        samples=_Lines(),
        loss=lambda net, batch: (net(batch[0]) - batch[1]).pow(2).mean(),
        judge=lambda net: {"bias": float(net.bias)},
    )


def _quiet(line: str) -> None:
    assert line


def test_resuming_gives_the_same_weights(tmp_path: Path) -> None:
    whole = tmp_path / "whole.safetensors"
    train(_recipe(4), run=tmp_path / "a", out=whole, say=_quiet)

    class _Stop(Exception):
        pass

    def stop(line: str) -> None:
        if line.startswith("epoch 2/4  "):
            raise _Stop

    parts = tmp_path / "parts.safetensors"
    with pytest.raises(_Stop):
        train(_recipe(4), run=tmp_path / "b", out=parts, say=stop)
    train(_recipe(4), run=tmp_path / "b", out=parts, say=_quiet)
    assert parts.read_bytes() == whole.read_bytes()
    log = (tmp_path / "b" / "log.csv").read_text().splitlines()
    assert log[0] == "epoch,loss,bias" and len(log) == 5
    assert (tmp_path / "b" / "curve.png").stat().st_size > 500


def test_weights_come_back_as_float16_kept_them(tmp_path: Path) -> None:
    net, again = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    save_state(net, tmp_path / "w.safetensors")
    load_state(again, tmp_path / "w.safetensors")
    assert torch.equal(again.weight, net.weight.half().float())
