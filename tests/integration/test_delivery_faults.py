"""A short version of `make chaos`: faults on a broker of its own, and nothing lost or doubled."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chaos.__main__ import suffer, write_models
from deploy.kafka.broker import LocalBroker

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def own(broker: object) -> Iterator[LocalBroker]:
    """A broker that faults may hurt; ``broker`` has settled whether one can be had at all."""
    assert broker
    with LocalBroker() as local:
        yield local


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    write_models(folder)
    return folder


@pytest.mark.parametrize("fault", ["kill", "broker_killed", "rebalance", "disk_full", "same_id_here"])
def test_nothing_is_lost_or_doubled_and_features_do_not_change(own: LocalBroker, run: Path, fault: str) -> None:
    _, verdict = suffer(fault, own, run, kills=2, scale=0.2, seed=3)
    assert verdict.inputs > 100
    assert verdict.clean, verdict
