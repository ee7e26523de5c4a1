"""Keep the chatter of other people's C++ off the terminal."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator

__all__ = ["quiet"]


class _Nowhere(io.TextIOBase):
    """A stream that forgets; it stays open for those who keep it, such as log handlers."""

    def write(self, text: str) -> int:
        return len(text)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Turn away what a library prints: progress has one line a step.

    Its C++ part writes to the file descriptors themselves, so those are turned away as well.
    """
    nowhere = _Nowhere()
    with warnings.catch_warnings(), open(os.devnull, "wb") as null, contextlib.ExitStack() as stack:
        warnings.simplefilter("ignore")
        stack.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.WARNING)
        for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
            stream.flush()
            kept = os.dup(descriptor)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, descriptor)
            os.dup2(null.fileno(), descriptor)
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            yield
