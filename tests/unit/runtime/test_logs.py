"""Contents of the logs."""

import io
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog
from kafka.protocol.sasl import SaslAuthenticateRequest

from runtime.logging import configure_logs

PASSWORD = "the password"  # noqa: S105 - nobody's


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    names = ("", "kafka", "kafka.net.connection")
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    handlers = logging.getLogger().handlers[:]
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    for logger, level in before:
        logger.setLevel(level)


def test_debug_opens_up_the_clients_log_and_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logs("DEBUG")
    request = SaslAuthenticateRequest(auth_bytes=f"\0user\0{PASSWORD}".encode())
    # As kafka-python does for each request that it sends.
    logging.getLogger("kafka.net.connection").debug("%s Request %d: %s", "connection", 1, request)
    logging.getLogger("kafka.coordinator").debug("joining the group")
    assert PASSWORD not in stream.getvalue()
    assert "joining the group" in stream.getvalue()


def test_the_client_still_logs_requests_where_that_was_seen() -> None:
    """The logger that is capped is the one that would tell."""
    from pathlib import Path

    import kafka.net.connection

    source = Path(kafka.net.connection.__file__).read_text(encoding="utf-8")
    assert "log.debug('%s Request %d: %s', self, correlation_id, request)" in source
    assert kafka.net.connection.log.name == "kafka.net.connection"
