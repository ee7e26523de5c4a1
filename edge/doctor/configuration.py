"""The service's configuration: every mistake that would keep the service from starting."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from edge.doctor.case import Case
from edge.doctor.finding import Finding
from edge.errors import ConfigError, EdgeError, MissingInput

if TYPE_CHECKING:
    from edge.service import Config

__all__ = ["check_configuration"]

_SUBJECT = "configuration"
_AS_ROOT = "sudo edge-doctor configuration"
#: Module that a sink of a scheme needs, and the extra of the package that brings it.
_LIBRARIES = {"mqtt": ("paho", "mqtt"), "prometheus": ("prometheus_client", "metrics")}


def check_configuration(case: Case) -> list[Finding]:
    """Read the service's configuration and what it names: every problem a finding."""
    from edge.service import read_config

    path = case.config
    try:
        config = read_config(path)
    except MissingInput:
        if not os.path.exists(path):
            return [Finding(_SUBJECT, "ok", f"{path}: none yet")]
        return [Finding(_SUBJECT, "warn", f"{path}: this user may not read it", _AS_ROOT)]
    except ConfigError as error:
        said = error.problems or (error.what,)
        return [Finding(_SUBJECT, "fail", what, error.hint or f"edit {path}") for what in said]
    except EdgeError as error:
        return [Finding(_SUBJECT, "fail", error.what, error.hint or f"edit {path}")]
    found = [*_of_uris(case, config), *_of_files(case, config)]
    if found:
        return found
    sinks = ", ".join(sink.partition(":")[0] for sink in config.sinks)
    return [Finding(_SUBJECT, "ok", f"{path}: {config.source.partition('://')[0]} to {sinks}")]


def _of_uris(case: Case, config: Config) -> Iterator[Finding]:
    """Read the URIs as the service would, and the passwords that they name."""
    from edge.sinks import check_sink

    yield from _tried(case, partial(_check_source, config.source))
    for sink in config.sinks:
        yield from _tried(case, partial(check_sink, sink))
        module, extra = _LIBRARIES.get(sink.partition(":")[0], ("", ""))
        if module and importlib.util.find_spec(module) is None:
            what = f"{sink.partition('?')[0]}: this Python has no {module}"
            yield Finding(_SUBJECT, "fail", what, f"{case.python.pip} 'unveil-edge[{extra}]'")


def _check_source(uri: str) -> None:
    """Refuse what the service refuses.

    Raises:
        EdgeError: it does.
    """
    from edge.secret_file import read_secret
    from edge.sources import check_camera, open_source

    view = check_camera(uri)
    if view is None:
        with open_source(uri) as source:
            if not source.live:
                raise ConfigError(
                    f"{source.uri}: has an end, and a service has none",
                    hint="name a camera, or play a file round with file://PATH?loop=1&pace=1",
                )
    elif secret := getattr(view, "password_file", ""):
        read_secret(secret)


def _of_files(case: Case, config: Config) -> Iterator[Finding]:
    """Look for the files that are named; others than the service may not see them all."""
    named = {"bundle": [config.bundle], "gallery": [config.gallery], "race": [config.race]}
    for key, paths in {**named, "trust": [*config.trust]}.items():
        for path in filter(os.path.isabs, paths):
            try:
                os.stat(path)
            except (FileNotFoundError, NotADirectoryError):
                what = f"{key} = {path!r}: no such file or folder"
                yield Finding(_SUBJECT, "fail", what, f"edit {case.config}")
            except OSError:
                pass  # it is the service's own, and there as far as this user can tell


def _tried(case: Case, check: Callable[[], None]) -> Iterator[Finding]:
    """Give a finding for what a check raises."""
    try:
        check()
    except EdgeError as error:
        if isinstance(error.__cause__, PermissionError):
            yield Finding(_SUBJECT, "warn", error.what, _AS_ROOT)
        else:
            yield Finding(_SUBJECT, "fail", error.what, error.hint or f"edit {case.config}")
