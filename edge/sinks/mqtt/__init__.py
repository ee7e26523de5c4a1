"""Results over MQTT: a sink, the connection in a thread of its own, and a spool between them."""

from __future__ import annotations

from edge.sinks.mqtt.address import MqttOptions, read_address
from edge.sinks.mqtt.sink import MqttSink

__all__ = ["MqttOptions", "MqttSink", "read_address"]
