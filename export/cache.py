"""Results of steps whose inputs did not change, by a digest of those inputs."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edge.errors import OutputError
from edge.files import write_whole

__all__ = ["Cache", "digest", "digest_files", "tool_versions"]


class Cache:
    """A folder with one file a network and step.

    Args:
        folder: made if it is not there.

    Raises:
        OutputError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{folder}: cannot be made: {error.strerror}",
                hint="name another folder with --work",
                code="output.write",
            ) from error
        self._folder = folder

    def get(self, step: str, key: str) -> bytes | None:
        """Return what was kept under this very key, or None."""
        path = self._path(step, key)
        return path.read_bytes() if path.is_file() else None

    def put(self, step: str, key: str, content: bytes) -> None:
        """Keep a result and drop the step's older ones.

        Raises:
            OutputError: the disk is full or read-only.
        """
        path = self._path(step, key)
        write_whole(path, content)
        for old in self._folder.glob(f"{step}-*"):
            if old != path:
                old.unlink(missing_ok=True)

    def _path(self, step: str, key: str) -> Path:
        return self._folder / f"{step}-{key[:32]}"


def digest(*parts: object) -> str:
    """Return the SHA-256, in hex, over the parts, each taken by itself."""
    total = hashlib.sha256()
    for part in parts:
        content = part if isinstance(part, bytes) else repr(part).encode()
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


def digest_files(root: Path, *patterns: str) -> str:
    """Return a digest over the names and contents of the files that fit the patterns."""
    paths = sorted({path for pattern in patterns for path in root.glob(pattern) if path.is_file()})
    return digest(*((p.relative_to(root).as_posix(), p.read_bytes()) for p in paths))


def digest_code(*patterns: str) -> str:
    """Return a digest over our own files that fit the patterns (``export/program/*.py``).

    Raises:
        ValueError: a pattern fits no file: a key that forgot its code would keep old results.
    """
    root = Path(__file__).parent.parent
    empty = [pattern for pattern in patterns if not any(root.glob(pattern))]
    if empty:
        raise ValueError(f"no file of the rooms fits {', '.join(empty)}")
    return digest_files(root, *patterns)


def tool_versions(*names: str) -> dict[str, str]:
    """Return the versions of installed distributions; empty for one that is not there."""
    versions = {}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = ""
    return versions
