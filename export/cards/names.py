"""How names from a file are shown: harmless, and short enough to read."""

from __future__ import annotations

import re

__all__ = ["clean", "shorten"]

_LONGEST = 300
#: ``torch.nn.modules.conv.Conv2d_`` before the attribute's own name.
_CLASS = re.compile(r"^(?:\w+\.)+_?[A-Za-z0-9]+_(?=\w)")


def clean(name: str) -> str:
    """Return a name without what a terminal or a page could take for a command.

    Names come from the file. Control characters, escapes and marks that turn the direction of
    writing become dots; of a very long name the end is kept.
    """
    kept = "".join(c if c.isprintable() else "·" for c in name[-_LONGEST:])
    return ("…" if len(name) > _LONGEST else "") + kept


def shorten(name: str, width: int) -> str:
    """Return a name that fits: without scaffolding, then its end, which tells layers apart.

    A network from PyTorch has each layer's whole path, class and attribute at every step, behind
    those of the layers that were fused into it: of ``...;;pkg.Net/torch.nn.Conv2d_stem;1`` that is
    ``stem;1``.
    """
    steps = [_CLASS.sub("", step) for step in name.split(";;")[-1].split("/")]
    path = "/".join(step for step in steps if "." not in step) or name
    return path if len(path) <= width else "…" + path[-(width - 1) :]
