"""What Home Assistant is told, so that sensors appear by themselves.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from edge import __version__

__all__ = ["discovery_messages"]

_MEASURED = {"state_class": "measurement"}
_DIAGNOSTIC = {"entity_category": "diagnostic"}


@dataclass(frozen=True, slots=True)
class _Entity:
    """One sensor: the key of its topic, what it is called, how its value is read, and the rest."""

    key: str
    kind: str
    name: str
    template: str
    extra: dict[str, str]


_ENTITIES = (
    _Entity(
        "presence",
        "binary_sensor",
        "Presence",
        "{{ none if value_json.people is none else 'ON' if value_json.people else 'OFF' }}",
        {"device_class": "occupancy"},
    ),
    _Entity(
        "people",
        "sensor",
        "People",
        "{{ value_json.people }}",
        {**_MEASURED, "icon": "mdi:account-group"},
    ),
    _Entity(
        "masked",
        "sensor",
        "Masked",
        "{{ value_json.masked }}",
        {**_MEASURED, "icon": "mdi:face-mask"},
    ),
    _Entity(
        "unmasked",
        "sensor",
        "Unmasked",
        "{{ value_json.unmasked }}",
        {**_MEASURED, "icon": "mdi:face-mask-outline"},
    ),
    _Entity(
        "incorrect",
        "sensor",
        "Mask worn wrongly",
        "{{ value_json.incorrect }}",
        {**_MEASURED, "icon": "mdi:face-mask-outline"},
    ),
    _Entity(
        "camera",
        "binary_sensor",
        "Camera",
        "{{ 'ON' if value_json.camera == 'running' else 'OFF' }}",
        {**_DIAGNOSTIC, "device_class": "connectivity"},
    ),
    _Entity(
        "rate",
        "sensor",
        "Results a second",
        "{{ value_json.fps }}",
        {**_DIAGNOSTIC, **_MEASURED, "icon": "mdi:speedometer"},
    ),
    _Entity(
        "age",
        "sensor",
        "Age of a result",
        "{{ value_json.age_ms }}",
        {**_DIAGNOSTIC, **_MEASURED, "device_class": "duration", "unit_of_measurement": "ms"},
    ),
    _Entity(
        "reduced",
        "sensor",
        "Left out",
        "{{ value_json.reduced | join(', ') or 'nothing' }}",
        {**_DIAGNOSTIC, "icon": "mdi:stairs-down"},
    ),
)
#: Home Assistant takes no state of more than 255 characters.
_NAMES = _Entity(
    "names",
    "sensor",
    "Known people",
    "{{ value_json.names | join(', ') | truncate(250) }}",
    {"icon": "mdi:account-check"},
)


def discovery_messages(*, client: str, topic: str, names: bool) -> list[tuple[str, bytes]]:
    """Return the retained messages that describe this device.

    Args:
        client: identifier; letters, digits, ``-`` and ``_``.
        topic: below which there are ``state`` and ``availability``.
        names: whether a sensor shows who is seen.

    Returns:
        Topic and payload of each; an empty payload takes a sensor back.
    """
    shared = {
        "state_topic": f"{topic}/state",
        "availability_topic": f"{topic}/availability",
        "device": {
            "identifiers": [client],
            "name": topic,
            "manufacturer": "unveil-edge",
            "sw_version": __version__,
        },
        "origin": {"name": "unveil-edge", "sw_version": __version__},
    }
    messages = []
    for entity in (*_ENTITIES, _NAMES):
        config = {
            "name": entity.name,
            "unique_id": f"{client}_{entity.key}",
            "value_template": entity.template,
            **entity.extra,
            **shared,
        }
        told = names or entity is not _NAMES
        payload = json.dumps(config, separators=(",", ":")).encode() if told else b""
        messages.append((f"homeassistant/{entity.kind}/{client}/{entity.key}/config", payload))
    return messages
