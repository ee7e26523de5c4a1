"""The options of a URI, behind its ``?``: read into a dataclass of ``edge.settings.setting``.

    >>> from dataclasses import dataclass
    >>> from edge.settings import setting
    >>> @dataclass(frozen=True, slots=True)
    ... class Camera:
    ...     width: int = setting(640, "of a picture, in pixels", low=16, high=8192)
    >>> read_query("v4l2:///dev/video0?width=800", Camera, code="source.query")
    ('v4l2:///dev/video0', Camera(width=800))

A secret is never an option: an option names its file, see ``edge.secret_file``.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Iterable
from typing import TypeVar, get_type_hints
from urllib.parse import unquote

from edge.errors import UsageError
from edge.settings import Rule

__all__ = ["allowed", "nearest", "read_query", "shown", "split_query"]

_T = TypeVar("_T")
#: No URI that somebody means is longer.
_MAX_CHARACTERS = 4096
#: One way to say it would do; people try the others.
_BOOLS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
#: What stands behind a user's colon and is no port: a password, even one with a slash in it or,
#: cut off by its own question mark, without its host.
_PASSWORD = re.compile(r"(://[^/@:\[]*):(?![0-9]{1,5}(?:/|$))(?:.*@|[^/]*$)", re.DOTALL)


def split_query(uri: str, *, code: str) -> tuple[str, dict[str, str]]:
    """Part a URI from its options; the first ``?`` begins them.

    Args:
        uri: as the user wrote it.
        code: of the errors, such as ``source.query``.

    Returns:
        What stands before the ``?``, as it is written, and the options with ``%xx`` decoded (a
        ``+`` stays a plus: paths have some).

    Raises:
        UsageError: an option has no value or comes twice, or there is a control character.
    """
    if len(uri) > _MAX_CHARACTERS:
        raise UsageError(
            f"{shown(uri)[:60]}...: longer than {_MAX_CHARACTERS} characters", code=code
        )
    place, _, query = uri.partition("?")
    found: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        key, equals, value = pair.partition("=")
        text = unquote(value)
        if not (key and equals):
            raise _refused(uri, f"{key!r} has no value", "write ?key=value&key=value", code)
        if key in found:
            raise _refused(uri, f"{key} comes twice", "leave one of them", code)
        if any(ord(character) < 32 or ord(character) == 127 for character in place + key + text):
            raise _refused(uri, f"{key!r} has a control character", "leave it out", code)
        found[key] = text
    return place, found


def read_query(uri: str, kind: type[_T], *, code: str) -> tuple[str, _T]:
    """Read the options of a URI.

    Args:
        uri: as the user wrote it.
        kind: a dataclass whose fields are made by ``edge.settings.setting``, of the types int,
            float, bool and str.
        code: of the errors, such as ``source.query``.

    Returns:
        What stands before the ``?``, and the options; those that were not given are as ``kind``
        has them.

    Raises:
        UsageError: an option is unknown, or its value is not allowed.
    """
    place, pairs = split_query(uri, code=code)
    rules = {item.name: item for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    types = get_type_hints(kind)
    values: dict[str, object] = {}
    for key, text in pairs.items():
        if key not in rules:
            raise _refused(uri, f"unknown key {key!r}", nearest(key, rules), code)
        rule: Rule = rules[key].metadata["rule"]
        value = _value(text, types[key], rule)
        if value is None:
            raise _refused(uri, f"{key}={text[:60]}", f"{key} is {allowed(types[key], rule)}", code)
        values[key] = value
    return place, kind(**values)


def allowed(kind: type, rule: Rule) -> str:
    """Say what a setting may be, as in ``a whole number from 1 to 30``."""
    if rule.choices:
        return "one of " + ", ".join(rule.choices)
    if kind is bool:
        return "1 or 0"
    if kind is str:
        return "a text"
    number = "a whole number" if kind is int else "a number"
    if math.isinf(rule.low) and math.isinf(rule.high):
        return number
    if math.isinf(rule.high):
        return f"{number} from {rule.low:g} on"
    return f"{number} from {rule.low:.12g} to {rule.high:.12g}"


def nearest(key: str, known: Iterable[str]) -> str:
    """Say which key was probably meant, or which there are."""
    names = list(known)
    if not names:
        return "it takes no keys"
    close = difflib.get_close_matches(key, names, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else "known keys: " + ", ".join(names)


def shown(uri: str) -> str:
    """Return a URI as it may be shown and logged: without its options and without a password."""
    return _PASSWORD.sub(r"\1:***@", uri.partition("?")[0])


def _value(text: str, kind: type, rule: Rule) -> object | None:
    """Return the value of a text; None where the rule does not allow it."""
    if kind is str:
        return text if text and (not rule.choices or text in rule.choices) else None
    if kind is bool:
        return _BOOLS.get(text.lower())
    number: float
    if kind is int:
        if not _WHOLE.fullmatch(text):
            return None
        number = int(text)
    else:
        if not _DECIMAL.fullmatch(text):
            return None
        number = float(text)
    return number if rule.low <= number <= rule.high else None


def _refused(uri: str, what: str, hint: str, code: str) -> UsageError:
    return UsageError(f"{shown(uri)}: {what}", hint=hint, code=code)
