"""The training loop of every recipe: seeded, resumable, with a log and a curve.

The same loop runs on two CPU cores and on a CUDA GPU, in bfloat16 arithmetic with float32
weights. What is kept is the moving average of the weights.
"""

from __future__ import annotations

import copy
import csv
import math
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.training.curve import draw_curve
from models.training.weights import save_state

__all__ = ["Batch", "Plan", "Recipe", "Samples", "batches", "real", "train"]

Batch = tuple[Tensor, ...]


class Samples(Protocol):
    """Training examples, each made anew every time it is asked for."""

    def epoch(self, rng: np.random.Generator) -> NDArray[np.intp]:
        """Return the indices of one epoch, in order."""
        ...

    def make(self, index: int, rng: np.random.Generator) -> tuple[NDArray[np.generic], ...]:
        """Return one example; all examples have the same shapes and dtypes."""
        ...


@dataclass(frozen=True)
class Plan:
    """How long and how hard.

    Attributes:
        epochs, batch: of the whole run, and pictures a step.
        lr: highest rate of AdamW, reached after ``warmup`` epochs, then a cosine down to 1 %.
        weight_decay: of convolutions and dense layers.
        average: decay of the moving average of the weights, a step.
        judge_every: epochs between two judgements on held-back data.
    """

    epochs: int
    batch: int
    lr: float
    weight_decay: float = 0.02
    warmup: float = 1.0
    average: float = 0.998
    judge_every: int = 1


@dataclass(frozen=True)
class Recipe:
    """Everything ``train`` needs to know about one network.

    Attributes:
        net: with its initial values.
        samples: of the training splits.
        loss: of one batch on one device.
        judge: figures on the validation split, by name.
        finish: a last exact change of the averaged weights before they are saved.
    """

    net: nn.Module
    plan: Plan
    samples: Samples
    loss: Callable[[nn.Module, Batch], Tensor]
    judge: Callable[[nn.Module], Mapping[str, float]]
    finish: Callable[[nn.Module], None] = lambda net: None


def real(pictures: Tensor) -> Tensor:
    """Turn uint8 bytes into the real values every network of ours is trained on."""
    return (pictures.float() - 128.0) / 128.0


def train(
    recipe: Recipe,
    *,
    run: Path,
    out: Path,
    device: str = "cpu",
    seed: int = 1,
    say: Callable[[str], None] = print,
) -> Mapping[str, float]:
    """Train to the end of the plan, or go on where an earlier run stopped.

    Args:
        recipe: what to train.
        run: folder for the state, ``log.csv`` and ``curve.png``.
        out: the weights file (safetensors, float16) written at the end and at every judgement.
        device: ``cpu`` or ``cuda``.
        seed: of the order and of every example; the initial values are the recipe's.
        say: receives one line an epoch.

    Returns:
        The last judgement.
    """
    run.mkdir(parents=True, exist_ok=True)
    plan, net = recipe.plan, recipe.net.to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(net).eval()
    optimiser = torch.optim.AdamW(_groups(net, plan.weight_decay), lr=plan.lr, betas=(0.9, 0.99))
    state_file = run / "state.pt"
    first, seen = _resume(state_file, net, average, optimiser) if state_file.exists() else (0, 0)
    figures: Mapping[str, float] = {}
    started = time.monotonic()
    for epoch in range(first, plan.epochs):
        net.train()
        losses, steps = 0.0, 0
        # The state of the shuffling must not depend on where a run was broken off.
        order = recipe.samples.epoch(np.random.default_rng([seed, epoch]))
        total = max(1, len(order) // plan.batch)
        for batch in batches(recipe.samples, order, plan.batch, seed, epoch, device):
            rate = _rate(plan, epoch + steps / total)
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.zero_grad(set_to_none=True)
            loss = recipe.loss(net, batch)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimiser.step()
            _follow(average, net, min(plan.average, (1 + seen) / (10 + seen)))
            losses, steps, seen = losses + float(loss.detach()), steps + 1, seen + 1
            if steps % 50 == 0:
                say(f"epoch {epoch + 1}/{plan.epochs} step {steps}/{total} "
                    f"loss {losses / steps:.4f}")  # fmt: skip
        last = epoch + 1 == plan.epochs
        # The first of a run that goes on is judged as well: the log's columns are the figures.
        judged = last or not figures or epoch % plan.judge_every == 0
        if judged:
            kept = copy.deepcopy(average).eval()
            recipe.finish(kept)
            with torch.no_grad():
                figures = recipe.judge(kept)
            save_state(kept, out)
        _save(state_file, net, average, optimiser, epoch + 1, seen)
        shown = figures if judged else dict.fromkeys(figures, math.nan)
        row = {"epoch": epoch + 1, "loss": losses / max(1, steps), **shown}
        _log(run / "log.csv", row)
        draw_curve(run / "log.csv", run / "curve.png")
        text = "  ".join(f"{k} {v:.4f}" for k, v in row.items() if k != "epoch")
        say(f"epoch {epoch + 1}/{plan.epochs}  {text}  {time.monotonic() - started:.0f} s")
    return figures


def _groups(net: nn.Module, decay: float) -> list[dict[str, object]]:
    """Leave biases and norms without weight decay."""
    dense = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    return [{"params": dense, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]


def _rate(plan: Plan, epoch: float) -> float:
    if epoch < plan.warmup:
        return plan.lr * (0.02 + 0.98 * epoch / plan.warmup)
    done = (epoch - plan.warmup) / max(1e-9, plan.epochs - plan.warmup)
    return plan.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


@torch.no_grad()
def _follow(average: nn.Module, net: nn.Module, decay: float) -> None:
    for kept, new in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


def batches(
    samples: Samples,
    order: NDArray[np.intp],
    size: int,
    seed: int,
    epoch: int,
    device: str,
) -> Iterator[Batch]:
    """Make examples a few batches ahead in threads (OpenCV and NumPy release the lock).

    Args:
        samples: make each example.
        order: their indices; what is left over for no whole batch is left out.
        size: examples a batch.
        seed, epoch: every example depends on them and on its place, not on the threads.
        device: where the batches go.
    """
    workers = 1 if device == "cpu" else 14
    starts = range(0, max(0, len(order) - size + 1), size)

    def make(start: int) -> tuple[NDArray[np.generic], ...]:
        rng = np.random.default_rng([seed, epoch, start])
        rows = [samples.make(int(i), rng) for i in order[start : start + size]]
        return tuple(np.stack(column) for column in zip(*rows, strict=True))

    with ThreadPoolExecutor(workers) as pool:
        ahead = []
        for start in starts:
            ahead.append(pool.submit(make, start))
            if len(ahead) > 2 * workers:
                yield _to(ahead.pop(0).result(), device)
        for future in ahead:
            yield _to(future.result(), device)


def _to(arrays: tuple[NDArray[np.generic], ...], device: str) -> Batch:
    return tuple(torch.from_numpy(a).to(device, non_blocking=True) for a in arrays)


def _save(
    path: Path,
    net: nn.Module,
    average: nn.Module,
    optimiser: torch.optim.Optimizer,
    epoch: int,
    seen: int,
) -> None:
    part = path.with_suffix(".part")
    torch.save(
        {
            "net": net.state_dict(),
            "average": average.state_dict(),
            "optimiser": optimiser.state_dict(),
            "epoch": epoch,
            "seen": seen,
        },
        part,
    )
    part.replace(path)


def _resume(
    path: Path, net: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[int, int]:
    """Return how many epochs and steps were done."""
    state = torch.load(path, weights_only=True)
    net.load_state_dict(state["net"])
    average.load_state_dict(state["average"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["epoch"]), int(state["seen"])


def _log(path: Path, row: Mapping[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(row)
        writer.writerow([f"{v:.5g}" for v in row.values()])
