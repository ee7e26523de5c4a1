"""The engines of a whole bundle: found, or built and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge.board.system import System
from edge.bundle import Artefact, Bundle
from edge.contract import Contract
from edge.engines.cache import EngineCache, Target
from edge.engines.gpu import open_gpu
from edge.engines.plans import import_tensorrt, target_of
from edge.errors import BundleError, EdgeError, OutputError, TransientError, UnavailableError
from edge.files import write_whole
from export.toolchains.tensorrt import Built, Options, build, workspace_mib

__all__ = ["LAYERS_SCHEMA", "Row", "Wish", "build_bundle"]

LAYERS_SCHEMA = "unveil-edge.built-layers/1"
#: Engines are made from the artefacts of this engine.
_SOURCE = "onnxruntime"
_ORDER = ("int8", "fp16", "fp32")
#: What the builder measured is kept as engines are, and believed as little as they if it is not
#: this device's own.
_TIMING = hashlib.sha256(b"TensorRT timing cache").hexdigest()
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted.

    Attributes:
        precision: one of the bundle's; ``auto`` for the first of int8, fp16, fp32; ``all``.
        dla: number of the deep-learning accelerator.
        memory_mib: for the builder; None: by what is free.
        force: build although there is an engine.
        layers: folder for what became of every layer.
        batch: faces that an engine takes at once, if its network reads a face.
    """

    precision: str = "auto"
    dla: int | None = None
    memory_mib: int | None = None
    force: bool = False
    layers: Path | None = None
    batch: int = 4


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one artefact.

    Attributes:
        artefact: whose engine it is.
        built: None where the engine was there, or could not be built.
        error: why it could not be built.
    """

    artefact: Artefact
    built: Built | None = None
    error: EdgeError | None = None

    def __str__(self) -> str:
        """Return one line."""
        name = f"{self.artefact.task} {self.artefact.precision}"
        if self.error is not None:
            return f"{name}: not built  [{self.error.code}]"
        if self.built is None:
            return f"{name}: up to date"
        said = [
            f"built in {self.built.seconds:.0f} s",
            f"{len(self.built.plan) / _MIB:.1f} MiB",
            f"{len(self.built.layers)} kernels",
        ]
        if self.built.batch > 1:
            said.append(f"{self.built.batch} faces at once")
        if dla := self.built.dla:
            said.append(
                f"{dla.layers - len(dla.fallen)} of {dla.layers} layers on the accelerator, "
                f"{dla.share:.0%} fell back to the GPU"
            )
        return f"{name}: {', '.join(said)}"

    def to_json(self) -> dict[str, object]:
        """Return the row; what is unknown is null."""
        built, error = self.built, self.error
        return {
            "task": self.artefact.task,
            "precision": self.artefact.precision,
            "file": self.artefact.file,
            "state": "failed" if error else "built" if built else "up to date",
            "seconds": None if built is None else round(built.seconds, 1),
            "bytes": None if built is None else len(built.plan),
            "batch": None if built is None else built.batch,
            "workspace_mib": None if built is None else built.workspace_mib,
            "dla": None if built is None or built.dla is None else built.dla.to_json(),
            "warnings": [] if built is None else list(built.warnings),
            "error": None if error is None else {"code": error.code, "what": error.what},
        }


def build_bundle(
    bundle: Bundle, wish: Wish, *, cache: Path | None, say: Callable[[str], None]
) -> Iterator[Row]:
    """Give every network of a bundle its engine, one after the other.

    Args:
        bundle: opened.
        wish: what is wanted.
        cache: folder of the engines; None for the device's own.
        say: takes lines of progress.

    Yields:
        One row an artefact, also for those that could not be built.

    Raises:
        BundleError: the bundle has no ONNX file of that precision.
        UnavailableError: there is no GPU, or no TensorRT.
        TransientError: too little memory is free to build anything.
        OutputError, ConfigError: the folder of the engines, or this device's key, cannot be used.
    """
    artefacts = _wanted(bundle, wish.precision)
    gpu = open_gpu()
    try:
        dla = "" if wish.dla is None else str(wish.dla)
        target = target_of(gpu, import_tensorrt(), dla=dla)
        say(f"for {target}, through {gpu.library}")
    finally:
        gpu.close()
    engines = EngineCache(cache)
    for artefact in artefacts:
        row = _one(artefact, wish, engines, target, say)
        if wish.layers is not None and row.error is None:
            _write_layers(wish.layers, artefact, engines, target)
        yield row


def _wanted(bundle: Bundle, precision: str) -> list[Artefact]:
    """Return the artefacts to build, in the order of the tasks.

    Raises:
        BundleError: there are none.
    """
    found = []
    for task in bundle.tasks:
        mine = {a.precision: a for a in bundle.artefacts if (a.task, a.engine) == (task, _SOURCE)}
        fitting = [mine[p] for p in _ORDER if p in mine and precision in (p, "auto", "all")]
        found += fitting[:1] if precision == "auto" else fitting
    if not found:
        kind = "" if precision in ("auto", "all") else f"{precision} "
        raise BundleError(
            f"bundle {bundle.name}: no network has an {kind}ONNX file to build from",
            hint="make it with: edge-export make --format tflite onnx --int8 --half --out BUNDLE",
            code="build.artefact",
        )
    return found


def _one(
    artefact: Artefact,
    wish: Wish,
    engines: EngineCache,
    target: Target,
    say: Callable[[str], None],
) -> Row:
    if _is_up_to_date(artefact, wish, engines, target):
        return Row(artefact)
    if engines.refused:
        say(f"{artefact.task} {artefact.precision}: {engines.refused}; it is built again")
    name = f"{artefact.task} {artefact.precision}"
    with engines.building(
        artefact.sha256, target, waits=lambda: say(f"{name}: another process builds it: waiting")
    ):
        # Somebody else may have built it while this process waited for its turn.
        if _is_up_to_date(artefact, wish, engines, target):
            return Row(artefact)
        try:
            return Row(artefact, _build(artefact, wish, engines, target, say))
        except (OutputError, TransientError):
            # These hold for all networks.
            raise
        except EdgeError as error:
            return Row(artefact, error=error)


def _is_up_to_date(artefact: Artefact, wish: Wish, engines: EngineCache, target: Target) -> bool:
    """Tell whether there is an engine, and whether it was built for so many faces.

    What was asked for counts, not what became of it: a layer may allow one face only.
    """
    plan = None if wish.force else engines.find(artefact.sha256, target)
    if plan is None:
        return False
    record = engines.find(_layers_key(artefact), target)
    # As this device wrote it; a power cut may have left the record of another engine.
    asked = {} if record is None else json.loads(record)
    built = (asked.get("plan_sha256"), asked.get("batch"))
    return built == (hashlib.sha256(plan).hexdigest(), _batch(artefact, wish))


def _batch(artefact: Artefact, wish: Wish) -> int:
    """Return how many faces an engine is asked to take."""
    return wish.batch if _reads_faces(artefact.contract) and wish.dla is None else 1


def _build(
    artefact: Artefact,
    wish: Wish,
    engines: EngineCache,
    target: Target,
    say: Callable[[str], None],
) -> Built:
    name = f"{artefact.task} {artefact.precision}"
    content = artefact.content
    _check_rules(content, artefact, target, say)
    options = Options(
        artefact.precision,
        workspace_mib(System(), wish.memory_mib),
        wish.dla,
        _batch(artefact, wish),
    )
    say(f"{name}: building, with {options.workspace_mib} MiB to try kernels in; takes minutes")
    built = build(
        content,
        options,
        timing=engines.find(_TIMING, target) or b"",
        where=artefact.where,
        say=lambda line: say(f"{name}: {line}"),
    )
    engines.put(artefact.sha256, target, built.plan)
    engines.put(_TIMING, target, built.timing)
    engines.put(_layers_key(artefact), target, _layers_json(artefact, wish, built, target))
    for line in built.warnings:
        say(f"{name}: TensorRT warns: {line}")
    return built


def _reads_faces(contract: Contract) -> bool:
    """Tell whether there may be several of what a network reads in one frame."""
    specs = (*contract.inputs, *contract.outputs)
    return contract.crop.kind != "frame" and all(spec.shape[0] == 1 for spec in specs)


def _check_rules(
    content: bytes, artefact: Artefact, target: Target, say: Callable[[str], None]
) -> None:
    """Say what this TensorRT will not take or fuse; a device without onnx goes without."""
    with suppress(UnavailableError):
        from export.toolchains.rules import check_rules

        for finding in check_rules(content, where=artefact.where, release=target.tensorrt):
            say(f"{artefact.task} {artefact.precision}: {finding}")


def _layers_key(artefact: Artefact) -> str:
    return hashlib.sha256(f"layers {artefact.sha256}".encode()).hexdigest()


def _layers_json(artefact: Artefact, wish: Wish, built: Built, target: Target) -> bytes:
    table = {
        "schema": LAYERS_SCHEMA,
        "file": artefact.file,
        "onnx_sha256": artefact.sha256,
        "target": target.to_json(),
        "plan_sha256": hashlib.sha256(built.plan).hexdigest(),
        "batch": _batch(artefact, wish),
        "dla": None if built.dla is None else built.dla.to_json(),
        "layers": [layer.to_json() for layer in built.layers],
    }
    return json.dumps(table, indent=1).encode()


def _write_layers(folder: Path, artefact: Artefact, engines: EngineCache, target: Target) -> None:
    """Write what became of the layers, as it was found when the engine was built.

    Raises:
        OutputError: it cannot be written.
    """
    content = engines.find(_layers_key(artefact), target)
    if content is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be made: {error.strerror}", code="output.write"
        ) from error
    write_whole(folder / f"{artefact.file}.layers.json", content)
