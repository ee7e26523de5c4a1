"""Make result files for tests: the JSON of docs/bench.md, with figures that were made up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.records import LatencyRecord, parse_record

__all__ = ["MACHINE", "accuracy_table", "as_latency", "latency_table", "noisy", "write"]

MACHINE: dict[str, Any] = {
    "board": "Raspberry Pi 5 Model B Rev 1.0",
    "processor": "Cortex-A76",
    "architecture": "aarch64",
    "cores": 4,
    "memory_mib": 8062,
    "governor": "ondemand",
    "versions": {"numpy": "2.4.6", "python": "3.11.2"},
    "engine": "tflite",
    "threads": 1,
    "bundle": "ab" * 32,
}


def noisy(median_ms: float, count: int = 400, *, seed: int = 0) -> list[int]:
    """Return latencies that drift slowly about a median, in nanoseconds."""
    rng = np.random.default_rng(seed)
    drift = np.cumsum(rng.normal(0, 0.002, count))
    return [
        int(ns)
        for ns in median_ms * 1e6 * np.exp(drift - np.median(drift) + rng.normal(0, 0.02, count))
    ]


def latency_table(raw_ns: Sequence[int] = (), **changed: Any) -> dict[str, Any]:
    """Return a latency result as ``json.loads`` would give it."""
    raw = list(raw_ns) or noisy(10.0)
    ms = np.array(raw) / 1e6
    marks = {name: float(np.percentile(ms, q)) for name, q in
             (("p50", 50), ("p90", 90), ("p95", 95), ("p99", 99), ("max", 100))}  # fmt: skip
    table: dict[str, Any] = {
        "schema": "unveil-edge.bench/2",
        "kind": "latency",
        "date": "2026-11-21T17:30:48+00:00",
        "scenario": "single-stream",
        "subject": "pipeline",
        "valid": True,
        "invalid": [],
        "settings": {"source": "photo.jpg", "threads": 1, "workers": 1, "streams": 1,
                     "seconds": 10.0, "engine": None},
        "count": len(raw),
        "frames": 1,
        "faces": len(raw),
        "faces_per_frame": 1.0,
        "reused": None,
        "latency_ms": {**marks, "mean": float(ms.mean())},
        "latency_ms_ci95": {"p50": [marks["p50"] * 0.99, marks["p50"] * 1.01]},
        "fps": 1e3 / float(ms.mean()),
        "fps_ci95": [980 / float(ms.mean()), 1020 / float(ms.mean())],
        "stages": {
            "detect": {"pre_ms": 0.5, "infer_ms": 4.0, "post_ms": 0.4, "runs": 1.0},
            "mask": {"pre_ms": 0.1, "infer_ms": 1.0, "post_ms": 0.1, "runs": 1.0},
        },
        "overhead_ms": 1.1,
        "harness_ms": 0.2,
        "energy": {"joules_per_frame": 0.05, "watts": 4.5, "sensor": "pmic"},
        "fingerprint": MACHINE,
        "before": {"celsius": 44.0},
        "after": {"celsius": 51.0},
        "timeline": [[0.01 * i, value, 44 + i / 100] for i, value in enumerate(ms[:50])],
        "raw_ns": raw,
    }  # fmt: skip
    return {**table, **changed}


def accuracy_table(**changed: Any) -> dict[str, Any]:
    """Return an accuracy result as ``json.loads`` would give it."""
    table: dict[str, Any] = {
        "schema": "unveil-edge.bench/2",
        "kind": "accuracy",
        "task": "mask",
        "data": "mask3/test",
        "n": 200,
        "accuracy": 0.95,
        "accuracy_ci95": [0.91, 0.97],
        "accuracy_n": 200,
        "tar_at_far": {"0.01": 0.9, "0.001": None},
        "tar_at_far_ci95": {"0.01": [0.88, 0.92], "0.001": None},
        "nme": 0.04,
        "nme_ci95": [0.035, 0.045],
        "unknown": None,
        "unknown_ci95": [None, None],
        "as_face": 3,
        "fingerprint": MACHINE,
    }
    return {**table, **changed}


def as_latency(table: dict[str, Any]) -> LatencyRecord:
    """Return what the reader makes of a latency result."""
    record = parse_record(json.loads(json.dumps(table)), where="test")
    assert isinstance(record, LatencyRecord)
    return record


def write(path: Path, table: dict[str, Any]) -> Path:
    """Write a table as JSON and return the path."""
    path.write_text(json.dumps(table), encoding="utf-8")
    return path
