"""edge-run as a service: a configuration, and the loop that lives by it."""

from __future__ import annotations

from edge.service.config import Config, read_config
from edge.service.loop import Service

__all__ = ["Config", "Service", "read_config"]
