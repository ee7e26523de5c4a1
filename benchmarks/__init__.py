"""The harness behind ``edge-bench``: accuracy on a task, latency of the whole pipeline."""

from __future__ import annotations
