"""Accuracy on a task, through the runtime's own path: one file a task, data reading and metric."""

from __future__ import annotations
