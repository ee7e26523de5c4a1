"""Weights of PyTorch beside ``net.py``: fitted by name and shape, and never run."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch: pip install -e .[export]")
pytest.importorskip("safetensors", reason="needs safetensors: pip install -e .[export]")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from edge.errors import ConfigError, DataError, EdgeError, MissingInput
from export.importers.weights import (
    QUANTISATION_AWARE,
    TRAINING,
    find_weights,
    read_weights,
    training_of,
)


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


NETWORK = _network()
STATE = NETWORK.state_dict()


def _read(path: Path, stored: Any, **options: Any) -> dict[str, torch.Tensor]:
    torch.save(stored, path, **options)
    return read_weights(path, NETWORK)


def _same(found: dict[str, torch.Tensor]) -> bool:
    return found.keys() == STATE.keys() and all(torch.equal(found[k], STATE[k]) for k in STATE)


@pytest.mark.parametrize("key", ["", "state_dict", "model", "model_state_dict", "net"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
def test_weights_are_found_in_what_training_scripts_write(
    tmp_path: Path, key: str, prefix: str
) -> None:
    state = {prefix + name: value for name, value in STATE.items()}
    stored = {key: state, "epoch": 3, "best": np.float64(0.5)} if key else state
    assert _same(_read(tmp_path / "net.pth", stored))


def test_nested_wrappers_are_taken_off(tmp_path: Path) -> None:
    assert _same(_read(tmp_path / "net.pt", {"model": {"state_dict": OrderedDict(STATE)}}))


def test_files_from_before_pytorch_1_6_are_read(tmp_path: Path) -> None:
    found = _read(tmp_path / "net.pt", STATE, _use_new_zipfile_serialization=False)
    assert _same(found)


def test_a_file_tells_that_it_was_trained_for_int8(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    for notes, told in (
        ({TRAINING: QUANTISATION_AWARE}, QUANTISATION_AWARE),
        ({TRAINING: "by a stranger \x1b[2J"}, ""),
        (None, ""),
    ):
        save_file(STATE, path, notes)
        assert training_of(path) == told
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(DataError, match="no safetensors file"):
        training_of(path)
    with pytest.raises(MissingInput):
        training_of(tmp_path / "none.safetensors")
    assert training_of(tmp_path / "weights.pth") == "", "a pickle is not opened to be asked"


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(
        {f"module.{name}": value for name, value in STATE.items()}, tmp_path / "net.safetensors"
    )
    assert _same(read_weights(tmp_path / "net.safetensors", NETWORK))


def test_all_that_does_not_fit_is_named_at_once(tmp_path: Path) -> None:
    stored = {**STATE, "0.weight": torch.zeros(4, 3, 5, 5), "nose": torch.zeros(1), "1.bias": "x"}
    stored["1.weight"] = torch.tensor([1.0, float("inf"), 0.0, 0.0])
    del stored["0.bias"]
    with pytest.raises(DataError) as caught:
        _read(tmp_path / "net.pt", stored)
    for part in (
        "net.pt: ", "0.bias is missing", "nose is not in the network",
        "1.bias is no tensor but str",
        "0.weight has shape [4, 3, 5, 5] and the network [4, 3, 3, 3]",
        "1.weight holds values that are not finite",
    ):  # fmt: skip
        assert part in str(caught.value)


class _Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("way", ["zip", "legacy", "protocol 0", "protocol 4"])
def test_a_pickle_that_would_run_code_is_refused_and_not_run(tmp_path: Path, way: str) -> None:
    path, made = tmp_path / "net.pt", tmp_path / "made"
    stored = {"state_dict": STATE, "more": _Trap(made)}
    if way.startswith("protocol"):
        path.write_bytes(pickle.dumps(_Trap(made), int(way[-1])))
    else:
        torch.save(stored, path, _use_new_zipfile_serialization=way == "zip")
    with pytest.raises(DataError, match=r"net\.pt: .*would import \w+\.system; nothing") as caught:
        read_weights(path, NETWORK)
    assert caught.value.code == "weights.code"
    assert not made.exists()


def test_the_trap_is_a_trap(tmp_path: Path) -> None:
    """Holds the test above: unpickled by others, it does make the file."""
    pickle.loads(pickle.dumps(_Trap(tmp_path / "made")))
    assert (tmp_path / "made").exists()


def test_a_pickled_network_is_refused_by_its_classes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"torch\.nn\.modules\.container\.Sequential"):
        _read(tmp_path / "net.pt", NETWORK)


def test_what_holds_no_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds Tensor and no state dict"):
        _read(tmp_path / "net.pt", torch.zeros(3))
    (tmp_path / "net.pt").write_bytes(b"hello")
    with pytest.raises(DataError, match="is no PyTorch file"):
        read_weights(tmp_path / "net.pt", NETWORK)
    (tmp_path / "net.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(DataError, match="no safetensors file"):
        read_weights(tmp_path / "net.safetensors", NETWORK)
    with pytest.raises(MissingInput, match=r"none\.pt"):
        read_weights(tmp_path / "none.pt", NETWORK)


def test_an_exported_program_is_no_file_of_weights(tmp_path: Path) -> None:
    program = torch.export.export(nn.Linear(2, 2).eval(), (torch.zeros(1, 2),))
    torch.export.save(program, tmp_path / "net.pt2")
    (tmp_path / "net.pt2").rename(tmp_path / "net.pt")
    with pytest.raises(DataError, match=r"is an exported program.*ends in \.pt2"):
        read_weights(tmp_path / "net.pt", NETWORK)


@pytest.mark.parametrize("legacy", [False, True])
@settings(max_examples=40)
@given(st.data())
def test_damage_is_told_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, legacy: bool, data: Any
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "net.pt"
    torch.save(STATE, path, _use_new_zipfile_serialization=not legacy)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    for _ in range(data.draw(st.integers(1, 6)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        assert read_weights(path, NETWORK).keys() == STATE.keys()
    except EdgeError as error:
        assert "net.pt" in str(error)


def test_the_one_file_of_weights_beside_a_card_is_found(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="there are no weights"):
        find_weights(tmp_path)
    (tmp_path / "net.py").touch()
    (tmp_path / "best.pth").touch()
    assert find_weights(tmp_path).name == "best.pth"
    (tmp_path / "last.pth").touch()
    with pytest.raises(ConfigError, match=r"several files of weights: best\.pth, last\.pth"):
        find_weights(tmp_path)
    (tmp_path / "weights.safetensors").touch()
    assert find_weights(tmp_path).name == "weights.safetensors"
