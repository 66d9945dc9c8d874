"""The loop's way to the brokers: arguments, clients, and what an error means. The same reactions as the service's."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from kafka import errors
from kafka.net.compat import KafkaNetClient

from runtime.errors import Damaged, Misconfigured
from training.settings import InvalidSettings, Settings

_REFUSED: Final = (
    errors.AuthorizationError,
    errors.SaslAuthenticationFailedError,
    errors.UnsupportedSaslMechanismError,
    errors.KafkaConfigurationError,
    errors.InvalidTopicError,
    errors.UnsupportedVersionError,
)


class BrokerUnavailable(Exception):  # noqa: N818 - named for what it says
    """The broker does not answer; one line. The next turn tries again."""


class BrokerRefuses(Exception):  # noqa: N818 - named for what it says
    """The broker does not let us in, or do what we ask; one line. Trying again would not help."""


def kafka_config(settings: Settings) -> dict[str, object]:
    """kafka-python's arguments that all of its clients share.

    Raises:
        InvalidSettings: a file that they name does not exist: kafka-python would only say that no broker answers.
    """
    s = settings
    paths = {"ssl_cafile": s.kafka_ssl_cafile, "ssl_certfile": s.kafka_ssl_certfile, "ssl_keyfile": s.kafka_ssl_keyfile}
    for name, path in paths.items():
        if path and not path.is_file():
            raise InvalidSettings(f"FRAUD_KAFKA_{name.upper()}: {path} does not exist")
    secret = s.kafka_sasl_password.get_secret_value() if s.kafka_sasl_password else None
    key_password = s.kafka_ssl_key_password.get_secret_value() if s.kafka_ssl_key_password else None
    return {
        "bootstrap_servers": s.kafka_bootstrap_servers.split(","),
        "bootstrap_timeout_ms": 5_000,
        "security_protocol": s.kafka_security_protocol,
        "sasl_mechanism": s.kafka_sasl_mechanism,
        "sasl_plain_username": s.kafka_sasl_username,
        "sasl_plain_password": secret,
        "ssl_password": key_password,
        # A broker that is back should be found within a second, not within the default's half a minute.
        "reconnect_backoff_max_ms": 1_000,
        **{name: str(path) if path else None for name, path in paths.items()},
    }


@contextmanager
def translated(where: object) -> Iterator[None]:
    """Turns kafka-python's errors into ours.

    Raises:
        BrokerRefuses: wrong credentials, missing rights, wrong configuration, a batch that cannot be read.
        BrokerUnavailable: anything else that the library tells.
    """
    try:
        yield
    except _REFUSED as error:
        raise BrokerRefuses(f"{where}: {_line(error)}") from None
    except errors.KafkaError as error:
        raise BrokerUnavailable(f"{where}: {_line(error)}") from None
    except (Damaged, Misconfigured) as error:
        raise BrokerRefuses(str(error)) from None


def open_client(kind: Any, config: Mapping[str, object]) -> Any:  # noqa: ANN401 - kafka-python has no types
    """A consumer or producer, by the same detour as `runtime.kafka.client.connect`.

    The library tries on after a broker has refused our credentials, and tells in the end that time was up; and a client
    whose constructor fails leaves its I/O thread behind. So its network client is made here.
    """
    made: list[KafkaNetClient] = []
    refusals: list[errors.KafkaError] = []

    def client(**options: object) -> KafkaNetClient:
        made.append(KafkaNetClient(**options))
        _note_refusals(made[-1]._manager, refusals)  # noqa: SLF001 - under no public name
        return made[-1]

    with translated(config["bootstrap_servers"]):
        try:
            return kind(**config, kafka_client=client)
        except BaseException as error:
            for half in made:
                half.close()
            if refusals and isinstance(error, errors.KafkaError):
                raise refusals[0] from error
            raise


def _note_refusals(manager: Any, refusals: list[errors.KafkaError]) -> None:  # noqa: ANN401 - kafka-python has no types
    back_off = manager.update_backoff

    def noting(node_id: object) -> object:
        failure = sys.exc_info()[1]  # it is called from where the failure is handled
        if isinstance(failure, errors.SaslAuthenticationFailedError):
            refusals.append(failure)
        return back_off(node_id)

    manager.update_backoff = noting


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
