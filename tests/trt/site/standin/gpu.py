"""One GPU: memory, page-locked host memory, contexts, streams whose work waits until it is asked.

Work in a stream is done when somebody waits for the stream, and no sooner: who reads an output
before that reads the old one, as on a GPU that is slow.
"""

from __future__ import annotations

import ctypes
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from standin import setting, violate

__all__ = ["GPU", "CudaFault", "Gpu", "Recording", "Stream"]

Work = Callable[[], None]
_ALIGNMENT = 512


class CudaFault(Exception):
    """A call failed as CUDA's calls may; the text is CUDA's name of the fault."""


@dataclass
class Recording:
    """What was recorded from a stream."""

    works: list[Work] = field(default_factory=list)
    freed: bool = False


@dataclass
class Stream:
    """Work that waits."""

    handle: int
    queue: list[Work] = field(default_factory=list)
    recording: Recording | None = None
    freed: bool = False


class Gpu:
    """All that one process knows of the GPU."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._memory: dict[int, np.ndarray[Any, Any]] = {}
        self._freed: set[int] = set()
        self._host: dict[int, Any] = {}
        self._released: list[Any] = []
        self._streams: dict[int, Stream] = {}
        self._threads = threading.local()
        self.retained = 0
        self.initialised = False

    @property
    def name(self) -> str:
        return setting("GPU")

    @property
    def compute(self) -> tuple[int, int]:
        major, minor = setting("COMPUTE", "8.7").split(".")
        return int(major), int(minor)

    @property
    def stack(self) -> list[str]:
        """The contexts of the calling thread."""
        if not hasattr(self._threads, "stack"):
            self._threads.stack = []
        return self._threads.stack

    def init(self) -> None:
        if not self.name:
            raise CudaFault("CUDA_ERROR_NO_DEVICE")
        self.initialised = True

    def retain(self) -> None:
        if not self.initialised:
            raise CudaFault("CUDA_ERROR_NOT_INITIALIZED")
        self.retained += 1

    def release(self) -> None:
        if self.retained <= 0:
            violate("the primary context was released more often than it was retained")
        self.retained -= 1
        if self.retained == 0 and (left := self.left()):
            violate(f"the last one let the context go with {left} left on it", raising=False)

    def push(self) -> None:
        if self.retained <= 0:
            violate("a context was pushed that nobody holds")
        self.stack.append("primary")

    def pop(self) -> None:
        if not self.stack:
            raise CudaFault("CUDA_ERROR_INVALID_CONTEXT")
        self.stack.pop()

    def need_context(self, what: str) -> None:
        """Refuse what wants a context in the calling thread."""
        if not self.stack:
            violate(f"{what}: the calling thread has no current context")

    def left(self) -> str:
        """Return what was never freed, in words."""
        streams = sum(not stream.freed for stream in self._streams.values())
        parts = [(len(self._memory), "allocations"), (streams, "streams"),
                 (len(self._host), "page-locked")]  # fmt: skip
        return ", ".join(f"{count} {what}" for count, what in parts if count)

    def allocate(self, size: int) -> int:
        self.need_context("mem_alloc")
        if size <= 0:
            raise CudaFault("CUDA_ERROR_INVALID_VALUE")
        if size > int(setting("MEMORY_MIB", "4096")) << 20:
            raise CudaFault("CUDA_ERROR_OUT_OF_MEMORY")
        address = 0x7F00_0000_0000 + (next(self._numbers) << 32)
        # Nobody cleans what is given out.
        self._memory[address] = np.full(size, 0xA5, np.uint8)
        return address

    def free(self, address: int) -> None:
        self.need_context("mem_free")
        if address in self._freed:
            violate("device memory was freed twice")
        if self._memory.pop(address, None) is None:
            violate(f"what is freed was never allocated: {address:#x}")
        self._freed.add(address)

    def view(self, address: int, size: int, what: str) -> np.ndarray[Any, Any]:
        """Return so many bytes from an address on."""
        for start, block in self._memory.items():
            if start <= address < start + block.size:
                if address + size > start + block.size:
                    violate(f"{what}: {size} bytes, and {start + block.size - address} are there")
                return block[address - start : address - start + size]
        violate(f"{what}: {address:#x} is no device memory, or was freed")
        raise AssertionError("not reached")

    def host_allocate(self, size: int) -> int:
        self.need_context("page-locked memory")
        buffer = (ctypes.c_byte * max(size, 1))()
        address = ctypes.addressof(buffer)
        self._host[address] = buffer
        return address

    def host_buffer(self, address: int) -> Any:
        return self._host[address]

    def host_free(self, address: int) -> None:
        # Kept, so that a wrong reader of it meets no real fault here.
        self._released.append(self._host.pop(address))

    def need_page_locked(self, address: int, size: int, what: str) -> None:
        for start, buffer in self._host.items():
            if start <= address and address + size <= start + len(buffer):
                return
        violate(f"{what}: the host's memory is not page-locked, or was freed")

    def stream_create(self) -> int:
        self.need_context("stream")
        handle = 0x5000 + next(self._numbers)
        self._streams[handle] = Stream(handle)
        return handle

    def stream(self, handle: int, what: str) -> Stream:
        self.need_context(what)
        stream = self._streams.get(handle)
        if stream is None:
            violate(f"{what}: {handle:#x} is no stream")
        assert stream is not None
        if stream.freed:
            violate(f"{what}: the stream was freed")
        return stream

    def stream_destroy(self, handle: int) -> None:
        stream = self.stream(handle, "stream_destroy")
        if stream.queue:
            violate("a stream was freed with work in it")
        stream.freed = True

    def queue(self, handle: int, work: Work, what: str) -> None:
        """Put work into a stream, or into what is recorded from it."""
        stream = self.stream(handle, what)
        kept = stream.queue if stream.recording is None else stream.recording.works
        kept.append(work)

    def synchronize(self, handle: int) -> None:
        stream = self.stream(handle, "synchronize")
        if stream.recording is not None:
            violate("a stream that is being recorded cannot be waited for")
        works, stream.queue = stream.queue, []
        for work in works:
            work()

    def copy_in(self, handle: int, address: int, host: int, size: int) -> None:
        self.need_page_locked(host, size, "copy to the GPU")
        self.view(address, size, "copy to the GPU")

        def work() -> None:
            self.need_page_locked(host, size, "copy to the GPU")
            target = self.view(address, size, "copy to the GPU")
            target[:] = np.frombuffer(ctypes.string_at(host, size), np.uint8)

        self.queue(handle, work, "copy to the GPU")

    def copy_out(self, handle: int, host: int, address: int, size: int) -> None:
        self.need_page_locked(host, size, "copy from the GPU")
        self.view(address, size, "copy from the GPU")

        def work() -> None:
            self.need_page_locked(host, size, "copy from the GPU")
            content = self.view(address, size, "copy from the GPU").tobytes()
            ctypes.memmove(host, content, size)

        self.queue(handle, work, "copy from the GPU")

    def begin_recording(self, handle: int) -> None:
        stream = self.stream(handle, "begin capture")
        if stream.recording is not None:
            raise CudaFault("CUDA_ERROR_ILLEGAL_STATE")
        stream.recording = Recording()

    def end_recording(self, handle: int) -> Recording:
        stream = self.stream(handle, "end capture")
        recording, stream.recording = stream.recording, None
        if recording is None:
            raise CudaFault("CUDA_ERROR_ILLEGAL_STATE")
        return recording

    def launch(self, recording: Recording, handle: int) -> None:
        if recording.freed:
            violate("a graph was launched that was freed")
        for work in recording.works:
            self.queue(handle, work, "graph launch")


#: The one of this process.
GPU = Gpu()
