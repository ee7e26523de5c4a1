"""The configuration file: read, refused with all its problems, printed."""

from __future__ import annotations

import dataclasses
import math
import os
import sys
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import ConfigError, EdgeError, MissingInput, UsageError
from edge.manifest import PRECISIONS
from edge.service.config import Config, config_text, read_config
from edge.service.key_lines import key_lines
from edge.service.tables import keys_of
from edge.settings import Rule
from tests.hostile.process import ROOT

if sys.version_info < (3, 11):
    pytest.importorskip("tomli", reason="Python 3.10 reads TOML with it: pip install tomli")
TEXT = 'source = "v4l2:///dev/video0"\n'


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def problems(folder: Path, text: str) -> list[str]:
    """Return what is said of a file, without the file's name and the code."""
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert caught.value.exit_code == 78
    lines = caught.value.lines()
    assert all(line.startswith(f"{path}:") and line.endswith(f"[{caught.value.code}]")
               for line in lines)  # fmt: skip
    return [line[len(str(path)) + 1 :].rpartition("  [")[0] for line in lines]


def test_what_is_not_said_stays_as_it_is(tmp_path: Path) -> None:
    assert read_config(write(tmp_path, TEXT)) == Config(source="v4l2:///dev/video0")


def test_every_kind_of_value_is_taken(tmp_path: Path) -> None:
    text = """
        source = 'a "quoted" name'
        sinks = ["jsonl:-", "jsonl:/tmp/Zoë.jsonl"]
        threads = 2
        engine = "null"
        ladder.enabled = false      # a dotted key
        live = { budget_ms = 100 }  # a table in a line; a whole number is a number
        [capture]
        stall_s = 2.5
    """
    config = read_config(write(tmp_path, "\ufeff" + text.replace("\n", "\r\n")))
    assert config.source == 'a "quoted" name'
    assert config.sinks == ("jsonl:-", "jsonl:/tmp/Zoë.jsonl")
    assert (config.threads, config.engine, config.ladder.enabled) == (2, "null", False)
    assert config.live.budget_ms == 100.0 and isinstance(config.live.budget_ms, float)
    assert config.capture.stall_s == 2.5


def test_all_problems_are_listed_at_once_with_their_lines(tmp_path: Path) -> None:
    text = """\
sinks = 3
hot_celsius = 4
trsut = []
note = '''
source = "not a key"
'''
[ladder]
hot_celsius = 300
every_ss = 2
[live]
budget_ms = true
[capture.deep]
x = 1
[board]
root = 1979-05-27
"""
    assert problems(tmp_path, text) == [
        " source: is missing, allowed: a URI or a path",
        "1: sinks: 3, allowed: a list of texts",
        "2: hot_celsius: unknown key; did you mean ladder.hot_celsius?",
        "3: trsut: unknown key; did you mean trust?",
        "4: note: unknown key; known keys: source, sinks, bundle, trust, gallery, threads, engine, "
        "precision, dla, fallback, build, race, capture, live, ladder, board",
        "8: ladder.hot_celsius: 300, allowed: a number from 30 to 120",
        "9: ladder.every_ss: unknown key; did you mean every_s?",
        "11: live.budget_ms: true, allowed: a number from 0 to 60000",
        "12: capture.deep: unknown key; known keys: "
        "stall_s, open_s, first_pause_s, longest_pause_s",
        "15: board.root: 1979-05-27, allowed: a text",
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("threads = 1.0", "threads: 1.0, allowed: a whole number from 1 to 64"),
        ("threads = true", "threads: true, allowed: a whole number from 1 to 64"),
        ("threads = 0", "threads: 0, allowed: a whole number from 1 to 64"),
        ('engine = "tensorflow"',
         'engine: "tensorflow", allowed: one of "", tflite, onnxruntime, tensorrt, null'),
        ('bundle = "a\\u0000b"', 'bundle: "a\\u0000b", allowed: a text'),
        ('bundle = "a\\nb"', 'bundle: "a\\nb", allowed: a text'),
        ("trust = [1]", "trust: [1], allowed: a list of texts"),
        ('sinks = ["a", ["b"]]', 'sinks: ["a", ["b"]], allowed: a list of texts'),
        ('sinks = ["jsonl:-", "jsonl:-"]', "sinks: names one sink twice, allowed: each once"),
        ("ladder = 3", "ladder: 3, allowed: a table, [ladder]"),
        ("[[ladder]]", "ladder: [a table], allowed: a table, [ladder]"),
        ("ladder.low_fps = nan", "ladder.low_fps: nan, allowed: a number from 0.1 to 1000"),
        ("ladder.low_fps = inf", "ladder.low_fps: inf, allowed: a number from 0.1 to 1000"),
        ("ladder = { enabled = 1 }", "ladder.enabled: 1, allowed: true or false"),
        ('bundle = "' + "x" * 99 + '\\u0001"', f'bundle: "{"x" * 59}..., allowed: a text'),
        ('"" = 1', '"": unknown key; known keys: '),
        ('[ladder]\n"a\\nb" = 1', 'ladder."a\\nb": unknown key; known keys: '),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_named_with_what_can(
    line: str, said: str, tmp_path: Path
) -> None:
    (problem,) = problems(tmp_path, TEXT + line)
    assert problem.partition(": ")[2].startswith(said)
    assert problem[0] in "23"


@pytest.mark.parametrize(
    "line",
    [
        'source = "rtsp://me:secret@camera/stream"',
        'source = "rtsp://me:secret@with@signs@camera/stream"',
        'source = "x"\nsinks = ["mqtt://me:secret@broker/topic"]',
        'source = "x"\nsinks = "mqtt://me:secret@broker/topic"',
        'source = "x"\nbundle = 5\nengine = "//me:secret@host"',
    ],
)
def test_a_password_is_refused_and_never_shown(line: str, tmp_path: Path) -> None:
    said = problems(tmp_path, line)
    assert "secret" not in "".join(said)
    assert "password" in "".join(said)


@pytest.mark.parametrize(
    "uri",
    [
        "rtsp://me@camera:554/stream?password_file=/etc/x",
        "rtsp://camera:554/a@b",
        "mqtt://[::1]:1/t",
    ],
)
def test_a_uri_without_a_password_is_none(uri: str, tmp_path: Path) -> None:
    assert read_config(write(tmp_path, f'source = "{uri}"')).source == uri


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("source = ", "1: is no TOML: "),
        (TEXT + "source = 2", "2: is no TOML: "),
        ("a = 1\nb = [1,\n", "3: is no TOML: "),
        ("a = 1\n\n[[[\n", "3: is no TOML: "),
        ("a = " + "[" * 30_000, "1: is no TOML: "),
        ("a = " + "9" * 30_000, "1: "),
    ],
)
def test_what_is_no_toml_is_refused_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, text)
    assert problem.startswith(said)
    assert len(problem) < 300


def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path: Path) -> None:
    path = write(tmp_path, TEXT.encode() + b"\nbundle = '\xff'\n")
    with pytest.raises(ConfigError, match=r"config\.toml:3: is no UTF-8"):
        read_config(path)


def test_a_file_that_cannot_be_read_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"no such file.*config\.missing"):
        read_config(tmp_path / "none.toml")
    with pytest.raises(MissingInput, match=r"config\.missing"):
        read_config("a\0b")
    with pytest.raises(EdgeError, match=str(tmp_path)):
        read_config(tmp_path)
    os.mkfifo(tmp_path / "pipe")  # nobody writes to it: opening it must not wait
    with pytest.raises(ConfigError, match="no plain file"):
        read_config(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="larger than 64 KiB"):
        read_config(write(tmp_path, TEXT + "#" * 64 * 1024))


def test_the_command_line_counts_instead_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "threads = 4\nsource = 5\nladder.low_fps = 2\n")
    config = read_config(path, {"source": "photo.jpg", "sinks": ("memory:",)})
    assert (config.source, config.sinks, config.threads) == ("photo.jpg", ("memory:",), 4)
    assert config.ladder.low_fps == 2


def test_the_printed_text_explains_every_key_once() -> None:
    text = config_text(Config(source="x"))
    lines, found = text.splitlines(), key_lines(text)
    for key in keys_of(Config):
        assert lines[found[key] - 2].startswith("# "), key
    assert all(len(line) <= 100 for line in lines)
    assert {line for line in lines if line.startswith("[")} == {
        "[capture]", "[live]", "[ladder]", "[board]"
    }  # fmt: skip


def test_what_no_file_can_say_is_not_printed() -> None:
    with pytest.raises(UsageError, match="bundle: "):
        config_text(Config(source="x", bundle=os.fsdecode(b"/a\xff")))


def test_a_password_is_not_printed_into_a_file() -> None:
    for wrong in ({"source": "rtsp://ada:geheim@h/a"}, {"sinks": ("mqtt://ada:geheim@h/a",)}):
        with pytest.raises(UsageError, match="holds a password") as caught:
            config_text(Config(**{"source": "x", **wrong}))  # type: ignore[arg-type]
        assert "geheim" not in str(caught.value)


TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20)


def values(kind: type, rule: Rule) -> st.SearchStrategy[Any]:
    """Draw what a setting may be."""
    if rule.choices:
        return st.sampled_from(rule.choices)
    if kind is bool:
        return st.booleans()
    if kind is str:
        return TEXTS.filter(lambda text: "@" not in text)
    if kind is int:
        return st.integers(int(rule.low), int(min(rule.high, 1e9)))
    if kind is float:
        low, high = (None if math.isinf(bound) else bound for bound in (rule.low, rule.high))
        return st.floats(low, high, allow_nan=False, allow_infinity=False)
    return st.lists(TEXTS.filter(lambda text: "@" not in text), unique=True).map(tuple)


def whole(kind: type) -> st.SearchStrategy[Any]:
    types = get_type_hints(kind)
    drawn = {
        field.name: values(types[field.name], field.metadata["rule"])
        if "rule" in field.metadata
        else whole(types[field.name])
        for field in dataclasses.fields(kind)
    }
    return st.builds(kind, **drawn)


@given(config=whole(Config).filter(lambda config: config.source != ""))
@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_is_printed_reads_back_the_same(config: Config, tmp_path: Path) -> None:
    assert read_config(write(tmp_path, config_text(config))) == config


@given(
    st.binary(max_size=200)
    | st.text(alphabet="abc.=\"'[]{}\n\\#, 0159_-tsourcela", max_size=200).map(str.encode)
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_file_holds_the_answer_is_an_error_of_ours(
    tmp_path: Path, content: bytes
) -> None:
    path = write(tmp_path, content)
    try:
        read_config(path)
    except ConfigError as error:
        assert error.lines()
        assert all("\n" not in line for line in error.lines())


def test_every_precision_of_a_bundle_can_be_asked_for() -> None:
    (field,) = (f for f in dataclasses.fields(Config) if f.name == "precision")
    assert set(field.metadata["rule"].choices) == {"", *PRECISIONS}


def test_the_example_is_complete_and_says_what_the_fields_say() -> None:
    path = ROOT / "systemd" / "unveil-edge.toml"
    head, _, rest = path.read_text().partition("\n\n")
    assert all(line.startswith("#") for line in head.splitlines())
    assert rest == config_text(read_config(path)), "make it again with: edge-run --print-config"
