"""Clients of Kafka: where the brokers are, how to be let in, and what their errors mean for us."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kafka import KafkaConsumer, KafkaProducer, errors
from kafka.net.compat import KafkaNetClient

from runtime.errors import Fenced, Misconfigured, OffsetsLost, Unavailable
from runtime.kafka.settings import BrokerSettings
from runtime.kafka.transport import read_to_the_end
from runtime.settings import revealed

CONNECT_MS: Final = 5_000
REQUEST_MS: Final = 5_000

_REFUSED: Final = (
    errors.AuthorizationError,
    errors.SaslAuthenticationFailedError,
    errors.UnsupportedSaslMechanismError,
    errors.KafkaConfigurationError,
    errors.InvalidTopicError,
    errors.UnsupportedVersionError,
)


@dataclass(frozen=True, slots=True)
class Security:
    """What proves each side to the other."""

    protocol: str = "PLAINTEXT"
    cafile: Path | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    key_password: str | None = None
    mechanism: str | None = None
    username: str | None = None
    password: str | None = None

    def missing_file(self) -> str | None:
        """Which of its files does not exist: kafka-python would only say that no broker answers."""
        files = {"CAFILE": self.cafile, "CERTFILE": self.certfile, "KEYFILE": self.keyfile}
        missing = (
            f"FRAUD_KAFKA_SSL_{name}: {path} does not exist"
            for name, path in files.items()
            if path and not path.is_file()
        )
        return next(missing, None)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the brokers are and how to be let in."""

    servers: str
    security: Security = Security()

    @classmethod
    def of(cls, settings: BrokerSettings) -> "Cluster":
        """Where these settings look for Kafka."""
        return cls(
            settings.kafka_bootstrap_servers,
            Security(
                protocol=settings.kafka_security_protocol,
                cafile=settings.kafka_ssl_cafile,
                certfile=settings.kafka_ssl_certfile,
                keyfile=settings.kafka_ssl_keyfile,
                key_password=revealed(settings.kafka_ssl_key_password),
                mechanism=settings.kafka_sasl_mechanism,
                username=settings.kafka_sasl_username,
                password=revealed(settings.kafka_sasl_password),
            ),
        )

    def config(self) -> dict[str, object]:
        """kafka-python's arguments that all of its clients share."""
        security = self.security
        paths = {"ssl_cafile": security.cafile, "ssl_certfile": security.certfile, "ssl_keyfile": security.keyfile}
        return {
            "bootstrap_servers": self.servers.split(","),
            "bootstrap_timeout_ms": CONNECT_MS,
            "security_protocol": security.protocol,
            "sasl_mechanism": security.mechanism,
            "sasl_plain_username": security.username,
            "sasl_plain_password": security.password,
            "ssl_password": security.key_password,
            # A broker that is back should be found within a second, not within the default's half a minute.
            "reconnect_backoff_max_ms": 1_000,
            **{name: str(path) if path else None for name, path in paths.items()},
        }

    @contextmanager
    def translated(self, doing: str) -> Iterator[None]:
        """Turns kafka-python's errors into ours; `doing` names what was tried."""
        missing = self.security.missing_file()
        if missing:
            raise Misconfigured(missing)
        try:
            yield
        except errors.FencedInstanceIdError as error:
            raise Fenced(f"{doing} at {self.servers}: another process took over this instance's id") from error
        except errors.LogTruncationError as error:
            places = ", ".join(f"{where.topic}-{where.partition}" for where in error.divergent_offsets)
            raise OffsetsLost(
                f"{doing} at {self.servers}: the log of {places} was cut back behind what is committed, by an election "
                "of a leader that lacked it: decide from where to score again, and move the group's committed offset"
            ) from error
        except _REFUSED as error:
            raise Misconfigured(f"{doing} at {self.servers}: {_text(error)}") from error
        except errors.KafkaError as error:
            raise Unavailable(f"{doing} at {self.servers}: {_text(error)}") from error


_NEVER: Final = {"allow_auto_create_topics": False, "metrics_enabled": False}
"""What no client of ours does by itself: topics are made by a command, and nobody reads the library's own metrics."""

_READING: Final = {**_NEVER, "enable_auto_commit": False, "isolation_level": "read_committed"}


def open_consumer(config: Mapping[str, object]) -> Any:  # noqa: ANN401 - kafka-python has no types
    """A consumer of what is committed, which commits nothing by itself, unless `config` says otherwise.

    Raises kafka-python's errors, see `Cluster.translated`.
    """
    return connect(KafkaConsumer, {**_READING, **config})


def open_producer(config: Mapping[str, object]) -> Any:  # noqa: ANN401 - kafka-python has no types
    """A producer; raises kafka-python's errors, see `Cluster.translated`."""
    return connect(KafkaProducer, {**_NEVER, **config})


def connect(kind: Any, config: Mapping[str, object]) -> Any:  # noqa: ANN401 - kafka-python has no types
    """A consumer, producer or admin client.

    One whose constructor fails would leave its I/O thread behind, at every attempt to reach a broker that is away; so
    its network client is made here, where it can be closed.
    """
    read_to_the_end()
    made: list[KafkaNetClient] = []
    refusals: list[errors.KafkaError] = []

    def client(**options: object) -> KafkaNetClient:
        made.append(KafkaNetClient(**options))
        _note_refusals(made[-1]._manager, refusals)  # noqa: SLF001 - under no public name
        return made[-1]

    try:
        return kind(**config, kafka_client=client)
    except BaseException as error:
        for half in made:
            half.close()
        if refusals and isinstance(error, errors.KafkaError):
            raise refusals[0] from error
        raise


def _note_refusals(manager: Any, refusals: list[errors.KafkaError]) -> None:  # noqa: ANN401 - kafka-python has no types
    """Keeps what a broker said against our credentials: the library tries on, and in the end tells that time was up."""
    back_off = manager.update_backoff

    def noting(node_id: object) -> object:
        failure = sys.exc_info()[1]  # it is called from where the failure is handled
        if isinstance(failure, errors.SaslAuthenticationFailedError):
            refusals.append(failure)
        return back_off(node_id)

    manager.update_backoff = noting


def _text(error: Exception) -> str:
    text = " ".join(str(error).split())
    name = type(error).__name__
    return text if name in text else f"{name}: {text}" if text else name
