"""A subscriber that holds what an MQTT sink sends against what should have come."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import numpy as np

from edge.errors import UnavailableError
from edge.owned import Owned
from edge.results import Detection, FaceResult, MaskState

__all__ = ["ONE_FACE", "Listener"]

#: Only results with faces are told.
ONE_FACE = FaceResult(
    Detection(np.zeros(4, np.float32), 1.0, np.zeros((5, 2), np.float32)), MaskState("masked", 1.0)
)


class Listener(Owned):
    """A subscriber whose subscription the broker keeps: nothing is lost on this side.

    Attributes:
        frames: of every result that arrived, in order, repetitions too.
        words: what came on the topic of availability.

    Raises:
        UnavailableError: the broker takes no subscription.
    """

    def __init__(self, port: int, topic: str) -> None:
        from paho.mqtt import client as mqtt

        self.frames: list[int] = []
        self.words: list[str] = []
        self._news = threading.Condition()
        subscribed = threading.Event()
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{topic}/#", qos=1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = lambda _client, _data, message: self._take(message)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        if not subscribed.wait(20):
            raise UnavailableError("the broker takes no subscription")

    def wait(self, what: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds; it is asked again at every message."""
        with self._news:
            return self._news.wait_for(what, seconds)

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, message: object) -> None:
        topic, payload = message.topic, message.payload  # type: ignore[attr-defined]
        with self._news:
            if topic.endswith("/faces"):
                self.frames.append(json.loads(payload)["frame"])
            elif topic.endswith("/availability"):
                self.words.append(payload.decode())
            self._news.notify_all()
