"""Exported programs: opened without unpickling, evaluating or looking up anything of theirs."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs PyTorch: pip install -e .[export]")

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from benchmarks.anatomy.quiet import quiet
from edge.errors import ConfigError, DataError, EdgeError
from export.importers.program import Program, open_program


class _Net(nn.Module):
    """A little of everything that face networks have."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.slope = nn.PReLU(8)
        self.deep = nn.Conv2d(8, 8, 3, 1, 1, groups=8)
        self.up = nn.ConvTranspose2d(8, 4, 2, 2)
        self.head = nn.Linear(8, 7)
        self.drop = nn.Dropout(0.5)
        self.gain = torch.tensor([1.0, 2.0])

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = F.hardswish(self.deep(self.slope(self.norm(self.stem(x)))))
        z = torch.cat([self.up(y), x], 1)
        first, _ = z.split([3, 4], 1)
        pooled = F.adaptive_avg_pool2d(y, 1).flatten(1)
        return {
            "picture": torch.sigmoid(F.interpolate(first, scale_factor=0.5)) * self.gain[1],
            "logits": self.drop(self.head(pooled)),
            "rows": y.reshape(y.shape[0], 8, -1).mean(1),
        }


class _Twice(nn.Module):
    """Two inputs that are no pictures, and one output."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return F.relu(a + 1, inplace=True) * b


torch.manual_seed(0)
NET = _Net().eval()
PICTURE = torch.randn(1, 3, 32, 32)


def _save(path: Path, network: nn.Module, *inputs: Tensor, **options: Any) -> Path:
    with quiet():
        torch.export.save(torch.export.export(network, inputs, **options), path)
    return path


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _save(tmp_path_factory.mktemp("program") / "net.pt2", NET, PICTURE)


def _compare(program: Program, picture: Tensor) -> None:
    with torch.no_grad():
        wanted = NET(picture)
        found = program.module(picture.permute(0, 2, 3, 1))
    assert [port.name for port in program.outputs] == list(wanted)
    for port, one, other in zip(program.outputs, found, wanted.values(), strict=True):
        assert tuple(one.shape) == port.shape
        assert torch.equal(one, other)


def test_a_program_takes_a_picture_channels_last_and_gives_what_it_gave(saved: Path) -> None:
    program = open_program(saved)
    assert [(port.name, port.shape) for port in program.inputs] == [("x", (1, 32, 32, 3))]
    assert program.shapes == ((1, 32, 32, 3),)
    _compare(program, PICTURE)


def test_a_program_in_core_operators_is_read_as_well(tmp_path: Path) -> None:
    with quiet():
        program = torch.export.export(NET, (PICTURE,)).run_decompositions()
        torch.export.save(program, tmp_path / "net.pt2")
    _compare(open_program(tmp_path / "net.pt2"), PICTURE)


def test_a_transposed_convolution_of_a_program_becomes_one_that_tflite_has(tmp_path: Path) -> None:
    from export.program.transposed import cut_transposed

    network = nn.ConvTranspose2d(3, 4, 3, 2, padding=1, output_padding=1).eval()
    module = open_program(_save(tmp_path / "net.pt2", network, PICTURE)).module
    x = PICTURE.permute(0, 2, 3, 1)
    changed = cut_transposed(module, (x,))
    assert changed is not module
    with torch.no_grad():
        assert torch.allclose(changed(x), module(x), atol=1e-6)


def test_open_sizes_are_fixed(tmp_path: Path) -> None:
    side, batch = torch.export.Dim("side", min=2, max=64), torch.export.Dim("batch", max=8)
    path = _save(
        tmp_path / "net.pt2", NET, torch.randn(2, 3, 32, 64),
        dynamic_shapes=({0: batch, 2: 4 * side, 3: torch.export.Dim.AUTO},),
    )  # fmt: skip
    with pytest.raises(ConfigError, match=r"input x leaves sizes open: \[1, 3, '\?', '\?'\].*HxW"):
        open_program(path)
    program = open_program(path, input_hw=(48, 24))
    assert program.shapes == ((1, 48, 24, 3),)
    _compare(program, torch.randn(1, 3, 48, 24))


def test_what_is_no_picture_keeps_its_layout(tmp_path: Path) -> None:
    sample = torch.randn(1, 5), torch.randn(1, 5)
    program = open_program(_save(tmp_path / "net.pt2", _Twice(), *sample))
    assert [port.shape for port in (*program.inputs, *program.outputs)] == [(1, 5)] * 3
    assert torch.equal(program.module(*sample), _Twice()(*(x.clone() for x in sample)))


class _NoGrad(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return x + 1


class _Plus(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 1


class _Likeliest(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.argmax(1)


class _Fft(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fft(x).real


REFUSED: dict[str, Callable[[Path], Path]] = {
    "operator torch.ops.aten.fft_": lambda p: _save(p, _Fft(), PICTURE),
    "operator torch.ops.higher_order.": lambda p: _save(p, _NoGrad(), PICTURE),
    "is in training mode; call .eval()": lambda p: _save(p, _Net().train(), PICTURE),
    "input x is a batch of 2": lambda p: _save(p, NET, PICTURE.repeat(2, 1, 1, 1)),
    "output 'argmax' is int64": lambda p: _save(p, _Likeliest(), PICTURE),
    "input x is not float32": lambda p: _save(p, _Plus(), PICTURE.to(torch.int64)),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_converted_is_named(tmp_path: Path, why: str) -> None:
    path = REFUSED[why](tmp_path / "net.pt2")
    with pytest.raises(ConfigError) as caught:
        open_program(path)
    assert why in str(caught.value)
    assert "net.pt2" in str(caught.value)


def test_a_size_that_the_program_does_not_have_is_refused(saved: Path) -> None:
    with pytest.raises(ConfigError, match="64x64 was asked for"):
        open_program(saved, input_hw=(64, 64))


def _rewrite(saved: Path, path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """Copy an archive, with members changed or left out."""
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = change(name.partition("/")[2], old.read(name))
            if content is not None:
                new.writestr(name, content)
    return path


def _json(member: str, change: Callable[[Any], None]) -> Callable[[str, bytes], bytes]:
    def run(name: str, content: bytes) -> bytes:
        if name != member:
            return content
        table = json.loads(content)
        change(table)
        return json.dumps(table).encode()

    return run


class _Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


MODEL, WEIGHTS = "models/model.json", "data/weights/model_weights_config.json"


def test_pickled_example_inputs_are_left_alone(tmp_path: Path, saved: Path) -> None:
    """PyTorch's own reader unpickles them with everything allowed."""
    trap = io.BytesIO()
    torch.save(({}, _Trap(tmp_path / "made")), trap)

    def change(name: str, content: bytes) -> bytes:
        return trap.getvalue() if name == "data/sample_inputs/model.pt" else content

    path = _rewrite(saved, tmp_path / "net.pt2", change)
    _compare(open_program(path), PICTURE)
    assert not (tmp_path / "made").exists()
    with quiet():
        torch.export.load(path)
    assert (tmp_path / "made").exists(), "PyTorch no longer does; then why read it ourselves?"


def test_expressions_and_guards_are_left_alone(tmp_path: Path, saved: Path) -> None:
    """PyTorch's own reader evaluates them."""
    code = f"__import__('os').system('touch {tmp_path / 'made'}')"

    def change(table: Any) -> None:
        table["guards_code"] = [code]
        value = table["graph_module"]["graph"]["tensor_values"]["x"]
        value["sizes"][2] = {"as_expr": {"expr_str": code, "hint": None}}

    path = _rewrite(saved, tmp_path / "net.pt2", _json(MODEL, change))
    with pytest.raises(ConfigError, match="leaves sizes open"):
        open_program(path)
    open_program(path, input_hw=(32, 32))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "target",
    ["torch.os.system", "torch.ops.load_library", "torch.ops.aten.from_file.default", "math.exp",
     "_operator.attrgetter", "torch.ops.aten.conv2d.__init__", "torch.ops.aten..default", ""],
)  # fmt: skip
def test_operators_are_looked_up_in_the_list_alone(
    tmp_path: Path, saved: Path, target: str
) -> None:
    def change(table: Any) -> None:
        table["graph_module"]["graph"]["nodes"][0]["target"] = target

    path = _rewrite(saved, tmp_path / "net.pt2", _json(MODEL, change))
    with pytest.raises(ConfigError, match="is not supported"):
        open_program(path)


def test_pickled_weights_are_refused_by_name(tmp_path: Path, saved: Path) -> None:
    def change(name: str, content: bytes) -> bytes:
        if name == "data/weights/weight_0":
            return pickle.dumps(_Trap(tmp_path / "made"))
        return _json(WEIGHTS, lambda t: t["config"]["stem.weight"].update(use_pickle=True))(
            name, content
        )

    with pytest.raises(DataError, match=r"stem\.weight: is stored as a pickle"):
        open_program(_rewrite(saved, tmp_path / "net.pt2", change))
    assert not (tmp_path / "made").exists()


def _meta(**changes: Any) -> Callable[[str, bytes], bytes]:
    return _json(WEIGHTS, lambda t: t["config"]["stem.weight"]["tensor_meta"].update(changes))


DAMAGED: dict[str, Callable[[str, bytes], bytes | None]] = {
    "stem.weight: lies outside its 864 bytes": _meta(storage_offset={"as_int": 1}),
    "stem.weight: has sizes": _meta(sizes=[{"as_int": 2**40}] * 4),
    "stem.weight: holds values that are not finite": lambda name, content: (
        content[:4] + b"\x00\x00\xc0\x7f" + content[8:] if name.endswith("weight_0") else content
    ),
    "weight_0 is missing": lambda name, content: (
        None if name.endswith("weight_0") else content
    ),
    "is no program that torch.export.save": lambda name, content: (
        None if name == MODEL else content
    ),
    "was written by PyTorch 9.9 in schema 99": _json(
        MODEL, lambda t: t.update(schema_version={"major": 99}, torch_version="9.9")
    ),
    "is a damaged program: KeyError": _json(MODEL, lambda t: t.pop("graph_module")),
    "its byte order is b'big'": lambda name, content: (
        b"big" if name == "byteorder" else content
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", DAMAGED)
def test_a_damaged_program_is_told(tmp_path: Path, saved: Path, why: str) -> None:
    path = _rewrite(saved, tmp_path / "net.pt2", DAMAGED[why])
    with pytest.raises(DataError) as caught:
        open_program(path)
    assert why in str(caught.value)
    assert "net.pt2" in str(caught.value)


def test_a_compiled_library_is_refused(tmp_path: Path, saved: Path) -> None:
    with zipfile.ZipFile(saved) as old:
        root = old.namelist()[0].partition("/")[0]
    content = saved.read_bytes()
    path = tmp_path / "net.pt2"
    path.write_bytes(content)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{root}/data/aotinductor/model/net.so", b"\x7fELF")
    with pytest.raises(DataError, match="holds a compiled library"):
        open_program(path)


def test_an_intermediate_result_that_is_too_large_is_not_allocated(tmp_path: Path) -> None:
    class Vast(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.repeat(1, 1, 1000, 1000)

    with quiet():
        program = torch.export.export(Vast(), (torch.empty(1, 3, 32, 32),))
        torch.export.save(program, tmp_path / "net.pt2")
    with pytest.raises(DataError, match="repeat has more than"):
        open_program(tmp_path / "net.pt2")


@settings(max_examples=60)
@given(st.data())
def test_damage_is_told_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, saved: Path, data: Any
) -> None:
    def change(name: str, content: bytes) -> bytes:
        if name != MODEL and not data.draw(st.booleans()):
            return content
        spoilt = bytearray(content)
        for _ in range(data.draw(st.integers(1, 4)) if content else 0):
            spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(32, 126))
        return bytes(spoilt)

    path = _rewrite(saved, tmp_path_factory.mktemp("damaged") / "net.pt2", change)
    try:
        assert open_program(path).outputs
    except EdgeError as error:
        assert "net.pt2" in str(error)
