"""Dataclasses of settings to and from TOML: every problem is found, and every key is explained.

A field made by ``edge.settings.setting`` is a key; a field whose default is a dataclass of such
fields is a table. Nothing here knows what a key means.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar, get_type_hints

from edge.query import allowed, nearest
from edge.service.key_lines import quoted
from edge.settings import Rule

__all__ = ["PASSWORD", "Problem", "keys_of", "read_table", "write_table"]

#: A password between a user's name and a host, in a URI; a message never shows one.
PASSWORD = re.compile(r"//[^/?#@:]*:[^/?#]*@")

_Kind = TypeVar("_Kind")
_TEXTS = tuple[str, ...]
_MAX_SHOWN = 60
_WIDTH = 96


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one key.

    Attributes:
        key: its dotted name, as TOML writes it.
        what: the value seen and what is allowed.
    """

    key: str
    what: str


def read_table(
    kind: type[_Kind], values: Mapping[str, object], problems: list[Problem], within: str = ""
) -> _Kind:
    """Build settings from a table of a parsed file; a key that is not there keeps its default.

    Args:
        kind: a dataclass of settings.
        values: what the parser gave.
        problems: what is wrong is added here, all of it; the key in question keeps its default.
        within: dotted name of the table, empty at the top.
    """
    types = get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    chosen: dict[str, object] = {}
    for key, value in values.items():
        path = f"{within}.{quoted(key)}" if within else quoted(key)
        if key not in names:
            problems.append(Problem(path, f"unknown key; {_meant(kind, key, names)}"))
        elif dataclasses.is_dataclass(types[key]):
            if isinstance(value, Mapping):
                chosen[key] = read_table(types[key], value, problems, path)
            else:
                problems.append(Problem(path, f"{_shown(value)}, allowed: a table, [{path}]"))
        else:
            rule = _rules(kind)[key]
            taken = _taken(value, types[key], rule)
            if taken is None:
                problems.append(
                    Problem(path, f"{_shown(value)}, allowed: {_allowed(types[key], rule)}")
                )
            else:
                chosen[key] = taken
    return kind(**chosen)


def write_table(settings: object, within: str = "") -> str:
    """Return settings as TOML, each key with its meaning, and what it may be, as a comment.

    Args:
        settings: an instance of a dataclass of settings; its texts are valid Unicode.
        within: dotted name of the table, empty at the top.
    """
    kind = type(settings)
    types = get_type_hints(kind)
    blocks, tables = [], []
    for name, rule in _rules(kind).items():
        bounds = "" if types[name] is bool else f": {_allowed(types[name], rule)}"
        if types[name] in (str, _TEXTS) and not rule.choices:
            bounds = ""
        comment = "\n".join(textwrap.wrap(rule.what + bounds, _WIDTH, break_long_words=False))
        value = f"{name} = {_toml(getattr(settings, name))}"
        blocks.append(textwrap.indent(comment, "# ") + f"\n{value}\n")
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if dataclasses.is_dataclass(types[field.name]):
            path = f"{within}.{field.name}" if within else field.name
            tables.append(f"\n[{path}]\n" + write_table(getattr(settings, field.name), path))
    return "".join(blocks + tables)


def keys_of(kind: type, within: str = "") -> Iterator[str]:
    """Give the dotted name of every key, table by table."""
    types = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        path = f"{within}.{field.name}" if within else field.name
        if dataclasses.is_dataclass(types[field.name]):
            yield from keys_of(types[field.name], path)
        else:
            yield path


def _rules(kind: type) -> dict[str, Rule]:
    """Return the rules of a dataclass's keys, in their order; tables are none."""
    fields = dataclasses.fields(kind)
    return {field.name: field.metadata["rule"] for field in fields if "rule" in field.metadata}


def _meant(kind: type, key: str, names: list[str]) -> str:
    """Say which key was meant; one of the same name in a table of this one comes first."""
    inner = [path for path in keys_of(kind) if path.endswith(f".{key}")]
    return f"did you mean {inner[0]}?" if inner else nearest(key, names)


def _taken(value: object, kind: type, rule: Rule) -> object | None:
    """Return a value as the settings want it; None where it is not allowed."""
    if kind is bool:
        return value if isinstance(value, bool) else None
    if kind is str:
        return value if _is_text(value) and (not rule.choices or value in rule.choices) else None
    if kind == _TEXTS:
        is_list = isinstance(value, list | tuple) and all(_is_text(item) for item in value)
        return tuple(value) if is_list else None  # type: ignore[arg-type]
    if isinstance(value, bool) or not isinstance(value, int if kind is int else (int, float)):
        return None
    if not (math.isfinite(value) and rule.low <= value <= rule.high):
        return None
    return kind(value)  # type: ignore[no-any-return]


def _is_text(value: object) -> bool:
    """Tell whether it is a text that a path or a URI can be: printable, of valid Unicode."""
    if not isinstance(value, str):
        return False
    control = any(ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 for letter in value)
    return not control and not any(0xD800 <= ord(letter) < 0xE000 for letter in value)


def _allowed(kind: type, rule: Rule) -> str:
    if kind is bool:
        return "true or false"
    if kind == _TEXTS:
        return "a list of texts"
    if "" in rule.choices:
        return 'one of "", ' + ", ".join(choice for choice in rule.choices if choice)
    return allowed(kind, rule)


def _shown(value: object) -> str:
    """Return what was written, short enough for a line."""
    text = _toml(value)
    if PASSWORD.search(text):
        return "what holds a password"
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."


def _toml(value: object) -> str:
    """Write a value as TOML does; what no setting can be, for a message only."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # A JSON text is a basic string of TOML, but for DEL, which no setting may hold.
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "a table"
    return str(value)
