"""Where the broker is, who we are to it, and where we write."""

from __future__ import annotations

import hashlib
import re
import socket
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from edge.errors import UsageError
from edge.query import read_query, shown
from edge.secret_file import read_secret
from edge.settings import setting

__all__ = ["Address", "MqttOptions", "client_of", "read_address"]

_PORT, _TLS_PORT = 1883, 8883
_MAX_TOPIC_BYTES = 200
#: What every broker takes: MQTT 3.1.1, [MQTT-3.1.3-5].
_CLIENT = re.compile(r"[0-9A-Za-z_-]{1,23}")


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """What may stand behind the ``?`` of ``mqtt://HOST/TOPIC``."""

    password_file: str = setting("", "file of mode 0600 with the user's password")
    tls: bool = setting(False, "talk TLS, and check the broker's certificate")
    ca_file: str = setting("", "certificates that may vouch for the broker; else the system's")
    client: str = setting("", "client identifier, the same in no other process")
    qos: int = setting(
        1, "1: a result counts when the broker has it; 0: when it was sent", low=0, high=1
    )
    spool: str = setting("", "folder where results wait while the broker is away")
    spool_mib: float = setting(16.0, "largest size of it; the oldest go", low=1, high=4096)
    discovery: str = setting("", "tell Home Assistant what there is", choices=("homeassistant",))
    every_s: float = setting(
        1.0, "a live source's unchanged faces are sent again after so long", low=0, high=3600
    )
    names: bool = setting(True, "say who is seen")


@dataclass(frozen=True, slots=True)
class Address:
    """A broker and a topic.

    Attributes:
        shown: the URI as it may be logged.
        user: empty for none; ``password`` then is, too.
        topic: everything is written below it.
    """

    shown: str
    host: str
    port: int
    user: str
    password: str
    topic: str
    options: MqttOptions


def read_address(uri: str) -> Address:
    """Read ``mqtt://[user@]host[:port]/topic?options``, and the password.

    Raises:
        UsageError: it is no such URI, or an option is unknown.
        MissingInput: there is no such password file.
        ConfigError: others may read it.
    """
    place, options = read_query(uri, MqttOptions, code="sink.query")
    named = shown(uri)
    try:
        parts = urlsplit(place)
        port = parts.port
    except ValueError as error:
        raise _refused(named, str(error)) from error
    if parts.password is not None:
        raise UsageError(
            f"{named}: a password in a URI is seen by everybody on this machine",
            hint="write it into a file of mode 0600 and name that: ?password_file=PATH",
            code="mqtt.password",
        )
    if parts.scheme != "mqtt" or not parts.hostname or port == 0:
        raise _refused(named, "names no broker")
    topic = parts.path[1:]
    levels = topic.split("/")
    if not all(levels) or set("#+") & set(topic) or topic.startswith("$") or parts.fragment:
        raise _refused(named, f"{topic!r} is no topic to write to")
    if len(topic.encode()) > _MAX_TOPIC_BYTES:
        raise _refused(named, f"a topic has at most {_MAX_TOPIC_BYTES} bytes")
    user = unquote(parts.username or "")
    if options.password_file and not user:
        raise _refused(named, "a password without a user")
    if options.ca_file and not options.tls:
        raise _refused(named, "ca_file without tls=1")
    if options.spool and options.qos == 0:
        raise _refused(named, "a spool keeps what the broker has not confirmed, which needs qos=1")
    if options.client and not _CLIENT.fullmatch(options.client):
        raise _refused(named, "client is 1 to 23 letters, digits, - and _")
    return Address(
        shown=named,
        host=parts.hostname,
        port=port or (_TLS_PORT if options.tls else _PORT),
        user=user,
        password=read_secret(options.password_file) if options.password_file else "",
        topic=topic,
        options=options,
    )


def client_of(address: Address) -> str:
    """Return who we are to the broker: the same after every start, another for every topic."""
    if address.options.client:
        return address.options.client
    facts = f"{socket.gethostname()}\n{address.topic}"
    return f"unveil-edge-{hashlib.sha256(facts.encode()).hexdigest()[:10]}"


def _refused(named: str, what: str) -> UsageError:
    return UsageError(
        f"{named}: {what}",
        hint="write mqtt://user@host:1883/topic?password_file=PATH",
        code="sink.uri",
    )
