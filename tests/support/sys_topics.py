"""What mosquitto says about itself below $SYS (it must be told a `sys_interval`)."""

from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from support.servers import HOST

RECEIVED = "$SYS/broker/publish/messages/received"
DROPPED = "$SYS/broker/publish/messages/dropped"


class SysTopics:
    """The newest figures; 0 before the first."""

    def __init__(self, port: int) -> None:
        self.figures = {RECEIVED: 0, DROPPED: 0}
        self._port = port
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="sys-topics")
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message

    def _on_connect(self, client: paho.Client, *_rest: Any) -> None:
        client.subscribe([(topic, 0) for topic in self.figures])

    def _on_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        self.figures[message.topic] = int(message.payload)

    def __enter__(self) -> Self:
        self._client.connect(HOST, self._port)
        self._client.loop_start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
