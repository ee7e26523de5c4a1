"""Opens the networks and the gallery that a configuration names."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from edge.errors import MissingInput
from edge.gallery import Gallery
from edge.pipeline import Pipeline
from edge.places import default_gallery, open_bundle
from edge.service.config import Config

__all__ = ["open_pipeline"]


def open_pipeline(config: Config, stack: ExitStack) -> Pipeline:
    """Open bundle, gallery and pipeline.

    Args:
        config: names them; without a gallery the user's usual one is taken, if it is there.
        stack: closes them, in the right order.

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
    return stack.enter_context(
        Pipeline(bundle, gallery=gallery, threads=config.threads, engine=config.engine or None)
    )


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
