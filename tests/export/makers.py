"""Make tiny recipes: networks of a few hundred weights that are lowered in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.benchmarks.makers import flat_picture, write_pack

__all__ = ["CARD", "write_data", "write_recipe"]

CARD = """
name = "{name}"
task = "{task}"
summary = "for tests"
licence = "Apache-2.0"
[contract]
labels = {labels}
threshold = 0.9
[contract.crop]
kind = "{kind}"
[[contract.inputs]]
meaning = "image"
shape = [1, 32, 32, 3]
colour = "BGR"
{outputs}
[calibration]
pack = "tiny"
split = "train"
count = 300
[evidence]
pack = "tiny"
split = "test"
metric = "{metric}"
max_drop = {max_drop}
{tuning}
[data]
packs = ["tiny"]
terms = "made for tests"
"""

TUNING = '[tuning]\npack = "tiny"\nsplit = "{split}"\nmetric = "{metric}"'

_OUTPUT = '[[contract.outputs]]\nmeaning = "{}"\nshape = {}\nstride = {}\n'

_NETS = {
    # Bright pictures are masked, dark ones are not.
    "mask": """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Linear(3, 3)
        with torch.no_grad():
            self.gain.weight.copy_(torch.tensor([[1.0] * 3, [-1.0] * 3, [0.0] * 3]))
            self.gain.bias.zero_()

    def forward(self, x):
        return self.gain(nn.functional.adaptive_avg_pool2d(x.permute(0, 3, 1, 2), 1).flatten(1))

def build():
    return Net()
""",
    "detect": """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Conv2d(3, 8, 8, 8)
        self.heads = nn.ModuleList(nn.Conv2d(8, k, 1) for k in (1, 4, 10))

    def forward(self, x):
        y = torch.relu(self.trunk(x.permute(0, 3, 1, 2)))
        score, box, points = (h(y).permute(0, 2, 3, 1).flatten(1, 2) for h in self.heads)
        return torch.sigmoid(score), box, points

def build():
    return Net()
""",
}


def write_recipe(models: Path, task: str, *, max_drop: float = 1.0, tuning: str = "") -> Path:
    """Write card and ``net.py`` of a tiny recipe, ``mask`` or ``detect``, without weights.

    ``tuning`` is a split of the pack, for mixed precision.
    """
    folder = models / task
    folder.mkdir(parents=True)
    if task == "mask":
        outputs = _OUTPUT.format("logits", [1, 3], 0)
        labels, kind, metric = ["masked", "unmasked", "incorrect"], "box", "accuracy"
    else:
        shapes = {"scores": [1, 16, 1], "boxes": [1, 16, 4], "points5": [1, 16, 10]}
        outputs = "".join(_OUTPUT.format(m, shape, 8) for m, shape in shapes.items())
        labels, kind, metric = [], "frame", "empty_clean"
    card = CARD.format(
        name=task, task=task, labels=labels, kind=kind, outputs=outputs, metric=metric,
        max_drop=max_drop, tuning=TUNING.format(split=tuning, metric=metric) if tuning else "",
    )  # fmt: skip
    (folder / "model.toml").write_text(card)
    (folder / "net.py").write_text(_NETS[task])
    return folder


def write_data(data: Path) -> Path:
    """Write the pack ``tiny``: 364 pictures ``train``, 12 ``test``, 8 ``val``; bright or dark."""
    rng = np.random.default_rng(4)
    pictures, rows = {}, []
    for number in range(384):
        bright = number % 2
        noise = rng.integers(-40, 40, (40, 40, 3))
        name = f"{number:03}"
        pictures[name] = np.clip(flat_picture(200 if bright else 60, 40) + noise, 0, 255).astype(
            np.uint8
        )
        label = "masked" if bright else "unmasked"
        split = "train" if number < 364 else "test" if number < 376 else "val"
        no_face = dict.fromkeys(("x", "y", "w", "h"), "")
        rows.append({"file": name, "label": label, "split": split, **no_face})
    write_pack(data / "tiny", pictures, rows)
    return data
