"""An inspection is shown as text and as one page that needs and runs nothing."""

from __future__ import annotations

import io
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.cards.names import clean, shorten
from export.inspection.artefact import Inspection, inspect
from export.inspection.beside import means_beside
from export.report import page, show, text
from tests.export.tflite_maker import Maker, alter, make, ranges_of, samples_of, small, tensor

SHAPE = (1, 16, 16, 3)
SAMPLES = samples_of(SHAPE, 3, seed=5)
FLOAT = make(small)
RANGES = ranges_of(FLOAT, samples_of(SHAPE, 24))
KEPT = frozenset({"line"})
EVIL = "</svg><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\x1b[31m\u202e"


@pytest.fixture(scope="module")
def healthy() -> Inspection:
    return inspect(FLOAT, make(small, RANGES), SAMPLES, where="a.tflite", seconds=0.2)


@pytest.fixture(scope="module")
def mixed() -> Inspection:
    content = make(small, RANGES, keep_float=KEPT)
    return inspect(FLOAT, content, SAMPLES, where="a.tflite", seconds=0.2, keep_float=KEPT)


@pytest.fixture(scope="module")
def broken() -> Inspection:
    def change(model: Any) -> None:
        steps = tensor(model, "line").quantization
        steps.scale = np.asarray(steps.scale, np.float32) * np.float32(100)

    content = alter(make(small, RANGES), change)
    return inspect(FLOAT, content, SAMPLES, where="a.tflite", seconds=0)


@pytest.fixture(scope="module")
def hostile() -> Inspection:
    def network(m: Maker) -> None:
        x = m.input("x", SHAPE)
        a = m.conv(EVIL, x, np.ones((4, 1, 1, 3)), np.zeros(4))
        m.output(m.prelu(EVIL + "2", a, np.full(4, 0.1)))

    exact = make(network)
    ranges = ranges_of(exact, samples_of(SHAPE, 8))
    content = make(network, ranges, keep_float=frozenset({EVIL + "2"}))
    return inspect(exact, content, SAMPLES, where=EVIL, seconds=0.1)


class _Reader(HTMLParser):
    """Hold a page against the rules: every tag is closed, nothing is loaded, nothing runs."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        names = {name for name, _ in attrs}
        assert not names & {"src", "href", "onerror", "onload", "srcset", "action"}
        if tag not in ("meta", "wbr"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def _read(content: str) -> _Reader:
    reader = _Reader()
    reader.feed(content)
    reader.close()
    assert reader.open == []
    return reader


# Text


def test_the_text_says_what_the_file_is_and_has_a_line_a_layer(healthy: Inspection) -> None:
    lines = text(healthy).splitlines()
    assert lines[0] == "a.tflite: int8"
    assert "  computing operators: 7 int8" in lines
    assert "  delegate pieces: 1" in lines
    assert "  left outside: 1 SOFTMAX" in lines
    rows = [line.split() for line in lines if re.match(r" *\d+  [A-Z]", line)]
    assert [row[2] for row in rows] == [
        "stem", "wide", "line", "total", "pooled", "logits", "probs"
    ]  # fmt: skip
    assert {row[3] for row in rows} == {"int8"}
    assert rows[-1][-5] == "out"


def test_exceptions_and_failures_stand_in_the_text(mixed: Inspection, broken: Inspection) -> None:
    said = text(mixed)
    assert said.startswith("a.tflite: int8 except 1: CONV_2D line\n")
    assert "not in int8, 1 CONV_2D: kept float on purpose: line" in said
    assert "float32*" in said and "  float islands: 1" in said
    assert "SILENT FAILURE (collapsed): CONV_2D line: one step is" in text(broken)
    assert "adds most noise: CONV_2D line: " in text(broken)


def test_activations_of_a_kind_are_told_together(hostile: Inspection) -> None:
    assert re.search(r"^PReLU, 1 of them: 1 operator, [\d.]+ ms of [\d.]+", text(hostile), re.M)


def test_a_stream_that_is_no_terminal_gets_plain_text(healthy: Inspection) -> None:
    stream = io.StringIO()
    show(healthy, stream)
    assert stream.getvalue() == text(healthy) + "\n"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_without_rich_gets_plain_text(
    healthy: Inspection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    stream = _Terminal()
    show(healthy, stream)
    assert stream.getvalue() == text(healthy) + "\n"


def test_a_terminal_gets_colours(
    mixed: Inspection, broken: Inspection, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rich", reason="needs rich: pip install -e .[export]")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "240")
    for found in (mixed, broken):
        stream = _Terminal()
        show(found, stream)
        plain = re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue())
        assert "\x1b[" in stream.getvalue()
        for layer in found.layers:
            assert re.search(rf"\b{layer.op} +{layer.name}\b", plain)


def test_names_cannot_command_the_terminal(hostile: Inspection) -> None:
    said = text(hostile)
    assert "\x1b" not in said and "\u202e" not in said
    assert "alert(1)" in said


# JSON


def test_json_has_no_values_that_json_lacks(hostile: Inspection, broken: Inspection) -> None:
    for found in (hostile, broken):
        table = json.loads(json.dumps(found.to_json(), allow_nan=False))
        assert table["schema"] == "unveil-edge.inspection/1"
        assert len(table["layers"]) == len(found.layers)
    assert {f["layer"] for f in broken.to_json()["findings"]} == {"line"}
    assert broken.to_json()["total_ms"] is None


# The page


def test_the_page_needs_and_runs_nothing(healthy: Inspection) -> None:
    content = page(healthy)
    reader = _read(content)
    assert not {"script", "link", "img", "iframe", "object", "base"} & reader.seen
    assert "default-src 'none'" in content
    assert "url(" not in content and "http" not in content.replace("http-equiv", "")
    assert content.count("<svg ") == 2
    assert "No silent failure found." in content


def test_the_page_tells_what_the_text_tells(mixed: Inspection, broken: Inspection) -> None:
    words = " ".join(_read(page(mixed)).words)
    assert "int8 except 1: CONV_2D line" in words
    assert "kept float on purpose" in words
    for layer in mixed.layers:
        assert layer.op in words
    words = " ".join(_read(page(broken)).words)
    assert "Silent failures" in words and "one step is" in words
    # Nothing was timed.
    assert page(broken).count("<svg ") == 1


def test_a_name_is_text_whatever_it_says(hostile: Inspection) -> None:
    content = page(hostile)
    reader = _read(content)
    assert not {"script", "img"} & reader.seen
    assert "alert(1)" in " ".join(reader.words)
    assert "\x1b" not in content and "\u202e" not in content


def test_a_file_without_a_float_network_is_shown() -> None:
    found = inspect(None, make(small, RANGES), [], where="a.tflite", seconds=0)
    content = page(found)
    _read(content)
    assert "There was no float network to compare with." in content
    assert "No silent failure found." not in content
    assert found.findings == () and text(found).startswith("a.tflite: int8")


def test_all_that_is_drawn_lies_inside_the_plot(mixed: Inspection) -> None:
    plots = re.findall(r'<svg [^>]*viewBox="0 0 ([\d ]+)"[^>]*>(.*?)</svg>', page(mixed))
    assert len(plots) == 2
    for box, inner in plots:
        width, height = map(float, box.split())
        for name, value in re.findall(r' (x1|x2|cx|x|y1|y2|cy|y)="(-?[\d.]+)"', inner):
            assert 0 <= float(value) <= (width if "x" in name else height)


# Names


@given(st.text(max_size=500))
def test_a_shown_name_is_printable_and_short(name: str) -> None:
    shown = shorten(clean(name), 40)
    assert shown.isprintable() and len(shown) <= 40
    assert len(clean(name)) <= 301


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("logits", "logits"),
        ("a/b;;pkg.Net_net/torch.nn.modules.conv.Conv2d_stem;1", "net/stem;1"),
        (
            "_recipe_map_net._Net_net/models.blocks.Conv_up3/torch.nn.Conv2d_conv;1",
            "net/up3/conv;1",
        ),
        ("x" * 60, "…" + "x" * 39),
    ],
)
def test_a_layers_own_path_is_told_without_scaffolding(name: str, shown: str) -> None:
    assert shorten(name, 40) == shown


def test_the_report_says_by_which_means_int8_came_about(tmp_path: Path) -> None:
    means = ["quantisation-aware training", "bias \x1b[31mcorrection"]
    file = tmp_path / "net.int8.tflite"
    record = {"artefacts": [7, {"file": "other"}, {"file": file.name, "means": means}]}
    (tmp_path / "net.json").write_text(json.dumps(record))
    assert means_beside(file) == tuple(means)
    (tmp_path / "net.json").unlink()
    manifest = {
        "networks": {"mask": {"artefacts": [{"file": file.name, "audit": {"means": means}}]}}
    }
    (tmp_path / "bundle.json").write_text(json.dumps(manifest))
    assert means_beside(file) == tuple(means)
    found = inspect(None, make(small, RANGES), [], where=file.name, means=means_beside(file))
    for written in (text(found), page(found)):
        assert "quantisation-aware training, bias" in written and "\x1b[31m" not in written
    assert found.to_json()["means"] == means


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["artefacts", "networks", "file", "means", "audit"]),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_any_record_is_read_or_is_none(tmp_path_factory: pytest.TempPathFactory, raw: Any) -> None:
    folder = tmp_path_factory.mktemp("record")
    (folder / "net.json").write_text(json.dumps(raw))
    assert all(isinstance(text, str) for text in means_beside(folder / "net.int8.tflite"))
