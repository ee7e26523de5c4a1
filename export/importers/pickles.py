"""Say what a pickle would import, without unpickling it."""

from __future__ import annotations

import io
import itertools
import pickletools
from collections.abc import Iterator

__all__ = ["pickled_imports"]

#: PyTorch's files before 1.6 are five pickles in a row.
_PICKLES = 5
_OPCODES = 1_000_000


def pickled_imports(content: bytes) -> list[str]:
    """Return ``module.name`` of everything that pickles in a row would import, in their order.

    Args:
        content: the first pickle and what follows it; reading ends where it is damaged.
    """
    stream = io.BytesIO(content)
    found: dict[str, None] = {}
    for _ in range(_PICKLES):
        # The module's parser raises whatever it meets; what was found until then counts.
        try:
            found.update(dict.fromkeys(_imports(stream)))
        except Exception:
            break
    return list(found)


def _imports(stream: io.BytesIO) -> Iterator[str]:
    """Yield the imports of one pickle; protocol 4 and later name them by two strings."""
    strings: list[str] = []
    memo: dict[int, str] = {}
    for opcode, argument, _ in itertools.islice(pickletools.genops(stream), _OPCODES):
        name = opcode.name
        if name in ("GLOBAL", "INST"):
            yield ".".join(str(argument).split(" "))
        elif name == "STACK_GLOBAL":
            yield ".".join(strings[-2:])
        elif isinstance(argument, str):
            strings.append(argument)
        elif name == "MEMOIZE" and strings:
            memo[len(memo)] = strings[-1]
        elif isinstance(argument, int) and name.endswith("PUT") and strings:
            memo[argument] = strings[-1]
        elif isinstance(argument, int) and name.endswith("GET") and argument in memo:
            strings.append(memo[argument])
