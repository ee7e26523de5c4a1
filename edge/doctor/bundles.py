"""The bundle and the gallery: every digest, every template, and who else may read them."""

from __future__ import annotations

import shlex
import stat

from edge.bundle import Bundle
from edge.doctor.case import Case
from edge.doctor.finding import Finding
from edge.errors import EdgeError
from edge.gallery import Gallery
from edge.signature import read_public_key

__all__ = ["check_bundle", "check_gallery"]


def check_bundle(case: Case) -> list[Finding]:
    """Open the bundle: every digest, every contract, every evidence, and its signature."""
    try:
        keys = None if case.trust is None else [read_public_key(path) for path in case.trust]
        opened = Bundle.open(case.bundle, keys=keys)
    except EdgeError as error:
        return [Finding("bundle", "fail", error.what, error.hint)]
    if opened.signed_by is not None:
        signed = f"signed by {opened.signed_by.name}"
    else:
        signed = "its signature was not checked" if opened.is_signed else "not signed"
    what = f"{opened.name}: {', '.join(opened.tasks)}; all digests hold; {signed}"
    return [Finding("bundle", "ok", what)]


def check_gallery(case: Case) -> list[Finding]:
    """Open the gallery for the bundle's revision, and see who else may read it."""
    gallery = case.gallery
    try:
        if not gallery.exists():
            return [Finding("gallery", "ok", f"{gallery}: none yet")]
        mode = stat.S_IMODE(gallery.stat().st_mode)
        revision = Bundle.open(case.bundle).artefact("identity").contract.revision
    except OSError as error:
        what = f"{gallery}: {error.strerror}"
        return [Finding("gallery", "warn", what, "look as its owner: sudo -u unveil-edge")]
    except EdgeError:
        what = f"{gallery}: cannot be checked without a bundle"
        return [Finding("gallery", "warn", what, "mend the bundle first: edge-doctor bundle")]
    try:
        with Gallery.open(gallery, revision) as opened:
            people = opened.people()
    except EdgeError as error:
        return [Finding("gallery", "fail", error.what, error.hint)]
    if mode & 0o077:
        what = f"{gallery}: others may read it (mode {mode:04o})"
        return [Finding("gallery", "warn", what, f"chmod 600 {shlex.quote(str(gallery))}")]
    return [
        Finding(
            "gallery",
            "ok",
            f"{gallery}: {len(people)} {'person' if len(people) == 1 else 'people'}",
        )
    ]
