"""Write down what picamera2's own source offers, for tests that run without it.

    pip download --no-deps --no-binary :all: picamera2==0.3.38
    python tests/edge/stand_ins/picamera2_api.py picamera2-0.3.38.tar.gz

Nothing of the archive is run: its modules are parsed. The result lies beside this file.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tarfile
from pathlib import Path

#: Classes whose methods are written down, and the modules that hold them.
_CLASSES = {"Picamera2": "picamera2", "CompletedRequest": "request"}


def main(archive: str) -> None:
    version = re.search(r"picamera2-([0-9.]+)\.tar", archive)
    assert version is not None, "name the archive as it was downloaded"
    with tarfile.open(archive) as opened:
        modules = {
            Path(member.name).stem: ast.parse(opened.extractfile(member).read())  # type: ignore[union-attr]
            for member in opened.getmembers()
            if re.fullmatch(r"[^/]+/picamera2/(picamera2|request|formats)\.py", member.name)
        }
    facts = {
        "version": version[1].rstrip("."),
        "classes": {name: methods(modules[where], name) for name, where in _CLASSES.items()},
        "formats": sets(modules["formats"]),
        "stream_keys": stream_keys(modules["picamera2"]),
    }
    target = Path(__file__).with_name(f"picamera2-{facts['version']}.json")
    target.write_text(json.dumps(facts, indent=1) + "\n")


def methods(module: ast.Module, name: str) -> dict[str, list[str]]:
    """Return the arguments of every public method, without self; the last definition counts."""
    (found,) = (n for n in module.body if isinstance(n, ast.ClassDef) and n.name == name)
    return {
        item.name: [a.arg for a in (*item.args.args, *item.args.kwonlyargs) if a.arg != "self"]
        for item in found.body
        if isinstance(item, ast.FunctionDef)
        and (item.name == "__init__" or not item.name.startswith("_"))
    }


def sets(module: ast.Module) -> dict[str, list[str]]:
    """Return the sets of names that a module writes out, such as RGB_FORMATS."""
    return {
        ast.unparse(node.targets[0]): sorted(ast.literal_eval(node.value))
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Set)
    }


def stream_keys(module: ast.Module) -> list[str]:
    """Return the keys that _make_initial_stream_config takes."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef) and node.name == "_make_initial_stream_config":
            for line in node.body:
                if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "valid":
                    return sorted(ast.literal_eval(line.value))
    raise SystemExit("the stream's keys are no longer where they were")


if __name__ == "__main__":
    main(sys.argv[1])
