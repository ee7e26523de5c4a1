"""Which bundle, on which engine, in which precision, on how many threads: in one word.

    BUNDLE[@[ENGINE][/PRECISION][:THREADS]]

``trial``, ``trial@onnxruntime``, ``trial@tflite:2``, ``trial@/fp32``, ``trial@tflite/int8:4``;
``default`` stands for the bundle of the package. What is left out is the bundle's own choice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from edge.bundle import Bundle, default_bundle
from edge.engines import ENGINES, made_for
from edge.errors import UsageError
from edge.manifest import PRECISIONS

__all__ = ["Choice", "as_choice", "restricted"]

_DEFAULT = "default"
_WAY = re.compile(
    r"(?P<engine>[a-z]+)?(?:/(?P<precision>[a-z0-9]+))?(?::(?P<threads>[1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """One way of running a bundle.

    Attributes:
        name: as the user wrote it.
        path: of the bundle.
        engine: one of ``edge.engines.ENGINES``, or None.
        precision: one of ``manifest.PRECISIONS``, or None.
        threads: of each engine.
    """

    name: str
    path: Path
    engine: str | None
    precision: str | None
    threads: int

    def open(self) -> Bundle:
        """Open the bundle; of its artefacts only those of this choice are left.

        Raises:
            EdgeError: it does not open, or a task has no such artefact.
        """
        return restricted(Bundle.open(self.path), engine=self.engine, precision=self.precision)


def as_choice(text: str, *, threads: int = 1) -> Choice:
    """Read the notation; a file or a folder of that very name goes first.

    Args:
        text: see the module.
        threads: where the text names none.

    Raises:
        UsageError: what stands behind the ``@`` is no engine, precision or number.
    """
    path, at, way = text.rpartition("@")
    if not at or Path(text).exists():
        return Choice(text, _bundle(text), None, None, threads)
    match = _WAY.fullmatch(way)
    if not path or not way or match is None:
        raise UsageError(
            f"{text!r}: {way!r} is no [ENGINE][/PRECISION][:THREADS]",
            hint="write it as in: trial@tflite, trial@onnxruntime:2, trial@tflite/fp32:2",
            code="bench.choice",
        )
    engine = _one_of(text, match["engine"], ENGINES, "engine")
    precision = _one_of(text, match["precision"], PRECISIONS, "precision")
    return Choice(text, _bundle(path), engine, precision, int(match["threads"] or threads))


def restricted(bundle: Bundle, *, engine: str | None, precision: str | None) -> Bundle:
    """Return the bundle without the artefacts of other engines and precisions.

    Args:
        engine: one of ``edge.engines.ENGINES``; None keeps all, and so does ``null``, which runs
            any artefact.
        precision: one of ``manifest.PRECISIONS``; None keeps all.

    Raises:
        BundleError: a task is left with none; a pipeline of two precisions would be no figure.
    """
    made = made_for(engine)
    for task in bundle.tasks:
        bundle.artefact(task, made, precision)
    kept = (
        artefact
        for artefact in bundle.artefacts
        if made in (None, artefact.engine) and precision in (None, artefact.precision)
    )
    return replace(bundle, artefacts=tuple(kept))


def _bundle(text: str) -> Path:
    path = Path(text)
    return default_bundle() if text == _DEFAULT and not path.exists() else path


def _one_of(text: str, word: str | None, known: tuple[str, ...], what: str) -> str | None:
    if word is not None and word not in known:
        raise UsageError(
            f"{text!r}: no {what} is called {word!r}",
            hint=f"there are {', '.join(known)}",
            code="bench.choice",
        )
    return word
