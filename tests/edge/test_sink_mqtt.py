"""Messages over MQTT against a broker that does as it is told, or nothing at all."""

from __future__ import annotations

import json
import queue
import socket
import sys
import time
from pathlib import Path

import pytest

from edge.errors import (
    ConfigError,
    EdgeError,
    MissingInput,
    OutputError,
    UnavailableError,
    UsageError,
)
from edge.events import Event
from edge.results import Live
from edge.sinks import Sink, open_sink
from edge.sinks.mqtt.address import client_of, read_address
from edge.sinks.mqtt.discovery import discovery_messages
from edge.sinks.mqtt.payloads import Seen, State, without_names
from tests.edge.brokers import ScriptedBroker, free_port
from tests.edge.results_made import make_face, make_pair

WAIT_S = 10


def open_mqtt(port: int, query: str = "", *, live: bool = True, heard: object = None) -> Sink:
    pytest.importorskip("paho.mqtt.enums", reason="needs paho-mqtt 2: pip install paho-mqtt")
    listener = heard.put if isinstance(heard, queue.Queue) else None
    return open_sink(f"mqtt://127.0.0.1:{port}/home/door?{query}", live=live, listener=listener)


def test_an_address_says_who_where_and_what(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    secret.chmod(0o600)
    address = read_address(f"mqtt://ada%40home@[::1]/a/b?tls=1&password_file={secret}&client=door")
    assert (address.host, address.port, address.topic) == ("::1", 8883, "a/b")
    assert (address.user, address.password) == ("ada@home", "hunter2")
    assert client_of(address) == "door"
    plain = read_address("mqtt://Broker.local/a")
    assert (plain.host, plain.port, plain.user) == ("broker.local", 1883, "")
    assert client_of(plain) == client_of(plain) != client_of(read_address("mqtt://broker/b"))
    assert len(client_of(plain)) <= 23


@pytest.mark.parametrize(
    ("rest", "kind", "message"),
    [
        ("ada:hunter2@host/topic", UsageError, "password_file"),
        ("/topic", UsageError, "names no broker"),
        ("host", UsageError, "no topic"),
        ("host/", UsageError, "no topic"),
        ("host/a//b", UsageError, "no topic"),
        ("host/a/#", UsageError, "no topic"),
        ("host/a/+/b", UsageError, "no topic"),
        ("host/$SYS/a", UsageError, "no topic"),
        ("host/" + "a" * 300, UsageError, "at most 200 bytes"),
        ("host:0/a", UsageError, "names no broker"),
        ("host:99999/a", UsageError, "ort"),
        ("host:x/a", UsageError, "ort"),
        ("[::1/a", UsageError, "IPv6"),
        ("host/a?password_file=/none", UsageError, "a password without a user"),
        ("ada@host/a?password_file=/none", MissingInput, "no such file"),
        ("host/a?ca_file=/none", UsageError, "without tls=1"),
        ("host/a?tls=1&ca_file=/none", MissingInput, "no certificates"),
        ("host/a?tls=1&ca_file=/dev/null", MissingInput, "no certificates"),
        ("host/a?spool=/tmp/s&qos=0", UsageError, "needs qos=1"),
        ("host/a?qos=2", UsageError, "from 0 to 1"),
        ("host/a?client=a%20b", UsageError, "23 letters"),
        ("host/a?discovery=openhab", UsageError, "one of homeassistant"),
        ("host/a?spool=/proc/none/x", OutputError, "/proc/none"),
    ],
)
def test_what_is_no_address(rest: str, kind: type[EdgeError], message: str) -> None:
    with pytest.raises(kind) as caught:
        open_sink(f"mqtt://{rest}", live=True)
    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(UnavailableError, match=r"pip install 'unveil-edge\[mqtt\]'"):
        open_sink(f"mqtt://host/topic?spool={tmp_path}")


def test_an_open_password_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hunter2")
    secret.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        open_sink(f"mqtt://ada@host/a?password_file={secret}")


def test_who_is_seen_is_compared_without_order() -> None:
    one, other = make_face(track=1), make_face("unmasked", track=2, person="Ada")
    seen = Seen.of(make_pair(0, one, other)[1])
    assert seen.same_as(Seen.of(make_pair(1, other, one)[1]))
    assert not seen.same_as(Seen.of(make_pair(1, one)[1]))
    assert not seen.same_as(Seen.of(make_pair(1, one, make_face(track=2, person="Ada"))[1]))


def test_the_state_says_how_things_stand() -> None:
    faces = (make_face(), make_face("unmasked", person="Bo"), make_face("unmasked", person="Al"))
    live = Live(31_000_000, 2, ("emotion",))
    state = State(names=()).after(make_pair(0, *faces, live=live)[1], names=True)
    told = json.loads(state.payload(fps=14.84, age_ms=31.04))
    assert told.pop("at").endswith("Z")
    assert told == {
        "people": 3,
        "masked": 1,
        "unmasked": 2,
        "incorrect": 0,
        "names": ["Al", "Bo"],
        "camera": "running",
        "reduced": ["emotion"],
        "fps": 14.8,
        "age_ms": 31.0,
    }
    lost = json.loads(state.without_camera("lost").payload(fps=0, age_ms=None))
    assert (lost["camera"], lost["people"], lost["masked"]) == ("lost", None, None)
    assert lost["names"] == []


def test_names_can_be_left_out_everywhere() -> None:
    result = make_pair(0, make_face(person="Ada"))[1]
    assert "Ada" not in json.dumps(without_names(result).to_json())
    state = State().after(without_names(result), names=False)
    assert b"names" not in state.payload(fps=0, age_ms=None)


def test_home_assistant_is_told_of_what_the_state_has() -> None:
    state = json.loads(State(names=()).payload(fps=0, age_ms=None))
    messages = discovery_messages(client="door-1", topic="home/door", names=True)
    seen = set()
    for topic, payload in messages:
        start, kind, node, key, end = topic.split("/")
        config = json.loads(payload)
        assert (start, node, end) == ("homeassistant", "door-1", "config")
        assert kind in ("sensor", "binary_sensor")
        assert config["unique_id"] == f"door-1_{key}"
        assert config["state_topic"] == "home/door/state"
        assert config["availability_topic"] == "home/door/availability"
        assert config["device"]["identifiers"] == ["door-1"]
        assert config["value_template"].startswith("{{ ")
        used = {word for word in state if f"value_json.{word}" in config["value_template"]}
        assert len(used) == 1
        seen |= used
    assert seen == set(state) - {"at"}
    taken_back = [t for t, p in discovery_messages(client="c", topic="t", names=False) if not p]
    assert taken_back == ["homeassistant/sensor/c/names/config"]


def test_a_record_is_kept_until_the_broker_confirms_it(tmp_path: Path) -> None:
    query = f"spool={tmp_path}&every_s=0"
    with ScriptedBroker() as broker, open_mqtt(broker.port, query) as sink:
        for i in range(3):
            sink.write(*make_pair(i, make_face(track=i)))
        taken = [broker.take("home/door/faces") for _ in range(3)]
        assert [json.loads(payload)["frame"] for payload, _ in taken] == [0, 1, 2]
        broker.confirm(taken[0][1])
        broker.confirm(taken[2][1])  # out of turn: the second is still on its way
        broker.cut()
        again = [broker.take("home/door/faces") for _ in range(2)]
        assert [json.loads(payload)["frame"] for payload, _ in again] == [1, 2]
        broker.cut()
    with ScriptedBroker() as broker, open_mqtt(broker.port, query):
        kept = [broker.take("home/door/faces") for _ in range(2)]
        assert [json.loads(payload)["frame"] for payload, _ in kept] == [1, 2]
        for _, number in kept:
            broker.confirm(number)
    with ScriptedBroker() as broker, open_mqtt(broker.port, query) as sink:
        sink.write(*make_pair(9, make_face()))
        payload, number = broker.take("home/door/faces")
        assert json.loads(payload)["frame"] == 9
        broker.confirm(number)


def test_no_more_than_a_window_is_on_its_way() -> None:
    with ScriptedBroker() as broker, open_mqtt(broker.port, "every_s=0") as sink:
        for i in range(40):
            sink.write(*make_pair(i, make_face(track=i)))
        taken = [broker.take("home/door/faces") for _ in range(10)]
        with pytest.raises(queue.Empty):
            broker.taken.get(timeout=0.2)
        broker.confirm(taken[0][1])
        assert json.loads(broker.take("home/door/faces")[0])["frame"] == 10
        broker.cut()


def test_without_confirmations_everything_is_sent_at_once() -> None:
    with ScriptedBroker() as broker:
        with open_mqtt(broker.port, "qos=0&every_s=0", live=False) as sink:
            for i in range(40):
                sink.write(*make_pair(i, make_face(track=i)))
            frames = [json.loads(broker.take("home/door/faces")[0])["frame"] for _ in range(40)]
            assert frames == list(range(40))


def test_what_does_not_change_is_told_now_and_then() -> None:
    with ScriptedBroker() as broker, open_mqtt(broker.port, "every_s=3600") as sink:
        for i in range(5):
            sink.write(*make_pair(i, make_face(track=1)))
        sink.write(*make_pair(5, make_face("unmasked", track=1)))
        sink.write(*make_pair(6))
        sink.write(*make_pair(7))
        sink.tell(Event("ladder", "reduced: no emotion"))
        frames = []
        for _ in range(3):
            payload, number = broker.take("home/door/faces")
            broker.confirm(number)
            frames.append(json.loads(payload)["frame"])
        assert frames == [0, 5, 6]
        payload, number = broker.take("home/door/events")
        assert json.loads(payload)["kind"] == "ladder"
        broker.confirm(number)
        broker.cut()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"\x20\x02\x00\x05", "mqtt.refused"),
        (b"\x20\x02\x00\x04", "mqtt.refused"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" + b" " * 99, "mqtt."),
        (b"\xff" * 64, "mqtt."),
        (b"\x20\x00", "mqtt."),
        (b"\x30\x01\x00", "mqtt."),
        (b"\x40\x7f" + bytes(127), "mqtt."),
    ],
)
def test_a_broker_that_refuses_or_talks_nonsense_is_told_of(answer: bytes, code: str) -> None:
    heard: queue.Queue[Event] = queue.Queue()
    with ScriptedBroker(answer=answer) as broker, open_mqtt(broker.port, heard=heard) as sink:
        sink.write(*make_pair(0, make_face()))
        event = heard.get(timeout=WAIT_S)
    assert event.kind == "sink" and event.code.startswith(code)
    assert "home/door: no broker: " in event.text


def test_writing_and_closing_never_wait_for_a_broker_that_is_mute() -> None:
    """It takes connections, and says nothing to any."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        with open_mqtt(int(mute.getsockname()[1]), "every_s=0") as sink:
            begun = time.monotonic()
            for i in range(200):
                sink.write(*make_pair(i, make_face(track=i)))
            assert time.monotonic() - begun < 1
            begun = time.monotonic()
        assert time.monotonic() - begun < 5


def test_a_short_run_says_what_did_not_arrive(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="2 results did not reach the broker: connection refused"):
        with open_mqtt(free_port(), live=False) as sink:
            for i in range(2):
                sink.write(*make_pair(i, make_face()))
    with open_mqtt(free_port(), f"spool={tmp_path}", live=False) as sink:
        sink.write(*make_pair(0, make_face()))


def test_a_full_memory_drops_the_oldest_and_says_how_many() -> None:
    with pytest.raises(OutputError, match="1200 results did not reach"):
        with open_mqtt(free_port(), live=False) as sink:
            for i in range(1200):
                sink.write(*make_pair(i, make_face()))
