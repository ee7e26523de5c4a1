"""Everything that can be chosen about a run, in one object; and the file that it is read from."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from edge.capture.settings import CaptureSettings
from edge.engines import ENGINES
from edge.errors import ConfigError, MissingInput, UnavailableError, UsageError
from edge.live.settings import LiveSettings
from edge.service.key_lines import key_lines, line_of
from edge.service.ladder import LadderSettings
from edge.service.tables import PASSWORD, Problem, read_table, write_table
from edge.settings import setting

__all__ = ["BoardSettings", "Config", "config_text", "read_config"]

#: The example, with every key explained, has a tenth of this.
_MAX_BYTES = 64 * 1024
_AT_LINE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True)
class BoardSettings:
    """Where the board's temperature, throttling and memory are read."""

    root: str = setting("/", "root of /proc and /sys; another one than / is for trying the ladder")


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be chosen; paths are from the working directory."""

    source: str = setting(
        "",
        "where frames come from: a URI such as picamera://0, v4l2:///dev/video0, csi://0 or "
        "rtsp://host/path, or the path of a picture, a folder or a video; there is no default",
    )
    sinks: tuple[str, ...] = setting(
        ("jsonl:-",),
        "where results go: URIs such as jsonl:PATH, images:FOLDER, video:PATH, mqtt://host/topic "
        "or prometheus:HOST:PORT; jsonl:- is standard output",
    )
    bundle: str = setting("", 'folder of the networks; "" is that of the package')
    trust: tuple[str, ...] = setting(
        (),
        "files of public keys, one of which must have signed the bundle; [] demands no signature",
    )
    gallery: str = setting(
        "", 'file of the known people; "" is the usual one of this user, if it is there'
    )
    threads: int = setting(1, "threads of each network that no race chose for", low=1, high=64)
    engine: str = setting(
        "",
        'what runs the networks; "" is what a race chose here, or else the bundle\'s own choice',
        choices=("", *ENGINES),
    )
    precision: str = setting(
        "",
        'which files of the networks; "" is what a race chose here, or else int8 if it is there',
        choices=("", "int8", "fp16", "fp32", "dynamic"),
    )
    dla: str = setting(
        "",
        'number of the deep-learning accelerator that engine = "tensorrt" runs on; "" is the GPU',
        choices=("", "0", "1", "2", "3"),
    )
    fallback: str = setting(
        "",
        'what takes the place of an engine that is not to be had here; "" refuses to start',
        choices=("", "tflite", "onnxruntime"),
    )
    build: bool = setting(
        True, "build the TensorRT engines that are missing at the start; it takes minutes"
    )
    race: str = setting(
        "", 'file of `edge-export race`; "" is the one beside the bundle, if it is there'
    )
    capture: CaptureSettings = field(default_factory=CaptureSettings)
    live: LiveSettings = field(default_factory=LiveSettings)
    ladder: LadderSettings = field(default_factory=LadderSettings)
    board: BoardSettings = field(default_factory=BoardSettings)


def read_config(
    path: str | os.PathLike[str], replaced: Mapping[str, object] | None = None
) -> Config:
    """Read a configuration file.

    Args:
        path: of a TOML file, at most 64 KiB.
        replaced: keys of the top level, and their values, that count instead of the file's, as
            those that stand on a command line do.

    Raises:
        MissingInput: there is no such file.
        ConfigError: something in it cannot be; ``problems`` has all of it, a line each.
        UnavailableError: this is Python 3.10, and tomli is not installed.
    """
    name = os.fspath(path)
    text = _text(name)
    problems: list[Problem] = []
    document = {**_parsed(name, text), **(replaced or {})}
    config = read_table(Config, document, problems)
    problems += _forbidden(config)
    if not config.source and not any(problem.key == "source" for problem in problems):
        problems.append(Problem("source", "is missing, allowed: a URI or a path"))
    if problems:
        lines = key_lines(text)
        raise _refused(name, [(line_of(lines, p.key), f"{p.key}: {p.what}") for p in problems])
    return config


def config_text(config: Config) -> str:
    """Return a configuration as the file that gives it, every key explained.

    Raises:
        UsageError: it holds what no file can say, such as a path that is no Unicode, or must not,
            such as a password.
    """
    problems: list[Problem] = []
    read_table(Config, asdict(config), problems)
    problems += _forbidden(config)
    if problems:
        raise UsageError(f"{problems[0].key}: {problems[0].what}", code="config.value")
    return write_table(config)


def _text(name: str) -> str:
    try:
        with open(os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise ConfigError(f"{name}: is no plain file", hint="name one", code="config.kind")
            content = stream.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no path"
        raise MissingInput(
            f"{name}: cannot be read: {str(reason).lower()}",
            hint="check the path and its permissions",
            code="config.missing",
        ) from error
    if len(content) > _MAX_BYTES:
        raise ConfigError(
            f"{name}: is larger than {_MAX_BYTES // 1024} KiB",
            hint="see what a configuration holds with: edge-run --print-config --source URI",
            code="config.size",
        )
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _refused(name, [(line, "is no UTF-8")], "config.syntax") from error


def _parsed(name: str, text: str) -> dict[str, object]:
    """Let a library read the text."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError as error:
            raise UnavailableError(
                f"{name}: Python 3.10 reads no TOML by itself",
                hint="install what does: python -m pip install tomli",
                code="config.tomli",
            ) from error
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        said = "is nested too deeply" if isinstance(error, RecursionError) else str(error)
        at = _AT_LINE.search(said)
        line = int(at.group(1)) if at and at.group(1) else text.count("\n") + 1
        what = (said[: at.start()] if at else said)[:200]
        raise _refused(name, [(line, f"is no TOML: {what}")], "config.syntax") from error


def _forbidden(config: Config) -> list[Problem]:
    """Find passwords, since many read this file and its content is shown, and sinks named twice."""
    named = [("source", config.source), *(("sinks", uri) for uri in config.sinks)]
    found = [
        Problem(key, "holds a password, allowed: user@host with ?password_file=FILE")
        for key, uri in named
        if PASSWORD.search(uri)
    ]
    if len(set(config.sinks)) < len(config.sinks):
        found.append(Problem("sinks", "names one sink twice, allowed: each once"))
    return found


def _refused(
    name: str, found: list[tuple[int | None, str]], code: str = "config.value"
) -> ConfigError:
    """Return the error of all problems, in the order of the file."""
    ordered = sorted(found, key=lambda item: item[0] or 0)
    lines = tuple(f"{name}:{line}: {what}" if line else f"{name}: {what}" for line, what in ordered)
    return ConfigError("; ".join(lines), code=code, problems=lines)
