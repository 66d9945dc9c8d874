"""Appends single records, each acknowledged before the next: for what people do, not for streams."""

from typing import Any, Final

from runtime.kafka.client import Cluster, open_producer

APPEND_SECONDS: Final = 10.0


class Appender:
    """Connects on first use: whoever holds one starts without a broker."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._producer: Any = None

    def append(self, topic: str, key: str, value: bytes) -> int:
        """Appends a record; its offset, once it is in the log.

        Raises:
            Unavailable: nobody knows whether it is; reading the topic tells.
        """
        with self._cluster.translated(f"writing to {topic}"):
            if self._producer is None:
                self._producer = open_producer(
                    {
                        **self._cluster.config(),
                        "acks": "all",
                        "enable_idempotence": True,
                        "max_block_ms": int(APPEND_SECONDS * 1000),
                        "delivery_timeout_ms": int(APPEND_SECONDS * 1000),
                        "request_timeout_ms": int(APPEND_SECONDS * 500),
                    }
                )
            sent = self._producer.send(topic, key=key.encode(), value=value)
            return int(sent.get(timeout=APPEND_SECONDS + 1).offset)

    def close(self) -> None:
        """Disconnects."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            producer.close(timeout=2)
