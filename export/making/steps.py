"""The steps from one network to its artefacts, each skipped where its inputs did not change."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable

from export.cache import Cache, digest, digest_code, tool_versions
from export.calibration.ranges import Ranges, byte_spans, observe
from export.cards.card import Card, TensorCard
from export.onnx_writer import write_onnx
from export.program.lowered import Lowered, Sample, contract_of, real_values
from export.progress import Progress, Say
from export.quantisation.correct import correct_bias
from export.quantisation.equalise import equalise
from export.quantisation.quantise import quantise, to_dynamic, to_fp16

__all__ = ["OPSET", "SKIPPED", "TOOLS", "Say", "Steps"]

#: Of the ONNX files: the last that TensorRT 8.5 and 8.6 (JetPack 5) read.
OPSET = 17
#: What takes part in the numbers beside the network itself.
TOOLS = ("torch", "litert-torch", "ai-edge-quantizer", "ai-edge-litert", "onnx", "numpy")
#: Said of a step whose result is kept from an earlier run.
SKIPPED = "unchanged, skipped"


class Steps:
    """The steps of one network.

    Args:
        name: of the network.
        card: what its tensors mean; None for a bare file.
        cache: where the steps' results are kept.
        say: takes one line a step; a ``Progress`` is told of the steps themselves.
        pictures: of a bare file, what its inputs mean.
    """

    def __init__(
        self,
        name: str,
        card: Card | None,
        cache: Cache,
        say: Say,
        pictures: tuple[TensorCard, ...] = (),
    ) -> None:
        self.name, self.card, self._pictures = name, card, pictures
        self._cache, self._say = cache, Progress.of(say)

    def told(self, pictures: tuple[TensorCard, ...]) -> Steps:
        """Return the same steps for one who knows what a bare file's inputs mean."""
        return Steps(self.name, self.card, self._cache, self._say, pictures)

    def lower(self, load: Callable[[], bytes], key: str) -> Lowered:
        """Return the float program.

        Args:
            load: makes the float TFLite file.
            key: digest of everything that takes part in it.
        """
        content = self.cached(
            "lower",
            digest(
                key,
                digest_code("export/program/*.py", "benchmarks/anatomy/*.py"),
                tool_versions(*TOOLS),
            ),
            load,
        )
        return self.describe("tflite", "fp32", content)

    def calibrate(
        self, exact: Lowered, samples: Callable[[], Iterable[Sample]], key: str, *, method: str
    ) -> Ranges:
        """Return what every tensor of the float program was seen to hold.

        Args:
            exact: the float program.
            samples: training inputs; read once.
            key: digest of everything that takes part in the samples.
            method: see ``export.calibration.ranges.observe``.
        """
        specs = exact.contract.inputs

        def watch() -> bytes:
            seen = observe(
                exact.content,
                (real_values(specs, sample) for sample in samples()),
                method=method,
                spans=byte_spans(specs),
                where=exact.where,
            )
            return json.dumps(seen.to_json()).encode()

        whole = digest(
            exact.content,
            key,
            method,
            _code(),
            tool_versions(*TOOLS),
        )
        stored = json.loads(self.cached("calibrate", whole, watch))
        return Ranges.from_json(stored, where=f"calibration of {self.name}")

    def equalise(
        self, exact: Lowered, samples: Callable[[], Iterable[Sample]], key: str
    ) -> Lowered:
        """Return the float program with its channels equalised; it computes the same numbers.

        Args:
            exact, samples, key: as in ``calibrate``.
        """
        specs = exact.contract.inputs

        def change() -> bytes:
            reals = (real_values(specs, sample) for sample in samples())
            content, layers = equalise(exact.content, reals, where=exact.where)
            self._say(f"{self.name}: equalised {len(layers)} layers")
            return content

        whole = digest(exact.content, key, _code())
        return self.describe("tflite", "fp32", self.cached("equalise", whole, change))

    def correct(
        self,
        exact: Lowered,
        ranges: Ranges,
        samples: Callable[[], Iterable[Sample]],
        key: str,
        *,
        keep_float: frozenset[str] = frozenset(),
    ) -> Lowered:
        """Return a float program whose INT8 file has no mean error; only to be quantised.

        Args:
            exact, samples, key: as in ``calibrate``.
            ranges: of the calibration.
            keep_float: see ``artefact``.
        """
        specs = exact.contract.inputs

        def change() -> bytes:
            reals = (real_values(specs, sample) for sample in samples())
            content, layers = correct_bias(
                exact.content, ranges, reals, keep_float=keep_float, where=exact.where
            )
            self._say(f"{self.name}: corrected the biases of {len(layers)} layers")
            return content

        whole = digest(exact.content, key, ranges.to_json(), sorted(keep_float), _code())
        return self.describe("tflite", "fp32", self.cached("correct", whole, change))

    def artefact(
        self,
        exact: Lowered,
        format: str,
        precision: str,
        *,
        ranges: Ranges | None = None,
        keep_float: frozenset[str] = frozenset(),
        opset: int = OPSET,
    ) -> Lowered:
        """Return one artefact.

        Args:
            exact: the float program.
            format, precision: see ``export.program.lowered.FORMATS``.
            ranges: for ``int8``.
            keep_float: names of the output tensors of nodes that stay float.
            opset: of an ONNX file.
        """
        if (format, precision) == ("tflite", "fp32"):
            return exact
        key = digest(
            exact.content,
            precision,
            ranges.to_json() if ranges and precision == "int8" else None,
            sorted(keep_float),
            opset if format == "onnx" else 0,
            _code(),
            tool_versions(*TOOLS),
        )

        def make() -> bytes:
            if format == "onnx":
                return write_onnx(
                    exact.content,
                    precision=precision,
                    ranges=ranges if precision == "int8" else None,
                    keep_float=keep_float,
                    opset=opset,
                    where=self.name,
                )
            if precision == "int8":
                assert ranges is not None, "INT8 is made from ranges"
                return quantise(exact.content, ranges, keep_float=keep_float)
            return {"fp16": to_fp16, "dynamic": to_dynamic}[precision](exact.content)

        content = self.cached(f"{format}-{precision}", key, make)
        return self.describe(format, precision, content, keep_float)

    def cached(self, step: str, key: str, run: Callable[[], bytes]) -> bytes:
        """Return a step's result: the one that is kept under this key, or a new one."""
        with self._say.step(f"{self.name}: {step}"):
            kept = self._cache.get(step, key)
            if kept is not None:
                self._say(f"{self.name}: {step}: {SKIPPED}")
                return kept
            started = time.monotonic()
            content = run()
            self._cache.put(step, key, content)
            self._say(f"{self.name}: {step}: {time.monotonic() - started:.1f} s, "
                      f"{len(content) / 1024:.0f} KiB")  # fmt: skip
            return content

    def describe(
        self,
        format: str,
        precision: str,
        content: bytes,
        keep_float: frozenset[str] = frozenset(),
    ) -> Lowered:
        """Return a file that was made, with its contract.

        Args:
            format, precision: see ``export.program.lowered.FORMATS``.
            content: the file.
            keep_float: see ``artefact``.
        """
        contract = contract_of(
            content, format, card=self.card, name=self.name, pictures=self._pictures
        )
        return Lowered(self.name, format, precision, content, contract, keep_float)


def _code() -> str:
    """Digest the code behind the steps: new code makes them anew."""
    rooms = ("program", "calibration", "quantisation", "onnx_writer")
    return digest_code(
        *(f"export/{room}/*.py" for room in rooms),
        "export/making/steps.py",
        "benchmarks/anatomy/*.py",
    )
