"""Counters for Prometheus: what a scrape finds, what a file holds, and what is in neither."""

from __future__ import annotations

import socket
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

from edge.board.system import System
from edge.errors import OutputError, UnavailableError, UsageError
from edge.events import Event
from edge.results import Live
from edge.sinks import open_sink
from edge.sinks.metrics import MetricsFileSink, MetricsPortSink
from tests.edge.results_made import make_face, make_pair

pytest.importorskip(
    "prometheus_client", reason="needs prometheus-client: pip install prometheus-client"
)


def read_metrics(text: str) -> dict[str, float]:
    """Read the exposition format with the library's own reader."""
    from prometheus_client.parser import text_string_to_metric_families

    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def scrape(port: int, host: str = "127.0.0.1") -> dict[str, float]:
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=5) as answer:
        return read_metrics(answer.read().decode())


def write_some(sink: object) -> None:
    live = Live(31_000_000, 3, ("emotion", "reconstruct"))
    for i in range(4):
        faces = (make_face(person="Ada", track=7), make_face("unmasked"), make_face("scarf"))
        sink.write(*make_pair(i, *faces, live=live))  # type: ignore[attr-defined]
    for kind, code in (
        ("camera.lost", "v4l2.lost"),
        ("camera.back", ""),
        ("camera.lost", "v4l2.lost"),
        ("sink", "sink.write"),
        ("sink", ""),
        ("input", "source.damaged"),
    ):
        sink.tell(Event(kind, "Ada was here", code))  # type: ignore[attr-defined]


EXPECTED = {
    "unveil_edge_frames_total": 4,
    "unveil_edge_faces_total{mask=masked}": 4,
    "unveil_edge_faces_total{mask=unmasked}": 4,
    "unveil_edge_faces_total{mask=incorrect}": 0,
    "unveil_edge_faces_total{mask=other}": 4,
    "unveil_edge_faces_now": 3,
    "unveil_edge_dropped_frames_total": 12,
    "unveil_edge_latency_seconds_count": 4,
    "unveil_edge_latency_seconds_bucket{le=0.005}": 4,
    "unveil_edge_latency_seconds_bucket{le=0.002}": 0,
    "unveil_edge_age_seconds_bucket{le=0.03}": 0,
    "unveil_edge_age_seconds_bucket{le=0.04}": 4,
    "unveil_edge_stage_seconds_count{stage=detect}": 4,
    "unveil_edge_stage_seconds_count{stage=mask}": 0,
    "unveil_edge_reduced": 2,
    "unveil_edge_camera_up": 0,
    "unveil_edge_camera_lost_total": 2,
    "unveil_edge_camera_reopened_total": 1,
    "unveil_edge_sink_failures_total": 1,
    "unveil_edge_skipped_inputs_total": 1,
}


def test_a_scrape_finds_what_was_counted() -> None:
    with MetricsPortSink("127.0.0.1", 0) as sink:
        write_some(sink)
        found = scrape(sink.port)
    assert {name: found[name] for name in EXPECTED} == EXPECTED
    assert "process_resident_memory_bytes" in found
    assert not any("Ada" in name or "video0" in name for name in found)


def test_the_number_of_series_does_not_grow_with_what_is_seen() -> None:
    with MetricsPortSink("127.0.0.1", 0) as sink:
        write_some(sink)
        before = set(scrape(sink.port))
        for i in range(50):
            sink.write(*make_pair(i, make_face(f"state-{i}", track=i, person=f"person-{i}")))
            sink.tell(Event("sink", "x", f"code-{i}"))
        assert set(scrape(sink.port)) == before


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(UnavailableError, match=r"pip install 'unveil-edge\[metrics\]'"):
        open_sink("prometheus:0")


def test_two_sinks_count_for_themselves() -> None:
    with MetricsPortSink("127.0.0.1", 0) as one, MetricsPortSink("127.0.0.1", 0) as other:
        one.write(*make_pair(0))
        assert scrape(one.port)["unveil_edge_frames_total"] == 1
        assert scrape(other.port)["unveil_edge_frames_total"] == 0


def test_the_port_is_given_back_and_a_taken_one_is_told() -> None:
    with MetricsPortSink("127.0.0.1", 0) as sink:
        port = sink.port
        with pytest.raises(OutputError, match="address already in use") as caught:
            open_sink(f"prometheus:127.0.0.1:{port}")
        assert caught.value.code == "sink.bind"
    sink.close()
    with open_sink(f"prometheus:{port}") as again:
        assert isinstance(again, MetricsPortSink)
        assert scrape(port)["unveil_edge_frames_total"] == 0


def test_ipv6_is_an_address_too() -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("needs an IPv6 loopback: sysctl net.ipv6.conf.lo.disable_ipv6=0")
    with open_sink("prometheus:[::1]:0") as sink:
        assert isinstance(sink, MetricsPortSink)
        assert scrape(sink.port, "[::1]")["unveil_edge_frames_total"] == 0


def test_whoever_says_nonsense_or_nothing_does_no_harm() -> None:
    with MetricsPortSink("127.0.0.1", 0) as sink:
        for words in (b"\x16\x03\x01" + bytes(200), b"GET " + b"a" * 70_000 + b"\r\n\r\n", b""):
            with socket.create_connection(("127.0.0.1", sink.port), timeout=5) as client:
                client.sendall(words)
                client.shutdown(socket.SHUT_WR)
                try:
                    while client.recv(4096):
                        pass
                except ConnectionError:
                    pass
        assert scrape(sink.port)["unveil_edge_frames_total"] == 0


@pytest.mark.parametrize("place", ["a:b", "127.0.0.1:99999", "127.0.0.1:-1", "1.2.3.4:5:x", "٣"])
def test_what_is_no_port(place: str) -> None:
    with pytest.raises(UsageError, match="neither a port nor a file"):
        open_sink(f"prometheus:{place}")


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(OutputError, match="cannot listen there"):
        open_sink("prometheus:192.0.2.1:9273")


def test_the_hottest_zone_is_shown_where_there_is_one(tmp_path: Path) -> None:
    for number, milli in enumerate((51_000, 62_500)):
        zone = tmp_path / f"sys/class/thermal/thermal_zone{number}"
        zone.mkdir(parents=True)
        (zone / "type").write_text("cpu-thermal\n")
        (zone / "temp").write_text(f"{milli}\n")
    with MetricsPortSink("127.0.0.1", 0, system=System(tmp_path)) as sink:
        assert scrape(sink.port)["unveil_edge_temperature_celsius"] == 62.5
    with MetricsPortSink("127.0.0.1", 0, system=System(tmp_path / "none")) as sink:
        assert "unveil_edge_temperature_celsius" not in scrape(sink.port)


def test_a_file_is_there_from_the_start_and_up_to_date_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "edge.prom"
    with open_sink(f"prometheus:{path}") as sink:
        assert read_metrics(path.read_text())["unveil_edge_frames_total"] == 0
        sink.write(*make_pair(0))
        assert read_metrics(path.read_text())["unveil_edge_frames_total"] == 0  # not every frame
        sink.tell(Event("camera.lost", "gone", "v4l2.lost"))
        assert read_metrics(path.read_text())["unveil_edge_camera_up"] == 0
        sink.write(*make_pair(1))
    assert read_metrics(path.read_text())["unveil_edge_frames_total"] == 2
    assert [file.name for file in tmp_path.iterdir()] == ["edge.prom"]


def test_a_reader_finds_a_whole_file_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "edge.prom"
    with MetricsFileSink(str(path)) as sink:
        ended = threading.Event()
        lengths: set[int] = set()
        faults: list[str] = []

        def read() -> None:
            while not ended.is_set():
                text = path.read_text()
                lengths.add(len(text))
                if not text.endswith("\n") or "unveil_edge_camera_up" not in text:
                    faults.append(text[-100:])

        reader = threading.Thread(target=read)
        reader.start()
        for i in range(100):
            sink.write(*make_pair(i))
            sink.tell(Event("config", "read again"))
        ended.set()
        reader.join()
    assert faults == [] and lengths


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no such file"):
        open_sink(f"prometheus:{tmp_path}/none/edge.prom")
