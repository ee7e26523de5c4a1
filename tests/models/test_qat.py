"""Fine-tuning sees the very rounding that export does, and makes up for it."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if any(
    importlib.util.find_spec(name) is None
    for name in ("torch", "litert_torch", "ai_edge_quantizer", "safetensors")
):
    pytest.skip("needs the export toolchain: make test-export", allow_module_level=True)

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.anatomy.graph import Graph, read_graph
from edge.errors import ConfigError, DataError, MissingInput
from export.calibration.ranges import Ranges, observe
from export.importers.weights import QUANTISATION_AWARE, training_of
from export.program.lower import lower_module
from export.quantisation.quantise import quantise
from models.blocks import BytesIn, Conv, MobileNetV2, Residual, double
from models.training.loop import Batch, Plan, Recipe, real, train
from models.training.qat import fine_tune, observing, prepare
from models.training.rounding import Rounding, round_weights
from models.training.weights import load_state, save_state

SIDE = 16


class Everything(nn.Module):
    """One of each operator that the project's networks have."""

    def __init__(self) -> None:
        super().__init__()
        self.down = Conv(3, 8, 3, 2)
        self.block = Residual(8)
        self.narrow = Conv(16, 8, 1)
        self.place = nn.Parameter(torch.randn(1, 8, SIDE, SIDE))
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Conv2d(8, 2, 1)
        self.gather = nn.Linear(8, 12)
        self.spread = nn.Linear(12, 5)

    def logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        down = self.down(x)
        y = self.narrow(torch.cat([double(down), double(self.block(down))], 1)) + self.place
        y = self.norm(self.depthwise(y))
        pooled = torch.flatten(F.adaptive_avg_pool2d(y, 1), 1)
        hidden = F.relu6(self.gather(F.dropout(pooled, 0.2, self.training)))
        return self.head(y), self.spread(hidden)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        head, classes = self.logits(x)
        return head.permute(0, 2, 3, 1), classes, torch.sigmoid(head).permute(0, 2, 3, 1)


def lively(net: nn.Module, seed: int = 0) -> nn.Module:
    """Give batch norm the statistics and factors of a trained network."""
    torch.manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.1, 0.6)
            with torch.no_grad():
                module.weight.uniform_(-1.5, 1.5)
                module.bias.normal_(0.3, 0.5)
        if isinstance(module, nn.Linear):
            with torch.no_grad():
                module.weight.normal_(0, 0.4)
                module.bias.normal_(0, 0.2)
    return net.eval()


def pictures(count: int, seed: int) -> NDArray[np.uint8]:
    """Return gratings of four directions, the class is ``index % 4``; uint8 ``[N, H, W, 3]``."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    out = np.empty((count, SIDE, SIDE, 3), np.uint8)
    for index, picture in enumerate(out):
        angle = (index % 4) * np.pi / 4 + rng.normal(0, 0.1)
        wave = np.sin(1.3 * (x * np.cos(angle) + y * np.sin(angle)) + rng.uniform(0, 6.3))
        noise = rng.normal(0, 45, (SIDE, SIDE, 3))
        picture[:] = np.clip(128 + rng.uniform(25, 50) * wave[..., None] + noise, 0, 255)
        picture[0, 0], picture[-1, -1] = 0, 255
    return out


def real_values(images: NDArray[np.uint8]) -> list[tuple[NDArray[np.float32]]]:
    return [((image[None].astype(np.float32) - 128) / 128,) for image in images]


def export(net: nn.Module, images: NDArray[np.uint8]) -> tuple[bytes, Ranges]:
    """Return the INT8 file that export makes, and the ranges that it took."""
    content = lower_module(net.eval(), [(1, SIDE, SIDE, 3)], where="net")
    ranges = observe(content, real_values(images), where="net")
    return quantise(content, ranges, where="net"), ranges


def run(content: bytes, images: NDArray[np.uint8]) -> Iterator[list[NDArray[np.int8]]]:
    """Yield the stored outputs of each picture, in the order of the signature."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    runner = interpreter.get_signature_runner()
    graph = read_graph(content, where="net")
    for image in images:
        given = runner(**{graph.inputs[0][0]: (image[None] ^ 0x80).view(np.int8)})
        yield [given[name] for name, _ in graph.outputs]


def steps(graph: Graph, output: int, values: Tensor) -> NDArray[np.float64]:
    """Return the stored numbers that real values have in an output."""
    quantisation = graph.tensors[graph.outputs[output][1]].quantisation
    assert quantisation is not None
    stored: NDArray[np.float64] = np.round(values.numpy() / float(quantisation.scale[0]))
    return stored + float(quantisation.zero_point[0])


def rounding(net: nn.Module) -> Rounding:
    found = net.get_submodule("rounding")
    assert isinstance(found, Rounding)
    return found


def ready(net: nn.Module, images: NDArray[np.uint8]) -> nn.Module:
    """Prepare a network with the ranges of these pictures."""
    prepare(net)
    with observing(net):
        for (values,) in real_values(images):
            net(torch.from_numpy(values))
    return net.eval()


def test_the_weights_file_says_that_they_were_tuned(tmp_path: Path) -> None:
    net, path = BytesIn(Small()), tmp_path / "w.safetensors"
    save_state(net, path)
    assert training_of(path) == ""
    prepare(net)
    save_state(net, path)
    assert training_of(path) == QUANTISATION_AWARE
    load_state(BytesIn(Small()), path)


@pytest.mark.parametrize(
    "inner",
    [
        Everything,
        lambda: MobileNetV2(((1, 8, 1, 1), (4, 12, 2, 2)), stem=8, head=24, classes=4),
    ],
    ids=["everything", "mobilenet"],
)
def test_rounded_network_and_int8_file_agree(inner: Callable[[], nn.Module]) -> None:
    torch.manual_seed(3)
    net = lively(BytesIn(inner()))
    seen, fresh = pictures(48, seed=1), pictures(16, seed=2)
    content, ranges = export(net, seen)
    ready(net, seen)

    ends = list(zip(rounding(net).least.tolist(), rounding(net).greatest.tolist(), strict=True))
    assert len(ends) >= 12
    for end in ends:
        assert any(end == pytest.approx(span, abs=1e-4) for span in ranges.values())

    graph = read_graph(content, where="net")
    away: dict[int, list[float]] = {}
    for image, stored in zip(fresh, run(content, fresh), strict=True):
        with torch.no_grad():
            result = net(real(torch.from_numpy(image[None])))
        outputs = result if isinstance(result, tuple) else (result,)
        for position, (values, given) in enumerate(zip(outputs, stored, strict=True)):
            difference = np.abs(steps(graph, position, values) - given)
            away.setdefault(position, []).extend(difference.ravel().tolist())
    for position, differences in away.items():
        far = np.array(differences)
        assert far.max() <= 3, position
        assert (far > 1).mean() < 0.05, position
        assert (far > 0).mean() < 0.3, position


def test_the_trainers_view_is_rounded_in_the_same_places() -> None:
    net = lively(BytesIn(Everything()))
    ready(net, pictures(8, seed=1))
    values = real(torch.from_numpy(pictures(2, seed=2)))
    with torch.no_grad():
        _, classes, sigmoid = net(values)
        head, same = net.net.logits(values.permute(0, 3, 1, 2))
    assert torch.equal(classes, same)
    wanted = torch.fake_quantize_per_tensor_affine(torch.sigmoid(head), 1 / 256, -128, -128, 127)
    assert torch.equal(sigmoid, wanted.permute(0, 2, 3, 1))
    # Observing through that view finds the places of the whole network.
    other = BytesIn(Everything())
    prepare(other)
    with observing(other):
        other.net.logits(values.permute(0, 3, 1, 2))
    assert len(rounding(other).least) == len(rounding(net).least)


def test_arithmetic_is_float32_under_autocast() -> None:
    net = lively(BytesIn(Everything()))
    ready(net, pictures(8, seed=1))
    values = real(torch.from_numpy(pictures(2, seed=2)))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        under = net(values)
    with torch.no_grad():
        plain = net(values)
    assert all(torch.equal(a, b) for a, b in zip(under, plain, strict=True))


def test_a_copy_is_a_network_of_its_own() -> None:
    net = ready(lively(BytesIn(Everything())), pictures(8, seed=1))
    other = copy.deepcopy(net)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    values = real(torch.from_numpy(pictures(2, seed=2)))
    with torch.no_grad():
        assert other(values)[1].abs().max() == 0
        assert net(values)[1].abs().max() > 0
    rounding(other).least.fill_(-9)
    assert rounding(net).least.min() > -9


def test_weights_have_one_scale_a_channel() -> None:
    weight = torch.tensor([[1.0, -0.5, 0.004], [100.0, 1.0, -100.0], [0.0, 0.0, 0.0]])
    rounded = round_weights(weight)
    scale = torch.tensor([[1.0], [100.0], [0.0]]) / 127
    assert torch.allclose(rounded[0], scale[0] * torch.tensor([127.0, -64.0, 1.0]))
    assert torch.allclose(rounded[1], scale[1] * torch.tensor([127.0, 1.0, -127.0]))
    assert torch.equal(rounded[2], torch.zeros(3))


def test_gradients_pass_the_rounding_and_stop_beyond_the_range() -> None:
    net = ready(BytesIn(nn.Sequential(nn.Conv2d(3, 3, 1, bias=False))), pictures(8, seed=1))
    with torch.no_grad():
        net.net[0].weight.copy_(torch.eye(3).reshape(3, 3, 1, 1))
        rounding(net).least.fill_(-0.5)
        rounding(net).greatest.fill_(0.5)
    values = torch.tensor([0.1, -0.2, 0.9]).reshape(1, 1, 1, 3).requires_grad_()
    net(values).sum().backward()
    assert values.grad is not None
    assert values.grad.flatten().tolist() == pytest.approx([1, 1, 0])


def test_ranges_follow_the_training() -> None:
    net = ready(BytesIn(nn.Sequential(nn.Conv2d(3, 3, 1, bias=False))), pictures(8, seed=1))
    before = float(rounding(net).greatest[0])
    values = real(torch.from_numpy(pictures(8, seed=1)))
    net(values * 2)
    assert float(rounding(net).greatest[0]) == before  # not in eval
    net.train()
    net(values * 2)
    wide = float(rounding(net).greatest[0])
    assert wide == pytest.approx(2 * before, rel=0.01)  # at once
    net(values)
    assert before < float(rounding(net).greatest[0]) < wide  # and slowly back


class Odd(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.erf(x)


def test_an_operator_whose_rounding_is_not_known_is_named() -> None:
    net = BytesIn(nn.Sequential(nn.Conv2d(3, 3, 1), Odd()))
    prepare(net)
    with pytest.raises(ConfigError, match="'erf'"), observing(net):
        net(torch.zeros(1, 4, 4, 3))
    for mode in ("bilinear", "bicubic"):
        smooth = BytesIn(nn.Sequential(nn.Upsample(scale_factor=2, mode=mode)))
        prepare(smooth)
        with pytest.raises(ConfigError, match="'interpolate'"), observing(smooth):
            smooth(torch.zeros(1, 4, 4, 3))


class Order(nn.Module):
    """What can be merged and what cannot."""

    def __init__(self, case: str) -> None:
        super().__init__()
        self.case = case
        self.conv = nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        if self.case == "conv, norm, relu":
            return F.relu(self.norm(y))
        if self.case == "conv, relu, norm":
            return self.norm(F.relu(y))
        if self.case == "add, norm":
            return self.norm(x + x)
        if self.case == "add, relu":
            return F.relu6(x + y)
        return F.relu(torch.cat([y, x], 1))


@pytest.mark.parametrize(
    ("case", "places"), [("conv, norm, relu", 1), ("add, relu", 2), ("cat, relu", 3)]
)
def test_what_the_converter_merges_is_one_place(case: str, places: int) -> None:
    net = ready(BytesIn(Order(case)), pictures(4, seed=1))
    assert len(rounding(net).least) == places
    assert rounding(net).least[-1] == 0


@pytest.mark.parametrize("case", ["conv, relu, norm", "add, norm"])
def test_batch_norm_that_cannot_be_merged_is_refused(case: str) -> None:
    with pytest.raises(ConfigError, match="'batch_norm'"):
        ready(BytesIn(Order(case)), pictures(4, seed=1))


class Gratings:
    """Examples of ``pictures``; ``make`` gives uint8 ``[16, 16, 3]`` and the class, int64."""

    def __init__(self, count: int, seed: int) -> None:
        self.images = pictures(count, seed)

    def epoch(self, rng: np.random.Generator) -> NDArray[np.intp]:
        return rng.permutation(len(self.images))

    def make(self, index: int, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        return self.images[index], np.array(index % 4, np.int64)


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = Conv(3, 16, 3, 2)
        self.second = Conv(16, 16, 3, 2)
        self.classify = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.first(x))
        return self.classify(torch.flatten(F.adaptive_avg_pool2d(y, 1), 1))


def loss(net: nn.Module, batch: Batch) -> Tensor:
    return F.cross_entropy(net(real(batch[0])), batch[1])


def recipe(*, lr: float = 0.01, epochs: int = 6) -> Recipe:
    held_back = torch.from_numpy(pictures(200, seed=7))

    def judge(net: nn.Module) -> dict[str, float]:
        guesses = net(real(held_back)).argmax(1)
        return {"accuracy": float((guesses == torch.arange(200) % 4).float().mean())}

    torch.manual_seed(1)
    return Recipe(
        net=BytesIn(Small()),
        plan=Plan(epochs=epochs, batch=32, lr=lr, average=0.9),
        samples=Gratings(640, seed=5),
        loss=loss,
        judge=judge,
    )


def unbalance(net: nn.Module) -> None:
    """Make half of the channels 200 times smaller, and what reads them as much larger.

    In float nothing changes; in INT8 one step a tensor is too wide for them (Nagel et al. 2019).
    """
    small = slice(0, 8)
    with torch.no_grad():
        net.net.first.norm.weight[small] /= 200
        net.net.first.norm.bias[small] /= 200
        net.net.second.conv.weight[:, small] *= 200


def accuracy(content: bytes) -> float:
    fresh = pictures(200, seed=7)
    guesses = [int(stored[0].argmax()) for stored in run(content, fresh)]
    return float(np.mean(np.array(guesses) == np.arange(200) % 4))


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return weights of a trained network that quantises badly."""
    folder = tmp_path_factory.mktemp("hard")
    torch.set_num_threads(1)
    trained = recipe()
    train(trained, run=folder / "run", out=folder / "w.safetensors", say=lambda line: None)
    net = BytesIn(Small())
    load_state(net, folder / "w.safetensors")
    unbalance(net)
    save_state(net, folder / "w.safetensors")
    return folder / "w.safetensors"


def test_fine_tuning_raises_the_accuracy_of_int8(hard: Path, tmp_path: Path) -> None:
    calibration = pictures(64, seed=9)
    net = BytesIn(Small())
    load_state(net, hard)
    exact = recipe().judge(net.eval())["accuracy"]
    before = accuracy(export(net, calibration)[0])

    out = tmp_path / "tuned.safetensors"
    tuned = fine_tune(recipe(lr=0.25), hard, budget="small")
    figures = train(tuned, run=tmp_path / "run", out=out, say=lambda line: None)

    plain = BytesIn(Small())
    load_state(plain, out)  # the names are those of the plain network
    after = accuracy(export(plain, calibration)[0])
    assert exact > 0.9
    assert before < exact - 0.1
    assert after > before + 0.1
    # What training promised is what the file does.
    assert figures["accuracy"] == pytest.approx(after, abs=0.02)


def test_a_run_that_was_broken_off_ends_alike(hard: Path, tmp_path: Path) -> None:
    def tuned() -> Recipe:
        made = fine_tune(recipe(lr=0.1), hard, budget="small")
        return replace(made, samples=Gratings(64, seed=5))

    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    train(tuned(), run=tmp_path / "a", out=whole, say=lambda line: None)

    class _Stop(Exception):
        pass

    def stop(line: str) -> None:
        if line.startswith("epoch 1/2  "):
            raise _Stop

    with pytest.raises(_Stop):
        train(tuned(), run=tmp_path / "b", out=parts, say=stop)
    train(tuned(), run=tmp_path / "b", out=parts, say=lambda line: None)
    assert parts.read_bytes() == whole.read_bytes()


def test_batch_norm_is_frozen(hard: Path, tmp_path: Path) -> None:
    tuned = fine_tune(recipe(), hard, budget="smoke")
    before = {n: b.clone() for n, b in tuned.net.named_buffers() if "running" in n}
    train(tuned, run=tmp_path / "run", out=tmp_path / "w.safetensors", say=lambda line: None)
    after = dict(tuned.net.named_buffers())
    assert before and all(torch.equal(value, after[name]) for name, value in before.items())


def test_weights_that_are_not_there_or_do_not_fit(hard: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="nowhere"):
        fine_tune(recipe(), tmp_path / "nowhere.safetensors", budget="smoke")
    save_state(nn.Linear(2, 2), tmp_path / "other.safetensors")
    with pytest.raises(DataError, match="is missing"):
        fine_tune(recipe(), tmp_path / "other.safetensors", budget="smoke")
