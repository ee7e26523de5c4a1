"""Messages over MQTT against a real broker that dies, returns, checks passwords and talks TLS."""

from __future__ import annotations

import datetime
import ipaddress
import json
import queue
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.events import Event
from edge.sinks import Sink, open_sink
from tests.edge.brokers import Mosquitto
from tests.edge.results_made import make_face, make_pair

pytest.importorskip("paho.mqtt.enums", reason="needs paho-mqtt 2: pip install paho-mqtt")

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 10.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as made:
        made.start()
        yield made


@contextmanager
def reader(port: int) -> Iterator[queue.Queue[tuple[str, bytes, bool]]]:
    """Read everything: topic, payload and whether it was retained."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    read: queue.Queue[tuple[str, bytes, bool]] = queue.Queue()
    ready: queue.Queue[bool] = queue.Queue()
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda c, *_: c.subscribe("#", 1)
    client.on_subscribe = lambda *_: ready.put(True)
    client.on_message = lambda _, __, m: read.put((m.topic, m.payload, m.retain))
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        ready.get(timeout=WAIT_S)
        yield read
    finally:
        client.disconnect()
        client.loop_stop()


def next_on(read: queue.Queue[tuple[str, bytes, bool]], topic: str) -> Any:
    while True:
        name, payload, _ = read.get(timeout=WAIT_S)
        if name == topic:
            return json.loads(payload) if payload[:1] in b"{[" else payload.decode()


def each_on(read: queue.Queue[tuple[str, bytes, bool]], *topics: str) -> list[Any]:
    """Return the first message of each topic, in whatever order they come."""
    found: dict[str, bytes] = {}
    while not found.keys() >= set(topics):
        name, payload, _ = read.get(timeout=WAIT_S)
        found.setdefault(name, payload)
    return [json.loads(found[topic]) for topic in topics]


def open_mqtt(port: int, query: str, heard: queue.Queue[Event] | None = None) -> Sink:
    listener = heard.put if heard is not None else None
    return open_sink(f"mqtt://127.0.0.1:{port}/home/door?{query}", live=True, listener=listener)


def test_what_a_reader_finds(broker: Mosquitto) -> None:
    with reader(broker.port) as read:
        with open_mqtt(broker.port, "discovery=homeassistant") as sink:
            sink.write(*make_pair(0, make_face(person="Ada")))
            assert next_on(read, "home/door/availability") == "online"
            state, faces = each_on(read, "home/door/state", "home/door/faces")
            assert state["names"] == ["Ada"]
            assert faces["schema"] == "unveil-edge.frame/1"
            assert faces["faces"][0]["identity"]["person"] == "Ada"
        assert next_on(read, "home/door/availability") == "offline"
    with reader(broker.port) as late:
        kept = {}
        while len(kept) < 12:
            topic, payload, retained = late.get(timeout=WAIT_S)
            assert retained
            kept[topic] = payload
    assert kept["home/door/availability"] == b"offline"
    assert json.loads(kept["home/door/state"])["camera"] == "stopped"
    assert b"Ada" not in b"".join(kept.values())
    assert "home/door/faces" not in kept
    assert sum(topic.startswith("homeassistant/") for topic in kept) == 10


def test_nothing_is_lost_while_the_broker_is_away(broker: Mosquitto, tmp_path: Path) -> None:
    heard: queue.Queue[Event] = queue.Queue()
    query = f"spool={tmp_path / 'spool'}&every_s=0"
    with open_mqtt(broker.port, query, heard) as sink:
        with reader(broker.port) as read:
            for i in range(20):
                sink.write(*make_pair(i, make_face(track=i)))
            before = [next_on(read, "home/door/faces")["frame"] for _ in range(20)]
        assert before == list(range(20))
        broker.kill()
        for i in range(20, 320):
            sink.write(*make_pair(i, make_face(track=i)))
        assert heard.get(timeout=WAIT_S).code == "mqtt.away"
        broker.start()
        with reader(broker.port) as read:
            after: list[int] = []
            while not after or after[-1] < 319:
                after.append(next_on(read, "home/door/faces")["frame"])
            sink.write(*make_pair(320, make_face(track=320)))
            after.append(next_on(read, "home/door/faces")["frame"])
        # Whoever subscribes to a broker that lost its memory may come after the first ones: the
        # broker had confirmed those. Of what it had not, nothing lacks and nothing is out of turn.
        assert after == sorted(set(after)) and after[-1] == 320
        assert after == list(range(after[0], 321))
        assert "the broker is back" in heard.get(timeout=WAIT_S).text


def test_a_broker_that_remembers_has_every_record_once_in_turn(tmp_path: Path) -> None:
    """With a reader's session kept by the broker nothing can be missed by coming late."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    database = tmp_path / "db"
    database.mkdir()
    lines = (
        *("allow_anonymous true", "user root", "persistence true"),
        *(f"persistence_location {database}/", "autosave_on_changes true", "autosave_interval 1"),
    )
    with Mosquitto(tmp_path, *lines) as broker:
        broker.start()
        read: queue.Queue[int] = queue.Queue()
        subscribed: queue.Queue[bool] = queue.Queue()
        client = Client(CallbackAPIVersion.VERSION2, "reader", clean_session=False)
        client.reconnect_delay_set(1, 1)
        client.on_subscribe = lambda *_: subscribed.put(True)
        client.on_connect = lambda c, *_: c.subscribe("home/door/faces", 1)
        client.on_message = lambda _, __, m: read.put(json.loads(m.payload)["frame"])
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        try:
            subscribed.get(timeout=WAIT_S)
            with open_mqtt(broker.port, f"spool={tmp_path / 'spool'}&every_s=0") as sink:
                for i in range(50):
                    sink.write(*make_pair(i, make_face(track=i)))
                found = [read.get(timeout=WAIT_S) for _ in range(50)]
                broker.kill()
                for i in range(50, 250):
                    sink.write(*make_pair(i, make_face(track=i)))
                broker.start()
                while found[-1] < 249:
                    found.append(read.get(timeout=WAIT_S))
        finally:
            client.disconnect()
            client.loop_stop()
    assert list(dict.fromkeys(found)) == list(range(250))


def test_a_killed_process_is_said_to_be_offline_and_its_spool_is_sent(
    broker: Mosquitto, tmp_path: Path
) -> None:
    uri = f"mqtt://127.0.0.1:{broker.port}/home/door?spool={tmp_path / 'spool'}&every_s=0"
    program = (
        "import sys; from edge.sinks import open_sink\n"
        "from tests.edge.results_made import make_face, make_pair\n"
        "sink = open_sink(sys.argv[1], live=True)\n"
        "sink.write(*make_pair(0, make_face()))\n"
        "sys.stdin.readline()\n"
        "for i in range(1, 50): sink.write(*make_pair(i, make_face(track=i)))\n"
        "print('written', flush=True); sys.stdin.readline()"
    )
    with (
        reader(broker.port) as read,
        subprocess.Popen(
            [sys.executable, "-c", program, uri],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as child,
    ):
        assert child.stdin is not None and child.stdout is not None
        assert next_on(read, "home/door/faces")["frame"] == 0
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "written\n"
        child.kill()
        frames: list[int] = []
        while True:  # the last will comes when the broker sees the connection end
            topic, payload, _ = read.get(timeout=WAIT_S)
            if topic == "home/door/faces":
                frames.append(json.loads(payload)["frame"])
            elif topic == "home/door/availability" and payload == b"offline":
                break
        child.wait()  # the last thing that it gives back is its hold on the spool
        with open_sink(uri, live=True) as sink:
            sink.write(*make_pair(99, make_face()))
            while not frames or frames[-1] != 99:
                frames.append(next_on(read, "home/door/faces")["frame"])
    # Frame 0 comes again where the process was killed before it noted the confirmation.
    assert [frame for frame in dict.fromkeys(frames) if frame] == [*range(1, 50), 99]


def test_passwords(tmp_path: Path) -> None:
    program = shutil.which("mosquitto_passwd")
    if program is None:
        pytest.skip("needs mosquitto_passwd: sudo apt-get install mosquitto")
    known = tmp_path / "known"
    subprocess.run([program, "-c", "-b", str(known), "ada", "hunter2"], check=True)
    known.chmod(0o644)
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    secret.chmod(0o600)
    lines = ("allow_anonymous false", f"password_file {known}", "user root")
    with Mosquitto(tmp_path, *lines) as broker:
        broker.start()
        place = f"127.0.0.1:{broker.port}/home/door"
        heard: queue.Queue[Event] = queue.Queue()
        with open_sink(f"mqtt://{place}", live=True, listener=heard.put):
            event = heard.get(timeout=WAIT_S)
        assert event.code == "mqtt.refused" and "not authorized" in event.text
        # Whoever has delivered a result was let in.
        with open_sink(f"mqtt://ada@{place}?password_file={secret}") as sink:
            sink.write(*make_pair(0, make_face()))
        secret.write_text("wrong")
        with open_sink(f"mqtt://ada@{place}?password_file={secret}", live=True, listener=heard.put):
            event = heard.get(timeout=WAIT_S)
        assert event.code == "mqtt.refused" and "wrong" not in event.text


def write_certificates(folder: Path) -> None:
    """Write an authority, a broker's certificate for 127.0.0.1, and another authority."""
    pytest.importorskip("cryptography", reason="needs cryptography: pip install cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = datetime.datetime.now(datetime.timezone.utc)

    def build(
        name: str, issuer: str, key: Any, signer: Any, names: list[x509.GeneralName] | None
    ) -> x509.Certificate:
        def named(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        made = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=names is None, path_length=None), critical=True)
        )
        if names is not None:
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return made.sign(signer, hashes.SHA256())

    authority, stranger, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    for name, certificate in (
        ("ca", build("our authority", "our authority", authority, authority, None)),
        ("other", build("another", "another", stranger, stranger, None)),
        ("broker", build("broker", "our authority", key, authority, [address])),
        ("elsewhere", build("broker", "our authority", key, authority, [x509.DNSName("b.test")])),
    ):
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@pytest.mark.parametrize(
    ("certificate", "authority", "fault"),
    [
        ("broker", "ca", ""),
        ("broker", "other", "mqtt.certificate"),
        ("elsewhere", "ca", "mqtt.certificate"),
    ],
)
def test_tls_and_who_vouches_for_the_broker(
    certificate: str, authority: str, fault: str, tmp_path: Path
) -> None:
    write_certificates(tmp_path)
    lines = (
        "allow_anonymous true",
        "user root",
        f"certfile {tmp_path}/{certificate}.pem",
        f"keyfile {tmp_path}/key.pem",
    )
    with Mosquitto(tmp_path, *lines) as broker:
        broker.start()
        query = f"tls=1&ca_file={tmp_path}/{authority}.pem"
        if not fault:
            with open_sink(f"mqtt://127.0.0.1:{broker.port}/home/door?{query}") as sink:
                for i in range(100):
                    sink.write(*make_pair(i, make_face()))
            return
        heard: queue.Queue[Event] = queue.Queue()
        with open_mqtt(broker.port, query, heard):
            event = heard.get(timeout=WAIT_S)
        assert event.code == fault and "certificate is not valid" in event.text


def test_tls_where_there_is_none_is_told(broker: Mosquitto) -> None:
    heard: queue.Queue[Event] = queue.Queue()
    with open_mqtt(broker.port, "tls=1", heard):
        assert heard.get(timeout=WAIT_S).code in ("mqtt.tls", "mqtt.away")
