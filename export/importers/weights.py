"""Read the weights of a PyTorch network that stands in ``net.py``, and fit them to it.

Nothing is unpickled but tensors: PyTorch's own reader with ``weights_only`` builds them, and names
what else a file asks for.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.anatomy.quiet import quiet
from edge.errors import ConfigError, DataError, MissingInput
from export.cards.card import TRAININGS
from export.importers.pickles import pickled_imports
from export.importers.safety import Archive, read_bounded

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "KINDS",
    "QUANTISATION_AWARE",
    "TRAINING",
    "WEIGHTS",
    "find_weights",
    "read_weights",
    "training_of",
]

#: File of the weights that our own recipes write beside a card.
WEIGHTS = "weights.safetensors"
#: What a file of weights may end in.
KINDS = (".safetensors", ".pt", ".pth")
#: Key of a safetensors file's notes that says how its weights were trained, and its one value.
TRAINING = "training"
(QUANTISATION_AWARE,) = TRAININGS

#: Where training scripts keep the weights beside counters and optimiser states.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "params")
#: What ``DataParallel`` and ``torch.compile`` put before every name.
_PREFIXES = ("module.", "_orig_mod.")
_ZIP = b"PK\x03\x04"
#: A pickle of protocol 2 and PyTorch's magic number, with which files before 1.6 begin.
_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
#: What a pickle of tensors imports and PyTorch's reader builds by itself.
_TENSORS = re.compile(
    r"collections\.OrderedDict|torch\._utils\._rebuild_\w+|torch\.(storage\.)?\w+Storage"
    r"|torch\._tensor\._rebuild_\w+|torch\.(Size|Tensor|device|dtype|nn\.parameter\.Parameter)"
)
#: Mismatches that one message names.
_NAMED = 8


def find_weights(folder: Path) -> Path:
    """Return the one file of weights beside a card.

    Args:
        folder: of the card; a file ``weights.*`` goes before any other.

    Raises:
        MissingInput: there is none.
        ConfigError: there are several.
    """
    found = sorted(path for path in folder.glob("*") if path.suffix in KINDS and path.is_file())
    named = [path for path in found if path.stem == "weights"]
    if not found:
        raise MissingInput(
            f"{folder / WEIGHTS}: there are no weights",
            hint=f"train them with: edge-train {folder.name}",
            code="weights.missing",
        )
    if len(named or found) > 1:
        raise ConfigError(
            f"{folder}: there are several files of weights: {', '.join(p.name for p in found)}",
            hint=f"name the right one weights{found[0].suffix}",
            code="weights.several",
        )
    return (named or found)[0]


def read_weights(path: Path, network: nn.Module) -> dict[str, Tensor]:
    """Read weights and check them against the network, tensor by tensor.

    Args:
        path: ``.safetensors``, or a ``.pt`` or ``.pth`` with a state dict, bare or under one of
            the usual keys, with or without the prefixes of parallel training.
        network: the names and shapes that must be there, each and no other.

    Returns:
        A state dict that the network loads.

    Raises:
        MissingInput: there is no such file.
        DataError: it is damaged, would run code, holds no state dict, or does not fit; mismatches
            are named together.
    """
    wanted = network.state_dict()
    reader = _read_safetensors if path.suffix == ".safetensors" else _read_pickled
    stored = _bare(reader(path), wanted)
    # The counter of seen batches takes no part in inference, and recipes need not keep it.
    for name in wanted:
        if name.endswith("num_batches_tracked"):
            stored.setdefault(name, wanted[name])
    problems = [f"{n} is missing" for n in wanted if n not in stored]
    problems += [f"{n} is not in the network" for n in stored if n not in wanted]
    for name in wanted.keys() & stored.keys():
        if problem := _misfit(stored[name], wanted[name]):
            problems.append(f"{name} {problem}")
    if problems:
        more = f" and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise DataError(f"{path}: {'; '.join(sorted(problems)[:_NAMED])}{more}", code="weights.fit")
    return stored


def training_of(path: Path) -> str:
    """Return how a file says that its weights were trained.

    Returns:
        ``QUANTISATION_AWARE``, or nothing for a file that does not say so.

    Raises:
        MissingInput: there is no such file.
        DataError: it is no safetensors file, though its name says so.
    """
    if path.suffix != ".safetensors":
        return ""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            notes = file.metadata() or {}
    except FileNotFoundError as error:
        raise MissingInput(f"{path}: there is no such file", code="source.missing") from error
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path}: no safetensors file: {error}", code="weights.damaged") from error
    return QUANTISATION_AWARE if notes.get(TRAINING) == QUANTISATION_AWARE else ""


def _misfit(have: Any, want: Tensor) -> str:
    """Say what is wrong with a stored value, or nothing."""
    import torch

    if not isinstance(have, torch.Tensor) or have.layout is not torch.strided:
        return f"is no tensor but {type(have).__name__}"
    if have.shape != want.shape:
        return f"has shape {list(have.shape)} and the network {list(want.shape)}"
    if have.is_quantized or have.is_complex():
        return f"is {have.dtype}".replace("torch.", "")
    return "" if torch.isfinite(have.float()).all() else "holds values that are not finite"


def _bare(stored: Mapping[str, Any], wanted: Mapping[str, Tensor]) -> dict[str, Any]:
    """Take the weights out of what a training script wrapped round them."""
    while not wanted.keys() & stored.keys():
        inner = next((stored[k] for k in _WRAPPERS if isinstance(stored.get(k), Mapping)), None)
        if inner is None:
            break
        stored = inner
    bare = {}
    for name, value in stored.items():
        short = str(name)
        while short not in wanted and short.startswith(_PREFIXES):
            short = short.partition(".")[2]
        bare[short] = value
    return bare


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(read_bounded(path))
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: no safetensors file: {error}", code="weights.damaged") from error


def _read_pickled(path: Path) -> Mapping[str, Any]:
    import torch

    content = read_bounded(path)
    if content.startswith(_ZIP):
        _check_archive(content, path)
    try:
        # Best scores beside the weights are NumPy's numbers more often than not.
        with torch.serialization.safe_globals(_numbers()), quiet():
            stored = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        # A stranger's file makes the reader raise whatever it meets first.
        raise _refusal(error, content, path) from error
    if not isinstance(stored, Mapping):
        raise DataError(
            f"{path}: holds {type(stored).__name__} and no state dict",
            hint="save network.state_dict()",
            code="weights.format",
        )
    return stored


def _numbers() -> list[Any]:
    """Return what a pickle of a NumPy number names, in NumPy 1 and 2: plain constructors."""
    scalar = np.float64(0).__reduce__()[0]
    kinds = [getattr(np.dtypes, name) for name in np.dtypes.__all__]
    return [(scalar, "numpy.core.multiarray.scalar"), scalar, np.dtype, *kinds]


def _check_archive(content: bytes, path: Path) -> None:
    """Refuse an archive of another kind, one that unpacks to too much, or one that is damaged."""
    with Archive(content, where=str(path)) as archive:
        inner = {name.partition("/")[2] for name in archive.names}
    if any(name.startswith("code/") for name in inner):
        raise DataError(
            f"{path}: is a TorchScript program, which is code",
            hint="save network.state_dict(), or export it to .pt2 with torch.export.save",
            code="weights.format",
        )
    if "archive_format" in inner:
        raise DataError(
            f"{path}: is an exported program and no weights",
            hint="give it a name that ends in .pt2",
            code="weights.format",
        )


def _refusal(error: Exception, content: bytes, path: Path) -> DataError:
    """Say why PyTorch's reader gave up: what the pickle would import, or else what is broken."""
    strange = [name for name in _imports(content, path) if not _TENSORS.fullmatch(name)]
    if strange:
        return DataError(
            f"{path}: is refused: its pickle would import {', '.join(strange[:_NAMED])}; "
            "nothing of it was run",
            hint="save network.state_dict() alone, best as .safetensors",
            code="weights.code",
        )
    if not content.startswith((_ZIP, _LEGACY)):
        return DataError(f"{path}: is no PyTorch file", code="weights.format")
    reason = (str(error) or type(error).__name__).splitlines()[0][:200]
    return DataError(f"{path}: is a damaged PyTorch file: {reason}", code="weights.damaged")


def _imports(content: bytes, path: Path) -> list[str]:
    if not content.startswith(_ZIP):
        return pickled_imports(content)
    with Archive(content, where=str(path)) as archive:
        pickles = [name for name in archive.names if name.endswith("/data.pkl")]
        return [found for name in pickles for found in pickled_imports(archive.read(name))]
