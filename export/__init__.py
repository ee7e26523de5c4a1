"""The toolchain behind ``edge-export``: from a trained network to a proven artefact.

    convert   one network file into artefacts that are compared with it
    make      every recipe of a folder into a bundle, each network proven on its task
    verify    a finished bundle, measured again

>>> from export import convert
>>> done = convert("network.onnx", wanted=[("tflite", "fp16")])  # doctest: +SKIP
>>> done.artefacts[0].content[4:8]  # doctest: +SKIP
b'TFL3'
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from export.cards.card import TensorCard
    from export.making.conversion import Conversion
    from export.making.recipes import Made

__all__ = ["convert", "make", "verify"]


def convert(
    path: str | os.PathLike[str],
    *,
    wanted: Sequence[tuple[str, str]] = (("tflite", "fp32"),),
    samples: Iterable[Any] | None = None,
    count: int = 300,
    pictures: Sequence[TensorCard] = (),
    size_hw: tuple[int, int] | None = None,
    method: str = "minmax",
    out: str | os.PathLike[str] | None = None,
) -> Conversion:
    """Convert one network file; see ``export.making.conversion.convert_source``.

    A card that lies beside the file and names it says what its tensors mean.

    Args:
        path: ``.pt2``, ``.onnx``, ``.keras``, ``.h5``, ``.hdf5``, float ``.tflite``, the folder of
            a SavedModel, or that of a recipe.
        wanted: format (``tflite``, ``onnx``) and precision (``fp32``, ``fp16``, ``dynamic``,
            ``int8``) of each artefact.
        samples: for INT8: pictures, or a network's own inputs, see
            ``export.calibration.samples.given``; the first ``count`` calibrate, some after them are
            compared on.
        count: of them; the least that is enough.
        pictures: what the inputs mean, where there is no card.
        size_hw: height and width, where the network leaves them open.
        method: of calibration.
        out: folder to write the artefacts and their record into.

    Raises:
        EdgeError: the network cannot be read or converted, or an artefact failed; nothing is
            written then.
    """
    from export.calibration.calibrate import HELD_BACK, Draw, given_inputs
    from export.cards.beside import card_of
    from export.importers.source import find_source
    from export.making.artefacts import Inputs, Request
    from export.making.conversion import convert_source, write_conversion
    from export.program.lowered import Lowered

    card = card_of(Path(path))

    def inputs(exact: Lowered) -> Inputs:
        cards = () if card else tuple(pictures)
        if samples is None:
            return Inputs(pictures=cards)
        draw = Draw(count=count, minimum=count, method=method)
        told = exact if card else exact.told(cards)
        drawn = given_inputs(samples, told.contract, draw)
        return Inputs(drawn.samples, drawn.held_back[:HELD_BACK], cards, drawn.manifest)

    request = Request(wanted=tuple(wanted), method=method)
    done = convert_source(
        find_source(Path(path), card=card, size_hw=size_hw), request, inputs=inputs
    )
    if out is not None:
        write_conversion(done, Path(out))
    return done


def make(out: Path, *, models: Path, data: Path, work: Path) -> Made:
    """Export every recipe in ``models`` into a bundle; see ``export.making.recipes.make``.

    Raises:
        EdgeError: a card, weights, data or a gate; nothing is written then.
    """
    from export.making.recipe import Settings
    from export.making.recipes import make as run

    return run(out, Settings(models=models, data=data, work=work))


def verify(
    bundle: str | os.PathLike[str], *, models: Path, data: Path, limit: int | None = None
) -> list[str]:
    """Measure a bundle again and hold it to its evidence; see ``export.gate.check.check_bundle``.

    Returns:
        One line an artefact.

    Raises:
        BundleError: it does not open.
        GateFailed: a figure is worse than the evidence by more than the card allows.
    """
    from edge.bundle import Bundle
    from export.gate.check import check_bundle

    return [str(found) for found in check_bundle(Bundle.open(bundle), models, data, limit=limit)]
