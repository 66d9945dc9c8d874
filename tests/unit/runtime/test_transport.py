"""A broker's last words arrive, although it hangs up right after them."""

import socket

import pytest
from kafka.net import manager

from runtime.kafka.transport import SSLTransport, TCPTransport, read_to_the_end, whole


def test_what_came_before_the_end_is_delivered_before_the_end() -> None:
    ours, brokers = socket.socketpair()
    with ours, brokers:
        ours.setblocking(False)
        transport = TCPTransport(None, ours)
        brokers.sendall(b"wrong password")
        brokers.close()
        assert transport._sock_recv() == (b"wrong password", None)
        received, end = transport._sock_recv()
        assert received == b""
        assert "disconnected" in str(end)


def test_the_end_alone_is_the_end() -> None:
    end = ConnectionResetError()
    assert whole(b"", end) == (b"", end)


def test_new_connections_are_made_that_way(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KafkaTCPTransport", "KafkaSSLTransport"):
        monkeypatch.setattr(manager, name, None)
    read_to_the_end()
    assert (manager.KafkaTCPTransport, manager.KafkaSSLTransport) == (TCPTransport, SSLTransport)
