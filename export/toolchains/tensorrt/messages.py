"""TensorRT's own words, in one line."""

from __future__ import annotations

import re
from typing import Any

from edge.errors import DataError, EdgeError, UnavailableError
from export.cards.names import clean, shorten

__all__ = ["kept_log", "not_built", "not_read"]

_MAX_TEXT, _MAX_WARNINGS, _WIDTH = 400, 8, 60


def kept_log(trt: Any) -> Any:
    """Return a logger that prints nothing and keeps the errors and the first warnings.

    Attributes of it: ``errors`` and ``warnings``, lists of lines.
    """

    class Log(trt.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []
            self.warnings: list[str] = []

        def log(self, severity: Any, text: str) -> None:
            severities = trt.ILogger.Severity
            kept = {severities.INTERNAL_ERROR: self.errors, severities.ERROR: self.errors,
                    severities.WARNING: self.warnings}.get(severity)  # fmt: skip
            if kept is not None and len(kept) < _MAX_WARNINGS:
                kept.append(_line(text))

    return Log()


def not_read(trt: Any, parser: Any, log: Any, *, where: str) -> EdgeError:
    """Return the error of a file that TensorRT's parser does not take.

    Args:
        trt: the module.
        parser: after it refused.
        log: of ``kept_log``.
        where: the network's name.
    """
    for index in range(parser.num_errors):
        error = parser.get_error(index)
        if error.code() == trt.ErrorCode.MODEL_DESERIALIZE_FAILED:
            return DataError(
                f"{where}: TensorRT reads no ONNX file in it: {_line(error.desc())}",
                hint="make the bundle again with: edge-export make --out BUNDLE",
                code="build.damaged",
            )
        operator, name = _operator_of(error)
        place = f"operator {operator or 'number ' + str(error.node())}"
        if name:
            place += f" ({shorten(clean(name.removeprefix('node_of_')), _WIDTH)})"
        return UnavailableError(
            f"{where}: TensorRT {trt.__version__} does not read {place}: {_line(error.desc())}",
            hint="take the other precision (--precision), or make the bundle with another --opset; "
            "edge-export inspect says which releases read the file",
            code="build.operator",
        )
    return UnavailableError(
        f"{where}: TensorRT {trt.__version__} does not read it: {_last(log)}",
        hint="take the other precision (--precision)",
        code="build.operator",
    )


def not_built(trt: Any, log: Any, *, where: str, workspace_mib: int) -> EdgeError:
    """Return the error of a network that TensorRT read and does not build."""
    said = _last(log)
    hint = "take the other precision (--precision)"
    if "Could not find any implementation" in said or "out of memory" in said.lower():
        hint = f"give the builder more than {workspace_mib} MiB (--memory-mib), or " + hint
    return UnavailableError(
        f"{where}: TensorRT {trt.__version__} does not build it: {said}",
        hint=hint,
        code="build.failed",
    )


def _operator_of(error: Any) -> tuple[str, str]:
    """Return operator and name of the node; releases before 10 tell them in their text alone."""
    if hasattr(error, "node_operator"):
        return str(error.node_operator()), str(error.node_name())
    text = f"{error.desc()} {error.func()}"
    found = re.search(r"\bop: (\w+)", text) or re.search(r"\bimport([A-Z]\w*)", text)
    return (found[1] if found else ""), ""


def _last(log: Any) -> str:
    return str(log.errors[-1]) if log.errors else "it gives no reason"


def _line(text: object) -> str:
    return " ".join(str(text).split())[:_MAX_TEXT]
