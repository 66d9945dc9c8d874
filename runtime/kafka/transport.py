"""Transports that deliver a broker's last answer, although it hangs up right after it.

kafka-python 3.0.12 drops what it has received when the end of the connection comes with it (`_read_from_sock`). A
broker that refuses our credentials answers why and hangs up at once: on a busy machine the reason never arrived, and
wrong credentials looked like a broker that is away.
"""

from typing import TypeAlias

from kafka.errors import KafkaError
from kafka.net import manager
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

Received: TypeAlias = tuple[bytes, KafkaError | None]


def read_to_the_end() -> None:
    """Has connections that are made from now on deliver what was received before they end."""
    manager.KafkaTCPTransport, manager.KafkaSSLTransport = TCPTransport, SSLTransport


def whole(received: bytes, end: KafkaError | None) -> Received:
    """What was received, and the end only once nothing is left: the next read meets it again."""
    return received, None if received else end


class TCPTransport(KafkaTCPTransport):  # type: ignore[misc] # kafka-python has no types
    """Delivers everything before the end."""

    def _sock_recv(self) -> Received:
        return whole(*super()._sock_recv())


class SSLTransport(KafkaSSLTransport):  # type: ignore[misc] # as above
    """Delivers everything before the end."""

    def _sock_recv(self) -> Received:
        return whole(*super()._sock_recv())
