"""Opens the networks and the gallery that a configuration names."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from edge.bundle import Bundle, default_bundle
from edge.choice import Choice, race_file, read_choice
from edge.errors import DataError, EdgeError, MissingInput
from edge.gallery import Gallery
from edge.pipeline import Pipeline
from edge.places import default_gallery, open_bundle
from edge.service.config import Config
from edge.ways import Ways

__all__ = ["open_pipeline"]


def open_pipeline(
    config: Config,
    stack: ExitStack,
    *,
    report: Callable[[EdgeError], None],
    build: Callable[[str], None] | None = None,
) -> Pipeline:
    """Open bundle, gallery and pipeline.

    Args:
        config: names them; without a gallery the user's usual one is taken, if it is there.
        stack: closes them, in the right order.
        report: hears why something takes the place of what was wanted.
        build: makes the TensorRT engines of a precision that are missing; None leaves that out.

    Raises:
        EdgeError: one of them does not open.
    """
    trust = [Path(key) for key in config.trust] or None
    bundle = open_bundle(Path(config.bundle) if config.bundle else None, trust)
    path = Path(config.gallery) if config.gallery else _usual_gallery()
    gallery = None
    if path is not None:
        revision = bundle.artefact("identity").contract.revision
        gallery = stack.enter_context(Gallery.open(path, revision))
    ways = Ways(
        engine=config.engine or None,
        precision=config.precision or None,
        threads=config.threads,
        choice=None if config.engine or config.precision else _choice(config, bundle, report),
        fallback=config.fallback or None,
        report=report,
        build=build if config.build else None,
        dla=config.dla,
    )
    return stack.enter_context(Pipeline(bundle, gallery=gallery, ways=ways))


def _choice(config: Config, bundle: Bundle, report: Callable[[EdgeError], None]) -> Choice | None:
    """Read what a race chose on this board; a file that was named has to be there."""
    path = Path(config.race) if config.race else race_file(config.bundle or default_bundle())
    if config.race and not path.exists():
        raise MissingInput(
            f"{path}: no such file",
            hint=f"race on this board with: edge-export race BUNDLE --out {path}",
            code="choice.missing",
        )
    choice = read_choice(bundle, path, report=report, root=Path(config.board.root))
    for remark in () if choice is None else choice.remarks:
        report(DataError(f"{path}: {remark}", code="choice.remark"))
    return choice


def _usual_gallery() -> Path | None:
    """Return the gallery that is taken when none is named; None where there is none.

    One that is there and closed to this user is an error: nobody would be known, and why not would
    not be said.
    """
    path = default_gallery()
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise MissingInput(
            f"gallery {path}: {str(error.strerror).lower()}",
            hint="let this user read it, or name another one",
            code="gallery.missing",
        ) from error
    return path
