"""Pipelines in processes of their own, which run frames when they are told to."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.latency.subjects import PIPELINE, open_subject
from edge.bundle import Bundle
from edge.errors import EdgeError, UnavailableError
from edge.frames import Frame
from edge.owned import Owned

__all__ = ["Processes"]


class Processes(Owned):
    """Worker processes, each with a pipeline of its own.

    Args:
        count: of processes.
        bundle: path of the bundle.
        frames: each process gets a copy.
        threads: of each engine.

    Raises:
        UnavailableError: a process ended before it was ready.
    """

    def __init__(self, count: int, bundle: Path, frames: Sequence[Frame], *, threads: int) -> None:
        # Forking a process with threads may deadlock, so every worker starts from nothing.
        context = multiprocessing.get_context("spawn")
        self._ours: list[Connection] = []
        self._processes = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_work, args=(theirs, bundle, list(frames), threads), daemon=True
            )
            process.start()
            theirs.close()
            self._ours.append(ours)
            self._processes.append(process)
        self._answers()

    def run(self, count: int) -> None:
        """Let every process run ``count`` frames, all at the same time, and wait for the last."""
        for connection in self._ours:
            connection.send(count)
        self._answers()

    def _answers(self) -> None:
        for connection in self._ours:
            try:
                problem = connection.recv()
            except EOFError:
                problem = "ended by itself"
            if problem:
                self.close()
                raise UnavailableError(f"a worker process: {problem}", code="bench.process")

    def close(self) -> None:
        """End the processes; a second call does nothing."""
        for connection in self._ours:
            connection.close()
        for process in self._processes:
            process.join()
        self._ours, self._processes = [], []


def _work(connection: Connection, bundle: Path, frames: list[Frame], threads: int) -> None:
    """Open a pipeline, say that it is ready, and run frames until nobody asks any more."""
    try:
        opened = Bundle.open(bundle)
        with open_subject(PIPELINE, opened, frames, threads=threads, engine=None) as subject:
            subject.run(frames[0])
            connection.send("")
            while True:
                for i in range(connection.recv()):
                    subject.run(frames[i % len(frames)])
                connection.send("")
    except EOFError:
        return
    except EdgeError as error:
        connection.send(str(error))
