"""What every test may use: one real broker for the session, fresh topics, deterministic property tests."""

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import NoReturn, Protocol

import pytest
from hypothesis import HealthCheck, settings

from local.broker.address import KafkaAddress, ask
from local.broker.jars import BrokerUnavailable
from training.process import prepare_libraries

# Before any test imports TensorFlow or scikit-learn loads OpenMP.
prepare_libraries()

# A busy machine is no reason to fail, and the same commit must give the same verdict. To search further:
# pytest --hypothesis-profile=thorough
settings.register_profile(
    "deterministic", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", deadline=None, max_examples=2_000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("deterministic")

_BROKER = pytest.StashKey[KafkaAddress]()


class MakeTopic(Protocol):
    """Create a topic with a fresh name that starts with ``prefix``; it is deleted when the test ends."""

    def __call__(self, prefix: str, *, partitions: int = 1, configs: Mapping[str, str] | None = None) -> str: ...


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Iterator[KafkaAddress]:
    """One broker for the whole session: the one that FRAUD_KAFKA_BOOTSTRAP_SERVERS names, or one of our own.

    It is shared: a test that stops, kills or freezes its broker starts a ``LocalBroker`` of its own.
    """
    given = os.getenv("FRAUD_KAFKA_BOOTSTRAP_SERVERS")
    try:
        if given:
            request.config.stash[_BROKER] = ask(given)
            yield request.config.stash[_BROKER]
            return
        from local.broker.local_broker import LocalBroker

        with LocalBroker() as local:
            request.config.stash[_BROKER] = KafkaAddress(local.bootstrap_servers, local.version)
            yield request.config.stash[_BROKER]
    except BrokerUnavailable as error:
        _refuse(str(error))


def _refuse(reason: str) -> NoReturn:
    """Fail where a broker is promised (CI=true), skip on a machine that has none."""
    if os.getenv("CI", "").lower() in {"1", "true"}:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture
def unique_name() -> Callable[[str], str]:
    """Return a function that makes a name (of a topic, group or instance) that no other test has."""
    return lambda prefix: f"{prefix}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def make_topic(broker: KafkaAddress, unique_name: Callable[[str], str]) -> Iterator[MakeTopic]:
    """Return a function that creates a topic on the session's broker and waits until it can be used."""
    from kafka import KafkaAdminClient

    made: list[str] = []
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)

    def make(prefix: str, *, partitions: int = 1, configs: Mapping[str, str] | None = None) -> str:
        name = unique_name(prefix)
        topic = {"num_partitions": partitions, "replication_factor": 1, "configs": dict(configs or {})}
        admin.create_topics({name: topic}, wait_for_metadata=True)
        made.append(name)
        return name

    yield make
    if made:
        admin.delete_topics(made, raise_errors=False)
    admin.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which broker the tests ran on."""
    address = terminalreporter.config.stash.get(_BROKER, None)
    if address is not None:
        terminalreporter.write_line(f"Kafka {address.version} at {address.bootstrap_servers}")
