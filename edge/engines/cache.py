"""Engine files that this device built for itself, kept under what they were built for.

A TensorRT engine is executable code of one GPU and one release, so that a file is only believed if
this device wrote it: each carries an HMAC-SHA256 (RFC 2104) under a key that never leaves the
device. What does not hold is no error: it is passed over, and built again.

    FOLDER/<sha256 of the ONNX file and its target>.plan    magic, header, MAC, engine
    KEY                                                     see ``device_key``
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import stat
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.board.system import System
from edge.engines.device_key import default_key, device_key
from edge.errors import EdgeError, OutputError
from edge.files import write_whole
from edge.places import cache_folder

__all__ = ["EngineCache", "Target", "built_for", "default_folder"]

_MAGIC = b"UEPLAN1\n"
_LENGTH = struct.Struct("<I")
_MAX_HEADER_BYTES = 4096
_MAC_BYTES = 32
#: An engine has about the size of its ONNX file; those have 256 MiB at most.
_MAX_PLAN_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Target:
    """What an engine is built for; another of any of these wants another engine.

    Attributes:
        gpu: its name.
        compute: its compute capability, such as ``8.7``.
        tensorrt, cuda: versions; of CUDA that of the driver.
        l4t: release of a Jetson's system, such as ``R36.4.3``; empty elsewhere.
        dla: number of the deep-learning accelerator, or empty for the GPU.
    """

    gpu: str
    compute: str
    tensorrt: str
    cuda: str
    l4t: str = ""
    dla: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the fields."""
        return asdict(self)

    def __str__(self) -> str:
        system = f", L4T {self.l4t}" if self.l4t else ""
        core = f", DLA {self.dla}" if self.dla else ""
        return (
            f"{self.gpu} ({self.compute}), TensorRT {self.tensorrt}, CUDA {self.cuda}{system}{core}"
        )


class EngineCache:
    """The engines of one device.

    Args:
        folder: of the engines; made when the first is put there.
        key: file of the key; made, readable by its owner only, when it is first needed.
        root: of the system, for the board's serial number.

    Attributes:
        refused: why the last ``find`` gave nothing although there was a file; else empty.
    """

    def __init__(
        self, folder: Path | None = None, *, key: Path | None = None, root: Path = Path("/")
    ) -> None:
        self.folder = folder or default_folder()
        self.refused = ""
        self._key = key or default_key()
        self._system = System(root)

    def find(self, onnx_sha256: str, target: Target) -> bytes | None:
        """Return an engine; None where there is none that this device built for this target.

        Args:
            onnx_sha256: of the file that it was built from.
            target: this device, as it is now.

        Raises:
            ConfigError: the key cannot be used.
        """
        self.refused = ""
        path = self._path(onnx_sha256, target)
        try:
            content = _read(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.refused = f"{path}: {(error.strerror or str(error)).lower()}"
            return None
        plan = self._opened(content, onnx_sha256, target)
        if plan is None:
            self.refused = f"{path}: not written by this device for this target, or damaged"
        return plan

    def put(self, onnx_sha256: str, target: Target, plan: bytes) -> Path:
        """Keep an engine, whole or not at all; those for a system that is gone are removed.

        Raises:
            OutputError: it cannot be written.
            ConfigError: the key cannot be used.
        """
        self._make_folder()
        header = _header(onnx_sha256, target)
        path = self._path(onnx_sha256, target)
        signed = header + plan
        mac = self._mac(signed)
        write_whole(path, _MAGIC + _LENGTH.pack(len(header)) + header + mac + plan)
        self._remove_outdated(target)
        return path

    def drop(self, onnx_sha256: str, target: Target) -> None:
        """Throw an engine away that is of no use after all; the next ``find`` gives nothing."""
        with contextlib.suppress(OSError):
            self._path(onnx_sha256, target).unlink(missing_ok=True)

    @contextlib.contextmanager
    def building(
        self, onnx_sha256: str, target: Target, *, waits: Callable[[], None] = lambda: None
    ) -> Iterator[None]:
        """Keep other processes from building the same engine; whoever waited looks again.

        The lock goes with the process that holds it, however that ends.

        Args:
            onnx_sha256: of the file that it is built from.
            target: this device.
            waits: called if another process is at it, before its end is awaited.

        Raises:
            OutputError: the folder cannot be written to.
        """
        self._make_folder()
        path = self._path(onnx_sha256, target).with_suffix(".lock")
        try:
            handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise _not_written(path, error) from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waits()
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _path(self, onnx_sha256: str, target: Target) -> Path:
        return self.folder / f"{hashlib.sha256(_header(onnx_sha256, target)).hexdigest()}.plan"

    def _opened(self, content: bytes, onnx_sha256: str, target: Target) -> bytes | None:
        """Return the engine out of a file's bytes, if all of it holds."""
        start = len(_MAGIC) + _LENGTH.size
        if not content.startswith(_MAGIC) or len(content) < start:
            return None
        (length,) = _LENGTH.unpack_from(content, len(_MAGIC))
        if length > _MAX_HEADER_BYTES or len(content) < start + length + _MAC_BYTES:
            return None
        header = content[start : start + length]
        mac = content[start + length : start + length + _MAC_BYTES]
        plan = content[start + length + _MAC_BYTES :]
        if not hmac.compare_digest(mac, self._mac(header + plan)):
            return None
        return plan if header == _header(onnx_sha256, target) else None

    def _mac(self, content: bytes) -> bytes:
        return hmac.new(device_key(self._key, self._system), content, hashlib.sha256).digest()

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _not_written(self.folder, error) from error

    def _remove_outdated(self, target: Target) -> None:
        """Remove engines of this board's earlier systems: nothing will ever ask for them."""
        for path in self.folder.glob("*.plan"):
            made_for = built_for(path)
            if made_for is None or made_for.gpu != target.gpu:
                continue
            if _system(made_for) != _system(target):
                with contextlib.suppress(OSError):
                    path.unlink()
                    path.with_suffix(".lock").unlink(missing_ok=True)


def built_for(path: Path) -> Target | None:
    """Return what a file says that it was built for; None where it says nothing of the kind.

    Nobody has checked that: it is for throwing the file away, and for telling of it.
    """
    begin = len(_MAGIC) + _LENGTH.size
    if path.is_symlink() or not path.is_file():
        return None
    try:
        with open(path, "rb") as stream:
            start = stream.read(begin + _MAX_HEADER_BYTES)
        (length,) = _LENGTH.unpack_from(start, len(_MAGIC)) if start.startswith(_MAGIC) else (0,)
        target = Target(**json.loads(start[begin : begin + length])["target"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError, struct.error):
        return None
    said = target.to_json().values()
    return target if all(isinstance(v, str) and v.isprintable() for v in said) else None


def default_folder() -> Path:
    """Return where engines lie."""
    return cache_folder() / "engines"


def _header(onnx_sha256: str, target: Target) -> bytes:
    table = {"onnx_sha256": onnx_sha256, "target": target.to_json()}
    return json.dumps(table, sort_keys=True, separators=(",", ":")).encode()


def _system(target: Target) -> tuple[str, str, str]:
    return target.tensorrt, target.cuda, target.l4t


def _read(path: Path) -> bytes:
    """Read a plain file of bounded size; links are not followed.

    Raises:
        OSError: as the system says it.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(handle, "rb") as stream:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _MAX_PLAN_BYTES:
            return b""
        return stream.read(_MAX_PLAN_BYTES)


def _not_written(path: Path, error: OSError) -> EdgeError:
    return OutputError(
        f"{path}: cannot be written: {(error.strerror or str(error)).lower()}",
        hint="free some space, or name a folder that can be written to",
        code="engine.cache",
    )
