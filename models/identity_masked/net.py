"""Identity of a masked face: the identity network's shape, in the same embedding space."""

from __future__ import annotations

from models.identity.net import build

__all__ = ["build"]
